/* SPDX-License-Identifier: Apache-2.0 */
/* The split virtqueue against drivers right, wrong and hostile: devices/virtio/virtqueue.c. */
#include "tests/unit/devices/virtio/fake-driver.h"

#define DATA (RAM_BASE + 0x80000)
#define SIZE 8

typedef struct {
  FakeGuest guest;
  FakeQueue driver;
  VirtQueue queue;
  VirtChain chain;
} Fixture;

static void configure(Fixture *f) {
  f->queue.config.size = f->driver.size;
  f->queue.config.descriptors = f->driver.descriptors;
  f->queue.config.driver = f->driver.driver;
  f->queue.config.device = f->driver.device;
  f->queue.config.ready = true;
}

static void set_up(Fixture *f, gconstpointer data) {
  fake_guest_init(&f->guest);
  f->driver = fake_queue(&f->guest, 0, SIZE);
  virtqueue_init(&f->queue, &f->guest.memory, 64);
  f->queue.indirect = true;
  configure(f);
  g_assert_true(virtqueue_start(&f->queue));
}

static void tear_down(Fixture *f, gconstpointer data) {
  fake_guest_clear(&f->guest);
}

static void assert_broken(Fixture *f, const char *part_of_why) {
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, -1);
  g_assert_nonnull(f->queue.broken);
  if (!strstr(f->queue.broken, part_of_why))
    g_test_message("broken: %s", f->queue.broken);
  g_assert_nonnull(strstr(f->queue.broken, part_of_why));
  /* It stays so, and touches nothing of the guest's. */
  uint16_t used = fake_used_idx(&f->driver);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, -1);
  virtqueue_push(&f->queue, 0, 0);
  g_assert_cmpuint(fake_used_idx(&f->driver), ==, used);
  g_assert_false(virtqueue_needs_interrupt(&f->queue));
  g_assert_false(virtqueue_enable_doorbell(&f->queue));
  g_assert_false(virtqueue_start(&f->queue));
  virtqueue_reset(&f->queue);
  g_assert_null(f->queue.broken);
}

static void test_chain(Fixture *f, gconstpointer data) {
  char text[16] = "";

  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 0);
  memcpy(fake_at(&f->guest, DATA), "hello, ", 7);
  memcpy(fake_at(&f->guest, DATA + 0x100), "guest", 5);
  fake_descriptor(&f->driver, 3, DATA, 7, NEXT, 1);
  fake_descriptor(&f->driver, 1, DATA + 0x100, 5, NEXT, 6);
  fake_descriptor(&f->driver, 6, DATA + 0x200, 3, WRITE | NEXT, 0);
  fake_descriptor(&f->driver, 0, DATA + 0x300, 4, WRITE, 99);
  fake_offer(&f->driver, 3);

  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
  g_assert_cmpuint(f->chain.head, ==, 3);
  g_assert_cmpuint(f->chain.n_out, ==, 2);
  g_assert_cmpuint(f->chain.n_in, ==, 2);
  g_assert_cmpuint(f->chain.out_size, ==, 12);
  g_assert_cmpuint(f->chain.in_size, ==, 7);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 0);

  /* Copies: across buffers, from an offset, short at the end, none beyond it. */
  g_assert_cmpuint(virt_chain_read(&f->chain, 0, text, sizeof text - 1), ==, 12);
  g_assert_cmpstr(text, ==, "hello, guest");
  g_assert_cmpuint(virt_chain_read(&f->chain, 5, text, 4), ==, 4);
  g_assert_cmpmem(text, 4, ", gu", 4);
  g_assert_cmpuint(virt_chain_read(&f->chain, 7, text, 5), ==, 5);
  g_assert_cmpmem(text, 5, "guest", 5);
  g_assert_cmpuint(virt_chain_read(&f->chain, 12, text, 1), ==, 0);
  g_assert_cmpuint(virt_chain_read(&f->chain, UINT64_MAX, text, 1), ==, 0);
  g_assert_cmpuint(virt_chain_write(&f->chain, 0, "abcdefghij", 10), ==, 7);
  g_assert_cmpmem(fake_at(&f->guest, DATA + 0x200), 4, "abc\0", 4);
  g_assert_cmpmem(fake_at(&f->guest, DATA + 0x300), 5, "defg\0", 5);
  g_assert_cmpuint(virt_chain_write(&f->chain, 2, "XY", 2), ==, 2);
  g_assert_cmpmem(fake_at(&f->guest, DATA + 0x200), 3, "abX", 3);
  g_assert_cmpmem(fake_at(&f->guest, DATA + 0x300), 4, "Yefg", 4);

  uint32_t id, written;
  virtqueue_push(&f->queue, f->chain.head, 7);
  g_assert_cmpuint(fake_used_idx(&f->driver), ==, 1);
  fake_used(&f->driver, 0, &id, &written);
  g_assert_cmpuint(id, ==, 3);
  g_assert_cmpuint(written, ==, 7);
}

/* Several at once: the driver sees none of them before all are there. */
static void test_push_many(Fixture *f, gconstpointer data) {
  static const VirtUsed used[] = {{2, 10}, {0, 0}, {1, 12}};
  uint32_t id, written;

  for (unsigned i = 0; i < SIZE + 3; i++) {
    fake_descriptor(&f->driver, i % 3, DATA, 4, WRITE, 0);
    fake_offer(&f->driver, (uint16_t)(i % 3));
    g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
    if (i % 3 != 2)
      continue;
    g_assert_cmpuint(fake_used_idx(&f->driver), ==, i - 2);
    virtqueue_push_many(&f->queue, used, G_N_ELEMENTS(used));
    g_assert_cmpuint(fake_used_idx(&f->driver), ==, i + 1);
    for (unsigned j = 0; j < G_N_ELEMENTS(used); j++) {
      fake_used(&f->driver, (uint16_t)(i - 2 + j), &id, &written);
      g_assert_cmpuint(id, ==, used[j].head);
      g_assert_cmpuint(written, ==, used[j].written);
    }
    virtqueue_push_many(&f->queue, used, 0);
    g_assert_cmpuint(fake_used_idx(&f->driver), ==, i + 1);
  }
}

/* One descriptor each, many times round the ring and past 65535. */
static void test_wrap(Fixture *f, gconstpointer data) {
  uint32_t id, written;

  for (unsigned i = 0; i < 70000; i++) {
    unsigned head = i % SIZE;
    fake_descriptor(&f->driver, head, DATA, 1 + i % 100, i & 1 ? WRITE : 0, 0);
    fake_offer(&f->driver, (uint16_t)head);
    g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
    g_assert_cmpuint(f->chain.head, ==, head);
    g_assert_cmpuint(i & 1 ? f->chain.in_size : f->chain.out_size, ==, 1 + i % 100);
    virtqueue_push(&f->queue, f->chain.head, i);
    g_assert_cmpuint(fake_used_idx(&f->driver), ==, (uint16_t)(i + 1));
    fake_used(&f->driver, (uint16_t)i, &id, &written);
    g_assert_cmpuint(id, ==, head);
    g_assert_cmpuint(written, ==, i);
  }
}

static void test_unpop(Fixture *f, gconstpointer data) {
  virtqueue_unpop(&f->queue); /* nothing taken: nothing happens */
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 0);
  fake_descriptor(&f->driver, 5, DATA, 4, 0, 0);
  fake_offer(&f->driver, 5);
  for (unsigned i = 0; i < 3; i++) {
    g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
    g_assert_cmpuint(f->chain.head, ==, 5);
    virtqueue_unpop(&f->queue);
  }
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
}

/* Stop and start go on where they were; reset does not. */
static void test_stop(Fixture *f, gconstpointer data) {
  fake_descriptor(&f->driver, 0, DATA, 4, 0, 0);
  fake_offer(&f->driver, 0);
  fake_offer(&f->driver, 0);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
  virtqueue_push(&f->queue, 0, 0);
  virtqueue_stop(&f->queue);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 0);
  virtqueue_push(&f->queue, 0, 0);
  g_assert_cmpuint(fake_used_idx(&f->driver), ==, 1);
  g_assert_true(virtqueue_start(&f->queue));
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 0);
  virtqueue_reset(&f->queue);
  g_assert_false(f->queue.config.ready);
  g_assert_cmpuint(f->queue.config.size, ==, 64);
  g_assert_cmphex(f->queue.config.descriptors, ==, 0);
  g_assert_cmpuint(f->queue.next_avail, ==, 0);
}

typedef struct {
  const char *name;
  uint16_t size;
  uint64_t descriptors, driver, device;
  bool starts;
} StartCase;

static void test_start(void) {
  const uint64_t end = RAM_BASE + RAM_SIZE;
  const StartCase cases[] = {
      {"good", 64, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, true},
      {"size 1", 1, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, true},
      {"size 0", 0, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"size 3", 3, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"size 63", 63, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"size over the maximum", 128, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"size 32768", 32768, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"descriptors unaligned", 64, RAM_BASE + 8, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"driver area unaligned", 64, RAM_BASE, RAM_BASE + 0x4001, RAM_BASE + 0x8000, false},
      {"driver area aligned to 2", 64, RAM_BASE, RAM_BASE + 0x4002, RAM_BASE + 0x8000, true},
      {"device area unaligned", 64, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8002, false},
      {"device area aligned to 4", 64, RAM_BASE, RAM_BASE + 0x4000, RAM_BASE + 0x8004, true},
      {"addresses 0", 64, 0, 0, 0, false},
      {"descriptors end with memory", 64, end - 1024, RAM_BASE + 0x4000, RAM_BASE + 0x8000, true},
      {"descriptors go beyond memory", 64, end - 1024 + 16, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"driver area ends with memory", 64, RAM_BASE, end - 134, RAM_BASE + 0x8000, true},
      {"driver area goes beyond memory", 64, RAM_BASE, end - 132, RAM_BASE + 0x8000, false},
      {"device area ends with memory", 64, RAM_BASE, RAM_BASE + 0x4000, end - 520, true},
      {"device area goes beyond memory", 64, RAM_BASE, RAM_BASE + 0x4000, end - 516, false},
      {"descriptors wrap round", 64, UINT64_C(0xfffffffffffffff0), RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
      {"driver area wraps round", 64, RAM_BASE, UINT64_C(0xfffffffffffffffe), RAM_BASE + 0x8000, false},
      {"device area wraps round", 64, RAM_BASE, RAM_BASE + 0x4000, UINT64_C(0xfffffffffffffffc), false},
      {"below memory", 64, RAM_BASE - 16, RAM_BASE + 0x4000, RAM_BASE + 0x8000, false},
  };
  FakeGuest guest;

  fake_guest_init(&guest);
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    VirtQueue queue;
    virtqueue_init(&queue, &guest.memory, 64);
    queue.config.size = cases[i].size;
    queue.config.descriptors = cases[i].descriptors;
    queue.config.driver = cases[i].driver;
    queue.config.device = cases[i].device;
    g_test_message("%s", cases[i].name);
    g_assert_true(virtqueue_start(&queue) == cases[i].starts);
    g_assert_true((queue.broken == NULL) == cases[i].starts);
    g_assert_true(queue.running == cases[i].starts);
  }
  fake_guest_clear(&guest);
}

static void test_index_jumps(Fixture *f, gconstpointer data) {
  fake_set_avail_idx(&f->driver, SIZE + 1);
  assert_broken(f, "jumped");
  configure(f);
  g_assert_true(virtqueue_start(&f->queue));
  fake_set_avail_idx(&f->driver, UINT16_MAX); /* backwards */
  assert_broken(f, "jumped");
}

static void test_head_out_of_range(Fixture *f, gconstpointer data) {
  fake_offer(&f->driver, SIZE);
  assert_broken(f, "index out of range");
  configure(f);
  g_assert_true(virtqueue_start(&f->queue));
  fake_set_avail_idx(&f->driver, 0);
  fake_offer(&f->driver, UINT16_MAX);
  assert_broken(f, "index out of range");
}

static void test_next_out_of_range(Fixture *f, gconstpointer data) {
  fake_descriptor(&f->driver, 0, DATA, 4, NEXT, SIZE);
  fake_offer(&f->driver, 0);
  assert_broken(f, "index out of range");
}

static void test_loop(Fixture *f, gconstpointer data) {
  fake_descriptor(&f->driver, 0, DATA, 4, NEXT, 0);
  fake_offer(&f->driver, 0);
  assert_broken(f, "loops");
}

static void test_loop_of_two(Fixture *f, gconstpointer data) {
  fake_descriptor(&f->driver, 0, DATA, 4, WRITE | NEXT, 1);
  fake_descriptor(&f->driver, 1, DATA, 4, WRITE | NEXT, 0);
  fake_offer(&f->driver, 0);
  assert_broken(f, "loops");
}

static void test_longest_chain(Fixture *f, gconstpointer data) {
  for (unsigned i = 0; i < SIZE; i++)
    fake_descriptor(&f->driver, i, DATA, 4, i + 1 < SIZE ? NEXT : 0, (uint16_t)(i + 1));
  fake_offer(&f->driver, 0);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
  g_assert_cmpuint(f->chain.n_out, ==, SIZE);
}

static void test_addresses(Fixture *f, gconstpointer data) {
  static const struct {
    uint64_t address;
    uint32_t size;
    bool good;
  } cases[] = {
      {RAM_BASE, RAM_SIZE, true},
      {RAM_BASE + RAM_SIZE - 1, 1, true},
      {RAM_BASE, 0, false}, /* zero length */
      {0, 4, false},
      {RAM_BASE - 1, 4, false},
      {RAM_BASE + RAM_SIZE - 3, 4, false},
      {RAM_BASE + RAM_SIZE, 1, false},
      {RAM_BASE, UINT32_MAX, false}, /* huge */
      {RAM_BASE, RAM_SIZE + 1, false},
      {UINT64_MAX, 1, false},
      {UINT64_MAX, UINT32_MAX, false}, /* wraps round */
      {UINT64_MAX - 3, 4, false},
      {UINT64_C(0x8000000040000000), 4, false},
  };

  for (unsigned i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
    unsigned c = i / 2;
    virtqueue_reset(&f->queue);
    configure(f);
    g_assert_true(virtqueue_start(&f->queue));
    fake_set_avail_idx(&f->driver, 0);
    fake_descriptor(&f->driver, 0, cases[c].address, cases[c].size, i % 2 ? WRITE : 0, 0);
    fake_offer(&f->driver, 0);
    if (cases[c].good) {
      g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
      g_assert_cmpuint(f->chain.iov[0].iov_len, ==, cases[c].size);
      g_assert_true(f->chain.iov[0].iov_base == fake_at(&f->guest, cases[c].address));
    } else {
      assert_broken(f, "outside guest memory");
    }
  }
}

/* The same memory over and over: each buffer is good, their sum is not. */
static void test_total_size(void) {
  const uint64_t size = UINT64_C(1) << 26;
  /* Address space only: nothing touches it beyond the rings at its start. */
  uint8_t *ram = calloc(1, size);
  GuestMemory memory = {0};
  VirtChain *chain = g_new(VirtChain, 1);

  g_assert_true(guest_memory_add(&memory, RAM_BASE, size, ram));
  for (unsigned n = 63; n <= 64; n++) {
    VirtQueue queue;
    virtqueue_init(&queue, &memory, 128);
    queue.config.descriptors = RAM_BASE;
    queue.config.driver = RAM_BASE + 0x4000;
    queue.config.device = RAM_BASE + 0x8000;
    g_assert_true(virtqueue_start(&queue));
    for (unsigned i = 0; i < n; i++) {
      uint64_t address = RAM_BASE;
      uint32_t length = (uint32_t)size;
      uint16_t link[2] = {i + 1 < n ? NEXT : 0, (uint16_t)(i + 1)};
      memcpy(ram + 16 * i, &address, 8);
      memcpy(ram + 16 * i + 8, &length, 4);
      memcpy(ram + 16 * i + 12, link, 4);
    }
    ram[0x4002] = 1;
    g_assert_cmpint(virtqueue_pop(&queue, chain), ==, n == 63 ? 1 : -1); /* 64 of them are 4 GiB */
    if (n == 64)
      g_assert_nonnull(strstr(queue.broken, "4 GiB"));
  }
  g_free(chain);
  free(ram);
}

static void test_read_after_write(Fixture *f, gconstpointer data) {
  fake_descriptor(&f->driver, 0, DATA, 4, WRITE | NEXT, 1);
  fake_descriptor(&f->driver, 1, DATA, 4, 0, 0);
  fake_offer(&f->driver, 0);
  assert_broken(f, "after a device-writable one");
}

static void test_same_head_twice_in_flight(Fixture *f, gconstpointer data) {
  fake_descriptor(&f->driver, 0, DATA, 4, 0, 0);
  for (unsigned i = 0; i < SIZE; i++) {
    fake_offer(&f->driver, 0);
    g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
  }
  fake_offer(&f->driver, 0);
  assert_broken(f, "in flight");
}

/* Indirect tables. */

#define TABLE (RAM_BASE + 0xc0000)

static void test_indirect(Fixture *f, gconstpointer data) {
  /* A normal descriptor, then one that is indirect; its WRITE means nothing. */
  fake_descriptor(&f->driver, 2, DATA, 1, NEXT, 4);
  fake_descriptor(&f->driver, 4, TABLE, 3 * 16, INDIRECT | WRITE, 0);
  fake_descriptor_at(&f->guest, TABLE, 0, DATA + 1, 2, NEXT, 2);
  fake_descriptor_at(&f->guest, TABLE, 2, DATA + 3, 4, NEXT | WRITE, 1);
  fake_descriptor_at(&f->guest, TABLE, 1, DATA + 7, 8, WRITE, 0);
  fake_offer(&f->driver, 2);
  g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
  g_assert_cmpuint(f->chain.head, ==, 2);
  g_assert_cmpuint(f->chain.n_out, ==, 2);
  g_assert_cmpuint(f->chain.n_in, ==, 2);
  g_assert_cmpuint(f->chain.out_size, ==, 3);
  g_assert_cmpuint(f->chain.in_size, ==, 12);
}

/* As many buffers as the device's largest queue, though this one is smaller; not one more. */
static void test_indirect_length(Fixture *f, gconstpointer data) {
  for (unsigned n = 64; n <= 65; n++) {
    for (unsigned i = 0; i < n; i++)
      fake_descriptor_at(&f->guest, TABLE, i, DATA + i, 1, i + 1 < n ? NEXT : 0, (uint16_t)(i + 1));
    fake_descriptor(&f->driver, 0, TABLE, n * 16, INDIRECT, 0);
    fake_offer(&f->driver, 0);
    if (n == 64) {
      g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
      g_assert_cmpuint(f->chain.n_out, ==, 64);
    } else {
      assert_broken(f, "more buffers");
    }
  }
}

typedef struct {
  uint64_t table;
  uint32_t size;
  uint16_t flags;    /* of the indirect descriptor */
  uint16_t entry[2]; /* flags and next of the table's first entry */
  bool without_feature;
  const char *why;
} IndirectCase;

static const IndirectCase indirect_cases[] = {
    {TABLE, 16, INDIRECT, {0, 0}, true, "without the feature"},
    {TABLE, 16, INDIRECT | NEXT, {0, 0}, false, "with a next one"},
    {TABLE, 0, INDIRECT, {0, 0}, false, "empty or not of whole"},
    {TABLE, 15, INDIRECT, {0, 0}, false, "empty or not of whole"},
    {TABLE, 17, INDIRECT, {0, 0}, false, "empty or not of whole"},
    {TABLE, UINT32_MAX, INDIRECT, {0, 0}, false, "empty or not of whole"},
    {TABLE, 0xfffffff0, INDIRECT, {0, 0}, false, "table outside guest memory"},
    {RAM_BASE + RAM_SIZE - 16, 32, INDIRECT, {0, 0}, false, "table outside guest memory"},
    {UINT64_C(0xfffffffffffffff0), 32, INDIRECT, {0, 0}, false, "table outside guest memory"},
    {TABLE, 16, INDIRECT, {INDIRECT, 0}, false, "indirect table in an indirect table"},
    {TABLE, 16, INDIRECT, {NEXT, 1}, false, "index out of range"},
    {TABLE, 16, INDIRECT, {NEXT, 0}, false, "loops"},
    {TABLE, 0x10000, INDIRECT, {NEXT, 0}, false, "more buffers"}, /* a loop in a table larger than any chain */
};

static void test_indirect_wrong(Fixture *f, gconstpointer data) {
  for (unsigned i = 0; i < G_N_ELEMENTS(indirect_cases); i++) {
    const IndirectCase *c = &indirect_cases[i];
    virtqueue_reset(&f->queue);
    configure(f);
    f->queue.indirect = !c->without_feature;
    g_assert_true(virtqueue_start(&f->queue));
    fake_set_avail_idx(&f->driver, 0);
    fake_descriptor_at(&f->guest, TABLE, 0, DATA, 4, c->entry[0], c->entry[1]);
    fake_descriptor(&f->driver, 0, c->table, c->size, c->flags, 0);
    fake_offer(&f->driver, 0);
    assert_broken(f, c->why);
  }
}

/* Notifications. */

static void test_interrupt_flag(Fixture *f, gconstpointer data) {
  g_assert_false(virtqueue_needs_interrupt(&f->queue)); /* nothing was returned */
  virtqueue_push(&f->queue, 0, 0);
  g_assert_true(virtqueue_needs_interrupt(&f->queue));
  g_assert_false(virtqueue_needs_interrupt(&f->queue));
  fake_set_avail_flags(&f->driver, 1); /* NO_INTERRUPT */
  virtqueue_push(&f->queue, 0, 0);
  g_assert_false(virtqueue_needs_interrupt(&f->queue));
  fake_set_avail_flags(&f->driver, 0);
  virtqueue_push(&f->queue, 0, 0);
  g_assert_true(virtqueue_needs_interrupt(&f->queue));
}

static void test_doorbell_flag(Fixture *f, gconstpointer data) {
  virtqueue_disable_doorbell(&f->queue);
  g_assert_cmphex(fake_used_flags(&f->driver), ==, 1); /* NO_NOTIFY */
  g_assert_false(virtqueue_enable_doorbell(&f->queue));
  g_assert_cmphex(fake_used_flags(&f->driver), ==, 0);
  virtqueue_disable_doorbell(&f->queue);
  fake_descriptor(&f->driver, 0, DATA, 4, 0, 0);
  fake_offer(&f->driver, 0);
  g_assert_true(virtqueue_enable_doorbell(&f->queue));
}

/* Sets both sides to a place in the 16-bit cycle, with nothing in flight. */
static void go_to(Fixture *f, uint16_t index) {
  f->queue.next_avail = f->queue.next_used = f->queue.signalled_used = index;
  fake_set_avail_idx(&f->driver, index);
}

/* Whether returning N chains from START on interrupts a driver that waits for EVENT. */
static bool event_interrupts(Fixture *f, uint16_t start, unsigned n, uint16_t event) {
  go_to(f, start);
  fake_set_used_event(&f->driver, event);
  fake_set_avail_flags(&f->driver, 1); /* must mean nothing now */
  for (unsigned i = 0; i < n; i++)
    virtqueue_push(&f->queue, 0, 0);
  return virtqueue_needs_interrupt(&f->queue);
}

static void test_used_event(Fixture *f, gconstpointer data) {
  static const uint16_t starts[] = {0, 1, 100, 32766, 32768, 65527, 65533, 65534, 65535};

  f->queue.event_idx = true;
  for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++)
    for (unsigned n = 1; n <= SIZE; n++)
      for (int delta = -3; delta <= SIZE + 3; delta++) {
        uint16_t event = (uint16_t)(starts[s] + delta);
        bool wanted = delta >= 0 && (unsigned)delta < n; /* the element with that index is among the n */
        g_assert_true(event_interrupts(f, starts[s], n, event) == wanted);
      }
  g_assert_false(event_interrupts(f, 5, 0, 5));
}

static void test_avail_event(Fixture *f, gconstpointer data) {
  static const uint16_t starts[] = {0, 7, 65534, 65535};

  f->queue.event_idx = true;
  fake_descriptor(&f->driver, 0, DATA, 4, 0, 0);
  for (unsigned s = 0; s < G_N_ELEMENTS(starts); s++) {
    go_to(f, starts[s]);
    g_assert_false(virtqueue_enable_doorbell(&f->queue));
    g_assert_cmpuint(fake_avail_event(&f->driver), ==, starts[s]);
    fake_offer(&f->driver, 0);
    virtqueue_disable_doorbell(&f->queue);
    g_assert_cmpuint(fake_avail_event(&f->driver), ==, starts[s]); /* lies behind now */
    g_assert_cmphex(fake_used_flags(&f->driver), ==, 0);
    g_assert_true(virtqueue_enable_doorbell(&f->queue)); /* waiting already */
    g_assert_cmpint(virtqueue_pop(&f->queue, &f->chain), ==, 1);
    virtqueue_push(&f->queue, 0, 0);
    g_assert_false(virtqueue_enable_doorbell(&f->queue));
    g_assert_cmpuint(fake_avail_event(&f->driver), ==, (uint16_t)(starts[s] + 1));
  }
}

/* Random rings. What is popped must keep the promises of the header, whatever the ring held. */

static uint64_t random_address(GRand *rand) {
  switch (g_rand_int_range(rand, 0, 40)) {
  case 0:
    return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
  case 1:
    return RAM_BASE + RAM_SIZE - g_rand_int_range(rand, 0, 64);
  case 2:
    return UINT64_MAX - (guint32)g_rand_int_range(rand, 0, 64);
  default:
    return RAM_BASE + 0x80000 + (guint32)g_rand_int_range(rand, 0, 0x70000);
  }
}

static uint32_t random_size(GRand *rand) {
  switch (g_rand_int_range(rand, 0, 40)) {
  case 0:
    return g_rand_int(rand);
  case 1:
    return 0;
  case 2:
    return 16 * (uint32_t)g_rand_int_range(rand, 0, 20);
  default:
    return (uint32_t)g_rand_int_range(rand, 1, 5000);
  }
}

static void random_descriptor(GRand *rand, FakeGuest *guest, uint64_t table, unsigned index) {
  static const uint16_t usual[] = {0, NEXT, WRITE, WRITE, NEXT | WRITE, INDIRECT};
  bool wild = g_rand_int_range(rand, 0, 30) == 0;
  uint16_t flags = wild ? (uint16_t)g_rand_int(rand) : usual[g_rand_int_range(rand, 0, G_N_ELEMENTS(usual))];
  uint16_t next = g_rand_int_range(rand, 0, 20) == 0 ? (uint16_t)g_rand_int(rand) : (uint16_t)g_rand_int_range(rand, 0, 16);
  bool indirect = flags & INDIRECT;

  fake_descriptor_at(guest, table, index, indirect && !wild ? TABLE : random_address(rand),
                     indirect && !wild ? 16 * (uint32_t)g_rand_int_range(rand, 1, 17) : random_size(rand), flags, next);
}

static void check_chain(const Fixture *f) {
  const VirtChain *chain = &f->chain;
  uint64_t out = 0, in = 0;

  g_assert_cmpuint(chain->head, <, f->queue.config.size);
  g_assert_cmpuint(chain->n_out + chain->n_in, >=, 1);
  g_assert_cmpuint(chain->n_out + chain->n_in, <=, f->queue.max_size);
  for (unsigned i = 0; i < chain->n_out + chain->n_in; i++) {
    uint8_t *start = chain->iov[i].iov_base;
    g_assert_true(start >= f->guest.ram && start < f->guest.ram + RAM_SIZE);
    g_assert_cmpuint(chain->iov[i].iov_len, >=, 1);
    g_assert_cmpuint(chain->iov[i].iov_len, <=, (size_t)(f->guest.ram + RAM_SIZE - start));
    *(i < chain->n_out ? &out : &in) += chain->iov[i].iov_len;
  }
  g_assert_cmpuint(out, ==, chain->out_size);
  g_assert_cmpuint(in, ==, chain->in_size);
}

static void fuzz_ring(Fixture *f, GRand *rand, unsigned *n_popped, unsigned *n_broken) {
  int popped;

  virtqueue_reset(&f->queue);
  f->driver.size = (uint16_t)(1u << g_rand_int_range(rand, 0, 7));
  configure(f);
  f->queue.event_idx = g_rand_boolean(rand);
  f->queue.indirect = g_rand_int_range(rand, 0, 4) > 0;
  g_assert_true(virtqueue_start(&f->queue));
  go_to(f, (uint16_t)g_rand_int(rand));
  for (unsigned i = 0; i < 16; i++) {
    random_descriptor(rand, &f->guest, TABLE, i);
    if (i < f->driver.size)
      random_descriptor(rand, &f->guest, f->driver.descriptors, i);
  }
  for (int i = g_rand_int_range(rand, 0, 6); i > 0; i--)
    fake_offer(&f->driver, (uint16_t)g_rand_int_range(rand, 0, f->driver.size + (g_rand_int_range(rand, 0, 10) == 0)));
  if (g_rand_int_range(rand, 0, 20) == 0)
    fake_set_avail_idx(&f->driver, (uint16_t)g_rand_int(rand));

  for (unsigned i = 0; (popped = virtqueue_pop(&f->queue, &f->chain)) > 0; i++) {
    uint8_t bytes[64];
    g_assert_cmpuint(i, <=, f->driver.size + 6u); /* it ends */
    check_chain(f);
    virt_chain_read(&f->chain, random_size(rand), bytes, sizeof bytes);
    /*
     * Not over the rings, so that the checks above keep their meaning; over tables and data, like a guest that races.
     */
    if (f->chain.n_in && (uint8_t *)f->chain.iov[f->chain.n_out].iov_base >= f->guest.ram + 0x80000)
      virt_chain_write(&f->chain, 0, bytes, MIN(sizeof bytes, f->chain.iov[f->chain.n_out].iov_len));
    virtqueue_push(&f->queue, f->chain.head, random_size(rand));
    virtqueue_needs_interrupt(&f->queue);
    if (g_rand_boolean(rand))
      virtqueue_enable_doorbell(&f->queue);
    ++*n_popped;
  }
  g_assert_true((popped < 0) == (f->queue.broken != NULL));
  *n_broken += popped < 0;
}

static void test_fuzz(Fixture *f, gconstpointer data) {
  GRand *rand = g_rand_new_with_seed(20240229);
  unsigned popped = 0, broken = 0;

  for (unsigned i = 0; i < 100000; i++)
    fuzz_ring(f, rand, &popped, &broken);
  g_test_message("%u chains popped, %u queues broken", popped, broken);
  /* The generator must reach both sides of the code. */
  g_assert_cmpuint(popped, >, 10000);
  g_assert_cmpuint(broken, >, 10000);
  g_rand_free(rand);
}

#define ADD(path, function) g_test_add("/virtqueue/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("chain", test_chain);
  ADD("wrap", test_wrap);
  ADD("push-many", test_push_many);
  ADD("unpop", test_unpop);
  ADD("stop", test_stop);
  g_test_add_func("/virtqueue/start", test_start);
  ADD("index-jumps", test_index_jumps);
  ADD("head-out-of-range", test_head_out_of_range);
  ADD("next-out-of-range", test_next_out_of_range);
  ADD("loop", test_loop);
  ADD("loop-of-two", test_loop_of_two);
  ADD("longest-chain", test_longest_chain);
  ADD("addresses", test_addresses);
  g_test_add_func("/virtqueue/total-size", test_total_size);
  ADD("read-after-write", test_read_after_write);
  ADD("same-head-twice-in-flight", test_same_head_twice_in_flight);
  ADD("indirect", test_indirect);
  ADD("indirect-length", test_indirect_length);
  ADD("indirect-wrong", test_indirect_wrong);
  ADD("interrupt-flag", test_interrupt_flag);
  ADD("doorbell-flag", test_doorbell_flag);
  ADD("used-event", test_used_event);
  ADD("avail-event", test_avail_event);
  ADD("fuzz", test_fuzz);
  return g_test_run();
}
