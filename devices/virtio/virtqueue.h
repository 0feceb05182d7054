/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A split virtqueue (virtio 1.2, section 2.7), the device's side, with indirect descriptors and EVENT_IDX.
 *
 * The guest owns the rings and may write anything into them at any time: every index is checked, each descriptor is
 * copied once before it is looked at, a chain has at most max_size buffers and a queue at most its size of chains in
 * flight, and a queue found broken stays broken until it is reset. No lock: from start to stop a queue belongs to one
 * I/O thread, its device's or its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/guest-memory.h"

#define VIRTQUEUE_MAX_SIZE 256

typedef struct {
  const GuestMemory *memory;
  uint16_t max_size; /* what the device offers: a power of two, at most VIRTQUEUE_MAX_SIZE */
  bool event_idx;    /* negotiated; set before start */
  bool indirect;     /* negotiated; set before start */

  /* What the guest configured, through the transport; fixed while the queue runs. */
  struct {
    uint16_t size;
    bool ready;
    uint64_t descriptors, driver, device; /* guest physical addresses of the three areas, in this order */
  } config;

  /* Progress; kept over stop and start. */
  uint16_t next_avail, next_used;
  uint16_t signalled_used; /* next_used when the driver's wish for an interrupt was last asked */
  bool running;
  const char *broken; /* why, or NULL */

  /* The three areas in this process, while running. */
  const uint8_t *descriptors_host;
  uint8_t *driver_host, *device_host;
} VirtQueue;

/*
 * A chain of buffers taken from a queue. The driver-readable buffers come first: iov[0 .. n_out), then n_in
 * device-writable ones.
 */
typedef struct {
  uint16_t head;
  unsigned n_out, n_in;
  uint64_t out_size, in_size; /* bytes */
  struct iovec iov[VIRTQUEUE_MAX_SIZE];
} VirtChain;

void virtqueue_init(VirtQueue *queue, const GuestMemory *memory, uint16_t max_size);
/* Power-on state: not ready, size max_size, addresses 0. */
void virtqueue_reset(VirtQueue *queue);
/*
 * Half of the configured address of one of the three areas, for transports: 0 descriptors, 1 driver area, 2 device
 * area.
 */
uint32_t virtqueue_get_area(const VirtQueue *queue, unsigned area, bool high);
void virtqueue_set_area(VirtQueue *queue, unsigned area, bool high, uint32_t value);
/*
 * Checks the configured size, alignment and addresses, and starts where it was stopped. False, and broken, where they
 * are wrong.
 */
bool virtqueue_start(VirtQueue *queue);
void virtqueue_stop(VirtQueue *queue);

/* 1: CHAIN holds the next available chain. 0: there is none. -1: the queue is broken (queue->broken says why). */
int virtqueue_pop(VirtQueue *queue, VirtChain *chain);
/* Puts a chain taken with virtqueue_pop back as the next one (only the latest may be put back). */
void virtqueue_unpop(VirtQueue *queue);
/*
 * Returns a chain to the driver with WRITTEN bytes written into its device-writable part. Nothing happens on a broken
 * queue.
 */
void virtqueue_push(VirtQueue *queue, uint16_t head, uint32_t written);
/* The same for N chains: the driver sees all of them at once, as one that a frame is spread over must. */
typedef struct {
  uint16_t head;
  uint32_t written;
} VirtUsed;
void virtqueue_push_many(VirtQueue *queue, const VirtUsed *used, unsigned n);
/* After pushes: whether the driver wants an interrupt for them (NO_INTERRUPT, used_event). */
bool virtqueue_needs_interrupt(VirtQueue *queue);
/*
 * Asks the driver (not) to ring the doorbell for new chains. enable returns true when chains are waiting already: go on
 * popping.
 */
void virtqueue_disable_doorbell(VirtQueue *queue);
bool virtqueue_enable_doorbell(VirtQueue *queue);

/*
 * Copies between a chain and a flat buffer from byte OFFSET on; returns the bytes copied (short at the end of the
 * chain).
 */
size_t virt_chain_read(const VirtChain *chain, uint64_t offset, void *to, size_t size);
size_t virt_chain_write(const VirtChain *chain, uint64_t offset, const void *from, size_t size);
