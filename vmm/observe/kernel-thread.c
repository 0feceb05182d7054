/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel says nobody what his number is outside of his namespace, but writes it into the trace with all that he
 * does: so a thread writes a mark into a trace of its own, and looks who that was.
 */
#include "vmm/observe/kernel-thread.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <tracefs.h>
#include <unistd.h>

#include "vmm/observe/kernel-instance.h"
#include "vmm/observe/kernel-reader.h"
#include "vmm/observe/recording-file.h"

/* Linux, include/linux/proc_ns.h: PROC_PID_INIT_INO, of the namespace that is none. */
#define INITIAL_NAMESPACE 0xeffffffcu
#define BUFFER_KIB        8

struct KernelThreads {
  bool outside; /* of any namespace: the numbers are the same */
  KernelInstance own;
  KernelReader *reader;
  struct tep_handle *tep;
  int found;
};

static bool is_outside(void) {
  struct stat status;

  return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == INITIAL_NAMESPACE;
}

static bool open_marks(KernelThreads *threads) {
  static const char *const systems[] = {"ftrace", NULL};

  errno = 0;
  threads->tep = tracefs_local_events_system(tracefs_tracing_dir(), systems);
  return threads->tep && kernel_instance_open(&threads->own) &&
         tracefs_instance_set_buffer_size(threads->own.instance, BUFFER_KIB, -1) == 0 &&
         (threads->reader = kernel_reader_new(threads->own.instance));
}

KernelThreads *kernel_threads_new(GError **error) {
  KernelThreads *threads = g_new0(KernelThreads, 1);

  kernel_instance_init(&threads->own);
  threads->outside = is_outside();
  if (threads->outside || open_marks(threads))
    return threads;
  g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_IO, "cannot tell threads of this PID namespace in the kernel's trace: %s",
              g_strerror(errno));
  kernel_threads_free(threads);
  return NULL;
}

void kernel_threads_free(KernelThreads *threads) {
  if (!threads)
    return;
  kernel_reader_free(threads->reader);
  kernel_instance_close(&threads->own);
  tep_free(threads->tep);
  g_free(threads);
}

/* Nobody else writes there: the last one is ours. */
static void take_mark(void *opaque, struct tep_record *raw) {
  KernelThreads *threads = opaque;
  const struct tep_event *event = tep_find_event(threads->tep, tep_data_type(threads->tep, raw));

  if (event && strcmp(event->name, "print") == 0)
    threads->found = tep_data_pid(threads->tep, raw);
}

int kernel_threads_this(KernelThreads *threads) {
  if (threads->outside)
    return (int)syscall(SYS_gettid);
  threads->found = 0;
  if (tracefs_instance_file_write(threads->own.instance, "trace_marker", "eret") >= 0)
    kernel_reader_drain(threads->reader, take_mark, threads);
  return threads->found;
}
