/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI tables of fixed form, each a function of plain numbers. ACPI Specification 6.3, 5.2; PCI Firmware
 * Specification 3.3 (MCFG); Arm DEN 0049 (IORT); Microsoft's Serial Port Console Redirection Table and Debug Port Table
 * 2. Those of the machine itself come first, those that devices write last. GSIs are the GIC's INTIDs.
 */
#pragma once

#include "fdt/acpi/acpi-writer.h"

typedef struct {
  uint64_t base, size; /* bytes */
} AcpiRange;

/* Hardware-reduced; PSCI by HVC, or else by SMC. */
void acpi_write_fadt(AcpiWriter *acpi, bool psci_hvc);

typedef struct {
  unsigned n_cpus;
  uint64_t (*mpidr)(unsigned index); /* affinity fields */
  uint32_t pmu_gsi;                  /* 0: no PMU */
  uint32_t maintenance_gsi;          /* 0: the CPUs have no virtual CPU interface */
  uint8_t gic_version;               /* 2 or 3 */
  AcpiRange distributor;
  AcpiRange cpu_interface;     /* GICv2 */
  AcpiRange redistributors[2]; /* GICv3; the second may have size 0 */
  AcpiRange its;               /* GICv3; size 0: none */
  AcpiRange msi_frame;         /* GICv2m; size 0: none */
} AcpiMadt;
void acpi_write_madt(AcpiWriter *acpi, const AcpiMadt *madt);
/* The CPUs' devices in the DSDT: _UID is the index, as in the MADT. */
void acpi_write_cpus(AcpiWriter *acpi, unsigned n_cpus);

/* HYP_VIRTUAL: with the virtual timer of EL2, which FEAT_VHE brings. */
void acpi_write_gtdt(AcpiWriter *acpi, bool hyp_virtual);

/*
 * One package of all CPUs, with their caches by CLIDR (CLIDR_EL1 of a CPU, 0: not known): the first level is each
 * CPU's own, the others are shared by all. No sizes are claimed, as a vCPU moves between CPUs of any.
 */
void acpi_write_pptt(AcpiWriter *acpi, unsigned n_cpus, uint64_t clidr);

/* PL011 at BASE, on a wire: as the console, and for a kernel's debugger. PATH is its name in the namespace. */
void acpi_write_spcr_pl011(AcpiWriter *acpi, uint64_t base, uint32_t gsi);
void acpi_write_dbg2_pl011(AcpiWriter *acpi, uint64_t base, uint64_t size, const char *path);

/* ECAM of one segment group, whose buses are FIRST_BUS to LAST_BUS. */
void acpi_write_mcfg(AcpiWriter *acpi, uint64_t ecam, uint16_t segment, uint8_t first_bus, uint8_t last_bus);
/*
 * Requester IDs 0 .. N_IDS - 1 of a segment are device IDs of the ITS. Without an ITS nothing is written: a GICv2m
 * takes messages from all.
 */
void acpi_write_iort(AcpiWriter *acpi, uint16_t segment, uint32_t n_ids);
