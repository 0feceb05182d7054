/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices' threads without threads, in the place of devices/io-thread.c: what is called runs where it is called, and
 * what was posted, and what the sources have, at the next call to the same. An input so takes a fraction of the time,
 * and runs the same way each time. Whose thread something is on is checked as before.
 */
#include <poll.h>

#include "devices/io-thread.h"

#define TURN_NS UINT64_C(5000000) /* what a turn takes, as timers know it */

struct IoThread {
  bool started;
  unsigned inside;    /* how many calls are on it */
  uint64_t now;       /* nanoseconds */
  GArray *posts;      /* of Post */
  GPtrArray *sources; /* of IoSource */
  GPtrArray *timers;  /* of IoTimer */
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
  uint64_t due;                /* 0: not set */
  void (*ready)(void *opaque); /* NULL: freed */
  void *opaque;
};

typedef struct {
  void (*function)(void *opaque);
  void *opaque;
} Post;

/* Those that are there; what is posted meanwhile has the next turn. */
static void run_posts(IoThread *thread) {
  g_autoptr(GArray) posts = thread->posts;

  thread->posts = g_array_new(FALSE, FALSE, sizeof(Post));
  for (unsigned i = 0; i < posts->len; i++) {
    const Post *post = &g_array_index(posts, Post, i);
    post->function(post->opaque);
  }
}

/* Poll looks at all of them before the first one runs, as on the thread. */
static void run_sources(IoThread *thread) {
  unsigned n = thread->sources->len;
  g_autofree struct pollfd *descriptors = g_new0(struct pollfd, n);

  for (unsigned i = 0; i < n; i++) {
    const IoSource *source = g_ptr_array_index(thread->sources, i);
    descriptors[i] = (struct pollfd){.fd = source->ready ? source->fd : -1, .events = source->events};
  }
  if (n == 0 || poll(descriptors, n, 0) <= 0)
    return;
  for (unsigned i = 0; i < n; i++) {
    const IoSource *source = g_ptr_array_index(thread->sources, i);
    if (descriptors[i].revents && source->ready)
      source->ready(source->opaque);
  }
}

static void run_timers(IoThread *thread) {
  thread->now += TURN_NS;
  for (unsigned i = 0; i < thread->timers->len; i++) {
    IoTimer *timer = g_ptr_array_index(thread->timers, i);
    if (!timer->due || timer->due > thread->now || !timer->ready)
      continue;
    timer->due = 0;
    timer->ready(timer->opaque);
  }
}

static void close_gaps(IoThread *thread) {
  for (unsigned i = thread->sources->len; i-- > 0;)
    if (!((const IoSource *)g_ptr_array_index(thread->sources, i))->ready)
      g_ptr_array_remove_index(thread->sources, i);
  for (unsigned i = thread->timers->len; i-- > 0;)
    if (!((const IoTimer *)g_ptr_array_index(thread->timers, i))->ready)
      g_ptr_array_remove_index(thread->timers, i);
}

IoThread *io_thread_new(const char *name, GError **error) {
  IoThread *thread = g_new0(IoThread, 1);

  thread->posts = g_array_new(FALSE, FALSE, sizeof(Post));
  thread->sources = g_ptr_array_new_with_free_func(g_free);
  thread->timers = g_ptr_array_new_with_free_func(g_free);
  return thread;
}

bool io_thread_start(IoThread *thread, const IoThreads *threads, GError **error) {
  thread->started = true;
  return true;
}

void io_thread_free(IoThread *thread) {
  if (!thread)
    return;
  g_assert_cmpuint(thread->inside, ==, 0);
  thread->inside++;
  if (thread->started)
    run_posts(thread);
  close_gaps(thread);
  g_assert_cmpuint(thread->sources->len, ==, 0);
  g_array_unref(thread->posts);
  g_ptr_array_unref(thread->sources);
  g_ptr_array_unref(thread->timers);
  g_free(thread);
}

static IoSource *add_source(IoThread *thread, int fd, short events, void (*ready)(void *opaque), void *opaque) {
  IoSource *source = g_new(IoSource, 1);

  *source = (IoSource){.thread = thread, .fd = fd, .events = events, .ready = ready, .opaque = opaque};
  g_ptr_array_add(thread->sources, source);
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
  g_assert_cmpuint(source->thread->inside, >, 0);
  source->ready = NULL;
}

IoTimer *io_thread_add_timer(IoThread *thread, void (*ready)(void *opaque), void *opaque) {
  IoTimer *timer = g_new(IoTimer, 1);

  g_assert_cmpuint(thread->inside, >, 0);
  *timer = (IoTimer){.thread = thread, .ready = ready, .opaque = opaque};
  g_ptr_array_add(thread->timers, timer);
  return timer;
}

void io_timer_set(IoTimer *timer, uint64_t ns) {
  timer->due = timer->thread->now + ns;
}

void io_timer_cancel(IoTimer *timer) {
  timer->due = 0;
}

void io_timer_free(IoTimer *timer) {
  if (!timer)
    return;
  g_assert_cmpuint(timer->thread->inside, >, 0);
  timer->due = 0;
  timer->ready = NULL;
}

void io_thread_post(IoThread *thread, void (*function)(void *opaque), void *opaque) {
  Post post = {.function = function, .opaque = opaque};

  g_array_append_val(thread->posts, post);
}

/* From outside: a turn with FUNCTION as the last of its posts. */
void io_thread_call(IoThread *thread, void (*function)(void *opaque), void *opaque) {
  g_assert_true(thread->started);
  if (thread->inside) {
    function(opaque);
    return;
  }
  thread->inside++;
  run_posts(thread);
  function(opaque);
  run_sources(thread);
  run_timers(thread);
  close_gaps(thread);
  thread->inside--;
}
