/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance of the kernel's trace facilities of our own (tracefs: Linux Documentation/trace/ftrace.rst, "Instances"),
 * and what it has in its buffers, one a CPU (per_cpu/cpuN/trace_pipe_raw); the end of those whose process is gone. One
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <tracefs.h>

typedef struct {
  struct tracefs_instance *instance; /* NULL: none */
  int lock_fd;
  GArray *buffer_fds; /* of int, a CPU each; -1: there is no such CPU. NULL: not opened */
  struct kbuffer *page;
  uint8_t *bytes; /* of a page */
} KernelInstance;

#define KERNEL_INSTANCE_NONE ((KernelInstance){.lock_fd = -1})

/* Makes one, after those were removed that nobody has any more. False with errno. */
bool kernel_instance_open(KernelInstance *instance);
/* For kernel_instance_drain. False with errno. */
bool kernel_instance_open_buffers(KernelInstance *instance);
/*
 * Hands on all that there is now, each event once: of a CPU in the order of their times, of several not. RAW, whose
 * missed_events lie before it (-1: the kernel does not know how many), is gone when TAKE returns.
 */
void kernel_instance_drain(KernelInstance *instance, void (*take)(void *opaque, struct tep_record *raw), void *opaque);
/* Removes it. Takes one that is not open. */
void kernel_instance_close(KernelInstance *instance);

/*
 * The lock on the directory at PATH, which is kept as long as the descriptor is open. -1 with errno: EWOULDBLOCK where
 * another process has it, ENOENT where the directory is no longer the one at PATH.
 */
int kernel_instance_lock(const char *path);
