/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes as people write them: 512M, 4G, 1048576. Binary units throughout, as every machine's memory is counted; 1.5G is
 * refused, since 1536M says the same without a question about rounding.
 */
#include "vmm/options/size.h"

#include <glib.h>
#include <string.h>

static const char units[] = "KMGT";

static bool is_unit_tail(const char *text, bool after_unit) {
  return *text == '\0' || !g_ascii_strcasecmp(text, "B") || (after_unit && !g_ascii_strcasecmp(text, "iB"));
}

bool size_parse(const char *text, uint64_t *size, const char **why) {
  if (!g_ascii_isdigit(*text)) {
    *why = *text ? "does not start with a digit" : "is empty";
    return false;
  }
  uint64_t value = 0;
  const char *end = text;
  for (; g_ascii_isdigit(*end); end++) {
    if (!g_uint64_checked_mul(&value, value, 10) || !g_uint64_checked_add(&value, value, *end - '0')) {
      *why = "is too large";
      return false;
    }
  }
  if (*end == '.' || *end == ',') {
    *why = "has a fraction: write 1536M, not 1.5G";
    return false;
  }
  const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
  if (unit)
    end++;
  if (!is_unit_tail(end, unit != NULL)) {
    *why = "has an unknown unit: K, M, G and T are known";
    return false;
  }
  if (unit && !g_uint64_checked_mul(&value, value, UINT64_C(1) << 10 * (unit - units + 1))) {
    *why = "is too large";
    return false;
  }
  *size = value;
  return true;
}

char *size_format(uint64_t size) {
  unsigned unit = 0;
  while (size && size % 1024 == 0 && unit < strlen(units)) {
    size /= 1024;
    unit++;
  }
  char suffix[2] = {unit ? units[unit - 1] : '\0'};
  return g_strdup_printf("%" G_GUINT64_FORMAT "%s", size, suffix);
}
