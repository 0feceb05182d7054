/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk's qemu-storage-daemon. First one looks at the image, by itself: which files it is made of, whether they may be
 * used, whether all can be opened as the disk is to have them; so what is wrong is known before there is a machine,
 * and in words. Then the one is started that serves them, and after a reboot of the guest, if that has ended, the next,
 * with the same files: the image is not asked again.
 *
 * A disk on a network as it is has nothing to be looked at, and its server may have been started for one client alone.
 *
 * No lock: main thread.
 */
#include "vmm/helpers/disk-servers.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk-overlay.h"
#include "vmm/base/json-writer.h"
#include "vmm/helpers/kept-helper.h"
#include "vmm/helpers/storage-cage.h"
#include "vmm/helpers/storage-chain.h"
#include "vmm/helpers/vhost-user-answer.h"

#define NAME "qemu-storage-daemon"
#define JOB  "make"

typedef struct {
  DiskServers base;
  StorageDaemon *daemon;
  Broker *broker;
} StorageServers;

/* What each qemu-storage-daemon of a disk is started with. */
typedef struct {
  const StorageDaemon *daemon;
  Broker *broker;
  StorageGraph *graph;
  int overlay; /* what is written, where it goes to no file of the user's; 0: there is none */
  StorageCage cage;
} Start;

/* Starting it. */

/* Why it has not come to be ready, from how it ended: its last words are about one of the files, if there are any. */
static void explain_end(const Start *with, const GError *local, GError **error) {
  static const char words[] = "; its last words: ";
  const char *said = strstr(local->message, words);
  StorageFile any = *storage_graph_file(with->graph, 0);
  g_autofree char *name = g_strconcat(any.given, with->graph->files->len > 1 ? ", or what it is backed by," : "", NULL);

  any.given = name;
  if (said)
    storage_daemon_set_error(with->daemon, &any, said + strlen(words), error);
  else
    g_propagate_error(error, g_error_copy(local));
}

static HelperProcess *start(void *opaque, bool first, HelperEnded *ended, void *kept, int *fd, GError **error) {
  const Start *with = opaque;
  g_autoptr(GPtrArray) arguments = storage_daemon_arguments(with->daemon, with->graph);
  const HelperConfig config = {
      .name = NAME,
      .argv = (const char *const *)arguments->pdata,
      .is_noise = storage_daemon_is_noise,
      .skip = storage_daemon_skip,
      .ended = ended,
      .opaque = kept,
      .listens = true,
      .set_up = {storage_cage_enter, &with->cage},
      .file = with->overlay,
      .broker = with->broker,
  };
  g_autoptr(GError) local = NULL;
  HelperProcess *process = helper_process_start(&config, fd, error);

  if (!process || !first || vhost_user_answers(process, NAME, *fd, &local))
    return process;
  explain_end(with, local, error);
  return helper_process_give_up(process, fd);
}

/* Looking at the disk. */

static JsonNode *creation(uint64_t size) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, "job-id", JOB);
  json_builder_set_member_name(builder, "options");
  json_builder_begin_object(builder);
  json_add_text(builder, "driver", disk_image_format_driver(DISK_IMAGE_FORMAT_QCOW2));
  json_add_text(builder, "file", STORAGE_OVERLAY);
  json_add_number(builder, "size", (int64_t)size);
  json_builder_end_object(builder);
  json_builder_end_object(builder);
  return json_builder_get_root(builder);
}

/* An overlay of SIZE bytes, with nothing in it. */
static bool make_overlay(const Start *with, StorageTalk *talk, uint64_t size, GError **error) {
  g_autoptr(GError) local = NULL;

  if (storage_talk_do(talk, "blockdev-add", storage_graph_overlay(), &local) &&
      storage_talk_do(talk, "blockdev-create", creation(size), &local) && storage_talk_await_job(talk, JOB, &local) &&
      storage_talk_do(talk, "blockdev-del", json_of_text("node-name", STORAGE_OVERLAY), &local))
    return true;
  return storage_file_refuse(storage_graph_file(with->graph, 0), error, "has no place in %s for what is written to it: %s",
                             disk_overlay_directory(), local->message);
}

static bool open_overlay(Start *with, GError **error) {
  int fd = disk_overlay_open_file(disk_overlay_directory());

  if (fd < 0) {
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START,
                "cannot make a file in %s for what is written to the disk: %s; the environment's TMPDIR names another directory",
                disk_overlay_directory(), g_strerror(errno));
    return false;
  }
  with->overlay = fd;
  return true;
}

/* All at once, as it is to be served. */
static bool try_disk(const Start *with, StorageTalk *talk, GError **error) {
  g_autoptr(GError) local = NULL;

  return storage_talk_do(talk, "blockdev-add", storage_graph_disk(with->graph), &local) ||
         storage_talk_explain(with->daemon, storage_graph_file(with->graph, 0), "opened", local, error);
}

static bool look(Start *with, const DiskConfig *disk, GError **error) {
  StorageGraph *graph = with->graph;
  uint64_t size;

  if (graph->cow && !open_overlay(with, error))
    return false;
  g_autoptr(StorageTalk) talk = storage_talk_begin(with->daemon, with->cage.network, with->overlay, error);
  return talk && storage_chain_follow(graph, talk, with->daemon, disk->backing, &size, error) &&
         (!graph->cow || make_overlay(with, talk, size, error)) && try_disk(with, talk, error);
}

/* What it is started with. */

static void free_start(void *opaque) {
  Start *with = opaque;

  if (with->overlay > 0)
    close(with->overlay);
  storage_graph_free(with->graph);
  g_free(with);
}

static bool add_first(StorageGraph *graph, const DiskConfig *disk, GError **error) {
  DiskImageFormat format = disk->image.format == DISK_IMAGE_FORMAT_AUTO ? DISK_IMAGE_FORMAT_RAW : disk->image.format;
  StorageFile *file = disk->nbd ? storage_file_new(disk->nbd, NULL, format) : storage_file_open(disk->path, format, error);
  const char *why;

  if (!file)
    return false;
  storage_graph_add(graph, file);
  if (!disk->nbd)
    return true;
  graph->nbd = nbd_uri_parse(disk->nbd, &why);
  return graph->nbd || storage_file_refuse(file, error, "cannot be found: %s", why);
}

static bool needs_look(const StorageGraph *graph) {
  return storage_graph_file(graph, 0)->format != DISK_IMAGE_FORMAT_RAW || graph->cow;
}

static bool prepare(Start *with, const DiskConfig *disk, GError **error) {
  StorageGraph *graph = with->graph = storage_graph_new();

  graph->read_only = disk->image.read_only;
  graph->cow = disk->image.cow;
  graph->direct = disk->image.direct;
  graph->discard = disk->device.discard == DISK_DISCARD_ON;
  graph->unlocked = disk->image.lock == DISK_LOCK_OFF;
  graph->queues = disk->device.queues;
  graph->block_size = (unsigned)disk->image.block_size;
  graph->iops = disk->device.iops;
  graph->bps = disk->device.bps;
  with->cage.network = disk->nbd;
  return add_first(graph, disk, error) && (!needs_look(graph) || look(with, disk, error));
}

static Helper *start_disk(DiskServers *base, const char *name, const DiskConfig *disk, GError **error) {
  Start *with = g_new0(Start, 1);
  const KeptHelperConfig config = {
      .name = NAME,
      .device = name,
      .what = "disk",
      .lack = "it cannot be reached",
      .start = start,
      .free_opaque = free_start,
      .opaque = with,
  };

  with->daemon = ((StorageServers *)base)->daemon;
  with->broker = ((StorageServers *)base)->broker;
  if (prepare(with, disk, error))
    return kept_helper_new(&config, error);
  g_prefix_error(error, "%s: ", name);
  free_start(with);
  return NULL;
}

DiskServers *disk_servers_new(Broker *broker, GError **error) {
  g_autoptr(StorageDaemon) daemon = storage_daemon_find(error);

  if (!daemon)
    return NULL;
  StorageServers *servers = g_new0(StorageServers, 1);
  *servers = (StorageServers){.base = {start_disk}, .daemon = g_steal_pointer(&daemon), .broker = broker};
  return &servers->base;
}

void disk_servers_free(DiskServers *servers) {
  if (!servers)
    return;
  storage_daemon_free(((StorageServers *)servers)->daemon);
  g_free(servers);
}
