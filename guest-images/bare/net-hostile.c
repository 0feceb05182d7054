/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of a virtio network card (virtio 1.2, 5.1) that breaks its rules: headers that lie about their frame, chains
 * that no driver may make, commands that are too short, too long or unknown, resets in the middle of traffic, queues
 * that are moved while they run, doorbells of queues that are not there; and then chains of random descriptors, the
 * same each time for the same seed. Each is answered as it should be, and the card works afterwards: a request for an
 * address (ARP, RFC 826) is answered by the host behind the card, which has 10.77.2.1, or comes back from an echo.
 *
 * Boot arguments: `echo` is that other machine: it sends back all that it gets until it is told to end. count=N (600)
 * random chains, seed=N (1); `wait` for a key before and after, so that somebody can look at the hypervisor.
 */
#include "guest.h"
#include "hostile.h"
#include "text.h"

const char *const guest_name = "net-hostile";

#define NET_ID       1
#define QUEUE_SIZE   64
#define BUFFER_SIZE  2048
#define N_BUFFERS    32
#define HEADER_SIZE  12
#define SHORTEST     60     /* bytes of a frame: IEEE 802.3, 3.2.8 */
#define TYPE_BYE     0x88b5 /* IEEE 802, 9.2.3: for experiments */
#define ANSWER_TRIES 15
#define RECEIVEQ     0
#define TRANSMITQ    1

/* 5.1.3 */
#define F_CSUM           (1ull << 0)
#define F_GUEST_CSUM     (1ull << 1)
#define F_GUEST_OFFLOADS (1ull << 2)
#define F_HOST_TSO4      (1ull << 11)
#define F_HOST_TSO6      (1ull << 12)
#define F_HOST_ECN       (1ull << 13)
#define F_MRG_RXBUF      (1ull << 15)
#define F_CTRL_VQ        (1ull << 17)
#define F_CTRL_RX        (1ull << 18)
#define F_MQ             (1ull << 22)
#define F_CTRL_MAC       (1ull << 23)
#define FEATURES                                                                                                                           \
  (F_CSUM | F_GUEST_CSUM | F_GUEST_OFFLOADS | F_HOST_TSO4 | F_HOST_TSO6 | F_HOST_ECN | F_MRG_RXBUF | F_CTRL_VQ | F_CTRL_RX | F_MQ |        \
   F_CTRL_MAC | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_VERSION_1)

/* 5.1.6 */
typedef struct {
  uint8_t flags, gso_type;
  uint16_t hdr_len, gso_size, csum_start, csum_offset, num_buffers;
} Header;
_Static_assert(sizeof(Header) == HEADER_SIZE, "as on the wire");

static Virtio net;
static uint64_t features;
static unsigned controlq;
static uint8_t buffers[N_BUFFERS][BUFFER_SIZE] __attribute__((aligned(64)));
static struct {
  Header header;
  uint8_t frame[BUFFER_SIZE];
} out __attribute__((aligned(64)));

static void give_buffer(uint16_t n) {
  VirtioQueue *queue = &net.queues[RECEIVEQ];

  queue->descriptors[n] = (VirtioDescriptor){(uint64_t)buffers[n], BUFFER_SIZE, VIRTIO_WRITE, 0};
  virtio_offer(queue, n);
}

static void start(bool with_buffers) {
  features = virtio_begin(&net, FEATURES);
  if (net.n_queues > VIRTIO_QUEUES_MAX)
    guest_fail("%u queues are more than this driver has room for", net.n_queues);
  controlq = features & F_MQ ? net.n_queues - 1 : 2;
  for (unsigned i = 0; i < net.n_queues; i++)
    virtio_enable_queue(&net, i, QUEUE_SIZE);
  for (uint16_t i = 0; with_buffers && i < N_BUFFERS; i++)
    give_buffer(i);
  virtio_go(&net);
}

/* A frame of SIZE bytes, with what OUT has as header. */
static void send(uint32_t size) {
  VirtioQueue *queue = &net.queues[TRANSMITQ];

  queue->descriptors[0] = (VirtioDescriptor){(uint64_t)&out.header, HEADER_SIZE, VIRTIO_NEXT, 1};
  queue->descriptors[1] = (VirtioDescriptor){(uint64_t)out.frame, size, 0, 0};
  virtio_offer(queue, 0);
  virtio_ring(queue, TRANSMITQ);
}

static void put16(uint8_t *to, unsigned value) {
  to[0] = (uint8_t)(value >> 8);
  to[1] = (uint8_t)value;
}

static void make_frame(unsigned type) {
  memset(&out, 0, sizeof out);
  memset(out.frame, 0xff, 6);
  for (unsigned i = 0; i < 6; i++)
    out.frame[6 + i] = mmio_read8(net.config + i);
  put16(out.frame + 12, type);
}

/* Who has 10.77.2.1? */
static void make_request(void) {
  static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4, 0, 1}, own[] = {10, 77, 2, 2}, wanted[] = {10, 77, 2, 1};

  make_frame(0x0806);
  memcpy(out.frame + 14, fixed, sizeof fixed);
  memcpy(out.frame + 22, out.frame + 6, 6);
  memcpy(out.frame + 28, own, sizeof own);
  memcpy(out.frame + 38, wanted, sizeof wanted);
}

/* Some frame arrives. */
static bool hears(uint64_t ticks) {
  uint64_t end = counter() + ticks;
  uint32_t id, written;

  while (counter() < end)
    if (virtio_take(&net.queues[RECEIVEQ], &id, &written))
      return written > HEADER_SIZE;
  return false;
}

/* With a new start: what it was told before is forgotten. */
static void works(const char *after) {
  bool heard = false;

  start(true);
  for (unsigned i = 0; i < ANSWER_TRIES && !heard; i++) {
    make_request();
    send(SHORTEST);
    heard = hostile_wait(&net, TRANSMITQ) == CAME_BACK && hears(2 * counter_frequency());
  }
  check(heard, "the card works after %s", after);
}

/* Headers. Whatever one says, its chain comes back. */

static const struct {
  Header header;
  uint32_t size; /* of the frame */
} headers[] = {
    {{.gso_type = 2}, SHORTEST},
    {{.gso_type = 0xff, .gso_size = 1}, SHORTEST},
    {{.gso_type = 1, .gso_size = 0}, SHORTEST},
    {{.gso_type = 1, .gso_size = 100}, SHORTEST},
    {{.flags = 1, .gso_type = 1, .gso_size = 0, .csum_start = 34, .csum_offset = 16}, 1000},
    {{.flags = 1, .gso_type = 4, .gso_size = 0xffff, .csum_start = 54, .csum_offset = 16, .hdr_len = 0xffff}, 1000},
    {{.flags = 1, .gso_type = 3, .gso_size = 100, .csum_start = 34, .csum_offset = 6}, 1000},
    {{.flags = 1, .gso_type = 5, .gso_size = 100, .csum_start = 34, .csum_offset = 6}, 1000},
    {{.flags = 1, .gso_type = 0x81, .gso_size = 100, .csum_start = 34, .csum_offset = 17}, 1000},
    {{.flags = 1, .csum_start = 0xffff, .csum_offset = 0xffff}, SHORTEST},
    {{.flags = 1, .csum_start = SHORTEST - 1, .csum_offset = 0}, SHORTEST},
    {{.flags = 1, .csum_start = SHORTEST, .csum_offset = 0xfffe}, SHORTEST},
    {{.flags = 1, .csum_start = 0, .csum_offset = 0}, SHORTEST},
    {{.flags = 0xff, .gso_type = 0, .hdr_len = 0xffff, .gso_size = 0xffff, .num_buffers = 0xffff}, SHORTEST},
    {{.flags = 2}, SHORTEST},
    {{.hdr_len = 0xffff}, 1},
    {{.flags = 0}, 13},
};

static void lie_in_headers(void) {
  unsigned n = sizeof headers / sizeof *headers, wrong = 0;

  start(true);
  for (unsigned i = 0; i < 2 * n; i++) {
    make_frame(0x88b6);
    out.header = headers[i % n].header;
    if (i >= n) /* and one field more */
      ((uint8_t *)&out.header)[hostile_random(HEADER_SIZE)] = (uint8_t)hostile_random(256);
    send(headers[i % n].size);
    wrong += hostile_wait(&net, TRANSMITQ) != CAME_BACK;
  }
  check(wrong == 0, "%u headers that lie: each chain comes back (%u do not)", 2 * n, wrong);
}

/* Chains. */

/* Of a queue: those that break virtio's rules, each with a new start. */
static void break_chains(const char *name, unsigned queue) {
  const char *what;
  unsigned n = 0, wrong = 0;

  for (;; n++) {
    start(false);
    what = hostile_chain(&net, queue, n);
    if (!what)
      break;
    HostileAnswer answer = hostile_wait(&net, queue);
    if (answer == NEEDS_RESET)
      continue;
    wrong++;
    print("# %s in %s: %s\n", what, name, answer == CAME_BACK ? "came back" : "nothing happens");
  }
  check(wrong == 0, "%u chains in %s that nobody may make: it needs a reset (%u times not)", n, name, wrong);
}

/* Good chains for a bad purpose come back. N descriptors. */
static void offer_odd(const char *what, unsigned queue, const VirtioDescriptor *descriptors, unsigned n) {
  start(false);
  for (unsigned i = 0; i < n; i++)
    net.queues[queue].descriptors[i] = descriptors[i];
  virtio_offer(&net.queues[queue], 0);
  virtio_ring(&net.queues[queue], queue);
  check(hostile_wait(&net, queue) == CAME_BACK, "%s comes back", what);
}

static void odd_chains(void) {
  const uint64_t at = (uint64_t)playground;
  const VirtioDescriptor writable[] = {{at, 100, VIRTIO_WRITE, 0}};
  const VirtioDescriptor short_header[] = {{at, 11, 0, 0}};
  const VirtioDescriptor header_alone[] = {{at, 12, 0, 0}};
  const VirtioDescriptor longest[] = {{(uint64_t)&out, 12, VIRTIO_NEXT, 1}, {at, PLAYGROUND_SIZE, 0, 0}};
  const VirtioDescriptor readable[] = {{at, 2000, 0, 0}};
  const VirtioDescriptor small[] = {{at, 5, VIRTIO_WRITE, 0}};

  memset(&out, 0, sizeof out);
  offer_odd("a frame that is to be written", TRANSMITQ, writable, 1);
  offer_odd("half a header", TRANSMITQ, short_header, 1);
  offer_odd("a header without a frame", TRANSMITQ, header_alone, 1);
  offer_odd("a frame of half a MiB", TRANSMITQ, longest, 2);
  offer_odd("a buffer for frames that is to be read", RECEIVEQ, readable, 1);
  offer_odd("a buffer for half a header", RECEIVEQ, small, 1);
}

/* Commands. */

#define ANSWER_AT 8192 /* in the playground */
#define ANY       2

typedef struct {
  const char *name;
  uint32_t size; /* bytes of COMMAND, and as many zeros more */
  uint8_t command[16];
  uint8_t answer; /* 0 or 1: 5.1.6.5 */
} Command;

static const Command commands[] = {
    {"nothing but half a command", 1, {0}, 1},
    {"promiscuous mode without a value", 2, {0, 0}, 1},
    {"promiscuous mode with too much", 4, {0, 0, 1, 1}, 1},
    {"promiscuous mode", 3, {0, 0, 1}, 0},
    {"a mode that nobody knows", 3, {0, 99, 1}, 1},
    {"VLANs, which were not offered", 4, {2, 0, 1, 0}, 1},
    {"a class that nobody knows", 3, {77, 0, 1}, 1},
    {"the last class", 3, {255, 255, 1}, 1},
    {"tables without any", 2, {1, 0}, 1},
    {"a table of 4 billion addresses", 10, {1, 0, 0xff, 0xff, 0xff, 0xff}, 1},
    {"a table of one address and a half", 15, {1, 0, 2}, 1},
    {"one table and no other", 12, {1, 0, 1}, 1},
    {"a table whose size overflows", 10, {1, 0, 0xab, 0xaa, 0xaa, 0x2a}, 1},
    {"two empty tables", 10, {1, 0}, 0},
    {"two empty tables, and more", 11, {1, 0}, 1},
    {"a table of 600 addresses", 2 + 4 + 600 * 6 + 4, {1, 0, 0x58, 2}, 0},
    {"half an address", 5, {1, 1, 2, 0, 0}, 1},
    {"an address and more", 9, {1, 1, 2}, 1},
    {"no pairs", 4, {4, 0, 0, 0}, 1},
    {"65,535 pairs", 4, {4, 0, 0xff, 0xff}, 1},
    {"9 pairs", 4, {4, 0, 9, 0}, 1},
    {"half a number of pairs", 3, {4, 0, 1}, 1},
    {"hashing of pairs, which was not offered", 4, {4, 1, 1, 0}, 1},
    {"offloads that nobody knows", 10, {5, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 1},
    {"half of the offloads", 6, {5, 0}, 1},
    {"two pairs", 4, {4, 0, 2, 0}, ANY},
    {"one pair", 4, {4, 0, 1, 0}, ANY},
};

static void command_once(const Command *command, unsigned *wrong) {
  VirtioQueue *queue = &net.queues[controlq];

  memset(playground, 0, command->size);
  memcpy(playground, command->command, command->size < sizeof command->command ? command->size : sizeof command->command);
  playground[ANSWER_AT] = 0xee;
  /* In the middle of traffic. */
  make_request();
  send(SHORTEST);
  queue->descriptors[0] = (VirtioDescriptor){(uint64_t)playground, 1, VIRTIO_NEXT, 1};
  queue->descriptors[1] = (VirtioDescriptor){(uint64_t)playground + 1, command->size - 1, VIRTIO_NEXT, 2};
  queue->descriptors[2] = (VirtioDescriptor){(uint64_t)(playground + ANSWER_AT), 1, VIRTIO_WRITE, 0};
  if (command->size == 1)
    queue->descriptors[0].next = 2;
  virtio_offer(queue, 0);
  virtio_ring(queue, controlq);
  HostileAnswer answer = hostile_wait(&net, controlq);
  uint8_t got = *(volatile uint8_t *)(playground + ANSWER_AT);
  if (answer == CAME_BACK && (got == command->answer || (command->answer == ANY && got < ANY)))
    return;
  ++*wrong;
  print("# %s: answer %u, and should be %u\n", command->name, got, command->answer);
}

static void command(void) {
  unsigned n = sizeof commands / sizeof *commands, wrong = 0;
  const uint64_t at = (uint64_t)playground;
  const VirtioDescriptor no_answer[] = {{at, 3, 0, 0}};
  const VirtioDescriptor no_command[] = {{at, 3, VIRTIO_WRITE, 0}};

  start(true);
  if (!(features & F_CTRL_VQ)) {
    check_skipped("commands", "this card takes none");
    return;
  }
  for (unsigned i = 0; i < n; i++)
    command_once(&commands[i], &wrong);
  check(wrong == 0, "%u commands amid traffic are answered as they should be (%u are not)", n, wrong);
  offer_odd("a command without room for an answer", controlq, no_answer, 1);
  offer_odd("an answer without a command", controlq, no_command, 1);
  break_chains("the control queue", controlq);
}

/* Registers. */

static void reset_amid_traffic(void) {
  enum { TIMES = 30, FRAMES = 40 };

  for (unsigned i = 0; i < TIMES; i++) {
    start(i % 3 != 0);
    make_request();
    for (unsigned n = 0; n < FRAMES; n++)
      virtio_offer(&net.queues[TRANSMITQ], 0);
    send(SHORTEST);
    if (i % 2)
      hears(counter_frequency() / 500);
  }
  check(true, "%u resets amid traffic", TIMES);
}

/* Where a queue lies is settled once it is enabled. */
static void move_queues(void) {
  unsigned wrong = 0;

  start(true);
  for (uint16_t i = 0; i < net.n_queues; i++) {
    mmio_write16(net.common + VIRTIO_QUEUE_SELECT, i);
    uint32_t before = mmio_read32(net.common + VIRTIO_QUEUE_DESC), size = mmio_read16(net.common + VIRTIO_QUEUE_SIZE);
    virtio_write64(&net, VIRTIO_QUEUE_DESC, 0x123450);
    virtio_write64(&net, VIRTIO_QUEUE_DRIVER, ~0ull);
    virtio_write64(&net, VIRTIO_QUEUE_DEVICE, 0);
    mmio_write16(net.common + VIRTIO_QUEUE_SIZE, 3);
    mmio_write16(net.common + VIRTIO_QUEUE_ENABLE, 1);
    wrong += mmio_read32(net.common + VIRTIO_QUEUE_DESC) != before || mmio_read16(net.common + VIRTIO_QUEUE_SIZE) != size;
  }
  make_request();
  send(SHORTEST);
  check(wrong == 0 && hostile_wait(&net, TRANSMITQ) == CAME_BACK, "queues cannot be moved while they run (%u can)", wrong);
}

/* Of queues that were never enabled, and of those that are not there. */
static void ring_all(void) {
  virtio_begin(&net, FEATURES);
  virtio_go(&net);
  for (uint32_t at = 0; at < net.notify_size && at < 256; at += 4) {
    mmio_write16(net.notify + at, (uint16_t)(at / 4));
    mmio_write32(net.notify + at, 0xffffffff);
  }
  check(!(virtio_status(&net) & VIRTIO_NEEDS_RESET), "doorbells of queues that are not there");
}

/* Queues of impossible sizes and places. A size may be refused at once. */
static void misplace_queues(void) {
  const uint64_t good = (uint64_t)playground, end = machine.ram_base + machine.ram_size;
  const struct {
    uint16_t size;
    uint64_t address;
  } places[] = {{QUEUE_SIZE, 0}, {QUEUE_SIZE, ~0xfull}, {QUEUE_SIZE, good + 1}, {QUEUE_SIZE, end - 64}, {3, good}, {0xffff, good},
                {0, good}};
  unsigned n = sizeof places / sizeof *places, wrong = 0;

  for (unsigned i = 0; i < n; i++) {
    virtio_begin(&net, FEATURES);
    virtio_enable_queue(&net, TRANSMITQ, QUEUE_SIZE);
    mmio_write16(net.common + VIRTIO_QUEUE_SELECT, RECEIVEQ);
    mmio_write16(net.common + VIRTIO_QUEUE_SIZE, places[i].size);
    virtio_write64(&net, VIRTIO_QUEUE_DESC, places[i].address);
    virtio_write64(&net, VIRTIO_QUEUE_DRIVER, places[i].address);
    virtio_write64(&net, VIRTIO_QUEUE_DEVICE, places[i].address);
    mmio_write16(net.common + VIRTIO_QUEUE_ENABLE, 1);
    bool settled = mmio_read16(net.common + VIRTIO_QUEUE_ENABLE) && mmio_read16(net.common + VIRTIO_QUEUE_SIZE) == places[i].size;
    virtio_go(&net);
    wrong += settled && !(virtio_status(&net) & VIRTIO_NEEDS_RESET);
  }
  check(wrong == 0, "%u queues where none can be: it needs a reset (%u times not)", n, wrong);
}

/* Random chains in all queues. */
static void throw_random(unsigned count) {
  unsigned broken = 0;

  start(true);
  for (unsigned i = 0; i < count; i++) {
    unsigned queue = hostile_random(4) ? TRANSMITQ : hostile_random(net.n_queues);
    hostile_random_chain(&net.queues[queue]);
    if (i % 4 == 3)
      virtio_ring(&net.queues[queue], queue);
    if (i % 16 != 15)
      continue;
    hears(counter_frequency() / 1000);
    if (!(virtio_status(&net) & VIRTIO_NEEDS_RESET) && hostile_random(8))
      continue;
    broken++;
    start(hostile_random(2));
  }
  check(true, "%u random chains, and %u resets", count, broken);
}

/* The other machine. */

static bool is_bye(const uint8_t *buffer) {
  return buffer[HEADER_SIZE + 12] == TYPE_BYE >> 8 && buffer[HEADER_SIZE + 13] == (TYPE_BYE & 0xff);
}

static void echo(void) {
  VirtioQueue *receive = &net.queues[RECEIVEQ], *transmit = &net.queues[TRANSMITQ];
  uint32_t id, written, sent;

  features = virtio_begin(&net, FEATURES & ~F_MRG_RXBUF);
  for (unsigned i = 0; i < 2; i++)
    virtio_enable_queue(&net, i, QUEUE_SIZE);
  for (uint16_t i = 0; i < N_BUFFERS; i++)
    give_buffer(i);
  virtio_go(&net);
  for (;;) {
    while (virtio_take(transmit, &sent, &written)) {
      give_buffer((uint16_t)sent);
      virtio_ring(receive, RECEIVEQ);
    }
    if (!virtio_take(receive, &id, &written))
      continue;
    if (is_bye(buffers[id]))
      return;
    memset(buffers[id], 0, HEADER_SIZE);
    transmit->descriptors[id] = (VirtioDescriptor){(uint64_t)buffers[id], written, 0, 0};
    virtio_offer(transmit, (uint16_t)id);
    virtio_ring(transmit, TRANSMITQ);
  }
}

static void all(unsigned count) {
  lie_in_headers();
  works("headers that lie");
  break_chains("the transmit queue", TRANSMITQ);
  break_chains("the receive queue", RECEIVEQ);
  odd_chains();
  works("chains that are none");
  command();
  works("commands");
  reset_amid_traffic();
  move_queues();
  ring_all();
  misplace_queues();
  works("all that was done to its registers");
  throw_random(count);
  works("random chains");
}

void guest_main(void) {
  unsigned count = (unsigned)argument_number("count", 600);

  if (!virtio_find(&net, NET_ID))
    guest_skip("there is no network card");
  if (argument_present("echo")) {
    echo();
    return;
  }
  hostile_begin();
  works("a start like any other");
  all(100);
  hostile_pause("settled");
  all(count);
  make_frame(TYPE_BYE);
  send(SHORTEST);
  hostile_wait(&net, TRANSMITQ);
  hostile_pause("done");
}
