/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what devices tell of the guest. Tests only; one thread. */
#pragma once

#include "devices/guest-events.h"

typedef struct {
  GuestEvents events;
  unsigned expired, panics, recoveries;
} FakeGuestEvents;

static inline void fake_watchdog_expired(GuestEvents *events) {
  ((FakeGuestEvents *)events)->expired++;
}

static inline void fake_panicked(GuestEvents *events, bool recovers) {
  FakeGuestEvents *fake = (FakeGuestEvents *)events;

  fake->panics += !recovers;
  fake->recoveries += recovers;
}

#define FAKE_GUEST_EVENTS                                                                                                                  \
  {                                                                                                                                        \
    .events = {.watchdog_expired = fake_watchdog_expired, .panicked = fake_panicked }                                                      \
  }
