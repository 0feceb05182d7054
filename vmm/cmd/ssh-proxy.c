/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine is looked for anew each time that nobody listens: it may have ended meanwhile. On a terminal a line says
 * what is waited for.
 */
#include "vmm/cmd/ssh-proxy.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/message.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/control/known-machine.h"
#include "vmm/control/ssh-config.h"

#define PAUSE_US 250000 /* until the next try */

typedef struct {
  const char *name;
  int64_t began;
  bool shown;
} Wait;

static void show_waiting(void *opaque) {
  Wait *wait = opaque;

  if (!isatty(STDERR_FILENO))
    return;
  g_autofree char *text = g_strdup_printf("%s: waiting for sshd in the guest, %d s", wait->name,
                                          (int)((g_get_monotonic_time() - wait->began) / G_USEC_PER_SEC));
  message_show_status(text);
  wait->shown = true;
}

static void end_showing(Wait *wait) {
  if (wait->shown)
    message_show_status(NULL);
  wait->shown = false;
}

/* The connection, in a message of one byte: mm_receive_fd in OpenSSH's monitor_fdpass.c. */
static int hand_over(int fd) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec byte = {.iov_base = (char[1]){0}, .iov_len = 1};
  struct msghdr message = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  ssize_t sent;

  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  do
    sent = sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  int code = errno;
  close(fd);
  if (sent == 1)
    return EXIT_OK;
  complain_format("cannot hand the connection to ssh: %s", g_strerror(code));
  return EXIT_HOST;
}

static void complain_of_nobody(const KnownMachine *machine, unsigned wait) {
  const char *why = machine->life == MACHINE_PAUSED     ? "the machine is paused"
                    : machine->life == MACHINE_STARTING ? "the machine has not begun yet"
                                                        : "the guest needs systemd 256 or newer with sshd (Debian: openssh-server), and a "
                                                          "driver of virtio's vsock";
  complain_format("nobody listened on port %d of the vsock of '%s' for %u s: %s; 'eret attach %s' shows how far it has come, and --wait "
                  "SECONDS waits longer",
                  SSH_PORT, machine->name, wait, why, machine->name);
}

/* One try. False: *STATUS is how it came out. True: once more. */
static bool try_once(Wait *wait, const KnownMachine *machine, int64_t until, int *status) {
  const GuestPortPatience patience = {.until = until, .waiting = show_waiting, .opaque = wait};
  g_autoptr(GError) error = NULL;

  if (machine->life == MACHINE_STARTING)
    return true;
  int fd = guest_port_connect(&machine->sockets, SSH_PORT, &patience, &error);
  if (fd < 0 && g_error_matches(error, GUEST_PORT_ERROR, GUEST_PORT_ERROR_NOBODY))
    return true;
  end_showing(wait);
  *status = fd < 0 ? complain_of(error, EXIT_HOST) : hand_over(fd);
  return false;
}

KnownMachine *ssh_find_machine(const char *name, GError **error) {
  g_autoptr(KnownMachine) machine = known_machine_read(name, error);

  if (machine && !known_machine_lives(machine)) {
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE, "the machine '%s' does not run any more", name);
    return NULL;
  }
  if (machine && machine->life != MACHINE_STARTING && !machine->sockets.cid) {
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST,
                "the machine '%s' has no vsock, by which its guest could be reached: start it with --ssh", name);
    return NULL;
  }
  return g_steal_pointer(&machine);
}

static int64_t end_of(const Wait *wait, unsigned seconds) {
  return wait->began + (int64_t)seconds * G_USEC_PER_SEC;
}

static void pause_between(Wait *wait) {
  show_waiting(wait);
  g_usleep(PAUSE_US);
}

KnownMachine *ssh_await_machine(const char *name, unsigned seconds, GError **error) {
  Wait wait = {.name = name, .began = g_get_monotonic_time()};
  KnownMachine *machine;

  while ((machine = ssh_find_machine(name, error)) && machine->life == MACHINE_STARTING &&
         g_get_monotonic_time() < end_of(&wait, seconds)) {
    known_machine_free(machine);
    pause_between(&wait);
  }
  end_showing(&wait);
  return machine;
}

int ssh_proxy(const char *name, unsigned seconds) {
  Wait wait = {.name = name, .began = g_get_monotonic_time()};
  int64_t until = end_of(&wait, seconds);
  g_autoptr(KnownMachine) machine = NULL;
  g_autoptr(GError) error = NULL;
  bool waited_in_vain = false;
  int status = EXIT_HOST, type;

  /* Before a guest is troubled. */
  if (getsockopt(STDOUT_FILENO, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) != 0) {
    complain("--proxy is for ssh's ProxyCommand with ProxyUseFdpass=yes: standard output is no socket that a connection can go through");
    return EXIT_HOST;
  }
  while ((machine = ssh_find_machine(name, &error)) && try_once(&wait, machine, until, &status)) {
    waited_in_vain = g_get_monotonic_time() >= until;
    if (waited_in_vain)
      break;
    pause_between(&wait);
    g_clear_pointer(&machine, known_machine_free);
  }
  end_showing(&wait);
  if (error)
    return complain_of(error, EXIT_HOST);
  if (waited_in_vain)
    complain_of_nobody(machine, seconds);
  return status;
}
