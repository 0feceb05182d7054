/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive in the files that back one another, of which there are few (storage-chain.h). */
#include "vmm/helpers/storage-graph.h"

#include "vmm/base/json-writer.h"
#include "vmm/helpers/helper-process.h"

#define LIMITS      "limits"
#define RECONNECT_S 60 /* how long requests wait for an NBD server that is away */

StorageGraph *storage_graph_new(void) {
  StorageGraph *graph = g_new0(StorageGraph, 1);

  graph->files = g_ptr_array_new_with_free_func(storage_file_free);
  return graph;
}

void storage_graph_free(StorageGraph *graph) {
  if (!graph)
    return;
  g_ptr_array_unref(graph->files);
  nbd_address_free(graph->nbd);
  g_free(graph);
}

void storage_graph_add(StorageGraph *graph, StorageFile *take_file) {
  g_ptr_array_add(graph->files, take_file);
}

/* Members of the object that is open. */

static void add_bool(JsonBuilder *builder, const char *name, bool value) {
  json_builder_set_member_name(builder, name);
  json_builder_add_boolean_value(builder, value);
}

/* What every node has; its parents' are not its own. */
static void add_common(JsonBuilder *builder, const char *driver, bool read_only, bool discard, bool direct) {
  json_add_text(builder, "driver", driver);
  add_bool(builder, "read-only", read_only);
  json_add_text(builder, "discard", discard ? "unmap" : "ignore");
  json_builder_set_member_name(builder, "cache");
  json_builder_begin_object(builder);
  add_bool(builder, "direct", direct);
  json_builder_end_object(builder);
}

static void add_nbd(JsonBuilder *builder, const NbdAddress *nbd) {
  json_builder_set_member_name(builder, "server");
  json_builder_begin_object(builder);
  if (nbd->socket) {
    json_add_text(builder, "type", "unix");
    json_add_text(builder, "path", nbd->socket);
  } else {
    json_add_text(builder, "type", "inet");
    json_add_text(builder, "host", nbd->host);
    json_add_text(builder, "port", nbd->port);
  }
  json_builder_end_object(builder);
  json_add_text(builder, "export", nbd->export_name);
  json_add_number(builder, "reconnect-delay", RECONNECT_S);
}

/* What the bytes of an image come from. */
static void add_bytes(JsonBuilder *builder, const StorageGraph *graph, const StorageFile *file, bool read_only) {
  const char *driver = !file->path ? "nbd" : file->block_device ? "host_device" : "file";

  json_builder_begin_object(builder);
  add_common(builder, driver, read_only, graph->discard, file->path && graph->direct);
  json_add_text(builder, "filename", file->path);
  json_add_text(builder, "locking", file->path && graph->unlocked ? "off" : NULL);
  if (!file->path)
    add_nbd(builder, graph->nbd);
  json_builder_end_object(builder);
}

static void add_image(JsonBuilder *builder, const StorageGraph *graph, unsigned index, const char *name, bool read_only) {
  const StorageFile *file = storage_graph_file(graph, index);
  bool alone = g_strcmp0(name, STORAGE_LOOK) == 0 || index + 1 == graph->files->len;

  json_builder_begin_object(builder);
  json_add_text(builder, "node-name", name);
  add_common(builder, disk_image_format_driver(file->format), read_only, graph->discard, file->path && graph->direct);
  json_builder_set_member_name(builder, "file");
  add_bytes(builder, graph, file, read_only);
  if (disk_image_format_has_backing(file->format)) {
    json_builder_set_member_name(builder, "backing");
    if (alone)
      json_builder_add_null_value(builder);
    else
      add_image(builder, graph, index + 1, NULL, true);
  }
  json_builder_end_object(builder);
}

/* By the descriptor: the file has no name. */
static void add_overlay_file(JsonBuilder *builder, const char *name) {
  g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", HELPER_FILE);

  json_builder_begin_object(builder);
  json_add_text(builder, "node-name", name);
  add_common(builder, "file", false, true, false);
  json_add_text(builder, "filename", path);
  json_builder_end_object(builder);
}

static void add_overlay(JsonBuilder *builder, const StorageGraph *graph) {
  json_builder_begin_object(builder);
  json_add_text(builder, "node-name", STORAGE_DISK);
  add_common(builder, disk_image_format_driver(DISK_IMAGE_FORMAT_QCOW2), false, true, false);
  json_builder_set_member_name(builder, "file");
  add_overlay_file(builder, NULL);
  json_builder_set_member_name(builder, "backing");
  add_image(builder, graph, 0, NULL, true);
  json_builder_end_object(builder);
}

JsonNode *storage_graph_disk(const StorageGraph *graph) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  if (graph->cow)
    add_overlay(builder, graph);
  else
    add_image(builder, graph, 0, STORAGE_DISK, graph->read_only);
  return json_builder_get_root(builder);
}

JsonNode *storage_graph_look(const StorageGraph *graph, unsigned index) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  add_image(builder, graph, index, STORAGE_LOOK, true);
  return json_builder_get_root(builder);
}

JsonNode *storage_graph_overlay(void) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  add_overlay_file(builder, STORAGE_OVERLAY);
  return json_builder_get_root(builder);
}

JsonNode *storage_graph_limits(const StorageGraph *graph) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, "qom-type", "throttle-group");
  json_add_text(builder, "id", LIMITS);
  json_builder_set_member_name(builder, "limits");
  json_builder_begin_object(builder);
  json_add_number(builder, "iops-total", graph->iops);
  json_add_number(builder, "bps-total", (int64_t)graph->bps);
  json_builder_end_object(builder);
  json_builder_end_object(builder);
  return json_builder_get_root(builder);
}

JsonNode *storage_graph_limited(void) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, "driver", "throttle");
  json_add_text(builder, "node-name", STORAGE_LIMITED);
  json_add_text(builder, "throttle-group", LIMITS);
  json_add_text(builder, "file", STORAGE_DISK);
  json_builder_end_object(builder);
  return json_builder_get_root(builder);
}
