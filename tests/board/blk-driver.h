/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of a virtio block device, with its rings written by hand: one request at a time (virtio 1.2, 5.2.6). Tests
 * only.
 */
#pragma once

#include "tests/unit/devices/virtio/fake-driver.h"

#define SECTOR_SIZE 512
#define LIVE        (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)

/* Request types, where its parts are put here, and what comes back. */
enum { IN = 0, OUT = 1, FLUSH = 4 };
#define HEADER (RAM_BASE + 0x80000)
#define DATA   (RAM_BASE + 0x90000)
#define STATUS (RAM_BASE + 0xa0000)

typedef struct {
  FakeGuest guest;
  VirtioDevice *device;
  FakeQueue queue;
  int interrupts, config_interrupts; /* atomic */
} BlkDriver;

static void blk_queue_interrupt(void *transport, unsigned queue) {
  __atomic_fetch_add(&((BlkDriver *)transport)->interrupts, 1, __ATOMIC_SEQ_CST);
}

static void blk_config_interrupt(void *transport) {
  __atomic_fetch_add(&((BlkDriver *)transport)->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

static inline void blk_driver_init(BlkDriver *driver) {
  fake_guest_init_shared(&driver->guest);
  driver->queue = fake_queue(&driver->guest, 0, 16);
}

static inline void blk_driver_connect(BlkDriver *driver, VirtioDevice *device) {
  static const VirtioTransportOps ops = {.queue_interrupt = blk_queue_interrupt, .config_interrupt = blk_config_interrupt};

  driver->device = device;
  virtio_device_connect(device, &ops, driver);
}

static inline void blk_driver_clear(BlkDriver *driver) {
  virtio_device_free(driver->device);
  fake_guest_clear(&driver->guest);
}

static inline void blk_go_live(BlkDriver *driver) {
  virtio_set_driver_features(driver->device, 0, (uint32_t)VIRTIO_F_INDIRECT_DESC);
  virtio_set_driver_features(driver->device, 1, 1);
  virtio_set_status(driver->device, LIVE & ~VIRTIO_STATUS_DRIVER_OK);
  memset(fake_at(&driver->guest, driver->queue.descriptors), 0, 0x10000);
  driver->queue.avail_idx = 0;
  fake_tell_queue(driver->device, 0, &driver->queue);
  virtio_set_status(driver->device, LIVE);
  g_assert_cmphex(virtio_get_status(driver->device), ==, LIVE);
}

/* One request of a sector, whose bytes are at DATA; its status. */
static inline uint8_t blk_request(BlkDriver *driver, uint32_t type, uint64_t sector) {
  uint8_t *header = fake_at(&driver->guest, HEADER), *status = fake_at(&driver->guest, STATUS);
  uint16_t used = fake_used_idx(&driver->queue);
  int interrupts = __atomic_load_n(&driver->interrupts, __ATOMIC_SEQ_CST);

  memset(header, 0, 16);
  memcpy(header, &type, sizeof type);
  memcpy(header + 8, &sector, sizeof sector);
  *status = 0xff;
  fake_descriptor(&driver->queue, 0, HEADER, 16, NEXT, type == FLUSH ? 2 : 1);
  fake_descriptor(&driver->queue, 1, DATA, SECTOR_SIZE, NEXT | (type == IN ? WRITE : 0), 2);
  fake_descriptor(&driver->queue, 2, STATUS, 1, WRITE, 0);
  fake_offer(&driver->queue, 0);
  virtio_ring_doorbell(driver->device, 0);
  WAIT_FOR(fake_used_idx(&driver->queue) == (uint16_t)(used + 1));
  WAIT_FOR(__atomic_load_n(&driver->interrupts, __ATOMIC_SEQ_CST) > interrupts);
  return *status;
}

static inline void blk_write(BlkDriver *driver, uint64_t sector, uint8_t byte) {
  memset(fake_at(&driver->guest, DATA), byte, SECTOR_SIZE);
  g_assert_cmpuint(blk_request(driver, OUT, sector), ==, 0);
}

static inline void blk_assert_sector(BlkDriver *driver, uint64_t sector, uint8_t byte) {
  const uint8_t *data = fake_at(&driver->guest, DATA);

  memset(fake_at(&driver->guest, DATA), 0xee, SECTOR_SIZE);
  g_assert_cmpuint(blk_request(driver, IN, sector), ==, 0);
  for (unsigned i = 0; i < SECTOR_SIZE; i++)
    g_assert_cmphex(data[i], ==, byte);
}
