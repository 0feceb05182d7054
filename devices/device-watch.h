/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What devices tell of their work besides register accesses: doorbells, interrupts, requests, and what else happens to
 * be worth a count. Texts are constants. Who counts or records is
 * handed in (platform.h); without one a device has NULL here and the calls below cost a comparison. Any thread; the
 * callee never waits.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Steps of a boot that are seen at a device. */
typedef enum {
  DEVICE_STEP_NONE,
  DEVICE_STEP_TABLES, /* firmware takes the tables that it is to hand on */
  DEVICE_STEP_KERNEL, /* firmware takes the kernel that it is to start */
  DEVICE_STEP_DISK,   /* something is read from a disk, or written to it */
} DeviceStep;

typedef struct DeviceWatch DeviceWatch;
struct DeviceWatch {
  /* The guest rang QUEUE's doorbell RINGS times since the device last looked. */
  void (*doorbell)(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings);
  /* The device interrupts: it raised its line, or sent a message for VECTOR (queue). */
  void (*interrupt)(DeviceWatch *watch, const char *device, unsigned vector);
  /*
   * A request of QUEUE ended: KIND ("read") with BYTES, STARTED at (CLOCK_MONOTONIC, ns); FAILED: the guest was told
   * so, or it was a packet that was dropped.
   */
  void (*request)(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes, uint64_t started, bool failed);
  /* Something happened to what came by QUEUE, or was to go there: "dropped: bad header". */
  void (*event)(DeviceWatch *watch, const char *device, unsigned queue, const char *what);
  /* A boot has come to STEP; as often as it happens. */
  void (*step)(DeviceWatch *watch, DeviceStep step);
};

static inline void device_watch_doorbell(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
  if (watch)
    watch->doorbell(watch, device, queue, rings);
}

static inline void device_watch_interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
  if (watch)
    watch->interrupt(watch, device, vector);
}

static inline void device_watch_request(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes,
                                        uint64_t started, bool failed) {
  if (watch)
    watch->request(watch, device, queue, kind, bytes, started, failed);
}

static inline void device_watch_event(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  if (watch)
    watch->event(watch, device, queue, what);
}

static inline void device_watch_step(DeviceWatch *watch, DeviceStep step) {
  if (watch)
    watch->step(watch, step);
}

/* Packets and bytes that a device has carried, as the guest sees their ways. */
typedef struct {
  uint64_t received, received_bytes, received_drops;
  uint64_t sent, sent_bytes, sent_drops;
} DeviceTraffic;

/* When a request starts: 0 without a watch. */
uint64_t device_watch_now(const DeviceWatch *watch);
