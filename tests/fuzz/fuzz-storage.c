/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What qemu-storage-daemon says once it has read an image, and is perhaps not itself any more: vmm/helpers/storage-*.c.
 * The input is its messages, each a byte that says of which kind, and a line. All are there before they are asked for,
 * and then it is gone, so that nothing waits.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "devices/printable.h"
#include "vmm/base/json-writer.h"
#include "vmm/helpers/storage-chain.h"

#define MESSAGES   128
#define PATIENCE   2000 /* milliseconds */
#define DISK_FILES 2

typedef struct {
  FuzzFile files[DISK_FILES]; /* the image, and what it may be backed by */
  GPtrArray *allowed;
  GString *said;
  StorageDaemon daemon;
} Fixture;

static const char *const drivers[] = {"qcow2", "raw", "vmdk", "qed", "vpc", "nbd"};

/* "text", whatever is in it. */
static void add_text(GString *out, const char *name, const char *text) {
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, name, valid);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *printed = json_to_string(root, FALSE);
  g_string_append_len(out, printed + 1, (gssize)strlen(printed) - 2);
}

/* What an image says of itself; NAME is what it calls another, "" being the one that is allowed. */
static void say_image(Fixture *f, FuzzInput *input, const char *name) {
  unsigned what = fuzz_below(input, 256);
  const char *backing = *name ? name : f->files[1].path;

  g_string_append(f->said, "{\"return\": [{\"node-name\": \"look\", \"image\": {\"virtual-size\": 1048576");
  if (what & 1) {
    g_string_append(f->said, ", ");
    add_text(f->said, "full-backing-filename", backing);
  }
  if (what & 2) {
    g_string_append(f->said, ", ");
    add_text(f->said, "backing-filename", backing);
  }
  if (what & 4)
    g_string_append_printf(f->said, ", \"backing-filename-format\": \"%s\"", drivers[fuzz_below(input, G_N_ELEMENTS(drivers))]);
  if (what & 8) {
    g_string_append(f->said, ", \"format-specific\": {\"data\": {");
    add_text(f->said, what & 16 ? "data-file" : "other", name);
    if (what & 32) {
      g_string_append(f->said, ", \"extents\": [{");
      add_text(f->said, "filename", what & 64 ? f->files[0].path : name);
      g_string_append_printf(f->said, ", \"compressed\": %s}, 1]", what & 128 ? "true" : "false");
    }
    g_string_append(f->said, "}}");
  }
  g_string_append(f->said, "}}]}\n");
}

static void say_message(Fixture *f, FuzzInput *input) {
  unsigned what = fuzz_below(input, 8);
  g_autofree char *line = what < 2 ? NULL : fuzz_line(input);

  switch (what) {
  case 2:
    g_string_append(f->said, "{\"error\": {");
    add_text(f->said, "desc", line);
    g_string_append(f->said, "}}\n");
    break;
  case 3:
    say_image(f, input, line);
    break;
  case 4:
    g_string_append_printf(f->said, "{\"return\": %s}\n", line);
    break;
  case 5:
    g_string_append(f->said, "{\"return\": [{\"status\": \"concluded\"}]}\n");
    break;
  case 6:
    g_string_append_printf(f->said, "%s\n", line);
    break;
  case 7:
    g_string_append_printf(f->said, "{\"event\": \"X\", \"data\": %s}\n", line);
    break;
  default:
    g_string_append(f->said, "{\"return\": {}}\n");
    break;
  }
}

static StorageTalk *begin(const Fixture *f, GError **error) {
  int pair[2];

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_assert_cmpint(send(pair[1], f->said->str, f->said->len, MSG_DONTWAIT), ==, (gssize)f->said->len);
  shutdown(pair[1], SHUT_WR);
  StorageTalk *talk = storage_talk_begin_take_fd(pair[0], PATIENCE, error);
  close(pair[1]);
  return talk;
}

/* Which files it is made of; whatever is said, only those that were allowed. */
static void follow(Fixture *f, StorageGraph *graph, StorageTalk *talk, bool allows) {
  g_autoptr(GError) error = NULL, other = NULL;
  uint64_t disk_size = 0;

  if (!storage_chain_follow(graph, talk, &f->daemon, allows ? f->allowed : NULL, &disk_size, &error)) {
    g_assert_nonnull(error);
    g_autofree char *shown = printable_line(error->message, -1);
    g_assert_cmpstr(error->message, ==, shown);
    return;
  }
  g_assert_cmpuint(graph->files->len, <=, STORAGE_CHAIN_MAX);
  for (unsigned i = 1; i < graph->files->len; i++)
    g_assert_cmpstr(storage_graph_file(graph, i)->path, ==, f->files[1].path);
  g_assert_true(allows || graph->files->len == 1);
  g_ptr_array_unref(storage_daemon_arguments(&f->daemon, graph));
  if (storage_talk_do(talk, "blockdev-create", json_of_text("job-id", "make"), &other))
    storage_talk_await_job(talk, "make", &other);
}

static void talk(Fixture *f, unsigned what) {
  static const DiskImageFormat formats[] = {DISK_IMAGE_FORMAT_QCOW2, DISK_IMAGE_FORMAT_VMDK, DISK_IMAGE_FORMAT_QED, DISK_IMAGE_FORMAT_VDI};
  g_autoptr(GError) error = NULL;
  g_autoptr(StorageTalk) talk = begin(f, &error);
  g_autoptr(StorageGraph) graph = storage_graph_new();
  StorageFile *file = storage_file_open(f->files[0].path, formats[what & 3], &error);

  g_assert_true(file || error);
  storage_graph_add(graph, file);
  graph->cow = what & 8;
  graph->read_only = what & 16;
  graph->unlocked = what & 32;
  if (talk)
    follow(f, graph, talk, what & 4);
}

/* What it says when it does not talk. */
static void read_words(const Fixture *f, const char *text) {
  g_autofree char *line = printable_line(text, -1);
  g_autoptr(StorageFile) file = storage_file_new("given", "/given", DISK_IMAGE_FORMAT_QCOW2);
  g_autoptr(GError) error = NULL;

  storage_daemon_set_error(&f->daemon, file, line, &error);
  g_assert_true(g_utf8_validate(error->message, -1, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  Fixture f = {.said = g_string_new("{\"QMP\": {}}\n{\"return\": {}}\n"), .daemon = {(char *)"daemon", (char *)"7.2"}};
  unsigned what = fuzz_below(&input, 256);

  f.allowed = g_ptr_array_new();
  for (unsigned i = 0; i < DISK_FILES; i++)
    fuzz_file_init(&f.files[i], "x", 1);
  g_ptr_array_add(f.allowed, f.files[1].path);
  if (what & 64)
    g_string_truncate(f.said, 0);
  for (unsigned i = 0; i < MESSAGES && input.left; i++)
    say_message(&f, &input);
  talk(&f, what);
  g_autofree char *text = fuzz_text(data, size);
  read_words(&f, text);
  for (unsigned i = 0; i < DISK_FILES; i++)
    fuzz_file_clear(&f.files[i]);
  g_ptr_array_unref(f.allowed);
  g_string_free(f.said, TRUE);
  return 0;
}
