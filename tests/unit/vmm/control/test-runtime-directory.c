/* SPDX-License-Identifier: Apache-2.0 */
/* Names of machines: who has one, what is left of one that crashed, and what cannot be trusted. */
#include "vmm/control/runtime-directory.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/control/known-machine.h"

typedef struct {
  char *root, *base;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->root = g_dir_make_tmp("runtime-XXXXXX", NULL);
  fixture->base = g_build_filename(fixture->root, "eret", NULL);
  g_setenv("XDG_RUNTIME_DIR", fixture->root, TRUE);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_autofree char *command = g_strdup_printf("rm -rf '%s'", fixture->root);
  g_assert_cmpint(system(command), ==, 0);
  g_free(fixture->root);
  g_free(fixture->base);
}

static bool is_there(const Fixture *fixture, const char *name) {
  g_autofree char *path = g_build_filename(fixture->base, name, NULL);
  return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void assert_taken(const char *name) {
  g_autoptr(GError) error = NULL;
  g_assert_null(runtime_directory_claim(name, &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_TAKEN);
}

static RuntimeDirectory *claim(const char *name) {
  g_autoptr(GError) error = NULL;
  RuntimeDirectory *directory = runtime_directory_claim(name, &error);
  g_assert_no_error(error);
  g_assert_cmpstr(runtime_directory_name(directory), ==, name);
  return directory;
}

static RuntimeHolder holder_of(const char *name) {
  g_autoptr(GError) error = NULL;
  RuntimeHolder holder;
  int fd = runtime_directory_look(name, &holder, &error);
  g_assert_no_error(error);
  close(fd);
  return holder;
}

static void test_names(Fixture *fixture, gconstpointer data) {
  g_autofree char *longest = g_strnfill(RUNTIME_NAME_MAX, 'a'), *longer = g_strnfill(RUNTIME_NAME_MAX + 1, 'a');
  const char *const good[] = {"a", "7", "web-1", "a.b_c", longest}, *const bad[] = {"",    ".",   "..",  ".a",       "-a",  "_a",
                                                                                    "a/b", "a b", "a\n", "\303\244", longer};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
    g_assert_true(runtime_name_is_valid(good[i]));
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(runtime_name_is_valid(bad[i]));
    g_assert_null(runtime_directory_claim(bad[i], &error));
    g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NAME);
  }
}

static void test_claim_and_release(Fixture *fixture, gconstpointer data) {
  struct stat status;
  RuntimeDirectory *directory = claim("one");

  g_assert_cmpint(stat(runtime_directory_path(directory), &status), ==, 0);
  g_assert_cmpuint(status.st_mode & 07777, ==, 0700);
  g_assert_cmpint(stat(fixture->base, &status), ==, 0);
  g_assert_cmpuint(status.st_mode & 07777, ==, 0700);
  assert_taken("one");
  g_assert_cmpint(holder_of("one"), ==, RUNTIME_HELD);
  RuntimeDirectory *other = claim("two");
  g_autoptr(GPtrArray) names = runtime_directory_names(NULL);
  g_assert_cmpuint(names->len, ==, 2);
  g_assert_cmpstr(names->pdata[0], ==, "one");
  g_assert_cmpstr(names->pdata[1], ==, "two");
  runtime_directory_release(directory);
  g_assert_false(is_there(fixture, "one"));
  runtime_directory_release(claim("one"));
  g_assert_true(is_there(fixture, "."));
  runtime_directory_release(other);
  g_assert_false(is_there(fixture, "."));
}

/* Whoever only looks gets in nobody's way, and what ends with a process is told from what goes on. */
static void test_crash(Fixture *fixture, gconstpointer data) {
  pid_t child = fork();

  if (child == 0) {
    RuntimeDirectory *directory = runtime_directory_claim("crash", NULL);
    if (directory && runtime_directory_write(directory, "remains", "x", NULL) && runtime_directory_listen(directory, "console", NULL) >= 0)
      _exit(0);
    _exit(1);
  }
  int status;
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
  g_assert_true(is_there(fixture, "crash/remains"));
  g_assert_cmpint(holder_of("crash"), ==, RUNTIME_NOBODYS);
  g_autoptr(KnownMachine) machine = known_machine_read("crash", NULL);
  g_assert_cmpint(machine->life, ==, MACHINE_CRASHED);
  g_autoptr(GError) error = NULL;
  g_assert_cmpint(runtime_directory_connect("crash", "console", &error), ==, -1);
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
  RuntimeDirectory *directory = claim("crash");
  g_assert_false(is_there(fixture, "crash/remains"));
  g_assert_false(is_there(fixture, "crash/console"));
  runtime_directory_release(directory);
}

static void test_abandon_and_clear(Fixture *fixture, gconstpointer data) {
  RuntimeDirectory *directory = claim("a");
  g_assert_true(runtime_directory_write(directory, "log", "text", NULL));
  g_autoptr(GError) error = NULL;
  g_assert_false(runtime_directory_clear("a", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_TAKEN);
  g_clear_error(&error);
  runtime_directory_abandon(directory);
  g_assert_true(is_there(fixture, "a/log"));
  g_assert_true(runtime_directory_clear("a", &error));
  g_assert_no_error(error);
  g_assert_false(is_there(fixture, "a"));
  g_assert_false(runtime_directory_clear("a", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
}

static void test_files(Fixture *fixture, gconstpointer data) {
  RuntimeDirectory *directory = claim("files");
  g_autofree char *path = g_build_filename(runtime_directory_path(directory), "f", NULL), *text = NULL;

  g_assert_true(runtime_directory_write(directory, "f", "first", NULL));
  g_assert_true(runtime_directory_write(directory, "f", "second", NULL));
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "second");
  int log = runtime_directory_open_log(directory, "log", NULL);
  g_assert_cmpint(write(log, "x", 1), ==, 1);
  close(log);
  int listener = runtime_directory_listen(directory, "console", NULL);
  g_assert_cmpint(listener, >=, 0);
  int fd = runtime_directory_connect("files", "console", NULL);
  g_assert_cmpint(fd, >=, 0);
  close(fd);
  close(listener);
  runtime_directory_release(directory);
}

/* Directories of others, or that others can write, are not touched. */
static void test_not_ones_own(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(mkdir(fixture->base, 0700), ==, 0);
  g_assert_cmpint(chmod(fixture->base, 0777), ==, 0);
  g_assert_null(runtime_directory_claim("x", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
  g_clear_error(&error);
  g_assert_null(runtime_directory_names(&error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
  g_clear_error(&error);
  g_assert_cmpint(rmdir(fixture->base), ==, 0);
  g_assert_cmpint(symlink("/", fixture->base), ==, 0);
  g_assert_null(runtime_directory_claim("x", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
  g_assert_cmpint(unlink(fixture->base), ==, 0);
  g_assert_cmpint(mkdir(fixture->base, 0700), ==, 0);
  g_autofree char *link = g_build_filename(fixture->base, "link", NULL);
  g_assert_cmpint(symlink(fixture->root, link), ==, 0);
  g_clear_error(&error);
  g_assert_null(runtime_directory_claim("link", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
}

static void test_no_place(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *deep = g_strnfill(200, 'd'), *path = g_strconcat("/", deep, NULL);

  g_setenv("XDG_RUNTIME_DIR", path, TRUE);
  g_assert_null(runtime_directory_claim("x", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
  g_unsetenv("XDG_RUNTIME_DIR");
  g_autofree char *base = runtime_directory_base(NULL);
  g_assert_cmpstr(base, ==, geteuid() == 0 ? "/run/eret" : NULL);
}

/* Many processes want one name: at any time at most one has it. */
static void test_race(Fixture *fixture, gconstpointer data) {
  enum { PROCESSES = 8, TURNS = 200 };
  g_autofree char *path = g_build_filename(fixture->root, "mine", NULL);
  pid_t children[PROCESSES];

  for (unsigned i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if (children[i] != 0)
      continue;
    for (unsigned turn = 0; turn < TURNS; turn++) {
      g_autoptr(GError) error = NULL;
      RuntimeDirectory *directory = runtime_directory_claim("race", &error);
      if (!directory && !g_error_matches(error, RUNTIME_ERROR, RUNTIME_ERROR_TAKEN))
        _exit(1);
      if (!directory)
        continue;
      if (mkdir(path, 0700) < 0) /* somebody else has it, too */
        _exit(2);
      if (rmdir(path) < 0)
        _exit(3);
      runtime_directory_release(directory);
    }
    _exit(0);
  }
  for (unsigned i = 0; i < PROCESSES; i++) {
    int status;
    g_assert_cmpint(waitpid(children[i], &status, 0), ==, children[i]);
    g_assert_cmpint(status, ==, 0);
  }
}

static void test_known_machine(Fixture *fixture, gconstpointer data) {
  RuntimeDirectory *directory = claim("known");
  KnownMachine machine = {.life = MACHINE_RUNNING, .pid = getpid(), .started = 1234, .cpus = 2, .memory = 512 << 20};
  g_autoptr(GError) error = NULL;

  g_autoptr(KnownMachine) early = known_machine_read("known", &error);
  g_assert_no_error(error);
  g_assert_cmpint(early->life, ==, MACHINE_STARTING);
  g_assert_cmpint(known_machine_open_process(early, &error), ==, -1);
  g_clear_error(&error);
  g_assert_true(known_machine_publish(&machine, directory, &error));
  g_autoptr(KnownMachine) read = known_machine_read("known", &error);
  g_assert_no_error(error);
  g_assert_cmpstr(read->name, ==, "known");
  g_assert_cmpint(read->life, ==, MACHINE_RUNNING);
  g_assert_cmpint(read->pid, ==, getpid());
  g_assert_cmpint(read->started, ==, 1234);
  g_assert_cmpuint(read->cpus, ==, 2);
  g_assert_cmpuint(read->memory, ==, 512 << 20);
  g_assert_cmpuint(read->sockets.cid, ==, 0);
  g_assert_false(read->ssh);
  /* As long as it does not listen at its console, its file may name anybody. */
  g_assert_cmpint(known_machine_open_process(read, &error), ==, -1);
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
  g_clear_error(&error);
  int listener = runtime_directory_listen(directory, MACHINE_CONSOLE, NULL);
  int process = known_machine_open_process(read, &error);
  g_assert_no_error(error);
  close(process);
  machine.pid = getppid();
  g_assert_true(known_machine_publish(&machine, directory, &error));
  g_autoptr(KnownMachine) other = known_machine_read("known", &error);
  g_assert_cmpint(known_machine_open_process(other, &error), ==, -1);
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
  g_clear_error(&error);
  close(listener);
  machine.sockets = (GuestSockets){.cid = UINT32_MAX - 1};
  machine.ssh = true;
  g_assert_true(known_machine_publish(&machine, directory, &error));
  g_autoptr(KnownMachine) kernels = known_machine_read("known", &error);
  g_assert_cmpuint(kernels->sockets.cid, ==, UINT32_MAX - 1);
  g_assert_null(kernels->sockets.path);
  g_assert_true(kernels->ssh);
  machine.sockets.path = (char *)"/a \"path\"";
  g_assert_true(known_machine_publish(&machine, directory, &error));
  g_autoptr(KnownMachine) local = known_machine_read("known", &error);
  g_assert_cmpstr(local->sockets.path, ==, "/a \"path\"");
  machine.life = MACHINE_FAILED_TO_LAST;
  machine.status = 5;
  g_assert_true(known_machine_publish(&machine, directory, &error));
  runtime_directory_abandon(directory);
  g_autoptr(KnownMachine) failed = known_machine_read("known", &error);
  g_assert_cmpint(failed->life, ==, MACHINE_FAILED_TO_LAST);
  g_assert_cmpint(failed->status, ==, 5);
  g_assert_cmpint(known_machine_open_process(read, &error), ==, -1);
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
  g_clear_error(&error);
  g_assert_null(known_machine_read("unknown", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
}

#define GOOD "{\"version\":1,\"state\":\"running\",\"pid\":1,\"started\":1,\"cpus\":1,\"memory\":1,\"status\":0"

static void test_bad_files(Fixture *fixture, gconstpointer data) {
  static const char *const texts[] = {
      "",
      "[]",
      "{}",
      "{\"version\":1}",
      "x",
      "{\"version\":1,\"state\":\"running\",\"pid\":0,\"started\":1,\"cpus\":1,\"memory\":1,\"status\":0}",
      "{\"version\":1,\"state\":[],\"pid\":1,\"started\":1,\"cpus\":1,\"memory\":1,\"status\":0}",
      "{\"version\":1,\"state\":\"running\",\"pid\":1,\"started\":1,\"cpus\":1,\"memory\":1,\"status\":999}",
      GOOD ",\"vsock\":3}",
      GOOD ",\"vsock\":{}}",
      GOOD ",\"vsock\":{\"cid\":0}}",
      GOOD ",\"vsock\":{\"cid\":4294967296}}",
      GOOD ",\"vsock\":{\"cid\":3,\"unix\":1}}",
      GOOD ",\"vsock\":{\"cid\":3,\"unix\":[]}}",
      GOOD ",\"ssh\":1}",
  };
  RuntimeDirectory *directory = claim("bad");

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_true(runtime_directory_write(directory, MACHINE_FILE, texts[i], NULL));
    g_assert_null(known_machine_read("bad", &error));
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, "the file 'machine.json' of the machine 'bad' cannot be read: "));
  }
  g_autofree char *fifo = g_build_filename(runtime_directory_path(directory), MACHINE_FILE, NULL);
  g_autoptr(GError) endless = NULL;
  g_assert_true(unlink(fifo) == 0 && mkfifo(fifo, 0600) == 0);
  g_assert_null(known_machine_read("bad", &endless));
  g_assert_true(g_str_has_prefix(endless->message, "the file 'machine.json' of the machine 'bad' cannot be read: it is not what eret"));
  /* When it is over, what is left can be cleared away, whatever that is. */
  runtime_directory_abandon(directory);
  g_autoptr(GError) error = NULL;
  g_autoptr(KnownMachine) machine = known_machine_read("bad", &error);
  g_assert_no_error(error);
  g_assert_cmpint(machine->life, ==, MACHINE_CRASHED);
  g_assert_true(runtime_directory_clear("bad", &error));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/runtime-directory/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("names", test_names);
  ADD("claim-and-release", test_claim_and_release);
  ADD("crash", test_crash);
  ADD("abandon-and-clear", test_abandon_and_clear);
  ADD("files", test_files);
  ADD("not-ones-own", test_not_ones_own);
  ADD("no-place", test_no_place);
  ADD("race", test_race);
  ADD("known-machine", test_known_machine);
  ADD("bad-files", test_bad_files);
  return g_test_run();
}
