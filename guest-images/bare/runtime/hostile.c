/* SPDX-License-Identifier: Apache-2.0 */
#include "hostile.h"

#include "cpu.h"
#include "machine.h"
#include "print.h"

#define WAIT_SECONDS 8
#define LOOKS        2000 /* at memory, between two at the status, which leave the guest */

/* PL011: DDI 0183, 3.2. */
enum { UARTDR = 0x00, UARTFR = 0x18, UARTCR = 0x30 };
enum { FR_RXFE = 1 << 4, CR_ON = 0x301 };

/* And as much behind it as a random buffer may have there: devices write to all of that. */
#define LONGEST (PLAYGROUND_SIZE / 4)
uint8_t playground[PLAYGROUND_SIZE + LONGEST] __attribute__((aligned(4096)));

/* xorshift64* (S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016). */
static uint64_t state;

static uint64_t random(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dull;
}

uint32_t hostile_random(uint32_t limit) {
  return (uint32_t)((random() >> 32) * limit >> 32);
}

void hostile_begin(void) {
  state = argument_number("seed", 1);
  if (state == 0)
    state = 1; /* 0 would stay 0 for ever */
  print("seed %lu\n", state);
  for (unsigned i = 0; i < PLAYGROUND_SIZE; i += 8)
    *(uint64_t *)(playground + i) = random();
}

HostileAnswer hostile_wait_for(Virtio *virtio, unsigned index, unsigned milliseconds) {
  VirtioQueue *queue = &virtio->queues[index];
  uint64_t end = counter() + milliseconds * counter_frequency() / 1000;
  uint32_t id, written;

  do {
    for (unsigned i = 0; i < LOOKS; i++) {
      while (virtio_take(queue, &id, &written))
        ;
      if (queue->next_used == queue->avail.idx)
        return CAME_BACK;
    }
    if (virtio_status(virtio) & VIRTIO_NEEDS_RESET)
      return NEEDS_RESET;
  } while (counter() < end);
  return NOTHING;
}

HostileAnswer hostile_wait(Virtio *virtio, unsigned index) {
  return hostile_wait_for(virtio, index, WAIT_SECONDS * 1000);
}

void hostile_pause(const char *line) {
  bool waits = argument_present("wait") && machine.uart;

  if (waits)
    mmio_write32(machine.uart + UARTCR, CR_ON);
  print("%s\n", line);
  while (waits && (mmio_read32(machine.uart + UARTFR) & FR_RXFE))
    ;
  if (waits)
    mmio_read32(machine.uart + UARTDR);
}

/* Chains. What is said of addresses: GOOD is 64 bytes of the playground. */

#define GOOD       ((uint64_t)playground)
#define TABLE      ((uint64_t)(playground + 4096))
#define GOOD_SIZE  64
#define NO_ADDRESS 0x2000ul /* below all RAM */

typedef struct {
  VirtioQueue *queue;
  VirtioDescriptor *descriptors, *table; /* the queue's; those of an indirect table */
  uint64_t ram_end;
  uint16_t head; /* where the chain begins, 0 */
} Builder;

static void begins_nowhere(Builder *b) {
  b->head = b->queue->size;
}

static void begins_far(Builder *b) {
  b->head = 0xffff;
}

static void loops(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 0};
}

static void loops_by_two(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 1};
  b->descriptors[1] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 0};
}

static void loops_by_all(Builder *b) {
  for (uint16_t i = 0; i < b->queue->size; i++)
    b->descriptors[i] = (VirtioDescriptor){GOOD, 1, VIRTIO_NEXT, (uint16_t)((i + 1) % b->queue->size)};
}

static void next_is_none(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, b->queue->size};
}

static void next_is_far(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT | VIRTIO_WRITE, 0xffff};
}

static void is_empty(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, 0, 0, 0};
}

static void ends_empty(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 1};
  b->descriptors[1] = (VirtioDescriptor){GOOD, 0, VIRTIO_WRITE, 0};
}

static void is_outside(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){NO_ADDRESS, GOOD_SIZE, 0, 0};
}

static void is_device(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){machine.uart, GOOD_SIZE, VIRTIO_WRITE, 0};
}

static void is_gic(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){machine.gic_distributor, GOOD_SIZE, VIRTIO_WRITE, 0};
}

static void enters_ram(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){machine.ram_base - 8, 16, VIRTIO_WRITE, 0};
}

static void leaves_ram(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){b->ram_end - 8, 16, VIRTIO_WRITE, 0};
}

static void wraps(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){~0ull - 8, 0xffffffff, 0, 0};
}

static void ends_at_zero(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){-(uint64_t)GOOD_SIZE, GOOD_SIZE, VIRTIO_WRITE, 0};
}

static void is_all(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){0, 0xffffffff, VIRTIO_WRITE, 0};
}

static void reads_last(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT | VIRTIO_WRITE, 1};
  b->descriptors[1] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
}

/* More than 4 GiB, of the same memory again and again. */
static void is_too_long(Builder *b) {
  uint32_t size = machine.ram_size < 1u << 31 ? (uint32_t)machine.ram_size : 1u << 31;

  for (uint16_t i = 0; i < b->queue->size; i++)
    b->descriptors[i] = (VirtioDescriptor){machine.ram_base, size, VIRTIO_NEXT, (uint16_t)(i + 1)};
}

static void indirect(Builder *b, uint64_t table, uint32_t size, uint16_t flags) {
  b->descriptors[0] = (VirtioDescriptor){table, size, VIRTIO_INDIRECT | flags, 1};
  b->descriptors[1] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
}

static void indirect_twice(Builder *b) {
  b->table[0] = (VirtioDescriptor){TABLE, sizeof *b->table, VIRTIO_INDIRECT, 0};
  indirect(b, TABLE, sizeof *b->table, 0);
}

static void indirect_loops(Builder *b) {
  b->table[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 1};
  b->table[1] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 0};
  indirect(b, TABLE, 2 * sizeof *b->table, 0);
}

static void indirect_reads_last(Builder *b) {
  b->table[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT | VIRTIO_WRITE, 1};
  b->table[1] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
  indirect(b, TABLE, 2 * sizeof *b->table, 0);
}

/* More than any queue has. */
static void indirect_is_long(Builder *b) {
  for (uint16_t i = 0; i <= VIRTIO_QUEUE_MAX; i++)
    b->table[i] = (VirtioDescriptor){GOOD, 1, i < VIRTIO_QUEUE_MAX ? VIRTIO_NEXT : 0, (uint16_t)(i + 1)};
  indirect(b, TABLE, (VIRTIO_QUEUE_MAX + 1) * sizeof *b->table, 0);
}

static void indirect_twice_later(Builder *b) {
  b->table[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 1};
  b->table[1] = (VirtioDescriptor){TABLE, 2 * sizeof *b->table, VIRTIO_INDIRECT | VIRTIO_WRITE, 0};
  indirect(b, TABLE, 2 * sizeof *b->table, 0);
}

static void indirect_goes_on(Builder *b) {
  b->table[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
  indirect(b, TABLE, sizeof *b->table, VIRTIO_NEXT);
}

static void indirect_empty(Builder *b) {
  indirect(b, TABLE, 0, 0);
}

static void indirect_odd(Builder *b) {
  b->table[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
  indirect(b, TABLE, sizeof *b->table + 8, 0);
}

static void indirect_half(Builder *b) {
  indirect(b, TABLE, sizeof *b->table / 2, 0);
}

static void indirect_is_all(Builder *b) {
  indirect(b, TABLE, 0xfffffff0, 0);
}

static void indirect_nowhere(Builder *b) {
  indirect(b, NO_ADDRESS, sizeof *b->table, 0);
}

static void indirect_device(Builder *b) {
  indirect(b, machine.gic_distributor, sizeof *b->table, 0);
}

static void indirect_wraps(Builder *b) {
  indirect(b, -(uint64_t)sizeof *b->table, 2 * sizeof *b->table, 0);
}

static void indirect_outside(Builder *b) {
  indirect(b, b->ram_end - sizeof *b->table, 2 * sizeof *b->table, 0);
}

static void indirect_leaves(Builder *b) {
  b->table[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, VIRTIO_NEXT, 2};
  indirect(b, TABLE, 2 * sizeof *b->table, 0);
}

/* As many as there cannot be. */
static void index_jumps(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
  b->queue->avail.idx += b->queue->size;
}

static void index_jumps_far(Builder *b) {
  b->queue->avail.idx += 0x8000;
}

static void index_goes_back(Builder *b) {
  b->descriptors[0] = (VirtioDescriptor){GOOD, GOOD_SIZE, 0, 0};
  b->queue->avail.idx -= 2;
}

static const struct {
  const char *name;
  void (*build)(Builder *b);
} chains[] = {
    {"a chain that begins where there is no descriptor", begins_nowhere},
    {"one that begins far away", begins_far},
    {"a chain that goes in circles", loops},
    {"one that does so by two", loops_by_two},
    {"one that does so by all there are", loops_by_all},
    {"one that goes on where there is no descriptor", next_is_none},
    {"one that goes on far away", next_is_far},
    {"a buffer of nothing", is_empty},
    {"a buffer of nothing at the end", ends_empty},
    {"a buffer where nothing is", is_outside},
    {"a buffer that is a device", is_device},
    {"a buffer that is the interrupt controller", is_gic},
    {"a buffer across the start of memory", enters_ram},
    {"a buffer across the end of memory", leaves_ram},
    {"a buffer across the end of all addresses", wraps},
    {"a buffer up to the end of all addresses", ends_at_zero},
    {"a buffer of 4 GiB", is_all},
    {"a buffer to read behind one to write", reads_last},
    {"a chain of more than 4 GiB", is_too_long},
    {"an indirect table in an indirect table", indirect_twice},
    {"an indirect table that goes in circles", indirect_loops},
    {"an indirect table in the second place of an indirect table", indirect_twice_later},
    {"a buffer to read behind one to write, in an indirect table", indirect_reads_last},
    {"an indirect table of more than any queue has", indirect_is_long},
    {"a chain that goes on behind an indirect table", indirect_goes_on},
    {"an indirect table of nothing", indirect_empty},
    {"an indirect table of a half", indirect_half},
    {"an indirect table of one and a half", indirect_odd},
    {"an indirect table of 4 GiB", indirect_is_all},
    {"an indirect table where nothing is", indirect_nowhere},
    {"an indirect table that is a device", indirect_device},
    {"an indirect table across the end of all addresses", indirect_wraps},
    {"an indirect table across the end of memory", indirect_outside},
    {"an indirect table that is left", indirect_leaves},
    {"an available index that jumps", index_jumps},
    {"an available index that jumps far", index_jumps_far},
    {"an available index that goes back", index_goes_back},
};

const char *hostile_chain(Virtio *virtio, unsigned index, unsigned chain) {
  Builder b = {
      .queue = &virtio->queues[index],
      .descriptors = virtio->queues[index].descriptors,
      .table = (VirtioDescriptor *)TABLE,
      .ram_end = machine.ram_base + machine.ram_size,
  };

  if (chain >= sizeof chains / sizeof *chains)
    return NULL;
  chains[chain].build(&b);
  virtio_offer(b.queue, b.head);
  virtio_ring(b.queue, index);
  return chains[chain].name;
}

static uint64_t random_address(void) {
  switch (hostile_random(64)) {
  case 0:
    return random();
  case 1:
    return machine.ram_base + machine.ram_size - hostile_random(64);
  default:
    return (uint64_t)playground + hostile_random(PLAYGROUND_SIZE - 4096);
  }
}

/* Of nothing, of more than is there, long or short: never so that the program itself would be written over. */
static uint32_t random_size(void) {
  switch (hostile_random(32)) {
  case 0:
    return 0;
  case 1:
    return -1u - hostile_random(machine.ram_size < 1u << 31 ? 1u << 31 : 1);
  case 2:
  case 3:
    return hostile_random(LONGEST);
  default:
    return 1 + hostile_random(100);
  }
}

void hostile_random_chain(VirtioQueue *queue) {
  unsigned n = 1 + hostile_random(6), first = hostile_random(queue->size), n_readable = hostile_random(n + 1);

  for (unsigned i = 0; i < n; i++) {
    VirtioDescriptor *descriptor = &queue->descriptors[(first + i) % queue->size];
    uint16_t flags = i < n_readable ? 0 : VIRTIO_WRITE;
    if (i + 1 < n)
      flags |= VIRTIO_NEXT;
    if (hostile_random(40) == 0)
      flags = (uint16_t)hostile_random(8);
    *descriptor = (VirtioDescriptor){random_address(), random_size(), flags, (uint16_t)((first + i + 1) % queue->size)};
    if (hostile_random(100) == 0)
      descriptor->next = (uint16_t)random();
  }
  virtio_offer(queue, (uint16_t)(hostile_random(200) ? first : hostile_random(0x10000)));
}
