/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices tell of their work besides register accesses: doorbells, interrupts, requests. Who counts or records is
 * handed in (platform.h); without one a device has NULL here and the calls below cost a comparison. Any thread; the
 * callee never waits.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct DeviceWatch DeviceWatch;
struct DeviceWatch {
  /* The guest rang QUEUE's doorbell RINGS times since the device last looked. */
  void (*doorbell)(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings);
  /* The device interrupts: it raised its line, or sent a message for VECTOR (queue). */
  void (*interrupt)(DeviceWatch *watch, const char *device, unsigned vector);
  /* A request ended: KIND ("read") with BYTES, STARTED at (CLOCK_MONOTONIC, ns); FAILED: the guest was told so. */
  void (*request)(DeviceWatch *watch, const char *device, const char *kind, uint64_t bytes, uint64_t started, bool failed);
};

static inline void device_watch_doorbell(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
  if (watch)
    watch->doorbell(watch, device, queue, rings);
}

static inline void device_watch_interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
  if (watch)
    watch->interrupt(watch, device, vector);
}

static inline void device_watch_request(DeviceWatch *watch, const char *device, const char *kind, uint64_t bytes, uint64_t started,
                                        bool failed) {
  if (watch)
    watch->request(watch, device, kind, bytes, started, failed);
}

/* When a request starts: 0 without a watch. */
uint64_t device_watch_now(const DeviceWatch *watch);
