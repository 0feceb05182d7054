/* SPDX-License-Identifier: Apache-2.0 */
/* The address map: devices/bus.c. */
#include "devices/bus.h"

#include <string.h>

#include "tests/unit/fakes.h"

#define BASE UINT64_C(0x09000000)
#define SIZE UINT64_C(0x1000)

/* A device that remembers the last access and whether its lock was held. */
typedef struct {
  Device device;
  unsigned reads, writes, size;
  uint64_t offset, value;
  bool locked;
} Probe;

static void note(Probe *probe, uint64_t offset, unsigned size) {
  probe->offset = offset;
  probe->size = size;
  probe->locked = !g_mutex_trylock(probe->device.lock);
  if (!probe->locked)
    g_mutex_unlock(probe->device.lock);
}

static uint64_t probe_read(Device *device, uint64_t offset, unsigned size) {
  Probe *probe = (Probe *)device;

  probe->reads++;
  note(probe, offset, size);
  return probe->value;
}

static void probe_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  Probe *probe = (Probe *)device;

  probe->writes++;
  probe->value = value;
  note(probe, offset, size);
}

static void probe_free(Device *device) {
  device_clear(device);
}

static const DeviceOps any_ops = {.access_sizes = ACCESS_ANY, .read = probe_read, .write = probe_write, .free = probe_free};
static const DeviceOps loose_ops = {
    .access_sizes = ACCESS_ANY, .unaligned = true, .read = probe_read, .write = probe_write, .free = probe_free};
static const DeviceOps word_ops = {.access_sizes = ACCESS_4, .read = probe_read, .write = probe_write, .free = probe_free};
static const DeviceOps small_ops = {.access_sizes = ACCESS_1 | ACCESS_2, .read = probe_read, .write = probe_write, .free = probe_free};

static const DeviceOps readable_ops = {
    .access_sizes = ACCESS_4, .read_sizes = ACCESS_1 | ACCESS_8, .read = probe_read, .write = probe_write, .free = probe_free};

/* Messages of the bus, counted; they come from any thread. */
typedef struct {
  GMutex lock;
  unsigned n;
  GString *last;
} Messages;

static void count_message(const char *domain, GLogLevelFlags level, const char *message, gpointer opaque) {
  Messages *messages = opaque;

  g_mutex_lock(&messages->lock);
  messages->n++;
  g_string_assign(messages->last, message);
  g_mutex_unlock(&messages->lock);
}

typedef struct {
  Bus *bus;
  Probe probe;
  Messages messages;
  guint handler;
} Fixture;

/* A bus, not sealed, with one probe at BASE. */
static void fixture_init(Fixture *f, const DeviceOps *ops) {
  DeviceSlot slot = {.base = BASE, .size = SIZE};

  *f = (Fixture){.bus = bus_new(), .messages = {.last = g_string_new(NULL)}};
  device_init(&f->probe.device, ops, "probe0", NULL);
  g_assert_true(bus_add(f->bus, &slot, &f->probe.device, NULL));
  f->handler = g_log_set_handler("eret", G_LOG_LEVEL_MESSAGE, count_message, &f->messages);
}

static void fixture_clear(Fixture *f) {
  g_log_remove_handler("eret", f->handler);
  g_string_free(f->messages.last, TRUE);
  bus_free(f->bus);
  device_free(&f->probe.device);
}

static void test_overlap(void) {
  static const DeviceSlot slots[] = {
      {.base = BASE, .size = SIZE},         {.base = BASE, .size = 1},
      {.base = BASE + SIZE - 1, .size = 1}, {.base = BASE + SIZE - 1, .size = SIZE},
      {.base = BASE - 1, .size = 2},        {.base = BASE - SIZE, .size = 3 * SIZE},
      {.base = 0, .size = UINT64_MAX},      {.base = BASE + 4, .size = 4},
  };
  Fixture f;
  Probe other = {0};

  fixture_init(&f, &any_ops);
  device_init(&other.device, &any_ops, "other1", NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(slots); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(bus_add(f.bus, &slots[i], &other.device, &error));
    g_assert_error(error, BUS_ERROR, BUS_ERROR_OVERLAP);
    g_assert_nonnull(strstr(error->message, "probe0 at 0x9000000"));
    g_assert_nonnull(strstr(error->message, "other1 at 0x"));
  }
  fixture_clear(&f);
  device_free(&other.device);
}

static void test_range(void) {
  static const DeviceSlot slots[] = {
      {.base = 0x1000, .size = 0},          {.base = 0, .size = 0},          {.base = UINT64_MAX, .size = 2},
      {.base = 0x1000, .size = UINT64_MAX}, {.base = UINT64_MAX, .size = 0}, {.base = UINT64_MAX - SIZE + 2, .size = SIZE},
  };
  Fixture f;
  Probe other = {0};

  fixture_init(&f, &any_ops);
  device_init(&other.device, &any_ops, "other1", NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(slots); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(bus_add(f.bus, &slots[i], &other.device, &error));
    g_assert_error(error, BUS_ERROR, BUS_ERROR_RANGE);
    g_assert_nonnull(strstr(error->message, "other1"));
  }
  bus_seal(f.bus);
  g_assert_cmphex(bus_read(f.bus, UINT64_MAX, 1), ==, 0);
  g_assert_cmpuint(other.reads, ==, 0);
  fixture_clear(&f);
  device_free(&other.device);
}

static void test_touching(void) {
  DeviceSlot below = {.base = BASE - SIZE, .size = SIZE}, above = {.base = BASE + SIZE, .size = SIZE};
  Fixture f;
  Probe low = {0}, high = {0};
  uint64_t offset;

  fixture_init(&f, &any_ops);
  device_init(&low.device, &any_ops, "low", NULL);
  device_init(&high.device, &any_ops, "high", NULL);
  g_assert_true(bus_add(f.bus, &above, &high.device, NULL)); /* not in the order of addresses */
  g_assert_true(bus_add(f.bus, &below, &low.device, NULL));
  g_assert_false(bus_add(f.bus, &above, &low.device, NULL)); /* neither the first nor the last one added */
  bus_seal(f.bus);
  g_assert_true(bus_find(f.bus, BASE - 1, &offset) == &low.device);
  g_assert_cmphex(offset, ==, SIZE - 1);
  g_assert_true(bus_find(f.bus, BASE, &offset) == &f.probe.device);
  g_assert_cmphex(offset, ==, 0);
  g_assert_true(bus_find(f.bus, BASE + SIZE - 1, &offset) == &f.probe.device);
  g_assert_cmphex(offset, ==, SIZE - 1);
  g_assert_true(bus_find(f.bus, BASE + SIZE, &offset) == &high.device);
  g_assert_cmphex(offset, ==, 0);
  g_assert_null(bus_find(f.bus, BASE - SIZE - 1, &offset));
  g_assert_null(bus_find(f.bus, BASE + 2 * SIZE, &offset));

  /* An access over the boundary of two devices belongs to neither. */
  g_assert_cmphex(bus_read(f.bus, BASE + SIZE - 2, 4), ==, 0);
  g_assert_cmphex(bus_read(f.bus, BASE - 1, 8), ==, 0);
  g_assert_cmpuint(f.probe.reads + low.reads + high.reads, ==, 0);
  g_assert_cmpuint(bus_unclaimed(f.bus), ==, 2);
  fixture_clear(&f);
  device_free(&low.device);
  device_free(&high.device);
}

static void test_ends_of_address_space(void) {
  DeviceSlot first = {.base = 0, .size = 8}, last = {.base = UINT64_MAX - 7, .size = 8};
  Fixture f;
  Probe bottom = {.value = 0xb0}, top = {.value = 0x70};

  fixture_init(&f, &any_ops);
  device_init(&bottom.device, &any_ops, "bottom", NULL);
  device_init(&top.device, &any_ops, "top", NULL);
  g_assert_true(bus_add(f.bus, &last, &top.device, NULL));
  g_assert_true(bus_add(f.bus, &first, &bottom.device, NULL));
  bus_seal(f.bus);
  g_assert_cmphex(bus_read(f.bus, 0, 8), ==, 0xb0);
  g_assert_cmphex(bus_read(f.bus, UINT64_MAX - 7, 8), ==, 0x70);
  g_assert_cmphex(bus_read(f.bus, UINT64_MAX, 1), ==, 0x70);
  g_assert_cmphex(top.offset, ==, 7);
  g_assert_cmphex(bus_read(f.bus, UINT64_MAX, 8), ==, 0); /* would wrap round to the other */
  g_assert_cmphex(bus_read(f.bus, 8, 1), ==, 0);
  g_assert_cmpuint(bottom.reads, ==, 1);
  g_assert_cmpuint(top.reads, ==, 2);
  g_assert_cmpuint(bus_unclaimed(f.bus), ==, 2);
  fixture_clear(&f);
  device_free(&bottom.device);
  device_free(&top.device);
}

static void test_access(void) {
  Fixture f;

  fixture_init(&f, &any_ops);
  bus_seal(f.bus);
  for (unsigned size = 1; size <= 8; size *= 2) {
    f.probe.value = UINT64_C(0x1122334455667788);
    g_assert_cmphex(bus_read(f.bus, BASE + 8 * size, size), ==, UINT64_C(0x1122334455667788));
    g_assert_cmphex(f.probe.offset, ==, 8 * size);
    g_assert_cmpuint(f.probe.size, ==, size);
    g_assert_true(f.probe.locked);
    bus_write(f.bus, BASE + SIZE - size, size, 0xcafe0000 + size);
    g_assert_cmphex(f.probe.offset, ==, SIZE - size);
    g_assert_cmphex(f.probe.value, ==, 0xcafe0000 + size);
    g_assert_cmpuint(f.probe.size, ==, size);
    g_assert_true(f.probe.locked);
    g_assert_true(g_mutex_trylock(f.probe.device.lock)); /* given back */
    g_mutex_unlock(f.probe.device.lock);
  }
  g_assert_cmpuint(f.probe.reads, ==, 4);
  g_assert_cmpuint(f.probe.writes, ==, 4);
  g_assert_cmpuint(bus_unclaimed(f.bus), ==, 0);
  g_assert_cmpuint(bus_refused(f.bus), ==, 0);
  fixture_clear(&f);
}

/* Each size at each offset of the first 16 bytes, for a device of each kind: taken just where its ops say. */
static void test_refused(void) {
  static const DeviceOps *const kinds[] = {&any_ops, &loose_ops, &word_ops, &small_ops, &readable_ops};

  for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
    uint64_t refused = 0, read = 0, written = 0;
    Fixture f;
    fixture_init(&f, kinds[kind]);
    bus_seal(f.bus);
    for (unsigned size = 1; size <= 8; size *= 2) {
      for (uint64_t offset = 0; offset < 16; offset++) {
        bool good = (kinds[kind]->access_sizes & size) && (kinds[kind]->unaligned || offset % size == 0);
        bool readable = good || ((kinds[kind]->read_sizes & size) && offset % size == 0);
        f.probe.value = 0x77;
        g_assert_cmphex(bus_read(f.bus, BASE + offset, size), ==, readable ? 0x77 : 0);
        bus_write(f.bus, BASE + offset, size, 0x99);
        g_assert_cmphex(f.probe.value, ==, good ? 0x99 : 0x77);
        read += readable;
        written += good;
        refused += !readable + !good;
        g_assert_cmpuint(f.probe.reads, ==, read);
        g_assert_cmpuint(f.probe.writes, ==, written);
        g_assert_cmpuint(bus_refused(f.bus), ==, refused);
      }
    }
    g_assert_cmpuint(bus_unclaimed(f.bus), ==, 0);
    g_assert_cmpuint(f.messages.n, ==, refused ? 1 : 0); /* once for the device */
    if (refused)
      g_assert_nonnull(strstr(f.messages.last->str, "probe0"));
    fixture_clear(&f);
  }
}

static void test_odd_sizes(void) {
  static const unsigned sizes[] = {0, 3, 5, 6, 7, 9, 12, 16, 32, 1u << 31, UINT32_MAX};
  Fixture f;

  fixture_init(&f, &loose_ops);
  bus_seal(f.bus);
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_assert_cmphex(bus_read(f.bus, BASE, sizes[i]), ==, 0);
    bus_write(f.bus, BASE, sizes[i], 1);
    g_assert_cmpuint(bus_unclaimed(f.bus), ==, 2 * (i + 1));
  }
  g_assert_cmpuint(f.probe.reads + f.probe.writes, ==, 0);
  fixture_clear(&f);
}

static void test_unclaimed(void) {
  Fixture f;

  fixture_init(&f, &any_ops);
  bus_seal(f.bus);
  g_assert_cmphex(bus_read(f.bus, 0x2000, 4), ==, 0);
  g_assert_cmpuint(f.messages.n, ==, 1);
  g_assert_nonnull(strstr(f.messages.last->str, "read of 4 bytes at 0x2000"));
  bus_write(f.bus, 0x2ffc, 4, 1); /* the same page */
  g_assert_cmpuint(f.messages.n, ==, 1);
  bus_write(f.bus, 0x3000, 1, 1); /* the next */
  g_assert_cmpuint(f.messages.n, ==, 2);
  g_assert_nonnull(strstr(f.messages.last->str, "write of 1 bytes at 0x3000"));
  g_assert_cmphex(bus_read(f.bus, BASE + SIZE, 1), ==, 0);
  g_assert_cmphex(bus_read(f.bus, BASE - 1, 1), ==, 0);
  g_assert_cmphex(bus_read(f.bus, UINT64_MAX, 1), ==, 0);
  g_assert_cmpuint(f.messages.n, ==, 5);
  bus_read(f.bus, UINT64_MAX - 7, 8); /* pages that were logged, in any order */
  bus_read(f.bus, 0x3004, 4);
  bus_read(f.bus, 0x2004, 4);
  g_assert_cmpuint(f.messages.n, ==, 5);
  g_assert_cmpuint(bus_unclaimed(f.bus), ==, 9);
  fixture_clear(&f);
}

/* A guest that walks over all memory fills no log. */
static void test_log_is_bounded(void) {
  Fixture f;

  fixture_init(&f, &any_ops);
  bus_seal(f.bus);
  for (uint64_t page = 0; page < 5000; page++)
    bus_read(f.bus, UINT64_C(0x100000000) + page * SIZE, 4);
  g_assert_cmpuint(bus_unclaimed(f.bus), ==, 5000);
  g_assert_cmpuint(f.messages.n, >, 0);
  g_assert_cmpuint(f.messages.n, <=, 64);
  fixture_clear(&f);
}

static void test_empty(void) {
  Fixture f;
  uint64_t offset;
  g_autoptr(Bus) empty = bus_new();

  fixture_init(&f, &any_ops); /* for its log handler */
  bus_seal(empty);
  g_assert_null(bus_find(empty, 0, &offset));
  g_assert_cmphex(bus_read(empty, 0, 4), ==, 0);
  bus_write(empty, UINT64_MAX, 1, 0);
  g_assert_cmpuint(bus_unclaimed(empty), ==, 2);
  bus_free(NULL);
  fixture_clear(&f);
}

/* Every address of a map with holes, against the plain rule. */
static void test_many(void) {
  enum { N = 101 };
  static Probe probes[N];
  Fixture f;

  fixture_init(&f, &any_ops);
  for (unsigned i = 0; i < N; i++) {
    unsigned position = i * 37 % N; /* shuffled */
    DeviceSlot slot = {.base = position * UINT64_C(16), .size = 1 + position % 16};
    g_autofree char *name = g_strdup_printf("probe%u", position);
    device_init(&probes[position].device, &any_ops, name, NULL);
    g_assert_true(bus_add(f.bus, &slot, &probes[position].device, NULL));
  }
  bus_seal(f.bus);
  for (uint64_t address = 0; address < N * 16; address++) {
    uint64_t offset = UINT64_MAX;
    Device *found = bus_find(f.bus, address, &offset);
    unsigned position = (unsigned)(address / 16);
    if (address % 16 < 1 + position % 16) {
      g_assert_true(found == &probes[position].device);
      g_assert_cmpuint(offset, ==, address % 16);
    } else {
      g_assert_null(found);
    }
  }
  fixture_clear(&f);
  for (unsigned i = 0; i < N; i++)
    device_free(&probes[i].device);
}

enum { THREADS = 4, ROUNDS = 20000 };

static gpointer hammer(gpointer opaque) {
  Fixture *f = opaque;

  for (unsigned i = 0; i < ROUNDS; i++) {
    bus_write(f->bus, BASE, 4, i);
    bus_read(f->bus, BASE + 1, 4);    /* refused */
    bus_read(f->bus, BASE + SIZE, 4); /* unclaimed */
  }
  return NULL;
}

/* The probe's plain counter is exact only if the lock is held, the bus's only if they are atomic. */
static void test_threads(void) {
  GThread *threads[THREADS];
  Fixture f;

  fixture_init(&f, &any_ops);
  bus_seal(f.bus);
  for (unsigned i = 0; i < THREADS; i++)
    threads[i] = g_thread_new("hammer", hammer, &f);
  for (unsigned i = 0; i < THREADS; i++)
    g_thread_join(threads[i]);
  g_assert_cmpuint(f.probe.writes, ==, THREADS * ROUNDS);
  g_assert_cmpuint(f.probe.reads, ==, 0);
  g_assert_cmpuint(bus_refused(f.bus), ==, THREADS * ROUNDS);
  g_assert_cmpuint(bus_unclaimed(f.bus), ==, THREADS * ROUNDS);
  g_assert_cmpuint(f.messages.n, ==, 2); /* one page, one device */
  fixture_clear(&f);
}

static const char *probe_register(const Device *device, uint64_t offset) {
  return offset == 4 ? "FOUR" : NULL;
}

static const char *probe_part(const Device *device, uint64_t offset) {
  return offset >= 0x800 ? "behind it" : NULL;
}

static void test_name(void) {
  static const DeviceOps named = {.access_sizes = ACCESS_ANY, .register_name = probe_register, .part_name = probe_part, .free = probe_free};
  const char *reg;
  Fixture f;

  fixture_init(&f, &named);
  bus_seal(f.bus);
  g_assert_cmpstr(bus_name(f.bus, BASE + 4, &reg), ==, f.probe.device.name);
  g_assert_cmpstr(reg, ==, "FOUR");
  g_assert_cmpstr(bus_name(f.bus, BASE + 8, &reg), ==, f.probe.device.name);
  g_assert_cmpstr(reg, ==, "");
  g_assert_cmpstr(bus_name(f.bus, BASE + 0x800, &reg), ==, "behind it");
  g_assert_null(bus_name(f.bus, BASE + SIZE, &reg));
  g_assert_cmpstr(reg, ==, "");
  fixture_clear(&f);
}

static void test_add_after_seal(void) {
  if (g_test_subprocess()) {
    DeviceSlot slot = {.base = 0x1000, .size = 0x1000};
    Fixture f;
    fixture_init(&f, &any_ops);
    bus_seal(f.bus);
    bus_add(f.bus, &slot, &f.probe.device, NULL);
    return;
  }
  g_test_trap_subprocess(NULL, 0, 0);
  g_test_trap_assert_failed();
  g_test_trap_assert_stderr("*sealed*");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/bus/overlap", test_overlap);
  g_test_add_func("/bus/range", test_range);
  g_test_add_func("/bus/touching", test_touching);
  g_test_add_func("/bus/ends-of-address-space", test_ends_of_address_space);
  g_test_add_func("/bus/access", test_access);
  g_test_add_func("/bus/refused", test_refused);
  g_test_add_func("/bus/odd-sizes", test_odd_sizes);
  g_test_add_func("/bus/unclaimed", test_unclaimed);
  g_test_add_func("/bus/log-is-bounded", test_log_is_bounded);
  g_test_add_func("/bus/name", test_name);
  g_test_add_func("/bus/empty", test_empty);
  g_test_add_func("/bus/many", test_many);
  g_test_add_func("/bus/threads", test_threads);
  g_test_add_func("/bus/add-after-seal", test_add_after_seal);
  return g_test_run();
}
