/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command on the console, for `eret run --image`: the first process of a session whose terminal that is, so that
 * its shell has job control. The host is told of its end by a call at the doorbell page (docs/hypercalls.md), which
 * ends the machine with the command's status; where the kernel lets nobody reach that page, the machine powers off.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest-images/eret-hypercall.h"
#include "init.h"

/* As eret exec has them. */
#define STATUS_NOT_FOUND 127
#define STATUS_NOT_RUN   126
#define STATUS_MISSING   247

/* /dev/console is nobody's controlling terminal; the last of these names is what it leads to. */
static int open_terminal(void) {
  char names[256], path[300];
  FILE *file = fopen("/sys/class/tty/console/active", "re");
  size_t size = file ? fread(names, 1, sizeof names - 1, file) : 0;

  if (file)
    fclose(file);
  names[size] = 0;
  names[strcspn(names, "\n")] = 0;
  const char *blank = strrchr(names, ' ');
  snprintf(path, sizeof path, "/dev/%s", blank ? blank + 1 : names);
  int fd = size ? open(path, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  return fd >= 0 ? fd : open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static _Noreturn void child(const Spec *spec) {
  int terminal = open_terminal();

  setsid();
  if (terminal >= 0) {
    ioctl(terminal, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++)
      dup2(terminal, i);
  }
  CommandStep step = become_command(spec);
  int reason = errno;
  console_say("%s: %s", command_step_text(spec, step), strerror(reason));
  _exit(step == COMMAND_PROGRAM && reason == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN);
}

/* Everybody's children end up here. Whether COMMAND is among those that have ended, with *STATUS. */
static bool has_ended(pid_t command, int *status) {
  int how;

  for (pid_t pid; (pid = waitpid(-1, &how, WNOHANG)) > 0;)
    if (pid == command) {
      *status = how;
      return true;
    }
  return false;
}

/* The power button is for the command to hear, as SIGTERM: what it does then is its own matter. */
static int wait_for(pid_t command) {
  struct signalfd_siginfo info;
  sigset_t signals;
  int status = 0;

  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  struct pollfd ready[] = {{.fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), .events = POLLIN},
                           {.fd = open_button(), .events = POLLIN}};
  while (!has_ended(command, &status)) {
    poll(ready, 2, -1);
    while (read(ready[0].fd, &info, sizeof info) > 0)
      ;
    if (button_pressed(ready[1].fd))
      kill(-command, SIGTERM);
  }
  return status;
}

/* Its exit status, as a shell has it. */
static int run(const Spec *spec) {
  sigset_t signals;

  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  pid_t command = fork();
  if (command == 0)
    child(spec);
  if (command < 0) {
    console_say("cannot fork: %s", strerror(errno));
    return STATUS_NOT_RUN;
  }
  int status = wait_for(command);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Returns only where that cannot be. */
static void tell_status(const char *door, int status) {
  uint64_t address = strtoull(door, NULL, 0), in_page = address % (uint64_t)sysconf(_SC_PAGESIZE);
  int fd = address ? open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC) : -1; /* O_SYNC: as a device */
  char *map = fd < 0 ? MAP_FAILED : mmap(NULL, in_page + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(address - in_page));

  if (map == MAP_FAILED || eret_page_read32(map + in_page, ERET_PAGE_MAGIC) != ERET_MAGIC)
    return;
  if (eret_exit((struct eret_door){ERET_DOOR_PAGE, map + in_page}, (uint64_t)status) == ERET_SUCCESS)
    for (;;)
      pause();
}

void run_on_console(const Spec *spec, bool can_run) {
  int status = can_run ? run(spec) : STATUS_MISSING;

  tcdrain(STDOUT_FILENO);
  sync();
  tell_status(spec->door, status);
  if (status)
    console_say("the command's status is %d, and nobody can be told: this kernel has no /dev/mem, or nothing is at its address", status);
  tcdrain(STDOUT_FILENO);
  power_off();
}
