/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By QMP's blockdev-add, query-named-block-nodes and blockdev-del (QEMU: qapi/block-core.json, ImageInfo), each file by
 * itself: what backs it is not opened by its own word. A VMDK's extents are, but read-only, and no further.
 */
#include "vmm/helpers/storage-chain.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "devices/printable.h"
#include "vmm/base/json-writer.h"

/* Names. */

/* What an image that is in a file calls another; NULL: it is no file. */
static const char *file_name(const char *name) {
  size_t head = strcspn(name, ":/");

  if (g_str_has_prefix(name, "file:"))
    return name + strlen("file:");
  return name[head] == ':' ? NULL : name;
}

/* That of ALLOWED which is the same file as NAME; NULL: none is. */
static const char *find_allowed(const GPtrArray *allowed, const struct stat *wanted) {
  struct stat status;

  for (unsigned i = 0; allowed && i < allowed->len; i++)
    if (stat(allowed->pdata[i], &status) == 0 && status.st_dev == wanted->st_dev && status.st_ino == wanted->st_ino)
      return allowed->pdata[i];
  return NULL;
}

/* What it says of itself. */

typedef struct {
  JsonDocument *document;
  JsonObject *image; /* in it; NULL: it was not found */
} Look;

static void end_look(Look *look) {
  json_document_free(look->document);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Look, end_look)

static JsonNode *flat(void) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_builder_set_member_name(builder, "flat");
  json_builder_add_boolean_value(builder, true);
  json_builder_end_object(builder);
  return json_builder_get_root(builder);
}

static JsonObject *find_image(JsonDocument *document) {
  JsonArray *nodes = storage_said_list(json_node_get_object(json_document_root(document)), "return");

  for (unsigned i = 0; nodes && i < json_array_get_length(nodes); i++) {
    JsonObject *node = storage_said_element(nodes, i);
    if (g_strcmp0(storage_said_text(node, "node-name"), STORAGE_LOOK) == 0)
      return storage_said_object(node, "image");
  }
  return NULL;
}

static bool look_at(StorageTalk *talk, const StorageGraph *graph, unsigned index, Look *look, GError **error) {
  if (!storage_talk_do(talk, "blockdev-add", storage_graph_look(graph, index), error))
    return false;
  look->document = storage_talk_ask(talk, "query-named-block-nodes", flat(), error);
  if (!look->document)
    return false;
  look->image = find_image(look->document);
  return storage_talk_do(talk, "blockdev-del", json_of_text("node-name", STORAGE_LOOK), error);
}

/* Its data in other files. */

static bool check_extents(JsonArray *extents, const StorageFile *file, bool written, GError **error) {
  for (unsigned i = 0; extents && i < json_array_get_length(extents); i++) {
    JsonObject *extent = storage_said_element(extents, i);
    const char *name = storage_said_text(extent, "filename");
    g_autofree char *shown = printable_line_escaped(name ? name : "", -1);
    if (g_strcmp0(name, file->path) != 0)
      return storage_file_refuse(file, error, "has its data in another file, '%s': 'qemu-img convert -O qcow2' makes one file of both",
                                 shown);
    if (written && storage_said_true(extent, "compressed"))
      return storage_file_refuse(file, error,
                                 "is compressed, and cannot be written: ',cow' keeps what is written elsewhere, ',ro' has nothing written");
  }
  return true;
}

static bool check_data(JsonObject *image, const StorageFile *file, bool written, GError **error) {
  JsonObject *specific = storage_said_object(storage_said_object(image, "format-specific"), "data");
  const char *data = storage_said_text(specific, "data-file");
  g_autofree char *shown = data ? printable_line_escaped(data, -1) : NULL;

  if (data)
    return storage_file_refuse(file, error, "has its data in another file, '%s': 'qemu-img convert -O qcow2' makes one file of both",
                               shown);
  return file->format != DISK_IMAGE_FORMAT_VMDK || check_extents(storage_said_list(specific, "extents"), file, written, error);
}

/* What it is backed by. */

static bool find_format(JsonObject *image, const StorageFile *file, const char *backing, DiskImageFormat *format, GError **error) {
  const char *name = storage_said_text(image, "backing-filename-format");
  g_autofree char *shown = name ? printable_line_escaped(name, -1) : NULL;

  if (!name && file->format == DISK_IMAGE_FORMAT_VMDK)
    name = disk_image_format_driver(DISK_IMAGE_FORMAT_VMDK);
  if (!name)
    return storage_file_refuse(
        file, error, "does not say of which format '%s' is, which it is backed by: 'qemu-img rebase -u -F FORMAT -b' writes it there",
        backing);
  for (*format = DISK_IMAGE_FORMAT_RAW; *format <= DISK_IMAGE_FORMAT_PARALLELS; (*format)++)
    if (strcmp(disk_image_format_driver(*format), name) == 0)
      return true;
  return storage_file_refuse(file, error, "is backed by '%s', of a format that is not known here: %s", backing, shown);
}

/* As a value of the option: a comma is written twice. */
static char *as_value(const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);

  return g_strjoinv(",,", parts);
}

/* What the last file, whose IMAGE that is, calls NAME; which is shown as SHOWN. */
static bool add_backing(StorageGraph *graph, JsonObject *image, const char *name, const char *shown, const GPtrArray *allowed,
                        GError **error) {
  const StorageFile *file = storage_graph_file(graph, graph->files->len - 1);
  const char *found = file_name(name);
  struct stat status;
  DiskImageFormat format = DISK_IMAGE_FORMAT_RAW;

  if (!found || !file->path)
    return storage_file_refuse(
        file, error, "is backed by '%s', which is no file of this host: 'qemu-img convert -O qcow2' makes one file of both", shown);
  if (stat(found, &status) < 0)
    return storage_file_refuse(file, error, "is backed by '%s', which is not there: %s; 'qemu-img rebase -u -b' names another", shown,
                               g_strerror(errno));
  if (!find_format(image, file, shown, &format, error))
    return false;
  const char *permitted = find_allowed(allowed, &status);
  g_autofree char *value = permitted ? NULL : as_value(shown);
  if (!permitted)
    return storage_file_refuse(file, error, "is backed by '%s', and its guest would read what is in there: allow it by ',backing=%s'",
                               shown, value);
  StorageFile *next = storage_file_open(permitted, format, error);
  if (next)
    storage_graph_add(graph, next);
  return next;
}

/* *MORE: what backs it was added. */
static bool take_look(StorageGraph *graph, const Look *look, const GPtrArray *allowed, bool *more, GError **error) {
  unsigned index = graph->files->len - 1;
  const StorageFile *file = storage_graph_file(graph, index);
  const char *name = storage_said_text(look->image, "full-backing-filename");
  g_autofree char *shown = name ? printable_line_escaped(name, -1) : NULL;

  *more = false;
  if (!look->image)
    return storage_file_refuse(file, error, "is not described by qemu-storage-daemon, which has read it");
  if (!check_data(look->image, file, index == 0 && !graph->read_only && !graph->cow, error))
    return false;
  if (!name && storage_said_text(look->image, "backing-filename"))
    return storage_file_refuse(file, error, "is backed by what has no name of a file");
  *more = name;
  if (graph->files->len == STORAGE_CHAIN_MAX && name)
    return storage_file_refuse(file, error, "is the last of %d files that back one another, and names one more", STORAGE_CHAIN_MAX);
  return !name || add_backing(graph, look->image, name, shown, allowed, error);
}

static bool lock(const StorageGraph *graph, unsigned index, GError **error) {
  bool writes = index == 0 && !graph->read_only && !graph->cow;

  return graph->unlocked || storage_file_lock(storage_graph_file(graph, index), writes, error);
}

bool storage_chain_follow(StorageGraph *graph, StorageTalk *talk, const StorageDaemon *daemon, const GPtrArray *allowed, uint64_t *size,
                          GError **error) {
  bool more = true;

  for (unsigned i = 0; more; i++) {
    g_autoptr(GError) local = NULL;
    g_auto(Look) look = {0};
    const StorageFile *file = storage_graph_file(graph, i);
    if (!lock(graph, i, error))
      return false;
    if (i > 0 && file->format == DISK_IMAGE_FORMAT_RAW)
      break;
    if (!look_at(talk, graph, i, &look, &local))
      return storage_talk_explain(daemon, file, "read", local, error);
    if (i == 0)
      *size = (uint64_t)storage_said_number(look.image, "virtual-size");
    if (!take_look(graph, &look, allowed, &more, error))
      return false;
  }
  return true;
}
