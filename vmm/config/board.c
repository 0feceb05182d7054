/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans the board. Which devices there are and where, the table in layout.h says; the rest is arithmetic and printing.
 */
#include "vmm/config/board.h"

#include <stddef.h>
#include <string.h>

#include "devices/printable.h"
#include "devices/virtio/transport.h"
#include "vmm/base/descriptors.h"

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

const BoardDevice *board_find(const Board *board, const DeviceKind *kind) {
  for (unsigned i = 0; i < board->devices->len; i++) {
    const BoardDevice *device = g_ptr_array_index(board->devices, i);
    if (device->kind == kind)
      return device;
  }
  return NULL;
}

unsigned board_descriptors(const Board *board) {
  enum { OF_THE_VM = 16, OF_A_CPU = 2, OF_A_VIRTIO_DEVICE = 8 }; /* its back end, its thread, an event for each queue and message */
  unsigned n = OF_THE_VM + OF_A_CPU * board->cpus;

  for (unsigned i = 0; i < board->devices->len; i++) {
    const BoardDevice *device = g_ptr_array_index(board->devices, i);
    const DeviceKind *kind = device->kind;
    n += kind->descriptors + (kind->make_virtio ? OF_A_VIRTIO_DEVICE : 0);
    n += kind->more_descriptors ? kind->more_descriptors(device->asked) : 0;
  }
  return n;
}

bool board_descriptors_suffice(const Config *config, GError **error) {
  g_autoptr(Board) board = board_new(config, config->gic == GIC_AUTO ? GIC_V3 : config->gic, error);

  return board && descriptors_suffice(DESCRIPTORS_OF_A_COMMAND + board_descriptors(board), error);
}

bool board_holds_code(const Board *board) {
  for (unsigned i = 0; i < board->devices->len; i++)
    if (((const BoardDevice *)g_ptr_array_index(board->devices, i))->kind->holds_code)
      return true;
  return false;
}

bool board_shares_memory(const Board *board) {
  for (unsigned i = 0; i < board->devices->len; i++) {
    const BoardDevice *device = g_ptr_array_index(board->devices, i);
    if (device->kind->shares_memory || (device->kind->may_share_memory && device->kind->may_share_memory(device->asked)))
      return true;
  }
  return false;
}

uint64_t board_mpidr(unsigned index) {
  /* Linux: arch/arm64/kvm/sys_regs.c, reset_mpidr: Aff0 is 4 bits, as ICC_SGI1R_EL1's target list holds 16. */
  return (uint64_t)(index & 0xf) | (uint64_t)((index >> 4) & 0xff) << 8 | (uint64_t)((index >> 12) & 0xff) << 16;
}

/* A row of the table of devices: see layout.h. */
typedef struct {
  const DeviceKind *kind;
  struct {
    uint64_t base;
    uint32_t spi;
  } place;
  struct {
    enum { IF_ON, IF_CHOSEN, FOR_EACH, IF_SO } how;
    size_t field;
    int choice;
    bool (*is_so)(const Board *board);
  } when;
} DeviceRow;

static bool has_gpio_button(const Board *board);
static bool has_virtio_button(const Board *board);
static bool has_fw_cfg(const Board *board);
static bool has_gicv2m(const Board *board);
static bool has_watchdog(const Board *board);
static bool has_pci(const Board *board);

#define AT(ADDRESS, SPI)       .base = (ADDRESS), .spi = (SPI)
#define ON_VIRTIO              .spi = DEVICE_NO_SPI
#define IF(FIELD)              .how = IF_ON, .field = offsetof(Config, FIELD)
#define IF_IS(FIELD, VALUE)    .how = IF_CHOSEN, .field = offsetof(Config, FIELD), .choice = (VALUE)
#define EACH(FIELD)            .how = FOR_EACH, .field = offsetof(Config, FIELD)
#define WHERE(FUNCTION)        .how = IF_SO, .is_so = (FUNCTION)
#define ROW(KIND, PLACE, WHEN) {.kind = &(KIND), .place = {PLACE}, .when = {WHEN}},
static const DeviceRow rows[] = {LAYOUT_DEVICES(ROW)};

static const GPtrArray *list_of(const Board *board, const DeviceRow *row) {
  return row->when.how == FOR_EACH ? *(GPtrArray *const *)((const char *)board->config + row->when.field) : NULL;
}

/* How many of a row there are to be. */
static unsigned count(const Board *board, const DeviceRow *row) {
  const void *field = (const char *)board->config + row->when.field;

  switch (row->when.how) {
  case IF_ON:
    return *(const bool *)field;
  case IF_CHOSEN:
    return *(const int *)field == row->when.choice;
  case FOR_EACH:
    return list_of(board, row)->len;
  case IF_SO:
    return row->when.is_so(board);
  }
  g_assert_not_reached();
}

/*
 * A kernel hears the button that it has a driver for, so both are there where a distribution's kernel may be: what has
 * a disk; eret exec ends its guest in another way. Where nobody asked for it, the virtio button takes no place that
 * another device needs.
 */
static bool has_virtio_button(const Board *board) {
  const Config *config = board->config;

  if (config->power_button == POWER_BUTTON_AUTO)
    return config->defaults && config->disks->len > 0 && !config->ports && board->n_mmio < LAYOUT_VIRTIO_MMIO_SLOTS;
  return config->power_button == POWER_BUTTON_VIRTIO || config->power_button == POWER_BUTTON_BOTH;
}

static bool has_gpio_button(const Board *board) {
  const Config *config = board->config;

  if (config->power_button == POWER_BUTTON_AUTO)
    return config->defaults;
  return config->power_button == POWER_BUTTON_GPIO || config->power_button == POWER_BUTTON_BOTH;
}

static bool has_pci(const Board *board) {
  bool wanted = board->config->defaults;

  for (unsigned i = 0; i < G_N_ELEMENTS(rows) && !wanted; i++)
    wanted = rows[i].kind->make_virtio && !rows[i].kind->always_mmio && count(board, &rows[i]) > 0;
  return wanted && board->config->transport == TRANSPORT_PCI;
}

/* Where there is firmware, or somebody has laid something there, or asked for an order to boot in. */
static bool has_fw_cfg(const Board *board) {
  bool wanted = board->config->fw_cfg->len > 0 || config_has_firmware(board->config);

  for (unsigned i = 0; i < G_N_ELEMENTS(rows) && !wanted; i++) {
    const GPtrArray *list = rows[i].kind->boot ? list_of(board, &rows[i]) : NULL;
    for (unsigned k = 0; list && k < list->len && !wanted; k++)
      wanted = rows[i].kind->boot(list->pdata[k]).index > 0;
  }
  return wanted;
}

static bool has_gicv2m(const Board *board) {
  return board->gic == GIC_V2 && has_pci(board);
}

static bool has_watchdog(const Board *board) {
  return board->config->watchdog != WATCHDOG_NONE;
}

/* The next place on its transport, or the row's. */
static void place_device(Board *board, const DeviceRow *row, BoardDevice *device) {
  const DeviceKind *kind = row->kind;

  device->pci_slot = -1;
  device->slot = (DeviceSlot){.base = row->place.base, .size = kind->size, .spi = row->place.spi, .trigger = kind->trigger};
  if (!kind->make_virtio)
    return;
  if (board->config->transport == TRANSPORT_PCI && !kind->always_mmio) {
    device->pci_slot = (int)++board->n_pci; /* device 0 is where a host bridge would be */
    return;
  }
  device->slot = (DeviceSlot){
      .base = LAYOUT.virtio_mmio.base + (uint64_t)board->n_mmio * VIRTIO_MMIO_SIZE,
      .size = VIRTIO_MMIO_SIZE,
      .spi = LAYOUT_SPI_VIRTIO_MMIO + board->n_mmio,
      .trigger = FDT_IRQ_EDGE_RISING,
  };
  board->n_mmio++;
}

static bool fits(unsigned n, const char *where, unsigned room, GError **error) {
  if (n > room)
    g_set_error(error, BOARD_ERROR, BOARD_ERROR_TOO_MANY, "%u virtio devices do not fit: %s has room for %u", n, where, room);
  return n <= room;
}

static bool place_devices(Board *board, GError **error) {
  for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
    const GPtrArray *list = list_of(board, &rows[i]);
    unsigned n = count(board, &rows[i]);

    for (unsigned k = 0; k < n; k++) {
      BoardDevice *device = g_new0(BoardDevice, 1);
      device->kind = rows[i].kind;
      device->index = k;
      device->name = list ? g_strdup_printf("%s%u", device->kind->name, k) : g_strdup(device->kind->name);
      device->asked = list ? list->pdata[k] : device->kind == &pci_host_kind ? &board->pci : NULL;
      place_device(board, &rows[i], device);
      g_ptr_array_add(board->devices, device);
    }
  }
  return fits(board->n_pci, "the PCI bus", PCI_MAX_DEVICES - 1, error) &&
         fits(board->n_mmio, "virtio-mmio", LAYOUT_VIRTIO_MMIO_SLOTS, error);
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
  if (board_find(board, &pci_host_kind)) {
    board->pci = (PciWindows){
        .base32 = LAYOUT.pci_window32.base,
        .size32 = LAYOUT.pci_window32.size,
        .base64 = high + LAYOUT_HIGH_PCI_OFFSET,
        .size64 = LAYOUT_PCI_WINDOW64_SIZE,
        .base_io = LAYOUT.pci_io.base,
        .size_io = LAYOUT.pci_io.size,
    };
    board->end = board->pci.base64 + board->pci.size64;
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

static char *print_spis(const BoardDevice *device) {
  unsigned n = device->kind->make_virtio ? 1 : device->kind->n_spis;

  if (n > 1)
    return g_strdup_printf("SPI %u-%u", device->slot.spi, device->slot.spi + n - 1);
  return n ? g_strdup_printf("SPI %u %s", device->slot.spi, device->slot.trigger == FDT_IRQ_EDGE_RISING ? "edge" : "level") : g_strdup("");
}

/* Its two banks, and what lies in them. */
static void print_flash(GString *text, const BoardDevice *device) {
  const FirmwareConfig *asked = device->asked;
  AddressRange bank = {device->slot.base, FLASH_BANK_SIZE};
  g_autofree char *path = printable_line_escaped(asked->path, -1);
  g_autofree char *vars = asked->vars ? printable_line_escaped(asked->vars, -1) : g_strdup("gone when the machine ends");

  print_range(text, "  firmware", &bank, path);
  bank.base += bank.size;
  print_range(text, "  variables", &bank, vars);
}

static void print_device(GString *text, const Board *board, const BoardDevice *device) {
  const DeviceKind *kind = device->kind;
  g_autofree char *asked = kind->print_asked ? kind->print_asked(device->asked) : g_strdup("");

  if (device->pci_slot >= 0) {
    g_autofree char *place = g_strdup_printf("PCI 00:%02x.0", (unsigned)device->pci_slot);
    g_string_append_printf(text, "  %-26s  %-16s MSI-X, else INTx SPI %u%s%s\n", place, device->name,
                           LAYOUT_SPI_PCI_INTX + (unsigned)device->pci_slot % 4, *asked ? "; " : "", asked);
    return;
  }
  AddressRange range = {device->slot.base, device->slot.size};
  g_autofree char *spis = print_spis(device);
  const char *msi = kind != &pci_host_kind ? " " : board->gic == GIC_V3 ? "; MSI by ITS" : "; MSI by GICv2m";
  g_autofree char *note = g_strconcat(kind->note ? kind->note : "", " ", spis, msi, asked, NULL);
  print_range(text, device->name, &range, g_strstrip(note));
  if (kind == &flash_kind)
    print_flash(text, device);
  if (kind == &pci_host_kind) {
    print_range(text, "  memory, 32 bit", &LAYOUT.pci_window32, "");
    print_range(text, "  I/O space", &LAYOUT.pci_io, "nothing is in it");
    print_range(text, "  memory, 64 bit", &(AddressRange){board->pci.base64, board->pci.size64}, "prefetchable");
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

/* Where the configuration's line is what the guest gets, that key will be in it, too. */
static void print_bootargs(GString *text, const Config *config, const char *bootargs) {
  g_autofree char *line = printable_line_escaped(bootargs, -1);
  bool waits = config->ssh && !config->ssh_key && strcmp(bootargs, config->append) == 0;

  g_string_append_printf(text, "bootargs  %s%s%s\n", *line || waits ? line : "(none)", *line && waits ? " " : "",
                         waits ? "(credentials with a key of eret's own, which the first run makes)" : "");
}

char *board_print(const Board *board, const char *bootargs) {
  GString *text = g_string_new(NULL);

  const CpuConfig *cpu = config_cpu(board->config);
  g_string_append_printf(text, "CPUs      %u, PSCI by %s%s\n", board->cpus, cpu->el2 == CPU_ON ? "SMC" : "HVC",
                         cpu->el2_e2h0 ? ", EL2 without VHE" : "");
  if (board->config->uuid)
    g_string_append_printf(text, "UUID      %s\n", board->config->uuid);
  g_string_append_printf(text, "memory    %" G_GUINT64_FORMAT " MiB\n", board->ram.size / MIB);
  g_string_append_printf(text, "addresses %u bits\n", board->ipa_bits);
  print_bootargs(text, board->config, bootargs);
  g_autofree char *order = board_boot_names(board);
  if (order)
    g_string_append_printf(text, "boot order  %s\n", order);
  g_string_append(text, "map\n");
  print_gic(text, board);
  for (unsigned i = 0; i < board->devices->len; i++)
    print_device(text, board, g_ptr_array_index(board->devices, i));
  print_range(text, "ram", &board->ram, "");
  return g_string_free(text, FALSE);
}
