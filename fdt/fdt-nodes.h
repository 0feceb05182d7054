/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of the device tree that are not devices: root, chosen, cpus, memory, psci, timer, interrupt controller,
 * clock. Each is a function of plain numbers. Devicetree Specification v0.4, chapter 3, and Linux:
 * Documentation/devicetree/bindings/.
 */
#pragma once

#include "fdt/fdt-writer.h"

typedef struct {
  uint64_t base, size; /* bytes */
} FdtRange;

/* Properties of the root: it must be called first. */
void fdt_write_root(FdtWriter *fdt);
/*
 * Which machine it is, in further properties of the root, before any node. Each may be NULL. The UUID is where QEMU has
 * it for its pseries machines (hw/ppc/spapr.c), and systemd looks for it where there are no DMI tables; the serial
 * number has a name in the Devicetree Specification.
 */
void fdt_write_identity(FdtWriter *fdt, const char *uuid, const char *serial_number);
/*
 * Tells programs that look there what they run under: systemd-detect-virt, lscpu and virt-what, which take DMI tables
 * elsewhere. The name that they know is KVM's.
 */
void fdt_write_hypervisor(FdtWriter *fdt);

/* What a hypervisor starts its domains from (Xen: docs/misc/arm/device-tree/booting.txt). */
typedef struct {
  FdtRange range;
  const char *compatible; /* "multiboot,kernel"; NULL: a module, and what it is, is guessed from their order */
  const char *bootargs;   /* NULL: none */
} FdtModule;

typedef struct {
  const char *bootargs;
  const char *stdout_path;            /* NULL: none */
  uint64_t initrd_start, initrd_size; /* size 0: none */
  const void *rng_seed;               /* NULL: none */
  size_t rng_seed_size;
  uint64_t kaslr_seed;       /* 0: none */
  uint64_t efi_system_table; /* 0: none, as all that follows */
  uint64_t efi_map;          /* its map of memory */
  uint32_t efi_map_size, efi_descriptor_size, efi_descriptor_version;
  const FdtModule *modules;
  unsigned n_modules;
} FdtChosen;
void fdt_write_chosen(FdtWriter *fdt, const FdtChosen *chosen);
/* The command line in /chosen of a finished tree; "" where there is none. Free with g_free. */
char *fdt_bootargs(GBytes *fdt);
/*
 * Moves the initrd of a finished tree that was written with one: SIZE bytes, of which there is at least one, at START.
 * A new tree; FDT is given up.
 */
GBytes *fdt_move_initrd(GBytes *fdt, uint64_t start, uint64_t size);

typedef struct {
  unsigned n_cpus;
  uint64_t (*mpidr)(unsigned index); /* affinity fields */
  uint64_t clidr;                    /* CLIDR_EL1 of a CPU, for the cache nodes; 0: write none */
} FdtCpus;
void fdt_write_cpus(FdtWriter *fdt, const FdtCpus *cpus);
void fdt_write_memory(FdtWriter *fdt, const FdtRange *ranges, unsigned n_ranges);
/*
 * A tree with nothing but /chosen in it, which leads to an EFI system table: the machine is described elsewhere. Called
 * instead of fdt_write_root.
 */
void fdt_write_stub_root(FdtWriter *fdt);
/* Moves the EFI tables of a finished tree that was written with them. A new tree; FDT is given up. */
GBytes *fdt_move_efi(GBytes *fdt, uint64_t system_table, uint64_t map, uint32_t map_size);
/* METHOD is "hvc" or "smc". */
void fdt_write_psci(FdtWriter *fdt, const char *method);

/*
 * HYP_VIRTUAL: with the virtual timer of EL2, which FEAT_VHE brings. GICV2_CPUS: on a GICv2 the number of CPUs, for the
 * specifier's mask; else 0.
 */
void fdt_write_timer(FdtWriter *fdt, bool hyp_virtual, unsigned gicv2_cpus);

/* The PMUv3 of the CPUs, on PPI. GICV2_CPUS: as of the timer. */
void fdt_write_pmu(FdtWriter *fdt, uint32_t ppi, unsigned gicv2_cpus);

typedef struct {
  FdtRange distributor;
  FdtRange redistributors[2]; /* the second may have size 0 */
  FdtRange its;               /* size 0: none */
  int maintenance_ppi;        /* PPI number, or -1 */
} FdtGicV3;
void fdt_write_gicv3(FdtWriter *fdt, const FdtGicV3 *gic);

typedef struct {
  FdtRange distributor, cpu_interface;
  FdtRange msi_frame; /* GICv2m; size 0: none */
} FdtGicV2;
void fdt_write_gicv2(FdtWriter *fdt, const FdtGicV2 *gic);

/* The fixed clock of the PrimeCell devices. */
#define FDT_APB_CLOCK_HZ 24000000
void fdt_write_apb_clock(FdtWriter *fdt);
