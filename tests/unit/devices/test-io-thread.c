/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O thread: devices/io-thread.c. */
#define _GNU_SOURCE /* sched_setaffinity */
#include "devices/io-thread.h"

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define WAIT_US (20 * G_USEC_PER_SEC)

/* Counts the wake-ups of a thread by itself. */
static _Thread_local bool posts_to_itself;
static int n_wakes; /* atomic */
int eventfd_write(int fd, eventfd_t value) {
  if (posts_to_itself)
    __atomic_fetch_add(&n_wakes, 1, __ATOMIC_SEQ_CST);
  return write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}

static void wait_until_at_least(const int *counter, int value) {
  int64_t deadline = g_get_monotonic_time() + WAIT_US;

  while (__atomic_load_n(counter, __ATOMIC_SEQ_CST) < value) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(50);
  }
}

static void nothing(void *opaque) {
}

static IoThread *start_thread(const char *name) {
  IoThread *thread = io_thread_new(name, NULL);

  g_assert_true(io_thread_start(thread, NULL, NULL));
  return thread;
}

static void note_thread(void *opaque) {
  *(GThread **)opaque = g_thread_self();
}

static void test_call(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  GThread *first = NULL, *second = NULL;

  io_thread_call(thread, note_thread, &first);
  io_thread_call(thread, note_thread, &second);
  g_assert_nonnull(first);
  g_assert_true(first == second);
  g_assert_true(first != g_thread_self());
  io_thread_free(NULL);
}

static void test_starts_when_asked(void) {
  g_autoptr(IoThread) thread = io_thread_new("test", NULL), never = io_thread_new("test", NULL);
  GThread *posted = NULL, *called = NULL;
  GThread *unseen = NULL;

  io_thread_post(never, note_thread, &unseen);
  io_thread_post(thread, note_thread, &posted);
  g_usleep(1000);
  g_assert_null(__atomic_load_n(&posted, __ATOMIC_SEQ_CST));
  g_assert_true(io_thread_start(thread, NULL, NULL));
  g_assert_true(io_thread_start(thread, NULL, NULL));
  io_thread_call(thread, note_thread, &called);
  g_assert_nonnull(posted);
  g_assert_true(posted == called);
  g_clear_pointer(&never, io_thread_free);
  g_assert_null(unseen);
}

static void note_cpus(void *opaque) {
  sched_getaffinity(0, sizeof(cpu_set_t), opaque);
}

static gpointer start_from_one_cpu(gpointer thread) {
  cpu_set_t one;

  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  g_assert_cmpint(sched_setaffinity(0, sizeof one, &one), ==, 0);
  g_assert_true(io_thread_start(thread, NULL, NULL));
  return NULL;
}

static void test_cpus_of_its_maker(void) {
  g_autoptr(IoThread) thread = io_thread_new("test", NULL);
  cpu_set_t mine, its;

  note_cpus(&mine);
  g_thread_join(g_thread_new("bound", start_from_one_cpu, thread));
  io_thread_call(thread, note_cpus, &its);
  g_assert_true(CPU_EQUAL(&mine, &its));
}

typedef struct {
  IoThread *thread;
  GThread *inner;
  bool at_once;
} Nested;

static void call_again(void *opaque) {
  Nested *nested = opaque;

  io_thread_call(nested->thread, note_thread, &nested->inner);
  nested->at_once = nested->inner == g_thread_self();
}

static void test_call_from_itself(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Nested nested = {.thread = thread};

  io_thread_call(thread, call_again, &nested);
  g_assert_true(nested.at_once);
}

typedef struct {
  GArray *order;
  int number;
} Numbered;

static void append_number(void *opaque) {
  const Numbered *numbered = opaque;

  g_array_append_val(numbered->order, numbered->number);
}

static void test_order(void) {
  enum { N = 1000 };
  g_autoptr(GArray) order = g_array_new(FALSE, FALSE, sizeof(int));
  g_autofree Numbered *numbers = g_new(Numbered, N);
  IoThread *thread = start_thread("test");

  for (int i = 0; i < N; i++) {
    numbers[i] = (Numbered){order, i};
    if (i % 100 == 50)
      io_thread_call(thread, append_number, &numbers[i]);
    else
      io_thread_post(thread, append_number, &numbers[i]);
  }
  /* What was posted before the end is still done. */
  io_thread_free(thread);
  g_assert_cmpuint(order->len, ==, N);
  for (int i = 0; i < N; i++)
    g_assert_cmpint(g_array_index(order, int, i), ==, i);
}

static void increment(void *opaque) {
  __atomic_fetch_add((int *)opaque, 1, __ATOMIC_SEQ_CST);
}

typedef struct {
  IoThread *thread;
  int *counter;
} Caller;

static void *call_often(void *data) {
  const Caller *caller = data;

  for (int i = 0; i < 500; i++) {
    io_thread_call(caller->thread, increment, caller->counter);
    io_thread_post(caller->thread, increment, caller->counter);
  }
  return NULL;
}

typedef struct {
  IoThread *thread;
  int fd, left, done; /* done: atomic */
} Chain;

static void go_on(void *opaque) {
  Chain *chain = opaque;

  posts_to_itself = true;
  if (chain->left-- > 0)
    io_thread_post(chain->thread, go_on, chain);
  posts_to_itself = false;
  __atomic_fetch_add(&chain->done, 1, __ATOMIC_SEQ_CST);
}

static void begin_chain(void *opaque) {
  Chain *chain = opaque;
  uint64_t count;

  g_assert_cmpint(read(chain->fd, &count, sizeof count), ==, sizeof count);
  go_on(chain);
}

/* What wakes it is a descriptor, and what it posts to itself needs no other to do so. */
static void test_post_to_itself(void) {
  enum { POSTS = 5 };
  Chain chain = {.thread = start_thread("chain"), .fd = eventfd(0, EFD_CLOEXEC), .left = POSTS};
  const uint64_t one = 1;

  io_thread_add_source(chain.thread, chain.fd, begin_chain, &chain);
  io_thread_call(chain.thread, nothing, NULL);
  n_wakes = 0;
  for (unsigned i = 1; i <= 3; i++) {
    chain.left = POSTS;
    g_assert_cmpint(write(chain.fd, &one, sizeof one), ==, sizeof one);
    wait_until_at_least(&chain.done, (int)i * (POSTS + 1));
  }
  g_assert_cmpint(__atomic_load_n(&n_wakes, __ATOMIC_SEQ_CST), ==, 0);
  io_thread_free(chain.thread);
  close(chain.fd);
}

static void test_many_callers(void) {
  enum { CALLERS = 4 };
  IoThread *thread = start_thread("test");
  GThread *callers[CALLERS];
  int counter = 0;
  Caller caller = {thread, &counter};

  for (int i = 0; i < CALLERS; i++)
    callers[i] = g_thread_new(NULL, call_often, &caller);
  for (int i = 0; i < CALLERS; i++)
    g_thread_join(callers[i]);
  io_thread_free(thread);
  g_assert_cmpint(counter, ==, CALLERS * 1000);
}

typedef struct {
  IoSource *source;
  IoThread *thread_of;
  GThread *thread;
  int fd;
  int calls; /* atomic */
  int drain_at;
  int free_at;
} Watched;

static void on_ready(void *opaque) {
  Watched *watched = opaque;
  int calls = __atomic_fetch_add(&watched->calls, 1, __ATOMIC_SEQ_CST) + 1;
  eventfd_t value;

  watched->thread = g_thread_self();
  if (calls == watched->drain_at)
    g_assert_cmpint(eventfd_read(watched->fd, &value), ==, 0);
  if (calls == watched->free_at)
    g_clear_pointer(&watched->source, io_source_free);
}

static void free_source(void *opaque) {
  io_source_free(*(IoSource **)opaque);
}

static void test_source_is_level_triggered(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Watched watched = {.fd = eventfd(0, EFD_NONBLOCK), .drain_at = 5};
  GThread *expected = NULL;

  io_thread_call(thread, note_thread, &expected);
  watched.source = io_thread_add_source(thread, watched.fd, on_ready, &watched);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(__atomic_load_n(&watched.calls, __ATOMIC_SEQ_CST), ==, 0);
  eventfd_write(watched.fd, 1);
  wait_until_at_least(&watched.calls, 5);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(__atomic_load_n(&watched.calls, __ATOMIC_SEQ_CST), ==, 5);
  g_assert_true(watched.thread == expected);
  eventfd_write(watched.fd, 1);
  wait_until_at_least(&watched.calls, 6);
  io_thread_call(thread, free_source, &watched.source);
  close(watched.fd);
}

/* Of one descriptor, both ways: a counter that is full cannot be written, and one that is empty cannot be read. */
static void test_output_source(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Watched in = {.fd = eventfd(0, EFD_NONBLOCK)}, out = {.fd = in.fd, .free_at = 3};

  eventfd_write(out.fd, UINT64_MAX - 1);
  out.source = io_thread_add_output_source(thread, out.fd, on_ready, &out);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(__atomic_load_n(&out.calls, __ATOMIC_SEQ_CST), ==, 0);
  in.drain_at = 2;
  in.source = io_thread_add_source(thread, in.fd, on_ready, &in);
  wait_until_at_least(&out.calls, 3);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(__atomic_load_n(&in.calls, __ATOMIC_SEQ_CST), ==, 2);
  g_assert_cmpint(__atomic_load_n(&out.calls, __ATOMIC_SEQ_CST), ==, 3);
  g_assert_null(out.source);
  io_thread_call(thread, free_source, &in.source);
  close(in.fd);
}

static void test_source_freed_in_its_callback(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Watched watched = {.fd = eventfd(0, EFD_NONBLOCK), .free_at = 3};

  watched.source = io_thread_add_source(thread, watched.fd, on_ready, &watched);
  eventfd_write(watched.fd, 1);
  wait_until_at_least(&watched.calls, 3);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(__atomic_load_n(&watched.calls, __ATOMIC_SEQ_CST), ==, 3);
  g_assert_null(watched.source);
  io_source_free(NULL);
  close(watched.fd);
}

/* Two sources, both ready; the first to run frees the other, which then must not run. */
typedef struct {
  IoSource *sources[2];
  int calls;
} Pair;

static void free_both(void *opaque) {
  Pair *pair = opaque;

  pair->calls++;
  g_clear_pointer(&pair->sources[0], io_source_free);
  g_clear_pointer(&pair->sources[1], io_source_free);
}

typedef struct {
  IoThread *thread;
  Pair *pair;
  int fd;
} PairSetup;

static void watch_pair(void *opaque) {
  PairSetup *setup = opaque;

  for (int i = 0; i < 2; i++)
    setup->pair->sources[i] = io_thread_add_source(setup->thread, setup->fd, free_both, setup->pair);
}

static void test_source_frees_another(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Pair pair = {0};
  PairSetup setup = {thread, &pair, eventfd(1, EFD_NONBLOCK)};

  io_thread_call(thread, watch_pair, &setup);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(pair.calls, ==, 1);
  close(setup.fd);
}

/* One that never stops posting, and one that never stops being ready: both have their turns, and calls theirs. */
typedef struct {
  IoThread *thread;
  int posts; /* atomic */
  bool enough;
} Restless;

static void post_again(void *opaque) {
  Restless *restless = opaque;

  __atomic_fetch_add(&restless->posts, 1, __ATOMIC_SEQ_CST);
  if (!restless->enough)
    io_thread_post(restless->thread, post_again, restless);
}

static void enough(void *opaque) {
  ((Restless *)opaque)->enough = true;
}

static void test_nobody_starves(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Watched watched = {.fd = eventfd(1, EFD_NONBLOCK)};
  Restless restless = {.thread = thread};

  io_thread_post(thread, post_again, &restless);
  watched.source = io_thread_add_source(thread, watched.fd, on_ready, &watched);
  for (int i = 1; i <= 10; i++) {
    wait_until_at_least(&watched.calls, 10 * i);
    wait_until_at_least(&restless.posts, 10 * i);
    io_thread_call(thread, nothing, NULL);
  }
  io_thread_call(thread, enough, &restless);
  io_thread_call(thread, free_source, &watched.source);
  close(watched.fd);
}

static void free_now(void *opaque) {
  Watched *watched = opaque;

  watched->source = io_thread_add_source(watched->thread_of, watched->fd, on_ready, watched);
  g_clear_pointer(&watched->source, io_source_free);
}

static void test_source_freed_before_its_first_turn(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Watched watched = {.fd = eventfd(1, EFD_NONBLOCK), .thread_of = thread};

  io_thread_call(thread, free_now, &watched);
  for (int i = 0; i < 10; i++)
    io_thread_call(thread, nothing, NULL);
  g_assert_cmpint(__atomic_load_n(&watched.calls, __ATOMIC_SEQ_CST), ==, 0);
  close(watched.fd);
}

typedef struct {
  IoThread *thread;
  IoTimer *timers[3];
  GString *order; /* "0", "1" ..., as they came */
  int calls;      /* atomic */
  bool set_again;
} Timed;

static void timer_ready(Timed *timed, unsigned index) {
  g_string_append_printf(timed->order, "%u", index);
  if (timed->set_again)
    io_timer_set(timed->timers[index], 1000);
  timed->set_again = false;
  __atomic_fetch_add(&timed->calls, 1, __ATOMIC_SEQ_CST);
}

static void first_ready(void *opaque) {
  timer_ready(opaque, 0);
}

static void second_ready(void *opaque) {
  timer_ready(opaque, 1);
}

/* Ends itself, and the first, which is set. */
static void third_ready(void *opaque) {
  Timed *timed = opaque;

  io_timer_set(timed->timers[0], 1);
  g_clear_pointer(&timed->timers[0], io_timer_free);
  g_clear_pointer(&timed->timers[2], io_timer_free);
  timer_ready(timed, 2);
}

static void add_timers(void *opaque) {
  static void (*const ready[])(void *) = {first_ready, second_ready, third_ready};
  Timed *timed = opaque;

  for (unsigned i = 0; i < G_N_ELEMENTS(timed->timers); i++)
    timed->timers[i] = io_thread_add_timer(timed->thread, ready[i], timed);
  /* Set twice: the last time counts. */
  io_timer_set(timed->timers[0], 3600 * (uint64_t)1000000000);
  io_timer_set(timed->timers[0], 30000000);
  io_timer_set(timed->timers[1], 1000000);
  timed->set_again = true;
  io_timer_set(timed->timers[2], 1000);
  io_timer_cancel(timed->timers[2]);
}

static void set_third(void *opaque) {
  io_timer_set(((Timed *)opaque)->timers[2], 0);
}

static void end_timers(void *opaque) {
  Timed *timed = opaque;

  for (unsigned i = 0; i < G_N_ELEMENTS(timed->timers); i++)
    g_clear_pointer(&timed->timers[i], io_timer_free);
}

static void test_timers(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  g_autoptr(GString) order = g_string_new(NULL);
  Timed timed = {.thread = thread, .order = order};

  io_thread_call(thread, add_timers, &timed);
  wait_until_at_least(&timed.calls, 3);
  g_usleep(10000);
  io_thread_call(thread, nothing, NULL);
  g_assert_cmpstr(order->str, ==, "110");
  io_thread_call(thread, set_third, &timed);
  wait_until_at_least(&timed.calls, 4);
  g_usleep(10000);
  io_thread_call(thread, end_timers, &timed);
  g_assert_cmpstr(order->str, ==, "1102");
  io_timer_free(NULL);
}

static void read_name(void *opaque) {
  prctl(PR_GET_NAME, opaque);
}

static void test_name(void) {
  g_autoptr(IoThread) thread = start_thread("fifteen-letters");
  char name[16] = "";

  io_thread_call(thread, read_name, name);
  g_assert_cmpstr(name, ==, "fifteen-letters");
}

static void read_mask(void *opaque) {
  pthread_sigmask(SIG_SETMASK, NULL, opaque);
}

static void test_signals(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  sigset_t mask;

  io_thread_call(thread, read_mask, &mask);
  g_assert_true(sigismember(&mask, SIGTERM));
  g_assert_true(sigismember(&mask, SIGPIPE));
  g_assert_true(sigismember(&mask, SIGXFSZ));
  g_assert_false(sigismember(&mask, SIGSEGV));
  g_assert_false(sigismember(&mask, SIGABRT));
}

/* A thread that has nothing to do must not wake up. */
static void test_idle(void) {
  g_autoptr(IoThread) thread = start_thread("test");
  Watched watched = {.fd = eventfd(0, EFD_NONBLOCK)};
  struct rusage before, after;

  watched.source = io_thread_add_source(thread, watched.fd, on_ready, &watched);
  io_thread_call(thread, nothing, NULL);
  getrusage(RUSAGE_SELF, &before);
  g_usleep(200 * 1000);
  getrusage(RUSAGE_SELF, &after);
  g_assert_cmpint(after.ru_nvcsw - before.ru_nvcsw, <, 20);
  io_thread_call(thread, free_source, &watched.source);
  close(watched.fd);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/io-thread/starts-when-asked", test_starts_when_asked);
  g_test_add_func("/io-thread/cpus-of-its-maker", test_cpus_of_its_maker);
  g_test_add_func("/io-thread/call", test_call);
  g_test_add_func("/io-thread/call-from-itself", test_call_from_itself);
  g_test_add_func("/io-thread/order", test_order);
  g_test_add_func("/io-thread/posts-to-itself", test_post_to_itself);
  g_test_add_func("/io-thread/many-callers", test_many_callers);
  g_test_add_func("/io-thread/source/level-triggered", test_source_is_level_triggered);
  g_test_add_func("/io-thread/source/output", test_output_source);
  g_test_add_func("/io-thread/source/freed-in-its-callback", test_source_freed_in_its_callback);
  g_test_add_func("/io-thread/source/frees-another", test_source_frees_another);
  g_test_add_func("/io-thread/source/freed-before-its-first-turn", test_source_freed_before_its_first_turn);
  g_test_add_func("/io-thread/nobody-starves", test_nobody_starves);
  g_test_add_func("/io-thread/timers", test_timers);
  g_test_add_func("/io-thread/name", test_name);
  g_test_add_func("/io-thread/signals", test_signals);
  g_test_add_func("/io-thread/idle", test_idle);
  return g_test_run();
}
