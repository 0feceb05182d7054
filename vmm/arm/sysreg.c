/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers and system instructions by name and by encoding. Arm Architecture Reference Manual (DDI 0487):
 * C5.1.1 and C5.3 for names and encodings, D24.2 for the fields of a syndrome. The table is in sysreg-table.c; what is
 * here looks things up in it. No locks: pure functions.
 */
#include "vmm/arm/sysreg.h"

#include <glib.h>
#include <stdio.h>

#include "vmm/arm/sysreg-table.h"

#define OP0(encoding) ((encoding) >> 14 & 3)
#define OP1(encoding) ((encoding) >> 11 & 7)
#define CRN(encoding) ((encoding) >> 7 & 15)
#define CRM(encoding) ((encoding) >> 3 & 15)
#define OP2(encoding) ((encoding)&7)

#define ENCODING_MAX 0xffff

/*
 * MSR (immediate) writes a field of PSTATE; CRm is the immediate, and for op1 1 in part the field. C5.1.2, C6.2 "MSR
 * (immediate)".
 */
#define PSTATE_CRN 4

static const struct {
  uint8_t op1, op2;
  uint8_t crm_mask, crm;
  const char *name;
} pstate_fields[] = {
    {0, 3, 0, 0, "UAO"},  {0, 4, 0, 0, "PAN"},     {0, 5, 0, 0, "SPSel"},   {1, 0, 0xe, 0, "ALLINT"},
    {1, 0, 0xe, 2, "PM"}, {3, 1, 0, 0, "SSBS"},    {3, 2, 0, 0, "DIT"},     {3, 3, 0, 0, "SVCR"},
    {3, 4, 0, 0, "TCO"},  {3, 6, 0, 0, "DAIFSet"}, {3, 7, 0, 0, "DAIFClr"},
};

static const char *pstate_name(uint32_t encoding) {
  if (CRN(encoding) != PSTATE_CRN)
    return NULL;
  for (unsigned i = 0; i < G_N_ELEMENTS(pstate_fields); i++)
    if (pstate_fields[i].op1 == OP1(encoding) && pstate_fields[i].op2 == OP2(encoding) &&
        (CRM(encoding) & pstate_fields[i].crm_mask) == pstate_fields[i].crm)
      return pstate_fields[i].name;
  return NULL;
}

/* The first row that is not before ENCODING; there may be none. */
static const SysregRow *first_row(uint32_t encoding) {
  unsigned low = 0, high = sysreg_table_length;

  while (low < high) {
    unsigned middle = (low + high) / 2;
    if (sysreg_table[middle].encoding < encoding)
      low = middle + 1;
    else
      high = middle;
  }
  return &sysreg_table[low];
}

const char *sysreg_name(uint32_t encoding, bool write) {
  SysregDirection unwanted = write ? SYSREG_READ : SYSREG_WRITE;
  const SysregRow *end = sysreg_table + sysreg_table_length;

  if (encoding > ENCODING_MAX)
    return NULL;
  if (OP0(encoding) == 0)
    return write ? pstate_name(encoding) : NULL;
  for (const SysregRow *row = first_row(encoding); row < end && row->encoding == encoding; row++)
    if (row->direction != unwanted)
      return row->name;
  return NULL;
}

char *sysreg_describe(uint32_t encoding, bool write) {
  const char *name = sysreg_name(encoding, write);

  if (name)
    return g_strdup(name);
  return g_strdup_printf("S%u_%u_C%u_C%u_%u", OP0(encoding), OP1(encoding), CRN(encoding), CRM(encoding), OP2(encoding));
}

/* "S3_0_C12_C11_5", in either case; -1 where it is not of that form. */
static int find_generic(const char *name) {
  unsigned op0, op1, crn, crm, op2;
  g_autofree char *upper = g_ascii_strup(name, -1);
  int end = 0;

  if (sscanf(upper, "S%1u_%1u_C%2u_C%2u_%1u%n", &op0, &op1, &crn, &crm, &op2, &end) != 5 || upper[end])
    return -1;
  if (op0 > 3 || op1 > 7 || crn > 15 || crm > 15 || op2 > 7)
    return -1;
  return (int)SYSREG(op0, op1, crn, crm, op2);
}

int sysreg_find(const char *name) {
  for (unsigned i = 0; i < sysreg_table_length; i++)
    if (!g_ascii_strcasecmp(sysreg_table[i].name, name))
      return sysreg_table[i].encoding;
  return find_generic(name);
}

uint32_t sysreg_of_iss(uint64_t esr) {
  unsigned op0 = esr >> 20 & 3, op2 = esr >> 17 & 7, op1 = esr >> 14 & 7, crn = esr >> 10 & 15, crm = esr >> 1 & 15;
  return SYSREG(op0, op1, crn, crm, op2);
}
