/* SPDX-License-Identifier: Apache-2.0 */
/* Who starts helpers again, once this process may not: shells in their place. */
#include "vmm/helpers/broker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/cage/landlock.h"
#include "vmm/helpers/broker-wire.h"
#include "vmm/helpers/helper-process.h"

static char *how;

static void on_ended(void *opaque, const char *text, bool well) {
  g_free(how);
  how = g_strdup(text);
}

static void wait_for_end(void) {
  gint64 until = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

  while (!how) {
    g_assert_cmpint(g_get_monotonic_time(), <, until);
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(1000);
  }
}

static HelperProcess *start(Broker *broker, const char *script, int *fd, GError **error) {
  const char *const argv[] = {"/bin/sh", "-c", script, NULL};
  const HelperConfig config = {.name = "helper", .argv = argv, .ended = on_ended, .broker = broker};

  g_clear_pointer(&how, g_free);
  return helper_process_start(&config, fd, error);
}

/* The child of whom it is: its parent's number. */
#define TELL_PARENT "echo $PPID >&3; read line <&3; exit 7"

static int read_number(int fd) {
  char text[16] = "";

  g_assert_cmpint(read(fd, text, sizeof text - 1), >, 0);
  return (int)g_ascii_strtoll(text, NULL, 10);
}

/* What ran before can be started again, as often as is wanted; it is the broker's child then. */
static void test_again(void) {
  Broker *broker = broker_new();
  int fd;
  HelperProcess *first = start(broker, TELL_PARENT, &fd, NULL);

  g_assert_true(broker_has_work(broker));
  g_assert_cmpint(read_number(fd), ==, getpid());
  close(fd);
  wait_for_end();
  g_assert_cmpstr(how, ==, "ended with exit status 7");
  helper_process_free(first);
  g_assert_true(broker_part(broker, NULL));
  for (unsigned i = 0; i < 3; i++) {
    HelperProcess *next = start(broker, TELL_PARENT, &fd, NULL);
    int parent = read_number(fd);
    g_assert_cmpint(parent, !=, getpid());
    g_assert_cmpint(kill(parent, 0), ==, 0);
    g_assert_cmpint(write(fd, "\n", 1), ==, 1);
    wait_for_end();
    g_assert_cmpstr(how, ==, "ended with exit status 7");
    helper_process_free(next);
    close(fd);
  }
  broker_unref(broker);
}

/* What did not run before cannot be started, however it is asked for. */
static void test_others(void) {
  Broker *broker = broker_new();
  g_autoptr(GError) error = NULL;
  int fd;
  HelperProcess *first = start(broker, "exit 0", &fd, NULL);

  wait_for_end();
  helper_process_free(first);
  close(fd);
  g_assert_true(broker_part(broker, NULL));
  g_assert_null(start(broker, "exit 1", &fd, &error));
  g_assert_error(error, HELPER_ERROR, HELPER_ERROR_START);
  broker_unref(broker);
}

/* One that ran when they parted is signalled by the broker, and waited for here. */
static void test_from_before(void) {
  Broker *broker = broker_new();
  int fd;
  HelperProcess *process = start(broker, "trap 'exit 9' TERM; echo ready >&3; while :; do sleep 0.05; done", &fd, NULL);
  char word[8];
  int pid = helper_process_pid(process);

  g_assert_cmpint(read(fd, word, sizeof word), ==, 6);
  g_assert_true(broker_part(broker, NULL));
  helper_process_free(process);
  g_assert_cmpint(kill(pid, 0), ==, -1);
  g_assert_cmpint(errno, ==, ESRCH);
  close(fd);
  broker_unref(broker);
}

/* All ends with this process; here, with the last who knows of the broker. */
static void test_end(void) {
  Broker *broker = broker_new();
  char byte;
  int fd;
  HelperProcess *first = start(broker, "exec sleep 1000", &fd, NULL);

  close(fd);
  helper_process_free(first);
  g_assert_true(broker_part(broker, NULL));
  HelperProcess *second = start(broker, "exec sleep 1000", &fd, NULL);
  int pid = helper_process_pid(second);
  g_assert_cmpint(kill(pid, 0), ==, 0);
  helper_process_free(second);
  g_assert_cmpint(read(fd, &byte, 1), ==, 0);
  close(fd);
  broker_unref(broker);
  g_assert_cmpint(kill(pid, 0), ==, -1);
}

/* What ran before ends with this process, too, also where the kernel keeps it from signalling anybody. */
static void test_killed(void) {
  int ends[2], status;
  char byte;
  pid_t child;

  g_assert_cmpint(pipe(ends), ==, 0);
  child = fork();
  if (child == 0) {
    Broker *broker = broker_new();
    int fd;
    /* It has the pipe's end for as long as it lives, and no other tie to us. */
    g_autofree char *script =
        g_strdup_printf("exec sleep 1000 3<&- 5</proc/%d/fd/%d 6>/proc/%d/fd/%d", getpid(), ends[0], getpid(), ends[1]);
    HelperProcess *process = start(broker, script, &fd, NULL);

    g_usleep(300000);
    if (!process || !broker_part(broker, NULL))
      _exit(1);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    landlock_enter(&(Places){.n = 0});
    raise(SIGKILL);
  }
  close(ends[1]);
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFSIGNALED(status));
  g_assert_cmpint(read(ends[0], &byte, 1), ==, 0);
  close(ends[0]);
}

/* Without a broker nothing is waited for that nobody can end. */
static void test_gone(void) {
  Broker *broker = broker_new();
  int fd, status;
  HelperProcess *process = start(broker, "trap '' TERM; echo ready >&3; while :; do sleep 0.05; done", &fd, NULL);
  char word[8];
  int pid = helper_process_pid(process);
  g_autofree char *children = NULL;

  g_assert_cmpint(read(fd, word, sizeof word), ==, 6);
  g_assert_true(broker_part(broker, NULL));
  g_assert_cmpint(waitpid(-1, &status, WNOHANG), ==, 0);
  g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", getpid());
  g_assert_true(g_file_get_contents(path, &children, NULL, NULL));
  g_auto(GStrv) pids = g_strsplit(g_strchomp(children), " ", -1);
  for (unsigned i = 0; pids[i]; i++) /* the other one */
    if (atoi(pids[i]) != pid)
      kill(atoi(pids[i]), SIGKILL);
  helper_process_free(process);
  g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
  g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
  close(fd);
  broker_unref(broker);
}

static void remove_file(void *path) {
  unlink(path);
}

/* The farewell is said there, and once; it has the descriptors that it needs, and no others. */
static void test_farewell(void) {
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp("eret-test-XXXXXX", &path, NULL), ends[2];
  Broker *broker = broker_new();
  char byte;

  g_assert_cmpint(pipe(ends), ==, 0);
  g_assert_false(broker_has_work(broker));
  broker_set_farewell(broker, remove_file, path, &fd, 1);
  g_assert_true(broker_has_work(broker));
  g_assert_true(broker_part(broker, NULL));
  close(ends[1]);
  g_assert_cmpint(read(ends[0], &byte, 1), ==, 0); /* nobody else has the other end */
  close(ends[0]);
  g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
  broker_say_farewell(broker);
  g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  broker_say_farewell(broker);
  g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
  unlink(path);
  close(fd);
  broker_unref(broker);
}

/* Packets of another size, and what came with them, are not taken. */
static void test_wire(void) {
  int ends[2], fds[BROKER_FDS];
  BrokerRequest request = {.wish = BROKER_REAP, .number = 3}, got;
  unsigned n;

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ==, 0);
  g_assert_true(broker_send(ends[0], &request, sizeof request, ends, 2));
  g_assert_true(broker_receive(ends[1], &got, sizeof got, fds, &n));
  g_assert_cmpuint(n, ==, 2);
  g_assert_cmpuint(got.number, ==, 3);
  g_assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
  close(fds[0]);
  close(fds[1]);
  for (unsigned size = 1; size <= sizeof request + 1; size++) {
    char bytes[sizeof request + 1] = "";
    g_assert_cmpint(send(ends[0], bytes, size, 0), ==, size);
    g_assert_cmpint(broker_receive(ends[1], &got, sizeof got, fds, &n), ==, size == sizeof request);
    g_assert_cmpuint(n, ==, 0);
  }
  close(ends[0]);
  g_assert_false(broker_receive(ends[1], &got, sizeof got, fds, &n));
  close(ends[1]);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/broker/again", test_again);
  g_test_add_func("/broker/others", test_others);
  g_test_add_func("/broker/from-before", test_from_before);
  g_test_add_func("/broker/end", test_end);
  g_test_add_func("/broker/killed", test_killed);
  g_test_add_func("/broker/gone", test_gone);
  g_test_add_func("/broker/farewell", test_farewell);
  g_test_add_func("/broker/wire", test_wire);
  int status = g_test_run();
  g_free(how);
  return status;
}
