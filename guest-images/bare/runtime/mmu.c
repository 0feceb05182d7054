/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of one level. With 36 bits of address (64 GiB) every granule gets by with that, its entries mapping blocks:
 *
 *   4 KiB    level 1     64 entries of   1 GiB
 *   16 KiB   level 2   2048 entries of  32 MiB
 *   64 KiB   level 2    128 entries of 512 MiB
 *
 * Which granules a CPU has, ID_AA64MMFR0_EL1 says; no single one is sure to be there.
 */
#include "mmu.h"

#include "cpu.h"
#include "fdt.h"

#define ADDRESS_BITS 36

/* Block descriptors: Arm ARM, D8.3 "Translation table descriptor formats". */
#define BLOCK_VALID       0x1ull
#define BLOCK_ATTR(index) ((uint64_t)(index) << 2)
#define BLOCK_AP_EL0      (1ull << 6) /* AP[1]: EL0 may read and write as EL1 does */
#define BLOCK_AP_READ     (1ull << 7) /* AP[2]: nobody may write */
#define BLOCK_SH_INNER    (3ull << 8) /* coherent among all CPUs */
#define BLOCK_ACCESS_FLAG (1ull << 10)
#define BLOCK_PXN         (1ull << 53) /* no execution at EL1 */
#define BLOCK_UXN         (1ull << 54) /* no execution at EL0 */
#define BLOCK_DEVICE      (BLOCK_VALID | BLOCK_ATTR(MAIR_DEVICE) | BLOCK_ACCESS_FLAG | BLOCK_PXN | BLOCK_UXN)
#define BLOCK_MEMORY      (BLOCK_VALID | BLOCK_ATTR(MAIR_NORMAL) | BLOCK_SH_INNER | BLOCK_ACCESS_FLAG)
#define BLOCK_FOR_EL1     (BLOCK_MEMORY | BLOCK_UXN)
#define BLOCK_FOR_EL0     (BLOCK_MEMORY | BLOCK_AP_EL0 | BLOCK_PXN)

#define TABLE_OR_PAGE 0x3ull /* a table below; at level 3: a page */

/* TCR_EL1 */
#define TCR_T0SZ        (64 - ADDRESS_BITS)
#define TCR_WALK_CACHED (1ull << 8 | 1ull << 10 | 3ull << 12) /* IRGN0, ORGN0: write-back; SH0: inner */
#define TCR_EPD1        (1ull << 23)                          /* no upper half of addresses */
#define TCR_TG0(value)  ((uint64_t)(value) << 14)
#define TCR_IPS(value)  ((uint64_t)(value) << 32)

/* ID_AA64MMFR0_EL1 */
#define MMFR0_PARANGE(id)  ((id)&15)
#define MMFR0_TGRAN16(id)  ((id) >> 20 & 15) /* 0: not there */
#define MMFR0_TGRAN4(id)   ((id) >> 28 & 15) /* 15: not there */
#define MMFR0_TGRAN_ABSENT 15
#define PARANGE_48_BITS    5

#define RAM_DEFAULT_BASE 0x40000000 /* where there is no tree to ask */
#define RAM_DEFAULT_SIZE 0x8000000

/* start.S knows this layout. */
struct MmuTables {
  uint64_t entries[MMU_TABLE_SIZE / sizeof(uint64_t)];
  uint64_t tcr;
  uint64_t block_shift;
} mmu_tables __attribute__((aligned(MMU_TABLE_SIZE)));
_Static_assert(offsetof(struct MmuTables, tcr) == MMU_TABLE_SIZE, "start.S reads it there");

static void choose_granule(void) {
  uint64_t id = read_sysreg(id_aa64mmfr0_el1);
  uint64_t parange = MMFR0_PARANGE(id) < PARANGE_48_BITS ? MMFR0_PARANGE(id) : PARANGE_48_BITS;
  uint64_t granule;

  if (MMFR0_TGRAN4(id) != MMFR0_TGRAN_ABSENT) {
    granule = TCR_TG0(0);
    mmu_tables.block_shift = 30;
  } else if (MMFR0_TGRAN16(id) != 0) {
    granule = TCR_TG0(2);
    mmu_tables.block_shift = 25;
  } else {
    granule = TCR_TG0(1);
    mmu_tables.block_shift = 29;
  }
  mmu_tables.tcr = TCR_T0SZ | TCR_WALK_CACHED | TCR_EPD1 | granule | TCR_IPS(parange);
}

/* The blocks that [START, END) touches, OFFSET higher; nothing beyond LIMIT. */
static void map(uint64_t start, uint64_t end, uint64_t limit, uint64_t offset, uint64_t attributes) {
  uint64_t block = 1ull << mmu_tables.block_shift;

  if (end > limit)
    end = limit;
  for (uint64_t at = start & ~(block - 1); at < end; at += block)
    mmu_tables.entries[(at + offset) >> mmu_tables.block_shift] = at | attributes;
}

/*
 * Writes with the MMU off go past the cache. What the cache still holds of these lines, from the time of the loader,
 * must not hide them.
 */
static void forget_cached(const void *start, size_t size) {
  uint64_t line = 4u << (read_sysreg(ctr_el0) >> 16 & 15); /* CTR_EL0.DminLine: log2 of words */

  dsb();
  for (uint64_t at = (uint64_t)start & ~(line - 1); at < (uint64_t)start + size; at += line)
    asm volatile("dc civac, %0" : : "r"(at) : "memory");
  dsb();
}

void mmu_build(const void *fdt) {
  uint64_t base = RAM_DEFAULT_BASE, size = RAM_DEFAULT_SIZE;

  if (!fdt_is_valid(fdt))
    fdt = (const void *)RAM_DEFAULT_BASE;
  if (fdt_is_valid(fdt))
    fdt_reg(fdt, fdt_find_name(fdt, "memory"), 0, &base, &size);
  choose_granule();
  map(0, base, USER_WINDOW, 0, BLOCK_DEVICE);
  map(base, base + size, USER_WINDOW, 0, BLOCK_FOR_EL1);
  map(base, base + size, (1ull << ADDRESS_BITS) - USER_WINDOW, USER_WINDOW, BLOCK_FOR_EL0);
  forget_cached(&mmu_tables, sizeof mmu_tables);
}

bool mmu_is_mapped(uint64_t address) {
  return address >> ADDRESS_BITS == 0 && (mmu_tables.entries[address >> mmu_tables.block_shift] & BLOCK_VALID);
}

void mmu_map_device(uint64_t address) {
  map(address, address + 1, USER_WINDOW, 0, BLOCK_DEVICE);
  dsb(); /* the table first, then the access; a missing translation is never cached, so there is no TLB entry to remove */
  isb();
}

uint64_t mmu_map_as_memory(uint64_t address) {
  uint64_t block = 1ull << mmu_tables.block_shift, window = USER_WINDOW - block;

  mmu_tables.entries[window >> mmu_tables.block_shift] = (address & ~(block - 1)) | BLOCK_FOR_EL1 | BLOCK_PXN;
  dsb();
  isb();
  return window + (address & (block - 1));
}

/* Below the block that mmu_map_as_memory gives away. Level 2 has one entry, level 3 those of the window. */
uint64_t mmu_window(void) {
  static uint64_t level2[512] __attribute__((aligned(MMU_PAGE_SIZE)));
  static uint64_t level3[512] __attribute__((aligned(MMU_PAGE_SIZE)));
  uint64_t window = USER_WINDOW - (2ull << 30);

  if (mmu_tables.block_shift != 30)
    return 0;
  level2[0] = (uint64_t)level3 | TABLE_OR_PAGE;
  dsb();
  mmu_tables.entries[window >> 30] = (uint64_t)level2 | TABLE_OR_PAGE;
  dsb();
  isb();
  return window;
}

void mmu_map_page(unsigned page, uint64_t address, unsigned access) {
  const uint64_t mask = 0xfffffffff000ull; /* bits of an address */
  uint64_t *level2 = (uint64_t *)(mmu_tables.entries[(USER_WINDOW - (2ull << 30)) >> 30] & mask);
  uint64_t *level3 = (uint64_t *)(level2[0] & mask), attributes = BLOCK_MEMORY | BLOCK_PXN | BLOCK_UXN | TABLE_OR_PAGE;

  level3[page] = address | attributes | (access & MMU_FOR_EL0 ? BLOCK_AP_EL0 : 0) | (access & MMU_READ_ONLY ? BLOCK_AP_READ : 0);
  dsb();
  isb();
}
