/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio 1.2, 5.8: queue 0 brings events to the driver, one in a buffer; on queue 1 it says what the device's lights
 * are to show, of which there are none. What the device is, the driver asks through `select` and `subsel` in the
 * configuration space. Numbers of events and keys are Linux's (include/uapi/linux/input-event-codes.h), as the
 * specification wants it.
 *
 * This is the button that kernels hear which have no driver for a key on a GPIO line, such as those that distributions
 * make for clouds.
 *
 * Locks: `lock` guards the events that wait, between who presses and the I/O thread; no callback runs under it. The
 * queues are the I/O thread's, the selection is the transport's.
 */
#include "devices/virtio/input.h"

#include <stddef.h>
#include <string.h>

#define EVENTQ     0
#define STATUSQ    1
#define QUEUE_SIZE 16
#define BATCH      64 /* chains served before anything else has its turn */

#define EV_SYN      0
#define EV_KEY      1
#define SYN_REPORT  0
#define KEY_POWER   116
#define BUS_VIRTUAL 0x06 /* Linux: include/uapi/linux/input.h */

/* 5.8.4, `select`. */
enum { CFG_UNSET = 0x00, CFG_ID_NAME = 0x01, CFG_ID_SERIAL = 0x02, CFG_ID_DEVIDS = 0x03, CFG_EV_BITS = 0x11 };

#define DATA_SIZE 128

/* 5.8.4, little-endian. */
typedef struct {
  uint8_t select, subsel, size, reserved[5];
  uint8_t data[DATA_SIZE];
} InputConfig;

/* 5.8.6, little-endian. */
typedef struct {
  uint16_t type, code;
  uint32_t value;
} InputEvent;

/* A press and a release, each with the report that ends a group. */
#define EVENTS_MAX 4

typedef struct {
  uint8_t select, subsel;
  unsigned n_events; /* that the driver has not got */
  InputEvent events[EVENTS_MAX];
} InputState;

typedef struct {
  VirtioDevice base;
  InputState state; /* events under the lock */
  GMutex lock;
  VirtChain chain;
} VirtioInput;

/* Configuration. */

/* The answer to the selection: its size, 0 for what there is none of. */
static uint8_t answer(const InputState *state, uint8_t *data) {
  static const struct { uint16_t bus, vendor, product, version; } ids = {GUINT16_TO_LE(BUS_VIRTUAL), 0, 0, GUINT16_TO_LE(1)};

  if (state->select == CFG_EV_BITS && state->subsel == EV_KEY) {
    data[KEY_POWER / 8] = 1u << KEY_POWER % 8;
    return KEY_POWER / 8 + 1;
  }
  if (state->subsel)
    return 0;
  switch (state->select) {
  case CFG_ID_NAME:
    return (uint8_t)g_strlcpy((char *)data, "eret power button", DATA_SIZE);
  case CFG_ID_SERIAL:
    return (uint8_t)g_strlcpy((char *)data, "0", DATA_SIZE);
  case CFG_ID_DEVIDS:
    memcpy(data, &ids, sizeof ids);
    return sizeof ids;
  default:
    return 0;
  }
}

static void input_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const InputState *state = &((VirtioInput *)device)->state;
  InputConfig config = {.select = state->select, .subsel = state->subsel};

  config.size = answer(state, config.data);
  memcpy(to, (const uint8_t *)&config + offset, size);
}

static void input_config_write(VirtioDevice *device, unsigned offset, const void *from, unsigned size) {
  InputState *state = &((VirtioInput *)device)->state;

  for (unsigned i = 0; i < size; i++) {
    uint8_t byte = ((const uint8_t *)from)[i];
    if (offset + i == offsetof(InputConfig, select))
      state->select = byte;
    else if (offset + i == offsetof(InputConfig, subsel))
      state->subsel = byte;
  }
}

/* Queues: the I/O thread. */

static bool is_waiting(VirtioInput *input) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&input->lock);
  return input->state.n_events > 0;
}

/* Gives the driver's next buffer the next event; false when there is no buffer, or it is none. */
static bool send_event(VirtioInput *input) {
  InputState *state = &input->state;
  InputEvent event;

  if (virtio_pop(&input->base, EVENTQ, &input->chain) <= 0)
    return false;
  if (input->chain.in_size < sizeof event) {
    virtio_fail(&input->base, "a buffer for an input event that is too small for one");
    return false;
  }
  g_mutex_lock(&input->lock);
  event = state->events[0];
  memmove(state->events, state->events + 1, sizeof event * --state->n_events);
  g_mutex_unlock(&input->lock);
  virt_chain_write(&input->chain, 0, &event, sizeof event);
  virtio_push(&input->base, EVENTQ, input->chain.head, sizeof event);
  return true;
}

static void serve_events(VirtioInput *input) {
  VirtQueue *queue = &input->base.queues[EVENTQ];
  bool sent = false, again = true;

  /* New buffers are news only while events wait for them. */
  while (again) {
    virtqueue_disable_doorbell(queue);
    while (is_waiting(input) && send_event(input))
      sent = true;
    again = is_waiting(input) && virtqueue_enable_doorbell(queue) && !(virtio_get_status(&input->base) & VIRTIO_STATUS_NEEDS_RESET);
  }
  if (sent)
    virtio_interrupt(&input->base, EVENTQ);
}

/* There are no lights: what the driver says of them is returned unread. */
static void serve_status(VirtioInput *input) {
  VirtQueue *queue = &input->base.queues[STATUSQ];
  unsigned served = 0;
  int more = 1;

  virtqueue_disable_doorbell(queue);
  for (; served < BATCH && (more = virtio_pop(&input->base, STATUSQ, &input->chain)) > 0; served++)
    virtio_push(&input->base, STATUSQ, input->chain.head, 0);
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (served)
    virtio_interrupt(&input->base, STATUSQ);
  /* A guest that never stops must not keep the thread from anything else. */
  if (more > 0)
    virtio_notify_again(&input->base, STATUSQ);
}

static void input_notify(VirtioDevice *device, unsigned queue) {
  if (virtio_get_status(device) & VIRTIO_STATUS_NEEDS_RESET)
    return;
  if (queue == EVENTQ)
    serve_events((VirtioInput *)device);
  else
    serve_status((VirtioInput *)device);
}

/* The notify that follows is enough. */
static void input_start(VirtioDevice *device) {
}

static void input_stop(VirtioDevice *device) {
}

/* The button is not the guest's: what was pressed stays pressed. */
static void input_reset(VirtioDevice *device) {
  InputState *state = &((VirtioInput *)device)->state;

  state->select = CFG_UNSET;
  state->subsel = 0;
}

static void input_free(VirtioDevice *device) {
  VirtioInput *input = (VirtioInput *)device;

  virtio_device_clear(device);
  g_mutex_clear(&input->lock);
  g_free(input);
}

static const VirtioDeviceOps input_ops = {
    .id = VIRTIO_ID_INPUT,
    .name = "virtio-input",
    .shared_vector = true,
    .config_size = sizeof(InputConfig),
    .config_read = input_config_read,
    .config_write = input_config_write,
    .start = input_start,
    .notify = input_notify,
    .stop = input_stop,
    .reset = input_reset,
    .free = input_free,
};

static VirtioDevice *input_make(const DeviceParts *parts, GError **error) {
  static const uint16_t queue_sizes[] = {QUEUE_SIZE, QUEUE_SIZE};
  VirtioInput *input = g_new0(VirtioInput, 1);

  if (!virtio_device_init(&input->base, &input_ops, parts->name, parts->memory, 0, G_N_ELEMENTS(queue_sizes), queue_sizes, error)) {
    g_free(input);
    return NULL;
  }
  g_mutex_init(&input->lock);
  return &input->base;
}

/* The button. */

static void events_wait(void *opaque) {
  VirtioDevice *device = opaque;

  if (device->serving && device->queues[EVENTQ].running)
    input_notify(device, EVENTQ);
}

static void input_set_power_button(void *device, bool pressed) {
  VirtioInput *input = device;
  InputState *state = &input->state;

  g_mutex_lock(&input->lock);
  bool room = state->n_events + 2 <= EVENTS_MAX;
  if (room) {
    state->events[state->n_events++] = (InputEvent){GUINT16_TO_LE(EV_KEY), GUINT16_TO_LE(KEY_POWER), GUINT32_TO_LE(pressed)};
    state->events[state->n_events++] = (InputEvent){GUINT16_TO_LE(EV_SYN), GUINT16_TO_LE(SYN_REPORT), 0};
  }
  g_mutex_unlock(&input->lock);
  if (room)
    io_thread_post(input->base.io, events_wait, device);
}

const DeviceKind virtio_input_kind = {
    .name = "virtio-input",
    .make_virtio = input_make,
    .always_mmio = true,
    .set_power_button = input_set_power_button,
};
