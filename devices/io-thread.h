/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that serves one device's queues and never touches the main loop or a device's lock: it waits for descriptors
 * and for calls.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct IoThread IoThread;
typedef struct IoSource IoSource;
typedef struct IoTimer IoTimer;

#define IO_THREAD_NAME_MAX 15 /* prctl(2), PR_SET_NAME */

/*
 * What a machine has each of its threads do before anything else, and who makes it: a thread begins with the
 * system-call filter of its maker, and a vCPU's allows less than a device needs.
 */
typedef struct {
  IoThread *maker;             /* one that was started with NULL; NULL: whoever starts it */
  void (*enter)(void *opaque); /* on the new thread; NULL: nothing */
  void *opaque;
} IoThreads;

/*
 * NAME (at most IO_THREAD_NAME_MAX characters) will be the thread's name in /proc. There is no thread before
 * io_thread_start: what is posted waits for it. It will run on the CPUs that its maker may use, whoever starts it. NULL
 * where the process has no descriptors left.
 */
IoThread *io_thread_new(const char *name, GError **error);
/*
 * Makes the thread, if there is none, as THREADS say, which outlive it; NULL: as the caller is. False where the host
 * gives no more: try again later, or do without. Then it runs until io_thread_free, which joins it.
 */
bool io_thread_start(IoThread *thread, const IoThreads *threads, GError **error);
void io_thread_free(IoThread *thread); /* takes NULL; all sources must be gone */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IoThread, io_thread_free)

/*
 * Calls READY on the thread whenever FD is readable (level-triggered), until the source is freed. Any thread may create
 * one.
 */
IoSource *io_thread_add_source(IoThread *thread, int fd, void (*ready)(void *opaque), void *opaque);
/* The same for FD being writable. */
IoSource *io_thread_add_output_source(IoThread *thread, int fd, void (*ready)(void *opaque), void *opaque);
/*
 * On the I/O thread itself, or from elsewhere through io_thread_call. READY is not called any more afterwards. Takes
 * NULL.
 */
void io_source_free(IoSource *source);

/*
 * Runs FUNCTION on the thread: call, of one that was started, waits until it has returned (from the thread itself: runs
 * at once), post does not wait. Order is kept.
 */
void io_thread_call(IoThread *thread, void (*function)(void *opaque), void *opaque);
void io_thread_post(IoThread *thread, void (*function)(void *opaque), void *opaque);

/*
 * READY is called on the thread, once for each time that the timer is set, NS nanoseconds later or a little after; set
 * again meanwhile, or cancelled, not then. All of it is for the I/O thread itself. free takes NULL.
 */
IoTimer *io_thread_add_timer(IoThread *thread, void (*ready)(void *opaque), void *opaque);
void io_timer_set(IoTimer *timer, uint64_t ns);
void io_timer_cancel(IoTimer *timer);
void io_timer_free(IoTimer *timer);
