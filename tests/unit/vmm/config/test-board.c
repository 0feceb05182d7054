/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board plan: vmm/config/board.c. Addresses are spelled out here on purpose: they are an interface that guests are
 * built for.
 */
#include <glib.h>
#include <string.h>

#include "vmm/config/board.h"

/* A configuration as `eret run ARGUMENTS...` makes it. */
static Config *configure(const char *arguments) {
  g_autofree char *line = g_strconcat("--dry-run ", arguments, NULL);
  g_auto(GStrv) argv = g_strsplit(line, " ", -1);
  g_autoptr(GError) error = NULL;
  bool help = false;
  Config *config = config_parse((int)g_strv_length(argv), argv, &help, &error);

  g_assert_no_error(error);
  return config;
}

static const BoardDevice *find(const Board *board, const char *name) {
  for (unsigned i = 0; i < board->devices->len; i++) {
    const BoardDevice *device = g_ptr_array_index(board->devices, i);
    if (strcmp(device->name, name) == 0)
      return device;
  }
  return NULL;
}

static void test_defaults(void) {
  g_autoptr(Config) config = configure("--memory 512M");
  g_autoptr(GError) error = NULL;
  g_autoptr(Board) board = board_new(config, GIC_V3, &error);

  g_assert_no_error(error);
  g_assert_cmphex(board->ram.base, ==, 0x40000000);
  g_assert_cmphex(board->ram.size, ==, 0x20000000);
  g_assert_cmphex(find(board, "pl011")->slot.base, ==, 0x09000000);
  g_assert_cmpuint(find(board, "pl011")->slot.spi, ==, 1);
  g_assert_cmphex(find(board, "pl031")->slot.base, ==, 0x09010000);
  g_assert_cmpuint(find(board, "pl031")->slot.spi, ==, 2);
  g_assert_cmphex(find(board, "pl061")->slot.base, ==, 0x09030000);
  g_assert_cmpuint(find(board, "pl061")->slot.spi, ==, 7);
  g_assert_cmphex(find(board, "pci")->slot.base, ==, 0x3f000000);
  g_assert_cmphex(board->redistributors[0].base, ==, 0x080a0000);
  g_assert_cmphex(board->redistributors[0].size, ==, 0x20000);
  g_assert_cmphex(board->redistributors[1].size, ==, 0);
  g_assert_cmpuint(board->ipa_bits, ==, 36);
  g_assert_null(find(board, "gicv2m"));
  g_assert_cmpstr(board->config->append, ==, "");
}

static void test_gicv2(void) {
  g_autoptr(Config) config = configure("--cpus 8");
  g_autoptr(Config) too_many = configure("--cpus 9");
  g_autoptr(GError) error = NULL;
  g_autoptr(Board) board = board_new(config, GIC_V2, &error);

  g_assert_no_error(error);
  g_assert_cmphex(find(board, "gicv2m")->slot.base, ==, 0x08020000);
  g_assert_null(board_new(too_many, GIC_V2, &error));
  g_assert_error(error, BOARD_ERROR, BOARD_ERROR_TOO_MANY);
  g_assert_nonnull(strstr(error->message, "at most 8"));
}

static void test_many_cpus(void) {
  g_autoptr(Config) most_low = configure("--cpus 123");
  g_autoptr(Config) one_more = configure("--cpus 124");
  g_autoptr(Config) all = configure("--cpus 512");
  g_autoptr(Board) low = board_new(most_low, GIC_V3, NULL);
  g_autoptr(Board) high = board_new(one_more, GIC_V3, NULL);
  g_autoptr(Board) full = board_new(all, GIC_V3, NULL);

  g_assert_cmphex(low->redistributors[0].size, ==, 0xf60000);
  g_assert_cmphex(low->redistributors[1].size, ==, 0);
  g_assert_cmphex(high->redistributors[0].size, ==, 0xf60000);
  g_assert_cmphex(high->redistributors[1].base, ==, 39ull << 30);
  g_assert_cmphex(high->redistributors[1].size, ==, 0x20000);
  g_assert_cmpuint(full->redistributors[1].size + full->redistributors[0].size, ==, 512 * 0x20000);
  g_assert_cmpuint(full->ipa_bits, ==, 36);
}

/* A guest of up to 32 GiB fits 36 bits of address; bigger ones get what they need. */
static void test_address_bits(void) {
  static const struct {
    const char *memory;
    unsigned bits;
    uint64_t window64;
  } cases[] = {
      {"16M", 36, 40ull << 30}, {"32G", 36, 40ull << 30}, {"38G", 36, 40ull << 30},
      {"39G", 36, 41ull << 30}, {"64G", 37, 66ull << 30}, {"1T", 41, 1026ull << 30},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *arguments = g_strconcat("--memory ", cases[i].memory, NULL);
    g_autoptr(Config) config = configure(arguments);
    g_autoptr(Board) board = board_new(config, GIC_V3, NULL);
    g_assert_cmpuint(board->ipa_bits, ==, cases[i].bits);
    g_assert_cmphex(board->pci.base64, ==, cases[i].window64);
    g_assert_cmphex(board->pci.base64, >=, board->ram.base + board->ram.size);
  }
}

static void test_no_defaults(void) {
  g_autoptr(Config) bare = configure("--no-defaults --memory 1G");
  g_autoptr(Config) console = configure("--no-defaults --console pl011");
  g_autoptr(Config) rng = configure("--no-defaults --rng");
  g_autoptr(Board) nothing = board_new(bare, GIC_V3, NULL);
  g_autoptr(Board) with_console = board_new(console, GIC_V3, NULL);
  g_autoptr(Board) with_rng = board_new(rng, GIC_V3, NULL);

  g_assert_cmpuint(nothing->devices->len, ==, 0);
  g_assert_cmpuint(nothing->ipa_bits, ==, 32);
  g_assert_cmpuint(with_console->devices->len, ==, 1);
  g_assert_nonnull(find(with_console, "pl011"));
  g_assert_cmpuint(with_rng->devices->len, ==, 2);
  g_assert_nonnull(find(with_rng, "pci"));
  g_assert_cmpint(find(with_rng, "virtio-rng")->pci_slot, ==, 1);
}

/* Behind what there was before it, on either transport; with as many descriptors as it may have connections. */
static void test_vsock(void) {
  g_autoptr(Config) pci = configure("--rng --vsock 77,unix=somewhere");
  g_autoptr(Config) mmio = configure("--rng --transport mmio --vsock auto,unix=somewhere --no-defaults");
  g_autoptr(Config) without = configure("--rng");
  g_autoptr(Board) on_pci = board_new(pci, GIC_V3, NULL);
  g_autoptr(Board) on_mmio = board_new(mmio, GIC_V3, NULL);
  g_autoptr(Board) neither = board_new(without, GIC_V3, NULL);
  g_autofree char *plan = board_print(on_pci, on_pci->config->append);

  g_assert_cmpint(find(on_pci, "virtio-rng")->pci_slot, ==, 1);
  g_assert_cmpint(find(on_pci, "virtio-vsock0")->pci_slot, ==, 2);
  g_assert_cmphex(find(on_mmio, "virtio-vsock0")->slot.base, ==, 0x0a000200);
  g_assert_nonnull(strstr(plan, "CID 77, somewhere"));
  g_assert_cmpuint(board_descriptors(on_pci), >=, board_descriptors(neither) + 2048);
}

static void test_transports(void) {
  g_autoptr(Config) pci = configure("--console virtio --rng");
  g_autoptr(Config) mmio = configure("--console virtio --rng --transport mmio");
  g_autoptr(Board) on_pci = board_new(pci, GIC_V3, NULL);
  g_autoptr(Board) on_mmio = board_new(mmio, GIC_V3, NULL);

  g_assert_cmpint(find(on_pci, "virtio-console")->pci_slot, ==, 1);
  g_assert_cmpint(find(on_pci, "virtio-rng")->pci_slot, ==, 2);
  g_assert_null(find(on_pci, "pl011"));
  g_assert_null(find(on_mmio, "pci"));
  g_assert_cmphex(find(on_mmio, "virtio-console")->slot.base, ==, 0x0a000000);
  g_assert_cmpuint(find(on_mmio, "virtio-console")->slot.spi, ==, 16);
  g_assert_cmphex(find(on_mmio, "virtio-rng")->slot.base, ==, 0x0a000200);
  g_assert_cmpuint(find(on_mmio, "virtio-rng")->slot.spi, ==, 17);
}

/* A disk of several queues has a ring, a thread and more for each. */
static void test_disk_descriptors(void) {
  g_autoptr(Config) one = configure("--disk LICENSE,ro,queues=1"), five = configure("--disk LICENSE,ro,queues=5");
  g_autoptr(Board) with_one = board_new(one, GIC_V3, NULL), with_five = board_new(five, GIC_V3, NULL);

  g_assert_cmpuint(board_descriptors(with_five), ==, board_descriptors(with_one) + 4 * 5);
}

/* What hears the button is the kernel's choice; a machine with a disk has both, unless somebody chose. */
static void test_power_buttons(void) {
  static const struct {
    const char *arguments;
    bool gpio, virtio;
  } cases[] = {
      {"--cpus 1", true, false},
      {"--disk LICENSE,ro", true, true},
      {"--disk LICENSE,ro --no-defaults", false, false},
      {"--disk LICENSE,ro --power-button gpio", true, false},
      {"--power-button virtio", false, true},
      {"--power-button both --no-defaults", true, true},
      {"--disk LICENSE,ro --power-button none", false, false},
      {"--disk LICENSE,ro --transport mmio", true, true},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Config) config = configure(cases[i].arguments);
    g_autoptr(Board) board = board_new(config, GIC_V3, NULL);
    g_assert_cmpint(board_find(board, &pl061_kind) != NULL, ==, cases[i].gpio);
    g_assert_cmpint(board_find(board, &virtio_input_kind) != NULL, ==, cases[i].virtio);
    /* It comes last, so that disks keep their places. */
    const BoardDevice *last = g_ptr_array_index(board->devices, board->devices->len - 1);
    g_assert_cmpint(last->kind == &virtio_input_kind, ==, cases[i].virtio);
    /* On PCI it would cost each guest exits. */
    bool second = strstr(cases[i].arguments, "--transport mmio");
    if (cases[i].virtio) {
      g_assert_cmpint(last->pci_slot, ==, -1);
      g_assert_cmphex(last->slot.base, ==, second ? 0x0a000200 : 0x0a000000);
      g_assert_cmpuint(last->slot.spi, ==, second ? 17 : 16);
    }
    /* The guest of eret exec is ended in another way. */
    config->ports = true;
    g_autoptr(Board) exec = board_new(config, GIC_V3, NULL);
    g_assert_cmpint(board_find(exec, &virtio_input_kind) != NULL, ==, cases[i].virtio && config->power_button != POWER_BUTTON_AUTO);
  }
}

/* Of 32 places on virtio-mmio it takes one that is left, unless it was asked for. */
static void test_button_makes_room(void) {
  GString *disks = g_string_new("--transport mmio");
  for (unsigned i = 0; i < 31; i++)
    g_string_append(disks, " --disk LICENSE,ro");
  g_autofree char *full = g_strconcat(disks->str, " --rng", NULL);
  g_autoptr(Config) with_room = configure(disks->str), without = configure(full), too_many = configure(full);
  g_autoptr(GError) error = NULL;
  g_autoptr(Board) first = board_new(with_room, GIC_V3, &error), second = board_new(without, GIC_V3, &error);

  g_assert_no_error(error);
  g_assert_nonnull(board_find(first, &virtio_input_kind));
  g_assert_null(board_find(second, &virtio_input_kind));
  too_many->power_button = POWER_BUTTON_BOTH;
  g_assert_null(board_new(too_many, GIC_V3, &error));
  g_assert_error(error, BOARD_ERROR, BOARD_ERROR_TOO_MANY);
  g_string_free(disks, TRUE);
}

/* Memory is another process's only where there is one that works on it. */
static void test_shared_memory(void) {
  g_autoptr(Config) alone = configure("--disk LICENSE,ro --rng --console virtio"),
                    shared = configure("--rng --device vhost-user=/x,type=rng --device vhost-user=/y,type=fs");
  g_autoptr(Board) without = board_new(alone, GIC_V3, NULL), with = board_new(shared, GIC_V3, NULL);

  g_assert_false(board_shares_memory(without));
  g_assert_true(board_shares_memory(with));
  g_autoptr(Config) served = configure("--disk LICENSE,ro,format=qcow2"), remote = configure("--disk nbd=nbd://h/x");
  g_autoptr(Board) by_format = board_new(served, GIC_V3, NULL), by_network = board_new(remote, GIC_V3, NULL);
  g_assert_true(board_shares_memory(by_format) && board_shares_memory(by_network));
  const BoardDevice *last = g_ptr_array_index(with->devices, with->devices->len - 1);
  g_assert_true(last->kind == &virtio_vhost_user_kind);
  g_assert_cmpstr(last->name, ==, "vhost-user1");
  g_assert_cmpint(last->pci_slot, ==, 3);
  g_autofree char *plan = board_print(with, with->config->append);
  g_assert_nonnull(strstr(plan, "fs at /y"));
  g_autoptr(Config) directory = configure("--share /,tag=all,ro");
  g_autoptr(Board) with_directory = board_new(directory, GIC_V3, NULL);
  const BoardDevice *fs = board_find(with_directory, &virtio_fs_kind);
  g_assert_true(board_shares_memory(with_directory));
  g_assert_cmpstr(fs->name, ==, "virtio-fs0");
  g_autofree char *shown = board_print(with_directory, "");
  g_assert_nonnull(strstr(shown, "/ as all, read-only"));
}

static void test_bootargs(void) {
  static const struct {
    const char *arguments, *bootargs;
  } cases[] = {
      {"--console virtio", "console=hvc0"},
      {"--console virtio --append quiet", "console=hvc0 quiet"},
      {"--console virtio --append console=ttyS9", "console=ttyS9"},
      {"--console pl011 --append quiet", "quiet"},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Config) config = configure(cases[i].arguments);
    g_autoptr(Board) board = board_new(config, GIC_V3, NULL);
    g_assert_cmpstr(board->config->append, ==, cases[i].bootargs);
  }
}

static void test_mpidr(void) {
  g_assert_cmphex(board_mpidr(0), ==, 0);
  g_assert_cmphex(board_mpidr(15), ==, 0x0f);
  g_assert_cmphex(board_mpidr(16), ==, 0x100);
  g_assert_cmphex(board_mpidr(0x123), ==, 0x1203);
  g_assert_cmphex(board_mpidr(511), ==, 0x1f0f);
}

static void test_print(void) {
  g_autoptr(Config) config = configure("--memory 256M --cpus 2 --console virtio --rng --append quiet");
  g_autoptr(Board) board = board_new(config, GIC_V3, NULL);
  g_autofree char *text = board_print(board, board->config->append);
  g_autofree char *again = board_print(board, board->config->append);

  g_assert_cmpstr(text, ==, again);
  g_assert_nonnull(strstr(text, "CPUs      2,"));
  g_assert_nonnull(strstr(text, "memory    256 MiB"));
  g_assert_nonnull(strstr(text, "bootargs  console=hvc0 quiet"));
  g_assert_nonnull(strstr(text, "0x0040000000-0x004fffffff  ram"));
  g_assert_nonnull(strstr(text, "virtio-console"));
  g_assert_nonnull(strstr(text, "PCI 00:02.0"));
}

/* What the guest finds, which an overlay may have written; the key that is not there yet; in which order it boots. */
static void test_print_boot(void) {
  g_autoptr(Config) config = configure("--append quiet --name x --ssh --net user,bootindex=1 --disk LICENSE,ro,bootindex=2");
  g_autoptr(Config) alone = configure("--name x --ssh"), plain = configure("--rng");
  g_autoptr(Board) board = board_new(config, GIC_V3, NULL), with_key = board_new(alone, GIC_V3, NULL),
                   without = board_new(plain, GIC_V3, NULL);
  g_autofree char *ours = board_print(board, "quiet"), *theirs = board_print(board, "loud"), *key = board_print(with_key, "");
  g_autofree char *none = board_print(without, "");
  const char *credentials = "(credentials with a key of eret's own, which the first run makes)\n";

  g_autofree char *both = g_strconcat("\nbootargs  quiet ", credentials, NULL), *one = g_strconcat("\nbootargs  ", credentials, NULL);
  g_assert_nonnull(strstr(ours, both));
  g_assert_nonnull(strstr(ours, "\nboot order  virtio-net0, virtio-blk0\n"));
  g_assert_nonnull(strstr(theirs, "\nbootargs  loud\n"));
  g_assert_nonnull(strstr(key, one));
  g_assert_nonnull(strstr(none, "\nbootargs  (none)\n"));
  g_assert_null(strstr(none, "boot order"));
}

static void test_print_flash(void) {
  g_autoptr(Config) kept = configure("--firmware LICENSE,vars=LICENSE.vars"), lost = configure("--firmware LICENSE");
  g_autoptr(Board) with = board_new(kept, GIC_V3, NULL), without = board_new(lost, GIC_V3, NULL);
  g_autofree char *text = board_print(with, with->config->append), *other = board_print(without, without->config->append);

  g_assert_nonnull(strstr(text, "0x0000000000-0x0007ffffff  flash0\n"
                                "  0x0000000000-0x0003ffffff    firmware       LICENSE\n"
                                "  0x0004000000-0x0007ffffff    variables      LICENSE.vars\n"));
  g_assert_nonnull(strstr(other, "  variables      gone when the machine ends\n"));
}

int main(int argc, char **argv) {
  g_setenv("XDG_DATA_HOME", "/nowhere", TRUE); /* where no key is, before GLib has looked */
  g_setenv("XDG_RUNTIME_DIR", "/nowhere", TRUE);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/board/disk-descriptors", test_disk_descriptors);
  g_test_add_func("/board/defaults", test_defaults);
  g_test_add_func("/board/gicv2", test_gicv2);
  g_test_add_func("/board/many-cpus", test_many_cpus);
  g_test_add_func("/board/address-bits", test_address_bits);
  g_test_add_func("/board/no-defaults", test_no_defaults);
  g_test_add_func("/board/vsock", test_vsock);
  g_test_add_func("/board/transports", test_transports);
  g_test_add_func("/board/power-buttons", test_power_buttons);
  g_test_add_func("/board/button-makes-room", test_button_makes_room);
  g_test_add_func("/board/shared-memory", test_shared_memory);
  g_test_add_func("/board/bootargs", test_bootargs);
  g_test_add_func("/board/mpidr", test_mpidr);
  g_test_add_func("/board/print", test_print);
  g_test_add_func("/board/print-boot", test_print_boot);
  g_test_add_func("/board/print-flash", test_print_flash);
  return g_test_run();
}
