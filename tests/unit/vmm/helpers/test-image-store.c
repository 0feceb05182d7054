/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images unpacked and kept, by shells in the places of skopeo and umoci: once, by several at a time, after one that was
 * killed, and where something goes wrong. What the two do is in the file "log"; what they are told to do, in others.
 */
#include "vmm/helpers/image-store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "vmm/helpers/helper-process.h"

#define CONFIG_TEXT(layers) "{\"os\": \"linux\", \"architecture\": \"arm64\", \"rootfs\": {\"diff_ids\": [\"" layers "\"]}}"
#define WAIT_S              30

/*
 * Both find their files beside the shell's, which PATH begins with. "wait" has the copy wait until it is gone;
 * "complaint" is what umoci fails with. A layout has its own configuration.
 */
static const char fake_skopeo[] = "#!/bin/sh\ncd \"${0%/*}\"\ncase $* in\n"
                                  "*inspect*--config*oci:*:image) echo inspect-layout >> log; cat layout.json ;;\n"
                                  "*inspect*oci:*:image) echo inspect-manifest >> log; cat manifest.json ;;\n"
                                  "*inspect*) echo inspect >> log; [ ! -e refusal ] || { cat refusal >&2; exit 1; }; cat source.json ;;\n"
                                  "*copy*) echo copy >> log; while [ -e wait ]; do sleep 0.01; done; for last; do :; done; "
                                  "last=${last#oci:}; mkdir \"${last%:image}\" ;;\n"
                                  "esac\n";
static const char fake_umoci[] =
    "#!/bin/sh\ncd \"${0%/*}\"\necho \"unpack\" >> log\nfor last; do :; done\nmkdir \"$last\" \"$last/locked\"\n"
    "echo content > \"$last/file\"\nchmod 0 \"$last/locked\"\n[ ! -e complaint ] || { cat complaint >&2; exit 3; }\n";

typedef struct {
  char *directory, *path, *images;
  ImageName *name;
} Fixture;

static void write_program(const char *directory, const char *name, const char *text) {
  g_autofree char *path = g_build_filename(directory, name, NULL);

  directory_write(directory, name, text);
  g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

/* The directory of caches is one of the process, which GLib has asked for once. */
static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->path = g_strdup(g_getenv("PATH"));
  fixture->images = g_build_filename(g_get_user_cache_dir(), "eret", "images", NULL);
  fixture->name = image_name_parse("docker-archive:made-up.tar", NULL);
  g_autofree char *path = g_strconcat(fixture->directory, ":", fixture->path, NULL);
  g_setenv("PATH", path, TRUE);
  write_program(fixture->directory, "skopeo", fake_skopeo);
  write_program(fixture->directory, "umoci", fake_umoci);
  directory_write(fixture->directory, "source.json", CONFIG_TEXT("sha256:1"));
  directory_write(fixture->directory, "layout.json", CONFIG_TEXT("sha256:1"));
  directory_write(fixture->directory, "manifest.json", "{\"layers\": [{}]}");
}

static void open_up(const char *path) {
  const char *const argv[] = {"chmod", "-R", "u+rwx", path, NULL};

  g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_setenv("PATH", fixture->path, TRUE);
  if (g_file_test(fixture->images, G_FILE_TEST_IS_DIR)) {
    open_up(fixture->images);
    directory_free(fixture->images);
  }
  directory_free(fixture->directory);
  image_name_free(fixture->name);
  g_free(fixture->directory);
  g_free(fixture->path);
  g_free(fixture->images);
}

static Image *take(const Fixture *fixture, GError **error) {
  const ImageTools tools = {.name = fixture->name};

  return image_store_take(&tools, error);
}

static void expect_log(const Fixture *fixture, const char *wanted) {
  g_autofree char *path = g_build_filename(fixture->directory, "log", NULL), *text = NULL;

  g_file_get_contents(path, &text, NULL, NULL);
  g_strdelimit(text, "\n", ' ');
  g_assert_cmpstr(text, ==, wanted);
}

/* How many there are of what ends in SUFFIX; "": of images. */
static unsigned count(const Fixture *fixture, const char *suffix) {
  g_autoptr(GDir) directory = g_dir_open(fixture->images, 0, NULL);
  unsigned n = 0;

  for (const char *name; directory && (name = g_dir_read_name(directory));)
    n += *suffix ? g_str_has_suffix(name, suffix) : !strchr(name, '.');
  return n;
}

static void expect_whole(const Image *image) {
  g_autofree char *file = g_build_filename(image->root, "file", NULL);
  g_autofree char *name = g_build_filename(image->root, "..", "name", NULL), *text = NULL;

  g_assert_true(g_file_test(file, G_FILE_TEST_IS_REGULAR));
  g_assert_true(g_file_get_contents(name, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "docker-archive:made-up.tar\n");
}

static void test_once(Fixture *fixture, gconstpointer data) {
  struct stat status;

  for (unsigned i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Image) image = take(fixture, &error);
    g_assert_no_error(error);
    expect_whole(image);
    g_assert_cmpstr(image->config->layers, ==, "sha256:1");
  }
  expect_log(fixture, "inspect copy inspect-layout inspect-manifest unpack inspect ");
  g_assert_cmpuint(count(fixture, ""), ==, 1);
  g_assert_cmpuint(count(fixture, ".new"), ==, 0);
  g_assert_cmpint(stat(fixture->images, &status), ==, 0);
  g_assert_cmpuint(status.st_mode & 0777, ==, 0700);
}

/* What somebody has begun to remove is made once more. */
static void test_damaged(Fixture *fixture, gconstpointer data) {
  for (unsigned i = 0; i < 3; i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Image) image = take(fixture, &error);
    g_assert_no_error(error);
    expect_whole(image);
    g_autofree char *name = g_build_filename(image->root, "..", "name", NULL), *aside = g_strconcat(image->root, "-aside", NULL);
    if (i == 0)
      g_assert_cmpint(g_unlink(name), ==, 0);
    else
      g_assert_cmpint(rename(image->root, aside), ==, 0);
  }
  expect_log(fixture, "inspect copy inspect-layout inspect-manifest unpack inspect copy inspect-layout inspect-manifest unpack "
                      "inspect copy inspect-layout inspect-manifest unpack ");
  g_assert_cmpuint(count(fixture, ""), ==, 1);
}

/* Another digest is another image, and the one before stays. */
static void test_changed(Fixture *fixture, gconstpointer data) {
  g_autoptr(Image) first = take(fixture, NULL);
  directory_write(fixture->directory, "source.json", CONFIG_TEXT("sha256:2"));
  directory_write(fixture->directory, "layout.json", CONFIG_TEXT("sha256:2"));
  g_autoptr(Image) second = take(fixture, NULL);

  g_assert_cmpstr(first->root, !=, second->root);
  expect_whole(first);
  expect_whole(second);
  g_assert_cmpuint(count(fixture, ""), ==, 2);
}

static void expect_failure(const Fixture *fixture, const char *message) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Image) image = take(fixture, &error);

  g_assert_null(image);
  g_assert_cmpstr(error->message, ==, message);
  g_assert_cmpuint(count(fixture, ""), ==, 0);
  g_assert_cmpuint(count(fixture, ".new"), ==, 0);
}

static void test_failures(Fixture *fixture, gconstpointer data) {
  g_autofree char *refusal = g_build_filename(fixture->directory, "refusal", NULL);
  g_autofree char *complaint = g_build_filename(fixture->directory, "complaint", NULL);
  g_autofree char *flood = g_strnfill(100000, 'y');

  directory_write(fixture->directory, "refusal",
                  "time=\"2026-01-01\" level=info msg=\"first\"\ntime=\"2026-01-01\" level=fatal msg=\"no \\\"image\\\" \x1b[2J\"\n\n");
  expect_failure(fixture, "skopeo: no \"image\" \\u001b[2J");
  directory_write(fixture->directory, "refusal", "");
  expect_failure(fixture, "skopeo ended with exit status 1, and does not say why");
  g_unlink(refusal);
  directory_write(fixture->directory, "complaint", "   \xe2\x80\xa2 unpacking ...\n   \xe2\xa8\xaf create rootfs: broken\n");
  expect_failure(fixture, "umoci: create rootfs: broken");
  g_unlink(complaint);
  directory_write(fixture->directory, "manifest.json", "{\"layers\": []}");
  expect_failure(fixture, "its manifest has 0 layers, and its configuration names 1: it is not whole");
  directory_write(fixture->directory, "manifest.json", "{\"layers\": [{}, {}]}");
  expect_failure(fixture, "its manifest has 2 layers, and its configuration names 1: it is not whole");
  directory_write(fixture->directory, "manifest.json", "[");
  expect_failure(fixture, "its manifest is broken: 1:2: [0]: the text ends where a value is wanted");
  directory_write(fixture->directory, "layout.json", CONFIG_TEXT("sha256:other"));
  expect_failure(fixture, "it has changed while it was copied: try again");
  directory_write(fixture->directory, "source.json", "{\"os\": \"linux\", \"architecture\": \"s390x\"}");
  expect_failure(fixture, "its architecture is 's390x', and the guest's is arm64");
  directory_write(fixture->directory, "source.json", flood);
  expect_failure(fixture, "its configuration is broken: 1:1: a value is wanted, not 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'");
}

/* More than is kept ends it; so does a signal. */
static void test_bounds(Fixture *fixture, gconstpointer data) {
  write_program(fixture->directory, "skopeo", "#!/bin/sh\nexec cat /dev/zero\n");
  expect_failure(fixture, "skopeo says more than 4194304 bytes");
  write_program(fixture->directory, "skopeo", "#!/bin/sh\nkill -9 $$\n");
  expect_failure(fixture, "skopeo was ended by signal 9 (Killed)");
  write_program(fixture->directory, "skopeo", "#!/bin/sh\nsleep 1000 &\necho it fails >&2\nexit 1\n");
  expect_failure(fixture, "skopeo: it fails");
}

static void test_missing(Fixture *fixture, gconstpointer data) {
  g_autofree char *skopeo = g_build_filename(fixture->directory, "skopeo", NULL);

  g_setenv("PATH", fixture->directory, TRUE);
  g_unlink(skopeo);
  expect_failure(
      fixture,
      "container images are read by skopeo and unpacked by umoci, and there is no skopeo; install it (Debian: apt install skopeo)");
}

/* Processes of their own. */

static pid_t start_taking(const Fixture *fixture) {
  pid_t pid = fork();

  if (pid == 0) {
    g_autoptr(Image) image = take(fixture, NULL);
    _exit(image ? 0 : 1);
  }
  g_assert_cmpint(pid, >, 0);
  return pid;
}

static void wait_for_log(const Fixture *fixture, const char *wanted, unsigned n) {
  g_autofree char *path = g_build_filename(fixture->directory, "log", NULL);

  for (gint64 until = g_get_monotonic_time() + WAIT_S * G_USEC_PER_SEC;;) {
    g_autofree char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    unsigned found = 0;
    for (char **line = lines; *line; line++)
      found += strcmp(*line, wanted) == 0;
    if (found >= n)
      return;
    g_assert_cmpint(g_get_monotonic_time(), <, until);
    g_usleep(1000);
  }
}

static int status_of(pid_t pid) {
  int status;

  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  return status;
}

static void hold_copies(const Fixture *fixture) {
  directory_write(fixture->directory, "wait", "");
}

static void let_copies_go(const Fixture *fixture) {
  g_autofree char *path = g_build_filename(fixture->directory, "wait", NULL);

  g_assert_cmpint(g_unlink(path), ==, 0);
}

/* Those that come later wait for the first, and find what it has made. */
static void test_at_a_time(Fixture *fixture, gconstpointer data) {
  pid_t pids[3];

  hold_copies(fixture);
  for (unsigned i = 0; i < G_N_ELEMENTS(pids); i++)
    pids[i] = start_taking(fixture);
  wait_for_log(fixture, "inspect", 3);
  wait_for_log(fixture, "copy", 1);
  let_copies_go(fixture);
  for (unsigned i = 0; i < G_N_ELEMENTS(pids); i++)
    g_assert_cmpint(status_of(pids[i]), ==, 0);
  wait_for_log(fixture, "unpack", 1);
  g_autofree char *path = g_build_filename(fixture->directory, "log", NULL), *text = NULL;
  g_file_get_contents(path, &text, NULL, NULL);
  g_assert_true(strstr(text, "unpack") == g_strrstr(text, "unpack"));
  g_assert_cmpuint(count(fixture, ""), ==, 1);
}

static pid_t kill_in_copy(const Fixture *fixture) {
  hold_copies(fixture);
  pid_t pid = start_taking(fixture);
  wait_for_log(fixture, "copy", 1);
  g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
  g_assert_true(WIFSIGNALED(status_of(pid)));
  return pid;
}

/* What it was at is no image, and is made anew. */
static void test_killed(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  kill_in_copy(fixture);
  g_assert_cmpuint(count(fixture, ""), ==, 0);
  g_assert_cmpuint(count(fixture, ".new"), ==, 1);
  let_copies_go(fixture);
  g_autoptr(Image) image = take(fixture, &error);
  g_assert_no_error(error);
  expect_whole(image);
  g_assert_cmpuint(count(fixture, ".new"), ==, 0);
}

/* What one has left of another image is removed, however it can be entered; what somebody is at stays. */
static void test_leftovers(Fixture *fixture, gconstpointer data) {
  g_autofree char *link = g_build_filename(fixture->images, "sha256-left-0.new", "a", "link", NULL);
  g_autofree char *locked = g_build_filename(fixture->images, "sha256-left-0.new", "a", NULL);
  g_autoptr(GError) error = NULL;

  kill_in_copy(fixture);
  let_copies_go(fixture);
  directory_write(fixture->images, "sha256-left-0.new/a/b/c", "x");
  g_assert_cmpint(symlink(fixture->directory, link), ==, 0);
  g_assert_cmpint(g_chmod(locked, 0), ==, 0);
  directory_write(fixture->images, "sha256-held-0.new/file", "x");
  g_autofree char *lock = g_build_filename(fixture->images, "sha256-held-0.lock", NULL);
  int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
  directory_write(fixture->directory, "source.json", CONFIG_TEXT("sha256:3"));
  directory_write(fixture->directory, "layout.json", CONFIG_TEXT("sha256:3"));
  g_autoptr(Image) image = take(fixture, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(count(fixture, ".new"), ==, 1);
  g_assert_cmpuint(count(fixture, "held-0.new"), ==, 1);
  close(fd);
  g_autofree char *script = g_build_filename(fixture->directory, "skopeo", NULL);
  g_assert_true(g_file_test(script, G_FILE_TEST_EXISTS)); /* no link was followed */
}

static void test_foreign_directory(Fixture *fixture, gconstpointer data) {
  g_autofree char *parent = g_path_get_dirname(fixture->images);

  g_assert_cmpint(g_mkdir_with_parents(fixture->images, 0777), ==, 0);
  g_assert_cmpint(g_chmod(fixture->images, 0777), ==, 0);
  g_autoptr(Image) image = take(fixture, NULL);
  struct stat status;
  g_assert_cmpint(stat(fixture->images, &status), ==, 0);
  g_assert_cmpuint(status.st_mode & 0777, ==, 0700);
  if (geteuid() != 0)
    return;
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(chown(fixture->images, 1, 1), ==, 0);
  g_autoptr(Image) none = take(fixture, &error);
  g_assert_null(none);
  g_assert_nonnull(strstr(error->message, "is another user's"));
  g_assert_cmpint(chown(fixture->images, 0, 0), ==, 0);
}

int main(int argc, char **argv) {
  g_autofree char *caches = directory_new();

  g_setenv("XDG_CACHE_HOME", caches, TRUE);
  g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add("/image-store/" name, Fixture, NULL, set_up, function, tear_down)
  TEST("once", test_once);
  TEST("damaged", test_damaged);
  TEST("changed", test_changed);
  TEST("failures", test_failures);
  TEST("bounds", test_bounds);
  TEST("missing", test_missing);
  TEST("at-a-time", test_at_a_time);
  TEST("killed", test_killed);
  TEST("leftovers", test_leftovers);
  TEST("foreign-directory", test_foreign_directory);
  int status = g_test_run();
  directory_free(caches);
  return status;
}
