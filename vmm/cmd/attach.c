/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret attach NAME`: the console of a machine that runs in another process (devices/backend/console-server.h). Keys
 * are read whether the machine takes them or not, so that Ctrl-A d works in any case.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/escape.h"
#include "devices/backend/raw-mode.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/one-machine.h"
#include "vmm/control/known-machine.h"

#define TYPED_MAX    4096 /* keys that wait for the machine */
#define CHUNK        16384
#define ANSWER_MAX   8 /* "write\n" */
#define ANSWER_MS    5000
#define KEYS_AT_ONCE (TYPED_MAX / 2 / ESCAPE_MAX_OUTPUT)

typedef struct {
  bool read_only;
} Arguments;

static const Option options[] = {
    OPTION("read-only", FLAG, Arguments, read_only, NULL, "Only look; leave typing to others."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet attach_option_set = {
    .command = "attach",
    .usage = "Usage: eret attach NAME [OPTION]...\n"
             "Show the console of a machine that was given a name: what it wrote last, and what follows. The first who attaches may type, "
             "unless somebody does so where it was started; all others only read. Ctrl-A d leaves it, Ctrl-A h lists the keys.",
    .tables = {options},
    .operands_max = 1,
    .explain_stray = one_machine_explain_stray,
};

typedef enum { STAYS, LEFT, ENDED, BROKEN } Fate;

typedef struct {
  int fd;
  bool writes, is_terminal, input_ended;
  Escape escape;
  uint8_t typed[TYPED_MAX];
  size_t n_typed;
  const char *why; /* BROKEN */
} Attachment;

static bool write_all(int fd, const void *bytes, size_t size) {
  for (size_t done = 0; done < size;) {
    ssize_t written = write(fd, (const char *)bytes + done, size - done);
    if (written < 0 && errno != EINTR)
      return false;
    done += written > 0 ? (size_t)written : 0;
  }
  return true;
}

/* The server's answer, up to its line's end; what follows is the console's. */
static bool read_answer(int fd, char answer[ANSWER_MAX + 1]) {
  struct pollfd readable = {.fd = fd, .events = POLLIN};

  for (size_t n = 0; n < ANSWER_MAX && poll(&readable, 1, ANSWER_MS) > 0; n++) {
    if (recv(fd, answer + n, 1, 0) != 1)
      return false;
    answer[n + 1] = 0;
    if (answer[n] == '\n')
      return true;
  }
  return false;
}

static bool greet(Attachment *attachment, bool read_only, const char *name) {
  const char *hello = read_only ? "console read\n" : "console write\n";
  char answer[ANSWER_MAX + 1] = "";

  if (send(attachment->fd, hello, strlen(hello), MSG_NOSIGNAL) != (ssize_t)strlen(hello) || !read_answer(attachment->fd, answer))
    complain_format("the machine '%s' does not answer", name);
  else if (strcmp(answer, "busy\n") == 0)
    complain_format("the machine '%s' has as many at its console as it takes; try again when one has left", name);
  else if (strcmp(answer, "write\n") != 0 && strcmp(answer, "read\n") != 0)
    complain_format("the machine '%s' answers what eret %s does not understand", name, ERET_VERSION);
  else {
    attachment->writes = answer[0] == 'w';
    return true;
  }
  return false;
}

static Fate take_key(Attachment *attachment, uint8_t key) {
  uint8_t bytes[ESCAPE_MAX_OUTPUT];
  unsigned n;
  EscapeCommand command = escape_byte(&attachment->escape, key, bytes, &n);

  if (command == ESCAPE_HELP && !write_all(STDOUT_FILENO, escape_help_attached, strlen(escape_help_attached)))
    return BROKEN;
  if (attachment->writes && attachment->n_typed + n <= TYPED_MAX) {
    memcpy(attachment->typed + attachment->n_typed, bytes, n);
    attachment->n_typed += n;
  }
  return command == ESCAPE_DETACH ? LEFT : STAYS;
}

static Fate read_input(Attachment *attachment) {
  uint8_t keys[KEYS_AT_ONCE];
  ssize_t got = read(STDIN_FILENO, keys, sizeof keys);
  Fate fate = STAYS;

  if (got < 0 && (errno == EINTR || errno == EAGAIN))
    return STAYS;
  attachment->input_ended = got <= 0;
  for (ssize_t i = 0; i < got && fate == STAYS && attachment->is_terminal; i++)
    fate = take_key(attachment, keys[i]);
  if (!attachment->is_terminal && attachment->writes && got > 0) {
    memcpy(attachment->typed + attachment->n_typed, keys, (size_t)got);
    attachment->n_typed += (size_t)got;
  }
  return fate;
}

static Fate send_typed(Attachment *attachment) {
  ssize_t sent = send(attachment->fd, attachment->typed, attachment->n_typed, MSG_NOSIGNAL | MSG_DONTWAIT);

  if (sent < 0)
    return errno == EAGAIN || errno == EINTR ? STAYS : ENDED;
  attachment->n_typed -= (size_t)sent;
  memmove(attachment->typed, attachment->typed + sent, attachment->n_typed);
  return STAYS;
}

static Fate show_output(Attachment *attachment) {
  uint8_t bytes[CHUNK];
  ssize_t got = recv(attachment->fd, bytes, sizeof bytes, 0);

  if (got <= 0)
    return got < 0 && errno == EINTR ? STAYS : ENDED;
  if (write_all(STDOUT_FILENO, bytes, (size_t)got))
    return STAYS;
  attachment->why = g_strerror(errno);
  return BROKEN;
}

/* Of a terminal always, so that Ctrl-A d is heard; of a pipe no more than the machine takes. */
static bool wants_input(const Attachment *attachment) {
  return !attachment->input_ended && (attachment->is_terminal || attachment->n_typed + KEYS_AT_ONCE <= TYPED_MAX);
}

static Fate serve(Attachment *attachment) {
  Fate fate = STAYS;

  while (fate == STAYS) {
    struct pollfd fds[] = {
        {.fd = attachment->fd, .events = (short)(POLLIN | (attachment->n_typed ? POLLOUT : 0))},
        {.fd = wants_input(attachment) ? STDIN_FILENO : -1, .events = POLLIN},
    };
    if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
      continue;
    if (fds[1].revents)
      fate = read_input(attachment);
    if (fate == STAYS && fds[0].revents & POLLOUT)
      fate = send_typed(attachment);
    if (fate == STAYS && fds[0].revents & (POLLIN | POLLHUP | POLLERR))
      fate = show_output(attachment);
  }
  return fate;
}

static int attach(Attachment *attachment, const char *name) {
  g_autoptr(GError) error = NULL;

  if (attachment->is_terminal) {
    fprintf(stderr, "%s%s; Ctrl-A d leaves it, Ctrl-A h lists the keys\n", name,
            attachment->writes ? "" : ": to read only, as another writes");
    if (!raw_mode_enter(STDIN_FILENO, &error))
      return complain_of(error, EXIT_HOST);
  }
  Fate fate = serve(attachment);
  raw_mode_leave(STDIN_FILENO);
  if (fate == BROKEN) {
    complain_format("cannot write standard output%s%s", attachment->why ? ": " : "", attachment->why ? attachment->why : "");
    return EXIT_HOST;
  }
  if (attachment->is_terminal)
    fprintf(stderr, "\n%s: %s\n", name, fate == LEFT ? "left; the machine goes on" : "the machine has ended");
  return EXIT_OK;
}

int cmd_attach(int argc, char **argv) {
  Arguments arguments = {0};
  void *const records[] = {&arguments};
  g_autoptr(OptionDraft) draft = option_read(&attach_option_set, records, argc, argv);
  g_autoptr(GError) error = NULL;
  Attachment attachment = {.is_terminal = isatty(STDIN_FILENO), .escape = {.attached = true}};
  int status;
  const char *name = one_machine_of(draft, &status);

  if (!name)
    return status;
  attachment.fd = runtime_directory_connect(name, MACHINE_CONSOLE, &error);
  if (attachment.fd < 0)
    return complain_of(error, EXIT_HOST);
  status = greet(&attachment, arguments.read_only, name) ? attach(&attachment, name) : EXIT_HOST;
  close(attachment.fd);
  return status;
}
