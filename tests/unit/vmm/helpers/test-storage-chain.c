/* SPDX-License-Identifier: Apache-2.0 */
/* Which files a disk is made of: by what an image says of itself, and by what its user has allowed. */
#include "vmm/helpers/storage-chain.h"

#include "tests/unit/vmm/helpers/fake-storage-daemon.h"

#define HELLO FAKE_GREETING "\nqmp_capabilities " FAKE_DONE "\n"
#define LOOK(IMAGE)                                                                                                                        \
  "blockdev-add " FAKE_DONE                                                                                                                \
  "\nquery-named-block-nodes {\"return\": [{\"node-name\": \"other\"}, 3, {\"node-name\": \"look\", \"image\": " IMAGE                     \
  "}]}\nblockdev-del " FAKE_DONE "\n"
#define PLAIN "{\"virtual-size\": 1048576}"
#define BACKED                                                                                                                             \
  "{\"virtual-size\": 1048576, \"backing-filename\": \"b\", \"full-backing-filename\": \"b\", \"backing-filename-format\": \"qcow2\"}"

typedef struct {
  StorageGraph *graph;
  uint64_t size;
} Found;

static void clear(Found *found) {
  storage_graph_free(found->graph);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Found, clear)

/* Of a disk on the file "a" of FORMAT, with what is said by SCRIPT. */
static bool follow(Found *found, DiskImageFormat format, const char *script, const GPtrArray *allowed, GError **error) {
  g_autoptr(StorageDaemon) daemon = storage_daemon_find(error);

  g_assert_nonnull(daemon);
  fake_script(script);
  directory_write(".", "a", "");
  StorageFile *file = storage_file_open("a", format, error);
  g_assert_nonnull(file);
  g_assert_true(g_path_is_absolute(file->path) && !file->block_device);
  found->graph = storage_graph_new();
  storage_graph_add(found->graph, file);
  g_autoptr(StorageTalk) talk = storage_talk_begin(daemon, false, 0, error);
  return talk && storage_chain_follow(found->graph, talk, daemon, allowed, &found->size, error);
}

static GPtrArray *allow(const char *path) {
  GPtrArray *allowed = g_ptr_array_new();

  g_ptr_array_add(allowed, (char *)path);
  return allowed;
}

static void test_alone(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_auto(Found) found = {0};

  g_assert_true(follow(&found, DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK(PLAIN), NULL, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(found.graph->files->len, ==, 1);
  g_assert_cmpuint(found.size, ==, 1 << 20);
}

static void test_backed(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) allowed = allow("./link");
  g_auto(Found) found = {0};

  directory_write(".", "b", "");
  g_assert_cmpint(symlink("b", "link"), ==, 0);
  g_assert_true(follow(&found, DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK(BACKED) LOOK("{\"virtual-size\": 7}"), allowed, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(found.size, ==, 1 << 20);
  g_assert_cmpuint(found.graph->files->len, ==, 2);
  const StorageFile *file = found.graph->files->pdata[1];
  g_assert_cmpstr(file->given, ==, "./link");
  g_assert_true(g_str_has_suffix(file->path, "/./link"));
  g_assert_cmpint(file->format, ==, DISK_IMAGE_FORMAT_QCOW2);
}

/* A raw file is not asked what it is backed by, and a VMDK is backed by its like. */
static void test_formats(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) allowed = allow("b");
  g_auto(Found) raw = {0}, vmdk = {0};

  directory_write(".", "b", "");
  g_assert_true(follow(&raw, DISK_IMAGE_FORMAT_QED, HELLO LOOK("{\"full-backing-filename\": \"b\", \"backing-filename-format\": \"raw\"}"),
                       allowed, &error));
  g_assert_no_error(error);
  g_assert_cmpuint(raw.graph->files->len, ==, 2);
  g_assert_true(follow(&vmdk, DISK_IMAGE_FORMAT_VMDK, HELLO LOOK("{\"full-backing-filename\": \"file:b\"}") LOOK(PLAIN), allowed, &error));
  g_assert_no_error(error);
  g_assert_cmpint(((const StorageFile *)vmdk.graph->files->pdata[1])->format, ==, DISK_IMAGE_FORMAT_VMDK);
}

static void test_refused(FakeStorage *fake, gconstpointer data) {
  static const struct {
    DiskImageFormat format;
    const char *script, *message;
  } cases[] = {
      {DISK_IMAGE_FORMAT_QCOW2, HELLO "blockdev-add {\"error\": {\"desc\": \"Image is not in qcow2 format\"}}\n",
       "disk image a is no qcow2 image (Image is not in qcow2 format)"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO "blockdev-add !exit broken\n",
       "disk image a was not read: qemu-storage-daemon ended with exit status 3; its last words: broken"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("3"), "disk image a is not described by qemu-storage-daemon, which has read it"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"backing-filename\": \"x\"}"), "disk image a is backed by what has no name of a file"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"full-backing-filename\": \"/no/b\", \"backing-filename-format\": \"raw\"}"),
       "disk image a is backed by '/no/b', which is not there: No such file or directory; 'qemu-img rebase -u -b' names another"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"full-backing-filename\": \"a\\u001b\", \"backing-filename-format\": \"raw\"}"),
       "disk image a is backed by 'a\\u001b', which is not there: *"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"full-backing-filename\": \"nbd:h:1\", \"backing-filename-format\": \"raw\"}"),
       "disk image a is backed by 'nbd:h:1', which is no file of this host: *"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"full-backing-filename\": \"b\"}"),
       "disk image a does not say of which format 'b' is, which it is backed by: *"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"full-backing-filename\": \"b\", \"backing-filename-format\": \"ssh\"}"),
       "disk image a is backed by 'b', of a format that is not known here: ssh"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"full-backing-filename\": \"b,c\", \"backing-filename-format\": \"raw\"}"),
       "disk image a is backed by 'b,c', and its guest would read what is in there: allow it by ',backing=b,,c'"},
      {DISK_IMAGE_FORMAT_QCOW2, HELLO LOOK("{\"format-specific\": {\"data\": {\"data-file\": \"d\"}}}"),
       "disk image a has its data in another file, 'd': *"},
      {DISK_IMAGE_FORMAT_VMDK, HELLO LOOK("{\"format-specific\": {\"data\": {\"extents\": [{\"filename\": \"/etc/passwd\"}]}}}"),
       "disk image a has its data in another file, '/etc/passwd': *"},
      {DISK_IMAGE_FORMAT_VMDK, HELLO LOOK("{\"format-specific\": {\"data\": {\"extents\": [7]}}}"),
       "disk image a has its data in another file, '': *"},
  };

  directory_write(".", "b", "");
  directory_write(".", "b,c", "");
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_auto(Found) found = {0};
    g_assert_false(follow(&found, cases[i].format, cases[i].script, NULL, &error));
    g_test_message("%s", error->message);
    g_assert_true(g_pattern_match_simple(cases[i].message, error->message));
  }
}

/* A compressed one is not written; read it may be. */
static void test_compressed(FakeStorage *fake, gconstpointer data) {
  for (unsigned i = 0; i < 3; i++) {
    g_autofree char *path = g_build_filename(fake->directory, "a", NULL);
    g_autofree char *script = g_strdup_printf(
        HELLO LOOK("{\"format-specific\": {\"data\": {\"extents\": [{\"filename\": \"%s\", \"compressed\": true}]}}}"), path);
    g_autoptr(StorageDaemon) daemon = storage_daemon_find(NULL);
    g_autoptr(StorageGraph) graph = storage_graph_new();
    g_autoptr(GError) error = NULL;
    uint64_t size;

    fake_script(script);
    graph->read_only = i == 1;
    graph->cow = i == 2;
    storage_graph_add(graph, storage_file_new("a", path, DISK_IMAGE_FORMAT_VMDK));
    g_autoptr(StorageTalk) talk = storage_talk_begin(daemon, false, 0, &error);
    g_assert_true(storage_chain_follow(graph, talk, daemon, NULL, &size, &error) == (i > 0));
    g_assert_true(i > 0 || strstr(error->message, "disk image a is compressed, and cannot be written: "));
  }
}

/* One that is backed by itself has an end. */
static void test_loop(FakeStorage *fake, gconstpointer data) {
  g_autoptr(GString) script = g_string_new(HELLO);
  g_autoptr(GPtrArray) allowed = allow("b");
  g_autoptr(GError) error = NULL;
  g_auto(Found) found = {0};

  for (unsigned i = 0; i < STORAGE_CHAIN_MAX; i++)
    g_string_append(script, LOOK(BACKED));
  directory_write(".", "b", "");
  g_assert_false(follow(&found, DISK_IMAGE_FORMAT_QCOW2, script->str, allowed, &error));
  g_assert_cmpstr(error->message, ==, "disk image b is the last of 32 files that back one another, and names one more");
}

#define ADD(path, function) g_test_add("/storage-chain/" path, FakeStorage, NULL, fake_storage_set_up, function, fake_storage_tear_down)

int main(int argc, char **argv) {
  int status;

  if (fake_is_program(argc, argv, &status))
    return status;
  g_test_init(&argc, &argv, NULL);
  ADD("alone", test_alone);
  ADD("backed", test_backed);
  ADD("formats", test_formats);
  ADD("refused", test_refused);
  ADD("compressed", test_compressed);
  ADD("loop", test_loop);
  return g_test_run();
}
