/* SPDX-License-Identifier: Apache-2.0 */
/* What is possible, and not what the user is likely to want. Pure. */
#include <stdarg.h>

#include "vmm/base/mistakes.h"
#include "vmm/config/config-check.h"

bool config_needs_tree(const Config *config) {
  return config->watchdog != WATCHDOG_NONE || config->overlays->len > 0;
}

/*
 * UEFI that has ACPI tables hands these on, and no tree with them (EDK2: ArmVirtPkg/PlatformHasAcpiDtDxe); U-Boot hands
 * its tree on. Which of them a file is, nobody knows.
 */
static char *note_tables(const Config *config) {
  const char *options = config->watchdog == WATCHDOG_NONE ? "--dtbo" : config->overlays->len ? "--watchdog and --dtbo" : "--watchdog";

  if (!config_has_firmware(config) || !config_needs_tree(config) || config->tables == TABLES_FDT)
    return NULL;
  return g_strdup_printf(
      "%s: only the device tree tells of this, and UEFI hands on ACPI alone where it has both: the kernel that it starts "
      "does not see it; --tables fdt has it hand on the tree",
      options);
}

void config_note_that(Config *config, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_ptr_array_add(config->notes, mistake_line(format, arguments));
  va_end(arguments);
}

char *config_note(const Config *config) {
  g_autofree char *tables = note_tables(config);
  g_autoptr(GString) lines = g_string_new(NULL);

  for (unsigned i = 0; i < config->notes->len; i++)
    mistakes_add(lines, config->notes->pdata[i]);
  if (tables)
    mistakes_add(lines, tables);
  return lines->len ? g_strdup(lines->str) : NULL;
}
