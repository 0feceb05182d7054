/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are there, or asked for: what ends them, credit, and how many there can be (virtio 1.2, 5.10.6). */
#include "vsock-hostile.h"

#include "guest.h"
#include "text.h"

static void break_connection(const char *what, Header header, uint32_t size) {
  uint32_t port = socket_next_port++;
  bool connected = socket_connect(port, HOLD_PORT);

  header.src_port = port;
  check(connected && socket_send(header, size) && socket_hears(RST, port), "%s ends a connection", what);
  if (!connected)
    return;
  /* It is none any more. */
  header = socket_packet(CREDIT_REQUEST, port, HOLD_PORT);
  if (!socket_send(header, 0) || !socket_hears(RST, port))
    check(false, "and nothing is left of it");
}

void break_connections(void) {
  const uint32_t too_much = 300 * 1024;
  Header header;

  socket_start(true);
  header = socket_packet(RW, 0, HOLD_PORT);
  header.len = too_much;
  break_connection("more bytes than there is credit for", header, too_much);
  header.len = 100;
  break_connection("a length of more than there is", header, 99);
  break_connection("a second request", socket_packet(REQUEST, 0, HOLD_PORT), 0);
  break_connection("a response", socket_packet(RESPONSE, 0, HOLD_PORT), 0);
  break_connection("an operation that nobody knows", socket_packet(99, 0, HOLD_PORT), 0);
  header = socket_packet(CREDIT_REQUEST, 0, HOLD_PORT);
  header.type = 2;
  break_connection("another type", header, 0);
}

/* Credit is the guest's to give, and to spoil: what it gets is its own. */
void spoil_credit(void) {
  uint32_t port = socket_next_port++;
  Header header;
  bool well;

  socket_start(true);
  well = socket_connect(port, ECHO_PORT);
  header = socket_packet(CREDIT_UPDATE, port, ECHO_PORT);
  header.buf_alloc = 0;
  well = well && socket_send(header, 0);
  header = socket_packet(RW, port, ECHO_PORT);
  header.len = 1000;
  header.buf_alloc = 0;
  well = well && socket_send(header, 1000) && socket_hears(CREDIT_REQUEST, port);
  for (unsigned i = 0; i < 20; i++) {
    header = socket_packet(CREDIT_UPDATE, port, ECHO_PORT);
    header.fwd_cnt = 1000 * (20 - i); /* more than ever came, and less each time */
    well = well && socket_send(header, 0);
  }
  socket_quiet();
  header = socket_packet(CREDIT_UPDATE, port, ECHO_PORT);
  well = well && socket_send(header, 0) && socket_hears(RW, port);
  check(well, "credit that goes away and backwards holds bytes up, and brings them when it is there");
  header = socket_packet(SHUTDOWN, port, ECHO_PORT);
  header.flags = 0xffffffff;
  check(socket_send(header, 0) && socket_hears(RST, port), "flags that nobody knows end a connection as the known ones do");
}

/* Both ends of the other direction: the host never answers for the guest. */
void request_all(unsigned n) {
  unsigned refused = 0, answered = 0, other = 0;
  Header header;

  socket_start(true);
  for (unsigned i = 0; i < n; i += QUEUE_SIZE / 2) {
    for (unsigned slot = 0; slot < QUEUE_SIZE / 2; slot++)
      socket_offer(slot, socket_packet(REQUEST, 100000 + i + slot, 5000 + 7919 * (i + slot)), 0);
    virtio_ring(&device.queues[TXQ], TXQ);
    hostile_wait(&device, TXQ);
    while (socket_receive(&header, counter_frequency() / 200)) {
      refused += header.op == RST;
      other += header.op != RST;
    }
  }
  while (refused + other < n && socket_receive(&header, 5 * counter_frequency()))
    refused += header.op == RST;
  check(refused == n && other == 0, "%u ports where nobody listens: %u requests are refused", n, refused);
  /* And many to somebody, whom they never let go. */
  socket_start(true);
  for (unsigned i = 0; i < n; i += QUEUE_SIZE / 2) {
    for (unsigned slot = 0; slot < QUEUE_SIZE / 2; slot++)
      socket_offer(slot, socket_packet(REQUEST, 200000 + i + slot, 1002), 0);
    virtio_ring(&device.queues[TXQ], TXQ);
    hostile_wait(&device, TXQ);
    while (socket_receive(&header, counter_frequency() / 200))
      answered += header.op == RST || header.op == RESPONSE;
  }
  while (answered < n && socket_receive(&header, 5 * counter_frequency()))
    answered += header.op == RST || header.op == RESPONSE;
  check(answered == n, "%u requests to one port: %u are answered", n, answered);
}
