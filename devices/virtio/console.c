/*
 * The virtio console device (virtio 1.2, 5.3) with one port: queue 0 takes input to the guest, queue 1 brings its output.
 *
 * Nothing is lost in either direction, and nobody waits. Output: what the back end does not take stays in its chain, and the device goes
 * on with it when there is room again. Input: it stays in the back end until the guest has given buffers; `stash` carries it from the main
 * thread to the I/O thread, which alone may touch the queues, and keeps it over a reset.
 *
 * VIRTIO_CONSOLE_F_EMERG_WRITE: a write to emerg_wr is a character of output before there are queues, straight from the vCPU thread.
 *
 * Locks: `lock` guards the stash and what the two threads tell each other about it; no callback runs under it. The queues and the output
 * state are the I/O thread's; the size is atomic.
 */
#include "devices/virtio/console.h"

#include <stddef.h>
#include <string.h>

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
  CharBackend *backend; /* or NULL */
  int size;             /* columns | rows << 16; atomic */

  GMutex lock;
  uint8_t stash[STASH_SIZE]; /* on its way to the guest */
  size_t stash_size;
  bool buffers; /* the guest has given some */
  bool starved; /* the back end was told that there is no room */

  /* The I/O thread's. */
  bool running;
  bool blocked;      /* the chain at the front of the transmit queue waits for the back end */
  uint64_t progress; /* bytes of that chain which are out already; kept over a pause */
  VirtChain chain;
} VirtioConsole;

/* A guest that never stops asking must not keep the thread from anything else: the rest comes with another round of the thread. */
static void yield(VirtioConsole *console, unsigned queue) {
  virtio_notify_again(&console->base, queue);
}

static bool may_serve(const VirtioConsole *console) {
  return console->running && !(virtio_get_status(&console->base) & VIRTIO_STATUS_NEEDS_RESET);
}

/* Output: the I/O thread. */

/* Hands the chain on from `progress` on; false when the back end is full. */
static bool put_out(VirtioConsole *console, const VirtChain *chain) {
  uint64_t skip = console->progress;

  if (!console->backend)
    return true;
  for (unsigned i = 0; i < chain->n_out; i++) {
    const uint8_t *bytes = chain->iov[i].iov_base;
    size_t size = chain->iov[i].iov_len, taken;

    if (skip >= size) {
      skip -= size;
      continue;
    }
    taken = char_backend_write(console->backend, bytes + skip, size - skip);
    console->progress += taken;
    if (taken < size - skip)
      return false;
    skip = 0;
  }
  return true;
}

/* 0 when the queue is empty, 1 when there may be more, -1 when it has failed or the back end is full. */
static int put_some(VirtioConsole *console, unsigned *served) {
  for (*served = 0; *served < QUEUE_SIZE; (*served)++) {
    int popped = virtio_pop(&console->base, TRANSMITQ, &console->chain);

    if (popped <= 0)
      return popped;
    if (!put_out(console, &console->chain)) {
      console->blocked = true;
      virtqueue_unpop(&console->base.queues[TRANSMITQ]);
      return -1;
    }
    console->progress = 0;
    virtio_push(&console->base, TRANSMITQ, console->chain.head, 0);
  }
  return 1;
}

static void serve_output(VirtioConsole *console) {
  VirtQueue *queue = &console->base.queues[TRANSMITQ];
  unsigned served;
  int more;

  if (!may_serve(console) || console->blocked)
    return;
  virtqueue_disable_doorbell(queue);
  more = put_some(console, &served);
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (served)
    virtio_interrupt(&console->base, TRANSMITQ);
  if (more > 0)
    yield(console, TRANSMITQ);
}

static void resume_output(void *opaque) {
  VirtioConsole *console = opaque;

  console->blocked = false;
  serve_output(console);
}

/* Input: the I/O thread. */

/* Fills one buffer of the guest's from the stash; false when there was none, or the queue has failed. */
static bool fill_buffer(VirtioConsole *console) {
  size_t size;

  if (virtio_pop(&console->base, RECEIVEQ, &console->chain) <= 0)
    return false;
  g_mutex_lock(&console->lock);
  size = virt_chain_write(&console->chain, 0, console->stash, console->stash_size);
  console->stash_size -= size;
  memmove(console->stash, console->stash + size, console->stash_size);
  g_mutex_unlock(&console->lock);
  virtio_push(&console->base, RECEIVEQ, console->chain.head, (uint32_t)size);
  return true;
}

/* Tells the back end, once, that there is room again after it was told that there is none. */
static void announce_room(VirtioConsole *console, bool buffers) {
  bool announce;

  g_mutex_lock(&console->lock);
  console->buffers = buffers;
  announce = buffers && console->starved && console->stash_size < STASH_SIZE;
  if (announce)
    console->starved = false;
  g_mutex_unlock(&console->lock);
  if (announce)
    char_backend_accept(console->backend);
}

static bool stash_is_empty(VirtioConsole *console) {
  bool empty;

  g_mutex_lock(&console->lock);
  empty = !console->stash_size;
  g_mutex_unlock(&console->lock);
  return empty;
}

static void serve_input(VirtioConsole *console) {
  VirtQueue *queue = &console->base.queues[RECEIVEQ];
  unsigned served = 0;
  bool buffers;

  if (!may_serve(console) || !console->backend)
    return;
  while (served < QUEUE_SIZE && !stash_is_empty(console) && fill_buffer(console))
    served++;
  /* New buffers are news only while there are none. */
  buffers = virtqueue_enable_doorbell(queue);
  if (buffers)
    virtqueue_disable_doorbell(queue);
  if (served)
    virtio_interrupt(&console->base, RECEIVEQ);
  announce_room(console, buffers);
  if (buffers && may_serve(console) && !stash_is_empty(console))
    yield(console, RECEIVEQ);
}

static void input_arrived(void *opaque) {
  serve_input(opaque);
}

/* The back end's callbacks: the main thread. */

static size_t console_room(void *opaque) {
  VirtioConsole *console = opaque;
  size_t room;

  g_mutex_lock(&console->lock);
  room = console->buffers ? STASH_SIZE - console->stash_size : 0;
  console->starved = !room;
  g_mutex_unlock(&console->lock);
  return room;
}

static void console_receive(void *opaque, const uint8_t *bytes, size_t size) {
  VirtioConsole *console = opaque;
  bool was_empty;

  g_mutex_lock(&console->lock);
  was_empty = !console->stash_size;
  size = MIN(size, STASH_SIZE - console->stash_size);
  memcpy(console->stash + console->stash_size, bytes, size);
  console->stash_size += size;
  g_mutex_unlock(&console->lock);
  if (was_empty)
    io_thread_post(console->base.io, input_arrived, console);
}

static void console_writable(void *opaque) {
  VirtioConsole *console = opaque;

  io_thread_post(console->base.io, resume_output, console);
}

static const CharFrontend console_frontend = {.room = console_room, .receive = console_receive, .writable = console_writable};

/* The device. */

static void console_notify(VirtioDevice *device, unsigned queue) {
  if (queue == RECEIVEQ)
    serve_input((VirtioConsole *)device);
  else
    serve_output((VirtioConsole *)device);
}

static void console_start(VirtioDevice *device) {
  VirtioConsole *console = (VirtioConsole *)device;

  console->running = true;
  console->blocked = false;
}

static void console_stop(VirtioDevice *device) {
  VirtioConsole *console = (VirtioConsole *)device;

  console->running = false;
  g_mutex_lock(&console->lock);
  console->buffers = false;
  g_mutex_unlock(&console->lock);
}

static void console_reset(VirtioDevice *device) {
  ((VirtioConsole *)device)->progress = 0;
}

static void console_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  VirtioConsole *console = (VirtioConsole *)device;
  uint32_t terminal = (uint32_t)g_atomic_int_get(&console->size);
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

  if (offset == offsetof(ConsoleConfig, emerg_wr) && size && console->backend)
    char_backend_write(console->backend, from, 1);
}

static void console_free(VirtioDevice *device) {
  VirtioConsole *console = (VirtioConsole *)device;

  if (console->backend)
    char_backend_connect(console->backend, NULL, NULL);
  virtio_device_clear(device);
  g_mutex_clear(&console->lock);
  g_free(console);
}

static const VirtioDeviceOps console_ops = {
    .id = VIRTIO_ID_CONSOLE,
    .name = "virtio-console",
    .config_size = sizeof(ConsoleConfig),
    .config_read = console_config_read,
    .config_write = console_config_write,
    .start = console_start,
    .notify = console_notify,
    .stop = console_stop,
    .reset = console_reset,
    .free = console_free,
};

VirtioDevice *virtio_console_new(const char *name, const GuestMemory *memory, CharBackend *backend, GError **error) {
  static const uint16_t queue_sizes[] = {QUEUE_SIZE, QUEUE_SIZE};
  VirtioConsole *console = g_new0(VirtioConsole, 1);

  if (!virtio_device_init(&console->base, &console_ops, name, memory, CONSOLE_F_SIZE | CONSOLE_F_EMERG_WRITE, G_N_ELEMENTS(queue_sizes),
                          queue_sizes, error)) {
    g_free(console);
    return NULL;
  }
  g_mutex_init(&console->lock);
  console->backend = backend;
  if (backend)
    char_backend_connect(backend, &console_frontend, console);
  return &console->base;
}

void virtio_console_resize(VirtioDevice *device, uint16_t columns, uint16_t rows) {
  VirtioConsole *console = (VirtioConsole *)device;
  int size = (int)(columns | (uint32_t)rows << 16);

  if (g_atomic_int_exchange(&console->size, size) != size)
    virtio_config_changed(device);
}
