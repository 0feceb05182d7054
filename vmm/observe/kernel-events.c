/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace instance (kernel-instance.h). Its clock is CLOCK_MONOTONIC ("mono"), its filter is a list of threads: this
 * one, and by the option event-fork whatever it makes.
 *
 * Locks: `lock` guards the table of vCPU threads and what tells threads; the rest is the recorder thread's.
 */
#include "vmm/observe/kernel-events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <tracefs.h>
#include <unistd.h>

#include "vmm/observe/kernel-decode.h"
#include "vmm/observe/kernel-instance.h"
#include "vmm/observe/recording-file.h"

/* KiB of the kernel's buffer: for each CPU, as long as there are not very many. */
#define BUFFER_KIB_CPU 8192
#define BUFFER_KIB_MIN 512
#define BUFFER_KIB_ALL 131072
/* And of that of the marks. */
#define MARKS_KIB 8

/* Linux, include/linux/proc_ns.h: PROC_PID_INIT_INO, of the namespace that is none. */
#define INITIAL_NAMESPACE 0xeffffffcu

/*
 * The numbers by which the trace knows threads. In a PID namespace, as containers have one, they are not those that a
 * thread has there. The kernel tells nobody what his is outside, but writes it into the trace with all that he does: so
 * a thread writes a mark into a trace of its own, and looks who that was.
 */
typedef struct {
  bool outside; /* of any namespace: the numbers are the same, and there is no other trace */
  KernelInstance own;
  struct tep_handle *tep;
  int found;
} Threads;

struct KernelEvents {
  KernelInstance own;
  struct tep_handle *tep;
  KernelDecoder *decoder;
  GMutex lock;
  Threads threads;
  GHashTable *vcpus; /* thread, as the kernel numbers it -> index + 1 */
  uint64_t missed;   /* what the reader was told of losses */
  void (*take)(void *opaque, const TraceRecord *record);
  void *opaque;
};

static bool fail(GError **error, const char *what) {
  const char *cure =
      errno == EACCES || errno == EPERM ? "; only root may trace the kernel: run eret as root, or let your user into tracefs" : "";
  g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_IO, "%s: %s%s", what, g_strerror(errno), cure);
  return false;
}

/* Threads. */

static bool is_outside(void) {
  struct stat status;

  return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == INITIAL_NAMESPACE;
}

static bool open_marks(Threads *threads) {
  static const char *const systems[] = {"ftrace", NULL};

  errno = 0;
  threads->tep = tracefs_local_events_system(tracefs_tracing_dir(), systems);
  return threads->tep && kernel_instance_open(&threads->own) &&
         tracefs_instance_set_buffer_size(threads->own.instance, MARKS_KIB, -1) == 0 && kernel_instance_open_buffers(&threads->own);
}

/* False: there is a PID namespace, and no way to look out of it. */
static bool open_threads(Threads *threads, GError **error) {
  threads->outside = is_outside();
  if (threads->outside || open_marks(threads))
    return true;
  g_set_error(error, RECORDING_ERROR, RECORDING_ERROR_IO, "cannot tell threads of this PID namespace in the kernel's trace: %s",
              g_strerror(errno));
  return false;
}

/* Nobody else writes there: the last one is ours. */
static void take_mark(void *opaque, struct tep_record *raw) {
  Threads *threads = opaque;
  const struct tep_event *event = tep_find_event(threads->tep, tep_data_type(threads->tep, raw));

  if (event && strcmp(event->name, "print") == 0)
    threads->found = tep_data_pid(threads->tep, raw);
}

/* Of the calling thread; 0: it cannot be told. One call at a time. */
static int this_thread(Threads *threads) {
  if (threads->outside)
    return (int)syscall(SYS_gettid);
  threads->found = 0;
  if (tracefs_instance_file_write(threads->own.instance, "trace_marker", "eret") >= 0)
    kernel_instance_drain(&threads->own, take_mark, threads);
  return threads->found;
}

/* Events. */

static bool write_file(KernelEvents *events, const char *file, const char *text, GError **error) {
  errno = 0;
  if (tracefs_instance_file_write(events->own.instance, file, text) >= 0)
    return true;
  g_autofree char *what = g_strdup_printf("cannot write '%s' to tracefs %s", text, file);
  return fail(error, what);
}

static bool set_up(KernelEvents *events, GError **error) {
  long cpus = MAX(1, sysconf(_SC_NPROCESSORS_CONF));
  long kib = CLAMP(BUFFER_KIB_ALL / cpus, BUFFER_KIB_MIN, BUFFER_KIB_CPU);
  int number = this_thread(&events->threads);
  g_autofree char *thread = g_strdup_printf("%d", number);
  unsigned enabled = 0;

  if (!number) {
    errno = ESRCH;
    return fail(error, "cannot find this thread in the kernel's trace");
  }
  errno = 0;
  if (tracefs_instance_set_buffer_size(events->own.instance, (size_t)kib, -1) < 0)
    return fail(error, "cannot size the kernel's trace buffer");
  if (!write_file(events, "trace_clock", "mono", error) || !write_file(events, "options/event-fork", "1", error) ||
      !write_file(events, "set_event_pid", thread, error))
    return false;
  for (unsigned i = 0; kernel_event_name(i); i++)
    enabled += tracefs_event_enable(events->own.instance, "kvm", kernel_event_name(i)) == 0;
  if (enabled == 0)
    return fail(error, "the kernel has no tracepoints of KVM");
  return write_file(events, "tracing_on", "1", error);
}

static bool open_instance(KernelEvents *events, GError **error) {
  static const char *const systems[] = {"kvm", NULL};

  errno = 0;
  const char *directory = tracefs_tracing_dir();
  if (!directory) {
    errno = errno ? errno : ENOENT;
    return fail(error, "tracefs is not mounted; mount -t tracefs nodev /sys/kernel/tracing");
  }
  if (access(directory, R_OK | X_OK) != 0)
    return fail(error, directory);
  if (!kernel_instance_open(&events->own))
    return fail(error, "cannot make an instance of the kernel's trace facilities (tracefs instances/)");
  errno = 0;
  events->tep = tracefs_local_events_system(directory, systems);
  if (!events->tep)
    return fail(error, "cannot read what KVM's tracepoints look like (tracefs events/kvm)");
  if (!kernel_instance_open_buffers(&events->own))
    return fail(error, "cannot read the kernel's trace (tracefs trace_pipe_raw)");
  events->decoder = kernel_decoder_new(events->tep);
  return open_threads(&events->threads, error) && set_up(events, error);
}

KernelEvents *kernel_events_open(GError **error) {
  KernelEvents *events = g_new0(KernelEvents, 1);

  events->own = events->threads.own = KERNEL_INSTANCE_NONE;
  g_mutex_init(&events->lock);
  events->vcpus = g_hash_table_new(NULL, NULL);
  if (open_instance(events, error))
    return events;
  kernel_events_free(events);
  return NULL;
}

void kernel_events_free(KernelEvents *events) {
  if (!events)
    return;
  kernel_instance_close(&events->own);
  kernel_instance_close(&events->threads.own);
  tep_free(events->threads.tep);
  kernel_decoder_free(events->decoder);
  tep_free(events->tep);
  g_hash_table_unref(events->vcpus);
  g_mutex_clear(&events->lock);
  g_free(events);
}

void kernel_events_this_is_vcpu(KernelEvents *events, unsigned index) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&events->lock);
  g_hash_table_insert(events->vcpus, GINT_TO_POINTER(this_thread(&events->threads)), GUINT_TO_POINTER(index + 1));
}

const char *kernel_events_place(void) {
  return tracefs_tracing_dir();
}

void kernel_events_stop(KernelEvents *events) {
  tracefs_trace_off(events->own.instance);
}

/*
 * The gap lies before this event. The kernel may not know how many there were (-1): then it is a gap of unknown size.
 */
static void take_loss(KernelEvents *events, const struct tep_record *raw) {
  uint64_t n = raw->missed_events > 0 ? (uint64_t)raw->missed_events : 0;
  const TraceRecord loss = {.time = raw->ts, .kind = TRACE_LOST, .vcpu = TRACE_NO_VCPU, .a = n, .b = TRACE_SOURCE_KERNEL};

  events->missed += n;
  events->take(events->opaque, &loss);
}

static void take_event(void *opaque, struct tep_record *raw) {
  KernelEvents *events = opaque;
  TraceRecord record;

  if (raw->missed_events)
    take_loss(events, raw);
  if (!kernel_decode(events->decoder, tep_data_type(events->tep, raw), raw, &record))
    return;
  g_mutex_lock(&events->lock);
  unsigned place = GPOINTER_TO_UINT(g_hash_table_lookup(events->vcpus, GINT_TO_POINTER(tep_data_pid(events->tep, raw))));
  g_mutex_unlock(&events->lock);
  if (place)
    record.vcpu = (uint16_t)(place - 1);
  events->take(events->opaque, &record);
}

void kernel_events_drain(KernelEvents *events, void (*take)(void *opaque, const TraceRecord *record), void *opaque) {
  events->take = take;
  events->opaque = opaque;
  kernel_instance_drain(&events->own, take_event, events);
}

/* per_cpu/cpuN/stats has lines "overrun: N" and "dropped events: N". */
uint64_t kernel_events_lost(KernelEvents *events) {
  static const char *const lines[] = {"\noverrun: ", "\ndropped events: "};
  long cpus = sysconf(_SC_NPROCESSORS_CONF);
  uint64_t lost = 0;

  for (long cpu = 0; cpu < cpus; cpu++) {
    g_autofree char *file = g_strdup_printf("per_cpu/cpu%ld/stats", cpu);
    char *text = tracefs_instance_file_read(events->own.instance, file, NULL); /* malloc's */
    for (unsigned i = 0; text && i < G_N_ELEMENTS(lines); i++) {
      const char *found = strstr(text, lines[i]);
      lost += found ? g_ascii_strtoull(found + strlen(lines[i]), NULL, 10) : 0;
    }
    free(text);
  }
  return MAX(lost, events->missed);
}
