/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree of a platform: the nodes of the machine itself from its board, then each device's own. Nothing here
 * knows a device: what it says of itself is in its `describe`.
 */
#include "fdt/fdt-nodes.h"
#include "vmm/boot/efi-tables.h"
#include "vmm/machine/platform.h"

static FdtRange fdt_range(const AddressRange *range) {
  return (FdtRange){range->base, range->size};
}

/* Xen: docs/misc/arm/device-tree/booting.txt, "Modules". */
static const char *module_compatible(ModuleType type) {
  static const char *const names[] = {[MODULE_KERNEL] = "multiboot,kernel",
                                      [MODULE_RAMDISK] = "multiboot,ramdisk",
                                      [MODULE_DEVICE_TREE] = "multiboot,device-tree",
                                      [MODULE_XSM] = "xen,xsm-policy"};
  return names[type];
}

/* Free with g_free. */
static FdtModule *describe_modules(const Board *board, const BootPlacement *placement) {
  FdtModule *modules = g_new0(FdtModule, placement->n_modules);

  for (unsigned i = 0; i < placement->n_modules; i++) {
    const ModuleConfig *config = board->config->modules->pdata[i];
    modules[i] = (FdtModule){
        .range = {placement->modules[i].start, placement->modules[i].size},
        .compatible = module_compatible(config->type),
        .bootargs = config->args,
    };
  }
  return modules;
}

static void write_chosen(FdtWriter *fdt, const Board *board, const BootPlacement *placement, const BootSeed *seed) {
  const BoardDevice *uart = board_find(board, &pl011_kind);
  g_autofree char *stdout_path = NULL;
  g_autofree FdtModule *modules = describe_modules(board, placement);
  FdtChosen chosen = {
      .bootargs = board->config->append,
      .initrd_start = placement->initrd_start,
      .initrd_size = placement->initrd_size,
      .kaslr_seed = seed->kaslr,
      .modules = modules,
      .n_modules = placement->n_modules,
  };

  if (placement->tables_size) {
    chosen.efi_system_table = placement->efi_system_table;
    chosen.efi_map = placement->efi_map;
    chosen.efi_map_size = placement->efi_map_size;
    chosen.efi_descriptor_size = EFI_MEMORY_DESCRIPTOR_SIZE;
    chosen.efi_descriptor_version = EFI_MEMORY_DESCRIPTOR_VERSION;
  }

  if (uart && board->config->tables != TABLES_ACPI)
    stdout_path = g_strdup_printf("/pl011@%" G_GINT64_MODIFIER "x", uart->slot.base);
  chosen.stdout_path = stdout_path;
  if (seed->kaslr) {
    chosen.rng_seed = seed->rng;
    chosen.rng_seed_size = sizeof seed->rng;
  }
  fdt_write_chosen(fdt, &chosen);
}

static void write_gic(FdtWriter *fdt, const Board *board, bool el2) {
  if (board->gic == GIC_V3) {
    FdtGicV3 gic = {
        .distributor = fdt_range(&LAYOUT.gic_distributor),
        .redistributors = {fdt_range(&board->redistributors[0]), fdt_range(&board->redistributors[1])},
        .its = fdt_range(&LAYOUT.gic_its),
        .maintenance_ppi = el2 ? LAYOUT_PPI_GIC_MAINTENANCE : -1,
    };
    fdt_write_gicv3(fdt, &gic);
    return;
  }
  FdtGicV2 gic = {
      .distributor = fdt_range(&LAYOUT.gic_distributor),
      .cpu_interface = fdt_range(&LAYOUT.gic_cpu_interface),
  };
  const BoardDevice *frame = board_find(board, &gicv2m_kind);
  if (frame)
    gic.msi_frame = (FdtRange){frame->slot.base, frame->slot.size};
  fdt_write_gicv2(fdt, &gic);
}

static bool has_apb_clock(const Board *board) {
  for (unsigned i = 0; i < board->devices->len; i++)
    if (((const BoardDevice *)g_ptr_array_index(board->devices, i))->kind->apb_clock)
      return true;
  return false;
}

GBytes *platform_describe(const Platform *platform, const BootPlacement *placement, const BootSeed *seed, GError **error) {
  const Board *board = platform->board;
  g_autoptr(FdtWriter) fdt = fdt_writer_new();
  FdtRange ram = fdt_range(&board->ram);
  unsigned gicv2_cpus = board->gic == GIC_V2 ? board->cpus : 0;

  if (board->config->overlays->len)
    fdt_writer_keep_symbols(fdt);
  /* Firmware itself finds its devices in the tree, whatever it hands on. */
  if (board->config->tables == TABLES_ACPI && !config_has_firmware(board->config)) {
    fdt_write_stub_root(fdt);
    write_chosen(fdt, board, placement, seed);
    return fdt_writer_finish(fdt, error);
  }
  fdt_write_root(fdt);
  fdt_write_identity(fdt, board->config->uuid, board->config->serial_number);
  /*
   * A hypervisor without VHE, such as Xen, hands the tree on to its first domain, with a node of that name of its own.
   */
  if (!platform->wiring->el2 || platform->wiring->el2_vhe)
    fdt_write_hypervisor(fdt);
  write_chosen(fdt, board, placement, seed);
  fdt_write_memory(fdt, &ram, 1);
  FdtCpus cpus = {.n_cpus = board->cpus, .mpidr = board_mpidr, .clidr = platform->wiring->clidr};
  fdt_write_cpus(fdt, &cpus);
  fdt_write_psci(fdt, platform->wiring->el2 ? "smc" : "hvc");
  fdt_write_timer(fdt, platform->wiring->el2_vhe, gicv2_cpus);
  if (platform->wiring->pmu)
    fdt_write_pmu(fdt, LAYOUT_PPI_PMU, gicv2_cpus);
  write_gic(fdt, board, platform->wiring->el2);
  if (has_apb_clock(board))
    fdt_write_apb_clock(fdt);
  for (unsigned i = 0; i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    if (made->device)
      device_describe(made->device, &made->plan->slot, fdt);
  }
  return fdt_writer_finish(fdt, error);
}
