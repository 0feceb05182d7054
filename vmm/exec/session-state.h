/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an ExecSession, for its two halves: while the machine runs (session.c), and what is left to do then
 * (session-end.c).
 */
#pragma once

#include "devices/virtio/console-ports.h"
#include "vmm/exec/console-log.h"
#include "vmm/exec/console-show.h"
#include "vmm/exec/copy-out.h"
#include "vmm/exec/result-file.h"
#include "vmm/exec/session.h"
#include "vmm/machine/machine.h"
#include "vmm/observe/recorder.h"

#define TAIL_LINES     40
#define READER_SECONDS 5 /* that our output's reader may stand still before it is said what is waited for */

enum { PORT_CONTROL, PORT_STDIN, PORT_STDOUT, PORT_STDERR, PORT_FILES, N_PORTS };

#define STILL_PAUSED (1u << 31)

struct ExecSession {
  const ExecOptions *options;
  OutputFile *result; /* or NULL */
  Tell tell;
  Machine *machine;
  MachineClient client;
  VirtioConsolePort ports[N_PORTS];
  CharBackend *console; /* what the kernel writes */
  GuestOutcome *outcome;
  ConsoleLog *log;
  ConsoleShow *show; /* NULL: not wanted */
  CopyOut *files;    /* NULL: nothing is to come */
  GString *line;     /* of the control channel, not complete yet */
  guint timer, grace_timer, reader_timer;
  bool running, asked, ending;
  bool started, said_done, files_came; /* what init has said */
  unsigned warnings;                   /* of its, that were shown */
  bool done;                           /* and all that came before has been read */
  bool files_finished;
  uint32_t drained; /* ports whose last byte has been taken; a bit each */
  uint32_t still;   /* why the guest's clocks stand still: ports whose reader takes nothing, and STILL_PAUSED */
  uint64_t taken;   /* bytes of the command's output, at the last look */
  ExecTimes times;
};

/* The reader of descriptor FD takes nothing: says so on standard error, unless that itself is not read. */
void exec_say_who_is_waited_for(int fd);
/* After the machine's END, with its ERROR or NULL: says and writes everything; returns the exit status. */
int exec_session_end(ExecSession *session, MachineEnd end, const GError *error);
