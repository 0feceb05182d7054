/* SPDX-License-Identifier: Apache-2.0 */
/* Files that change under a reader: vmm/base/mapped-file.c. */
#include "vmm/base/mapped-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "tests/unit/directory.h"

#define SIZE    (1 << 20)
#define READERS 4

static char *make_file(const char *directory, const char *name, size_t size) {
  char *path = g_build_filename(directory, name, NULL);
  g_autofree char *bytes = g_malloc(size + 1);
  g_autoptr(GError) error = NULL;

  memset(bytes, 'x', size);
  g_file_set_contents(path, bytes, (gssize)size, &error);
  g_assert_no_error(error);
  return path;
}

static MappedFile *open_file(const char *path, MappedFileUse use) {
  g_autoptr(GError) error = NULL;
  MappedFile *file = mapped_file_open(path, use, &error);

  g_assert_no_error(error);
  return file;
}

/* How many of its bytes are x; the others are zero. */
static size_t count(GBytes *bytes) {
  gsize size;
  const volatile char *data = g_bytes_get_data(bytes, &size);
  size_t n = 0;

  for (gsize i = 0; i < size; i++) {
    n += data[i] == 'x';
    g_assert_true(data[i] == 'x' || data[i] == 0);
  }
  return n;
}

static void assert_bad(const MappedFile *file, const char *path, const char *contains) {
  g_autoptr(GError) error = NULL;

  g_assert_false(mapped_file_check(file, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_IO);
  g_assert_nonnull(strstr(error->message, path));
  g_assert_nonnull(strstr(error->message, contains));
}

static void test_read(char **directory, gconstpointer unused) {
  g_autofree char *path = make_file(*directory, "file", 5000), *empty = make_file(*directory, "empty", 0);
  g_autoptr(MappedFile) file = open_file(path, MAPPED_FILE_KEPT), nothing = open_file(empty, MAPPED_FILE_KEPT);
  g_autoptr(GBytes) bytes = mapped_file_bytes(file), none = mapped_file_bytes(nothing);

  g_assert_cmpuint(g_bytes_get_size(bytes), ==, 5000);
  g_assert_cmpuint(count(bytes), ==, 5000);
  g_assert_cmpuint(g_bytes_get_size(none), ==, 0);
  mapped_file_let_go(file);
  mapped_file_let_go(nothing);
  g_assert_cmpuint(count(bytes), ==, 5000);
  g_assert_true(mapped_file_check(file, NULL));
  g_assert_true(mapped_file_check(nothing, NULL));
  /* Bytes keep the mapping. */
  g_clear_pointer(&file, mapped_file_free);
  g_assert_cmpuint(count(bytes), ==, 5000);
  mapped_file_free(NULL);
}

static void test_errors(char **directory, gconstpointer unused) {
  g_autofree char *pipe = g_build_filename(*directory, "pipe", NULL), *missing = g_build_filename(*directory, "missing", NULL);
  g_autoptr(GError) error = NULL;

  g_assert_null(mapped_file_open(missing, MAPPED_FILE_KEPT, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_clear_error(&error);
  g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
  g_assert_null(mapped_file_open(pipe, MAPPED_FILE_KEPT, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  g_clear_error(&error);
  g_assert_null(mapped_file_open("/", MAPPED_FILE_KEPT, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  g_clear_error(&error);
  g_assert_null(mapped_file_open("/proc/self/status", MAPPED_FILE_KEPT, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL);
  g_assert_cmpstr(error->message, ==, "it " DESCRIPTOR_MADE_AS_READ);
}

/* What is gone reads as zeros, and is told; the next file is not blamed for it. */
static void test_truncated(char **directory, gconstpointer unused) {
  for (unsigned use = MAPPED_FILE_READ_ONCE; use <= MAPPED_FILE_KEPT; use++) {
    g_autofree char *path = make_file(*directory, "file", SIZE);
    g_autoptr(MappedFile) file = open_file(path, use);
    g_autoptr(GBytes) bytes = mapped_file_bytes(file);
    g_autoptr(GError) error = g_error_new(G_FILE_ERROR, G_FILE_ERROR_FAILED, "what was read makes no sense");

    mapped_file_blame(file, &error);
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
    g_assert_cmpint(truncate(path, SIZE / 2), ==, 0);
    g_assert_cmpuint(count(bytes), ==, SIZE / 2);
    assert_bad(file, path, use == MAPPED_FILE_KEPT ? "it had 1048576 bytes, now 524288" : "was truncated");
    mapped_file_blame(file, &error);
    g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_IO);
    /* Grown again, it is not what it was. */
    g_assert_cmpint(truncate(path, SIZE), ==, 0);
    assert_bad(file, path, "");

    g_autofree char *other = make_file(*directory, "other", SIZE);
    g_clear_pointer(&bytes, g_bytes_unref);
    g_clear_pointer(&file, mapped_file_free);
    g_autoptr(MappedFile) second = open_file(other, use);
    g_autoptr(GBytes) all = mapped_file_bytes(second);
    g_assert_cmpuint(count(all), ==, SIZE);
    g_assert_true(mapped_file_check(second, NULL));
  }
}

/* Bytes that nobody needed are not missed, unless the file is kept for later. */
static void test_changed(char **directory, gconstpointer unused) {
  g_autofree char *path = make_file(*directory, "file", SIZE), *other = g_build_filename(*directory, "other", NULL);
  g_autoptr(MappedFile) once = open_file(path, MAPPED_FILE_READ_ONCE), kept = open_file(path, MAPPED_FILE_KEPT);
  int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

  /* The name is not what counts. */
  g_assert_cmpint(rename(path, other), ==, 0);
  g_assert_true(mapped_file_check(kept, NULL));
  g_usleep(50000); /* the clock of files may tick at 10 ms */
  g_assert_cmpint(write(fd, "y", 1), ==, 1);
  g_assert_true(mapped_file_check(once, NULL));
  assert_bad(kept, path, "changed in place");
  g_assert_cmpint(ftruncate(fd, SIZE), ==, 0); /* the old size, and a new time */
  assert_bad(kept, path, "changed in place");
  close(fd);
}

static gpointer read_all(gpointer bytes) {
  return GSIZE_TO_POINTER(count(bytes));
}

static void test_threads(char **directory, gconstpointer unused) {
  g_autofree char *path = make_file(*directory, "file", SIZE);
  g_autoptr(MappedFile) file = open_file(path, MAPPED_FILE_READ_ONCE);
  g_autoptr(GBytes) bytes = mapped_file_bytes(file);
  GThread *readers[READERS];

  g_assert_cmpint(truncate(path, 0), ==, 0);
  for (unsigned i = 0; i < READERS; i++)
    readers[i] = g_thread_new("reader", read_all, bytes);
  for (unsigned i = 0; i < READERS; i++)
    g_assert_cmpuint(GPOINTER_TO_SIZE(g_thread_join(readers[i])), ==, 0);
  assert_bad(file, path, "truncated");
}

/* Faults that are not ours, and signals that were sent, do what they did before. */
static void test_others(char **directory, gconstpointer unused) {
  g_autofree char *path = make_file(*directory, "file", SIZE);
  pid_t child = fork();
  int status;

  if (child == 0) {
    signal(SIGBUS, SIG_DFL);
    open_file(path, MAPPED_FILE_KEPT);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    volatile char *own = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    _exit(truncate(path, 0) == 0 ? own[0] : 1);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFSIGNALED(status));
  g_assert_cmpint(WTERMSIG(status), ==, SIGBUS);

  child = fork();
  if (child == 0) {
    signal(SIGBUS, SIG_DFL);
    open_file(path, MAPPED_FILE_KEPT);
    raise(SIGBUS);
    _exit(1);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFSIGNALED(status));
}

static void set_up(char **directory, gconstpointer unused) {
  *directory = directory_new();
}

static void tear_down(char **directory, gconstpointer unused) {
  directory_free(*directory);
  g_free(*directory);
}

int main(int argc, char **argv) {
  static const struct {
    const char *path;
    void (*test)(char **directory, gconstpointer unused);
  } tests[] = {
      {"/mapped-file/others", test_others}, /* first: the handler is installed in its children only */
      {"/mapped-file/read", test_read},       {"/mapped-file/errors", test_errors},   {"/mapped-file/truncated", test_truncated},
      {"/mapped-file/changed", test_changed}, {"/mapped-file/threads", test_threads},
  };

  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add(tests[i].path, char *, NULL, set_up, tests[i].test, tear_down);
  return g_test_run();
}
