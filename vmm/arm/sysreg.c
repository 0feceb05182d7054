/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System registers and system instructions by name and by encoding. Arm Architecture Reference Manual (DDI 0487):
 * C5.1.1 and C5.3 for names and encodings, D24.2 for the fields of a syndrome. The tables are in sysreg-table.c; what
 * is here looks things up in them. No locks: pure functions.
 */
#include "vmm/arm/sysreg.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

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

/* The row that ENCODING would be in: the last that does not begin after it. */
static const SysregRow *row_of(uint32_t encoding) {
  unsigned low = 0, high = sysreg_table_length;

  while (high - low > 1) {
    unsigned middle = (low + high) / 2;
    if (sysreg_table[middle].encoding <= encoding)
      low = middle;
    else
      high = middle;
  }
  return &sysreg_table[low];
}

static char *name_in_row(uint32_t encoding, bool write) {
  const SysregRow *row = row_of(encoding);
  const char *name = row->names;

  for (uint32_t at = row->encoding; at != encoding; at++) {
    name = strchr(name, ',');
    if (!name)
      return NULL;
    name += strlen(", ");
  }
  size_t length = strcspn(name, ",/");
  if (write && name[length] == '/') {
    name += length + 1;
    length = strcspn(name, ",");
  }
  return *name == '-' ? NULL : g_strndup(name, length);
}

static char *member_name(const SysregFamily *family, unsigned n) {
  const char *index = strstr(family->name, "<n>");
  return g_strdup_printf("%.*s%u%s", (int)(index - family->name), family->name, n, index + strlen("<n>"));
}

static char *name_in_family(uint32_t encoding) {
  for (unsigned i = 0; i < sysreg_families_length; i++) {
    const SysregFamily *family = &sysreg_families[i];
    uint32_t distance = encoding - family->encoding, n = family->first + distance / family->step;
    if (encoding >= family->encoding && distance % family->step == 0 && n <= family->last)
      return member_name(family, n);
  }
  return NULL;
}

static bool is_nxs(uint32_t encoding) {
  return OP0(encoding) == 1 && CRN(encoding) == 9;
}

char *sysreg_name(uint32_t encoding, bool write) {
  if (encoding > ENCODING_MAX)
    return NULL;
  if (OP0(encoding) == 0)
    return write ? g_strdup(pstate_name(encoding)) : NULL;
  g_autofree char *name = name_in_row(is_nxs(encoding) ? encoding - SYSREG_NXS : encoding, write);
  if (!name)
    return name_in_family(encoding);
  return is_nxs(encoding) ? g_strconcat(name, "nXS", NULL) : g_steal_pointer(&name);
}

char *sysreg_describe(uint32_t encoding, bool write) {
  char *name = sysreg_name(encoding, write);

  if (name)
    return name;
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

static int find_in_row(const SysregRow *row, const char *name) {
  int encoding = row->encoding;

  for (const char *at = row->names;; at++) {
    size_t length = strcspn(at, ",/");
    bool begins = *at != '-' && !g_ascii_strncasecmp(name, at, length);
    if (begins && !name[length])
      return encoding;
    if (begins && is_nxs((uint32_t)encoding + SYSREG_NXS) && !g_ascii_strcasecmp(name + length, "nXS"))
      return encoding + SYSREG_NXS;
    at += length;
    if (!*at)
      return -1;
    if (*at == ',') {
      encoding++;
      at++;
    }
  }
}

static int find_in_family(const SysregFamily *family, const char *name) {
  for (unsigned n = family->first; n <= family->last; n++) {
    g_autofree char *member = member_name(family, n);
    if (!g_ascii_strcasecmp(member, name))
      return (int)(family->encoding + (n - family->first) * family->step);
  }
  return -1;
}

int sysreg_find(const char *name) {
  int found = -1;

  for (unsigned i = 0; i < sysreg_table_length && found < 0; i++)
    found = find_in_row(&sysreg_table[i], name);
  for (unsigned i = 0; i < sysreg_families_length && found < 0; i++)
    found = find_in_family(&sysreg_families[i], name);
  return found < 0 ? find_generic(name) : found;
}

uint32_t sysreg_of_iss(uint64_t esr) {
  unsigned op0 = esr >> 20 & 3, op2 = esr >> 17 & 7, op1 = esr >> 14 & 7, crn = esr >> 10 & 15, crm = esr >> 1 & 15;
  return SYSREG(op0, op1, crn, crm, op2);
}
