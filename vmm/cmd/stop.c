/* SPDX-License-Identifier: Apache-2.0 */
/* `eret stop NAME`: presses the power button of a machine, and waits for its end. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/backend/message.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/one-machine.h"
#include "vmm/control/known-machine.h"

#define TICK_MS      1000
#define WAIT_DEFAULT 60
#define WAIT_MAX     86400

typedef struct {
  bool force;
  unsigned wait; /* seconds */
} Arguments;

static const Option options[] = {
    OPTION("force", FLAG, Arguments, force, NULL, "End its process at once, without the guest's being asked or its devices' being quiet."),
    OPTION("wait", NUMBER, Arguments, wait, "SECONDS", "How long to wait for its end (default: 60); 0: not at all.", .max = WAIT_MAX,
           .unit = "seconds"),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet stop_option_set = {
    .command = "stop",
    .usage = "Usage: eret stop NAME [OPTION]...\n"
             "Press the power button of a machine that was given a name, and wait until it has ended: the guest has the time that its "
             "--grace gives it. Of a machine that failed or crashed, what it left is cleared away.",
    .tables = {options},
    .operands_max = 1,
    .explain_stray = one_machine_explain_stray,
};

/* Whether the process of FD ends in time; on a terminal a line says that somebody waits. */
static bool wait_for_end(int fd, const char *name, unsigned seconds) {
  int64_t until = g_get_monotonic_time() + (int64_t)seconds * G_USEC_PER_SEC;
  struct pollfd ended = {.fd = fd, .events = POLLIN};
  unsigned waited = 0;

  for (;;) {
    int64_t left = (until - g_get_monotonic_time()) / 1000;
    int polled = poll(&ended, 1, (int)CLAMP(left, 0, TICK_MS));
    if (polled > 0 || (polled == 0 && left <= 0))
      break;
    if (polled == 0 && isatty(STDERR_FILENO)) {
      g_autofree char *text = g_strdup_printf("%s: waiting for the guest to power off, %u s", name, ++waited);
      message_show_status(text);
    }
  }
  if (waited)
    message_show_status(NULL);
  return ended.revents & POLLIN;
}

/* It has ended: what is left of it goes, and that is said unless it was wanted so. */
static int clear(const KnownMachine *machine, bool say) {
  g_autoptr(GError) error = NULL;

  if (!runtime_directory_clear(machine->name, &error))
    return complain_of(error, EXIT_HOST);
  if (say && machine->life == MACHINE_FAILED_TO_LAST)
    printf("%s: had failed with exit status %d; cleared away\n", machine->name, machine->status);
  else if (say)
    printf("%s: had crashed; cleared away\n", machine->name);
  return EXIT_OK;
}

/* How it ended, if it was not well: then it has left a word. */
static int tell_end(const char *name, bool forced) {
  g_autoptr(KnownMachine) machine = known_machine_read(name, NULL);

  if (!machine || known_machine_lives(machine))
    return EXIT_OK;
  return clear(machine, !forced);
}

static int stop(const KnownMachine *machine, const Arguments *arguments) {
  g_autoptr(GError) error = NULL;
  int fd = known_machine_open_process(machine, &error);

  if (fd < 0)
    return complain_of(error, EXIT_HOST);
  int status = EXIT_OK;
  if (syscall(SYS_pidfd_send_signal, fd, arguments->force ? SIGKILL : SIGTERM, NULL, 0) < 0 && errno != ESRCH) {
    complain_format("cannot stop the machine '%s': %s", machine->name, g_strerror(errno));
    status = EXIT_HOST;
  } else if (arguments->wait && !wait_for_end(fd, machine->name, arguments->wait)) {
    complain_format("the machine '%s' has not ended within %u s; once more, or with --force, it is ended at once", machine->name,
                    arguments->wait);
    status = EXIT_HOST;
  } else if (arguments->wait) {
    status = tell_end(machine->name, arguments->force);
  }
  close(fd);
  return status;
}

int cmd_stop(int argc, char **argv) {
  Arguments arguments = {.wait = WAIT_DEFAULT};
  void *const records[] = {&arguments};
  g_autoptr(OptionDraft) draft = option_read(&stop_option_set, records, argc, argv);
  g_autoptr(GError) error = NULL;
  int status;
  const char *name = one_machine_of(draft, &status);

  if (!name)
    return status;
  g_autoptr(KnownMachine) machine = known_machine_read(name, &error);
  if (!machine)
    return complain_of(error, EXIT_HOST);
  return known_machine_lives(machine) ? stop(machine, &arguments) : clear(machine, true);
}
