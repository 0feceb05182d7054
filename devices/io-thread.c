/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread for a device's queues: a GMainContext of its own, iterated until the thread is freed. Watches are sources on
 * it with one descriptor each; calls are one-shot sources of the same priority, which GLib dispatches in the order they
 * were attached.
 *
 * Locks: none of its own beyond GLib's on the context. Only io_thread_call waits, on a lock that lives on its caller's
 * stack. `thread` is written by its starter alone, before anybody calls.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include "devices/io-thread.h"

#include <glib-unix.h>
#include <sched.h>
#include <signal.h>

struct IoThread {
  char *name;
  cpu_set_t cpus; /* its maker's: a vCPU's thread that starts it may be bound to one */
  bool has_cpus;
  GMainContext *context;
  GThread *thread; /* NULL: not started */
  gboolean stop;   /* the thread's own */
};

struct IoSource {
  GSource source; /* first */
  void (*ready)(void *opaque);
  void *opaque;
};

/* One function to run on the thread; FINISHED belongs to a caller that waits. */
typedef struct {
  void (*function)(void *opaque);
  void *opaque;
} IoPost;

typedef struct {
  void (*function)(void *opaque);
  void *opaque;
  GMutex lock;
  GCond returned;
  gboolean done;
} IoCall;

/*
 * Signals to the process are for other threads, and those that a write of this thread raises (SIGPIPE, SIGXFSZ on a
 * file beyond the process's limit) are the write's error code and must not end the machine. Faults of the thread itself
 * stay deliverable.
 */
static void block_signals(void) {
  static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
  sigset_t blocked;

  sigfillset(&blocked);
  for (unsigned i = 0; i < G_N_ELEMENTS(faults); i++)
    sigdelset(&blocked, faults[i]);
  pthread_sigmask(SIG_BLOCK, &blocked, NULL);
}

static void *run(void *data) {
  IoThread *thread = data;

  block_signals();
  if (thread->has_cpus)
    sched_setaffinity(0, sizeof thread->cpus, &thread->cpus);
  g_main_context_push_thread_default(thread->context);
  while (!thread->stop)
    g_main_context_iteration(thread->context, TRUE);
  g_main_context_pop_thread_default(thread->context);
  return NULL;
}

static void stop(void *opaque) {
  IoThread *thread = opaque;

  thread->stop = TRUE;
}

IoThread *io_thread_new(const char *name) {
  IoThread *thread = g_new0(IoThread, 1);

  thread->name = g_strdup(name);
  thread->has_cpus = sched_getaffinity(0, sizeof thread->cpus, &thread->cpus) == 0; /* not on a host with more than 1,024 */
  thread->context = g_main_context_new();
  return thread;
}

bool io_thread_start(IoThread *thread, GError **error) {
  if (!thread->thread)
    thread->thread = g_thread_try_new(thread->name, run, thread, error);
  return thread->thread != NULL;
}

void io_thread_free(IoThread *thread) {
  if (!thread)
    return;
  if (thread->thread) {
    io_thread_post(thread, stop, thread);
    g_thread_join(thread->thread);
  }
  g_main_context_unref(thread->context);
  g_free(thread->name);
  g_free(thread);
}

static gboolean source_dispatch(GSource *base, GSourceFunc callback, gpointer data) {
  IoSource *source = (IoSource *)base;

  source->ready(source->opaque);
  return G_SOURCE_CONTINUE;
}

/* Neither prepare nor check: GLib then goes by the descriptor alone. */
static GSourceFuncs source_funcs = {.dispatch = source_dispatch};

static IoSource *add_source(IoThread *thread, int fd, GIOCondition condition, void (*ready)(void *opaque), void *opaque) {
  IoSource *source = (IoSource *)g_source_new(&source_funcs, sizeof *source);

  source->ready = ready;
  source->opaque = opaque;
  /*
   * It is never dispatched within itself. GLib, which does not know, would take its descriptor away meanwhile, and wake
   * itself up for that.
   */
  g_source_set_can_recurse(&source->source, TRUE);
  g_source_add_unix_fd(&source->source, fd, condition);
  g_source_attach(&source->source, thread->context);
  return source;
}

IoSource *io_thread_add_source(IoThread *thread, int fd, void (*ready)(void *opaque), void *opaque) {
  return add_source(thread, fd, G_IO_IN, ready, opaque);
}

IoSource *io_thread_add_output_source(IoThread *thread, int fd, void (*ready)(void *opaque), void *opaque) {
  return add_source(thread, fd, G_IO_OUT, ready, opaque);
}

void io_source_free(IoSource *source) {
  if (!source)
    return;
  /* Elsewhere READY could be running right now, and the promise in the header would be empty. */
  g_assert(g_main_context_is_owner(g_source_get_context(&source->source)));
  g_source_destroy(&source->source);
  g_source_unref(&source->source);
}

static gboolean post_run(gpointer data) {
  const IoPost *post = data;

  post->function(post->opaque);
  return G_SOURCE_REMOVE;
}

void io_thread_post(IoThread *thread, void (*function)(void *opaque), void *opaque) {
  IoPost *post = g_new(IoPost, 1);
  GSource *source = g_idle_source_new();

  *post = (IoPost){.function = function, .opaque = opaque};
  /* The same priority as the sources: posts can neither starve them nor be starved. */
  g_source_set_priority(source, G_PRIORITY_DEFAULT);
  g_source_set_callback(source, post_run, post, g_free);
  g_source_attach(source, thread->context);
  g_source_unref(source);
}

static void call_run(void *opaque) {
  IoCall *call = opaque;

  call->function(call->opaque);
  g_mutex_lock(&call->lock);
  call->done = TRUE;
  g_cond_signal(&call->returned);
  g_mutex_unlock(&call->lock);
}

void io_thread_call(IoThread *thread, void (*function)(void *opaque), void *opaque) {
  IoCall call = {.function = function, .opaque = opaque};

  g_assert(thread->thread); /* or nobody would ever answer */
  if (g_thread_self() == thread->thread) {
    function(opaque);
    return;
  }
  g_mutex_init(&call.lock);
  g_cond_init(&call.returned);
  io_thread_post(thread, call_run, &call);
  g_mutex_lock(&call.lock);
  while (!call.done)
    g_cond_wait(&call.returned, &call.lock);
  g_mutex_unlock(&call.lock);
  g_cond_clear(&call.returned);
  g_mutex_clear(&call.lock);
}
