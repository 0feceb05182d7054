/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-pci transport, field by field and from end to end: devices/virtio/virtio-pci.c, virtio-pci-common.c. */
#include "devices/virtio/transport.h"
#include "tests/unit/devices/pci/fake-pci.h"

#define SLOT      2
#define BAR       UINT64_C(0x10100000)
#define NO_VECTOR 0xffff
#define WIRE      (SLOT % 4)

/* struct virtio_pci_common_cfg: virtio 1.2, 4.1.4.3. */
enum {
  DEVICE_FEATURE_SELECT = 0x00,
  DEVICE_FEATURE = 0x04,
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  CONFIG_MSIX_VECTOR = 0x10,
  NUM_QUEUES = 0x12,
  DEVICE_STATUS = 0x14,
  CONFIG_GENERATION = 0x15,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_MSIX_VECTOR = 0x1a,
  QUEUE_ENABLE = 0x1c,
  QUEUE_NOTIFY_OFF = 0x1e,
  QUEUE_DESC = 0x20,
  QUEUE_DRIVER = 0x28,
  QUEUE_DEVICE = 0x30,
};

/* Capability types. */
enum { COMMON_CFG = 1, NOTIFY_CFG = 2, ISR_CFG = 3, DEVICE_CFG = 4, PCI_CFG = 5 };

typedef struct {
  FakeGuest guest;
  FakePci pci;
  FakeDoorbells doorbells;
  Loopback *loopback;
  FakeQueue driver[LOOPBACK_QUEUES];
  /* What a driver finds out: addresses of the structures, and offsets in configuration space. */
  uint64_t common, notify, isr, device, table, pba;
  unsigned msix, pci_cfg;
} Fixture;

/* The capability of a type, or 0. */
static unsigned find_structure(Fixture *f, uint8_t type) {
  for (unsigned at = cfg_find_capability(&f->pci, SLOT, 9, 0); at; at = cfg_find_capability(&f->pci, SLOT, 9, at))
    if (cfg_read(&f->pci, SLOT, at + 3, 1) == type)
      return at;
  return 0;
}

static uint64_t structure_address(Fixture *f, uint8_t type) {
  unsigned at = find_structure(f, type);
  g_assert_cmpuint(at, !=, 0);
  g_assert_cmpuint(cfg_read(&f->pci, SLOT, at + 4, 1), ==, 0); /* the BAR */
  return BAR + cfg_read(&f->pci, SLOT, at + 8, 4);
}

static void enable_memory(Fixture *f) {
  cfg_write(&f->pci, SLOT, CFG_BAR0, 4, (uint32_t)BAR);
  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_MASTER);
}

static void set_up_with(Fixture *f, bool with_msi) {
  f->doorbells = (FakeDoorbells)FAKE_DOORBELLS;
  fake_guest_init(&f->guest);
  fake_pci_init(&f->pci, with_msi, true);
  f->loopback = loopback_new(&f->guest.memory);
  g_assert_true(pci_host_add(f->pci.host, SLOT, virtio_pci_new(&f->loopback->base, &f->doorbells.doorbells)));
  f->driver[0] = fake_queue(&f->guest, 0, LOOPBACK_QUEUE_SIZE);
  f->driver[1] = fake_queue(&f->guest, 1, LOOPBACK_QUEUE_SIZE / 2);
  enable_memory(f);
  f->common = structure_address(f, COMMON_CFG);
  f->notify = structure_address(f, NOTIFY_CFG);
  f->isr = structure_address(f, ISR_CFG);
  f->device = structure_address(f, DEVICE_CFG);
  f->pci_cfg = find_structure(f, PCI_CFG);
  f->msix = cfg_find_capability(&f->pci, SLOT, 0x11, 0);
  if (f->msix) {
    f->table = BAR + (cfg_read(&f->pci, SLOT, f->msix + 4, 4) & ~7u);
    f->pba = BAR + (cfg_read(&f->pci, SLOT, f->msix + 8, 4) & ~7u);
  }
}

static void set_up(Fixture *f, gconstpointer data) {
  set_up_with(f, true);
}

static void set_up_without_msi(Fixture *f, gconstpointer data) {
  set_up_with(f, false);
}

static void tear_down(Fixture *f, gconstpointer data) {
  fake_pci_clear(&f->pci);
  g_assert_cmpuint(f->doorbells.n, ==, 0); /* all detached */
  fake_guest_clear(&f->guest);
}

static uint64_t rd(Fixture *f, uint64_t field, unsigned size) {
  return bus_read(f->pci.bus, f->common + field, size);
}

static void wr(Fixture *f, uint64_t field, unsigned size, uint64_t value) {
  bus_write(f->pci.bus, f->common + field, size, value);
}

static void set_up_queue(Fixture *f, unsigned index) {
  wr(f, QUEUE_SELECT, 2, index);
  wr(f, QUEUE_DESC, 4, (uint32_t)f->driver[index].descriptors);
  wr(f, QUEUE_DESC + 4, 4, f->driver[index].descriptors >> 32);
  wr(f, QUEUE_DRIVER, 8, f->driver[index].driver);
  wr(f, QUEUE_DEVICE, 8, f->driver[index].device);
  wr(f, QUEUE_ENABLE, 2, 1);
  g_assert_cmpuint(rd(f, QUEUE_ENABLE, 2), ==, 1);
}

static void go_live(Fixture *f) {
  wr(f, DEVICE_STATUS, 1, 1);
  wr(f, DEVICE_STATUS, 1, 3);
  wr(f, DRIVER_FEATURE_SELECT, 4, 1);
  wr(f, DRIVER_FEATURE, 4, 1);
  wr(f, DEVICE_STATUS, 1, 0xb);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0xb);
  set_up_queue(f, 0);
  set_up_queue(f, 1);
  wr(f, DEVICE_STATUS, 1, 0xf);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0xf);
}

/* Vectors 0 (configuration), 1 and 2 (queues), unmasked, with data 0xd0 + n. */
static void enable_msix(Fixture *f) {
  cfg_write(&f->pci, SLOT, f->msix + 2, 2, 0x8000);
  for (unsigned i = 0; i < 3; i++) {
    bus_write(f->pci.bus, f->table + 16 * i, 8, 0x08090040);
    bus_write(f->pci.bus, f->table + 16 * i + 8, 4, 0xd0 + i);
    bus_write(f->pci.bus, f->table + 16 * i + 12, 4, 0);
  }
  wr(f, CONFIG_MSIX_VECTOR, 2, 0);
  for (unsigned i = 0; i < LOOPBACK_QUEUES; i++) {
    wr(f, QUEUE_SELECT, 2, i);
    wr(f, QUEUE_MSIX_VECTOR, 2, i + 1);
    g_assert_cmpuint(rd(f, QUEUE_MSIX_VECTOR, 2), ==, i + 1);
  }
}

/* Messages sent with DATA. */
static int messages(Fixture *f, uint32_t data) {
  int n = 0;
  for (unsigned i = 0; i < f->pci.msi.n; i++)
    if (f->pci.msi.routes[i].data == data)
      n += __atomic_load_n(&f->pci.msi.routes[i].n_signalled, __ATOMIC_SEQ_CST);
  return n;
}

static void kick(Fixture *f, unsigned queue) {
  bus_write(f->pci.bus, f->notify + 4 * queue, 2, queue);
}

static void test_identity(Fixture *f, gconstpointer data) {
  g_assert_cmphex(cfg_read(&f->pci, SLOT, 0, 4), ==, 0x10421af4); /* block: 0x1040 + 2 */
  g_assert_cmphex(cfg_read(&f->pci, SLOT, 8, 4), ==, 0x01000001); /* SCSI storage, revision 1 */
  g_assert_cmphex(cfg_read(&f->pci, SLOT, 0x2c, 2), ==, 0x1af4);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, 0x2e, 2), >=, 0x40);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, 0x3d, 1), ==, 1);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, CFG_STATUS, 2), ==, 0x10);
  g_assert_cmpstr(pci_host_function(f->pci.host, SLOT)->name, ==, "loopback0");
}

static void test_class_codes(void) {
  static const struct {
    VirtioId id;
    uint32_t class_code;
  } kinds[] = {{VIRTIO_ID_NET, 0x020000}, {VIRTIO_ID_BLOCK, 0x010000}, {VIRTIO_ID_CONSOLE, 0x078000}, {VIRTIO_ID_ENTROPY, 0xff0000}};
  FakeGuest guest;
  FakeDoorbells doorbells = FAKE_DOORBELLS;

  fake_guest_init(&guest);
  for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
    VirtioDeviceOps ops = loopback_ops;
    Loopback *loopback = loopback_new(&guest.memory);
    ops.id = kinds[i].id;
    loopback->base.ops = &ops;
    PciFunction *function = virtio_pci_new(&loopback->base, &doorbells.doorbells);
    g_assert_cmphex(pci_config_get(function, 0, 4), ==, (0x1040u + kinds[i].id) << 16 | 0x1af4);
    g_assert_cmphex(pci_config_get(function, 9, 3), ==, kinds[i].class_code);
    function->ops->free(function); /* never plugged */
  }
  fake_guest_clear(&guest);
}

static void test_capabilities(Fixture *f, gconstpointer data) {
  static const struct {
    uint8_t type;
    uint32_t length, capability_size;
  } structures[] = {{COMMON_CFG, 60, 16}, {NOTIFY_CFG, 4 * LOOPBACK_QUEUES, 20}, {ISR_CFG, 1, 16}, {DEVICE_CFG, LOOPBACK_CONFIG_SIZE, 16}};
  uint32_t starts[G_N_ELEMENTS(structures)];

  for (unsigned i = 0; i < G_N_ELEMENTS(structures); i++) {
    unsigned at = find_structure(f, structures[i].type);
    g_assert_cmpuint(at, !=, 0);
    g_assert_cmpuint(cfg_read(&f->pci, SLOT, at + 2, 1), ==, structures[i].capability_size);
    starts[i] = cfg_read(&f->pci, SLOT, at + 8, 4);
    g_assert_cmpuint(starts[i] % 0x1000, ==, 0);
    g_assert_cmpuint(starts[i] + structures[i].length, <=, 0x10000);
    g_assert_cmpuint(cfg_read(&f->pci, SLOT, at + 12, 4), ==, structures[i].length);
    for (unsigned j = 0; j < i; j++)
      g_assert_cmpuint(starts[i], !=, starts[j]);
  }
  unsigned notify = find_structure(f, NOTIFY_CFG);
  g_assert_cmpuint(cfg_read(&f->pci, SLOT, notify + 16, 4), ==, 4); /* notify_off_multiplier */
  g_assert_cmpuint(cfg_read(&f->pci, SLOT, f->pci_cfg + 2, 1), ==, 20);
  g_assert_cmpuint(cfg_read(&f->pci, SLOT, f->msix + 2, 2), ==, LOOPBACK_QUEUES); /* one more than queues, less one */
  g_assert_cmphex(f->table, !=, f->pba);
  /* Doorbells apart from everything that is read, by 16 KiB. */
  for (unsigned i = 0; i < G_N_ELEMENTS(structures); i++)
    if (structures[i].type != NOTIFY_CFG)
      g_assert_cmphex((BAR + starts[i]) & ~UINT64_C(0x3fff), !=, f->notify & ~UINT64_C(0x3fff));
  g_assert_cmphex(f->table & ~UINT64_C(0x3fff), !=, f->notify & ~UINT64_C(0x3fff));
}

/* Common configuration. */

static void test_features(Fixture *f, gconstpointer data) {
  g_assert_cmphex(rd(f, DEVICE_FEATURE, 4), ==, LOOPBACK_FEATURE | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
  wr(f, DEVICE_FEATURE_SELECT, 4, 1);
  g_assert_cmpuint(rd(f, DEVICE_FEATURE_SELECT, 4), ==, 1);
  g_assert_cmphex(rd(f, DEVICE_FEATURE, 4), ==, (VIRTIO_F_VERSION_1 | LOOPBACK_FEATURE_HI) >> 32);
  wr(f, DEVICE_FEATURE, 4, 0);
  g_assert_cmphex(rd(f, DEVICE_FEATURE, 4), !=, 0);
  wr(f, DEVICE_FEATURE_SELECT, 4, UINT32_MAX);
  g_assert_cmphex(rd(f, DEVICE_FEATURE, 4), ==, 0);

  wr(f, DRIVER_FEATURE, 4, 0x20);
  wr(f, DRIVER_FEATURE_SELECT, 4, 1);
  wr(f, DRIVER_FEATURE, 4, 1);
  g_assert_cmphex(rd(f, DRIVER_FEATURE, 4), ==, 1);
  wr(f, DRIVER_FEATURE_SELECT, 4, 0x80000000);
  wr(f, DRIVER_FEATURE, 4, UINT32_MAX);
  g_assert_cmphex(rd(f, DRIVER_FEATURE, 4), ==, 0);
  wr(f, DRIVER_FEATURE_SELECT, 4, 0);
  g_assert_cmpuint(rd(f, DRIVER_FEATURE_SELECT, 4), ==, 0);
  g_assert_cmphex(rd(f, DRIVER_FEATURE, 4), ==, 0x20);
  wr(f, DEVICE_STATUS, 1, 0xb);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0xb);

  wr(f, DEVICE_STATUS, 1, 0);
  wr(f, DRIVER_FEATURE, 4, 0x20); /* without VERSION_1 */
  wr(f, DEVICE_STATUS, 1, 0xb);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0x3);
}

static void test_queue_fields(Fixture *f, gconstpointer data) {
  const VirtQueue *queue = &f->loopback->base.queues[1];

  g_assert_cmpuint(rd(f, NUM_QUEUES, 2), ==, LOOPBACK_QUEUES);
  wr(f, NUM_QUEUES, 2, 9);
  g_assert_cmpuint(rd(f, NUM_QUEUES, 2), ==, LOOPBACK_QUEUES);
  g_assert_cmpuint(rd(f, QUEUE_SIZE, 2), ==, LOOPBACK_QUEUE_SIZE);
  wr(f, QUEUE_SELECT, 2, 1);
  g_assert_cmpuint(rd(f, QUEUE_SELECT, 2), ==, 1);
  g_assert_cmpuint(rd(f, QUEUE_SIZE, 2), ==, LOOPBACK_QUEUE_SIZE / 2);
  g_assert_cmpuint(rd(f, QUEUE_NOTIFY_OFF, 2), ==, 1);
  wr(f, QUEUE_NOTIFY_OFF, 2, 5);
  g_assert_cmpuint(rd(f, QUEUE_NOTIFY_OFF, 2), ==, 1);
  wr(f, QUEUE_SIZE, 2, 4);
  g_assert_cmpuint(rd(f, QUEUE_SIZE, 2), ==, 4);
  wr(f, QUEUE_DESC, 8, UINT64_C(0x1111111122222220));
  wr(f, QUEUE_DRIVER + 4, 4, 0x33333333);
  wr(f, QUEUE_DRIVER, 4, 0x44444444);
  wr(f, QUEUE_DEVICE, 4, 0x66666664);
  wr(f, QUEUE_DEVICE + 4, 4, 0x55555555);
  g_assert_cmphex(queue->config.descriptors, ==, UINT64_C(0x1111111122222220));
  g_assert_cmphex(queue->config.driver, ==, UINT64_C(0x3333333344444444));
  g_assert_cmphex(queue->config.device, ==, UINT64_C(0x5555555566666664));
  g_assert_cmphex(rd(f, QUEUE_DESC, 8), ==, queue->config.descriptors);
  g_assert_cmphex(rd(f, QUEUE_DRIVER, 4), ==, 0x44444444);
  g_assert_cmphex(rd(f, QUEUE_DRIVER + 4, 4), ==, 0x33333333);
  g_assert_cmphex(rd(f, QUEUE_DEVICE, 8), ==, queue->config.device);
  g_assert_cmphex(f->loopback->base.queues[0].config.descriptors, ==, 0);

  wr(f, QUEUE_ENABLE, 2, 2);
  g_assert_cmpuint(rd(f, QUEUE_ENABLE, 2), ==, 0);
  wr(f, QUEUE_ENABLE, 2, 1);
  g_assert_cmpuint(rd(f, QUEUE_ENABLE, 2), ==, 1);
  wr(f, QUEUE_ENABLE, 2, 0); /* only a reset takes it back */
  wr(f, QUEUE_SIZE, 2, 8);
  wr(f, QUEUE_DESC, 8, 0);
  g_assert_cmpuint(rd(f, QUEUE_ENABLE, 2), ==, 1);
  g_assert_cmpuint(rd(f, QUEUE_SIZE, 2), ==, 4);
  g_assert_cmphex(rd(f, QUEUE_DESC, 8), ==, UINT64_C(0x1111111122222220));
  wr(f, DEVICE_STATUS, 1, 0);
  wr(f, QUEUE_SELECT, 2, 1);
  g_assert_cmpuint(rd(f, QUEUE_ENABLE, 2), ==, 0);
  g_assert_cmpuint(rd(f, QUEUE_SIZE, 2), ==, LOOPBACK_QUEUE_SIZE / 2);
}

static void test_queue_out_of_range(Fixture *f, gconstpointer data) {
  static const uint16_t beyond[] = {LOOPBACK_QUEUES, 0x100, 0xffff};

  for (unsigned i = 0; i < G_N_ELEMENTS(beyond); i++) {
    wr(f, QUEUE_SELECT, 2, beyond[i]);
    for (unsigned field = QUEUE_SIZE; field <= QUEUE_NOTIFY_OFF; field += 2)
      wr(f, field, 2, 1);
    for (unsigned field = QUEUE_DESC; field < QUEUE_DEVICE + 8; field += 8)
      wr(f, field, 8, UINT64_MAX);
    g_assert_cmpuint(rd(f, QUEUE_SIZE, 2), ==, 0);
    g_assert_cmpuint(rd(f, QUEUE_ENABLE, 2), ==, 0);
    g_assert_cmpuint(rd(f, QUEUE_NOTIFY_OFF, 2), ==, 0);
    g_assert_cmphex(rd(f, QUEUE_MSIX_VECTOR, 2), ==, NO_VECTOR);
    g_assert_cmphex(rd(f, QUEUE_DESC, 8), ==, 0);
  }
}

static void test_vectors(Fixture *f, gconstpointer data) {
  static const uint16_t wrong[] = {LOOPBACK_QUEUES + 1, 0x7fff, 0xfffe, 0xffff};

  g_assert_cmphex(rd(f, CONFIG_MSIX_VECTOR, 2), ==, NO_VECTOR);
  g_assert_cmphex(rd(f, QUEUE_MSIX_VECTOR, 2), ==, NO_VECTOR);
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
    wr(f, CONFIG_MSIX_VECTOR, 2, LOOPBACK_QUEUES);
    wr(f, QUEUE_MSIX_VECTOR, 2, 0);
    g_assert_cmphex(rd(f, CONFIG_MSIX_VECTOR, 2), ==, LOOPBACK_QUEUES);
    g_assert_cmphex(rd(f, QUEUE_MSIX_VECTOR, 2), ==, 0);
    wr(f, CONFIG_MSIX_VECTOR, 2, wrong[i]);
    wr(f, QUEUE_MSIX_VECTOR, 2, wrong[i]);
    g_assert_cmphex(rd(f, CONFIG_MSIX_VECTOR, 2), ==, NO_VECTOR);
    g_assert_cmphex(rd(f, QUEUE_MSIX_VECTOR, 2), ==, NO_VECTOR);
  }
}

static void test_widths(Fixture *f, gconstpointer data) {
  /* Only whole fields: neither half a field nor two at once. */
  g_assert_cmphex(rd(f, NUM_QUEUES, 1), ==, 0);
  g_assert_cmphex(rd(f, CONFIG_MSIX_VECTOR, 4), ==, 0);
  g_assert_cmphex(rd(f, DEVICE_FEATURE, 2), ==, 0);
  wr(f, DEVICE_STATUS, 2, 1);
  wr(f, DEVICE_STATUS, 4, 1);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0);
  wr(f, QUEUE_DESC, 2, 0xffff);
  wr(f, QUEUE_DESC, 1, 0xff);
  g_assert_cmphex(rd(f, QUEUE_DESC, 8), ==, 0);
  for (unsigned field = 0x38; field < 0x100; field += 4) { /* features that are not offered, and nothing at all */
    wr(f, field, 4, UINT32_MAX);
    wr(f, field, 2, UINT16_MAX);
    g_assert_cmphex(rd(f, field, 4), ==, 0);
    g_assert_cmphex(rd(f, field, 2), ==, 0);
  }
}

static void test_device_config(Fixture *f, gconstpointer data) {
  memcpy(f->loopback->config, "abcdefghijkl", LOOPBACK_CONFIG_SIZE);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmphex(bus_read(f->pci.bus, f->device, 1), ==, 'a');
  g_assert_cmphex(bus_read(f->pci.bus, f->device + 2, 2), ==, 0x6463);
  g_assert_cmphex(bus_read(f->pci.bus, f->device + 8, 4), ==, 0x6c6b6a69);
  g_assert_cmphex(bus_read(f->pci.bus, f->device, 8), ==, UINT64_C(0x6867666564636261));
  g_assert_cmphex(bus_read(f->pci.bus, f->device + 8, 8), ==, 0x6c6b6a69);
  g_assert_cmphex(bus_read(f->pci.bus, f->device + 12, 4), ==, 0);
  g_assert_cmphex(bus_read(f->pci.bus, f->device + 0xffc, 4), ==, 0);
  bus_write(f->pci.bus, f->device + 4, 2, 0x5a59);
  bus_write(f->pci.bus, f->device + 8, 8, 0);
  g_assert_cmpmem(f->loopback->config, 12, "abcdYZghijkl", 12);

  uint64_t generation = rd(f, CONFIG_GENERATION, 1);
  for (unsigned i = 1; i <= 300; i++) { /* round its 8 bits */
    virtio_config_changed(&f->loopback->base);
    g_assert_cmphex(rd(f, CONFIG_GENERATION, 1), ==, (generation + 2 * i) & 0xff);
  }
}

/* Doorbells. */

static void test_doorbells(Fixture *f, gconstpointer data) {
  g_assert_cmpuint(f->doorbells.n, ==, LOOPBACK_QUEUES);
  for (unsigned i = 0; i < LOOPBACK_QUEUES; i++) {
    g_assert_cmphex(f->doorbells.bells[i].address, ==, f->notify + 4 * i);
    g_assert_cmpuint(f->doorbells.bells[i].size, ==, 0);
    g_assert_false(f->doorbells.bells[i].match);
    g_assert_cmpint(f->doorbells.bells[i].fd, ==, f->loopback->base.doorbell_fds[i]);
  }
  go_live(f);
  fake_offer_text(&f->driver[1], 0, "by the kernel");
  g_assert_true(fake_ring(&f->doorbells, f->notify + 4, 2, 1));
  WAIT_FOR(fake_used_idx(&f->driver[1]) == 1);

  cfg_write(&f->pci, SLOT, CFG_BAR0, 4, (uint32_t)BAR + 0x30000); /* moves */
  g_assert_cmpuint(f->doorbells.n, ==, LOOPBACK_QUEUES);
  g_assert_false(fake_ring(&f->doorbells, f->notify + 4, 2, 1));
  fake_offer_text(&f->driver[1], 2, "elsewhere");
  g_assert_true(fake_ring(&f->doorbells, f->notify + 0x30000 + 4, 2, 1));
  WAIT_FOR(fake_used_idx(&f->driver[1]) == 2);

  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, 0);
  g_assert_cmpuint(f->doorbells.n, ==, 0);
  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, COMMAND_MEMORY);
  g_assert_cmpuint(f->doorbells.n, ==, LOOPBACK_QUEUES);
  cfg_write(&f->pci, SLOT, CFG_BAR0, 4, UINT32_MAX); /* being sized */
  g_assert_cmpuint(f->doorbells.n, ==, 0);
}

/* Some are taken by the host and some are not; only those are detached. */
static void test_doorbells_refused(Fixture *f, gconstpointer data) {
  f->doorbells.refuse = true;
  cfg_write(&f->pci, SLOT, CFG_BAR0, 4, (uint32_t)BAR + 0x10000);
  g_assert_cmpuint(f->doorbells.n, ==, 0);
  cfg_write(&f->pci, SLOT, CFG_BAR0, 4, (uint32_t)BAR);
  go_live(f);
  fake_offer_text(&f->driver[0], 0, "by hand");
  kick(f, 0);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 1);
  fake_offer_text(&f->driver[1], 2, "32 bits");
  bus_write(f->pci.bus, f->notify + 4, 4, 1);
  WAIT_FOR(fake_used_idx(&f->driver[1]) == 1);

  fake_settle(&f->loopback->base);
  int before[] = {f->loopback->notifies[0], f->loopback->notifies[1]};
  kick(f, LOOPBACK_QUEUES); /* nobody's */
  bus_write(f->pci.bus, f->notify + 2, 2, 0);
  bus_write(f->pci.bus, f->notify + 0xffc, 4, 0);
  g_assert_cmphex(bus_read(f->pci.bus, f->notify, 4), ==, 0);
  fake_settle(&f->loopback->base);
  g_assert_cmpint(f->loopback->notifies[0], ==, before[0]);
  g_assert_cmpint(f->loopback->notifies[1], ==, before[1]);
}

/* Interrupts. */

static void test_msix(Fixture *f, gconstpointer data) {
  enable_msix(f);
  go_live(f);
  g_assert_cmpuint(f->pci.msi.routes[0].device_id, ==, SLOT << 3);
  fake_offer_text(&f->driver[0], 0, "first");
  kick(f, 0);
  WAIT_FOR(messages(f, 0xd1) == 1);
  g_assert_cmpstr(fake_answer(&f->driver[0], 0), ==, "first");
  fake_offer_text(&f->driver[1], 2, "second");
  kick(f, 1);
  WAIT_FOR(messages(f, 0xd2) == 1);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmpint(messages(f, 0xd0), ==, 1);
  g_assert_cmpint(messages(f, 0xd1), ==, 1);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 0); /* not used with MSI-X */
  g_assert_cmpint(f->pci.lines[WIRE].raised, ==, 0);

  wr(f, QUEUE_SELECT, 2, 0);
  wr(f, QUEUE_MSIX_VECTOR, 2, NO_VECTOR);
  fake_offer_text(&f->driver[0], 4, "silent");
  kick(f, 0);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 2);
  fake_settle(&f->loopback->base);
  g_assert_cmpint(messages(f, 0xd1), ==, 1);
}

static void test_msix_masked(Fixture *f, gconstpointer data) {
  enable_msix(f);
  go_live(f);
  bus_write(f->pci.bus, f->table + 16 + 12, 4, 1);
  fake_offer_text(&f->driver[0], 0, "masked");
  kick(f, 0);
  WAIT_FOR(bus_read(f->pci.bus, f->pba, 8) == 2);
  g_assert_cmpint(messages(f, 0xd1), ==, 0);
  bus_write(f->pci.bus, f->table + 16 + 12, 4, 0);
  g_assert_cmpint(messages(f, 0xd1), ==, 1);
  g_assert_cmphex(bus_read(f->pci.bus, f->pba, 4), ==, 0);
  bus_write(f->pci.bus, f->pba, 8, UINT64_MAX); /* read-only */
  g_assert_cmphex(bus_read(f->pci.bus, f->pba, 8), ==, 0);
  bus_write(f->pci.bus, f->table + 16 * 3, 8, UINT64_MAX); /* no such entry */
  g_assert_cmphex(bus_read(f->pci.bus, f->table + 16 * 3, 8), ==, 0);
}

static void test_intx(Fixture *f, gconstpointer data) {
  FakeLine *wire = &f->pci.lines[WIRE];

  go_live(f);
  fake_offer_text(&f->driver[0], 0, "first");
  kick(f, 0);
  WAIT_FOR(__atomic_load_n(&wire->level, __ATOMIC_SEQ_CST) == 1);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, CFG_STATUS, 2), ==, 0x18);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr + 1, 1), ==, 0); /* beside it: clears nothing */
  bus_write(f->pci.bus, f->isr, 1, 0);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 3);
  g_assert_cmpint(wire->level, ==, 0);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, CFG_STATUS, 2), ==, 0x10);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 0);

  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, COMMAND_MEMORY | COMMAND_INTX_DISABLE);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmpint(wire->level, ==, 0);
  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, COMMAND_MEMORY);
  g_assert_cmpint(wire->level, ==, 1);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 2);
  g_assert_cmpint(wire->level, ==, 0);
}

static void test_without_msi(Fixture *f, gconstpointer data) {
  g_assert_cmpuint(f->msix, ==, 0);
  wr(f, CONFIG_MSIX_VECTOR, 2, 0);
  g_assert_cmphex(rd(f, CONFIG_MSIX_VECTOR, 2), ==, NO_VECTOR);
  bus_write(f->pci.bus, BAR + 0x8000, 8, UINT64_MAX);
  g_assert_cmphex(bus_read(f->pci.bus, BAR + 0x8000, 8), ==, 0);
  g_assert_cmphex(bus_read(f->pci.bus, BAR + 0x9000, 8), ==, 0);
  go_live(f);
  fake_offer_text(&f->driver[1], 0, "by wire");
  kick(f, 1);
  WAIT_FOR(__atomic_load_n(&f->pci.lines[WIRE].level, __ATOMIC_SEQ_CST) == 1);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 1);
}

/*
 * A queue that is served elsewhere: its call is attached to the vector's route while that can fire. A signal that no
 * host took goes the way of every interrupt.
 */
static void test_call(Fixture *f, gconstpointer data) {
  VirtioDevice *device = &f->loopback->base;

  g_assert_true(virtio_serve_elsewhere(device, 1, NULL));
  go_live(f);
  enable_msix(f);
  const MsiRoute *route = NULL;
  for (unsigned i = 0; i < f->pci.msi.n; i++)
    if (f->pci.msi.routes[i].data == 0xd2)
      route = &f->pci.msi.routes[i];
  g_assert_nonnull(route);
  g_assert_cmpuint(route->n_attached, ==, 1);
  g_assert_cmpint(route->attached[0], ==, virtio_call_fd(device, 1));
  fake_call(device, 1);
  WAIT_FOR(messages(f, 0xd2) == 1);

  bus_write(f->pci.bus, f->table + 2 * 16 + 12, 4, 1);
  g_assert_cmpuint(route->n_attached, ==, 0);
  fake_call(device, 1);
  WAIT_FOR(bus_read(f->pci.bus, f->pba, 8) == 4);
  g_assert_cmpint(messages(f, 0xd2), ==, 1);
  bus_write(f->pci.bus, f->table + 2 * 16 + 12, 4, 0);
  g_assert_cmpint(messages(f, 0xd2), ==, 2);
  g_assert_cmpuint(route->n_attached, ==, 1);

  wr(f, QUEUE_SELECT, 2, 1);
  wr(f, QUEUE_MSIX_VECTOR, 2, 1); /* to that of another queue */
  g_assert_cmpuint(route->n_attached, ==, 0);
  fake_call(device, 1);
  WAIT_FOR(messages(f, 0xd1) == 1);
  wr(f, QUEUE_MSIX_VECTOR, 2, NO_VECTOR);
  for (unsigned i = 0; i < f->pci.msi.n; i++)
    g_assert_cmpuint(f->pci.msi.routes[i].n_attached, ==, 0);
  wr(f, QUEUE_MSIX_VECTOR, 2, 2);
  g_assert_cmpuint(route->n_attached, ==, 1);

  kick(f, 1); /* is for who serves it */
  fake_settle(device);
  g_assert_cmpint(f->loopback->notifies[1], ==, 0);
  uint64_t rings = 0;
  g_assert_cmpint(read(device->doorbell_fds[1], &rings, sizeof rings), ==, sizeof rings);

  wr(f, DEVICE_STATUS, 1, 0);
  g_assert_cmpuint(route->n_attached, ==, 0);
  go_live(f);
  enable_msix(f);
  g_assert_cmpuint(route->n_attached, ==, 1); /* and tear_down takes it away */
}

static void test_call_intx(Fixture *f, gconstpointer data) {
  const FakeLine *wire = &f->pci.lines[WIRE];

  g_assert_true(virtio_serve_elsewhere(&f->loopback->base, 1, NULL));
  go_live(f);
  fake_call(&f->loopback->base, 1);
  WAIT_FOR(__atomic_load_n(&wire->level, __ATOMIC_SEQ_CST) == 1);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 1);
}

static void test_needs_reset(Fixture *f, gconstpointer data) {
  enable_msix(f);
  go_live(f);
  fake_offer(&f->driver[0], 999);
  kick(f, 0);
  WAIT_FOR(messages(f, 0xd0) == 1);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0x4f);
  wr(f, DEVICE_STATUS, 1, 0);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0);
  g_assert_cmphex(rd(f, CONFIG_MSIX_VECTOR, 2), ==, NO_VECTOR);
  wr(f, QUEUE_SELECT, 2, 0);
  g_assert_cmphex(rd(f, QUEUE_MSIX_VECTOR, 2), ==, NO_VECTOR);
}

static void test_reset(Fixture *f, gconstpointer data) {
  go_live(f);
  virtio_config_changed(&f->loopback->base);
  g_assert_cmpint(f->pci.lines[WIRE].level, ==, 1);
  wr(f, QUEUE_SELECT, 2, 1);
  wr(f, DEVICE_STATUS, 1, 0); /* by the driver: the place in memory stays */
  g_assert_cmpint(f->pci.lines[WIRE].level, ==, 0);
  g_assert_cmphex(bus_read(f->pci.bus, f->isr, 1), ==, 0);
  g_assert_cmpuint(rd(f, QUEUE_SELECT, 2), ==, 0);
  g_assert_cmpuint(f->doorbells.n, ==, LOOPBACK_QUEUES);
  g_assert_cmpint(f->loopback->stops, ==, 1);

  memset(f->guest.ram, 0, 0x20000);
  go_live(f);
  virtio_config_changed(&f->loopback->base);
  device_reset(f->pci.host); /* by the machine: everything goes */
  g_assert_cmpint(f->loopback->stops, ==, 2);
  g_assert_cmpint(f->pci.lines[WIRE].level, ==, 0);
  g_assert_cmpuint(f->doorbells.n, ==, 0);
  g_assert_cmphex(bus_read(f->pci.bus, f->common + NUM_QUEUES, 2), ==, 0xffff);
  enable_memory(f);
  g_assert_cmphex(rd(f, DEVICE_STATUS, 1), ==, 0);
  go_live(f);
}

/* The window in configuration space. */

static void point(Fixture *f, uint8_t bar, uint64_t address, uint32_t size) {
  cfg_write(&f->pci, SLOT, f->pci_cfg + 4, 1, bar);
  cfg_write(&f->pci, SLOT, f->pci_cfg + 8, 4, (uint32_t)(address - BAR));
  cfg_write(&f->pci, SLOT, f->pci_cfg + 12, 4, size);
}

static void test_window(Fixture *f, gconstpointer data) {
  unsigned data_at = f->pci_cfg + 16;

  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, 0); /* works without memory decoding: what it is for */
  point(f, 0, f->common + NUM_QUEUES, 2);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, data_at, 2), ==, LOOPBACK_QUEUES);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, data_at, 4), ==, LOOPBACK_QUEUES);
  point(f, 0, f->common + DEVICE_FEATURE, 4);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, data_at, 4), ==, LOOPBACK_FEATURE | VIRTIO_F_EVENT_IDX | VIRTIO_F_INDIRECT_DESC);
  point(f, 0, f->common + DEVICE_STATUS, 1);
  cfg_write(&f->pci, SLOT, data_at, 1, 3);
  g_assert_cmphex(virtio_get_status(&f->loopback->base), ==, 3);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, data_at, 1), ==, 3);
  point(f, 0, f->common + QUEUE_SELECT, 2);
  cfg_write(&f->pci, SLOT, data_at, 4, 0xabcd0001); /* only the two bytes that the window has */
  g_assert_cmphex(cfg_read(&f->pci, SLOT, data_at, 4), ==, 1);
  point(f, 0, f->notify + 4, 2);
  cfg_write(&f->pci, SLOT, data_at, 2, 1);
  uint64_t count = 0;
  g_assert_cmpint(read(f->loopback->base.doorbell_fds[1], &count, sizeof count), ==, sizeof count);
  g_assert_cmpuint(count, ==, 1);
}

static void test_window_wrong(Fixture *f, gconstpointer data) {
  const struct {
    uint8_t bar;
    uint64_t address;
    uint32_t size;
  } wrong[] = {
      {1, f->common + DEVICE_STATUS, 1},  {255, f->common + DEVICE_STATUS, 1},   {0, f->common + DEVICE_STATUS, 0},
      {0, f->common + DEVICE_STATUS, 3},  {0, f->common + DEVICE_STATUS, 8},     {0, f->common + DEVICE_STATUS, UINT32_MAX},
      {0, f->common + NUM_QUEUES - 1, 2}, {0, BAR + 0x10000 + DEVICE_STATUS, 1}, {0, BAR + 0xfffffffc, 4},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
    point(f, wrong[i].bar, wrong[i].address, wrong[i].size);
    cfg_write(&f->pci, SLOT, f->pci_cfg + 16, 4, 0x01010101);
    g_assert_cmphex(cfg_read(&f->pci, SLOT, f->pci_cfg + 16, 4), ==, 0x01010101); /* plain bytes: no access was made */
    g_assert_cmphex(virtio_get_status(&f->loopback->base), ==, 0);
  }
  /* Registers beside the data do not make an access either. */
  point(f, 0, f->common + DEVICE_STATUS, 1);
  cfg_write(&f->pci, SLOT, f->pci_cfg + 16, 1, 1);
  point(f, 0, f->isr, 1);
  virtio_set_driver_features(&f->loopback->base, 1, 1);
  virtio_set_status(&f->loopback->base, 0xf);
  virtio_config_changed(&f->loopback->base);
  for (unsigned reg = 0; reg < 256; reg += 4)
    if (reg != f->pci_cfg + 16)
      cfg_read(&f->pci, SLOT, reg, 4);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->pci_cfg + 16, 1), ==, 2); /* ISR status, still there */
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->pci_cfg + 16, 1), ==, 0);
}

static void test_names(Fixture *f, gconstpointer data) {
  uint64_t offset;
  const Device *window = bus_find(f->pci.bus, WINDOW32, &offset);
  uint64_t base = f->common - WINDOW32;

  g_assert_cmpstr(window->ops->register_name(window, base + DEVICE_STATUS), ==, "device_status");
  g_assert_cmpstr(window->ops->register_name(window, base + QUEUE_DRIVER + 4), ==, "queue_driver_hi");
  g_assert_null(window->ops->register_name(window, base + 0x80));
  g_assert_cmpstr(window->ops->register_name(window, f->notify + 4 - WINDOW32), ==, "queue_notify");
  g_assert_cmpstr(window->ops->register_name(window, f->isr - WINDOW32), ==, "isr_status");
  g_assert_cmpstr(window->ops->register_name(window, f->table + 0x10 - WINDOW32), ==, "msix_table");
}

/* Shortcuts. */

static void connect(Fixture *f, FakeShortcuts *fake) {
  const DeviceSlot slot = {.base = ECAM, .size = PCI_ECAM_BUS_SIZE};

  fake_shortcuts_init(fake);
  device_connect(f->pci.host, &slot, &fake->shortcuts);
  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, 0);
  enable_memory(f);
}

/* What the guest loads is the device's configuration, after whatever has happened. */
static void test_page(Fixture *f, gconstpointer data) {
  GRand *rand = g_rand_new_with_seed(41);
  static FakeShortcuts fake;
  uint64_t value;

  connect(f, &fake);
  g_assert_false(fake_shortcuts_read(&fake, f->device, 1, &value)); /* nobody has asked for it */
  for (unsigned i = 0; i < 2; i++)
    bus_read(f->pci.bus, f->device, 4);
  for (unsigned i = 0; i < 5000; i++) {
    if (g_rand_boolean(rand)) {
      f->loopback->config[g_rand_int_range(rand, 0, LOOPBACK_CONFIG_SIZE)] = (uint8_t)g_rand_int(rand);
      virtio_config_changed(&f->loopback->base);
    } else {
      unsigned size = 1u << g_rand_int_range(rand, 0, 4);
      bus_write(f->pci.bus, f->device + ((uint64_t)g_rand_int_range(rand, 0, 0x20) & ~(uint64_t)(size - 1)), size, g_rand_int(rand));
    }
    for (unsigned at = 0; at < 0x20; at++) {
      g_assert_true(fake_shortcuts_read(&fake, f->device + at, 1, &value));
      g_assert_cmphex(value, ==, at < LOOPBACK_CONFIG_SIZE ? f->loopback->config[at] : 0);
      g_assert_cmphex(value, ==, bus_read(f->pci.bus, f->device + at, 1));
    }
  }
  g_rand_free(rand);
}

/*
 * It moves with the BAR, and is gone with memory decoding. Registers that are only written may be deferred; those
 * that start something may not.
 */
static void test_shortcuts_follow_bar(Fixture *f, gconstpointer data) {
  static FakeShortcuts fake;
  uint64_t value;

  connect(f, &fake);
  for (unsigned i = 0; i < 2; i++)
    bus_read(f->pci.bus, f->device, 4);
  g_assert_true(fake_shortcuts_is_deferred(&fake, f->common + QUEUE_DESC, 8));
  g_assert_true(fake_shortcuts_is_deferred(&fake, f->common + QUEUE_DEVICE + 4, 4));
  g_assert_true(fake_shortcuts_is_deferred(&fake, f->common + QUEUE_SELECT, 2));
  g_assert_true(fake_shortcuts_is_deferred(&fake, f->common + DRIVER_FEATURE, 4));
  g_assert_false(fake_shortcuts_is_deferred(&fake, f->common + DEVICE_STATUS, 1));
  g_assert_false(fake_shortcuts_is_deferred(&fake, f->common + QUEUE_DEVICE + 4, 8));
  g_assert_false(fake_shortcuts_read(&fake, f->common, 4, &value)); /* what is deferred must not be read early */
  g_assert_true(fake_shortcuts_is_deferred(&fake, f->table + 8, 4));
  g_assert_false(fake_shortcuts_is_deferred(&fake, f->table + 12, 4)); /* the mask */
  g_assert_false(fake_shortcuts_read(&fake, f->isr, 1, &value));       /* its read clears it */
  g_assert_false(fake_shortcuts_read(&fake, f->table, 4, &value));
  unsigned n = fake.n;
  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, 0);
  g_assert_false(fake_shortcuts_read(&fake, f->device, 1, &value));
  g_assert_false(fake_shortcuts_is_deferred(&fake, f->common + QUEUE_DESC, 4));
  cfg_write(&f->pci, SLOT, CFG_BAR0, 4, BAR + 0x10000);
  cfg_write(&f->pci, SLOT, CFG_COMMAND, 2, COMMAND_MEMORY);
  for (unsigned i = 0; i < 2; i++)
    bus_read(f->pci.bus, f->device + 0x10000, 4);
  g_assert_cmpuint(fake.n, ==, n);
  g_assert_true(fake_shortcuts_read(&fake, f->device + 0x10000, 1, &value));
}

/*
 * The window in configuration space reads registers: while it points to one, no function's configuration space is read
 * without us.
 */
static void test_window_ends_shortcut(Fixture *f, gconstpointer data) {
  static FakeShortcuts fake;
  uint64_t value;

  connect(f, &fake);
  g_assert_true(fake_shortcuts_read(&fake, cfg_address(SLOT, 0), 4, &value));
  g_assert_cmphex(value, ==, 0x10421af4);
  cfg_write(&f->pci, SLOT, f->pci_cfg + 8, 4, (uint32_t)(f->common + DEVICE_STATUS - BAR));
  cfg_write(&f->pci, SLOT, f->pci_cfg + 12, 4, 1);
  g_assert_false(fake_shortcuts_read(&fake, cfg_address(SLOT, 0), 4, &value));
  wr(f, DEVICE_STATUS, 1, 1);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->pci_cfg + 16, 1), ==, 1);
  cfg_write(&f->pci, SLOT, f->pci_cfg + 12, 4, 0);
  g_assert_true(fake_shortcuts_read(&fake, cfg_address(SLOT, 0), 4, &value));
}

/* Anything, anywhere, of any width; then a reset makes it a device again. */
static void test_fuzz(Fixture *f, gconstpointer data) {
  static const unsigned starts[] = {0, 0x4000, 0x5000, 0x8000, 0x9000, 0xc000};
  GRand *rand = g_rand_new_with_seed(1138);

  for (unsigned i = 0; i < 30000; i++) {
    unsigned size = 1u << g_rand_int_range(rand, 0, 4);
    uint64_t offset = starts[g_rand_int_range(rand, 0, G_N_ELEMENTS(starts))] + ((unsigned)g_rand_int_range(rand, 0, 80) & ~(size - 1));
    uint32_t value = g_rand_boolean(rand) ? (uint32_t)g_rand_int_range(rand, 0, 20) : g_rand_int(rand);
    if (g_rand_int_range(rand, 0, 50) == 0)
      cfg_write(&f->pci, SLOT, (unsigned)g_rand_int_range(rand, 0, 64) * 4, 4, value);
    if (g_rand_int_range(rand, 0, 50) == 0)
      enable_memory(f);
    if (g_rand_boolean(rand))
      bus_write(f->pci.bus, BAR + offset, size, value);
    else
      bus_read(f->pci.bus, BAR + offset, size);
  }
  g_rand_free(rand);
  device_reset(f->pci.host);
  memset(f->guest.ram, 0, 0x20000);
  enable_memory(f);
  go_live(f);
  fake_offer_text(&f->driver[0], 0, "still here");
  kick(f, 0);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 1);
}

#define ADD(path, function) g_test_add("/virtio-pci/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("identity", test_identity);
  g_test_add_func("/virtio-pci/class-codes", test_class_codes);
  ADD("capabilities", test_capabilities);
  ADD("features", test_features);
  ADD("queue-fields", test_queue_fields);
  ADD("queue-out-of-range", test_queue_out_of_range);
  ADD("vectors", test_vectors);
  ADD("widths", test_widths);
  ADD("device-config", test_device_config);
  ADD("doorbells", test_doorbells);
  ADD("doorbells-refused", test_doorbells_refused);
  ADD("msix", test_msix);
  ADD("msix-masked", test_msix_masked);
  ADD("intx", test_intx);
  ADD("call", test_call);
  ADD("call-intx", test_call_intx);
  g_test_add("/virtio-pci/without-msi", Fixture, NULL, set_up_without_msi, test_without_msi, tear_down);
  ADD("needs-reset", test_needs_reset);
  ADD("reset", test_reset);
  ADD("window", test_window);
  ADD("window-wrong", test_window_wrong);
  ADD("names", test_names);
  ADD("page", test_page);
  ADD("shortcuts-follow-bar", test_shortcuts_follow_bar);
  ADD("window-ends-shortcut", test_window_ends_shortcut);
  ADD("fuzz", test_fuzz);
  return g_test_run();
}
