/* SPDX-License-Identifier: Apache-2.0 */
/* What qemu-storage-daemon is told of disks: every file by its name, and nothing that an image could add. */
#include "vmm/helpers/storage-graph.h"

#include <string.h>

#include "vmm/base/json-writer.h"

static const char *const known[] = {"node-name", "driver",   "read-only", "discard", "cache",  "file",
                                    "backing",   "filename", "locking",   "server",  "export", "reconnect-delay"};

static void append_node(GString *text, JsonObject *node);

static void append_link(GString *text, JsonObject *node, const char *name) {
  JsonNode *link = json_object_get_member(node, name);

  if (!link)
    return;
  g_string_append_printf(text, " %s(", name);
  if (JSON_NODE_HOLDS_OBJECT(link))
    append_node(text, json_node_get_object(link));
  g_string_append(text, ")");
}

static void append_text(GString *text, JsonObject *node, const char *name) {
  if (json_object_has_member(node, name))
    g_string_append_printf(text, " %s=%s", name, json_object_get_string_member(node, name));
}

static void append_server(GString *text, JsonObject *server) {
  append_text(text, server, "type");
  append_text(text, server, "host");
  append_text(text, server, "port");
  append_text(text, server, "path");
}

/* "disk: qcow2 rw cached discard=ignore file(...) backing()". Of what it has it may have no more than is known. */
static void append_node(GString *text, JsonObject *node) {
  g_autoptr(GList) names = json_object_get_members(node);
  JsonObject *cache = json_object_get_object_member(node, "cache");

  for (GList *name = names; name; name = name->next) {
    bool is_known = false;
    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
      is_known |= strcmp(name->data, known[i]) == 0;
    g_assert_true(is_known);
  }
  if (json_object_has_member(node, "node-name"))
    g_string_append_printf(text, "%s: ", json_object_get_string_member(node, "node-name"));
  g_assert_cmpuint(json_object_get_size(cache), ==, 1);
  g_string_append_printf(text, "%s %s %s", json_object_get_string_member(node, "driver"),
                         json_object_get_boolean_member(node, "read-only") ? "ro" : "rw",
                         json_object_get_boolean_member(cache, "direct") ? "direct" : "cached");
  append_text(text, node, "discard");
  append_text(text, node, "filename");
  append_text(text, node, "locking");
  if (json_object_has_member(node, "server"))
    append_server(text, json_object_get_object_member(node, "server"));
  append_text(text, node, "export");
  append_link(text, node, "file");
  append_link(text, node, "backing");
}

/* Takes NODE. */
static void assert_node(JsonNode *node, const char *wanted) {
  g_autoptr(GString) text = g_string_new(NULL);

  append_node(text, json_node_get_object(node));
  g_assert_cmpstr(text->str, ==, wanted);
  json_node_unref(node);
}

static StorageGraph *graph_of(const char *path, DiskImageFormat format) {
  StorageGraph *graph = storage_graph_new();

  storage_graph_add(graph, storage_file_new("a disk", path, format));
  return graph;
}

static void test_alone(void) {
  g_autoptr(StorageGraph) graph = graph_of("/a", DISK_IMAGE_FORMAT_QCOW2);

  assert_node(storage_graph_disk(graph), "disk: qcow2 rw cached discard=ignore file(file rw cached discard=ignore filename=/a) backing()");
  graph->read_only = graph->direct = graph->discard = graph->unlocked = true;
  assert_node(storage_graph_disk(graph),
              "disk: qcow2 ro direct discard=unmap file(file ro direct discard=unmap filename=/a locking=off) backing()");
}

/* Of those that have no backing files it is not said that there is none. */
static void test_block_device(void) {
  g_autoptr(StorageGraph) graph = graph_of("/dev/a", DISK_IMAGE_FORMAT_VHD);

  storage_graph_file(graph, 0)->block_device = true;
  assert_node(storage_graph_disk(graph), "disk: vpc rw cached discard=ignore file(host_device rw cached discard=ignore filename=/dev/a)");
}

/* What backs it is only read, whatever becomes of the first; and each file can be looked at alone. */
static void test_backing(void) {
  g_autoptr(StorageGraph) graph = graph_of("/a", DISK_IMAGE_FORMAT_QCOW2);

  storage_graph_add(graph, storage_file_new("b", "/b", DISK_IMAGE_FORMAT_VMDK));
  storage_graph_add(graph, storage_file_new("c", "/c", DISK_IMAGE_FORMAT_RAW));
  assert_node(storage_graph_disk(graph), "disk: qcow2 rw cached discard=ignore file(file rw cached discard=ignore filename=/a)"
                                         " backing(vmdk ro cached discard=ignore file(file ro cached discard=ignore filename=/b)"
                                         " backing(raw ro cached discard=ignore file(file ro cached discard=ignore filename=/c)))");
  assert_node(storage_graph_look(graph, 0),
              "look: qcow2 ro cached discard=ignore file(file ro cached discard=ignore filename=/a) backing()");
  assert_node(storage_graph_look(graph, 1),
              "look: vmdk ro cached discard=ignore file(file ro cached discard=ignore filename=/b) backing()");
}

static void test_cow(void) {
  g_autoptr(StorageGraph) graph = graph_of("/a", DISK_IMAGE_FORMAT_VDI);

  graph->cow = true;
  assert_node(storage_graph_disk(graph), "disk: qcow2 rw cached discard=unmap"
                                         " file(file rw cached discard=unmap filename=/proc/self/fd/4)"
                                         " backing(vdi ro cached discard=ignore file(file ro cached discard=ignore filename=/a))");
  assert_node(storage_graph_overlay(), "overlay: file rw cached discard=unmap filename=/proc/self/fd/4");
}

static void test_nbd(void) {
  g_autoptr(StorageGraph) graph = graph_of(NULL, DISK_IMAGE_FORMAT_RAW);
  const char *why;

  graph->direct = true; /* there is no cache on a network */
  graph->nbd = nbd_uri_parse("nbd://h/x%22%7d", &why);
  assert_node(storage_graph_disk(graph),
              "disk: raw rw cached discard=ignore file(nbd rw cached discard=ignore type=inet host=h port=10809 export=x\"})");
  nbd_address_free(graph->nbd);
  graph->nbd = nbd_uri_parse("nbd+unix:///?socket=/s", &why);
  assert_node(storage_graph_look(graph, 0),
              "look: raw ro cached discard=ignore file(nbd ro cached discard=ignore type=unix path=/s export=)");
}

/* A name is a name. */
static void test_names(void) {
  static const char name[] = "/a\",\"driver\":\"nbd\\\n\t\001,x=y";
  g_autoptr(StorageGraph) graph = graph_of(name, DISK_IMAGE_FORMAT_RAW);
  g_autoptr(JsonNode) node = storage_graph_disk(graph);
  g_autofree char *text = json_print(node);
  g_autoptr(JsonNode) read = json_from_string(text, NULL);

  g_assert_nonnull(read);
  JsonObject *file = json_object_get_object_member(json_node_get_object(read), "file");
  g_assert_cmpstr(json_object_get_string_member(file, "filename"), ==, name);
  g_assert_cmpstr(json_object_get_string_member(file, "driver"), ==, "file");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/storage-graph/alone", test_alone);
  g_test_add_func("/storage-graph/block-device", test_block_device);
  g_test_add_func("/storage-graph/backing", test_backing);
  g_test_add_func("/storage-graph/cow", test_cow);
  g_test_add_func("/storage-graph/nbd", test_nbd);
  g_test_add_func("/storage-graph/names", test_names);
  return g_test_run();
}
