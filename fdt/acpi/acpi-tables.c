/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the machine itself: FADT, MADT, GTDT, PPTT. No lock: one thread. */
#include "fdt/acpi/acpi-tables.h"

#include "fdt/bytes.h"

/* 5.2.9 */
#define FADT_REVISION       6
#define FADT_MINOR_REVISION 3
#define FADT_SIZE           276
enum { FADT_FLAGS = 112, FADT_ARM_BOOT_FLAGS = 129, FADT_MINOR = 131, FADT_X_DSDT = 140, FADT_HYPERVISOR = 268 };
#define FADT_NO_FIXED_POWER_BUTTON (1u << 4)
#define FADT_NO_FIXED_SLEEP_BUTTON (1u << 5)
#define FADT_HARDWARE_REDUCED      (1u << 20)
#define ARM_PSCI_COMPLIANT         1u
#define ARM_PSCI_BY_HVC            2u

void acpi_write_fadt(AcpiWriter *acpi, bool psci_hvc) {
  GByteArray *bytes = acpi_writer_begin_table(acpi, "FACP", FADT_REVISION);

  bytes_zero(bytes, FADT_SIZE - ACPI_HEADER_SIZE);
  bytes_set(bytes, FADT_FLAGS, 4, FADT_HARDWARE_REDUCED | FADT_NO_FIXED_POWER_BUTTON | FADT_NO_FIXED_SLEEP_BUTTON);
  bytes_set(bytes, FADT_ARM_BOOT_FLAGS, 2, ARM_PSCI_COMPLIANT | (psci_hvc ? ARM_PSCI_BY_HVC : 0));
  bytes_set(bytes, FADT_MINOR, 1, FADT_MINOR_REVISION);
  bytes_set(bytes, FADT_HYPERVISOR, 4, 'K' | 'V' << 8 | 'M' << 16);
  acpi_writer_point_to_dsdt(acpi, FADT_X_DSDT, 8);
  acpi_writer_end_table(acpi);
}

/* 5.2.12 */
#define MADT_REVISION 5
enum { MADT_GICC = 11, MADT_GICD = 12, MADT_MSI_FRAME = 13, MADT_GICR = 14, MADT_ITS = 15 };
#define GICC_ENABLED 1
#define MADT_ITS_ID  0

static void begin_structure(GByteArray *bytes, uint8_t type, uint8_t size) {
  bytes_u8(bytes, type);
  bytes_u8(bytes, size);
}

/* 5.2.12.14 */
static void append_gicc(GByteArray *bytes, const AcpiMadt *madt, unsigned index) {
  begin_structure(bytes, MADT_GICC, 80);
  bytes_u16(bytes, 0);
  bytes_u32(bytes, index); /* CPU interface number */
  bytes_u32(bytes, index); /* _UID */
  bytes_u32(bytes, GICC_ENABLED);
  bytes_u32(bytes, 0); /* parking protocol: none */
  bytes_u32(bytes, madt->pmu_gsi);
  bytes_u64(bytes, 0); /* parked address */
  bytes_u64(bytes, madt->cpu_interface.base);
  bytes_u64(bytes, 0); /* GICV */
  bytes_u64(bytes, 0); /* GICH */
  bytes_u32(bytes, madt->maintenance_gsi);
  bytes_u64(bytes, 0); /* GICR: there are structures of their own */
  bytes_u64(bytes, madt->mpidr(index));
  bytes_u8(bytes, 0);  /* efficiency class */
  bytes_u8(bytes, 0);  /* reserved */
  bytes_u16(bytes, 0); /* SPE interrupt: none */
}

static void append_gicr(GByteArray *bytes, const AcpiRange *range) {
  if (range->size == 0)
    return;
  begin_structure(bytes, MADT_GICR, 16);
  bytes_u16(bytes, 0);
  bytes_u64(bytes, range->base);
  bytes_u32(bytes, (uint32_t)range->size);
}

static void append_its(GByteArray *bytes, const AcpiRange *its) {
  begin_structure(bytes, MADT_ITS, 20);
  bytes_u16(bytes, 0);
  bytes_u32(bytes, MADT_ITS_ID);
  bytes_u64(bytes, its->base);
  bytes_u32(bytes, 0);
}

static void append_msi_frame(GByteArray *bytes, const AcpiMadt *madt) {
  begin_structure(bytes, MADT_MSI_FRAME, 24);
  bytes_u16(bytes, 0);
  bytes_u32(bytes, 0); /* ID */
  bytes_u64(bytes, madt->msi_frame.base);
  bytes_u32(bytes, 0); /* its SPIs are those that MSI_TYPER tells */
  bytes_u16(bytes, 0);
  bytes_u16(bytes, 0);
}

void acpi_write_madt(AcpiWriter *acpi, const AcpiMadt *madt) {
  GByteArray *bytes = acpi_writer_begin_table(acpi, "APIC", MADT_REVISION);

  bytes_u32(bytes, 0); /* local interrupt controller: none */
  bytes_u32(bytes, 0); /* flags */
  begin_structure(bytes, MADT_GICD, 24);
  bytes_u16(bytes, 0);
  bytes_u32(bytes, 0); /* GIC ID */
  bytes_u64(bytes, madt->distributor.base);
  bytes_u32(bytes, 0); /* vector base */
  bytes_u8(bytes, madt->gic_version);
  bytes_zero(bytes, 3);
  for (unsigned i = 0; i < madt->n_cpus; i++)
    append_gicc(bytes, madt, i);
  append_gicr(bytes, &madt->redistributors[0]);
  append_gicr(bytes, &madt->redistributors[1]);
  if (madt->its.size)
    append_its(bytes, &madt->its);
  if (madt->msi_frame.size)
    append_msi_frame(bytes, madt);
  acpi->its = madt->its.size;
  acpi_writer_end_table(acpi);
}

void acpi_write_cpus(AcpiWriter *acpi, unsigned n_cpus) {
  for (unsigned i = 0; i < n_cpus; i++) {
    char name[8];
    g_snprintf(name, sizeof name, "C%03X", i);
    aml_begin_device(acpi->aml, name);
    aml_name_string(acpi->aml, "_HID", "ACPI0007");
    aml_name_integer(acpi->aml, "_UID", i);
    aml_end(acpi->aml);
  }
}

/* 5.2.24 */
#define GTDT_REVISION  3
#define GTDT_ALWAYS_ON (1u << 2) /* level and active high are zeros */
/* INTIDs of the generic timer: Arm BSA (DEN 0094), "PPI assignments", 16 above the PPI number. */
enum { GSI_TIMER_HYP = 26, GSI_TIMER_VIRTUAL = 27, GSI_TIMER_HYP_VIRTUAL = 28, GSI_TIMER_SECURE = 29, GSI_TIMER_PHYSICAL = 30 };

static void append_timer(GByteArray *bytes, uint32_t gsi) {
  bytes_u32(bytes, gsi);
  bytes_u32(bytes, gsi ? GTDT_ALWAYS_ON : 0);
}

void acpi_write_gtdt(AcpiWriter *acpi, bool hyp_virtual) {
  GByteArray *bytes = acpi_writer_begin_table(acpi, "GTDT", GTDT_REVISION);

  bytes_u64(bytes, UINT64_MAX); /* no memory-mapped counter */
  bytes_u32(bytes, 0);
  append_timer(bytes, GSI_TIMER_SECURE);
  append_timer(bytes, GSI_TIMER_PHYSICAL);
  append_timer(bytes, GSI_TIMER_VIRTUAL);
  append_timer(bytes, GSI_TIMER_HYP);
  bytes_u64(bytes, UINT64_MAX); /* nor one to read */
  bytes_u32(bytes, 0);          /* platform timers */
  bytes_u32(bytes, 0);
  append_timer(bytes, hyp_virtual ? GSI_TIMER_HYP_VIRTUAL : 0);
  acpi_writer_end_table(acpi);
}

/* 5.2.29 */
#define PPTT_REVISION 2
enum { PPTT_PROCESSOR = 0, PPTT_CACHE = 1 };
#define PPTT_PACKAGE          1u
#define PPTT_UID_VALID        2u
#define PPTT_LEAF             8u
#define PPTT_IDENTICAL        16u
#define PPTT_CACHE_TYPE_VALID 16u
enum { CACHE_DATA = 0 << 2, CACHE_INSTRUCTION = 1 << 2, CACHE_UNIFIED = 2 << 2 };

/* CLIDR_EL1.Ctype<n>, Arm ARM D24.2: the kind of cache at a level. */
enum { CTYPE_NONE = 0, CTYPE_INSTRUCTION = 1, CTYPE_DATA = 2, CTYPE_SEPARATE = 3, CTYPE_UNIFIED = 4 };
#define CLIDR_LEVELS 7

static unsigned cache_type(uint64_t clidr, unsigned level) {
  return level <= CLIDR_LEVELS ? clidr >> 3 * (level - 1) & 7 : CTYPE_NONE;
}

/* Returns where it is: what others name it by. */
static uint32_t append_cache(GByteArray *bytes, uint8_t kind, uint32_t next) {
  uint32_t at = bytes->len;

  begin_structure(bytes, PPTT_CACHE, 24);
  bytes_u16(bytes, 0);
  bytes_u32(bytes, PPTT_CACHE_TYPE_VALID);
  bytes_u32(bytes, next);
  bytes_u32(bytes, 0); /* size */
  bytes_u32(bytes, 0); /* sets */
  bytes_u8(bytes, 0);  /* associativity */
  bytes_u8(bytes, kind);
  bytes_u16(bytes, 0); /* line size */
  return at;
}

/* The caches of a level, of which there are two where instructions have one of their own; how many. */
static unsigned append_level(GByteArray *bytes, unsigned type, uint32_t next, uint32_t caches[2]) {
  unsigned n = 0;

  if (type == CTYPE_DATA || type == CTYPE_SEPARATE)
    caches[n++] = append_cache(bytes, CACHE_DATA, next);
  if (type == CTYPE_INSTRUCTION || type == CTYPE_SEPARATE)
    caches[n++] = append_cache(bytes, CACHE_INSTRUCTION, next);
  if (type == CTYPE_UNIFIED)
    caches[n++] = append_cache(bytes, CACHE_UNIFIED, next);
  return n;
}

/* Those above the first level, the last one first; where the second is, 0: nowhere. */
static uint32_t append_shared_caches(GByteArray *bytes, uint64_t clidr) {
  unsigned levels = 1;
  uint32_t next[2] = {0};

  while (cache_type(clidr, levels + 1) != CTYPE_NONE)
    levels++;
  for (unsigned level = levels; level > 1; level--)
    append_level(bytes, cache_type(clidr, level), next[0], next);
  return next[0];
}

static void append_processor(GByteArray *bytes, uint32_t flags, uint32_t parent, uint32_t uid, const uint32_t *caches, unsigned n_caches) {
  begin_structure(bytes, PPTT_PROCESSOR, (uint8_t)(20 + 4 * n_caches));
  bytes_u16(bytes, 0);
  bytes_u32(bytes, flags);
  bytes_u32(bytes, parent);
  bytes_u32(bytes, uid);
  bytes_u32(bytes, n_caches);
  for (unsigned i = 0; i < n_caches; i++)
    bytes_u32(bytes, caches[i]);
}

void acpi_write_pptt(AcpiWriter *acpi, unsigned n_cpus, uint64_t clidr) {
  GByteArray *bytes = acpi_writer_begin_table(acpi, "PPTT", PPTT_REVISION);
  uint32_t package = bytes->len, shared, caches[2];

  append_processor(bytes, PPTT_PACKAGE | PPTT_IDENTICAL, 0, 0, NULL, 0);
  shared = append_shared_caches(bytes, clidr);
  for (unsigned i = 0; i < n_cpus; i++) {
    unsigned n_caches = append_level(bytes, cache_type(clidr, 1), shared, caches);
    append_processor(bytes, PPTT_UID_VALID | PPTT_LEAF, package, i, caches, n_caches);
  }
  acpi_writer_end_table(acpi);
}
