/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read whole: of each kind, and up to a size. vmm/base/whole-file.c */
#include "vmm/base/whole-file.h"

#include <fcntl.h>
#include <pty.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/directory.h"

#define SIZE_LIMIT (1u << 20)

typedef struct {
  char *directory, *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->path = g_build_filename(fixture->directory, "file", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->path);
}

/* Of each size around those at which there is a new piece, up to the last that is read. */
static void test_sizes(Fixture *fixture, gconstpointer data) {
  static const gsize sizes[] = {0, 1, 65535, 65536, 65537, 131071, 131072, 131073, SIZE_LIMIT - 1, SIZE_LIMIT};
  g_autofree char *wanted = g_malloc(SIZE_LIMIT);

  for (gsize i = 0; i < SIZE_LIMIT; i++)
    wanted[i] = (char)(i * 7 % 251);
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autoptr(GError) error = NULL;
    gsize size = 1;
    g_assert_true(g_file_set_contents(fixture->path, wanted, (gssize)sizes[i], NULL));
    g_autofree char *text = whole_file_read(fixture->path, SIZE_LIMIT, "sample", &size, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(text, size, wanted, sizes[i]);
    g_assert_cmpint(text[size], ==, 0);
  }
}

static void assert_too_large(const char *path) {
  g_autoptr(GError) error = NULL;

  g_assert_null(whole_file_read(path, SIZE_LIMIT, "sample", NULL, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
  g_assert_cmpstr(error->message, ==, "larger than 1 MiB: this is no sample");
}

static void test_too_large(Fixture *fixture, gconstpointer data) {
  g_autofree char *text = g_strnfill(SIZE_LIMIT + 1, 'x');

  g_assert_true(g_file_set_contents(fixture->path, text, SIZE_LIMIT + 1, NULL));
  assert_too_large(fixture->path);
  g_assert_cmpint(truncate(fixture->path, INT64_C(1) << 40), ==, 0); /* sparse */
  assert_too_large(fixture->path);
  assert_too_large("/dev/zero");
}

static gpointer write_fifo(gpointer path) {
  int fd = g_open(path, O_WRONLY, 0);

  for (unsigned i = 0; i < 3; i++) {
    g_assert_cmpint(write(fd, "piece ", 6), ==, 6);
    g_usleep(1000);
  }
  close(fd);
  return NULL;
}

static void test_pipe(Fixture *fixture, gconstpointer data) {
  g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
  GThread *writer = g_thread_new("writer", write_fifo, fixture->path);
  g_autofree char *text = whole_file_read(fixture->path, SIZE_LIMIT, "sample", NULL, NULL);
  g_thread_join(writer);
  g_assert_cmpstr(text, ==, "piece piece piece ");
}

/*
 * A process that reads PATH at a terminal, which is where it writes messages; it ends with 0 when it has read "late".
 * OTHER is not its.
 */
static pid_t read_at_terminal(const char *path, int other, int *terminal) {
  int slave;

  g_assert_cmpint(openpty(terminal, &slave, NULL, NULL, NULL), ==, 0);
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    close(other);
    dup2(slave, STDERR_FILENO);
    g_autofree char *text = whole_file_read(path, SIZE_LIMIT, "sample", NULL, NULL);
    _exit(g_strcmp0(text, "late") != 0);
  }
  close(slave);
  return child;
}

/* What is seen at TERMINAL, up to a line's end; or what there is when nobody has it open any more. Free with g_free. */
static char *read_line(int terminal) {
  g_autoptr(GString) line = g_string_new(NULL);
  char c;

  while (read(terminal, &c, 1) == 1 && c != '\n')
    g_string_append_c(line, c);
  return g_strdup(line->str);
}

/* A FIFO that nobody has opened, and one that somebody has and does not write. */
static void test_waiting(Fixture *fixture, gconstpointer data) {
  g_autofree char *wanted = g_strdup_printf("waiting for the sample in '%s': nobody has written it yet", fixture->path);
  int terminal, status;

  g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
  for (unsigned opened = 0; opened < 2; opened++) {
    int early = opened ? g_open(fixture->path, O_RDWR, 0) : -1;
    pid_t child = read_at_terminal(fixture->path, early, &terminal);
    g_autofree char *first = read_line(terminal), *line = *first && strstr(first, wanted) ? NULL : read_line(terminal);
    g_assert_nonnull(strstr(line ? line : first, wanted));
    int fd = g_open(fixture->path, O_WRONLY, 0);
    g_assert_cmpint(write(fd, "late", 4), ==, 4);
    close(fd);
    if (opened)
      close(early);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    close(terminal);
  }
}

/* Who has it all at once is told nothing. */
static void test_not_waiting(Fixture *fixture, gconstpointer data) {
  int terminal, status;

  g_assert_true(g_file_set_contents(fixture->path, "late", 4, NULL));
  pid_t child = read_at_terminal(fixture->path, -1, &terminal);
  g_autofree char *line = read_line(terminal);
  g_assert_cmpstr(line, ==, "");
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
  close(terminal);
}

/* It is a regular file, and has no end: who reads it waits for what the kernel will say. */
static void test_endless(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  if (access("/proc/kmsg", R_OK) < 0) {
    g_test_skip("/proc/kmsg is for root");
    return;
  }
  alarm(60);
  g_autofree char *text = whole_file_read("/proc/kmsg", SIZE_LIMIT, "sample", NULL, &error);
  alarm(0);
  g_assert_null(text);
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
  g_assert_cmpstr(error->message, ==, "it has no end, as /proc/kmsg has none, where more is waited for: make a copy of what is there");
}

/* Others in /proc have one. */
static void test_made_as_read(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *text = whole_file_read("/proc/self/status", SIZE_LIMIT, "sample", NULL, &error);

  g_assert_no_error(error);
  g_assert_true(g_str_has_prefix(text, "Name:"));
}

static void test_unreadable(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) missing = NULL, directory = NULL;

  g_assert_null(whole_file_read(fixture->path, SIZE_LIMIT, "sample", NULL, &missing));
  g_assert_error(missing, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_cmpstr(missing->message, ==, "No such file or directory");
  g_assert_null(whole_file_read(fixture->directory, SIZE_LIMIT, "sample", NULL, &directory));
  g_assert_error(directory, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/whole-file/sizes", Fixture, NULL, set_up, test_sizes, tear_down);
  g_test_add("/whole-file/too-large", Fixture, NULL, set_up, test_too_large, tear_down);
  g_test_add("/whole-file/pipe", Fixture, NULL, set_up, test_pipe, tear_down);
  g_test_add("/whole-file/waiting", Fixture, NULL, set_up, test_waiting, tear_down);
  g_test_add("/whole-file/not-waiting", Fixture, NULL, set_up, test_not_waiting, tear_down);
  g_test_add("/whole-file/endless", Fixture, NULL, set_up, test_endless, tear_down);
  g_test_add("/whole-file/made-as-read", Fixture, NULL, set_up, test_made_as_read, tear_down);
  g_test_add("/whole-file/unreadable", Fixture, NULL, set_up, test_unreadable, tear_down);
  return g_test_run();
}
