/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio socket device: virtio 1.2, 5.10. Queue 0 takes packets to the driver, queue 1 brings its own, and on
 * queue 2 it would hear that a machine was moved. Stream sockets only: what the driver asks for beyond is reset.
 *
 * What the driver sends is served first and at once: its credit is the only limit to it. What there is for the driver
 * is served one connection after the other, each as much as a few buffers take. While there is nothing for it, nobody
 * wants to hear of its buffers; while it has none, nothing turns in circles: sockets say once what they are ready for.
 *
 * Threads: everything is the I/O thread's, or happens while that serves nothing (reset). No lock.
 */
#include "devices/virtio/vsock.h"

#include <string.h>

#include "devices/printable.h"
#include "devices/vhost/vhost-kernel.h"
#include "devices/virtio/vhost-vsock.h"
#include "devices/virtio/vsock-host.h"

/* 5.10.2 */
#define RXQ    0
#define TXQ    1
#define EVENTQ 2

#define QUEUE_SIZE       256
#define EVENT_QUEUE_SIZE 16
#define BATCH            256 /* chains served before anything else has its turn */
#define READ_BUFFERS     16  /* of the driver's, for bytes that are read at a time */
#define READ_PIECES      512 /* in which these lie */

/* 5.10.3 */
#define VSOCK_F_STREAM (UINT64_C(1) << 0)

/* Each connection has a socket; and there is what waits for all of them, and the directory. */
#define DESCRIPTORS (2 * VSOCK_CONNECTIONS_MAX + 8)

/* 5.10.4, little-endian. */
typedef struct {
  uint64_t guest_cid;
} VsockSpace;

typedef struct {
  VirtioDevice base; /* first */
  uint64_t guest_cid;
  VsockHost *host;
  IoSource *source; /* NULL: not served */
  VirtChain out, in[READ_BUFFERS];
  struct iovec pieces[READ_PIECES];
} VirtioVsock;

static bool may_serve(const VirtioVsock *vsock, unsigned queue) {
  return vsock->base.queues[queue].running && !(virtio_get_status(&vsock->base) & VIRTIO_STATUS_NEEDS_RESET);
}

/* To the driver. */

/* The driver's next buffer, as CHAIN. */
static bool pop_buffer(VirtioVsock *vsock, VirtChain *chain) {
  if (virtio_pop(&vsock->base, RXQ, chain) <= 0)
    return false;
  if (chain->in_size > VSOCK_HEADER_SIZE)
    return true;
  virtio_fail(&vsock->base, "a buffer for a socket's packet that is too small for one");
  return false;
}

static void push_packet(VirtioVsock *vsock, const VirtChain *chain, const VsockHeader *header) {
  uint8_t bytes[VSOCK_HEADER_SIZE];

  vsock_header_encode(header, bytes);
  virt_chain_write(chain, 0, bytes, sizeof bytes);
  virtio_push(&vsock->base, RXQ, chain->head, VSOCK_HEADER_SIZE + header->len);
}

static uint32_t room_in(const VirtChain *chain) {
  return (uint32_t)MIN(chain->in_size - VSOCK_HEADER_SIZE, VSOCK_PAYLOAD_MAX);
}

/*
 * As many buffers as SIZE bytes take, beside the first, which is there; where they are to go, as pieces. SIZE becomes
 * what there is room for. Returns the buffers.
 */
static unsigned gather(VirtioVsock *vsock, uint32_t *size, unsigned *n_pieces) {
  uint32_t room = 0;
  unsigned n = 0;

  *n_pieces = 0;
  do {
    const VirtChain *chain = &vsock->in[n++];
    uint32_t part = MIN(room_in(chain), *size - room);
    *n_pieces += vsock_slice(chain->iov + chain->n_out, chain->n_in, VSOCK_HEADER_SIZE, part, vsock->pieces + *n_pieces);
    room += part;
  } while (room < *size && n < READ_BUFFERS && *n_pieces + VIRTQUEUE_MAX_SIZE <= READ_PIECES && pop_buffer(vsock, &vsock->in[n]));
  *size = room;
  return n;
}

/* Bytes of CONNECTION, into the first buffer and more of them. */
static void bring_bytes(VirtioVsock *vsock, VsockConnection *connection) {
  uint64_t started = device_watch_now(vsock->base.watch);
  uint32_t size = vsock_connection_may_read(connection);
  unsigned n_pieces, n = gather(vsock, &size, &n_pieces), used = 0;
  VsockHeader header;

  if (!may_serve(vsock, RXQ))
    return;
  uint32_t left = vsock_connection_read(connection, vsock->pieces, n_pieces, size);
  if (left)
    device_watch_request(vsock->base.watch, vsock->base.name, RXQ, "receive", left, started, false);
  while (left > 0) {
    uint32_t part = MIN(room_in(&vsock->in[used]), left);
    vsock_connection_say_bytes(connection, part, &header);
    header.dst_cid = vsock->guest_cid;
    push_packet(vsock, &vsock->in[used++], &header);
    left -= part;
  }
  for (; used < n; used++)
    virtqueue_unpop(&vsock->base.queues[RXQ]);
}

/* By the operation of a packet that was passed on, or refused; NULL: it is worth no count. */
static const char *event_of(const VsockHeader *header, bool to_guest, bool taken) {
  if (header->op == VSOCK_OP_REQUEST && !taken)
    return "connection from the guest refused";
  if (header->op == VSOCK_OP_REQUEST)
    return to_guest ? "connection from the host asked for" : "connection from the guest";
  if (header->op == VSOCK_OP_RST)
    return to_guest ? "reset to the guest" : "reset by the guest";
  if (header->op == VSOCK_OP_RESPONSE && !to_guest && taken)
    return "connection from the host";
  return NULL;
}

static void tell_event(const VirtioVsock *vsock, unsigned queue, const VsockHeader *header, bool taken) {
  const char *what = vsock->base.watch ? event_of(header, queue == RXQ, taken) : NULL;

  if (what)
    device_watch_event(vsock->base.watch, vsock->base.name, queue, what);
}

/* One thing that there is to tell. False: there is no buffer. */
static bool tell(VirtioVsock *vsock) {
  VsockConnection *connection;
  VsockHeader header;

  if (!pop_buffer(vsock, &vsock->in[0]))
    return false;
  if (vsock_host_next(vsock->host, &header, &connection)) {
    push_packet(vsock, &vsock->in[0], &header);
    tell_event(vsock, RXQ, &header, true);
    return true;
  }
  if (!connection) {
    virtqueue_unpop(&vsock->base.queues[RXQ]);
    return true;
  }
  bring_bytes(vsock, connection);
  vsock_host_done(vsock->host, connection);
  return true;
}

static void serve_receive(VirtioVsock *vsock) {
  VirtQueue *queue = &vsock->base.queues[RXQ];
  unsigned served = 0;

  if (!may_serve(vsock, RXQ) || !vsock_host_has_news(vsock->host))
    return;
  virtqueue_disable_doorbell(queue);
  while (vsock_host_has_news(vsock->host) && served < BATCH) {
    if (tell(vsock))
      served++;
    else if (!may_serve(vsock, RXQ) || !virtqueue_enable_doorbell(queue))
      break;
  }
  virtio_interrupt(&vsock->base, RXQ);
  if (served == BATCH)
    virtio_notify_again(&vsock->base, RXQ);
}

/* From the driver. */

static void take_packet(VirtioVsock *vsock) {
  uint64_t started = device_watch_now(vsock->base.watch);
  VsockHeader header = {0};
  bool taken = vsock_host_take(vsock->host, &vsock->out, &header);

  if (!taken || header.op == VSOCK_OP_RW)
    device_watch_request(vsock->base.watch, vsock->base.name, TXQ, "transmit", header.len, started, !taken);
  tell_event(vsock, TXQ, &header, taken);
}

static void serve_transmit(VirtioVsock *vsock) {
  VirtQueue *queue = &vsock->base.queues[TXQ];
  unsigned served = 0;
  int more = 1;

  virtqueue_disable_doorbell(queue);
  for (; served < BATCH && (more = virtio_pop(&vsock->base, TXQ, &vsock->out)) > 0; served++) {
    take_packet(vsock);
    virtio_push(&vsock->base, TXQ, vsock->out.head, 0);
  }
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (served)
    virtio_interrupt(&vsock->base, TXQ);
  /* A guest that never stops must not keep the thread from anything else. */
  if (more > 0)
    virtio_notify_again(&vsock->base, TXQ);
}

/* The device. */

static void vsock_notify(VirtioDevice *device, unsigned queue) {
  VirtioVsock *vsock = (VirtioVsock *)device;

  if (queue == TXQ && may_serve(vsock, TXQ))
    serve_transmit(vsock);
  if (queue != EVENTQ)
    serve_receive(vsock);
}

static void sockets_ready(void *opaque) {
  VirtioVsock *vsock = opaque;

  vsock_host_serve(vsock->host);
  serve_receive(vsock);
}

static void vsock_start(VirtioDevice *device) {
  VirtioVsock *vsock = (VirtioVsock *)device;
  vsock->source = io_thread_add_source(device->io, vsock_host_fd(vsock->host), sockets_ready, vsock);
}

/* Connections outlive a pause. */
static void vsock_stop(VirtioDevice *device) {
  g_clear_pointer(&((VirtioVsock *)device)->source, io_source_free);
}

static void vsock_reset(VirtioDevice *device) {
  vsock_host_reset(((VirtioVsock *)device)->host);
}

static void vsock_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  const VsockSpace config = {.guest_cid = GUINT64_TO_LE(((VirtioVsock *)device)->guest_cid)};

  memcpy(to, (const uint8_t *)&config + offset, size);
}

static void vsock_free(VirtioDevice *device) {
  virtio_device_clear(device);
  vsock_host_free(((VirtioVsock *)device)->host);
  g_free(device);
}

static const VirtioDeviceOps vsock_ops = {
    .id = VIRTIO_ID_VSOCK,
    .name = "virtio-vsock",
    .config_size = sizeof(VsockSpace),
    .config_read = vsock_config_read,
    .start = vsock_start,
    .notify = vsock_notify,
    .stop = vsock_stop,
    .reset = vsock_reset,
    .free = vsock_free,
};

VirtioDevice *virtio_vsock_new(const char *name, const GuestMemory *memory, uint64_t guest_cid, VsockHybrid *hybrid, GError **error) {
  static const uint16_t queue_sizes[] = {QUEUE_SIZE, QUEUE_SIZE, EVENT_QUEUE_SIZE};
  g_autoptr(VsockHost) host = vsock_host_new(hybrid, guest_cid, error);
  VirtioVsock *vsock = host ? g_new0(VirtioVsock, 1) : NULL;

  if (!vsock)
    return NULL;
  if (!virtio_device_init(&vsock->base, &vsock_ops, name, memory, VSOCK_F_STREAM, G_N_ELEMENTS(queue_sizes), queue_sizes, error)) {
    g_free(vsock);
    return NULL;
  }
  vsock->guest_cid = guest_cid;
  vsock->host = g_steal_pointer(&host);
  return &vsock->base;
}

uint32_t virtio_vsock_get_cid(const VirtioDevice *device) {
  return (uint32_t)(device->ops == &vsock_ops ? ((const VirtioVsock *)device)->guest_cid : virtio_vhost_vsock_cid(device));
}

/* As an option. */

bool virtio_vsock_parse_cid(const char *text, bool kernels, uint32_t *cid, char **why) {
  guint64 number = kernels ? 0 : VSOCK_CID_FIRST;

  if (strcmp(text, "auto") != 0 && !g_ascii_string_to_unsigned(text, 10, VSOCK_CID_FIRST, VSOCK_CID_LAST, &number, NULL)) {
    *why = g_strdup_printf("'%s' is no context ID of a guest: auto, or %u to %u", text, VSOCK_CID_FIRST, VSOCK_CID_LAST);
    return false;
  }
  *cid = (uint32_t)number;
  return true;
}

static VirtioDevice *vsock_make(const DeviceParts *parts, GError **error) {
  const VsockConfig *asked = parts->asked;

  if (!asked->path)
    return virtio_vhost_vsock_new(parts->name, parts->memory, parts->plan_only ? NULL : VHOST_KERNEL_VSOCK, asked->guest_cid, error);
  if (parts->plan_only)
    return virtio_vsock_new(parts->name, parts->memory, asked->guest_cid, NULL, error);
  VsockHybrid *hybrid = vsock_hybrid_new(asked->path, error);
  return hybrid ? virtio_vsock_new(parts->name, parts->memory, asked->guest_cid, hybrid, error) : NULL;
}

static char *vsock_print_asked(const void *opaque) {
  const VsockConfig *asked = opaque;

  if (!asked->path && !asked->guest_cid)
    return g_strdup("CID auto, kernel");
  if (!asked->path)
    return g_strdup_printf("CID %u, kernel", asked->guest_cid);
  g_autofree char *path = printable_line_escaped(asked->path, -1);
  return g_strdup_printf("CID %u, %s", asked->guest_cid, path);
}

const DeviceKind virtio_vsock_kind = {
    .name = "virtio-vsock",
    .print_asked = vsock_print_asked,
    .make_virtio = vsock_make,
    .descriptors = DESCRIPTORS,
};
