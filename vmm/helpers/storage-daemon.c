/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By its manual of 7.2 and of 10.0, and what it says is wrong (block/qcow2.c, block/file-posix.c and their like). Its
 * sentences have no numbers to go by, so what is not known here is shown as it is.
 *
 * What it is told of nodes is JSON in several lines: when one is wrong it repeats them, and the reason stands in a line
 * of its own.
 */
#include "vmm/helpers/storage-daemon.h"

#include <string.h>

#include "devices/printable.h"
#include "vmm/base/json-writer.h"

#define MAJOR_MIN   6 /* of which the first has vhost-user-blk as it is used here */
#define SECTOR_SIZE 512
#define SAID_MAX    200 /* bytes, of a sentence of its */

void storage_daemon_free(StorageDaemon *daemon) {
  if (!daemon)
    return;
  g_free(daemon->program);
  g_free(daemon->version);
  g_free(daemon);
}

static bool set_missing(GError **error, const char *why) {
  g_set_error(
      error, HELPER_ERROR, HELPER_ERROR_START,
      "disks of other formats than raw, and on a network, are served by qemu-storage-daemon, %s; install it (Debian 13: apt install "
      "qemu-utils; Debian 12: apt install qemu-system-common)",
      why);
  return false;
}

/* "qemu-storage-daemon version 7.2.22 (Debian ...)". */
static bool ask(StorageDaemon *daemon, GError **error) {
  const char *const argv[] = {daemon->program, "--version", NULL};
  g_autofree char *out = NULL;
  g_autoptr(GError) local = NULL;

  if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL, NULL, &local))
    return set_missing(error, local->message);
  const char *number = strpbrk(out, "0123456789");
  daemon->version = number ? g_strndup(number, strspn(number, "0123456789.")) : NULL;
  if (!number)
    return set_missing(error, "and the one that is installed does not say its version");
  if (g_ascii_strtoull(number, NULL, 10) < MAJOR_MIN)
    return set_missing(error, "and the one that is installed is older than 6.0");
  return true;
}

StorageDaemon *storage_daemon_find(GError **error) {
  g_autoptr(StorageDaemon) daemon = g_new0(StorageDaemon, 1);

  daemon->program = g_find_program_in_path("qemu-storage-daemon");
  if (!daemon->program) {
    set_missing(error, "which is not installed");
    return NULL;
  }
  return ask(daemon, error) ? g_steal_pointer(&daemon) : NULL;
}

static void add_node(GPtrArray *arguments, const char *option, JsonNode *take_node) {
  g_autoptr(JsonNode) node = take_node;

  g_ptr_array_add(arguments, g_strdup(option));
  g_ptr_array_add(arguments, g_strchomp(json_print(node)));
}

GPtrArray *storage_daemon_arguments(const StorageDaemon *daemon, const StorageGraph *graph) {
  GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);
  bool limited = graph->iops || graph->bps;

  g_ptr_array_add(arguments, g_strdup(daemon->program));
  add_node(arguments, "--blockdev", storage_graph_disk(graph));
  if (limited) {
    add_node(arguments, "--object", storage_graph_limits(graph));
    add_node(arguments, "--blockdev", storage_graph_limited());
  }
  g_ptr_array_add(arguments, g_strdup("--export"));
  g_ptr_array_add(arguments, g_strdup_printf("type=vhost-user-blk,id=disk,node-name=%s,writable=%s,num-queues=%u,logical-block-size=%u,"
                                             "addr.type=fd,addr.str=%d",
                                             limited ? STORAGE_LIMITED : STORAGE_DISK, graph->read_only ? "off" : "on",
                                             MAX(graph->queues, 1), graph->block_size ? graph->block_size : SECTOR_SIZE, HELPER_FD));
  g_ptr_array_add(arguments, NULL);
  return arguments;
}

/* The JSON that it was given; and what it says when the other end goes. */
bool storage_daemon_is_noise(const char *line) {
  return *line == ' ' || g_str_has_suffix(line, ": --blockdev {") || strstr(line, "vu_panic: Error while") ||
         strstr(line, "qemu-block-extra");
}

/* The end of that JSON, or the export, behind which the reason stands; or its own name. */
size_t storage_daemon_skip(const char *line) {
  static const char *const parts[] = {"}: ", "qemu-storage-daemon: --export ", "qemu-storage-daemon: "};

  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
    if (!g_str_has_prefix(line, parts[i]))
      continue;
    const char *behind = line + strlen(parts[i]), *end = i == 1 ? strstr(behind, ": ") : NULL;
    return (size_t)(end ? end + strlen(": ") - line : behind - line);
  }
  return 0;
}

/* What it says, and what that means, with one thing in it at most. */
static const struct {
  const char *pattern, *text;
  enum { NOTHING, PATH, FORMAT, VERSION } with;
} meanings[] = {
    {"Is another process *", "is in use by another process: a disk has one writer, or any number of readers (',ro')", NOTHING},
    {"*Failed to lock *", "is in use by another process: a disk has one writer, or any number of readers (',ro')", NOTHING},
    {"*\" lock", "is in use by another process: a disk has one writer, or any number of readers (',ro')", NOTHING},
    {"*key-secret*", "is encrypted: 'qemu-img convert' makes one that is not", NOTHING},
    {"*Unsupported qcow2 *", "is newer than qemu-storage-daemon %s: it takes a newer one", VERSION},
    {"*is corrupt*", "is corrupt, and says so itself: 'qemu-img check -r all %s' repairs it, and with ',ro' it is read as it is", PATH},
    {"*does not support qcow*", "is no %s image", FORMAT},
    {"*not in *", "is no %s image", FORMAT},
    {"*bad signature*", "is no %s image", FORMAT},
    {"invalid V*", "is no %s image, or a damaged one", FORMAT},
    {"*oo small*", "is no %s image, or a damaged one", FORMAT},
    {"*oo short*", "is no %s image, or a damaged one", FORMAT},
    {"Failed to connect *", "cannot be reached: start the server first", NOTHING},
    {"*export not available*", "is none of its server's: 'qemu-nbd --list' shows those", NOTHING},
    {"server reported: export *", "is none of its server's: 'qemu-nbd --list' shows those", NOTHING},
    {"Could not open image: Permission denied", "may only be read: ',ro', or ',cow'", NOTHING},
    {"*O_DIRECT*", "is where there is no direct I/O: leave out 'direct'", NOTHING},
};

static char *put(const char *text, const char *what) {
  const char *gap = strstr(text, "%s");

  return gap ? g_strdup_printf("%.*s%s%s", (int)(gap - text), text, what, gap + strlen("%s")) : g_strdup(text);
}

void storage_daemon_set_error(const StorageDaemon *daemon, const StorageFile *file, const char *what, GError **error) {
  const char *const with[] = {
      [NOTHING] = "", [PATH] = file->path, [FORMAT] = disk_image_format_name(file->format), [VERSION] = daemon->version};
  g_autofree char *shown = printable_cut(what, SAID_MAX), *meaning = NULL;

  for (unsigned i = 0; i < G_N_ELEMENTS(meanings) && !meaning; i++)
    if (g_pattern_match_simple(meanings[i].pattern, what))
      meaning = put(meanings[i].text, with[meanings[i].with]);
  storage_file_refuse(file, error, "%s (%s)", meaning ? meaning : "cannot be opened", shown);
}
