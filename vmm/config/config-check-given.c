/* SPDX-License-Identifier: Apache-2.0 */
/* Checks what a guest is given besides its kernel, and what firmware is told. Pure, but that it looks for the files. */
#include <string.h>

#include "devices/fw-cfg.h"
#include "vmm/config/board.h"
#include "vmm/config/config-check.h"

/* One LIST of what firmware may boot from; KNOWN: the places that are taken already. */
static void check_boot_indices(OptionDraft *draft, const char *list, const GPtrArray *elements, const DeviceKind *kind, GHashTable *known) {
  for (unsigned i = 0; i < elements->len; i++) {
    DeviceBoot boot = kind->boot(elements->pdata[i]);
    const char *where = option_where(draft, list, (int)i);
    if (boot.index && !boot.function)
      option_mistake(draft, where, "bootindex: firmware does not boot from a device of this type");
    else if (boot.index && !g_hash_table_add(known, GUINT_TO_POINTER(boot.index)))
      option_mistake(draft, where, "bootindex: place %u in the boot order is taken twice", boot.index);
  }
}

static void check_boot_order(OptionDraft *draft, const Config *config) {
  g_autoptr(GHashTable) known = g_hash_table_new(NULL, NULL);

  check_boot_indices(draft, "disk", config->disks, &virtio_blk_kind, known);
  check_boot_indices(draft, "net", config->nets, &virtio_net_kind, known);
  check_boot_indices(draft, "device", config->devices, &virtio_vhost_user_kind, known);
}

static void check_overlays(OptionDraft *draft, const Config *config) {
  struct stat status;

  for (unsigned i = 0; i < config->overlays->len; i++) {
    const DtboConfig *overlay = config->overlays->pdata[i];
    if (overlay->path)
      config_check_file(draft, option_where(draft, "dtbo", (int)i), overlay->path, false, &status);
  }
  if (config->overlays->len && config->tables == TABLES_ACPI && !config_has_firmware(config))
    option_mistake(draft, option_where(draft, "dtbo", 0),
                   "with --tables acpi the guest has no device tree to lay it over: --tables both has one");
}

static void check_modules(OptionDraft *draft, const Config *config) {
  for (unsigned i = 0; i < config->modules->len; i++) {
    const ModuleConfig *module = config->modules->pdata[i];
    const char *where = option_where(draft, "boot-module", (int)i);
    if (module->path)
      config_check_filled_file(draft, where, module->path);
    if (!config->kernel && !draft->incomplete)
      option_mistake(draft, where, "a module needs a kernel that starts it: add --kernel FILE");
  }
}

static bool is_item_name(const char *name) {
  for (const char *at = name; *at; at++)
    if (!g_ascii_isgraph(*at))
      return false;
  return g_str_has_prefix(name, FW_CFG_USER_PREFIX) && strlen(name) > strlen(FW_CFG_USER_PREFIX);
}

static void check_fw_cfg(OptionDraft *draft, const Config *config) {
  g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal); /* number of the item, from 1, by name */

  for (unsigned i = 0; i < config->fw_cfg->len; i++) {
    const FwCfgConfig *item = config->fw_cfg->pdata[i];
    const char *where = option_where(draft, "fw-cfg", (int)i);
    bool failed = option_has_failed(draft, "fw-cfg", (int)i);
    struct stat status;

    if (!item->name && !failed)
      option_mistake(draft, where, "needs name=" FW_CFG_USER_PREFIX "NAME");
    else if (item->name && strlen(item->name) > FW_CFG_NAME_MAX)
      option_mistake(draft, where, "name: has %zu bytes, at most %d are possible", strlen(item->name), FW_CFG_NAME_MAX);
    else if (item->name && !is_item_name(item->name))
      option_mistake(draft, where,
                     "name: '%s': it has to be " FW_CFG_USER_PREFIX
                     ", as other items are the machine's own, and behind it printable ASCII without blanks",
                     item->name);
    if (item->path ? item->text != NULL : !item->text && !failed)
      option_mistake(draft, where, "%s: give one of file=FILE and string=TEXT", item->path ? "an item has one content" : "it is empty");
    if (item->path)
      config_check_file(draft, where, item->path, false, &status);
    unsigned first = item->name ? GPOINTER_TO_UINT(g_hash_table_lookup(known, item->name)) : 0;
    if (first)
      option_mistake(draft, where, "name: '%s' is that of item number %u, too", item->name, first);
    else if (item->name)
      g_hash_table_insert(known, item->name, GUINT_TO_POINTER(i + 1));
    if (i == FW_CFG_FILES_MAX / 2)
      option_mistake(draft, where, "there are too many items: at most %d are possible", FW_CFG_FILES_MAX / 2);
  }
}

void config_check_given(OptionDraft *draft, const Config *config) {
  check_boot_order(draft, config);
  check_fw_cfg(draft, config);
  check_overlays(draft, config);
  check_modules(draft, config);
}
