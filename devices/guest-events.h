/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices have to tell of the guest as a whole: an interface that the machine implements, and a test. Every call
 * is allowed from any thread, with or without the device's lock; what comes of it comes later, on another thread.
 */
#pragma once

#include <stdbool.h>

typedef struct GuestEvents GuestEvents;
struct GuestEvents {
  /* The guest has not served its watchdog in time. */
  void (*watchdog_expired)(GuestEvents *events);
  /* Its kernel panicked. RECOVERS: it has another one loaded, which takes over. */
  void (*panicked)(GuestEvents *events, bool recovers);
};
