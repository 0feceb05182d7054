/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio entropy device (virtio 1.2, 5.4): one queue of buffers to be filled with random bytes, from getrandom(2)
 * straight into the guest's memory. The host's generator blocks only until it is seeded, long before anybody starts a
 * machine.
 *
 * A buffer gets at most MAX_BYTES, however long it is: the driver must cope with less than it asked for (5.4.6.2), and
 * so no guest keeps the thread for long.
 *
 * Locks: none; everything is the I/O thread's.
 */
#include "devices/virtio/rng.h"

#include <errno.h>
#include <sys/random.h>

#define QUEUE_SIZE 8
#define MAX_BYTES  (64 * 1024)

typedef struct {
  VirtioDevice base;
  VirtChain chain;
} VirtioRng;

/* How many bytes of the chain are random now. */
static uint32_t fill(const VirtChain *chain) {
  uint32_t filled = 0;

  for (unsigned i = chain->n_out; i < chain->n_out + chain->n_in; i++) {
    uint8_t *bytes = chain->iov[i].iov_base;
    size_t size = MIN(chain->iov[i].iov_len, MAX_BYTES - filled);

    while (size) {
      ssize_t got = getrandom(bytes, size, 0);

      if (got < 0 && errno != EINTR)
        return filled;
      got = MAX(got, 0);
      bytes += got;
      size -= (size_t)got;
      filled += (uint32_t)got;
    }
  }
  return filled;
}

/* 0 when the queue is empty, 1 when there may be more, -1 when it has failed. */
static int fill_some(VirtioRng *rng, unsigned *served) {
  for (*served = 0; *served < QUEUE_SIZE; (*served)++) {
    int popped = virtio_pop(&rng->base, 0, &rng->chain);

    if (popped <= 0)
      return popped;
    if (!rng->chain.in_size) {
      virtio_fail(&rng->base, "an entropy request without a place for the bytes");
      return -1;
    }
    virtio_push(&rng->base, 0, rng->chain.head, fill(&rng->chain));
  }
  return 1;
}

static void rng_notify(VirtioDevice *device, unsigned index) {
  VirtioRng *rng = (VirtioRng *)device;
  VirtQueue *queue = &device->queues[0];
  unsigned served;
  int more;

  if (virtio_get_status(device) & VIRTIO_STATUS_NEEDS_RESET)
    return;
  virtqueue_disable_doorbell(queue);
  more = fill_some(rng, &served);
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (served)
    virtio_interrupt(device, 0);
  /* A guest that never stops asking must not keep the thread from anything else. */
  if (more > 0)
    virtio_notify_again(device, 0);
}

/* The notify that follows is enough. */
static void rng_start(VirtioDevice *device) {
}

static void rng_stop(VirtioDevice *device) {
}

static void rng_free(VirtioDevice *device) {
  virtio_device_clear(device);
  g_free(device);
}

static const VirtioDeviceOps rng_ops = {
    .id = VIRTIO_ID_ENTROPY,
    .name = "virtio-rng",
    .start = rng_start,
    .notify = rng_notify,
    .stop = rng_stop,
    .free = rng_free,
};

static VirtioDevice *rng_make(const DeviceParts *parts, GError **error) {
  static const uint16_t queue_size = QUEUE_SIZE;
  VirtioRng *rng = g_new0(VirtioRng, 1);

  if (!virtio_device_init(&rng->base, &rng_ops, parts->name, parts->memory, 0, 1, &queue_size, error)) {
    g_free(rng);
    return NULL;
  }
  return &rng->base;
}

const DeviceKind virtio_rng_kind = {.name = "virtio-rng", .make_virtio = rng_make};
