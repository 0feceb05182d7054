/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans the board. One function, place_devices, says which devices there are and where; the rest is arithmetic and
 * printing.
 */
#include "vmm/config/board.h"

#include <string.h>

#include "devices/gicv2m.h"
#include "devices/pci/pci.h"
#include "devices/printable.h"
#include "devices/virtio/console-ports.h"
#include "devices/virtio/transport.h"
#include "devices/virtio/virtio.h"

#define MIB (UINT64_C(1) << 20)

G_DEFINE_QUARK(eret_board_error, board_error)

static void board_device_free(gpointer data) {
  BoardDevice *device = data;
  g_free(device->name);
  g_free(device);
}

void board_free(Board *board) {
  if (!board)
    return;
  g_clear_pointer(&board->devices, g_ptr_array_unref);
  g_free(board);
}

bool board_has(const Board *board, BoardDeviceKind kind) {
  for (unsigned i = 0; i < board->devices->len; i++)
    if (((const BoardDevice *)g_ptr_array_index(board->devices, i))->kind == kind)
      return true;
  return false;
}

unsigned board_descriptors(const Board *board) {
  enum { OF_THE_VM = 16, OF_A_CPU = 2, OF_A_VIRTIO_DEVICE = 8 }; /* its back end, its thread, an event for each queue and message */
  unsigned n = OF_THE_VM + OF_A_CPU * board->cpus;

  for (unsigned i = 0; i < board->devices->len; i++) {
    BoardDeviceKind kind = ((const BoardDevice *)g_ptr_array_index(board->devices, i))->kind;
    if (kind == BOARD_VIRTIO_CONSOLE_PORTS)
      n += 2 * VIRTIO_CONSOLE_PORTS_MAX;
    if (kind >= BOARD_VIRTIO_CONSOLE)
      n += OF_A_VIRTIO_DEVICE;
  }
  return n;
}

uint64_t board_mpidr(unsigned index) {
  /* Linux: arch/arm64/kvm/sys_regs.c, reset_mpidr: Aff0 is 4 bits, as ICC_SGI1R_EL1's target list holds 16. */
  return (uint64_t)(index & 0xf) | (uint64_t)((index >> 4) & 0xff) << 8 | (uint64_t)((index >> 12) & 0xff) << 16;
}

static BoardDevice *add_device(Board *board, BoardDeviceKind kind, char *name) {
  BoardDevice *device = g_new0(BoardDevice, 1);
  device->kind = kind;
  device->name = name;
  device->pci_slot = -1;
  device->slot.spi = DEVICE_NO_SPI;
  g_ptr_array_add(board->devices, device);
  return device;
}

static void add_mapped(Board *board, BoardDeviceKind kind, const char *name, const AddressRange *range, uint32_t spi) {
  BoardDevice *device = add_device(board, kind, g_strdup(name));
  device->slot = (DeviceSlot){.base = range->base, .size = range->size, .spi = spi, .trigger = FDT_IRQ_LEVEL_HIGH};
}

static BoardDevice *add_virtio_mmio(Board *board, BoardDeviceKind kind, char *name, unsigned place) {
  BoardDevice *device = add_device(board, kind, name);

  device->slot = (DeviceSlot){
      .base = LAYOUT.virtio_mmio.base + (uint64_t)place * VIRTIO_MMIO_SIZE,
      .size = VIRTIO_MMIO_SIZE,
      .spi = LAYOUT_SPI_VIRTIO_MMIO + place,
      .trigger = FDT_IRQ_EDGE_RISING,
  };
  return device;
}

/* The next place on the virtio transport in use. */
static BoardDevice *add_virtio(Board *board, BoardDeviceKind kind, char *name, unsigned *next) {
  unsigned place = (*next)++;

  if (board->config->transport == TRANSPORT_MMIO)
    return add_virtio_mmio(board, kind, name, place);
  BoardDevice *device = add_device(board, kind, name);
  device->pci_slot = (int)place + 1; /* device 0 is where a host bridge would be */
  return device;
}

/*
 * A kernel hears the button that it has a driver for, so both are there where a distribution's kernel may be: what has
 * a disk; eret exec ends its guest in another way. The virtio button is a device of virtio-mmio, whatever the transport
 * of the others is: on the PCI bus each guest would set it up, and that costs exits, while this way only one does that
 * has the driver.
 */
static bool has_virtio_button(const Config *config) {
  if (config->power_button == POWER_BUTTON_AUTO)
    return config->defaults && config->disks->len > 0 && !config->ports;
  return config->power_button == POWER_BUTTON_VIRTIO || config->power_button == POWER_BUTTON_BOTH;
}

static bool has_gpio_button(const Config *config) {
  if (config->power_button == POWER_BUTTON_AUTO)
    return config->defaults;
  return config->power_button == POWER_BUTTON_GPIO || config->power_button == POWER_BUTTON_BOTH;
}

/* Which devices, and where. Linux names disks in the order of discovery: that of --disk. */
static bool place_devices(Board *board, GError **error) {
  const Config *config = board->config;
  unsigned n_virtio = (config->console == CONSOLE_VIRTIO) + config->ports + config->disks->len + config->rng;
  unsigned most = config->transport == TRANSPORT_PCI ? PCI_MAX_DEVICES - 1 : LAYOUT_VIRTIO_MMIO_SLOTS;
  unsigned next = 0;
  /* Where nobody asked for it, it takes no place that another device needs. */
  bool button =
      has_virtio_button(config) && (config->transport == TRANSPORT_PCI || config->power_button != POWER_BUTTON_AUTO || n_virtio < most);
  n_virtio += button && config->transport == TRANSPORT_MMIO;
  bool pci = config->transport == TRANSPORT_PCI && (config->defaults || n_virtio > 0);

  if (n_virtio > most) {
    g_set_error(error, BOARD_ERROR, BOARD_ERROR_TOO_MANY, "%u virtio devices do not fit: %s has room for %u", n_virtio,
                config->transport == TRANSPORT_PCI ? "the PCI bus" : "virtio-mmio", most);
    return false;
  }

  if (config->console == CONSOLE_PL011)
    add_mapped(board, BOARD_PL011, "pl011", &LAYOUT.pl011, LAYOUT_SPI_PL011);
  if (config->defaults)
    add_mapped(board, BOARD_PL031, "pl031", &LAYOUT.pl031, LAYOUT_SPI_PL031);
  if (has_gpio_button(config))
    add_mapped(board, BOARD_PL061, "pl061", &LAYOUT.pl061, LAYOUT_SPI_PL061);
  if (config->defaults)
    add_mapped(board, BOARD_HYPERCALL_DOORBELL, "hypercall", &LAYOUT.hypercall_doorbell, DEVICE_NO_SPI);
  if (config->scratch)
    add_mapped(board, BOARD_SCRATCH, "scratch", &LAYOUT.scratch, DEVICE_NO_SPI);
  if (pci && board->gic == GIC_V2)
    add_mapped(board, BOARD_GICV2M, "gicv2m", &LAYOUT.gicv2m, DEVICE_NO_SPI);
  if (pci)
    add_mapped(board, BOARD_PCI_HOST, "pci", &LAYOUT.pci_ecam, LAYOUT_SPI_PCI_INTX);

  if (config->console == CONSOLE_VIRTIO)
    add_virtio(board, BOARD_VIRTIO_CONSOLE, g_strdup("virtio-console"), &next);
  if (config->ports)
    add_virtio(board, BOARD_VIRTIO_CONSOLE_PORTS, g_strdup("virtio-ports"), &next);
  for (unsigned i = 0; i < config->disks->len; i++)
    add_virtio(board, BOARD_VIRTIO_BLK, g_strdup_printf("virtio-blk%u", i), &next)->disk = g_ptr_array_index(config->disks, i);
  if (config->rng)
    add_virtio(board, BOARD_VIRTIO_RNG, g_strdup("virtio-rng"), &next);
  if (button)
    add_virtio_mmio(board, BOARD_VIRTIO_INPUT, g_strdup("virtio-input"), config->transport == TRANSPORT_MMIO ? next : 0);
  return true;
}

static bool place_cpus(Board *board, GError **error) {
  unsigned low = LAYOUT.gic_redistributor.size / LAYOUT_GIC_REDISTRIBUTOR_STRIDE;

  if (board->gic == GIC_V2) {
    if (board->cpus <= LAYOUT_GICV2_MAX_CPUS)
      return true;
    g_set_error(error, BOARD_ERROR, BOARD_ERROR_TOO_MANY, "%u CPUs are too many: GICv2 serves at most %d", board->cpus,
                LAYOUT_GICV2_MAX_CPUS);
    return false;
  }
  board->redistributors[0] = LAYOUT.gic_redistributor;
  board->redistributors[0].size = (uint64_t)MIN(board->cpus, low) * LAYOUT_GIC_REDISTRIBUTOR_STRIDE;
  return true;
}

/* What lies above RAM. */
static void place_high(Board *board) {
  unsigned low = LAYOUT.gic_redistributor.size / LAYOUT_GIC_REDISTRIBUTOR_STRIDE;
  uint64_t ram_end = board->ram.base + board->ram.size;
  uint64_t high = MAX(LAYOUT_HIGH_MIN, (ram_end + LAYOUT_HIGH_ALIGN - 1) & ~(LAYOUT_HIGH_ALIGN - 1));

  board->end = ram_end;
  if (board->gic == GIC_V3 && board->cpus > low) {
    board->redistributors[1] = (AddressRange){high, (uint64_t)(board->cpus - low) * LAYOUT_GIC_REDISTRIBUTOR_STRIDE};
    board->end = high + board->redistributors[1].size;
  }
  if (board_has(board, BOARD_PCI_HOST)) {
    board->pci_window64 = (AddressRange){high + LAYOUT_HIGH_PCI_OFFSET, LAYOUT_PCI_WINDOW64_SIZE};
    board->end = board->pci_window64.base + board->pci_window64.size;
  }
  board->ipa_bits = MAX(32, 64 - (unsigned)__builtin_clzll(board->end - 1));
}

static bool choose_ipa_bits(Board *board, GError **error) {
  unsigned wanted = board->config->ipa_bits;

  if (wanted && wanted < board->ipa_bits) {
    g_set_error(error, BOARD_ERROR, BOARD_ERROR_ADDRESSES, "%u bits are too few: this machine needs %u bits of guest physical address",
                wanted, board->ipa_bits);
    return false;
  }
  board->ipa_bits = wanted ? wanted : board->ipa_bits;
  return true;
}

Board *board_new(const Config *config, GicVersion gic, GError **error) {
  g_autoptr(Board) board = g_new0(Board, 1);

  board->config = config;
  board->gic = gic;
  board->cpus = config->cpus;
  board->ram = (AddressRange){LAYOUT.ram_base, config->memory};
  board->devices = g_ptr_array_new_with_free_func(board_device_free);
  if (!place_cpus(board, error) || !place_devices(board, error))
    return NULL;
  place_high(board);
  if (!choose_ipa_bits(board, error))
    return NULL;
  return g_steal_pointer(&board);
}

static void print_range(GString *text, const char *name, const AddressRange *range, const char *note) {
  g_string_append_printf(text, "  0x%010" G_GINT64_MODIFIER "x-0x%010" G_GINT64_MODIFIER "x  %s%*s%s\n", range->base,
                         range->base + range->size - 1, name, *note ? MAX(1, 17 - (int)strlen(name)) : 0, "", note);
}

static void print_device(GString *text, const Board *board, const BoardDevice *device) {
  g_autofree char *path = device->disk ? printable_line_escaped(device->disk->path, -1) : g_strdup("");
  g_autofree char *disk = g_strconcat(path, device->disk && device->disk->read_only ? " (read-only)" : "", NULL);

  if (device->pci_slot >= 0) {
    g_autofree char *place = g_strdup_printf("PCI 00:%02x.0", (unsigned)device->pci_slot);
    g_string_append_printf(text, "  %-26s  %-16s MSI-X, else INTx SPI %u%s%s\n", place, device->name,
                           LAYOUT_SPI_PCI_INTX + (unsigned)device->pci_slot % 4, *disk ? "; " : "", disk);
    return;
  }
  AddressRange range = {device->slot.base, device->slot.size};
  g_autofree char *note = NULL;
  if (device->kind == BOARD_PCI_HOST)
    note = g_strdup_printf("ECAM, bus 0; INTA-INTD SPI %u-%u; MSI by %s", device->slot.spi, device->slot.spi + 3,
                           board->gic == GIC_V3 ? "ITS" : "GICv2m");
  else if (device->kind == BOARD_HYPERCALL_DOORBELL)
    note = g_strdup("doorbell page");
  else if (device->kind == BOARD_SCRATCH)
    note = g_strdup("holds what is written");
  else if (device->slot.spi == DEVICE_NO_SPI)
    note = g_strdup_printf("MSI to SPI %u-%u", LAYOUT_SPI_GICV2M, LAYOUT_SPI_GICV2M + LAYOUT_GICV2M_SPIS - 1);
  else
    note = g_strdup_printf("SPI %u %s %s", device->slot.spi, device->slot.trigger == FDT_IRQ_EDGE_RISING ? "edge" : "level", disk);
  print_range(text, device->name, &range, g_strchomp(note));
  if (device->kind == BOARD_PCI_HOST) {
    print_range(text, "  memory, 32 bit", &LAYOUT.pci_window32, "");
    print_range(text, "  memory, 64 bit", &board->pci_window64, "prefetchable");
  }
}

static void print_gic(GString *text, const Board *board) {
  print_range(text, "gic", &LAYOUT.gic_distributor, board->gic == GIC_V3 ? "GICv3 distributor" : "GICv2 distributor");
  if (board->gic == GIC_V2) {
    print_range(text, "  cpu interface", &LAYOUT.gic_cpu_interface, "");
    return;
  }
  print_range(text, "  its", &LAYOUT.gic_its, "MSI by LPI");
  print_range(text, "  redistributors", &board->redistributors[0], "");
  if (board->redistributors[1].size)
    print_range(text, "  redistributors", &board->redistributors[1], "");
}

char *board_print(const Board *board) {
  GString *text = g_string_new(NULL);

  const CpuConfig *cpu = config_cpu(board->config);
  g_string_append_printf(text, "CPUs      %u, PSCI by %s%s\n", board->cpus, cpu->el2 == CPU_ON ? "SMC" : "HVC",
                         cpu->el2_e2h0 ? ", EL2 without VHE" : "");
  g_string_append_printf(text, "memory    %" G_GUINT64_FORMAT " MiB\n", board->ram.size / MIB);
  g_string_append_printf(text, "addresses %u bits\n", board->ipa_bits);
  g_autofree char *append = printable_line_escaped(board->config->append, -1);
  g_string_append_printf(text, "bootargs  %s\n", *append ? append : "(none)");
  g_string_append(text, "map\n");
  print_gic(text, board);
  for (unsigned i = 0; i < board->devices->len; i++)
    print_device(text, board, g_ptr_array_index(board->devices, i));
  print_range(text, "ram", &board->ram, "");
  return g_string_free(text, FALSE);
}
