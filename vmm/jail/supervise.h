/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a program as if one were it: what is sent to this process reaches the program, once; where it stops, this
 * process stops, and its shell sees that. Linux: signal(7), credentials(7) "Process groups and sessions".
 */
#pragma once

#include <signal.h>
#include <sys/types.h>

typedef struct {
  sigset_t mask; /* the one before */
} Supervision;

/* Before the program's process is made: from now on signals wait for supervise(). */
void supervise_begin(Supervision *supervision);
/*
 * In the program's process, before it becomes the program: a process group of its own, with the terminal; signals as
 * before.
 */
void supervise_child(const Supervision *supervision);
/* Until PID, a child, has ended; others that end meanwhile are forgotten. The status is as of waitpid(2). */
int supervise(pid_t pid);
/* All children end, and are forgotten; FIRST, which was killed, before others (0: there is none). */
void supervise_kill_children(pid_t first);
/* Afterwards: signals as before. */
void supervise_end(const Supervision *supervision);
