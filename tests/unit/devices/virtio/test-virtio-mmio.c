/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-mmio transport, register by register and from end to end: devices/virtio/virtio-mmio.c. */
#include <libfdt.h>

#include "devices/bus.h"
#include "devices/virtio/transport.h"
#include "tests/unit/devices/virtio/fake-driver.h"

#define BASE UINT64_C(0x0a000200)

/* The registers, by the offsets of virtio 1.2, 4.2.2. */
enum {
  MAGIC = 0x00,
  VERSION = 0x04,
  DEVICE_ID = 0x08,
  VENDOR_ID = 0x0c,
  DEVICE_FEATURES = 0x10,
  DEVICE_FEATURES_SEL = 0x14,
  DRIVER_FEATURES = 0x20,
  DRIVER_FEATURES_SEL = 0x24,
  QUEUE_SEL = 0x30,
  QUEUE_NUM_MAX = 0x34,
  QUEUE_NUM = 0x38,
  QUEUE_READY = 0x44,
  QUEUE_NOTIFY = 0x50,
  INTERRUPT_STATUS = 0x60,
  INTERRUPT_ACK = 0x64,
  STATUS = 0x70,
  QUEUE_DESC = 0x80,
  QUEUE_DRIVER = 0x90,
  QUEUE_DEVICE = 0xa0,
  CONFIG_GENERATION = 0xfc,
  CONFIG = 0x100,
};

typedef struct {
  FakeGuest guest;
  FakeLine line;
  FakeDoorbells doorbells;
  Loopback *loopback;
  Device *mmio;
  Bus *bus;
  FakeQueue driver[LOOPBACK_QUEUES];
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  DeviceSlot slot = {.base = BASE, .size = VIRTIO_MMIO_SIZE, .spi = 17, .trigger = FDT_IRQ_EDGE_RISING};

  f->line = (FakeLine)FAKE_LINE;
  f->doorbells = (FakeDoorbells)FAKE_DOORBELLS;
  fake_guest_init(&f->guest);
  f->loopback = loopback_new(&f->guest.memory);
  f->mmio = virtio_mmio_new(&f->loopback->base, &f->line.line, &f->doorbells.doorbells);
  f->bus = bus_new();
  g_assert_true(bus_add(f->bus, &slot, f->mmio, NULL));
  bus_seal(f->bus);
  f->driver[0] = fake_queue(&f->guest, 0, LOOPBACK_QUEUE_SIZE);
  f->driver[1] = fake_queue(&f->guest, 1, LOOPBACK_QUEUE_SIZE / 2);
}

static void tear_down(Fixture *f, gconstpointer data) {
  bus_free(f->bus);
  device_free(f->mmio);
  g_assert_cmpuint(f->doorbells.n, ==, 0); /* all detached */
  fake_guest_clear(&f->guest);
}

static uint32_t rd(Fixture *f, uint64_t reg) {
  return (uint32_t)bus_read(f->bus, BASE + reg, 4);
}

static void wr(Fixture *f, uint64_t reg, uint32_t value) {
  bus_write(f->bus, BASE + reg, 4, value);
}

static void set_up_queue(Fixture *f, unsigned index) {
  const FakeQueue *driver = &f->driver[index];
  wr(f, QUEUE_SEL, index);
  wr(f, QUEUE_NUM, driver->size);
  wr(f, QUEUE_DESC, (uint32_t)driver->descriptors);
  wr(f, QUEUE_DESC + 4, (uint32_t)(driver->descriptors >> 32));
  wr(f, QUEUE_DRIVER, (uint32_t)driver->driver);
  wr(f, QUEUE_DRIVER + 4, (uint32_t)(driver->driver >> 32));
  wr(f, QUEUE_DEVICE, (uint32_t)driver->device);
  wr(f, QUEUE_DEVICE + 4, (uint32_t)(driver->device >> 32));
  wr(f, QUEUE_READY, 1);
}

static void go_live(Fixture *f) {
  wr(f, STATUS, 1);
  wr(f, STATUS, 3);
  wr(f, DRIVER_FEATURES_SEL, 1);
  wr(f, DRIVER_FEATURES, 1);
  wr(f, STATUS, 0xb);
  g_assert_cmphex(rd(f, STATUS), ==, 0xb);
  set_up_queue(f, 0);
  set_up_queue(f, 1);
  wr(f, STATUS, 0xf);
  g_assert_cmphex(rd(f, STATUS), ==, 0xf);
}

static void test_identity(Fixture *f, gconstpointer data) {
  g_assert_cmphex(rd(f, MAGIC), ==, 0x74726976);
  g_assert_cmpuint(rd(f, VERSION), ==, 2);
  g_assert_cmpuint(rd(f, DEVICE_ID), ==, VIRTIO_ID_BLOCK);
  g_assert_cmphex(rd(f, VENDOR_ID), ==, 0x74657265);
  for (unsigned reg = MAGIC; reg <= VENDOR_ID; reg += 4) {
    uint32_t before = rd(f, reg);
    wr(f, reg, ~before);
    g_assert_cmphex(rd(f, reg), ==, before);
  }
}

static void test_features(Fixture *f, gconstpointer data) {
  g_assert_cmphex(rd(f, DEVICE_FEATURES), ==, LOOPBACK_FEATURE | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
  wr(f, DEVICE_FEATURES_SEL, 1);
  g_assert_cmphex(rd(f, DEVICE_FEATURES), ==, (VIRTIO_F_VERSION_1 | LOOPBACK_FEATURE_HI) >> 32);
  wr(f, DEVICE_FEATURES_SEL, 2);
  g_assert_cmphex(rd(f, DEVICE_FEATURES), ==, 0);
  wr(f, DEVICE_FEATURES_SEL, UINT32_MAX);
  g_assert_cmphex(rd(f, DEVICE_FEATURES), ==, 0);
  wr(f, DRIVER_FEATURES, LOOPBACK_FEATURE);
  wr(f, DRIVER_FEATURES_SEL, 1);
  wr(f, DRIVER_FEATURES, 1);
  wr(f, DRIVER_FEATURES_SEL, 7);
  wr(f, DRIVER_FEATURES, UINT32_MAX);
  g_assert_cmphex(rd(f, DRIVER_FEATURES), ==, 0); /* write-only */
  wr(f, STATUS, 0xb);
  g_assert_cmphex(rd(f, STATUS), ==, 0xb);
  g_assert_cmphex(f->loopback->base.features, ==, LOOPBACK_FEATURE | VIRTIO_F_VERSION_1);
}

static void test_queue_registers(Fixture *f, gconstpointer data) {
  const VirtQueue *queue = &f->loopback->base.queues[1];

  g_assert_cmpuint(rd(f, QUEUE_NUM_MAX), ==, LOOPBACK_QUEUE_SIZE);
  wr(f, QUEUE_SEL, 1);
  g_assert_cmpuint(rd(f, QUEUE_NUM_MAX), ==, LOOPBACK_QUEUE_SIZE / 2);
  wr(f, QUEUE_NUM, 4);
  wr(f, QUEUE_DESC, 0x11111110);
  wr(f, QUEUE_DESC + 4, 0x22222222);
  wr(f, QUEUE_DRIVER + 4, 0x44444444);
  wr(f, QUEUE_DRIVER, 0x33333332);
  wr(f, QUEUE_DEVICE, 0x55555554);
  wr(f, QUEUE_DEVICE + 4, 0x66666666);
  g_assert_cmpuint(queue->config.size, ==, 4);
  g_assert_cmphex(queue->config.descriptors, ==, UINT64_C(0x2222222211111110));
  g_assert_cmphex(queue->config.driver, ==, UINT64_C(0x4444444433333332));
  g_assert_cmphex(queue->config.device, ==, UINT64_C(0x6666666655555554));
  g_assert_cmpuint(f->loopback->base.queues[0].config.size, ==, LOOPBACK_QUEUE_SIZE);
  for (unsigned reg = QUEUE_NUM; reg <= QUEUE_DEVICE + 4; reg += 4)
    if (reg != INTERRUPT_STATUS && reg != STATUS)
      g_assert_cmphex(rd(f, reg), ==, 0); /* write-only, or not ready */

  wr(f, QUEUE_READY, 2); /* not a value of this register */
  g_assert_cmpuint(rd(f, QUEUE_READY), ==, 0);
  wr(f, QUEUE_READY, 1);
  g_assert_cmpuint(rd(f, QUEUE_READY), ==, 1);
  wr(f, QUEUE_NUM, 8); /* fixed while ready */
  wr(f, QUEUE_DESC, 0);
  g_assert_cmpuint(queue->config.size, ==, 4);
  g_assert_cmphex(queue->config.descriptors, ==, UINT64_C(0x2222222211111110));
  wr(f, QUEUE_READY, 0);
  g_assert_cmpuint(rd(f, QUEUE_READY), ==, 0);
  wr(f, QUEUE_NUM, 0x10004); /* must not become 4 */
  g_assert_cmpuint(queue->config.size, ==, 0);
}

static void test_queue_out_of_range(Fixture *f, gconstpointer data) {
  static const uint32_t beyond[] = {LOOPBACK_QUEUES, 0x10000, 0x80000000, UINT32_MAX};

  for (unsigned i = 0; i < G_N_ELEMENTS(beyond); i++) {
    wr(f, QUEUE_SEL, beyond[i]);
    g_assert_cmpuint(rd(f, QUEUE_NUM_MAX), ==, 0);
    for (unsigned reg = QUEUE_NUM; reg <= QUEUE_DEVICE + 4; reg += 4)
      if (reg != STATUS)
        wr(f, reg, 1);
    g_assert_cmpuint(rd(f, QUEUE_READY), ==, 0);
  }
}

static void test_widths(Fixture *f, gconstpointer data) {
  static const unsigned other[] = {1, 2, 8};

  memcpy(f->loopback->config, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", 12);
  for (unsigned i = 0; i < G_N_ELEMENTS(other); i++) {
    g_assert_cmphex(bus_read(f->bus, BASE + MAGIC, other[i]), ==, 0);
    bus_write(f->bus, BASE + STATUS, other[i], 1);
    g_assert_cmphex(rd(f, STATUS), ==, 0);
  }
  g_assert_cmphex(bus_read(f->bus, BASE + CONFIG + 3, 1), ==, 0x04);
  g_assert_cmphex(bus_read(f->bus, BASE + CONFIG + 2, 2), ==, 0x0403);
  g_assert_cmphex(bus_read(f->bus, BASE + CONFIG + 4, 4), ==, 0x08070605);
  g_assert_cmphex(bus_read(f->bus, BASE + CONFIG, 8), ==, UINT64_C(0x0807060504030201));
  g_assert_cmphex(bus_read(f->bus, BASE + CONFIG + 8, 8), ==, 0x0c0b0a09); /* zeros beyond the end */
  g_assert_cmphex(bus_read(f->bus, BASE + VIRTIO_MMIO_SIZE - 8, 8), ==, 0);
  bus_write(f->bus, BASE + CONFIG + 1, 1, 0xaa);
  bus_write(f->bus, BASE + CONFIG + 4, 4, 0xddccbbee);
  bus_write(f->bus, BASE + CONFIG + 8, 8, UINT64_MAX); /* not wholly inside */
  g_assert_cmpmem(f->loopback->config, 12, "\x01\xaa\x03\x04\xee\xbb\xcc\xdd\x09\x0a\x0b\x0c", 12);
}

static void test_config_generation(Fixture *f, gconstpointer data) {
  uint32_t before = rd(f, CONFIG_GENERATION);

  virtio_config_changed(&f->loopback->base);
  g_assert_cmpuint(rd(f, CONFIG_GENERATION), ==, before + 2);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 0);
  go_live(f);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmpuint(rd(f, CONFIG_GENERATION), ==, before + 4);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 2);
}

static void test_shared_memory(Fixture *f, gconstpointer data) {
  wr(f, 0xac, 0);
  for (unsigned reg = 0xb0; reg <= 0xbc; reg += 4)
    g_assert_cmphex(rd(f, reg), ==, UINT32_MAX);
}

static void test_unused_registers(Fixture *f, gconstpointer data) {
  static const unsigned holes[] = {0x18, 0x1c, 0x28, 0x3c, 0x48, 0x54, 0x68, 0x74, 0x88, 0xc0, 0xd0, 0xf8};

  for (unsigned i = 0; i < G_N_ELEMENTS(holes); i++) {
    wr(f, holes[i], UINT32_MAX);
    g_assert_cmphex(rd(f, holes[i]), ==, 0);
  }
  g_assert_cmphex(rd(f, STATUS), ==, 0);
}

static void test_interrupt(Fixture *f, gconstpointer data) {
  go_live(f);
  fake_offer_text(&f->driver[0], 0, "first");
  wr(f, QUEUE_NOTIFY, 0);
  WAIT_FOR(__atomic_load_n(&f->line.raised, __ATOMIC_SEQ_CST) == 1);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 1);
  g_assert_cmpint(f->line.level, ==, 1);
  g_assert_cmpstr(fake_answer(&f->driver[0], 0), ==, "first");

  /* Not acknowledged: one more edge all the same. */
  fake_offer_text(&f->driver[1], 2, "second");
  wr(f, QUEUE_NOTIFY, 1);
  WAIT_FOR(__atomic_load_n(&f->line.raised, __ATOMIC_SEQ_CST) == 2);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 3);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 3); /* a read clears nothing */

  wr(f, INTERRUPT_ACK, 1);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 2);
  g_assert_cmpint(f->line.level, ==, 1); /* there is still a reason */
  wr(f, INTERRUPT_ACK, 0xfffffffd);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 2);
  wr(f, INTERRUPT_ACK, 2);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 0);
  g_assert_cmpint(f->line.level, ==, 0);
  g_assert_cmpint(f->line.raised, ==, 3);
}

/* A queue that is served elsewhere interrupts by the line, as there is no message to be sent for it. */
static void test_call(Fixture *f, gconstpointer data) {
  g_assert_true(virtio_serve_elsewhere(&f->loopback->base, 1, NULL));
  go_live(f);
  fake_call(&f->loopback->base, 1);
  WAIT_FOR(rd(f, INTERRUPT_STATUS) == 1);
  WAIT_FOR(__atomic_load_n(&f->line.level, __ATOMIC_SEQ_CST) == 1);
  wr(f, INTERRUPT_ACK, 1);
  g_assert_cmpint(f->line.level, ==, 0);
}

static void test_notify_out_of_range(Fixture *f, gconstpointer data) {
  go_live(f);
  WAIT_FOR(__atomic_load_n(&f->loopback->notifies[0], __ATOMIC_SEQ_CST) == 1); /* that of the start */
  wr(f, QUEUE_NOTIFY, LOOPBACK_QUEUES);
  wr(f, QUEUE_NOTIFY, UINT32_MAX);
  fake_settle(&f->loopback->base);
  g_assert_cmpint(f->loopback->notifies[0], ==, 1);
  g_assert_cmpint(f->loopback->notifies[1], ==, 1);
}

static void test_doorbells(Fixture *f, gconstpointer data) {
  virtio_mmio_attach_doorbells(f->mmio, BASE);
  g_assert_cmpuint(f->doorbells.n, ==, LOOPBACK_QUEUES);
  for (unsigned i = 0; i < LOOPBACK_QUEUES; i++) {
    g_assert_cmphex(f->doorbells.bells[i].address, ==, BASE + QUEUE_NOTIFY);
    g_assert_cmpuint(f->doorbells.bells[i].size, ==, 4);
    g_assert_true(f->doorbells.bells[i].match);
    g_assert_cmpuint(f->doorbells.bells[i].value, ==, i);
  }
  go_live(f);
  fake_offer_text(&f->driver[1], 0, "by the kernel");
  g_assert_true(fake_ring(&f->doorbells, BASE + QUEUE_NOTIFY, 4, 1));
  WAIT_FOR(fake_used_idx(&f->driver[1]) == 1);
  g_assert_false(fake_ring(&f->doorbells, BASE + QUEUE_NOTIFY, 4, LOOPBACK_QUEUES));
}

/* Where the host takes no doorbells, and none must be detached: a write to the register rings. */
static void test_doorbells_refused(Fixture *f, gconstpointer data) {
  f->doorbells.refuse = true;
  virtio_mmio_attach_doorbells(f->mmio, BASE);
  go_live(f);
  fake_offer_text(&f->driver[1], 0, "by hand");
  wr(f, QUEUE_NOTIFY, 1);
  WAIT_FOR(fake_used_idx(&f->driver[1]) == 1);
}

static void assert_power_on(Fixture *f) {
  g_assert_cmphex(rd(f, STATUS), ==, 0);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 0);
  g_assert_cmpint(f->line.level, ==, 0);
  g_assert_cmphex(rd(f, DEVICE_FEATURES), ==, LOOPBACK_FEATURE | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
  g_assert_cmpuint(rd(f, QUEUE_NUM_MAX), ==, LOOPBACK_QUEUE_SIZE);
  for (unsigned i = 0; i < LOOPBACK_QUEUES; i++) {
    wr(f, QUEUE_SEL, i);
    g_assert_cmpuint(rd(f, QUEUE_READY), ==, 0);
    g_assert_cmphex(f->loopback->base.queues[i].config.descriptors, ==, 0);
  }
  wr(f, QUEUE_SEL, 0);
}

static void test_reset(Fixture *f, gconstpointer data) {
  for (unsigned how = 0; how < 2; how++) {
    memset(f->guest.ram, 0, 0x20000);
    f->driver[0].avail_idx = f->driver[1].avail_idx = 0;
    go_live(f);
    virtio_config_changed(&f->loopback->base);
    wr(f, DEVICE_FEATURES_SEL, 1);
    wr(f, QUEUE_SEL, 1);
    if (how == 0)
      wr(f, STATUS, 0);
    else
      device_reset(f->mmio);
    assert_power_on(f);
  }
}

static void test_needs_reset(Fixture *f, gconstpointer data) {
  go_live(f);
  fake_offer(&f->driver[0], 200);
  wr(f, QUEUE_NOTIFY, 0);
  WAIT_FOR(__atomic_load_n(&f->line.raised, __ATOMIC_SEQ_CST) == 1);
  g_assert_cmphex(rd(f, STATUS), ==, 0x4f);
  g_assert_cmphex(rd(f, INTERRUPT_STATUS), ==, 2);
}

static void test_queue_disable(Fixture *f, gconstpointer data) {
  go_live(f);
  wr(f, QUEUE_SEL, 0);
  wr(f, QUEUE_READY, 0);
  g_assert_cmpuint(rd(f, QUEUE_READY), ==, 0);
  wr(f, QUEUE_READY, 1); /* not any more: DRIVER_OK */
  g_assert_cmpuint(rd(f, QUEUE_READY), ==, 0);
  fake_offer_text(&f->driver[1], 0, "the other");
  wr(f, QUEUE_NOTIFY, 1);
  WAIT_FOR(fake_used_idx(&f->driver[1]) == 1);
}

static void test_names(Fixture *f, gconstpointer data) {
  g_assert_cmpstr(f->mmio->ops->register_name(f->mmio, STATUS), ==, "Status");
  g_assert_cmpstr(f->mmio->ops->register_name(f->mmio, QUEUE_NOTIFY), ==, "QueueNotify");
  g_assert_cmpstr(f->mmio->ops->register_name(f->mmio, CONFIG + 8), ==, "Config");
  g_assert_null(f->mmio->ops->register_name(f->mmio, 0x18));
  g_assert_cmpstr(f->mmio->name, ==, "loopback0");
}

static void test_describe(Fixture *f, gconstpointer data) {
  DeviceSlot slot = {.base = BASE, .size = VIRTIO_MMIO_SIZE, .spi = 17, .trigger = FDT_IRQ_EDGE_RISING};
  g_autoptr(FdtWriter) writer = fdt_writer_new();
  static const uint8_t reg[] = {0, 0, 0, 0, 0x0a, 0, 0x02, 0, 0, 0, 0, 0, 0, 0, 0x02, 0};
  static const uint8_t interrupts[] = {0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 1};
  int size;

  device_describe(f->mmio, &slot, writer);
  g_autoptr(GBytes) blob = fdt_writer_finish(writer, NULL);
  g_assert_nonnull(blob);
  const void *fdt = g_bytes_get_data(blob, NULL);
  int node = fdt_path_offset(fdt, "/virtio_mmio@a000200");
  g_assert_cmpint(node, >, 0);
  const char *compatible = fdt_getprop(fdt, node, "compatible", &size);
  g_assert_cmpmem(compatible, size, "virtio,mmio", 12);
  const void *value = fdt_getprop(fdt, node, "reg", &size);
  g_assert_cmpmem(value, size, reg, sizeof reg);
  value = fdt_getprop(fdt, node, "interrupts", &size);
  g_assert_cmpmem(value, size, interrupts, sizeof interrupts);
  g_assert_nonnull(fdt_getprop(fdt, node, "dma-coherent", &size));
}

/*
 * A guest that writes anything anywhere, with any width: the sanitizers watch, and afterwards a reset makes it a device
 * again.
 */
static void test_fuzz(Fixture *f, gconstpointer data) {
  GRand *rand = g_rand_new_with_seed(4711);

  for (unsigned i = 0; i < 20000; i++) {
    unsigned size = 1u << g_rand_int_range(rand, 0, 4);
    uint64_t reg = (uint64_t)g_rand_int_range(rand, 0, VIRTIO_MMIO_SIZE / 4) * 4;
    uint32_t value = g_rand_boolean(rand) ? (uint32_t)g_rand_int_range(rand, 0, 20) : g_rand_int(rand);
    if (g_rand_int_range(rand, 0, 4))
      size = 4;
    if (g_rand_boolean(rand))
      bus_write(f->bus, BASE + reg, size, value);
    else
      bus_read(f->bus, BASE + reg, size);
  }
  g_rand_free(rand);
  wr(f, STATUS, 0);
  memset(f->guest.ram, 0, 0x20000);
  go_live(f);
  fake_offer_text(&f->driver[0], 0, "still here");
  wr(f, QUEUE_NOTIFY, 0);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 1);
}

#define ADD(path, function) g_test_add("/virtio-mmio/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("identity", test_identity);
  ADD("features", test_features);
  ADD("queue-registers", test_queue_registers);
  ADD("queue-out-of-range", test_queue_out_of_range);
  ADD("widths", test_widths);
  ADD("config-generation", test_config_generation);
  ADD("shared-memory", test_shared_memory);
  ADD("unused-registers", test_unused_registers);
  ADD("interrupt", test_interrupt);
  ADD("call", test_call);
  ADD("notify-out-of-range", test_notify_out_of_range);
  ADD("doorbells", test_doorbells);
  ADD("doorbells-refused", test_doorbells_refused);
  ADD("reset", test_reset);
  ADD("needs-reset", test_needs_reset);
  ADD("queue-disable", test_queue_disable);
  ADD("names", test_names);
  ADD("describe", test_describe);
  ADD("fuzz", test_fuzz);
  return g_test_run();
}
