/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio console device with VIRTIO_CONSOLE_F_MULTIPORT (virtio 1.2, 5.3): each port is a stream
 * (console-stream.c), and a pair of control queues tells which ports there are, their names, and who has opened them.
 *
 * What is still to be said to the guest is a set of bits a port and not a list of messages: a guest that asks again and
 * again takes no memory.
 *
 * Threads: queues and port state are the I/O thread's. `lock` guards the news for the main thread.
 */
#include "devices/virtio/console-ports.h"

#include <string.h>

#include "devices/virtio/console-stream.h"

#define QUEUE_SIZE         64
#define CONTROL_QUEUE_SIZE 32
#define STASH_SIZE         (32 * 1024)
#define NAME_MAX_SIZE      64

/* Queues: 5.3.2. */
#define CONTROL_RECEIVEQ  2
#define CONTROL_TRANSMITQ 3

/* Feature bits: 5.3.3. */
#define CONSOLE_F_MULTIPORT (UINT64_C(1) << 1)

/* Control events: 5.3.6.2. */
typedef enum { DEVICE_READY, DEVICE_ADD, DEVICE_REMOVE, PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME } ControlEvent;

/* Little-endian, as is the configuration: 5.3.4. */
typedef struct {
  uint32_t id;
  uint16_t event, value;
} ControlMessage;

typedef struct {
  uint16_t columns, rows;
  uint32_t max_ports;
  uint32_t emerg_wr;
} ConsoleConfig;

/* What the guest is yet to be told of a port, in this order. */
enum { SAY_ADD = 1, SAY_NAME = 2, SAY_OPEN = 4, SAY_CLOSED = 8 };

typedef struct VirtioConsolePorts VirtioConsolePorts;

typedef struct {
  ConsoleStream stream; /* first */
  VirtioConsolePorts *console;
  char *name;
  unsigned say;
  bool input_ended;
} Port;

struct VirtioConsolePorts {
  VirtioDevice base; /* first */
  unsigned n_ports;
  Port *ports;
  const VirtioConsolePortsOps *ops;
  void *opaque;
  VirtChain chain; /* of the control queues */
  bool running;
  unsigned said; /* messages pushed since the last interrupt */

  GMutex lock;
  struct {
    uint32_t opened, closed, drained; /* a bit a port */
  } news;
  guint news_source; /* 0: the main thread knows everything */
};

G_STATIC_ASSERT(VIRTIO_CONSOLE_PORTS_MAX <= 32);

static unsigned receiveq_of(unsigned port) {
  return port == 0 ? 0 : 2 + 2 * port;
}

/* News for the main thread. */

static gboolean tell_news(gpointer data) {
  VirtioConsolePorts *console = data;

  g_mutex_lock(&console->lock);
  uint32_t opened = console->news.opened, closed = console->news.closed, drained = console->news.drained;
  memset(&console->news, 0, sizeof console->news);
  console->news_source = 0;
  g_mutex_unlock(&console->lock);
  for (unsigned i = 0; i < console->n_ports; i++) {
    uint32_t bit = UINT32_C(1) << i;
    if (console->ops->opened && (opened & bit))
      console->ops->opened(console->opaque, i, true);
    if (console->ops->opened && (closed & bit))
      console->ops->opened(console->opaque, i, false);
    if (console->ops->drained && (drained & bit))
      console->ops->drained(console->opaque, i);
  }
  return G_SOURCE_REMOVE;
}

static void add_news(VirtioConsolePorts *console, uint32_t *set, const Port *port) {
  if (!console->ops)
    return;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&console->lock);
  *set |= UINT32_C(1) << (port - console->ports);
  if (!console->news_source)
    console->news_source = g_idle_add_full(G_PRIORITY_DEFAULT, tell_news, console, NULL);
}

/* To the guest. */

static bool may_serve(const VirtioConsolePorts *console) {
  return console->running && !(virtio_get_status(&console->base) & VIRTIO_STATUS_NEEDS_RESET);
}

static bool send_message(VirtioConsolePorts *console, const Port *port, ControlEvent event, unsigned value, const char *text) {
  struct {
    ControlMessage head;
    char text[NAME_MAX_SIZE];
  } message = {.head = {GUINT32_TO_LE((uint32_t)(port - console->ports)), GUINT16_TO_LE((uint16_t)event), GUINT16_TO_LE((uint16_t)value)}};
  size_t size = text ? MIN(strlen(text), sizeof message.text) : 0;

  if (virtio_pop(&console->base, CONTROL_RECEIVEQ, &console->chain) <= 0)
    return false;
  if (size)
    memcpy(message.text, text, size);
  size = virt_chain_write(&console->chain, 0, &message, sizeof message.head + size);
  virtio_push(&console->base, CONTROL_RECEIVEQ, console->chain.head, (uint32_t)size);
  console->said++;
  return true;
}

static bool say(VirtioConsolePorts *console, Port *port) {
  static const struct {
    unsigned bit;
    ControlEvent event;
    unsigned value;
  } messages[] = {{SAY_ADD, DEVICE_ADD, 0}, {SAY_NAME, PORT_NAME, 1}, {SAY_OPEN, PORT_OPEN, 1}, {SAY_CLOSED, PORT_OPEN, 0}};

  for (unsigned i = 0; i < G_N_ELEMENTS(messages); i++) {
    if (!(port->say & messages[i].bit))
      continue;
    if (!send_message(console, port, messages[i].event, messages[i].value, messages[i].bit == SAY_NAME ? port->name : NULL))
      return false;
    port->say &= ~messages[i].bit;
  }
  return true;
}

/* What finds no buffer waits for the guest's next ones. */
static void say_all(VirtioConsolePorts *console) {
  VirtQueue *queue = &console->base.queues[CONTROL_RECEIVEQ];

  if (!may_serve(console))
    return;
  virtqueue_disable_doorbell(queue);
  for (bool more = true; more;) {
    unsigned i = 0;
    while (i < console->n_ports && say(console, &console->ports[i]))
      i++;
    more = i < console->n_ports && virtqueue_enable_doorbell(queue) && may_serve(console);
  }
  if (console->said)
    virtio_interrupt(&console->base, CONTROL_RECEIVEQ);
  console->said = 0;
}

/* From the guest. */

static void device_ready(VirtioConsolePorts *console, bool ready) {
  for (unsigned i = 0; i < console->n_ports; i++)
    console->ports[i].say = ready ? SAY_ADD : 0;
}

static void port_opened(VirtioConsolePorts *console, Port *port, bool open) {
  console_stream_set_connected(&port->stream, open);
  add_news(console, open ? &console->news.opened : &console->news.closed, port);
  if (!open)
    console_stream_drain_output(&port->stream);
}

/* Ports that are not there and events that are not the guest's to send are ignored, as 5.3.6.2 leaves them. */
static void take_message(VirtioConsolePorts *console, const ControlMessage *message) {
  unsigned event = GUINT16_FROM_LE(message->event), value = GUINT16_FROM_LE(message->value);
  uint32_t id = GUINT32_FROM_LE(message->id);

  if (event == DEVICE_READY)
    device_ready(console, value == 1);
  if (id >= console->n_ports || event == DEVICE_READY)
    return;
  Port *port = &console->ports[id];
  if (event == PORT_READY && value == 1)
    port->say |= SAY_NAME | SAY_OPEN | (port->input_ended ? SAY_CLOSED : 0);
  else if (event == PORT_OPEN)
    port_opened(console, port, value == 1);
}

static void serve_control(VirtioConsolePorts *console) {
  VirtQueue *queue = &console->base.queues[CONTROL_TRANSMITQ];
  unsigned served = 0;
  ControlMessage message;

  if (!may_serve(console))
    return;
  virtqueue_disable_doorbell(queue);
  while (served < CONTROL_QUEUE_SIZE && virtio_pop(&console->base, CONTROL_TRANSMITQ, &console->chain) > 0) {
    uint16_t head = console->chain.head;
    if (virt_chain_read(&console->chain, 0, &message, sizeof message) == sizeof message)
      take_message(console, &message);
    virtio_push(&console->base, CONTROL_TRANSMITQ, head, 0);
    served++;
  }
  if (served)
    virtio_interrupt(&console->base, CONTROL_TRANSMITQ);
  say_all(console);
  if (virtqueue_enable_doorbell(queue))
    virtio_notify_again(&console->base, CONTROL_TRANSMITQ);
}

/* The streams' callbacks. */

static void port_input_ended(ConsoleStream *stream) {
  Port *port = (Port *)stream;

  port->input_ended = true;
  port->say |= SAY_CLOSED;
  say_all(port->console);
}

static void port_output_drained(ConsoleStream *stream) {
  Port *port = (Port *)stream;
  add_news(port->console, &port->console->news.drained, port);
}

/* The device. */

static VirtioConsolePorts *ports_of(VirtioDevice *device) {
  return (VirtioConsolePorts *)device;
}

static void ports_notify(VirtioDevice *device, unsigned queue) {
  VirtioConsolePorts *console = ports_of(device);

  if (queue == CONTROL_RECEIVEQ) {
    say_all(console);
    return;
  }
  if (queue == CONTROL_TRANSMITQ) {
    serve_control(console);
    return;
  }
  ConsoleStream *stream = &console->ports[queue < CONTROL_RECEIVEQ ? 0 : (queue - 2) / 2].stream;
  if (queue == stream->receiveq)
    console_stream_serve_input(stream);
  else
    console_stream_serve_output(stream);
}

static void ports_start(VirtioDevice *device) {
  ports_of(device)->running = true;
  for (unsigned i = 0; i < ports_of(device)->n_ports; i++)
    console_stream_start(&ports_of(device)->ports[i].stream);
}

static void ports_stop(VirtioDevice *device) {
  ports_of(device)->running = false;
  for (unsigned i = 0; i < ports_of(device)->n_ports; i++)
    console_stream_stop(&ports_of(device)->ports[i].stream);
}

static void ports_reset(VirtioDevice *device) {
  for (unsigned i = 0; i < ports_of(device)->n_ports; i++) {
    Port *port = &ports_of(device)->ports[i];
    port->say = 0;
    port->stream.connected = false;
    console_stream_reset(&port->stream);
  }
}

static void ports_queue_reset(VirtioDevice *device, unsigned queue) {
  if (queue == CONTROL_RECEIVEQ)
    ports_of(device)->said = 0;
  for (unsigned i = 0; i < ports_of(device)->n_ports; i++)
    console_stream_queue_reset(&ports_of(device)->ports[i].stream, queue);
}

static void ports_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const ConsoleConfig config = {.max_ports = GUINT32_TO_LE(ports_of(device)->n_ports)};

  memcpy(to, (const uint8_t *)&config + offset, size);
}

static void ports_free(VirtioDevice *device) {
  VirtioConsolePorts *console = ports_of(device);

  for (unsigned i = 0; i < console->n_ports; i++)
    console_stream_disconnect(&console->ports[i].stream);
  virtio_device_clear(device);
  for (unsigned i = 0; i < console->n_ports; i++) {
    console_stream_clear(&console->ports[i].stream);
    g_free(console->ports[i].name);
  }
  if (console->news_source)
    g_source_remove(console->news_source);
  g_mutex_clear(&console->lock);
  g_free(console->ports);
  g_free(console);
}

static const VirtioDeviceOps ports_ops = {
    .id = VIRTIO_ID_CONSOLE,
    .name = "virtio-console",
    .shared_vector = true,
    .config_size = sizeof(ConsoleConfig),
    .config_read = ports_config_read,
    .start = ports_start,
    .notify = ports_notify,
    .stop = ports_stop,
    .reset = ports_reset,
    .queue_reset = ports_queue_reset,
    .free = ports_free,
};

static VirtioDevice *ports_make(const DeviceParts *parts, GError **error) {
  const VirtioConsolePortSet *set = parts->ports;
  unsigned n_ports = set->n;
  uint16_t queue_sizes[2 * VIRTIO_CONSOLE_PORTS_MAX + 2];
  VirtioConsolePorts *console = g_new0(VirtioConsolePorts, 1);

  g_assert(n_ports > 0 && n_ports <= VIRTIO_CONSOLE_PORTS_MAX);
  for (unsigned i = 0; i < 2 * n_ports + 2; i++)
    queue_sizes[i] = i == CONTROL_RECEIVEQ || i == CONTROL_TRANSMITQ ? CONTROL_QUEUE_SIZE : QUEUE_SIZE;
  if (!virtio_device_init(&console->base, &ports_ops, parts->name, parts->memory, CONSOLE_F_MULTIPORT, 2 * n_ports + 2, queue_sizes,
                          error)) {
    g_free(console);
    return NULL;
  }
  g_mutex_init(&console->lock);
  console->ops = set->ops;
  console->opaque = set->opaque;
  console->n_ports = n_ports;
  console->ports = g_new0(Port, n_ports);
  for (unsigned i = 0; i < n_ports; i++) {
    Port *port = &console->ports[i];
    port->console = console;
    port->name = g_strdup(set->ports[i].name);
    port->stream.input_ended = port_input_ended;
    port->stream.output_drained = port_output_drained;
    console_stream_init(&port->stream, &console->base, receiveq_of(i), receiveq_of(i) + 1, set->ports[i].backend, STASH_SIZE);
  }
  return &console->base;
}

void virtio_console_ports_end_input(VirtioDevice *device, unsigned port) {
  console_stream_end_input(&ports_of(device)->ports[port].stream);
}

const DeviceKind virtio_console_ports_kind = {
    .name = "virtio-ports",
    .make_virtio = ports_make,
    .descriptors = 2 * VIRTIO_CONSOLE_PORTS_MAX,
};
