/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio console device (virtio 1.2, 5.3) with one port, whose stream is console-stream.c's: queue 0 takes input to
 * the guest, queue 1 brings its output.
 *
 * VIRTIO_CONSOLE_F_EMERG_WRITE: a write to emerg_wr is a character of output before there are queues, straight from the
 * vCPU thread.
 *
 * No lock of its own: the size is atomic.
 */
#include "devices/virtio/console.h"

#include <stddef.h>
#include <string.h>

#include "devices/virtio/console-stream.h"

#define RECEIVEQ   0
#define TRANSMITQ  1
#define QUEUE_SIZE 64
#define STASH_SIZE 4096

/* Feature bits: 5.3.3. */
#define CONSOLE_F_SIZE        (UINT64_C(1) << 0)
#define CONSOLE_F_EMERG_WRITE (UINT64_C(1) << 2)

/* 5.3.4, little-endian. */
typedef struct {
  uint16_t columns, rows;
  uint32_t max_ports;
  uint32_t emerg_wr;
} ConsoleConfig;

typedef struct {
  VirtioDevice base;
  ConsoleStream stream;
  int size; /* columns | rows << 16; atomic */
} VirtioConsole;

static ConsoleStream *stream_of(VirtioDevice *device) {
  return &((VirtioConsole *)device)->stream;
}

static void console_notify(VirtioDevice *device, unsigned queue) {
  if (queue == RECEIVEQ)
    console_stream_serve_input(stream_of(device));
  else
    console_stream_serve_output(stream_of(device));
}

static void console_start(VirtioDevice *device) {
  console_stream_start(stream_of(device));
}

static void console_stop(VirtioDevice *device) {
  console_stream_stop(stream_of(device));
}

static void console_reset(VirtioDevice *device) {
  console_stream_reset(stream_of(device));
}

static void console_queue_reset(VirtioDevice *device, unsigned queue) {
  console_stream_queue_reset(stream_of(device), queue);
}

static void console_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  VirtioConsole *console = (VirtioConsole *)device;
  uint32_t terminal = (uint32_t)__atomic_load_n(&console->size, __ATOMIC_SEQ_CST);
  const ConsoleConfig config = {
      .columns = GUINT16_TO_LE((uint16_t)terminal),
      .rows = GUINT16_TO_LE((uint16_t)(terminal >> 16)),
      .max_ports = GUINT32_TO_LE(1),
  };

  memcpy(to, (const uint8_t *)&config + offset, size);
}

/* The character of an emergency write is the low byte. It cannot wait, so a full back end drops it. */
static void console_config_write(VirtioDevice *device, unsigned offset, const void *from, unsigned size) {
  VirtioConsole *console = (VirtioConsole *)device;

  if (offset == offsetof(ConsoleConfig, emerg_wr) && size && console->stream.backend)
    char_backend_write(console->stream.backend, from, 1);
}

static void console_free(VirtioDevice *device) {
  VirtioConsole *console = (VirtioConsole *)device;

  console_stream_disconnect(&console->stream);
  virtio_device_clear(device);
  console_stream_clear(&console->stream);
  g_free(console);
}

static const VirtioDeviceOps console_ops = {
    .id = VIRTIO_ID_CONSOLE,
    .name = "virtio-console",
    .shared_vector = true,
    .config_size = sizeof(ConsoleConfig),
    .config_read = console_config_read,
    .config_write = console_config_write,
    .start = console_start,
    .notify = console_notify,
    .stop = console_stop,
    .reset = console_reset,
    .queue_reset = console_queue_reset,
    .free = console_free,
};

static VirtioDevice *console_make(const DeviceParts *parts, GError **error) {
  static const uint16_t queue_sizes[] = {QUEUE_SIZE, QUEUE_SIZE};
  VirtioConsole *console = g_new0(VirtioConsole, 1);

  if (!virtio_device_init(&console->base, &console_ops, parts->name, parts->memory, CONSOLE_F_SIZE | CONSOLE_F_EMERG_WRITE,
                          G_N_ELEMENTS(queue_sizes), queue_sizes, error)) {
    g_free(console);
    return NULL;
  }
  console_stream_init(&console->stream, &console->base, RECEIVEQ, TRANSMITQ, parts->console, STASH_SIZE);
  console->stream.connected = true; /* always: a guest without a driver gives no buffers */
  return &console->base;
}

void virtio_console_resize(VirtioDevice *device, uint16_t columns, uint16_t rows) {
  VirtioConsole *console = (VirtioConsole *)device;
  int size = (int)(columns | (uint32_t)rows << 16);

  if (__atomic_exchange_n(&console->size, size, __ATOMIC_SEQ_CST) != size)
    virtio_config_changed(device);
}

const DeviceKind virtio_console_kind = {.name = "virtio-console", .make_virtio = console_make};
