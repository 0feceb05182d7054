/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's driver and its transport in one, for the tests of device types: memory, rings written by hand, and counters
 * in place of interrupts. It believes in well-behaved devices and lets the test misbehave: a test may write anything
 * anywhere.
 */
#pragma once

#include <glib.h>
#include <string.h>

#include "devices/virtio/virtio.h"

#define FAKE_BASE       UINT64_C(0x40000000)
#define FAKE_SIZE       (UINT64_C(16) << 20)
#define FAKE_QUEUES     8
#define FAKE_WAIT_US    (20 * G_USEC_PER_SEC) /* a hang, not a slow machine */
#define FAKE_DESC_NEXT  1
#define FAKE_DESC_WRITE 2
#define FAKE_DESC_INDIR 4

typedef struct {
  uint64_t address;
  uint32_t size;
  bool writable;
} FakeBuffer;

typedef struct {
  uint16_t size, next_descriptor, avail, used;
  uint64_t descriptors, driver, device;
} FakeQueue;

typedef struct {
  GuestMemory memory;
  uint8_t *ram;
  uint64_t heap;
  VirtioDevice *device;
  FakeQueue queues[FAKE_QUEUES];
  int interrupts[FAKE_QUEUES], config_interrupts; /* atomic */
} FakeGuest;

static inline void *fake_at(FakeGuest *guest, uint64_t address) {
  g_assert(address >= FAKE_BASE && address < FAKE_BASE + FAKE_SIZE);
  return guest->ram + (address - FAKE_BASE);
}

static inline uint64_t fake_alloc(FakeGuest *guest, uint64_t size) {
  uint64_t address = guest->heap;

  guest->heap += (size + 63) & ~UINT64_C(63);
  g_assert_cmpuint(guest->heap, <=, FAKE_BASE + FAKE_SIZE);
  return address;
}

static inline void fake_queue_interrupt(void *transport, unsigned queue) {
  __atomic_fetch_add(&((FakeGuest *)transport)->interrupts[queue], 1, __ATOMIC_SEQ_CST);
}

static inline void fake_config_interrupt(void *transport) {
  __atomic_fetch_add(&((FakeGuest *)transport)->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

/* DEVICE stays the caller's until fake_guest_free. */
static inline FakeGuest *fake_guest_new(void) {
  FakeGuest *guest = g_new0(FakeGuest, 1);

  guest->ram = g_malloc0(FAKE_SIZE);
  guest->heap = FAKE_BASE;
  g_assert_true(guest_memory_add(&guest->memory, FAKE_BASE, FAKE_SIZE, guest->ram));
  return guest;
}

static inline void fake_guest_plug(FakeGuest *guest, VirtioDevice *device) {
  static const VirtioTransportOps ops = {.queue_interrupt = fake_queue_interrupt, .config_interrupt = fake_config_interrupt};

  guest->device = device;
  virtio_device_connect(device, &ops, guest);
}

static inline void fake_guest_free(FakeGuest *guest) {
  virtio_device_free(guest->device);
  g_free(guest->ram);
  g_free(guest);
}

/* Takes FEATURES (VERSION_1 is added) and starts the first N queues on fresh rings. */
static inline void fake_guest_start_some(FakeGuest *guest, uint64_t features, unsigned n) {
  VirtioDevice *device = guest->device;

  features |= VIRTIO_F_VERSION_1;
  guest->heap = FAKE_BASE;
  virtio_set_status(device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
  virtio_set_driver_features(device, 0, (uint32_t)features);
  virtio_set_driver_features(device, 1, (uint32_t)(features >> 32));
  virtio_set_status(device, virtio_get_status(device) | VIRTIO_STATUS_FEATURES_OK);
  g_assert_true(virtio_get_status(device) & VIRTIO_STATUS_FEATURES_OK);
  for (unsigned i = 0; i < n; i++) {
    FakeQueue *queue = &guest->queues[i];
    VirtQueue *real = virtio_queue_to_configure(device, i);

    *queue = (FakeQueue){.size = real->max_size};
    queue->descriptors = fake_alloc(guest, 16u * queue->size);
    queue->driver = fake_alloc(guest, 6 + 2u * queue->size);
    queue->device = fake_alloc(guest, 6 + 8u * queue->size);
    memset(fake_at(guest, queue->descriptors), 0, guest->heap - queue->descriptors);
    real->config.size = queue->size;
    real->config.descriptors = queue->descriptors;
    real->config.driver = queue->driver;
    real->config.device = queue->device;
    real->config.ready = true;
  }
  virtio_set_status(device, virtio_get_status(device) | VIRTIO_STATUS_DRIVER_OK);
}

static inline void fake_guest_start(FakeGuest *guest, uint64_t features) {
  fake_guest_start_some(guest, features, guest->device->n_queues);
}

static inline void fake_guest_reset(FakeGuest *guest) {
  virtio_set_status(guest->device, 0);
  g_assert_cmphex(virtio_get_status(guest->device), ==, 0);
}

static inline void fake_write_descriptor(FakeGuest *guest, uint64_t table, unsigned index, uint64_t address, uint32_t size, uint16_t flags,
                                         uint16_t next) {
  uint8_t *at = fake_at(guest, table + 16u * index);

  memcpy(at, &address, 8);
  memcpy(at + 8, &size, 4);
  memcpy(at + 12, &flags, 2);
  memcpy(at + 14, &next, 2);
}

static inline void fake_publish(FakeGuest *guest, unsigned index, uint16_t head) {
  FakeQueue *queue = &guest->queues[index];
  uint8_t *driver = fake_at(guest, queue->driver);

  memcpy(driver + 4 + 2u * (queue->avail % queue->size), &head, 2);
  queue->avail++;
  __atomic_store_n((uint16_t *)(void *)(driver + 2), queue->avail, __ATOMIC_RELEASE);
}

static inline void fake_write_table(FakeGuest *guest, uint64_t table, unsigned first, const FakeBuffer *buffers, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    uint16_t flags = (uint16_t)((buffers[i].writable ? FAKE_DESC_WRITE : 0) | (i + 1 < n ? FAKE_DESC_NEXT : 0));

    fake_write_descriptor(guest, table, first + i, buffers[i].address, buffers[i].size, flags, (uint16_t)(first + i + 1));
  }
}

/* A chain of direct descriptors. They are taken round-robin: no more in flight than the table has. Returns its head. */
static inline uint16_t fake_add(FakeGuest *guest, unsigned index, const FakeBuffer *buffers, unsigned n) {
  FakeQueue *queue = &guest->queues[index];
  uint16_t head;

  g_assert_cmpuint(n, <=, queue->size);
  if (queue->next_descriptor + n > queue->size)
    queue->next_descriptor = 0;
  head = queue->next_descriptor;
  queue->next_descriptor = (uint16_t)(queue->next_descriptor + n);
  fake_write_table(guest, queue->descriptors, head, buffers, n);
  fake_publish(guest, index, head);
  return head;
}

/* A chain in an indirect table of its own: VIRTIO_F_INDIRECT_DESC. */
static inline uint16_t fake_add_indirect(FakeGuest *guest, unsigned index, const FakeBuffer *buffers, unsigned n) {
  FakeQueue *queue = &guest->queues[index];
  uint64_t table = fake_alloc(guest, 16u * n);
  uint16_t head = (uint16_t)(queue->next_descriptor++ % queue->size);

  queue->next_descriptor %= queue->size;
  fake_write_table(guest, table, 0, buffers, n);
  fake_write_descriptor(guest, queue->descriptors, head, table, 16u * n, FAKE_DESC_INDIR, 0);
  fake_publish(guest, index, head);
  return head;
}

static inline void fake_kick(FakeGuest *guest, unsigned index) {
  virtio_ring_doorbell(guest->device, index);
}

/*
 * The doorbell of a driver that rings only when the device wants it (2.7.7.1, 2.7.10): N chains were published since
 * the last time.
 */
static inline void fake_kick_if_wanted(FakeGuest *guest, unsigned index, unsigned n) {
  const FakeQueue *queue = &guest->queues[index];
  const uint8_t *device = fake_at(guest, queue->device);
  uint16_t event;

  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (guest->device->features & VIRTIO_F_EVENT_IDX) {
    event = __atomic_load_n((const uint16_t *)(const void *)(device + 4 + 8u * queue->size), __ATOMIC_RELAXED);
    if ((uint16_t)(queue->avail - event - 1) < (uint16_t)n)
      fake_kick(guest, index);
  } else if (!(__atomic_load_n((const uint16_t *)(const void *)device, __ATOMIC_RELAXED) & 1)) {
    fake_kick(guest, index);
  }
}

/* How many chains have come back that fake_take has not taken. */
static inline unsigned fake_returned(FakeGuest *guest, unsigned index) {
  const FakeQueue *queue = &guest->queues[index];
  uint16_t used = __atomic_load_n((const uint16_t *)fake_at(guest, queue->device + 2), __ATOMIC_ACQUIRE);

  return (uint16_t)(used - queue->used);
}

/* The next chain that has come back, waiting for it: its head, and the length in the used ring. */
static inline uint16_t fake_take(FakeGuest *guest, unsigned index, uint32_t *length) {
  FakeQueue *queue = &guest->queues[index];
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;
  uint32_t element[2];

  while (!fake_returned(guest, index)) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(50);
  }
  memcpy(element, fake_at(guest, queue->device + 4 + 8u * (queue->used % queue->size)), sizeof element);
  queue->used++;
  if (length)
    *length = element[1];
  return (uint16_t)element[0];
}

/*
 * TOTAL times the same chain, as fast as the queue takes them, with a doorbell only when it is wanted: a device that
 * forgets to ask, or to look again after it asked, leaves some of them lying, and the test waits in vain.
 */
static inline void fake_stream(FakeGuest *guest, unsigned index, const FakeBuffer *buffers, unsigned n_buffers, unsigned total) {
  unsigned limit = guest->queues[index].size / n_buffers, sent = 0, taken = 0;

  while (taken < total) {
    unsigned n = 0;

    while (sent < total && sent - taken < limit && n < 1 + sent % 5) {
      fake_add(guest, index, buffers, n_buffers);
      sent++;
      n++;
    }
    if (n)
      fake_kick_if_wanted(guest, index, n);
    if (sent - taken == limit || sent == total || !n) {
      fake_take(guest, index, NULL);
      taken++;
    }
    while (taken < sent && fake_returned(guest, index)) {
      fake_take(guest, index, NULL);
      taken++;
    }
  }
}

static inline void fake_do_nothing(void *opaque) {
}

/*
 * Until the I/O threads have done all that they were asked before, twice over: a round that rings its own doorbell gets
 * its second.
 */
static inline void fake_settle(FakeGuest *guest) {
  const VirtioDevice *device = guest->device;

  g_assert_true(io_thread_start(device->io, NULL, NULL));
  for (unsigned i = 0; i < 4; i++) {
    io_thread_call(device->io, fake_do_nothing, NULL);
    for (unsigned queue = 0; device->ops->io && queue < device->n_queues; queue++)
      if (device->queues[queue].running)
        io_thread_call(device->ops->io(device, queue), fake_do_nothing, NULL);
  }
}

static inline void fake_wait_for(FakeGuest *guest, uint8_t status) {
  int64_t deadline = g_get_monotonic_time() + FAKE_WAIT_US;

  while (!(virtio_get_status(guest->device) & status)) {
    g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    g_usleep(50);
  }
}

static inline bool fake_has_failed(FakeGuest *guest) {
  return virtio_get_status(guest->device) & VIRTIO_STATUS_NEEDS_RESET;
}

static inline uint32_t fake_config(FakeGuest *guest, unsigned offset, unsigned size) {
  uint8_t bytes[4] = {0};

  virtio_config_read(guest->device, offset, bytes, size);
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}
