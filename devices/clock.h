/* SPDX-License-Identifier: Apache-2.0 */
/* Time as a device sees it: handed in, so that a test can hand in its own. */
#pragma once

#include <stdint.h>

typedef struct Clock Clock;
typedef struct ClockTimer ClockTimer;
typedef struct {
  /* Nanoseconds since 1970-01-01 00:00 UTC. Any thread. */
  int64_t (*real_time)(Clock *clock);
  /* A timer, not armed; EXPIRED is called on the main thread, without locks. */
  ClockTimer *(*timer_new)(Clock *clock, void (*expired)(void *opaque), void *opaque);
  /*
   * Arms for the moment the timer's clock reaches DEADLINE (at once if it has), or disarms with INT64_MAX. Any thread.
   */
  void (*timer_arm)(ClockTimer *timer, int64_t deadline);
  /*
   * Nanoseconds of a clock that nobody sets: it goes on with each second, and stands still only while the host sleeps.
   * Any thread. And a timer that takes deadlines of this clock.
   */
  int64_t (*steady_time)(Clock *clock);
  ClockTimer *(*steady_timer_new)(Clock *clock, void (*expired)(void *opaque), void *opaque);
  /* Main thread; EXPIRED is not called any more afterwards. Takes NULL. */
  void (*timer_free)(ClockTimer *timer);
} ClockOps;
struct Clock {
  const ClockOps *ops;
};
