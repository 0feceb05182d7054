/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio core: virtio 1.2, 2.1 (device status), 2.2 (features), 2.3 (notifications), 2.5 (configuration space), 3.1
 * (initialisation).
 *
 * A device is served between DRIVER_OK and reset: its queues run on its I/O thread, which the first DRIVER_OK makes,
 * woken by one event descriptor a queue. Changes of state come from the transport's thread, which hands serve and
 * unserve over by io_thread_call and waits; after unserve nothing is in flight. A guest that breaks a rule makes the
 * device NEEDS_RESET: served no further, but answering register accesses.
 *
 * A queue that is served elsewhere has a second descriptor, its call: a signal is an interrupt. On a host whose KVM
 * takes it, no thread of ours wakes up for one; what it leaves comes here, and goes the way of every interrupt.
 *
 * A queue whose thread is another than the device's is listened to, notified and stopped there.
 *
 * Locks: none. `status`, `serving` and `config_generation` are atomic; what else several threads use changes only while
 * the others wait.
 */
#include "devices/virtio/virtio.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CORE_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)
#define FEATURE_WORDS 2

/* What the driver may set on its own word; the other bits have conditions, or are the device's. */
#define FREE_STATUS_BITS (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FAILED)

struct VirtioDoorbell {
  VirtioDevice *device;
  unsigned queue;
  IoSource *source; /* queue's thread; NULL while not served */
  IoSource *call;   /* queue's thread; of one that is served elsewhere */
  bool again;       /* queue's thread: virtio_notify_again was called, and has had no effect yet */
};

static bool needs_reset(const VirtioDevice *device) {
  return virtio_get_status(device) & VIRTIO_STATUS_NEEDS_RESET;
}

static void signal_event(int fd) {
  uint64_t one = 1;
  ssize_t written;

  do
    written = write(fd, &one, sizeof one);
  while (written < 0 && errno == EINTR); /* EAGAIN: the counter is full, so it is readable as it should be */
}

/* How often it was rung since the last time. */
static uint64_t drain_event(int fd) {
  uint64_t count = 0;
  ssize_t got;

  do
    got = read(fd, &count, sizeof count);
  while (got < 0 && errno == EINTR);
  return got < 0 ? 0 : count;
}

/* On the I/O threads. */

static IoThread *io_of(const VirtioDevice *device, unsigned queue) {
  return device->ops->io ? device->ops->io(device, queue) : device->io;
}

/* For this driver, as its type says. */
static bool is_elsewhere(const VirtioDevice *device, unsigned queue) {
  return virtio_call_fd(device, queue) >= 0 && !(device->ops->serves && device->ops->serves(device, queue));
}

/*
 * The one way to a type's notify, so that a device that failed is not served, though its doorbells still wake the
 * thread.
 */
static void notify(VirtioDevice *device, unsigned queue) {
  if (__atomic_load_n(&device->serving, __ATOMIC_SEQ_CST) && device->queues[queue].running && !is_elsewhere(device, queue) &&
      !needs_reset(device))
    device->ops->notify(device, queue);
}

static void doorbell_rung(void *opaque) {
  VirtioDoorbell *doorbell = opaque;

  /* First the counter, then the queue: a ring in between is then seen by one or the other. */
  uint64_t rings = drain_event(doorbell->device->doorbell_fds[doorbell->queue]);
  if (rings)
    device_watch_doorbell(doorbell->device->watch, doorbell->device->name, doorbell->queue, rings);
  notify(doorbell->device, doorbell->queue);
}

/* Who serves the queue elsewhere interrupts, and the transport had nobody else take it. */
static void called(void *opaque) {
  const VirtioDoorbell *doorbell = opaque;
  VirtioDevice *device = doorbell->device;

  if (!drain_event(device->call_fds[doorbell->queue]) || needs_reset(device))
    return;
  device_watch_interrupt(device->watch, device->name, doorbell->queue);
  device->transport_ops->queue_interrupt(device->transport, doorbell->queue);
}

static void listen(VirtioDevice *device, unsigned queue) {
  VirtioDoorbell *doorbell = &device->doorbells[queue];

  if (is_elsewhere(device, queue))
    doorbell->call = io_thread_add_source(io_of(device, queue), virtio_call_fd(device, queue), called, doorbell);
  else
    doorbell->source = io_thread_add_source(io_of(device, queue), device->doorbell_fds[queue], doorbell_rung, doorbell);
}

static void notify_of(void *opaque) {
  const VirtioDoorbell *doorbell = opaque;

  notify(doorbell->device, doorbell->queue);
}

/* A queue that runs has a thread that does. */
static void call_for_running(VirtioDevice *device, void (*function)(void *opaque)) {
  for (unsigned i = 0; i < device->n_queues; i++)
    if (device->queues[i].running)
      io_thread_call(io_of(device, i), function, &device->doorbells[i]);
}

static void start_queue(VirtioDevice *device, unsigned queue) {
  g_autoptr(GError) error = NULL;

  if (!io_thread_start(io_of(device, queue), device->threads, &error))
    virtio_fail(device, error->message);
  else if (!virtqueue_start(&device->queues[queue]))
    virtio_fail(device, device->queues[queue].broken);
}

static void serve(void *opaque) {
  VirtioDevice *device = opaque;

  for (unsigned i = 0; i < device->n_queues && !needs_reset(device); i++)
    if (device->queues[i].config.ready)
      start_queue(device, i);
  if (needs_reset(device))
    return;
  __atomic_store_n(&device->serving, true, __ATOMIC_SEQ_CST);
  device->ops->start(device);
  if (needs_reset(device))
    return;
  for (unsigned i = 0; i < device->n_queues; i++)
    if (device->queues[i].running)
      listen(device, i);
  /* Chains that were made available before anyone looked, or put back by a pause. */
  call_for_running(device, notify_of);
}

static void end_listening(void *opaque) {
  g_clear_pointer(&((VirtioDoorbell *)opaque)->source, io_source_free);
}

/* The last that its thread does for it: what was posted before has been done by then. */
static void stop_queue(void *opaque) {
  VirtioDoorbell *doorbell = opaque;

  if (doorbell->call)
    called(doorbell); /* for what was still returned */
  g_clear_pointer(&doorbell->call, io_source_free);
  virtqueue_stop(&doorbell->device->queues[doorbell->queue]);
}

static void unserve(void *opaque) {
  VirtioDevice *device = opaque;

  call_for_running(device, end_listening);
  if (device->serving)
    device->ops->stop(device);
  __atomic_store_n(&device->serving, false, __ATOMIC_SEQ_CST);
  call_for_running(device, stop_queue);
}

/*
 * What the driver has made available is still served: a guest that powers off behind its last line expects to see that
 * line.
 */
static void finish(void *opaque) {
  VirtioDevice *device = opaque;

  call_for_running(device, notify_of);
  unserve(device);
}

int virtio_pop(VirtioDevice *device, unsigned queue, VirtChain *chain) {
  if (needs_reset(device))
    return -1;
  int popped = virtqueue_pop(&device->queues[queue], chain);
  if (popped < 0)
    virtio_fail(device, device->queues[queue].broken);
  return popped;
}

void virtio_push(VirtioDevice *device, unsigned queue, uint16_t head, uint32_t written) {
  if (!needs_reset(device))
    virtqueue_push(&device->queues[queue], head, written);
}

void virtio_push_many(VirtioDevice *device, unsigned queue, const VirtUsed *used, unsigned n) {
  if (!needs_reset(device))
    virtqueue_push_many(&device->queues[queue], used, n);
}

static void look_again(void *opaque) {
  VirtioDoorbell *doorbell = opaque;

  doorbell->again = false;
  notify(doorbell->device, doorbell->queue);
}

void virtio_notify_again(VirtioDevice *device, unsigned queue) {
  VirtioDoorbell *doorbell = &device->doorbells[queue];

  if (!doorbell->again)
    io_thread_post(io_of(device, queue), look_again, doorbell);
  doorbell->again = true;
}

void virtio_interrupt(VirtioDevice *device, unsigned queue) {
  if (needs_reset(device) || !virtqueue_needs_interrupt(&device->queues[queue]))
    return;
  device_watch_interrupt(device->watch, device->name, queue);
  device->transport_ops->queue_interrupt(device->transport, queue);
}

void virtio_taken_back(VirtioDevice *device, unsigned queue, uint16_t next) {
  device->queues[queue].next_avail = next;
  device->queues[queue].next_used = next;
}

void virtio_fail(VirtioDevice *device, const char *why) {
  int before = __atomic_fetch_or(&device->status, VIRTIO_STATUS_NEEDS_RESET, __ATOMIC_SEQ_CST);

  if (before & VIRTIO_STATUS_NEEDS_RESET)
    return;
  /* The guest can fail and reset in a loop. */
  g_autofree char *what = g_strconcat(why, "; it needs a reset by its driver", NULL);
  log_limit_say(&device->failures, device->name, what);
  /* 2.1.2: a configuration change notification tells a driver that is past DRIVER_OK. */
  if (before & VIRTIO_STATUS_DRIVER_OK)
    device->transport_ops->config_interrupt(device->transport);
}

/* On the transport's thread. */

uint8_t virtio_get_status(const VirtioDevice *device) {
  return (uint8_t)__atomic_load_n(&device->status, __ATOMIC_SEQ_CST);
}

static void add_status(VirtioDevice *device, uint8_t bits) {
  __atomic_fetch_or(&device->status, bits, __ATOMIC_SEQ_CST);
}

/*
 * 2.2.2, 6.2: what the driver accepts was offered, and includes VERSION_1, without which it would be a legacy driver.
 */
static bool accept_features(VirtioDevice *device) {
  if ((device->driver_features & ~device->offered_features) || !(device->driver_features & VIRTIO_F_VERSION_1))
    return false;
  device->features = device->driver_features;
  for (unsigned i = 0; i < device->n_queues; i++) {
    device->queues[i].event_idx = device->features & VIRTIO_F_EVENT_IDX;
    device->queues[i].indirect = device->features & VIRTIO_F_INDIRECT_DESC;
  }
  return true;
}

/* A device that no driver takes needs no thread. */
static void start(VirtioDevice *device) {
  g_autoptr(GError) error = NULL;

  if (!io_thread_start(device->io, device->threads, &error)) {
    virtio_fail(device, error->message);
    return;
  }
  device->started = true;
  if (!device->paused)
    io_thread_call(device->io, serve, device);
}

void virtio_set_status(VirtioDevice *device, uint8_t status) {
  if (status == 0) {
    virtio_device_reset(device);
    return;
  }
  /* 2.1.1: a driver does not clear bits but by a reset, so a bit that is missing means nothing. */
  uint8_t fresh = status & ~virtio_get_status(device);
  add_status(device, fresh & FREE_STATUS_BITS);
  if ((fresh & VIRTIO_STATUS_FEATURES_OK) && accept_features(device))
    add_status(device, VIRTIO_STATUS_FEATURES_OK);
  if ((fresh & VIRTIO_STATUS_DRIVER_OK) && (virtio_get_status(device) & VIRTIO_STATUS_FEATURES_OK)) {
    add_status(device, VIRTIO_STATUS_DRIVER_OK);
    start(device);
  }
}

void virtio_set_driver_features(VirtioDevice *device, unsigned word, uint32_t value) {
  if (word >= FEATURE_WORDS || (virtio_get_status(device) & VIRTIO_STATUS_FEATURES_OK))
    return;
  unsigned shift = 32 * word;
  device->driver_features = (device->driver_features & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

uint32_t virtio_get_device_features(const VirtioDevice *device, unsigned word) {
  return word < FEATURE_WORDS ? (uint32_t)(device->offered_features >> (32 * word)) : 0;
}

uint32_t virtio_get_driver_features(const VirtioDevice *device, unsigned word) {
  return word < FEATURE_WORDS ? (uint32_t)(device->driver_features >> (32 * word)) : 0;
}

void virtio_ring_doorbell(VirtioDevice *device, unsigned queue) {
  if (queue < device->n_queues)
    signal_event(device->doorbell_fds[queue]);
}

int virtio_call_fd(const VirtioDevice *device, unsigned queue) {
  return device->call_fds ? device->call_fds[queue] : -1;
}

void virtio_config_read(VirtioDevice *device, uint64_t offset, void *to, unsigned size) {
  unsigned config_size = device->ops->config_size;

  memset(to, 0, size);
  if (offset < config_size)
    device->ops->config_read(device, (unsigned)offset, to, MIN(size, config_size - (unsigned)offset));
}

void virtio_config_write(VirtioDevice *device, uint64_t offset, const void *from, unsigned size) {
  unsigned config_size = device->ops->config_size;

  if (device->ops->config_write && offset < config_size && size <= config_size - offset)
    device->ops->config_write(device, (unsigned)offset, from, size);
}

void virtio_config_changed(VirtioDevice *device) {
  /*
   * Once before and once after a transport that keeps a copy takes it: a driver that reads meanwhile sees a generation
   * go by, and reads again (2.5.3).
   */
  __atomic_fetch_add(&device->config_generation, 1, __ATOMIC_SEQ_CST);
  if (device->transport_ops->config_changed)
    device->transport_ops->config_changed(device->transport);
  __atomic_fetch_add(&device->config_generation, 1, __ATOMIC_SEQ_CST);
  if (virtio_get_status(device) & VIRTIO_STATUS_DRIVER_OK)
    device->transport_ops->config_interrupt(device->transport);
}

const VirtQueue *virtio_queue(const VirtioDevice *device, unsigned index) {
  return index < device->n_queues ? &device->queues[index] : NULL;
}

VirtQueue *virtio_queue_to_configure(VirtioDevice *device, unsigned index) {
  if (index >= device->n_queues || device->queues[index].config.ready || device->started)
    return NULL;
  return &device->queues[index];
}

static void unserve_if_served(VirtioDevice *device) {
  if (device->started && !device->paused)
    io_thread_call(device->io, unserve, device);
}

/* Of its life nothing is left, neither here nor with the device type. It is not served. */
static void reset_queue(VirtioDevice *device, unsigned index) {
  VirtQueue *queue = &device->queues[index];
  bool event_idx = queue->event_idx, indirect = queue->indirect;

  virtqueue_reset(queue);
  queue->event_idx = event_idx;
  queue->indirect = indirect;
  drain_event(device->doorbell_fds[index]);
  if (virtio_call_fd(device, index) >= 0)
    drain_event(device->call_fds[index]);
  if (device->ops->queue_reset)
    device->ops->queue_reset(device, index);
}

void virtio_queue_disable(VirtioDevice *device, unsigned index) {
  if (index >= device->n_queues || !device->queues[index].config.ready)
    return;
  unserve_if_served(device);
  reset_queue(device, index);
  if (device->started && !device->paused)
    io_thread_call(device->io, serve, device);
}

void virtio_device_reset(VirtioDevice *device) {
  unserve_if_served(device);
  device->started = false;
  if (device->ops->reset)
    device->ops->reset(device);
  for (unsigned i = 0; i < device->n_queues; i++) {
    reset_queue(device, i);
    device->queues[i].event_idx = device->queues[i].indirect = false;
  }
  device->driver_features = 0;
  device->features = 0;
  __atomic_store_n(&device->status, 0, __ATOMIC_SEQ_CST);
}

void virtio_device_pause(VirtioDevice *device) {
  if (device->started && !device->paused)
    io_thread_call(device->io, finish, device);
  device->paused = true;
}

void virtio_device_resume(VirtioDevice *device) {
  bool was_paused = device->paused;

  device->paused = false;
  if (was_paused && device->started)
    io_thread_call(device->io, serve, device);
}

/* Life. */

void virtio_device_connect(VirtioDevice *device, const VirtioTransportOps *ops, void *transport) {
  device->transport_ops = ops;
  device->transport = transport;
}

/* Until a transport connects. */
static void ignore_queue_interrupt(void *transport, unsigned queue) {
}

static void ignore_config_interrupt(void *transport) {
}

static const VirtioTransportOps no_transport = {.queue_interrupt = ignore_queue_interrupt, .config_interrupt = ignore_config_interrupt};

static bool open_event(const VirtioDevice *device, unsigned queue, int *fd, GError **error) {
  *fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (*fd >= 0)
    return true;
  int code = errno;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s: cannot make an event descriptor for queue %u: %s", device->name,
              queue, g_strerror(code));
  return false;
}

static bool open_doorbells(VirtioDevice *device, GError **error) {
  for (unsigned i = 0; i < device->n_queues; i++)
    if (!open_event(device, i, &device->doorbell_fds[i], error))
      return false;
  return true;
}

bool virtio_serve_elsewhere(VirtioDevice *device, unsigned queue, GError **error) {
  if (!device->call_fds) {
    device->call_fds = g_new(int, device->n_queues);
    for (unsigned i = 0; i < device->n_queues; i++)
      device->call_fds[i] = -1;
  }
  return open_event(device, queue, &device->call_fds[queue], error);
}

bool virtio_device_init(VirtioDevice *device, const VirtioDeviceOps *ops, const char *name, const GuestMemory *memory, uint64_t features,
                        unsigned n_queues, const uint16_t *queue_sizes, GError **error) {
  g_autofree char *thread_name = g_strndup(name, IO_THREAD_NAME_MAX);

  *device = (VirtioDevice){
      .ops = ops,
      .name = g_strdup(name),
      .offered_features = features | CORE_FEATURES,
      .n_queues = n_queues,
      .queues = g_new0(VirtQueue, n_queues),
      .doorbell_fds = g_new(int, n_queues),
      .doorbells = g_new0(VirtioDoorbell, n_queues),
  };
  virtio_device_connect(device, &no_transport, NULL);
  for (unsigned i = 0; i < n_queues; i++) {
    virtqueue_init(&device->queues[i], memory, queue_sizes[i]);
    device->doorbells[i] = (VirtioDoorbell){.device = device, .queue = i};
    device->doorbell_fds[i] = -1;
  }
  if (!open_doorbells(device, error)) {
    virtio_device_clear(device);
    return false;
  }
  device->io = io_thread_new(thread_name, error);
  if (!device->io)
    virtio_device_clear(device);
  return device->io != NULL;
}

IoThread *virtio_new_queue_thread(const VirtioDevice *device, unsigned number, GError **error) {
  g_autofree char *suffix = g_strdup_printf("-q%u", number);
  g_autofree char *name = g_strdup_printf("%.*s%s", (int)(IO_THREAD_NAME_MAX - strlen(suffix)), device->name, suffix);

  return io_thread_new(name, error);
}

void virtio_device_clear(VirtioDevice *device) {
  g_clear_pointer(&device->io, io_thread_free);
  for (unsigned i = 0; i < device->n_queues; i++) {
    if (device->doorbell_fds[i] >= 0)
      close(device->doorbell_fds[i]);
    if (virtio_call_fd(device, i) >= 0)
      close(device->call_fds[i]);
  }
  g_clear_pointer(&device->doorbell_fds, g_free);
  g_clear_pointer(&device->call_fds, g_free);
  g_clear_pointer(&device->queues, g_free);
  g_clear_pointer(&device->doorbells, g_free);
  g_clear_pointer(&device->name, g_free);
  device->n_queues = 0;
}

void virtio_device_free(VirtioDevice *device) {
  if (!device)
    return;
  /* While the type's own parts are still there for its stop. */
  if (device->io)
    unserve_if_served(device);
  device->started = false;
  device->ops->free(device);
}
