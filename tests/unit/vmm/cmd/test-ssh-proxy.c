/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ssh starts to be connected to a guest: vmm/cmd/ssh-proxy.c. It runs in a child, whose standard output is one end
 * of a socket pair, as ssh does it; the machine is one that this process only claims to have.
 */
#include "vmm/cmd/ssh-proxy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "tests/unit/vmm/control/fake-listener.h"
#include "vmm/cmd/command.h"

#define NAME "vm"
#define LONG 60 /* seconds that nobody waits for */

typedef struct {
  char *root, *path;
  RuntimeDirectory *directory;
  KnownMachine machine;
} Fixture;

static void publish(Fixture *fixture, MachineLife life, uint32_t cid) {
  fixture->machine.life = life;
  fixture->machine.sockets = (GuestSockets){.cid = cid, .path = cid ? fixture->path : NULL};
  g_assert_true(known_machine_publish(&fixture->machine, fixture->directory, NULL));
}

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->root = directory_new();
  g_setenv("XDG_RUNTIME_DIR", fixture->root, TRUE);
  fixture->directory = runtime_directory_claim(NAME, NULL);
  g_assert_nonnull(fixture->directory);
  fixture->path = g_build_filename(runtime_directory_path(fixture->directory), MACHINE_VSOCK, NULL);
  fixture->machine = (KnownMachine){.pid = getpid(), .started = 1, .cpus = 1};
  publish(fixture, MACHINE_RUNNING, 3);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  runtime_directory_release(fixture->directory);
  directory_free(fixture->root);
  g_free(fixture->root);
  g_free(fixture->path);
}

typedef struct {
  pid_t pid;
  int end;    /* of the socket pair */
  int errors; /* what it says */
} Proxy;

static Proxy start_proxy(const char *name, unsigned wait) {
  int pair[2], errors[2];
  Proxy proxy;

  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  g_assert_cmpint(pipe(errors), ==, 0);
  proxy = (Proxy){.pid = fork(), .end = pair[0], .errors = errors[0]};
  if (proxy.pid == 0) {
    dup2(pair[1], STDOUT_FILENO);
    dup2(errors[1], STDERR_FILENO);
    close(pair[0]);
    close(errors[0]);
    _exit(ssh_proxy(name, wait));
  }
  close(pair[1]);
  close(errors[1]);
  return proxy;
}

/* What it said; it has ended with STATUS. Free with g_free. */
static char *finish(const Proxy *proxy, int status) {
  char text[4096] = "";
  int got;

  for (size_t size = 0; (got = (int)read(proxy->errors, text + size, sizeof text - 1 - size)) > 0;)
    size += (size_t)got;
  g_assert_cmpint(waitpid(proxy->pid, &got, 0), ==, proxy->pid);
  g_assert_true(WIFEXITED(got));
  g_assert_cmpint(WEXITSTATUS(got), ==, status);
  close(proxy->errors);
  close(proxy->end);
  return g_strdup(text);
}

static void assert_says(const char *name, unsigned wait, const char *wanted) {
  Proxy proxy = start_proxy(name, wait);
  g_autofree char *text = finish(&proxy, EXIT_HOST);

  if (!strstr(text, wanted))
    g_error("said: %s; wanted: %s", text, wanted);
}

/* The connection that comes, as ssh receives it. */
static int receive(int end) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  char byte = 'x';
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  int fd;

  g_assert_cmpint(recvmsg(end, &message, 0), ==, 1);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  g_assert_nonnull(header);
  g_assert_cmpint(header->cmsg_level, ==, SOL_SOCKET);
  g_assert_cmpint(header->cmsg_type, ==, SCM_RIGHTS);
  g_assert_cmpuint(header->cmsg_len, ==, CMSG_LEN(sizeof fd));
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

static void test_connection(Fixture *fixture, gconstpointer data) {
  g_autoptr(VsockHybrid) hybrid = vsock_hybrid_new(fixture->path, NULL);
  Proxy proxy = start_proxy(NAME, LONG);
  int guest = fake_listener_accept(hybrid);
  char bytes[8] = "";

  g_assert_true(vsock_hybrid_answer(guest, 1));
  g_assert_cmpint(write(guest, "SSH-2.0", 7), ==, 7);
  int ssh = receive(proxy.end);
  g_autofree char *text = finish(&proxy, EXIT_OK); /* it is gone, and the connection goes on */
  g_assert_cmpstr(text, ==, "");
  g_assert_cmpint(read(ssh, bytes, sizeof bytes), ==, 7);
  g_assert_cmpstr(bytes, ==, "SSH-2.0");
  g_assert_cmpint(write(ssh, "client", 6), ==, 6);
  g_assert_cmpint(shutdown(ssh, SHUT_WR), ==, 0);
  g_assert_cmpint(fcntl(guest, F_SETFL, 0), ==, 0);
  g_assert_cmpint(read(guest, bytes, sizeof bytes), ==, 6);
  g_assert_cmpint(read(guest, bytes, sizeof bytes), ==, 0);
  close(ssh);
  close(guest);
}

/* It comes as far as that while somebody waits: the machine begins, the guest refuses, and then takes it. */
static void test_later(Fixture *fixture, gconstpointer data) {
  publish(fixture, MACHINE_STARTING, 0);
  Proxy proxy = start_proxy(NAME, LONG);
  g_usleep(300000);
  publish(fixture, MACHINE_RUNNING, 3);
  g_usleep(300000);
  g_autoptr(VsockHybrid) hybrid = vsock_hybrid_new(fixture->path, NULL);
  close(fake_listener_accept(hybrid));
  int guest = fake_listener_accept(hybrid);
  g_assert_true(vsock_hybrid_answer(guest, 1));
  close(receive(proxy.end));
  g_autofree char *text = finish(&proxy, EXIT_OK);
  g_assert_cmpstr(text, ==, "");
  close(guest);
}

static void test_nobody(Fixture *fixture, gconstpointer data) {
  assert_says(NAME, 0, "eret: nobody listened on port 22 of the vsock of 'vm' for 0 s: the guest needs systemd 256 or newer with sshd");
  publish(fixture, MACHINE_PAUSED, 3);
  assert_says(NAME, 0, ": the machine is paused; 'eret attach vm' shows");
  publish(fixture, MACHINE_STARTING, 0);
  assert_says(NAME, 1, " for 1 s: the machine has not begun yet; ");
}

static void test_no_way(Fixture *fixture, gconstpointer data) {
  assert_says("other", LONG, "eret: there is no machine named 'other'");
  assert_says("../vm", LONG, "eret: '../vm' cannot be a machine's name");
  publish(fixture, MACHINE_RUNNING, 0);
  assert_says(NAME, LONG, "eret: the machine 'vm' has no vsock, by which its guest could be reached: start it with --ssh");
  publish(fixture, MACHINE_FAILED_TO_LAST, 3);
  assert_says(NAME, LONG, "eret: the machine 'vm' does not run any more");
}

static gpointer begin(gpointer fixture) {
  g_usleep(300000);
  publish(fixture, MACHINE_RUNNING, 3);
  return NULL;
}

/* Before it has begun it does not say how it is reached. */
static void test_await(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  publish(fixture, MACHINE_STARTING, 0);
  g_autoptr(KnownMachine) early = ssh_await_machine(NAME, 0, &error);
  g_assert_no_error(error);
  g_assert_cmpint(early->life, ==, MACHINE_STARTING);
  GThread *thread = g_thread_new("begin", begin, fixture);
  g_autoptr(KnownMachine) machine = ssh_await_machine(NAME, LONG, &error);
  g_assert_no_error(error);
  g_assert_cmpint(machine->life, ==, MACHINE_RUNNING);
  g_thread_join(thread);
  g_assert_null(ssh_await_machine("other", LONG, &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE);
}

/* Who answers there is none of ours. */
static void test_garbage(Fixture *fixture, gconstpointer data) {
  g_autoptr(VsockHybrid) hybrid = vsock_hybrid_new(fixture->path, NULL);
  Proxy proxy = start_proxy(NAME, LONG);
  int guest = fake_listener_accept(hybrid);

  g_assert_cmpint(write(guest, "220 mail\033c\n", 11), ==, 11);
  g_autofree char *text = finish(&proxy, EXIT_HOST);
  g_assert_cmpstr(text, ==, "eret: what answers there is no machine's vsock: \"220 mail\\u001bc\"\n");
  close(guest);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add("/ssh-proxy/" name, Fixture, NULL, set_up, function, tear_down)
  ADD("connection", test_connection);
  ADD("later", test_later);
  ADD("nobody", test_nobody);
  ADD("no-way", test_no_way);
  ADD("await", test_await);
  ADD("garbage", test_garbage);
  return g_test_run();
}
