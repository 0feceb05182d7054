/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware and its variables: what can be said of these files before the machine is made. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/flash-file.h"
#include "vmm/boot/firmware.h"
#include "vmm/config/config-check.h"

/* Whether there can be a file of variables where there is none yet. */
static bool can_make_variables(const FirmwareConfig *firmware, GError **error) {
  g_autofree char *template = firmware->path ? flash_file_template(firmware->path) : NULL;

  return config_check_directory(firmware->vars, error) && (!template || flash_file_check_template(template, FLASH_BANK_SIZE, error));
}

/* Who else has it in use is told when the machine is made. */
static void check_variables(OptionDraft *draft, const FirmwareConfig *firmware, const char *where) {
  g_autoptr(GError) error = NULL;

  if (!firmware->vars)
    return;
  bool to_be_made = access(firmware->vars, F_OK) < 0 && errno == ENOENT;
  if (!(to_be_made ? can_make_variables(firmware, &error) : flash_file_check(firmware->vars, FLASH_BANK_SIZE, &error)))
    option_mistake(draft, where, "%s", error->message);
}

/* False: there is none, which is said. */
static bool settle_auto(OptionDraft *draft, FirmwareConfig *firmware, const char *where) {
  if (strcmp(firmware->path, FIRMWARE_AUTO) != 0)
    return true;
  const KnownFirmware *found = firmware_find("/", NULL);
  g_autofree char *packages = firmware_packages();
  if (found) {
    g_free(firmware->path);
    firmware->path = g_strdup(found->path);
  } else {
    option_mistake(draft, where, "the host has no firmware that eret knows: install one of Debian's packages %s, or name a file", packages);
  }
  return found;
}

static void check_image(OptionDraft *draft, const FirmwareConfig *firmware, const char *where) {
  g_autoptr(GError) error = NULL;

  if (!config_check_filled_file(draft, where, firmware->path))
    return;
  g_autoptr(FlashFile) file = flash_file_open_image(firmware->path, FLASH_BANK_SIZE, &error);
  if (!file)
    option_mistake(draft, where, "%s", error->message);
}

/* Of several, the last one counts, as with options that are no list. */
void config_check_firmware(OptionDraft *draft, Config *config) {
  GPtrArray *all = config->firmware;
  const char *where = option_where(draft, "firmware", (int)all->len - 1);

  option_keep_last(all, option_find(config_options, "firmware")->element);
  if (all->len == 0)
    return;
  FirmwareConfig *firmware = all->pdata[0];
  if (firmware->path && settle_auto(draft, firmware, where))
    check_image(draft, firmware, where);
  check_variables(draft, firmware, where);
  if (config->kernel_format == KERNEL_FORMAT_RAW)
    option_mistake(draft, option_where(draft, "kernel-format", -1), "firmware is handed the file as it is, whatever its format");
  if (config->modules->len)
    option_mistake(draft, option_where(draft, "boot-module", 0), "firmware hands no modules on: leave out --firmware");
}
