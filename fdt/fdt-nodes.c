/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes that are not devices. Bindings (Linux, Documentation/devicetree/bindings/): arm/cpus.yaml, arm/psci.yaml,
 * timer/arm,arch_timer.yaml, interrupt-controller/arm,gic-v3.yaml and arm,gic.yaml, clock/fixed-clock.yaml; chosen: the
 * Devicetree Specification v0.4, 3.6, and dt-schema's chosen.yaml.
 */
#include "fdt/fdt-nodes.h"

#include <libfdt.h>

#define INITRD_START "linux,initrd-start"
#define INITRD_END   "linux,initrd-end"
/* Linux: Documentation/arch/arm/uefi.rst. */
#define EFI_SYSTEM_TABLE "linux,uefi-system-table"
#define EFI_MAP          "linux,uefi-mmap-start"
#define EFI_MAP_SIZE     "linux,uefi-mmap-size"

#define EFI_SECURE_BOOT_DISABLED 2 /* Linux: include/linux/efi.h, enum efi_secureboot_mode */

/* PPI numbers (INTID - 16) of the generic timer: Arm BSA (DEN 0094), "PPI assignments". */
enum { PPI_TIMER_SECURE = 13, PPI_TIMER_PHYSICAL = 14, PPI_TIMER_VIRTUAL = 11, PPI_TIMER_HYP = 10, PPI_TIMER_HYP_VIRTUAL = 12 };

#define PPI_CPU_MASK_SHIFT 8 /* of the flags cell, GICv2 only: which CPUs the PPI is wired to */

static void range_cells(uint32_t *cells, const FdtRange *range) {
  cells[0] = (uint32_t)(range->base >> 32);
  cells[1] = (uint32_t)range->base;
  cells[2] = (uint32_t)(range->size >> 32);
  cells[3] = (uint32_t)range->size;
}

static void write_reg(FdtWriter *fdt, const FdtRange *ranges, unsigned n_ranges) {
  g_autofree uint32_t *cells = g_new(uint32_t, 4 * n_ranges);

  for (unsigned i = 0; i < n_ranges; i++)
    range_cells(cells + 4 * i, &ranges[i]);
  fdt_writer_cells(fdt, "reg", cells, 4 * n_ranges);
}

void fdt_write_root(FdtWriter *fdt) {
  fdt_writer_u32(fdt, "#address-cells", 2);
  fdt_writer_u32(fdt, "#size-cells", 2);
  fdt_writer_string(fdt, "compatible", "linux,dummy-virt");
  fdt_writer_string(fdt, "model", "eret");
  fdt_writer_u32(fdt, "interrupt-parent", FDT_PHANDLE_GIC);
  fdt_writer_flag(fdt, "dma-coherent");
}

void fdt_write_identity(FdtWriter *fdt, const char *uuid, const char *serial_number) {
  g_autofree char *lower = uuid ? g_ascii_strdown(uuid, -1) : NULL;

  if (lower)
    fdt_writer_string(fdt, "vm,uuid", lower);
  if (serial_number)
    fdt_writer_string(fdt, "serial-number", serial_number);
}

void fdt_write_stub_root(FdtWriter *fdt) {
  fdt_writer_u32(fdt, "#address-cells", 2);
  fdt_writer_u32(fdt, "#size-cells", 2);
}

void fdt_write_hypervisor(FdtWriter *fdt) {
  fdt_writer_begin(fdt, "hypervisor");
  fdt_writer_string(fdt, "compatible", "linux,kvm");
  fdt_writer_end(fdt);
}

static void write_module(FdtWriter *fdt, const FdtModule *module) {
  const char *compatible[] = {module->compatible, "multiboot,module"};
  unsigned unnamed = module->compatible ? 0 : 1;

  fdt_writer_begin_at(fdt, "module", module->range.base);
  fdt_writer_strings(fdt, "compatible", compatible + unnamed, G_N_ELEMENTS(compatible) - unnamed);
  write_reg(fdt, &module->range, 1);
  if (module->bootargs)
    fdt_writer_string(fdt, "bootargs", module->bootargs);
  fdt_writer_end(fdt);
}

void fdt_write_chosen(FdtWriter *fdt, const FdtChosen *chosen) {
  fdt_writer_begin(fdt, "chosen");
  fdt_writer_string(fdt, "bootargs", chosen->bootargs);
  if (chosen->stdout_path)
    fdt_writer_string(fdt, "stdout-path", chosen->stdout_path);
  if (chosen->initrd_size) {
    fdt_writer_u64(fdt, INITRD_START, chosen->initrd_start);
    fdt_writer_u64(fdt, INITRD_END, chosen->initrd_start + chosen->initrd_size);
  }
  if (chosen->rng_seed)
    fdt_writer_bytes(fdt, "rng-seed", chosen->rng_seed, chosen->rng_seed_size);
  if (chosen->kaslr_seed)
    fdt_writer_u64(fdt, "kaslr-seed", chosen->kaslr_seed);
  if (chosen->efi_system_table) {
    fdt_writer_u64(fdt, EFI_SYSTEM_TABLE, chosen->efi_system_table);
    fdt_writer_u64(fdt, EFI_MAP, chosen->efi_map);
    fdt_writer_u32(fdt, EFI_MAP_SIZE, chosen->efi_map_size);
    fdt_writer_u32(fdt, "linux,uefi-mmap-desc-size", chosen->efi_descriptor_size);
    fdt_writer_u32(fdt, "linux,uefi-mmap-desc-ver", chosen->efi_descriptor_version);
    fdt_writer_u32(fdt, "linux,uefi-secure-boot", EFI_SECURE_BOOT_DISABLED);
  }
  if (chosen->n_modules) {
    fdt_writer_u32(fdt, "#address-cells", 2);
    fdt_writer_u32(fdt, "#size-cells", 2);
  }
  for (unsigned i = 0; i < chosen->n_modules; i++)
    write_module(fdt, &chosen->modules[i]);
  fdt_writer_end(fdt);
}

char *fdt_bootargs(GBytes *fdt) {
  const void *tree = g_bytes_get_data(fdt, NULL);
  int size, chosen = fdt_path_offset(tree, "/chosen");
  const char *text = chosen < 0 ? NULL : fdt_getprop(tree, chosen, "bootargs", &size);

  return text && size > 0 ? g_strndup(text, (gsize)size) : g_strdup("");
}

GBytes *fdt_move_initrd(GBytes *fdt, uint64_t start, uint64_t size) {
  gsize length;
  void *tree = g_bytes_unref_to_data(fdt, &length);
  int chosen = fdt_path_offset(tree, "/chosen");
  bool moved = chosen >= 0 && fdt_setprop_inplace_u64(tree, chosen, INITRD_START, start) == 0 &&
               fdt_setprop_inplace_u64(tree, chosen, INITRD_END, start + size) == 0;

  g_assert(moved); /* we wrote it */
  return g_bytes_new_take(tree, length);
}

GBytes *fdt_move_efi(GBytes *fdt, uint64_t system_table, uint64_t map, uint32_t map_size) {
  gsize length;
  void *tree = g_bytes_unref_to_data(fdt, &length);
  int chosen = fdt_path_offset(tree, "/chosen");
  bool moved = chosen >= 0 && fdt_setprop_inplace_u64(tree, chosen, EFI_SYSTEM_TABLE, system_table) == 0 &&
               fdt_setprop_inplace_u64(tree, chosen, EFI_MAP, map) == 0 &&
               fdt_setprop_inplace_u32(tree, chosen, EFI_MAP_SIZE, map_size) == 0;

  g_assert(moved); /* we wrote it */
  return g_bytes_new_take(tree, length);
}

/* CLIDR_EL1.Ctype<n>, Arm ARM D24.2: the kind of cache at a level. */
enum { CTYPE_NONE = 0, CTYPE_INSTRUCTION = 1, CTYPE_DATA = 2, CTYPE_SEPARATE = 3, CTYPE_UNIFIED = 4 };

#define CLIDR_LEVELS 7

static unsigned cache_type(uint64_t clidr, unsigned level) {
  return level <= CLIDR_LEVELS ? clidr >> 3 * (level - 1) & 7 : CTYPE_NONE;
}

/*
 * Linux takes the presence of a size for that of the cache. A vCPU moves between CPUs of any size, so none is claimed.
 */
static void write_cache_kind(FdtWriter *fdt, unsigned type) {
  if (type == CTYPE_INSTRUCTION || type == CTYPE_SEPARATE)
    fdt_writer_u32(fdt, "i-cache-size", 0);
  if (type == CTYPE_DATA || type == CTYPE_SEPARATE)
    fdt_writer_u32(fdt, "d-cache-size", 0);
  if (type == CTYPE_UNIFIED)
    fdt_writer_flag(fdt, "cache-unified");
}

/* The caches above the first level, shared by all CPUs: to a scheduler that is what vCPUs look like. */
static void write_shared_caches(FdtWriter *fdt, uint64_t clidr) {
  for (unsigned level = 2; cache_type(clidr, level) != CTYPE_NONE; level++) {
    g_autofree char *name = g_strdup_printf("l%u-cache", level);
    fdt_writer_begin(fdt, name);
    fdt_writer_string(fdt, "compatible", "cache");
    fdt_writer_u32(fdt, "cache-level", level);
    write_cache_kind(fdt, cache_type(clidr, level));
    if (cache_type(clidr, level + 1) != CTYPE_NONE)
      fdt_writer_u32(fdt, "next-level-cache", FDT_PHANDLE_CACHE + level + 1);
    fdt_writer_phandle(fdt, FDT_PHANDLE_CACHE + level);
    fdt_writer_end(fdt);
  }
}

/* Aff2 to Aff0 fit one cell; Aff3, in bits 39:32, takes another (arm/cpus.yaml). */
static unsigned affinity_cells(const FdtCpus *cpus) {
  for (unsigned i = 0; i < cpus->n_cpus; i++)
    if (cpus->mpidr(i) >> 32)
      return 2;
  return 1;
}

void fdt_write_cpus(FdtWriter *fdt, const FdtCpus *cpus) {
  unsigned cells = affinity_cells(cpus);

  fdt_writer_begin(fdt, "cpus");
  fdt_writer_u32(fdt, "#address-cells", cells);
  fdt_writer_u32(fdt, "#size-cells", 0);
  for (unsigned i = 0; i < cpus->n_cpus; i++) {
    fdt_writer_begin_at(fdt, "cpu", cpus->mpidr(i));
    fdt_writer_string(fdt, "device_type", "cpu");
    fdt_writer_string(fdt, "compatible", "arm,armv8");
    if (cells == 2)
      fdt_writer_u64(fdt, "reg", cpus->mpidr(i));
    else
      fdt_writer_u32(fdt, "reg", (uint32_t)cpus->mpidr(i));
    fdt_writer_string(fdt, "enable-method", "psci");
    write_cache_kind(fdt, cache_type(cpus->clidr, 1));
    if (cache_type(cpus->clidr, 2) != CTYPE_NONE)
      fdt_writer_u32(fdt, "next-level-cache", FDT_PHANDLE_CACHE + 2);
    fdt_writer_phandle(fdt, FDT_PHANDLE_CPU0 + i);
    fdt_writer_end(fdt);
  }
  write_shared_caches(fdt, cpus->clidr);
  fdt_writer_end(fdt);
}

void fdt_write_memory(FdtWriter *fdt, const FdtRange *ranges, unsigned n_ranges) {
  fdt_writer_begin_at(fdt, "memory", ranges[0].base);
  fdt_writer_string(fdt, "device_type", "memory");
  write_reg(fdt, ranges, n_ranges);
  fdt_writer_end(fdt);
}

void fdt_write_psci(FdtWriter *fdt, const char *method) {
  static const char *const compatible[] = {"arm,psci-1.0", "arm,psci-0.2"};

  fdt_writer_begin(fdt, "psci");
  fdt_writer_strings(fdt, "compatible", compatible, G_N_ELEMENTS(compatible));
  fdt_writer_string(fdt, "method", method);
  fdt_writer_end(fdt);
}

static uint32_t ppi_flags(unsigned gicv2_cpus) {
  return FDT_IRQ_LEVEL_HIGH | ((1u << gicv2_cpus) - 1) << PPI_CPU_MASK_SHIFT;
}

void fdt_write_timer(FdtWriter *fdt, bool hyp_virtual, unsigned gicv2_cpus) {
  static const uint32_t ppis[] = {PPI_TIMER_SECURE, PPI_TIMER_PHYSICAL, PPI_TIMER_VIRTUAL, PPI_TIMER_HYP, PPI_TIMER_HYP_VIRTUAL};
  unsigned n = G_N_ELEMENTS(ppis) - (hyp_virtual ? 0 : 1);
  uint32_t flags = ppi_flags(gicv2_cpus);
  uint32_t cells[3 * G_N_ELEMENTS(ppis)];

  for (unsigned i = 0; i < n; i++) {
    cells[3 * i] = FDT_IRQ_PPI;
    cells[3 * i + 1] = ppis[i];
    cells[3 * i + 2] = flags;
  }
  fdt_writer_begin(fdt, "timer");
  fdt_writer_string(fdt, "compatible", "arm,armv8-timer");
  fdt_writer_cells(fdt, "interrupts", cells, 3 * n);
  fdt_writer_flag(fdt, "always-on");
  fdt_writer_end(fdt);
}

void fdt_write_pmu(FdtWriter *fdt, uint32_t ppi, unsigned gicv2_cpus) {
  const uint32_t cells[] = {FDT_IRQ_PPI, ppi, ppi_flags(gicv2_cpus)};

  fdt_writer_begin(fdt, "pmu");
  fdt_writer_string(fdt, "compatible", "arm,armv8-pmuv3");
  fdt_writer_cells(fdt, "interrupts", cells, G_N_ELEMENTS(cells));
  fdt_writer_end(fdt);
}

/* What both interrupt controllers have in common, up to their registers. Children have addresses of their own. */
static void begin_gic(FdtWriter *fdt, uint64_t address, const char *compatible) {
  fdt_writer_begin_at(fdt, "interrupt-controller", address);
  fdt_writer_string(fdt, "compatible", compatible);
  fdt_writer_flag(fdt, "interrupt-controller");
  fdt_writer_u32(fdt, "#interrupt-cells", 3);
  fdt_writer_u32(fdt, "#address-cells", 2);
  fdt_writer_u32(fdt, "#size-cells", 2);
  fdt_writer_flag(fdt, "ranges");
  fdt_writer_phandle(fdt, FDT_PHANDLE_GIC);
}

void fdt_write_gicv3(FdtWriter *fdt, const FdtGicV3 *gic) {
  FdtRange registers[3] = {gic->distributor, gic->redistributors[0], gic->redistributors[1]};
  unsigned n_redistributors = gic->redistributors[1].size ? 2 : 1;

  begin_gic(fdt, gic->distributor.base, "arm,gic-v3");
  write_reg(fdt, registers, 1 + n_redistributors);
  fdt_writer_u32(fdt, "#redistributor-regions", n_redistributors);
  if (gic->maintenance_ppi >= 0)
    fdt_writer_interrupt(fdt, FDT_IRQ_PPI, (uint32_t)gic->maintenance_ppi, FDT_IRQ_LEVEL_HIGH);
  if (gic->its.size) {
    fdt_writer_begin_at(fdt, "msi-controller", gic->its.base);
    fdt_writer_string(fdt, "compatible", "arm,gic-v3-its");
    write_reg(fdt, &gic->its, 1);
    fdt_writer_flag(fdt, "msi-controller");
    fdt_writer_u32(fdt, "#msi-cells", 1);
    fdt_writer_phandle(fdt, FDT_PHANDLE_MSI);
    fdt_writer_end(fdt);
  }
  fdt_writer_end(fdt);
}

void fdt_write_gicv2(FdtWriter *fdt, const FdtGicV2 *gic) {
  FdtRange registers[2] = {gic->distributor, gic->cpu_interface};

  begin_gic(fdt, gic->distributor.base, "arm,cortex-a15-gic");
  write_reg(fdt, registers, G_N_ELEMENTS(registers));
  if (gic->msi_frame.size) {
    fdt_writer_begin_at(fdt, "v2m", gic->msi_frame.base);
    fdt_writer_string(fdt, "compatible", "arm,gic-v2m-frame");
    write_reg(fdt, &gic->msi_frame, 1);
    fdt_writer_flag(fdt, "msi-controller");
    fdt_writer_phandle(fdt, FDT_PHANDLE_MSI);
    fdt_writer_end(fdt);
  }
  fdt_writer_end(fdt);
}

void fdt_write_apb_clock(FdtWriter *fdt) {
  fdt_writer_begin(fdt, "apb-pclk");
  fdt_writer_string(fdt, "compatible", "fixed-clock");
  fdt_writer_u32(fdt, "#clock-cells", 0);
  fdt_writer_u32(fdt, "clock-frequency", FDT_APB_CLOCK_HZ);
  fdt_writer_string(fdt, "clock-output-names", "clk24mhz");
  fdt_writer_phandle(fdt, FDT_PHANDLE_APB_CLOCK);
  fdt_writer_end(fdt);
}
