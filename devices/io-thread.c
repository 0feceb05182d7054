/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread for a device's queues: ppoll(2) over the descriptors of its sources, timers, and posts, first come first
 * served. What a device's latency consists of goes through here twice a request, so this is as little as it can be: a
 * poll, and a look at each source.
 *
 * In each turn the posts that are there run, then the sources that are ready, then the timers that are due; what is
 * posted or added meanwhile has the next turn. So none can starve another. A source or timer that was freed is not run
 * any more, and goes when the next turn begins.
 *
 * Locks: `lock`, which guards `posts`, `fresh` and `asleep`, and is never held while anything runs. io_thread_call
 * waits on a lock that lives on its caller's stack. `self` is atomic.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include "devices/io-thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND UINT64_C(1000000000)

struct IoThread {
  char *name;
  cpu_set_t cpus; /* its maker's: a vCPU's thread that starts it may be bound to one */
  bool has_cpus;
  GThread *thread;          /* NULL: not started; its starter's */
  GThread *self;            /* the same, as the thread itself knows it */
  const IoThreads *threads; /* of its start; or NULL */
  GMutex lock;
  GArray *posts;    /* of IoPost */
  GPtrArray *fresh; /* of IoSource, that were added and are not in `sources` yet */
  bool asleep;      /* who posts or adds must wake it */
  int wake_fd;

  /* The thread's own. */
  bool stop;
  bool gaps;           /* some of `sources` or `timers` were freed */
  GArray *running;     /* of IoPost: those of this turn */
  GPtrArray *sources;  /* of IoSource */
  GPtrArray *timers;   /* of IoTimer */
  GArray *descriptors; /* of struct pollfd: wake_fd, and one for each of `sources` */
};

struct IoSource {
  IoThread *thread;
  int fd;
  short events;
  void (*ready)(void *opaque); /* NULL: freed */
  void *opaque;
};

struct IoTimer {
  IoThread *thread;
  uint64_t due;                /* nanoseconds of CLOCK_MONOTONIC; 0: not set */
  void (*ready)(void *opaque); /* NULL: freed */
  void *opaque;
};

typedef struct {
  void (*function)(void *opaque);
  void *opaque;
} IoPost;

/* A post whose caller waits. */
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

/* The thread itself. */

static void watch_descriptor(IoThread *thread, int fd, short events) {
  struct pollfd descriptor = {.fd = fd, .events = events};

  g_array_append_val(thread->descriptors, descriptor);
}

static void adopt(IoThread *thread, IoSource *source) {
  g_ptr_array_add(thread->sources, source);
  watch_descriptor(thread, source->fd, source->events);
}

/* Sources and timers that were freed go. */
static void close_gaps(IoThread *thread) {
  GPtrArray *before = thread->sources;

  if (!thread->gaps)
    return;
  thread->gaps = false;
  for (unsigned i = thread->timers->len; i-- > 0;) {
    IoTimer *timer = g_ptr_array_index(thread->timers, i);
    if (!timer->ready)
      g_free(g_ptr_array_steal_index(thread->timers, i));
  }
  thread->sources = g_ptr_array_new();
  g_array_set_size(thread->descriptors, 1);
  for (unsigned i = 0; i < before->len; i++) {
    IoSource *source = g_ptr_array_index(before, i);
    if (source->ready)
      adopt(thread, source);
    else
      g_free(source);
  }
  g_ptr_array_unref(before);
}

/* Takes what has come meanwhile. Whether it may sleep then: nothing has. */
static bool begin_turn(IoThread *thread) {
  g_mutex_lock(&thread->lock);
  GArray *posts = thread->posts;
  bool nothing = posts->len == 0 && thread->fresh->len == 0;
  thread->posts = thread->running;
  thread->running = posts;
  for (unsigned i = 0; i < thread->fresh->len; i++)
    adopt(thread, g_ptr_array_index(thread->fresh, i));
  g_ptr_array_set_size(thread->fresh, 0);
  thread->asleep = nothing;
  g_mutex_unlock(&thread->lock);
  return nothing;
}

static void run_posts(IoThread *thread) {
  for (unsigned i = 0; i < thread->running->len; i++) {
    const IoPost *post = &g_array_index(thread->running, IoPost, i);
    post->function(post->opaque);
  }
  g_array_set_size(thread->running, 0);
}

static void run_sources(IoThread *thread) {
  for (unsigned i = 0; i < thread->sources->len; i++) {
    const IoSource *source = g_ptr_array_index(thread->sources, i);
    if (g_array_index(thread->descriptors, struct pollfd, i + 1).revents && source->ready)
      source->ready(source->opaque);
  }
}

static uint64_t now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

/* When the next timer is due; UINT64_MAX: none is set. */
static uint64_t next_due(const IoThread *thread) {
  uint64_t due = UINT64_MAX;

  for (unsigned i = 0; i < thread->timers->len; i++) {
    const IoTimer *timer = g_ptr_array_index(thread->timers, i);
    if (timer->due)
      due = MIN(due, timer->due);
  }
  return due;
}

static void run_timers(IoThread *thread) {
  uint64_t time = now();

  for (unsigned i = 0; i < thread->timers->len; i++) {
    IoTimer *timer = g_ptr_array_index(thread->timers, i);
    if (!timer->due || timer->due > time || !timer->ready)
      continue;
    timer->due = 0;
    timer->ready(timer->opaque);
  }
}

/* Waits for a descriptor until DUE at the latest; or only looks. Whether any is ready. */
static bool wait_until(IoThread *thread, uint64_t due, bool may_sleep) {
  struct pollfd *descriptors = &g_array_index(thread->descriptors, struct pollfd, 0);
  uint64_t time = may_sleep && due != UINT64_MAX ? now() : 0, left = may_sleep && due > time ? due - time : 0;
  struct timespec limit = {.tv_sec = (time_t)(left / NS_PER_SECOND), .tv_nsec = (long)(left % NS_PER_SECOND)};
  uint64_t wakes;

  if (ppoll(descriptors, thread->descriptors->len, may_sleep && due == UINT64_MAX ? NULL : &limit, NULL) <= 0)
    return false;
  return !descriptors->revents || read(thread->wake_fd, &wakes, sizeof wakes) > 0;
}

static void take_turn(IoThread *thread) {
  close_gaps(thread);
  bool may_sleep = begin_turn(thread);
  run_posts(thread);
  close_gaps(thread);
  if (thread->stop)
    return;
  uint64_t due = next_due(thread);
  if (wait_until(thread, due, may_sleep))
    run_sources(thread);
  if (due != UINT64_MAX)
    run_timers(thread);
}

static void *run(void *data) {
  IoThread *thread = data;

  __atomic_store_n(&thread->self, g_thread_self(), __ATOMIC_SEQ_CST);
  block_signals();
  if (thread->has_cpus)
    sched_setaffinity(0, sizeof thread->cpus, &thread->cpus);
  if (thread->threads && thread->threads->enter)
    thread->threads->enter(thread->threads->opaque);
  while (!thread->stop)
    take_turn(thread);
  return NULL;
}

static bool is_self(const IoThread *thread) {
  return __atomic_load_n(&thread->self, __ATOMIC_SEQ_CST) == g_thread_self();
}

/* Life. */

static void stop(void *opaque) {
  IoThread *thread = opaque;

  thread->stop = true;
}

IoThread *io_thread_new(const char *name, GError **error) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

  if (fd < 0) {
    int code = errno;
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot make an event descriptor for the thread %s: %s", name,
                g_strerror(code));
    return NULL;
  }
  IoThread *thread = g_new0(IoThread, 1);
  thread->name = g_strdup(name);
  thread->has_cpus = sched_getaffinity(0, sizeof thread->cpus, &thread->cpus) == 0; /* not on a host with more than 1,024 */
  thread->wake_fd = fd;
  thread->posts = g_array_new(FALSE, FALSE, sizeof(IoPost));
  thread->running = g_array_new(FALSE, FALSE, sizeof(IoPost));
  thread->fresh = g_ptr_array_new();
  thread->sources = g_ptr_array_new();
  thread->timers = g_ptr_array_new_with_free_func(g_free);
  thread->descriptors = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
  g_mutex_init(&thread->lock);
  watch_descriptor(thread, fd, POLLIN);
  return thread;
}

typedef struct {
  IoThread *thread;
  GError **error;
} Start;

static void make(void *opaque) {
  const Start *start = opaque;

  start->thread->thread = g_thread_try_new(start->thread->name, run, start->thread, start->error);
}

bool io_thread_start(IoThread *thread, const IoThreads *threads, GError **error) {
  Start start = {thread, error};

  if (thread->thread)
    return true;
  thread->threads = threads;
  if (threads && threads->maker)
    io_thread_call(threads->maker, make, &start);
  else
    make(&start);
  return thread->thread != NULL;
}

void io_thread_free(IoThread *thread) {
  if (!thread)
    return;
  if (thread->thread) {
    io_thread_post(thread, stop, thread);
    g_thread_join(thread->thread);
  }
  g_ptr_array_set_free_func(thread->sources, g_free); /* those that were freed in its last turn */
  g_ptr_array_set_free_func(thread->fresh, g_free);
  g_ptr_array_unref(thread->sources);
  g_ptr_array_unref(thread->timers);
  g_ptr_array_unref(thread->fresh);
  g_array_unref(thread->descriptors);
  g_array_unref(thread->posts);
  g_array_unref(thread->running);
  g_mutex_clear(&thread->lock);
  close(thread->wake_fd);
  g_free(thread->name);
  g_free(thread);
}

/* Sources, posts, calls. */

/* With the lock held, behind what was added: unlocks. The thread itself looks before it sleeps again. */
static void unlock_and_wake(IoThread *thread) {
  bool asleep = thread->asleep && !is_self(thread);

  thread->asleep = false;
  g_mutex_unlock(&thread->lock);
  if (asleep)
    eventfd_write(thread->wake_fd, 1);
}

static IoSource *add_source(IoThread *thread, int fd, short events, void (*ready)(void *opaque), void *opaque) {
  IoSource *source = g_new(IoSource, 1);

  *source = (IoSource){.thread = thread, .fd = fd, .events = events, .ready = ready, .opaque = opaque};
  g_mutex_lock(&thread->lock);
  g_ptr_array_add(thread->fresh, source);
  unlock_and_wake(thread);
  return source;
}

IoSource *io_thread_add_source(IoThread *thread, int fd, void (*ready)(void *opaque), void *opaque) {
  return add_source(thread, fd, POLLIN, ready, opaque);
}

IoSource *io_thread_add_output_source(IoThread *thread, int fd, void (*ready)(void *opaque), void *opaque) {
  return add_source(thread, fd, POLLOUT, ready, opaque);
}

void io_source_free(IoSource *source) {
  if (!source)
    return;
  /* Elsewhere READY could be running right now, and the promise in the header would be empty. */
  g_assert(is_self(source->thread));
  source->ready = NULL;
  source->thread->gaps = true;
}

IoTimer *io_thread_add_timer(IoThread *thread, void (*ready)(void *opaque), void *opaque) {
  IoTimer *timer = g_new(IoTimer, 1);

  g_assert(is_self(thread));
  *timer = (IoTimer){.thread = thread, .ready = ready, .opaque = opaque};
  g_ptr_array_add(thread->timers, timer);
  return timer;
}

void io_timer_set(IoTimer *timer, uint64_t ns) {
  timer->due = now() + ns;
}

void io_timer_cancel(IoTimer *timer) {
  timer->due = 0;
}

void io_timer_free(IoTimer *timer) {
  if (!timer)
    return;
  g_assert(is_self(timer->thread));
  timer->due = 0;
  timer->ready = NULL;
  timer->thread->gaps = true;
}

void io_thread_post(IoThread *thread, void (*function)(void *opaque), void *opaque) {
  IoPost post = {.function = function, .opaque = opaque};

  g_mutex_lock(&thread->lock);
  g_array_append_val(thread->posts, post);
  unlock_and_wake(thread);
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
  if (is_self(thread)) {
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
