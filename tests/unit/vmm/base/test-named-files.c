/* SPDX-License-Identifier: Apache-2.0 */
/* Files that options name: which two are one, and what is said then. */
#include "vmm/base/named-files.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/directory.h"

typedef struct {
  char *directory, *before;
  NamedFiles *files;
  GString *mistakes;
} Fixture;

/* In a directory with a file, two names more for it, and another file. */
static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->before = g_get_current_dir();
  fixture->directory = directory_new();
  directory_write(fixture->directory, "file", "what was in it");
  directory_write(fixture->directory, "other", "");
  directory_write(fixture->directory, "below/file", "");
  g_assert_cmpint(chdir(fixture->directory), ==, 0);
  g_assert_cmpint(symlink("file", "symbolic"), ==, 0);
  g_assert_cmpint(link("file", "hard"), ==, 0);
  fixture->files = named_files_new();
  fixture->mistakes = g_string_new(NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  named_files_free(fixture->files);
  g_string_free(fixture->mistakes, TRUE);
  g_assert_cmpint(chdir(fixture->before), ==, 0);
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->before);
}

static void reads(Fixture *fixture, const char *option, const char *path) {
  named_files_read(fixture->files, option, path, fixture->mistakes);
}

static void writes(Fixture *fixture, const char *option, const char *path) {
  named_files_write(fixture->files, option, path, fixture->mistakes);
}

static void says(Fixture *fixture, const char *wanted) {
  g_assert_cmpstr(fixture->mistakes->str, ==, wanted);
  g_string_truncate(fixture->mistakes, 0);
}

static void test_read_and_written(Fixture *fixture, gconstpointer data) {
  static const char *const spellings[] = {"symbolic", "hard", "./file", "below/../file"};

  reads(fixture, "--kernel", "file");
  reads(fixture, "--initrd", "file");
  reads(fixture, "--disk other", "other");
  says(fixture, "");
  writes(fixture, "--record", "file");
  says(fixture, "--record: 'file' is also the file of --kernel, which would be overwritten: name another file");
  for (unsigned i = 0; i < G_N_ELEMENTS(spellings); i++) {
    g_autofree char *wanted = g_strdup_printf(
        "--record: '%s' is also the file of --kernel ('file'), which would be overwritten: name another file", spellings[i]);
    writes(fixture, "--record", spellings[i]);
    says(fixture, wanted);
  }
  writes(fixture, "--record", "below/file");
  writes(fixture, "--stats", "below/new");
  writes(fixture, "--dump-fdt", NULL);
  reads(fixture, "--symbols", NULL);
  says(fixture, "");
}

static void test_written_and_read(Fixture *fixture, gconstpointer data) {
  writes(fixture, "--record", "symbolic");
  reads(fixture, "--kernel", "hard");
  says(fixture, "--record: 'symbolic' is also the file of --kernel ('hard'), which would be overwritten: name another file");
}

static void test_two_outputs(Fixture *fixture, gconstpointer data) {
  writes(fixture, "--json", "file");
  writes(fixture, "--junit", "hard");
  says(fixture, "--junit: 'hard' is also the file of --json ('file'): name another file");
}

static void test_not_there_yet(Fixture *fixture, gconstpointer data) {
  g_assert_cmpint(symlink("below/new", "dangling"), ==, 0);
  writes(fixture, "--json", "below/new");
  writes(fixture, "--junit", "below/../below/new");
  says(fixture, "--junit: 'below/../below/new' is also the file of --json ('below/new'): name another file");
  writes(fixture, "--junit", "dangling");
  says(fixture, "--junit: 'dangling' is also the file of --json ('below/new'): name another file");
  writes(fixture, "--junit", "new");
  writes(fixture, "--stats", "gone/new"); /* which is for another to tell */
  writes(fixture, "--record", "gone/new");
  says(fixture, "");
}

/* There is nothing in them that could be lost. */
static void test_no_files(Fixture *fixture, gconstpointer data) {
  g_assert_cmpint(g_mkdir("directory", 0755), ==, 0);
  reads(fixture, "--initrd", "/dev/null");
  writes(fixture, "--json", "/dev/null");
  writes(fixture, "--junit", "/dev/null");
  reads(fixture, "--copy-in", "directory");
  writes(fixture, "--json", "directory");
  says(fixture, "");
}

static void test_descriptors(Fixture *fixture, gconstpointer data) {
  int fd = open("file", O_WRONLY); // NOLINT(android-cloexec-open): as a shell hands it on
  g_autofree char *path = g_strdup_printf("/dev/fd/%d", fd);
  g_autofree char *wanted = g_strdup_printf("--stats: 'file' is also the file of --json ('%s'): name another file", path);

  writes(fixture, "--json", path);
  writes(fixture, "--junit", path);
  says(fixture, "");
  writes(fixture, "--stats", "file"); /* this one replaces it */
  says(fixture, wanted);
  close(fd);
}

static void test_all(Fixture *fixture, gconstpointer data) {
  g_autoptr(NamedFiles) test = named_files_new();

  named_files_read(test, "--kernel", "file", fixture->mistakes);
  named_files_write(test, "--stats", "other", fixture->mistakes);
  named_files_read_all(fixture->files, "suite.ini:", test, fixture->mistakes);
  says(fixture, "");
  writes(fixture, "--json", "other");
  says(fixture, "");
  writes(fixture, "--junit", "file");
  says(fixture, "--junit: 'file' is also the file of suite.ini: --kernel, which would be overwritten: name another file");
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*function)(Fixture *fixture, gconstpointer data);
  } tests[] = {
      {"/named-files/read-and-written", test_read_and_written},
      {"/named-files/written-and-read", test_written_and_read},
      {"/named-files/two-outputs", test_two_outputs},
      {"/named-files/not-there-yet", test_not_there_yet},
      {"/named-files/no-files", test_no_files},
      {"/named-files/descriptors", test_descriptors},
      {"/named-files/all", test_all},
  };

  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add(tests[i].name, Fixture, NULL, set_up, tests[i].function, tear_down);
  return g_test_run();
}
