/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that options ask for: what is replaced, what is written to, what is known before the work begins, and that
 * nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "vmm/base/output-file.h"

#define NOBODY 65534

typedef struct {
  char *directory, *file, *link;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->file = g_build_filename(fixture->directory, "file", NULL);
  fixture->link = g_build_filename(fixture->directory, "link", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->file);
  g_free(fixture->link);
}

static void write_text(const char *path, const char *text) {
  g_autoptr(GError) error = NULL;
  g_autoptr(OutputFile) file = output_file_open(path, &error);

  g_assert_no_error(error);
  g_assert_true(output_file_write(file, text, strlen(text), &error));
  g_assert_no_error(error);
}

static void assert_text(const char *path, const char *wanted) {
  g_autofree char *text = NULL;

  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, wanted);
}

static void refuse(const char *path, const char *reason) {
  g_autoptr(GError) error = NULL;
  g_autofree char *wanted = g_strdup_printf("cannot write '%s': %s", path, reason);

  g_assert_null(output_file_open(path, &error));
  g_assert_cmpstr(error->message, ==, wanted);
}

static struct stat status_of(const char *path) {
  struct stat status;

  g_assert_cmpint(lstat(path, &status), ==, 0);
  return status;
}

static unsigned count_entries(const Fixture *fixture) {
  g_autoptr(GDir) dir = g_dir_open(fixture->directory, 0, NULL);
  unsigned n = 0;

  while (g_dir_read_name(dir))
    n++;
  return n;
}

static void test_new(Fixture *fixture, gconstpointer data) {
  mode_t mask = umask(027);
  OutputFile *file = output_file_open(fixture->file, NULL);

  g_assert_nonnull(file);
  g_assert_cmpuint(count_entries(fixture), ==, 0); /* of a run that dies nothing is left */
  output_file_free(file);
  g_assert_cmpuint(count_entries(fixture), ==, 0);
  write_text(fixture->file, "new");
  umask(mask);
  assert_text(fixture->file, "new");
  g_assert_cmpuint(status_of(fixture->file).st_mode & 07777, ==, 0640);
  g_assert_cmpuint(count_entries(fixture), ==, 1);
}

static void test_replaced(Fixture *fixture, gconstpointer data) {
  g_assert_true(g_file_set_contents(fixture->file, "old", -1, NULL));
  g_assert_cmpint(chmod(fixture->file, 0604), ==, 0);
  int reader = open(fixture->file, O_RDONLY | O_CLOEXEC);
  OutputFile *file = output_file_open(fixture->file, NULL);
  char bytes[8] = "";

  assert_text(fixture->file, "old");
  g_assert_true(output_file_write(file, "first", 5, NULL));
  assert_text(fixture->file, "first");
  g_assert_true(output_file_write(file, "2nd", 3, NULL));
  assert_text(fixture->file, "2nd");
  output_file_free(file);
  g_assert_cmpint(read(reader, bytes, sizeof bytes), ==, 3); /* whoever has it open still reads the old one, whole */
  g_assert_cmpstr(bytes, ==, "old");
  close(reader);
  g_assert_cmpuint(status_of(fixture->file).st_mode & 07777, ==, 0604);
  g_assert_cmpuint(count_entries(fixture), ==, 1);
}

static void test_links(Fixture *fixture, gconstpointer data) {
  g_autofree char *chain = g_build_filename(fixture->directory, "chain", NULL);

  g_assert_cmpint(symlink("file", fixture->link), ==, 0);
  g_assert_cmpint(symlink(fixture->link, chain), ==, 0);
  write_text(chain, "through a link that leads nowhere");
  assert_text(fixture->file, "through a link that leads nowhere");
  write_text(fixture->link, "again");
  assert_text(fixture->file, "again");
  g_assert_true(S_ISLNK(status_of(fixture->link).st_mode));
  g_assert_true(S_ISLNK(status_of(chain).st_mode));
  g_assert_true(S_ISREG(status_of(fixture->file).st_mode));
  g_assert_cmpuint(count_entries(fixture), ==, 3);
  unlink(fixture->link);
  g_assert_cmpint(symlink("chain", fixture->link), ==, 0);
  refuse(fixture->link, g_strerror(ELOOP));
}

/* The other name of a file is to see the new contents too. */
static void test_two_names(Fixture *fixture, gconstpointer data) {
  g_assert_true(g_file_set_contents(fixture->file, "old and long", -1, NULL));
  g_assert_cmpint(link(fixture->file, fixture->link), ==, 0);
  write_text(fixture->file, "new");
  assert_text(fixture->link, "new");
  g_assert_cmpuint(status_of(fixture->file).st_nlink, ==, 2);
}

/* What needs no privilege is tried without any. */
static void as_nobody(const Fixture *fixture, void (*function)(const Fixture *fixture)) {
  int status;
  pid_t child = fork();

  if (child == 0) {
    if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
      _exit(1);
    function(fixture);
    _exit(0);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
}

static void write_in_place(const Fixture *fixture) {
  write_text(fixture->file, "new");
}

static void be_refused(const Fixture *fixture) {
  refuse(fixture->file, g_strerror(EACCES));
}

static void be_refused_another(const Fixture *fixture) {
  g_autofree char *another = g_build_filename(fixture->directory, "another", NULL);

  refuse(another, g_strerror(EACCES));
}

static void test_permissions(Fixture *fixture, gconstpointer data) {
  g_assert_true(g_file_set_contents(fixture->file, "old and long", -1, NULL));
  g_assert_cmpint(chmod(fixture->file, 0666), ==, 0);
  g_assert_cmpint(chmod(fixture->directory, 0555), ==, 0);
  ino_t inode = status_of(fixture->file).st_ino;
  as_nobody(fixture, write_in_place);
  assert_text(fixture->file, "new");
  g_assert_cmpuint(status_of(fixture->file).st_ino, ==, inode);
  g_assert_cmpint(chmod(fixture->file, 0444), ==, 0);
  as_nobody(fixture, be_refused);
  as_nobody(fixture, be_refused_another);
  assert_text(fixture->file, "new");
  g_assert_cmpint(chmod(fixture->directory, 0777), ==, 0); /* which is no permission for the file */
  as_nobody(fixture, be_refused);
  assert_text(fixture->file, "new");
}

static void test_no_place(Fixture *fixture, gconstpointer data) {
  g_autofree char *missing = g_build_filename(fixture->directory, "no", "file", NULL);
  g_autofree char *slash = g_strconcat(fixture->directory, "/no/", NULL);
  g_autofree char *below = g_strconcat(fixture->file, "/below", NULL);

  g_assert_true(g_file_set_contents(fixture->file, "", 0, NULL));
  refuse(missing, g_strerror(ENOENT));
  refuse(fixture->directory, g_strerror(EISDIR));
  refuse(slash, g_strerror(EISDIR));
  refuse(below, g_strerror(ENOTDIR));
  refuse("", g_strerror(ENOENT));
  g_assert_cmpuint(count_entries(fixture), ==, 1);
}

/* By a link, so that what would replace it would replace only that. */
static void test_device(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(symlink("/dev/full", fixture->link), ==, 0);
  g_autoptr(OutputFile) file = output_file_open(fixture->link, &error);
  g_assert_no_error(error);
  g_assert_false(output_file_write(file, "x", 1, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_nonnull(strstr(error->message, fixture->link));
  g_assert_true(S_ISLNK(status_of(fixture->link).st_mode));
  g_assert_true(S_ISCHR(status_of("/dev/full").st_mode));
}

static void test_fifo(Fixture *fixture, gconstpointer data) {
  char bytes[16] = "";

  g_assert_cmpint(mkfifo(fixture->file, 0600), ==, 0);
  refuse(fixture->file, "nobody reads this FIFO");
  int reader = open(fixture->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_autoptr(OutputFile) file = output_file_open(fixture->file, NULL);
  g_assert_true(output_file_write(file, "one ", 4, NULL));
  g_assert_true(output_file_write(file, "two", 3, NULL));
  g_assert_cmpint(read(reader, bytes, sizeof bytes), ==, 7);
  g_assert_cmpstr(bytes, ==, "one two");
  g_assert_true(S_ISFIFO(status_of(fixture->file).st_mode));
  close(reader);
  g_autoptr(GError) error = NULL;
  g_assert_false(output_file_write(file, "x", 1, &error)); /* and no SIGPIPE */
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_PIPE);
}

static gpointer read_late(gpointer data) {
  char bytes[16] = "";

  g_usleep(300 * 1000);
  int reader = open(((const Fixture *)data)->file, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint(read(reader, bytes, sizeof bytes), ==, 4);
  close(reader);
  return NULL;
}

/* It was started just before us. */
static void test_fifo_late_reader(Fixture *fixture, gconstpointer data) {
  g_assert_cmpint(mkfifo(fixture->file, 0600), ==, 0);
  GThread *thread = g_thread_new("reader", read_late, fixture);
  write_text(fixture->file, "late");
  g_thread_join(thread);
}

static void test_descriptors(Fixture *fixture, gconstpointer data) {
  int handed = open(fixture->file, O_RDWR | O_CREAT, 0600), own = open(fixture->file, O_RDWR | O_CLOEXEC),
      read_only = open("/dev/null", O_RDONLY);
  g_autofree char *name = g_strdup_printf("/dev/fd/%d", handed), *other = g_strdup_printf("/proc/self/fd/%d", handed);
  g_autofree char *ours = g_strdup_printf("/dev/fd/%d", own), *unwritable = g_strdup_printf("/dev/fd/%d", read_only);

  g_assert_cmpint(write(handed, "before ", 7), ==, 7);
  write_text(name, "first ");
  write_text(other, "second ");
  g_assert_cmpint(symlink(name, fixture->link), ==, 0);
  write_text(fixture->link, "third");
  assert_text(fixture->file, "before first second third");
  refuse(ours, g_strerror(EBADF));
  refuse(unwritable, g_strerror(EBADF));
  close(own);
  refuse(ours, g_strerror(EBADF));
  close(handed);
  close(read_only);
  g_assert_true(output_file_is_stdout("-"));
  g_assert_true(output_file_is_stdout("/dev/stdout"));
  g_assert_true(output_file_is_stdout("/dev/fd/1"));
  g_assert_false(output_file_is_stdout("/dev/fd/2"));
  g_assert_false(output_file_is_stdout(fixture->file));
  g_assert_false(output_file_is_stdout(NULL));
}

/* A file that cannot grow as far as it should: the old one stays. */
static void test_half(Fixture *fixture, gconstpointer data) {
  struct rlimit before, small;
  g_autofree char *text = g_strnfill(8192, 'x');
  g_autoptr(GError) error = NULL;

  g_assert_true(g_file_set_contents(fixture->file, "old", -1, NULL));
  g_autoptr(OutputFile) file = output_file_open(fixture->file, NULL);
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  small = before;
  small.rlim_cur = 4096;
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
  bool written = output_file_write(file, text, 8192, &error); /* and no SIGXFSZ */
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false(written);
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
  g_assert_nonnull(strstr(error->message, g_strerror(EFBIG)));
  assert_text(fixture->file, "old");
  g_assert_cmpuint(count_entries(fixture), ==, 1);
}

/* What standard output does not take is told once, with the reason, and not again by who closes it. */
static void test_standard_output(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(OutputFile) file = output_file_open("-", &error);
  int old = dup(STDOUT_FILENO), full = open("/dev/full", O_WRONLY | O_CLOEXEC);

  g_assert_no_error(error);
  fflush(stdout);
  g_assert_cmpint(dup2(full, STDOUT_FILENO), ==, STDOUT_FILENO);
  bool written = output_file_write(file, "lost", strlen("lost"), &error);
  bool lost_again = fflush(stdout) != 0 || ferror(stdout);
  dup2(old, STDOUT_FILENO);
  close(full);
  close(old);
  g_assert_false(written);
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC);
  g_assert_nonnull(strstr(error->message, g_strerror(ENOSPC)));
  g_assert_false(lost_again);
}

static void test_stream(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  g_assert_true(g_file_set_contents(fixture->file, "old and long", -1, NULL));
  g_assert_cmpint(symlink("file", fixture->link), ==, 0);
  FILE *stream = output_file_stream(fixture->link, &error);
  g_assert_no_error(error);
  assert_text(fixture->file, "");
  fputs("grows", stream);
  fflush(stream);
  assert_text(fixture->file, "grows");
  g_assert_cmpint(fclose(stream), ==, 0);
  g_assert_true(S_ISLNK(status_of(fixture->link).st_mode));
  g_assert_null(output_file_stream(fixture->directory, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  g_clear_error(&error);
  unlink(fixture->file);
  g_assert_cmpint(mkfifo(fixture->file, 0600), ==, 0);
  g_assert_null(output_file_stream(fixture->link, &error));
  g_assert_nonnull(strstr(error->message, "nobody reads this FIFO"));
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*function)(Fixture *fixture, gconstpointer data);
  } tests[] = {
      {"/output-file/new", test_new},
      {"/output-file/replaced", test_replaced},
      {"/output-file/links", test_links},
      {"/output-file/two-names", test_two_names},
      {"/output-file/permissions", test_permissions},
      {"/output-file/no-place", test_no_place},
      {"/output-file/device", test_device},
      {"/output-file/fifo", test_fifo},
      {"/output-file/fifo/late-reader", test_fifo_late_reader},
      {"/output-file/descriptors", test_descriptors},
      {"/output-file/half", test_half},
      {"/output-file/standard-output", test_standard_output},
      {"/output-file/stream", test_stream},
  };

  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].function, tear_down);
  return g_test_run();
}
