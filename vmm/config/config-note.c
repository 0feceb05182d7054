/* SPDX-License-Identifier: Apache-2.0 */
/* What is possible, and not what the user is likely to want. Pure. */
#include "vmm/config/config.h"

bool config_needs_tree(const Config *config) {
  return config->watchdog != WATCHDOG_NONE || config->overlays->len > 0;
}

/*
 * UEFI that has ACPI tables hands these on, and no tree with them (EDK2: ArmVirtPkg/PlatformHasAcpiDtDxe); U-Boot hands
 * its tree on. Which of them a file is, nobody knows.
 */
char *config_note(const Config *config) {
  const char *options = config->watchdog == WATCHDOG_NONE ? "--dtbo" : config->overlays->len ? "--watchdog and --dtbo" : "--watchdog";

  if (!config_has_firmware(config) || !config_needs_tree(config) || config->tables == TABLES_FDT)
    return NULL;
  return g_strdup_printf(
      "%s: only the device tree tells of this, and UEFI hands on ACPI alone where it has both: the kernel that it starts "
      "does not see it; --tables fdt has it hand on the tree",
      options);
}
