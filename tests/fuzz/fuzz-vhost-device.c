/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device whose queues somebody else serves, between a guest that does anything and one that answers anything:
 * devices/virtio/vhost-user.c, vhost-queues.c. The other side is no socket here but what devices/vhost/ makes of it
 * (fuzz-vhost-user.c has that), and it is held to what vhost.h says of it.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/virtio/vhost-user.h"

#define RAM_BASE   UINT64_C(0x40000000)
#define RAM_SIZE   0x10000u
#define STEPS      64
#define QUEUE_ROOM 0x1000u

typedef struct {
  Vhost base; /* first */
  FuzzInput *input;
  bool failed;  /* nothing but disconnect may follow */
  bool running; /* rings */
  bool started[VHOST_USER_QUEUES_MAX];
  int event;
} Other;

typedef struct {
  GuestMemory memory;
  uint8_t *ram;
  Other other;
  FuzzInput *input;
  VirtioDevice *device;
} Fixture;

static Other *other_of(Vhost *vhost) {
  return (Other *)vhost;
}

/* Whether a call is carried out; most are. */
static bool answer(Vhost *vhost, GError **error) {
  Other *other = other_of(vhost);
  unsigned what = fuzz_below(other->input, 32);

  g_assert_true(vhost->connected && !other->failed);
  if (what == 30)
    vhost->config_news = true;
  if (what < 30)
    return true;
  other->failed = true;
  g_set_error(error, G_FILE_ERROR, what == 31 ? G_FILE_ERROR_PIPE : G_FILE_ERROR_FAILED, "no");
  return false;
}

static bool other_connect(Vhost *vhost, GError **error) {
  Other *other = other_of(vhost);
  unsigned what = fuzz_below(other->input, 256);

  if (vhost->connected)
    return true;
  if (what >= 240) {
    g_set_error_literal(error, G_FILE_ERROR, what & 1 ? G_FILE_ERROR_PIPE : G_FILE_ERROR_FAILED, "nobody is there");
    return false;
  }
  vhost->connected = true;
  vhost->features = what < 200 ? VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | 0xffffff : fuzz_number(other->input, 8) | VIRTIO_F_VERSION_1;
  vhost->has_config = what & 1;
  vhost->max_queues = what & 2 ? fuzz_below(other->input, 80) : 0;
  vhost->resumable = what & 4;
  vhost->one_driver = what & 8;
  vhost->watch_fds[0] = other->event;
  vhost->watch_fds[1] = -1;
  return true;
}

static void other_disconnect(Vhost *vhost) {
  Other *other = other_of(vhost);

  vhost->connected = other->failed = other->running = false;
  memset(other->started, 0, sizeof other->started);
  vhost->watch_fds[0] = vhost->watch_fds[1] = -1;
}

static bool other_reset(Vhost *vhost, GError **error) {
  return answer(vhost, error);
}

static void other_renew(Vhost *vhost, bool used) {
  if (used && fuzz_number(other_of(vhost)->input, 1) & 1)
    other_disconnect(vhost);
}

static bool other_set_features(Vhost *vhost, uint64_t features, GError **error) {
  g_assert_cmphex(features & ~vhost->features, ==, 0);
  return answer(vhost, error);
}

static bool other_set_inflight(Vhost *vhost, bool anew, unsigned n, uint16_t size, GError **error) {
  return answer(vhost, error);
}

static bool other_set_memory(Vhost *vhost, const GuestMemory *memory, GError **error) {
  return answer(vhost, error);
}

static bool other_start_vring(Vhost *vhost, unsigned index, const VhostVring *vring, GError **error) {
  Other *other = other_of(vhost);

  g_assert_cmpuint(index, <, VHOST_USER_QUEUES_MAX);
  g_assert_true(vring->descriptors && vring->driver && vring->device && vring->kick >= 0 && vring->call >= 0);
  g_assert_false(other->started[index]);
  if (!answer(vhost, error))
    return false;
  other->started[index] = true;
  return true;
}

static bool other_run(Vhost *vhost, bool running, GError **error) {
  other_of(vhost)->running = running;
  return answer(vhost, error);
}

static bool other_stop_vring(Vhost *vhost, unsigned index, uint16_t *base, GError **error) {
  Other *other = other_of(vhost);

  g_assert_true(other->started[index]);
  other->started[index] = false;
  *base = (uint16_t)fuzz_number(other->input, 2);
  return answer(vhost, error);
}

static bool other_get_config(Vhost *vhost, void *to, unsigned size, GError **error) {
  size_t got;

  g_assert_true(vhost->has_config);
  const uint8_t *bytes = fuzz_bytes(other_of(vhost)->input, MIN(size, 16), &got);
  memset(to, 0, size);
  if (got)
    memcpy(to, bytes, got);
  return answer(vhost, error);
}

static bool other_set_config(Vhost *vhost, unsigned offset, const void *from, unsigned size, GError **error) {
  g_assert_true(vhost->has_config);
  return answer(vhost, error);
}

static bool other_handle(Vhost *vhost, bool *config_changed, GError **error) {
  eventfd_t count;

  eventfd_read(other_of(vhost)->event, &count);
  *config_changed = fuzz_number(other_of(vhost)->input, 1) & 1;
  return answer(vhost, error);
}

static bool other_is_away(const GError *error) {
  return g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_PIPE);
}

static void other_free(Vhost *vhost) {
  other_disconnect(vhost);
}

/* The guest. */

static void nothing(void *opaque) {
}

static void settle(Fixture *f) {
  if (f->device->serving)
    io_thread_call(f->device->io, nothing, NULL);
}

static void set_status(Fixture *f) {
  static const uint8_t statuses[] = {0, 1, 3, 11, 15, 15, 15, 128};

  virtio_set_status(f->device, statuses[fuzz_below(f->input, sizeof statuses)]);
}

static void place_queue(Fixture *f, unsigned index) {
  VirtQueue *queue = virtio_queue_to_configure(f->device, index);
  uint64_t rings = RAM_BASE + index % (RAM_SIZE / QUEUE_ROOM) * QUEUE_ROOM;

  if (!queue)
    return;
  queue->config.size = (uint16_t)(1u << fuzz_below(f->input, 5));
  queue->config.descriptors = rings;
  queue->config.driver = rings + 0x400;
  queue->config.device = fuzz_below(f->input, 16) == 15 ? fuzz_number(f->input, 8) : rings + 0x800;
  queue->config.ready = fuzz_below(f->input, 8) != 7;
}

/* From reset to DRIVER_OK. */
static void start(Fixture *f) {
  uint64_t features = f->device->offered_features & ~(UINT64_C(1) << fuzz_below(f->input, 64) & ~VIRTIO_F_VERSION_1);

  virtio_set_status(f->device, 0);
  virtio_set_status(f->device, 3);
  virtio_set_driver_features(f->device, 0, (uint32_t)features);
  virtio_set_driver_features(f->device, 1, features >> 32);
  virtio_set_status(f->device, 11);
  for (unsigned i = 0; i < MIN(f->device->n_queues, 4); i++)
    place_queue(f, i);
  virtio_set_status(f->device, 15);
}

static void access_config(Fixture *f) {
  uint64_t offset = fuzz_number(f->input, 1), value = fuzz_number(f->input, 1);
  unsigned size = 1u << fuzz_below(f->input, 4);

  virtio_config_read(f->device, offset, &value, size);
  if (value & 1)
    virtio_config_write(f->device, offset, &value, size);
}

static void ring(Fixture *f) {
  virtio_ring_doorbell(f->device, fuzz_below(f->input, f->device->n_queues + 1));
}

/* Of the other side: it has something to say; chains were returned, or so it looks. */
static void speak(Fixture *f) {
  eventfd_write(f->other.event, 1);
}

static void return_chains(Fixture *f) {
  uint16_t used = (uint16_t)fuzz_number(f->input, 2);

  memcpy(f->ram + 0x802, &used, sizeof used);
}

static void interrupt(Fixture *f) {
  unsigned queue = fuzz_below(f->input, f->device->n_queues);

  if (virtio_call_fd(f->device, queue) >= 0)
    eventfd_write(virtio_call_fd(f->device, queue), 1);
}

static void pass_time(Fixture *f) {
  for (unsigned i = 0; i < 25; i++)
    settle(f);
}

static void stand_still(Fixture *f) {
  virtio_device_pause(f->device);
  virtio_device_resume(f->device);
}

static void happened(void *transport) {
}

static void happened_to(void *transport, unsigned queue) {
}

static void use(Fixture *f) {
  static void (*const steps[])(Fixture *) = {set_status, start, start,         access_config, ring,        speak,
                                             speak,      ring,  return_chains, interrupt,     stand_still, pass_time};
  static const VirtioTransportOps ops = {happened_to, happened, happened};

  virtio_device_connect(f->device, &ops, f);
  for (unsigned i = 0; i < STEPS && f->input->left; i++) {
    steps[fuzz_below(f->input, G_N_ELEMENTS(steps))](f);
    settle(f);
  }
  virtio_set_status(f->device, 0);
  virtio_device_free(f->device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const VhostOps ops = {
      .connect = other_connect,
      .disconnect = other_disconnect,
      .reset = other_reset,
      .renew = other_renew,
      .set_features = other_set_features,
      .set_inflight = other_set_inflight,
      .set_memory = other_set_memory,
      .start_vring = other_start_vring,
      .run = other_run,
      .stop_vring = other_stop_vring,
      .get_config = other_get_config,
      .set_config = other_set_config,
      .handle = other_handle,
      .is_away = other_is_away,
      .free = other_free,
  };
  FuzzInput input = {data, size};
  Fixture f = {.input = &input, .ram = aligned_alloc(4096, RAM_SIZE)};
  const VhostUserDevicePlan plan = {.type = 1 + fuzz_below(&input, 45), .queues = fuzz_below(&input, 8)};
  g_autoptr(GError) error = NULL;

  memset(f.ram, 0, RAM_SIZE);
  g_assert_true(guest_memory_add(&f.memory, RAM_BASE, RAM_SIZE, f.ram));
  f.other = (Other){.base = {.ops = &ops, .name = (char *)"other", .away_us = VHOST_AWAY_US, .watch_fds = {-1, -1}},
                    .input = &input,
                    .event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  f.device = virtio_vhost_user_new_of("device", &f.memory, &f.other.base, &plan, &error);
  g_assert_true(!f.device == !!error);
  if (f.device)
    use(&f);
  close(f.other.event);
  free(f.ram);
  return 0;
}
