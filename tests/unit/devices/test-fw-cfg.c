/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware configuration device: devices/fw-cfg.c, behind a bus, with guest memory and with guests that lie about
 * it.
 */
#include "devices/fw-cfg.h"

#include <libfdt.h>
#include <string.h>

#include "devices/device-watch.h"

#define BASE     UINT64_C(0x09020000)
#define RAM      UINT64_C(0x40000000)
#define RAM_SIZE 0x4000
#define REQUEST  (RAM + 0x100) /* where requests of DMA lie */
#define TARGET   (RAM + 0x1000)

enum { DATA = 0, SELECTOR = 8, DMA = 16 };
enum { FAILED = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

/* What it tells. */
typedef struct {
  DeviceWatch watch;
  unsigned events, requests, failed;
  uint64_t bytes;
  const char *last;
  unsigned steps[DEVICE_STEP_DISK + 1];
} FakeWatch;

static void count_request(DeviceWatch *watch, const char *device, unsigned queue, const char *kind, uint64_t bytes, uint64_t started,
                          bool failed) {
  FakeWatch *fake = (FakeWatch *)watch;
  fake->requests++;
  fake->failed += failed;
  fake->bytes += bytes;
}

static void count_event(DeviceWatch *watch, const char *device, unsigned queue, const char *what) {
  FakeWatch *fake = (FakeWatch *)watch;
  fake->events++;
  fake->last = what;
}

static void count_step(DeviceWatch *watch, DeviceStep step) {
  ((FakeWatch *)watch)->steps[step]++;
}

typedef struct {
  Bus *bus;
  Device *device;
  GuestMemory memory;
  uint8_t *ram;
  FakeWatch watch;
  bool spoilt; /* what lies behind opt/file is */
} Fixture;

static const char text[] = "0123456789abcdef+";

static bool is_good(const void *opaque) {
  return !((const Fixture *)opaque)->spoilt;
}

static void set_up(Fixture *fixture, gconstpointer unused) {
  const DeviceSlot slot = {.base = BASE, .size = FW_CFG_SIZE, .spi = DEVICE_NO_SPI};
  GPtrArray *items = fw_cfg_items_new();

  /* From the heap and of this size, so that the sanitizer sees each byte beside it that is touched. */
  fixture->ram = g_malloc0(RAM_SIZE);
  guest_memory_add(&fixture->memory, RAM, RAM_SIZE, fixture->ram);
  fixture->watch.watch = (DeviceWatch){.request = count_request, .event = count_event, .step = count_step};
  fixture->device = fw_cfg_kind.make(&(DeviceParts){.name = "fw-cfg", .memory = &fixture->memory, .watch = &fixture->watch.watch}, NULL);
  fw_cfg_add_file(items, "opt/z", g_bytes_new("", 0));
  fw_cfg_add_file(items, "opt/text", g_bytes_new(text, strlen(text)))->step = DEVICE_STEP_TABLES;
  fw_cfg_add_file(items, "bootorder", g_bytes_new("first", 6));
  fw_cfg_add_key(items, FW_CFG_NB_CPUS, g_bytes_new("\4\0", 2));
  FwCfgItem *kernel = fw_cfg_add_key(items, FW_CFG_KERNEL_DATA, g_bytes_new("kernel", 6));
  kernel->is_good = is_good;
  kernel->opaque = fixture;
  fw_cfg_set_items(fixture->device, items);
  fixture->bus = bus_new();
  g_assert_true(bus_add(fixture->bus, &slot, fixture->device, NULL));
  bus_seal(fixture->bus);
}

static void tear_down(Fixture *fixture, gconstpointer unused) {
  bus_free(fixture->bus);
  device_free(fixture->device);
  g_free(fixture->ram);
}

static void choose(Fixture *fixture, uint16_t key) {
  bus_write(fixture->bus, BASE + SELECTOR, 2, GUINT16_SWAP_LE_BE(key));
}

static uint64_t data(Fixture *fixture, unsigned size) {
  return bus_read(fixture->bus, BASE + DATA, size);
}

static void lay_request(Fixture *fixture, uint64_t where, uint32_t control, uint32_t length, uint64_t address) {
  const uint32_t words[] = {GUINT32_TO_BE(control), GUINT32_TO_BE(length), GUINT32_TO_BE((uint32_t)(address >> 32)),
                            GUINT32_TO_BE((uint32_t)address)};
  g_assert_true(guest_memory_write(&fixture->memory, where, words, sizeof words));
}

/* Carries it out; what `control` is then. */
static uint32_t dma(Fixture *fixture, uint32_t control, uint32_t length, uint64_t address) {
  uint32_t answer;

  lay_request(fixture, REQUEST, control, length, address);
  bus_write(fixture->bus, BASE + DMA, 8, GUINT64_SWAP_LE_BE(REQUEST));
  guest_memory_read(&fixture->memory, REQUEST, &answer, sizeof answer);
  return GUINT32_FROM_BE(answer);
}

static uint32_t select_by_dma(uint16_t key) {
  return (uint32_t)key << 16 | SELECT;
}

static const uint8_t *at(const Fixture *fixture, uint64_t address) {
  return fixture->ram + (address - RAM);
}

/* Everything but the request is as it was: zeros. */
static void assert_untouched(const Fixture *fixture) {
  for (unsigned i = 0; i < RAM_SIZE; i++)
    if (RAM + i < REQUEST || RAM + i >= REQUEST + 16)
      g_assert_cmpuint(fixture->ram[i], ==, 0);
}

static void test_identity(Fixture *fixture, gconstpointer unused) {
  choose(fixture, FW_CFG_SIGNATURE);
  g_assert_cmphex(data(fixture, 4), ==, 0x554d4551); /* "QEMU" */
  choose(fixture, FW_CFG_ID);
  g_assert_cmphex(data(fixture, 4), ==, 3);
  g_assert_cmphex(bus_read(fixture->bus, BASE + DMA, 8), ==, UINT64_C(0x47464320554d4551)); /* "QEMU CFG" */
  g_assert_cmphex(bus_read(fixture->bus, BASE + DMA + 4, 4), ==, 0x47464320);
  choose(fixture, FW_CFG_NB_CPUS);
  g_assert_cmphex(data(fixture, 2), ==, 4);
  g_assert_cmpstr(bus_name(fixture->bus, BASE + DMA + 4, &(const char *){NULL}), ==, "fw-cfg");
}

/* The files are in the order of their names, and each is found by the key that the directory has for it. */
static void test_directory(Fixture *fixture, gconstpointer unused) {
  static const struct {
    const char *name;
    uint32_t size;
  } files[] = {{"bootorder", 6}, {"opt/text", 17}, {"opt/z", 0}};
  uint8_t directory[4 + 3 * 64];

  choose(fixture, FW_CFG_FILE_DIR);
  for (unsigned i = 0; i < sizeof directory; i++)
    directory[i] = (uint8_t)data(fixture, 1);
  g_assert_cmpmem(directory, 4, "\0\0\0\3", 4);
  for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
    const uint8_t *entry = directory + 4 + (size_t)64 * i;
    const uint8_t head[] = {0, 0, 0, (uint8_t)files[i].size, 0, (uint8_t)(0x20 + i), 0, 0};
    g_assert_cmpmem(entry, 8, head, 8);
    g_assert_cmpstr((const char *)entry + 8, ==, files[i].name);
  }
  g_assert_cmphex(data(fixture, 8), ==, 0);
  choose(fixture, 0x20);
  g_assert_cmphex(data(fixture, 4), ==, 0x73726966); /* "firs" */
}

static void test_data(Fixture *fixture, gconstpointer unused) {
  choose(fixture, 0x21);
  g_assert_cmphex(data(fixture, 1), ==, '0');
  g_assert_cmphex(data(fixture, 2), ==, 0x3231);
  g_assert_cmphex(data(fixture, 4), ==, 0x36353433);
  g_assert_cmphex(data(fixture, 8), ==, UINT64_C(0x6564636261393837));
  g_assert_cmphex(data(fixture, 8), ==, 0x2b66); /* two bytes are left, */
  g_assert_cmphex(data(fixture, 8), ==, 0);      /* then none */
  choose(fixture, 0x21 | 0x4000);                /* the bit that once was for writing */
  bus_write(fixture->bus, BASE + DATA, 1, 'x');
  g_assert_cmphex(data(fixture, 1), ==, '0');
  device_reset(fixture->device);
  g_assert_cmphex(data(fixture, 4), ==, 0x554d4551);
}

/* Keys without an item read as zeros; all of them are tried. */
static void test_keys(Fixture *fixture, gconstpointer unused) {
  unsigned found = 0;

  for (unsigned key = 0; key < 0x10000; key++) {
    choose(fixture, (uint16_t)key);
    found += data(fixture, 8) != 0;
    g_assert_cmphex(dma(fixture, READ, 64, TARGET), ==, 0);
  }
  /* Signature, ID, number of CPUs, kernel, directory, two files with contents; once more with bit 14. */
  g_assert_cmpuint(found, ==, 2 * 7);
  g_assert_cmpstr(fixture->watch.last, ==, "selects: an item that is not there");
  g_assert_cmpuint(fixture->watch.steps[DEVICE_STEP_TABLES], ==, 2);
  g_assert_cmpuint(fixture->watch.steps[DEVICE_STEP_NONE], ==, 0);
}

static void test_dma(Fixture *fixture, gconstpointer unused) {
  g_assert_cmphex(dma(fixture, select_by_dma(0x21) | READ, 4, TARGET), ==, 0);
  g_assert_cmpmem(at(fixture, TARGET), 5, "0123", 5);
  g_assert_cmpstr(fixture->watch.last, ==, "selects: opt/text");
  g_assert_cmphex(dma(fixture, SKIP, 6, 0), ==, 0);
  memset(fixture->ram + 0x1000, 0xff, 32);
  g_assert_cmphex(dma(fixture, READ, 10, TARGET), ==, 0); /* seven are left, the rest is zeros */
  g_assert_cmpmem(at(fixture, TARGET), 11, "abcdef+\0\0\0\377", 11);
  g_assert_cmphex(dma(fixture, READ, 2, TARGET), ==, 0);
  g_assert_cmpmem(at(fixture, TARGET), 3, "\0\0c", 3);
  g_assert_cmpuint(fixture->watch.requests, ==, 4);
  g_assert_cmpuint(fixture->watch.bytes, ==, 22);
  g_assert_cmpuint(fixture->watch.failed, ==, 0);
  /* What selects and does nothing else is over at once; so is what does nothing at all. */
  g_assert_cmphex(dma(fixture, select_by_dma(0x20), UINT32_MAX, 0), ==, 0);
  g_assert_cmphex(dma(fixture, 0, UINT32_MAX, 0), ==, 0);
  g_assert_cmphex(data(fixture, 1), ==, 'f');
}

/* The address may come in two halves: the lower one starts it. */
static void test_dma_halves(Fixture *fixture, gconstpointer unused) {
  lay_request(fixture, REQUEST, select_by_dma(0x21) | READ, 2, TARGET);
  bus_write(fixture->bus, BASE + DMA, 4, GUINT32_SWAP_LE_BE((uint32_t)(REQUEST >> 32)));
  g_assert_cmpuint(fixture->watch.requests, ==, 0);
  bus_write(fixture->bus, BASE + DMA + 4, 4, GUINT32_SWAP_LE_BE((uint32_t)REQUEST));
  g_assert_cmpuint(fixture->watch.requests, ==, 1);
  g_assert_cmpmem(at(fixture, TARGET), 3, "01", 3);
  /* The upper half is forgotten then. */
  bus_write(fixture->bus, BASE + DMA, 4, UINT32_MAX);
  bus_write(fixture->bus, BASE + DMA + 4, 4, GUINT32_SWAP_LE_BE((uint32_t)REQUEST));
  g_assert_cmpuint(fixture->watch.requests, ==, 1); /* there is no memory */
  bus_write(fixture->bus, BASE + DMA + 4, 4, GUINT32_SWAP_LE_BE((uint32_t)REQUEST));
  g_assert_cmpuint(fixture->watch.requests, ==, 2);
}

/* Nothing is written. */
static void test_dma_write(Fixture *fixture, gconstpointer unused) {
  g_assert_cmphex(dma(fixture, select_by_dma(0x21) | WRITE, 4, TARGET), ==, FAILED);
  g_assert_cmphex(dma(fixture, select_by_dma(FW_CFG_FILE_DIR) | WRITE, UINT32_MAX, 0), ==, FAILED);
  g_assert_cmphex(dma(fixture, WRITE, 0, TARGET), ==, 0);
  choose(fixture, 0x21);
  g_assert_cmphex(data(fixture, 4), ==, 0x33323130);
  assert_untouched(fixture);
}

/* Targets that are not wholly memory: nothing is transferred, nor is the item passed. */
static void test_dma_bad_target(Fixture *fixture, gconstpointer unused) {
  static const struct {
    uint64_t address;
    uint32_t length;
  } bad[] = {
      {0, 1},
      {RAM - 1, 1},
      {RAM - 1, 2},
      {RAM - 4, 8},
      {RAM + RAM_SIZE, 1},
      {RAM + RAM_SIZE - 1, 2},
      {RAM, RAM_SIZE + 1},
      {RAM, UINT32_MAX},
      {RAM + 1, UINT32_MAX},
      {UINT64_MAX, 1},
      {UINT64_MAX, 2},
      {UINT64_MAX - 3, UINT32_MAX},
      {RAM | UINT64_C(1) << 63, 4},
      {RAM << 32, 4},
      {BASE, 4},
      {UINT64_MAX - UINT32_MAX + 1, UINT32_MAX},
  };

  choose(fixture, 0x21);
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
    g_assert_cmphex(dma(fixture, READ, bad[i].length, bad[i].address), ==, FAILED);
  assert_untouched(fixture);
  g_assert_cmpuint(fixture->watch.failed, ==, G_N_ELEMENTS(bad));
  g_assert_cmphex(data(fixture, 1), ==, '0');
  g_assert_cmphex(dma(fixture, READ, RAM_SIZE - 0x200, RAM + 0x200), ==, 0); /* to the last byte of memory, and no further */
  g_assert_cmphex(dma(fixture, READ, 0, UINT64_MAX), ==, 0);
}

/* Requests that are not wholly memory, at any alignment. */
static void test_dma_bad_request(Fixture *fixture, gconstpointer unused) {
  static const uint64_t bad[] = {0, RAM - 1, RAM - 15, RAM - 16, RAM + RAM_SIZE, RAM + RAM_SIZE - 15, UINT64_MAX, UINT64_MAX - 15, BASE};

  memset(fixture->ram, 0xff, RAM_SIZE);
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
    bus_write(fixture->bus, BASE + DMA, 8, GUINT64_SWAP_LE_BE(bad[i]));
  g_assert_cmpuint(fixture->watch.requests, ==, 0);
  g_assert_cmpuint(fixture->watch.events, ==, G_N_ELEMENTS(bad));
  for (unsigned i = 0; i < RAM_SIZE; i++)
    g_assert_cmpuint(fixture->ram[i], ==, 0xff);
  lay_request(fixture, RAM + RAM_SIZE - 16, select_by_dma(0x21) | READ, 3, RAM + 1);
  bus_write(fixture->bus, BASE + DMA, 8, GUINT64_SWAP_LE_BE(RAM + RAM_SIZE - 16));
  g_assert_cmpmem(fixture->ram, 5, "\377012\377", 5);
  g_assert_cmpmem(fixture->ram + RAM_SIZE - 16, 4, "\0\0\0\0", 4);
}

/* A request that is its own target: it was copied before, and the answer is what is there at last. */
static void test_dma_over_itself(Fixture *fixture, gconstpointer unused) {
  g_assert_cmphex(dma(fixture, select_by_dma(0x21) | READ, 17, REQUEST), ==, 0);
  g_assert_cmpmem(at(fixture, REQUEST + 4), 13, "456789abcdef+", 13);
  g_assert_cmphex(dma(fixture, READ, 0x200, REQUEST - 0x80), ==, 0);
}

/* A skip as far as numbers go leads to the end, and not around. */
static void test_dma_skip(Fixture *fixture, gconstpointer unused) {
  choose(fixture, 0x21);
  for (unsigned i = 0; i < 8; i++)
    g_assert_cmphex(dma(fixture, SKIP, UINT32_MAX, 0), ==, 0);
  g_assert_cmphex(data(fixture, 8), ==, 0);
}

/* A file that somebody changed under the guest's reading is not handed on for what it was. */
static void test_spoilt(Fixture *fixture, gconstpointer unused) {
  g_assert_cmphex(dma(fixture, select_by_dma(FW_CFG_KERNEL_DATA) | READ, 6, TARGET), ==, 0);
  g_assert_cmpmem(at(fixture, TARGET), 6, "kernel", 6);
  fixture->spoilt = true;
  g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "fw-cfg: a file was changed*kernel*");
  g_assert_cmphex(dma(fixture, select_by_dma(FW_CFG_KERNEL_DATA) | READ, 6, TARGET), ==, FAILED);
  g_test_assert_expected_messages();
  choose(fixture, FW_CFG_KERNEL_DATA);
  g_assert_cmphex(data(fixture, 4), ==, 0); /* and it is said once */
  choose(fixture, 0x21);
  g_assert_cmphex(data(fixture, 1), ==, '0');
}

/* Items of another boot: what was selected is not any more. */
static void test_other_items(Fixture *fixture, gconstpointer unused) {
  GPtrArray *items = fw_cfg_items_new();

  choose(fixture, 0x21);
  data(fixture, 8);
  data(fixture, 8);
  fw_cfg_add_file(items, "opt/x", g_bytes_new("x", 1));
  fw_cfg_set_items(fixture->device, items);
  g_assert_cmphex(data(fixture, 4), ==, 0x554d4551);
  choose(fixture, 0x20);
  g_assert_cmphex(data(fixture, 8), ==, 'x');
  choose(fixture, 0x21);
  g_assert_cmphex(data(fixture, 8), ==, 0);
}

/* Accesses of any kind, and requests of any contents: the same each time. */
static void test_random(Fixture *fixture, gconstpointer unused) {
  g_autoptr(GRand) rand = g_rand_new_with_seed(17);

  for (unsigned i = 0; i < 200000; i++) {
    uint64_t offset = (uint64_t)g_rand_int_range(rand, 0, FW_CFG_SIZE + 4);
    uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    unsigned size = 1u << g_rand_int_range(rand, 0, 4);
    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
      bus_read(fixture->bus, BASE + offset, size);
      break;
    case 1:
      bus_write(fixture->bus, BASE + offset, size, value);
      break;
    case 2:
      choose(fixture, (uint16_t)(value % 0x24));
      break;
    default:
      dma(fixture, (uint32_t)(value >> 32) % 0x20 | (uint32_t)(value % 0x24) << 16, (uint32_t)value >> g_rand_int_range(rand, 0, 32),
          RAM - 64 + (value >> 40) % (RAM_SIZE + 128));
    }
  }
  choose(fixture, FW_CFG_SIGNATURE);
  g_assert_cmphex(data(fixture, 4), ==, 0x554d4551);
}

static void test_describe(Fixture *fixture, gconstpointer unused) {
  const DeviceSlot slot = {.base = BASE, .size = FW_CFG_SIZE, .spi = DEVICE_NO_SPI};
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  device_describe(fixture->device, &slot, fdt);
  g_autoptr(GBytes) tree = fdt_writer_finish(fdt, NULL);
  const void *blob = g_bytes_get_data(tree, NULL);
  int node = fdt_path_offset(blob, "/fw-cfg@9020000");
  g_assert_cmpint(node, >=, 0);
  g_assert_cmpstr(fdt_getprop(blob, node, "compatible", NULL), ==, "qemu,fw-cfg-mmio");
  g_assert_nonnull(fdt_getprop(blob, node, "dma-coherent", NULL));
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*test)(Fixture *fixture, gconstpointer unused);
  } tests[] = {
      {"identity", test_identity},
      {"directory", test_directory},
      {"data", test_data},
      {"keys", test_keys},
      {"dma", test_dma},
      {"dma/halves", test_dma_halves},
      {"dma/write", test_dma_write},
      {"dma/bad-target", test_dma_bad_target},
      {"dma/bad-request", test_dma_bad_request},
      {"dma/over-itself", test_dma_over_itself},
      {"dma/skip", test_dma_skip},
      {"spoilt", test_spoilt},
      {"other-items", test_other_items},
      {"random", test_random},
      {"describe", test_describe},
  };

  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++) {
    g_autofree char *path = g_strconcat("/fw-cfg/", tests[i].name, NULL);
    g_test_add(path, Fixture, NULL, set_up, tests[i].test, tear_down);
  }
  return g_test_run();
}
