/* SPDX-License-Identifier: Apache-2.0 */
/* D8.2: which table base and how many levels; D8.3: descriptors. */
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
  if (!walk(&half, stage1->ttbr[upper], virtual, read, opaque, &leaf, &tables, &shift) || !a64_grants(stage1, upper, leaf, tables, request))
    return false;
  *physical = output_address(&half, leaf, shift) | field(virtual, 0, shift);
  return true;
}
