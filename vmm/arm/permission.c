/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor whose access flag or dirty state the hardware would change (TCR_ELx.HA, HD) grants what it would after
 * that, and is left as it is: what we carry out is on devices alone, whose pages nobody writes back or takes away for
 * age.
 */
#include "vmm/arm/permission.h"

#define BIT(n) (UINT64_C(1) << (n))

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

#define TCR_HA   BIT(39)
#define TCR_HD   BIT(40)
#define TCR_HPD0 41 /* of the lower half; 42: of the upper one */

#define RW  (A64_READ | A64_WRITE)
#define RX  (A64_READ | A64_EXECUTE)
#define RWX (A64_READ | A64_WRITE | A64_EXECUTE)

#define INDIRECT_NO_OVERLAY 8 /* encodings from here on are not narrowed by POR_ELx */

static unsigned direct(const A64Stage1 *stage1, uint64_t leaf, uint64_t tables, bool privileged) {
  bool for_el0 = !stage1->alone && leaf & LEAF_AP_EL0 && !(tables & TABLE_NO_EL0);
  bool dirty_by_hardware = leaf & LEAF_DBM && stage1->tcr & TCR_HD;
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

  if (leaf & LEAF_AP_READ_ONLY && !(stage1->tcr & TCR_HD))
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

bool a64_grants(const A64Stage1 *stage1, bool upper, uint64_t leaf, uint64_t tables, const A64Request *request) {
  bool hierarchical = !(stage1->tcr & BIT(TCR_HPD0 + upper));

  if (!(leaf & LEAF_AF) && !(stage1->tcr & TCR_HA))
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
