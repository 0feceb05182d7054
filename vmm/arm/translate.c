/* SPDX-License-Identifier: Apache-2.0 */
/*
 * D8.2: which table base and how many levels; D8.3: descriptors; D8.4: permissions.
 *
 * A descriptor whose access flag or dirty state the hardware would change (TCR_ELx.HA, HD) grants what it would after
 * that, and is left as it is: what we carry out is on devices alone, whose pages nobody writes back or takes away for
 * age.
 */
#include "vmm/arm/translate.h"

#define BIT(n) (UINT64_C(1) << (n))

#define DESCRIPTOR_VALID BIT(0)
#define DESCRIPTOR_TABLE BIT(1) /* at the last level: a page */
#define LAST_LEVEL       3

/* TCR_EL1, D24.2.193. */
enum {
  TCR_T0SZ = 0,
  TCR_EPD0 = 7,
  TCR_TG0 = 14,
  TCR_T1SZ = 16,
  TCR_EPD1 = 23,
  TCR_TG1 = 30,
  TCR_IPS = 32,
  TCR_TBI0 = 37,
  TCR_TBI1 = 38,
  TCR_HA = 39,
  TCR_HD = 40,
  TCR_HPD0 = 41,
  TCR_E0PD0 = 55,
  TCR_E0PD1 = 56,
  TCR_DS = 59
};
#define TCR_IPS_52_BITS 6

/* TCR_EL2 with HCR_EL2.E2H 0, D24.2.194; up to bit 15 it is TCR_EL1. */
enum { TCR_EL2_PS = 16, TCR_EL2_TBI = 20, TCR_EL2_HA = 21, TCR_EL2_HD = 22, TCR_EL2_HPD = 24, TCR_EL2_DS = 32 };
#define TCR_LOWER_HALF 0xffff

static uint64_t field(uint64_t value, unsigned low, unsigned width) {
  return value >> low & (BIT(width) - 1);
}

uint64_t a64_tcr_of_el2(uint64_t tcr_el2) {
  return (tcr_el2 & TCR_LOWER_HALF & ~BIT(TCR_EPD0)) | BIT(TCR_EPD1) | field(tcr_el2, TCR_EL2_PS, 3) << TCR_IPS |
         field(tcr_el2, TCR_EL2_TBI, 1) << TCR_TBI0 | field(tcr_el2, TCR_EL2_HA, 1) << TCR_HA | field(tcr_el2, TCR_EL2_HD, 1) << TCR_HD |
         field(tcr_el2, TCR_EL2_HPD, 1) << TCR_HPD0 | field(tcr_el2, TCR_EL2_DS, 1) << TCR_DS;
}

/* What TCR_EL1 says of one half of the address space. */
typedef struct {
  unsigned page_shift;
  unsigned input_bits;
  bool disabled, ignores_top_byte;
  bool closed_to_el0;    /* FEAT_E0PD */
  bool large_64k, large; /* output addresses of 52 bits: with 64 KiB pages, or with the others (TCR_EL1.DS) */
} Half;

static Half half_of(uint64_t tcr, bool upper) {
  static const unsigned lower_shifts[] = {12, 16, 14, 0}, upper_shifts[] = {0, 14, 12, 16};
  Half half = {
      .page_shift = upper ? upper_shifts[field(tcr, TCR_TG1, 2)] : lower_shifts[field(tcr, TCR_TG0, 2)],
      .input_bits = 64 - (unsigned)field(tcr, upper ? TCR_T1SZ : TCR_T0SZ, 6),
      .disabled = field(tcr, upper ? TCR_EPD1 : TCR_EPD0, 1),
      .ignores_top_byte = field(tcr, upper ? TCR_TBI1 : TCR_TBI0, 1),
      .closed_to_el0 = field(tcr, upper ? TCR_E0PD1 : TCR_E0PD0, 1),
  };

  half.large_64k = half.page_shift == 16 && field(tcr, TCR_IPS, 3) == TCR_IPS_52_BITS;
  half.large = half.page_shift != 16 && field(tcr, TCR_DS, 1);
  return half;
}

/* Whether the bits above the input address are all those of the half. */
static bool is_canonical(const Half *half, uint64_t virtual, bool upper) {
  unsigned top = half->ignores_top_byte ? 56 : 64;

  if (half->input_bits >= top)
    return true;
  uint64_t above = field(virtual, half->input_bits, top - half->input_bits);
  return above == (upper ? BIT(top - half->input_bits) - 1 : 0);
}

static uint64_t output_address(const Half *half, uint64_t descriptor, unsigned shift) {
  uint64_t address = descriptor & (BIT(half->large ? 50 : 48) - 1) & ~(BIT(half->page_shift) - 1);

  if (half->large_64k)
    address |= field(descriptor, 12, 4) << 48;
  else if (half->large)
    address |= field(descriptor, 8, 2) << 50;
  return address & ~(BIT(shift) - 1);
}

static uint64_t table_base(const Half *half, uint64_t ttbr, unsigned index_bits) {
  uint64_t base = ttbr & (BIT(48) - 1) & ~(BIT(index_bits + 3) - 1);

  if (half->large_64k || half->large)
    base = (base & ~(uint64_t)0x3f) | field(ttbr, 2, 4) << 48;
  return base;
}

/*
 * From the first table to the descriptor of a block or page. TABLES: those of the tables, ORed. SHIFT: of the block or
 * page.
 */
static bool walk(const Half *half, uint64_t ttbr, uint64_t virtual, A64ReadDescriptor read, void *opaque, uint64_t *leaf, uint64_t *tables,
                 unsigned *shift) {
  unsigned stride = half->page_shift - 3, levels = (half->input_bits - half->page_shift + stride - 1) / stride;
  unsigned index_bits = half->input_bits - half->page_shift - stride * (levels - 1);
  uint64_t table = table_base(half, ttbr, index_bits);

  *tables = 0;
  for (int level = LAST_LEVEL + 1 - (int)levels; level <= LAST_LEVEL; level++, index_bits = stride) {
    *shift = half->page_shift + stride * (unsigned)(LAST_LEVEL - level);
    if (!read(opaque, table + field(virtual, *shift, index_bits) * 8, leaf) || !(*leaf & DESCRIPTOR_VALID))
      return false;
    if (level == LAST_LEVEL)
      return *leaf & DESCRIPTOR_TABLE;
    if (!(*leaf & DESCRIPTOR_TABLE))
      return true;
    *tables |= *leaf;
    table = output_address(half, *leaf, half->page_shift);
  }
  return false;
}

/* Permissions. */

/* D8.3.1.2, D8.3.2: attributes of blocks and pages, */
#define LEAF_AP_EL0       BIT(6) /* AP[1] */
#define LEAF_AP_READ_ONLY BIT(7) /* AP[2]; with indirect permissions: nDirty */
#define LEAF_AF           BIT(10)
#define LEAF_DBM          BIT(51)
#define LEAF_PXN          BIT(53)
#define LEAF_UXN          BIT(54) /* XN, where there is no EL0 */
#define LEAF_PO_INDEX     60
/* and of tables. */
#define TABLE_PXN       BIT(59)
#define TABLE_UXN       BIT(60)
#define TABLE_NO_EL0    BIT(61) /* APTable[0] */
#define TABLE_READ_ONLY BIT(62) /* APTable[1] */

#define RW  (A64_READ | A64_WRITE)
#define RX  (A64_READ | A64_EXECUTE)
#define RWX (A64_READ | A64_WRITE | A64_EXECUTE)

#define INDIRECT_NO_OVERLAY 8 /* encodings from here on are not narrowed by POR_ELx */

static unsigned direct(const A64Stage1 *stage1, uint64_t leaf, uint64_t tables, bool privileged) {
  bool for_el0 = !stage1->alone && leaf & LEAF_AP_EL0 && !(tables & TABLE_NO_EL0);
  bool dirty_by_hardware = leaf & LEAF_DBM && stage1->tcr & BIT(TCR_HD);
  bool writable = (!(leaf & LEAF_AP_READ_ONLY) || dirty_by_hardware) && !(tables & TABLE_READ_ONLY);
  bool never = privileged && !stage1->alone ? leaf & LEAF_PXN || tables & TABLE_PXN : leaf & LEAF_UXN || tables & TABLE_UXN;

  /* D8.4.1.2: what EL0 may write is never executed at EL1; WXN has it so for what one may write oneself. */
  if (writable && ((privileged && for_el0) || ((privileged || for_el0) && stage1->sctlr & A64_SCTLR_WXN)))
    never = true;
  unsigned data = privileged || for_el0 ? (writable ? RW : A64_READ) : 0;
  return data | (never ? 0 : A64_EXECUTE);
}

/* D8.4.1.3; PIIndex is bits 54, 53, 51 and 6. */
static unsigned indirect_encoding(const A64Stage1 *stage1, uint64_t leaf, bool privileged) {
  unsigned index = (unsigned)((leaf >> 54 & 1) << 3 | (leaf >> 53 & 1) << 2 | (leaf >> 51 & 1) << 1 | (leaf >> 6 & 1));
  return (unsigned)(stage1->pir[privileged] >> 4 * index & 15);
}

static unsigned indirect(const A64Stage1 *stage1, uint64_t leaf, bool privileged) {
  /* Reserved ones grant nothing; 6 is writable, and so not executable. */
  static const uint8_t encodings[16] = {[1] = A64_READ, [2] = A64_EXECUTE, [3] = RX,  [5] = RW,  [6] = RW,  [7] = RWX,
                                        [8] = A64_READ, [9] = A64_READ,    [10] = RX, [12] = RW, [14] = RWX};
  unsigned rights = encodings[indirect_encoding(stage1, leaf, privileged)];

  if (leaf & LEAF_AP_READ_ONLY && !(stage1->tcr & BIT(TCR_HD)))
    rights &= ~(unsigned)A64_WRITE;
  return rights;
}

static unsigned base_rights(const A64Stage1 *stage1, uint64_t leaf, uint64_t tables, bool privileged) {
  if (!(stage1->tcr2 & A64_TCR2_PIE))
    return direct(stage1, leaf, tables, privileged);
  unsigned rights = indirect(stage1, leaf, privileged);
  if (privileged && !stage1->alone && rights & A64_EXECUTE && indirect(stage1, leaf, false) & A64_WRITE)
    return 0;
  return rights;
}

static unsigned overlay(const A64Stage1 *stage1, uint64_t leaf, bool privileged) {
  if (!(stage1->tcr2 & (privileged ? A64_TCR2_POE : A64_TCR2_E0POE)) ||
      (stage1->tcr2 & A64_TCR2_PIE && indirect_encoding(stage1, leaf, privileged) >= INDIRECT_NO_OVERLAY))
    return RWX;
  return (unsigned)(stage1->por[privileged] >> 4 * (leaf >> LEAF_PO_INDEX & 7)) & RWX;
}

/*
 * Whether LEAF, the descriptor of a block or page in the UPPER half of the addresses or the lower one, grants REQUEST.
 * TABLES: all descriptors of tables above it, ORed.
 */
static bool grants(const A64Stage1 *stage1, bool upper, uint64_t leaf, uint64_t tables, const A64Request *request) {
  bool hierarchical = !(stage1->tcr & BIT(TCR_HPD0 + upper));

  if (!(leaf & LEAF_AF) && !(stage1->tcr & BIT(TCR_HA)))
    return false;
  if (!hierarchical)
    tables = 0;
  unsigned rights = base_rights(stage1, leaf, tables, request->privileged) & overlay(stage1, leaf, request->privileged);
  if (request->privileged && request->pan && !stage1->alone) {
    unsigned of_el0 = base_rights(stage1, leaf, tables, false);
    if (of_el0 & (stage1->sctlr & A64_SCTLR_EPAN ? RWX : RW))
      rights &= ~(unsigned)RW;
  }
  return (request->rights & ~rights) == 0;
}

bool a64_translate(const A64Stage1 *stage1, uint64_t virtual, const A64Request *request, A64ReadDescriptor read, void *opaque,
                   uint64_t *physical) {
  bool upper = field(virtual, 55, 1);
  Half half = half_of(stage1->tcr, upper);
  uint64_t leaf, tables;
  unsigned shift;

  if (!(stage1->sctlr & A64_SCTLR_M)) {
    *physical = virtual & (BIT(52) - 1);
    return true;
  }
  if (half.page_shift == 0 || half.disabled || half.input_bits <= half.page_shift || half.input_bits > 52 ||
      !is_canonical(&half, virtual, upper) || (half.closed_to_el0 && !request->privileged))
    return false;
  if (!walk(&half, stage1->ttbr[upper], virtual, read, opaque, &leaf, &tables, &shift) || !grants(stage1, upper, leaf, tables, request))
    return false;
  *physical = output_address(&half, leaf, shift) | field(virtual, 0, shift);
  return true;
}
