/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers by which the kernel's trace facilities know threads. In a PID namespace, as containers have one, they are
 * not those that a thread has there. Calls from several threads come one at a time.
 */
#pragma once

#include <glib.h>

typedef struct KernelThreads KernelThreads;

/* NULL with error: there is a PID namespace, and no way to look out of it. */
KernelThreads *kernel_threads_new(GError **error);
void kernel_threads_free(KernelThreads *threads);
/* Of the calling thread; 0: it cannot be told. */
int kernel_threads_this(KernelThreads *threads);
