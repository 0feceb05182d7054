/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that are served elsewhere; see vhost-queues.h. virtio 1.2, 2.7; Linux: include/uapi/linux/vhost.h; QEMU:
 * docs/interop/vhost-user.rst, "Starting and stopping rings".
 *
 * Rings are told from the snapshot that the core took and checked when it started them. What the other side is told of
 * features is what the guest took of those that it offered. Where the other side is lost, nobody knows which chains it
 * had: the device needs a reset, and at the next start a new connection is tried.
 *
 * Locks: none; see the header.
 */
#include "devices/virtio/vhost-queues.h"

#include <sys/eventfd.h>

/* virtio 1.2, chapter 6: bits of device types; what lies between is of rings and transports. */
#define TYPE_FEATURES (((UINT64_C(1) << 24) - 1) | UINT64_C(0x3fff) << 50)
#define RING_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

struct VhostQueues {
  VirtioDevice *device;
  Vhost *vhost;
  unsigned first, n;
  uint64_t relied_on; /* what it offered when the guest was to be told */
  unsigned n_handed;  /* rings that may have been handed over: each in turn */
  bool used, forget;  /* a driver is there, or was before */
  void (*config_changed)(VirtioDevice *device);
  IoSource *watches[VHOST_WATCH_FDS];
  int watched[VHOST_WATCH_FDS];
};

uint64_t vhost_queues_features(const Vhost *vhost) {
  return vhost->features & (TYPE_FEATURES | RING_FEATURES);
}

/* Listening to it. */

static void end_watches(VhostQueues *queues) {
  for (unsigned i = 0; i < VHOST_WATCH_FDS; i++)
    g_clear_pointer(&queues->watches[i], io_source_free);
}

void vhost_queues_lost(VhostQueues *queues, const GError *error) {
  end_watches(queues);
  queues->vhost->ops->disconnect(queues->vhost);
  queues->n_handed = 0;
  virtio_fail(queues->device, error->message);
}

static void said_something(void *opaque);

static void watch(VhostQueues *queues) {
  for (unsigned i = 0; i < VHOST_WATCH_FDS; i++)
    if (queues->vhost->watch_fds[i] < 0)
      g_clear_pointer(&queues->watches[i], io_source_free);
    else if (!queues->watches[i])
      queues->watches[i] = io_thread_add_source(queues->device->io, queues->vhost->watch_fds[i], said_something, queues);
}

static void said_something(void *opaque) {
  VhostQueues *queues = opaque;
  Vhost *vhost = queues->vhost;
  g_autoptr(GError) error = NULL;
  bool config_changed;

  vhost_begin(vhost);
  if (!vhost->ops->handle(vhost, &config_changed, &error)) {
    vhost_queues_lost(queues, error);
    return;
  }
  watch(queues);
  if (config_changed && queues->config_changed)
    queues->config_changed(queues->device);
}

void vhost_queues_on_config(VhostQueues *queues, void (*changed)(VirtioDevice *device)) {
  queues->config_changed = changed;
}

/* Start and stop. */

static bool start_ring(VhostQueues *queues, unsigned ring, GError **error) {
  const VirtioDevice *device = queues->device;
  unsigned index = queues->first + ring;
  const VirtQueue *queue = &device->queues[index];
  VhostVring vring = {
      .size = queue->config.size,
      .base = queue->next_avail,
      .descriptors = queue->descriptors_host,
      .driver = queue->driver_host,
      .device = queue->device_host,
      .kick = device->doorbell_fds[index],
      .call = device->call_fds[index],
  };

  if (!queue->running)
    return true;
  if (!queues->vhost->ops->start_vring(queues->vhost, ring, &vring, error))
    return false;
  /* For what was there before, in one direction and, of a queue that goes on, in the other. */
  eventfd_write(vring.kick, 1);
  if (vring.base)
    eventfd_write(vring.call, 1);
  return true;
}

static bool prepare(VhostQueues *queues, GError **error) {
  Vhost *vhost = queues->vhost;
  const VhostOps *ops = vhost->ops;
  bool was_connected = vhost->connected;
  uint64_t features = queues->device->features & queues->relied_on;

  if (!ops->connect(vhost, error))
    return false;
  if (features & ~vhost->features) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s has come back without features that the driver was offered (%#" G_GINT64_MODIFIER "x)", vhost->name,
                features & ~vhost->features);
    return false;
  }
  if (was_connected && queues->forget && ops->reset && !ops->reset(vhost, error))
    return false;
  queues->forget = false;
  return ops->set_features(vhost, features, error) && ops->set_memory(vhost, queues->device->queues[queues->first].memory, error);
}

static bool start(VhostQueues *queues, GError **error) {
  Vhost *vhost = queues->vhost;

  if (!prepare(queues, error))
    return false;
  for (queues->n_handed = 0; queues->n_handed < queues->n; queues->n_handed++)
    if (!start_ring(queues, queues->n_handed, error))
      return false;
  return !vhost->ops->run || vhost->ops->run(vhost, true, error);
}

bool vhost_queues_start(VhostQueues *queues) {
  Vhost *vhost = queues->vhost;
  g_autoptr(GError) error = NULL;

  vhost_begin(vhost);
  if (!start(queues, &error)) {
    vhost_queues_lost(queues, error);
    return false;
  }
  queues->used = true;
  watch(queues);
  return true;
}

static bool stop(VhostQueues *queues, GError **error) {
  Vhost *vhost = queues->vhost;

  if (queues->n_handed && vhost->ops->run && !vhost->ops->run(vhost, false, error))
    return false;
  for (unsigned i = 0; i < queues->n_handed; i++) {
    unsigned index = queues->first + i;
    uint16_t next;
    if (!queues->device->queues[index].running)
      continue;
    if (!vhost->ops->stop_vring(vhost, i, &next, error))
      return false;
    virtio_taken_back(queues->device, index, next);
  }
  return true;
}

void vhost_queues_stop(VhostQueues *queues) {
  g_autoptr(GError) error = NULL;

  end_watches(queues);
  vhost_begin(queues->vhost);
  if (!stop(queues, &error))
    vhost_queues_lost(queues, error);
  queues->n_handed = 0;
}

void vhost_queues_reset(VhostQueues *queues) {
  queues->forget |= queues->used;
}

/* Life. */

VhostQueues *vhost_queues_new(VirtioDevice *device, Vhost *vhost, unsigned first, unsigned n, GError **error) {
  VhostQueues *queues = g_new0(VhostQueues, 1);

  g_assert(first + n <= device->n_queues);
  *queues = (VhostQueues){.device = device, .vhost = vhost, .first = first, .n = n, .relied_on = vhost_queues_features(vhost)};
  for (unsigned i = first; i < first + n; i++)
    if (!virtio_serve_elsewhere(device, i, error)) {
      vhost_queues_free(queues);
      return NULL;
    }
  device->served_by = vhost->name;
  return queues;
}

void vhost_queues_free(VhostQueues *queues) {
  if (!queues)
    return;
  queues->device->served_by = NULL;
  vhost_free(queues->vhost);
  g_free(queues);
}
