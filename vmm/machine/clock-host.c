/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's clocks, and timers on them. A timer is a GSource of the default main context whose ready time another
 * thread may move (g_source_set_ready_time takes the context's lock). The wall clock may be set while a timer sleeps,
 * so a sleep is at most RECHECK long and the deadline is compared again after it.
 */
#include "vmm/machine/clock-host.h"

#include <glib.h>
#include <stdbool.h>

#include "devices/units.h"

#define RECHECK (30 * G_USEC_PER_SEC)

struct ClockTimer {
  GSource source;
  Clock *clock;
  int64_t (*now)(Clock *clock); /* nanoseconds */
  void (*expired)(void *opaque);
  void *opaque;
  gint64 deadline; /* of that clock; guarded by `lock` */
  GMutex lock;
};

static int64_t real_time(Clock *clock) {
  return g_get_real_time() * NS_PER_US;
}

static int64_t steady_time(Clock *clock) {
  return g_get_monotonic_time() * NS_PER_US;
}

/* With the lock held. */
static void sleep_towards_deadline(ClockTimer *timer) {
  if (timer->deadline == INT64_MAX) {
    g_source_set_ready_time(&timer->source, -1);
    return;
  }
  int64_t left = (timer->deadline - timer->now(timer->clock)) / NS_PER_US;
  g_source_set_ready_time(&timer->source, g_get_monotonic_time() + CLAMP(left, 0, RECHECK));
}

static gboolean timer_dispatch(GSource *source, GSourceFunc callback, gpointer data) {
  ClockTimer *timer = (ClockTimer *)source;

  g_mutex_lock(&timer->lock);
  bool expired = timer->deadline <= timer->now(timer->clock);
  if (expired)
    timer->deadline = INT64_MAX;
  sleep_towards_deadline(timer);
  g_mutex_unlock(&timer->lock);
  if (expired)
    timer->expired(timer->opaque);
  return G_SOURCE_CONTINUE;
}

/* GLib takes it without const. */
static GSourceFuncs timer_funcs = {.dispatch = timer_dispatch};

static ClockTimer *timer_of(int64_t (*now)(Clock *clock), Clock *clock, void (*expired)(void *opaque), void *opaque) {
  ClockTimer *timer = (ClockTimer *)g_source_new(&timer_funcs, sizeof *timer);

  timer->clock = clock;
  timer->now = now;
  timer->expired = expired;
  timer->opaque = opaque;
  timer->deadline = INT64_MAX;
  g_mutex_init(&timer->lock);
  g_source_attach(&timer->source, NULL);
  return timer;
}

static ClockTimer *timer_new(Clock *clock, void (*expired)(void *opaque), void *opaque) {
  return timer_of(real_time, clock, expired, opaque);
}

static ClockTimer *steady_timer_new(Clock *clock, void (*expired)(void *opaque), void *opaque) {
  return timer_of(steady_time, clock, expired, opaque);
}

static void timer_arm(ClockTimer *timer, int64_t deadline) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&timer->lock);
  timer->deadline = deadline;
  sleep_towards_deadline(timer);
}

static void timer_free(ClockTimer *timer) {
  if (!timer)
    return;
  g_source_destroy(&timer->source);
  g_mutex_clear(&timer->lock);
  g_source_unref(&timer->source);
}

static const ClockOps clock_ops = {
    .real_time = real_time,
    .timer_new = timer_new,
    .steady_time = steady_time,
    .steady_timer_new = steady_timer_new,
    .timer_arm = timer_arm,
    .timer_free = timer_free,
};

Clock *clock_host_new(void) {
  Clock *clock = g_new0(Clock, 1);
  clock->ops = &clock_ops;
  return clock;
}

void clock_host_free(Clock *clock) {
  g_free(clock);
}
