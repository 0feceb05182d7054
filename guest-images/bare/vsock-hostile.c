/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of a virtio socket device (virtio 1.2, 5.10) that breaks its rules: headers whose length, operation, type or
 * address is wrong, bytes for connections that are none, more of them than there is credit for, credit that goes
 * backwards, answers that nobody asked for, requests by the thousand, storms of resets, chains that no driver may make;
 * and then random packets, the same each time for the same seed. Each is answered as it should be, and the device works
 * afterwards: what is sent to port 1000 of the host, where somebody echoes, comes back.
 *
 * Boot arguments: count=N (2000) random packets, seed=N (1); `wait` for a key before and after, so that somebody can
 * look at the hypervisor.
 */
#include "guest.h"
#include "hostile.h"
#include "text.h"

const char *const guest_name = "vsock-hostile";

#define VSOCK_ID    19
#define QUEUE_SIZE  64
#define BUFFER_SIZE 4096
#define N_BUFFERS   32
#define N_QUEUES    3
#define HEADER_SIZE 44
#define RXQ         0
#define TXQ         1
#define CID_HOST    2
#define ECHO_PORT   1000
#define HOLD_PORT   1001 /* where what is sent is read, and nothing comes back */
#define NOBODYS     77
#define WINDOW      0x10000
#define FEATURES    (1ull | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1)

/* 5.10.6 */
enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, CREDIT_UPDATE, CREDIT_REQUEST };
typedef struct __attribute__((packed)) {
  uint64_t src_cid, dst_cid;
  uint32_t src_port, dst_port, len;
  uint16_t type, op;
  uint32_t flags, buf_alloc, fwd_cnt;
} Header;
_Static_assert(sizeof(Header) == HEADER_SIZE, "as on the wire");

static Virtio vsock;
static uint64_t own_cid;
static uint32_t next_port = 20000;
static uint8_t buffers[N_BUFFERS][BUFFER_SIZE] __attribute__((aligned(64)));
static Header sent[QUEUE_SIZE / 2];

static void give_buffer(uint16_t n) {
  VirtioQueue *queue = &vsock.queues[RXQ];

  queue->descriptors[n] = (VirtioDescriptor){(uint64_t)buffers[n], BUFFER_SIZE, VIRTIO_WRITE, 0};
  virtio_offer(queue, n);
}

static void start(bool with_buffers) {
  virtio_begin(&vsock, FEATURES);
  for (unsigned i = 0; i < N_QUEUES; i++)
    virtio_enable_queue(&vsock, i, i < 2 ? QUEUE_SIZE : 16);
  for (uint16_t i = 0; with_buffers && i < N_BUFFERS; i++)
    give_buffer(i);
  virtio_go(&vsock);
  own_cid = mmio_read32(vsock.config);
}

/* A packet of the guest's, as it should be. */
static Header packet(uint16_t op, uint32_t guest_port, uint32_t host_port) {
  return (Header){
      .src_cid = own_cid, .dst_cid = CID_HOST, .src_port = guest_port, .dst_port = host_port, .type = 1, .op = op, .buf_alloc = WINDOW};
}

/* HEADER, and SIZE bytes of the playground behind it, from slot SLOT; the doorbell is rung later. */
static void offer(unsigned slot, Header header, uint32_t size) {
  VirtioQueue *queue = &vsock.queues[TXQ];
  uint16_t at = (uint16_t)(2 * slot);

  sent[slot] = header;
  queue->descriptors[at] = (VirtioDescriptor){(uint64_t)&sent[slot], HEADER_SIZE, size ? VIRTIO_NEXT : 0, (uint16_t)(at + 1)};
  queue->descriptors[at + 1] = (VirtioDescriptor){(uint64_t)playground, size, 0, 0};
  virtio_offer(queue, at);
}

static bool send(Header header, uint32_t size) {
  offer(0, header, size);
  virtio_ring(&vsock.queues[TXQ], TXQ);
  return hostile_wait(&vsock, TXQ) == CAME_BACK;
}

/* The next packet from the device; its buffer is given back. False: none for so long. */
static bool receive(Header *header, uint64_t ticks) {
  uint64_t end = counter() + ticks;
  uint32_t id, written;

  do {
    if (!virtio_take(&vsock.queues[RXQ], &id, &written))
      continue;
    if (id >= N_BUFFERS) /* a random chain's */
      continue;
    memcpy(header, buffers[id], sizeof *header);
    bool whole = written == HEADER_SIZE + header->len;
    give_buffer((uint16_t)id);
    virtio_ring(&vsock.queues[RXQ], RXQ);
    if (whole)
      return true;
    print("# a packet of %u bytes says that it has %u\n", written, header->len);
  } while (counter() < end);
  return false;
}

/* Waits for a packet with operation OP for GUEST_PORT, whatever comes before it. */
static bool hears(uint16_t op, uint32_t guest_port) {
  uint64_t end = counter() + 10 * counter_frequency();
  Header header;

  while (counter() < end)
    if (receive(&header, counter_frequency() / 100) && header.dst_port == guest_port && header.op == op)
      return true;
  return false;
}

/* Nothing is on its way to the guest any more. */
static void quiet(void) {
  Header header;

  while (receive(&header, counter_frequency() / 50))
    ;
}

static bool connect(uint32_t guest_port, uint32_t host_port) {
  return send(packet(REQUEST, guest_port, host_port), 0) && hears(RESPONSE, guest_port);
}

static void close(uint32_t guest_port, uint32_t host_port) {
  send(packet(RST, guest_port, host_port), 0);
}

/* With a new start; an echo. */
static void works(const char *after) {
  uint32_t port = next_port++;
  bool well;

  start(true);
  well = connect(port, ECHO_PORT);
  Header header = packet(RW, port, ECHO_PORT);
  header.len = 100;
  well = well && send(header, 100) && hears(RW, port);
  close(port, ECHO_PORT);
  check(well, "the device works after %s", after);
}

/* Packets that belong to no connection: answered with a reset, or not at all. */

typedef struct {
  const char *name;
  Header header; /* 0: as it should be */
  uint32_t size;
  bool reset; /* is the answer */
} Stray;

static const Stray strays[] = {
    {"bytes without a connection", {.op = RW, .len = 10}, 10, true},
    {"a response that nobody asked for", {.op = RESPONSE}, 0, true},
    {"the end of a connection that is none", {.op = SHUTDOWN, .flags = 3}, 0, true},
    {"credit for nothing", {.op = CREDIT_UPDATE}, 0, true},
    {"a question for credit of nothing", {.op = CREDIT_REQUEST}, 0, true},
    {"a reset of nothing", {.op = RST}, 0, false},
    {"an operation that nobody knows", {.op = 8}, 0, true},
    {"the last operation", {.op = 0xffff}, 0, true},
    {"a length of 4 GiB", {.op = RW, .len = 0xffffffff}, 10, true},
    {"a request with a length", {.op = REQUEST, .len = 1}, 0, true},
    {"a packet of datagrams", {.op = REQUEST, .type = 3}, 0, true},
    {"one of a type that nobody knows", {.op = REQUEST, .type = 0xffff}, 0, true},
    {"one for another guest", {.op = REQUEST, .dst_cid = 99}, 0, true},
    {"one for nobody", {.op = REQUEST, .dst_cid = ~0ull}, 0, true},
    {"a reset for another guest", {.op = RST, .dst_cid = 99}, 0, false},
    {"one from the host", {.op = REQUEST, .src_cid = CID_HOST}, 0, false},
    {"one from another guest", {.op = RW, .src_cid = 1ull << 40}, 0, false},
    {"a request to a port where nobody listens", {.op = REQUEST, .dst_port = 4}, 0, true},
    {"a request to any port", {.op = REQUEST, .dst_port = 0xffffffff}, 0, true},
};

static void stray_once(const Stray *stray, unsigned *wrong) {
  uint32_t port = next_port++;
  Header header = packet(stray->header.op, port, stray->header.dst_port ? stray->header.dst_port : NOBODYS);

  header.len = stray->header.len;
  header.flags = stray->header.flags;
  header.type = stray->header.type ? stray->header.type : 1;
  header.src_cid = stray->header.src_cid ? stray->header.src_cid : own_cid;
  header.dst_cid = stray->header.dst_cid ? stray->header.dst_cid : CID_HOST;
  bool came_back = send(header, stray->size);
  /* Of two, the second is answered in any case. */
  send(packet(REQUEST, port + 1, NOBODYS), 0);
  Header answer = {0};
  bool is_reset = receive(&answer, 10 * counter_frequency()) && answer.op == RST && answer.dst_port == port;
  if (is_reset)
    hears(RST, port + 1);
  next_port++;
  if (came_back && is_reset == stray->reset)
    return;
  ++*wrong;
  print("# %s: %s\n", stray->name, came_back ? is_reset ? "is answered" : "is not answered" : "does not come back");
}

static void stray(void) {
  const unsigned n = sizeof strays / sizeof *strays;
  unsigned wrong = 0;

  start(true);
  for (unsigned i = 0; i < n; i++)
    stray_once(&strays[i], &wrong);
  check(wrong == 0, "%u packets of no connection get a reset, or nothing (%u do not)", n, wrong);
  for (unsigned i = 0; i < 4 * N_BUFFERS; i++)
    send(packet(RST, NOBODYS, i), 0);
  Header header;
  check(!receive(&header, counter_frequency() / 20), "a storm of resets is not answered");
}

/* What ends a connection that is there: the guest broke a rule. */

static void break_connection(const char *what, Header header, uint32_t size) {
  uint32_t port = next_port++;
  bool connected = connect(port, HOLD_PORT);

  header.src_port = port;
  check(connected && send(header, size) && hears(RST, port), "%s ends a connection", what);
  if (!connected)
    return;
  /* It is none any more. */
  header = packet(CREDIT_REQUEST, port, HOLD_PORT);
  if (!send(header, 0) || !hears(RST, port))
    check(false, "and nothing is left of it");
}

static void break_connections(void) {
  const uint32_t too_much = 300 * 1024;
  Header header;

  start(true);
  header = packet(RW, 0, HOLD_PORT);
  header.len = too_much;
  break_connection("more bytes than there is credit for", header, too_much);
  header.len = 100;
  break_connection("a length of more than there is", header, 99);
  break_connection("a second request", packet(REQUEST, 0, HOLD_PORT), 0);
  break_connection("a response", packet(RESPONSE, 0, HOLD_PORT), 0);
  break_connection("an operation that nobody knows", packet(99, 0, HOLD_PORT), 0);
  header = packet(CREDIT_REQUEST, 0, HOLD_PORT);
  header.type = 2;
  break_connection("another type", header, 0);
}

/* Credit is the guest's to give, and to spoil: what it gets is its own. */
static void spoil_credit(void) {
  uint32_t port = next_port++;
  Header header;
  bool well;

  start(true);
  well = connect(port, ECHO_PORT);
  header = packet(CREDIT_UPDATE, port, ECHO_PORT);
  header.buf_alloc = 0;
  well = well && send(header, 0);
  header = packet(RW, port, ECHO_PORT);
  header.len = 1000;
  header.buf_alloc = 0;
  well = well && send(header, 1000) && hears(CREDIT_REQUEST, port);
  for (unsigned i = 0; i < 20; i++) {
    header = packet(CREDIT_UPDATE, port, ECHO_PORT);
    header.fwd_cnt = 1000 * (20 - i); /* more than ever came, and less each time */
    well = well && send(header, 0);
  }
  quiet();
  header = packet(CREDIT_UPDATE, port, ECHO_PORT);
  well = well && send(header, 0) && hears(RW, port);
  check(well, "credit that goes away and backwards holds bytes up, and brings them when it is there");
  header = packet(SHUTDOWN, port, ECHO_PORT);
  header.flags = 0xffffffff;
  check(send(header, 0) && hears(RST, port), "flags that nobody knows end a connection as the known ones do");
}

/* Both ends of the other direction: the host never answers for the guest. */
static void request_all(unsigned n) {
  unsigned refused = 0, answered = 0, other = 0;
  Header header;

  start(true);
  for (unsigned i = 0; i < n; i += QUEUE_SIZE / 2) {
    for (unsigned slot = 0; slot < QUEUE_SIZE / 2; slot++)
      offer(slot, packet(REQUEST, 100000 + i + slot, 5000 + 7919 * (i + slot)), 0);
    virtio_ring(&vsock.queues[TXQ], TXQ);
    hostile_wait(&vsock, TXQ);
    while (receive(&header, counter_frequency() / 200)) {
      refused += header.op == RST;
      other += header.op != RST;
    }
  }
  while (refused + other < n && receive(&header, 5 * counter_frequency()))
    refused += header.op == RST;
  check(refused == n && other == 0, "%u ports where nobody listens: %u requests are refused", n, refused);
  /* And many to somebody, whom they never let go. */
  start(true);
  for (unsigned i = 0; i < n; i += QUEUE_SIZE / 2) {
    for (unsigned slot = 0; slot < QUEUE_SIZE / 2; slot++)
      offer(slot, packet(REQUEST, 200000 + i + slot, 1002), 0);
    virtio_ring(&vsock.queues[TXQ], TXQ);
    hostile_wait(&vsock, TXQ);
    while (receive(&header, counter_frequency() / 200))
      answered += header.op == RST || header.op == RESPONSE;
  }
  while (answered < n && receive(&header, 5 * counter_frequency()))
    answered += header.op == RST || header.op == RESPONSE;
  check(answered == n, "%u requests to one port: %u are answered", n, answered);
}

/* Chains. */

static void break_chains(const char *name, unsigned queue) {
  unsigned n = 0, wrong = 0;

  for (;; n++) {
    start(false);
    const char *what = hostile_chain(&vsock, queue, n);
    if (!what)
      break;
    if (queue == RXQ) { /* it is only looked at for something to tell */
      offer(0, packet(REQUEST, 1, NOBODYS), 0);
      virtio_ring(&vsock.queues[TXQ], TXQ);
    }
    HostileAnswer answer = hostile_wait(&vsock, queue);
    if (answer == NEEDS_RESET)
      continue;
    wrong++;
    print("# %s in %s: %s\n", what, name, answer == CAME_BACK ? "came back" : "nothing happens");
  }
  check(wrong == 0, "%u chains in %s that nobody may make: it needs a reset (%u times not)", n, name, wrong);
}

static void odd_chains(void) {
  VirtioQueue *transmit = &vsock.queues[TXQ];
  unsigned wrong = 0;

  start(true);
  for (uint32_t size = 1; size < HEADER_SIZE; size += 6) {
    transmit->descriptors[0] = (VirtioDescriptor){(uint64_t)playground, size, 0, 0};
    virtio_offer(transmit, 0);
    virtio_ring(transmit, TXQ);
    wrong += hostile_wait(&vsock, TXQ) != CAME_BACK;
  }
  transmit->descriptors[0] = (VirtioDescriptor){(uint64_t)playground, 100, VIRTIO_WRITE, 0};
  virtio_offer(transmit, 0);
  virtio_ring(transmit, TXQ);
  wrong += hostile_wait(&vsock, TXQ) != CAME_BACK;
  check(wrong == 0, "packets without a whole header come back (%u do not)", wrong);
  /* A header in as many buffers as it has bytes. */
  sent[0] = packet(REQUEST, next_port, NOBODYS);
  for (uint16_t i = 0; i < HEADER_SIZE; i++)
    transmit->descriptors[i] = (VirtioDescriptor){(uint64_t)sent + i, 1, i + 1 < HEADER_SIZE ? VIRTIO_NEXT : 0, (uint16_t)(i + 1)};
  virtio_offer(transmit, 0);
  virtio_ring(transmit, TXQ);
  check(hostile_wait(&vsock, TXQ) == CAME_BACK && hears(RST, next_port++), "a header in 44 pieces is one");
}

static void reset_amid_traffic(void) {
  enum { TIMES = 20 };

  for (unsigned i = 0; i < TIMES; i++) {
    start(i % 3 != 0);
    for (unsigned slot = 0; slot < 8; slot++) {
      Header header = packet(RW, 300 + slot / 2, ECHO_PORT);
      header.len = 1000;
      offer(2 * slot, packet(REQUEST, 300 + slot / 2, slot == 0 ? ECHO_PORT : NOBODYS), 0);
      offer(2 * slot + 1, header, 1000);
    }
    virtio_ring(&vsock.queues[TXQ], TXQ);
    if (i % 2)
      hostile_wait(&vsock, TXQ);
  }
  check(true, "%u resets amid traffic", TIMES);
}

/* Random packets, most of them of a few connections; and now and then a chain that is none. */

static Header random_header(void) {
  static const uint32_t ports[] = {HOLD_PORT, HOLD_PORT, HOLD_PORT, NOBODYS, 0, 0xffffffff};
  Header header = packet((uint16_t)hostile_random(9), 50000 + hostile_random(6), ports[hostile_random(6)]);

  header.len = header.op == RW ? hostile_random(2000) : 0;
  header.flags = hostile_random(4);
  header.fwd_cnt = hostile_random(2) ? 0 : hostile_random(0xffffffff);
  if (hostile_random(16) == 0)
    header.len = hostile_random(0xffffffff);
  if (hostile_random(16) == 0)
    ((uint8_t *)&header)[hostile_random(HEADER_SIZE)] = (uint8_t)hostile_random(256);
  return header;
}

static void throw_random(unsigned count) {
  unsigned broken = 0;
  Header header;

  start(true);
  for (unsigned i = 0; i < count; i++) {
    unsigned slot = i % (QUEUE_SIZE / 2);
    offer(slot, random_header(), hostile_random(2) ? 0 : 1 + hostile_random(3000));
    if (slot + 1 < QUEUE_SIZE / 2)
      continue;
    if (hostile_random(4) == 0)
      hostile_random_chain(&vsock.queues[hostile_random(N_QUEUES)]);
    virtio_ring(&vsock.queues[TXQ], TXQ);
    hostile_wait(&vsock, TXQ);
    while (receive(&header, counter_frequency() / 500))
      ;
    if (!(virtio_status(&vsock) & VIRTIO_NEEDS_RESET) && hostile_random(8))
      continue;
    broken++;
    start(true);
  }
  check(true, "%u random packets, and %u resets", count, broken);
}

static void all(unsigned count) {
  stray();
  break_connections();
  spoil_credit();
  works("packets that nobody may send");
  break_chains("the transmit queue", TXQ);
  break_chains("the receive queue", RXQ);
  odd_chains();
  works("chains that are none");
  reset_amid_traffic();
  throw_random(count);
  works("random packets");
}

void guest_main(void) {
  unsigned count = (unsigned)argument_number("count", 2000);

  if (!virtio_find(&vsock, VSOCK_ID))
    guest_skip("there is no socket device");
  hostile_begin();
  works("a start like any other");
  all(200);
  request_all(512);
  works("hundreds of requests");
  hostile_pause("settled");
  all(count);
  request_all(3072);
  works("requests by the thousand");
  hostile_pause("done");
}
