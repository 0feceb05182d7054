/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance of the kernel's trace facilities of our own (tracefs: Linux Documentation/trace/ftrace.rst, "Instances"),
 * and the end of those whose process is gone. One thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <tracefs.h>

typedef struct {
  struct tracefs_instance *instance; /* NULL: none */
  int lock_fd;
} KernelInstance;

#define KERNEL_INSTANCE_NONE ((KernelInstance){.lock_fd = -1})

/* Makes one, after those were removed that nobody has any more. False with errno. */
bool kernel_instance_open(KernelInstance *instance);
/* Removes it. Takes one that is not open. */
void kernel_instance_close(KernelInstance *instance);

/*
 * The lock on the directory at PATH, which is kept as long as the descriptor is open. -1 with errno: EWOULDBLOCK where
 * another process has it, ENOENT where the directory is no longer the one at PATH.
 */
int kernel_instance_lock(const char *path);
