/* SPDX-License-Identifier: Apache-2.0 */
/* A whole machine driven over its bus, as a guest would, without KVM: what is where, and that it answers. */
#include "tests/board/board-fixture.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define PL011 0x09000000u
#define PL031 0x09010000u
#define PL061 0x09030000u
#define ECAM  0x3f000000u
#define MMIO0 0x0a000000u

#define PCI_SLOT(n) (ECAM + ((n) << 15))

static void test_uart(void) {
  BoardFixture fixture;
  board_fixture_init(&fixture, "--memory 64M", GIC_V3);
  Bus *bus = fixture.platform->bus;

  for (const char *c = "Hello"; *c; c++)
    bus_write(bus, PL011, 1, (uint8_t)*c);
  g_assert_cmpstr(fixture.console.output->str, ==, "Hello");
  g_assert_cmphex(bus_read(bus, PL011 + 0xfe0, 4), ==, 0x11);
  g_assert_cmphex(bus_read(bus, PL011 + 0x18, 4) & 0x20, ==, 0);
  board_fixture_clear(&fixture);
}

static void test_primecells(void) {
  BoardFixture fixture;
  board_fixture_init(&fixture, "--memory 64M", GIC_V3);
  Bus *bus = fixture.platform->bus;

  g_assert_cmphex(bus_read(bus, PL031 + 0xfe0, 4), ==, 0x31);
  g_assert_cmpuint(bus_read(bus, PL031, 4), >, 1600000000u);
  g_assert_cmphex(bus_read(bus, PL061 + 0xfe0, 4), ==, 0x61);
  for (unsigned i = 0; i < 3; i++) {
    static const uint32_t bases[] = {PL011, PL031, PL061};
    g_assert_cmphex(bus_read(bus, bases[i] + 0xff0, 4), ==, 0x0d);
    g_assert_cmphex(bus_read(bus, bases[i] + 0xffc, 4), ==, 0xb1);
  }
  board_fixture_clear(&fixture);
}

static void test_pci_scan(void) {
  BoardFixture fixture;
  board_fixture_init(&fixture, "--memory 64M --console virtio --rng", GIC_V3);
  Bus *bus = fixture.platform->bus;

  g_assert_cmphex(bus_read(bus, PCI_SLOT(0), 4), ==, 0xffffffff);
  g_assert_cmphex(bus_read(bus, PCI_SLOT(1), 4), ==, 0x10431af4);
  g_assert_cmphex(bus_read(bus, PCI_SLOT(2), 4), ==, 0x10441af4);
  g_assert_cmphex(bus_read(bus, PCI_SLOT(3), 4), ==, 0xffffffff);
  g_assert_cmphex(bus_read(bus, PCI_SLOT(1) + 0x1000, 4), ==, 0xffffffff); /* function 1 */
  board_fixture_clear(&fixture);
}

/* A BAR is decoded where the guest puts it, and nowhere before. */
static void test_pci_bar(void) {
  BoardFixture fixture;
  board_fixture_init(&fixture, "--memory 64M --rng", GIC_V3);
  Bus *bus = fixture.platform->bus;
  uint64_t function = PCI_SLOT(1);
  uint32_t bar = 0x10000000, common = bar + 0x4000;

  g_assert_cmphex(bus_read(bus, common + 0x12, 2), ==, 0xffff);
  bus_write(bus, function + 0x10, 4, bar);
  bus_write(bus, function + 0x04, 2, 0x2);
  g_assert_cmpuint(bus_read(bus, common + 0x12, 2), ==, 1); /* num_queues, virtio 1.2, 4.1.4.3 */
  bus_write(bus, function + 0x04, 2, 0x0);
  g_assert_cmphex(bus_read(bus, common + 0x12, 2), ==, 0xffff);
  board_fixture_clear(&fixture);
}

static void test_virtio_mmio(void) {
  BoardFixture fixture;
  board_fixture_init(&fixture, "--memory 64M --rng --transport mmio", GIC_V3);
  Bus *bus = fixture.platform->bus;

  g_assert_cmphex(bus_read(bus, MMIO0, 4), ==, 0x74726976);
  g_assert_cmpuint(bus_read(bus, MMIO0 + 4, 4), ==, 2);
  g_assert_cmpuint(bus_read(bus, MMIO0 + 8, 4), ==, 4);
  g_assert_cmphex(bus_read(bus, MMIO0 + 0x200, 4), ==, 0);
  board_fixture_clear(&fixture);
}

/* As a guest reads them, of the cards of a machine: virtio 1.2, 4.2.2 and 5.1.4. */
static void test_addresses_of_cards(void) {
  BoardFixture fixture;
  board_fixture_init(&fixture, "--memory 64M --transport mmio --name web --net user --net tap=no-such-tap", GIC_V3);

  for (unsigned i = 0; i < 2; i++) {
    uint8_t want[NET_MAC_SIZE], found[NET_MAC_SIZE];

    virtio_net_derive_mac("web", i, want);
    g_assert_cmpuint(bus_read(fixture.platform->bus, MMIO0 + 0x200 * i + 8, 4), ==, 1);
    for (unsigned k = 0; k < sizeof found; k++)
      found[k] = (uint8_t)bus_read(fixture.platform->bus, MMIO0 + 0x200 * i + 0x100 + k, 1);
    g_assert_cmpmem(found, sizeof found, want, sizeof want);
  }
  board_fixture_clear(&fixture);
}

/* Nothing a guest can read or write on the bus, in any width, brings the machine down. */
static void test_hostile(void) {
  static const char *const machines[] = {"--memory 64M --console virtio --rng", "--memory 64M --rng --transport mmio"};

  for (unsigned m = 0; m < G_N_ELEMENTS(machines); m++) {
    g_autoptr(GRand) random = g_rand_new_with_seed(20240229 + m);
    BoardFixture fixture;
    board_fixture_init(&fixture, machines[m], m ? GIC_V2 : GIC_V3);
    Bus *bus = fixture.platform->bus;
    for (unsigned i = 0; i < 200000; i++) {
      static const uint32_t bases[] = {PL011, PL031, PL061, ECAM, PCI_SLOT(1), PCI_SLOT(2), MMIO0, 0x10000000, 0x08020000};
      uint64_t address = bases[g_rand_int(random) % G_N_ELEMENTS(bases)] + g_rand_int(random) % 0x1100;
      unsigned size = 1u << g_rand_int(random) % 4;
      if (g_rand_boolean(random))
        bus_read(bus, address, size);
      else
        bus_write(bus, address, size, (uint64_t)g_rand_int(random) << 32 | g_rand_int(random));
    }
    platform_reset(fixture.platform);
    g_assert_cmphex(bus_read(bus, m ? MMIO0 : PCI_SLOT(1), 4), ==, m ? 0x74726976 : 0x10431af4);
    board_fixture_clear(&fixture);
  }
}

static unsigned open_descriptors(void) {
  g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
  unsigned n = 0;

  while (g_dir_read_name(directory))
    n++;
  return n;
}

/* What is opened with the devices; vCPUs, and the interrupts that a guest asks for, come to it. */
static void test_descriptors(void) {
  static const char *const machines[] = {"--no-defaults", "--rng", "--console virtio --rng --disk @ --disk @",
                                         "--power-button both --rng --transport mmio --disk @"};
  g_autofree char *image = NULL;
  int fd = g_file_open_tmp("eret-disk-XXXXXX", &image, NULL);

  g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
  close(fd);
  g_autofree char *disk = g_strconcat(image, ",ro", NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
    g_auto(GStrv) parts = g_strsplit(machines[i], "@", -1);
    g_autofree char *arguments = g_strjoinv(disk, parts);
    BoardFixture fixture;
    unsigned before = open_descriptors();
    board_fixture_init(&fixture, arguments, GIC_V3);
    g_assert_cmpuint(open_descriptors() - before, <=, board_descriptors(fixture.board));
    board_fixture_clear(&fixture);
    g_assert_cmpuint(open_descriptors(), ==, before);
  }
  g_assert_cmpint(g_unlink(image), ==, 0);
}

static void quiet(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_handler("eret", G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO, quiet, NULL);
  g_test_add_func("/mmio/uart", test_uart);
  g_test_add_func("/mmio/primecells", test_primecells);
  g_test_add_func("/mmio/pci-scan", test_pci_scan);
  g_test_add_func("/mmio/pci-bar", test_pci_bar);
  g_test_add_func("/mmio/virtio-mmio", test_virtio_mmio);
  g_test_add_func("/mmio/addresses-of-cards", test_addresses_of_cards);
  g_test_add_func("/mmio/hostile", test_hostile);
  g_test_add_func("/mmio/descriptors", test_descriptors);
  return g_test_run();
}
