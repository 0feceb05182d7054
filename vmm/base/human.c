/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers and foreign texts in reports for people. Locale has no say: a report looks the same everywhere and tests can
 * compare it. Pure functions.
 */
#include "vmm/base/human.h"

#include "devices/printable.h"

HumanText human_time(uint64_t ns) {
  static const struct {
    const char *unit;
    double ns;
  } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
  HumanText result;
  unsigned unit = 0;

  if (ns < 1000) {
    g_snprintf(result.text, sizeof result.text, "%u ns", (unsigned)ns);
    return result;
  }
  /* 999.5 and more would be rounded to four digits. */
  while (unit + 1 < G_N_ELEMENTS(units) && (double)ns / units[unit].ns >= 999.5)
    unit++;
  double value = (double)ns / units[unit].ns;
  int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  g_snprintf(result.text, sizeof result.text, "%.*f %s", decimals, value, units[unit].unit);
  return result;
}

HumanText human_count(uint64_t count) {
  HumanText result;
  char digits[24];
  int n = g_snprintf(digits, sizeof digits, "%" G_GUINT64_FORMAT, count), at = 0;

  for (int i = 0; i < n; i++) {
    if (i > 0 && (n - i) % 3 == 0)
      result.text[at++] = ',';
    result.text[at++] = digits[i];
  }
  result.text[at] = 0;
  return result;
}

HumanText human_share(uint64_t part, uint64_t whole) {
  HumanText result = {"-"};

  if (whole)
    g_snprintf(result.text, sizeof result.text, "%.1f %%", 100.0 * (double)part / (double)whole);
  return result;
}

void human_append_text(GString *out, const char *text) {
  g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;

  for (const char *at = valid; at && *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    g_string_append_unichar(out, printable_char(c) ? c : '?');
  }
}

void human_append_printf(GString *out, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  human_append_text(out, text);
}

HumanText human_size(uint64_t bytes) {
  static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double size = (double)bytes;
  HumanText out;
  unsigned unit = 0;

  if (bytes < 1024) {
    g_snprintf(out.text, sizeof out.text, "%u bytes", (unsigned)bytes);
    return out;
  }
  for (size /= 1024; size >= 1024 && unit + 1 < G_N_ELEMENTS(units); size /= 1024)
    unit++;
  g_snprintf(out.text, sizeof out.text, "%.1f %s", size, units[unit]);
  return out;
}
