/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what an instance of the kernel's trace facilities has in its buffers, one a CPU (tracefs: Linux
 * Documentation/trace/ftrace.rst, per_cpu/cpuN/trace_pipe_raw). One thread.
 */
#pragma once

#include <stdbool.h>
#include <tracefs.h>

typedef struct KernelReader KernelReader;

/* NULL with errno. INSTANCE must outlive it. */
KernelReader *kernel_reader_new(struct tracefs_instance *instance);
void kernel_reader_free(KernelReader *reader); /* takes NULL */

/*
 * Hands on all that there is now, each event once: of a CPU in the order of their times, of several not. RAW, whose
 * missed_events lie before it (-1: the kernel does not know how many), is gone when TAKE returns.
 */
void kernel_reader_drain(KernelReader *reader, void (*take)(void *opaque, struct tep_record *raw), void *opaque);
