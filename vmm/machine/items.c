/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The items of the firmware configuration device. A user's files are read once and whole, so that a reboot finds what
 * the boot before it has found. No lock: used while no vCPU runs.
 */
#include "vmm/machine/items.h"

#include <string.h>

#include "devices/fw-cfg.h"
#include "vmm/base/whole-file.h"

#define FILE_MAX (64u << 20) /* far more than firmware has taken for anything but kernels */

static GBytes *read_item(const FwCfgConfig *item, GError **error) {
  gsize size = 0;
  char *contents;

  if (item->text)
    return g_bytes_new(item->text, strlen(item->text));
  contents = whole_file_read(item->path, FILE_MAX, "item", &size, error);
  if (contents)
    return g_bytes_new_take(contents, size);
  g_prefix_error(error, "item %s, file %s: ", item->name, item->path);
  return NULL;
}

GPtrArray *items_read(const Config *config, GError **error) {
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

  for (unsigned i = 0; i < config->fw_cfg->len; i++) {
    GBytes *bytes = read_item(config->fw_cfg->pdata[i], error);
    if (!bytes)
      return NULL;
    g_ptr_array_add(items, bytes);
  }
  return g_steal_pointer(&items);
}

static void add_asked(GPtrArray *items, const Config *config, const GPtrArray *asked) {
  for (unsigned i = 0; i < asked->len; i++)
    fw_cfg_add_file(items, ((const FwCfgConfig *)config->fw_cfg->pdata[i])->name, g_bytes_ref(asked->pdata[i]));
}

/* Its lines end in a NUL, as QEMU's do. */
static void add_boot_order(GPtrArray *items, const Board *board) {
  char *order = board_boot_order(board);

  if (order)
    fw_cfg_add_file(items, "bootorder", g_bytes_new_take(order, strlen(order) + 1));
}

static void add_u16(GPtrArray *items, FwCfgKey key, unsigned value) {
  uint16_t little_endian = GUINT16_TO_LE((uint16_t)value);

  fw_cfg_add_key(items, key, g_bytes_new(&little_endian, sizeof little_endian));
}

static void add_u32(GPtrArray *items, FwCfgKey key, gsize value) {
  uint32_t little_endian = GUINT32_TO_LE((uint32_t)value);

  fw_cfg_add_key(items, key, g_bytes_new(&little_endian, sizeof little_endian));
}

static FwCfgItem *add_sized(GPtrArray *items, FwCfgKey size_key, FwCfgKey data_key, const Item *item) {
  add_u32(items, size_key, g_bytes_get_size(item->bytes));
  FwCfgItem *added = fw_cfg_add_key(items, data_key, g_bytes_ref(item->bytes));
  added->is_good = item->is_good;
  added->opaque = item->opaque;
  return added;
}

void items_add_program(GPtrArray *items, const char *arguments, const Item *program, const Item *initrd) {
  g_autoptr(GBytes) line = g_bytes_new(arguments, strlen(arguments) + 1); /* its end counts */

  add_sized(items, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA, program)->step = DEVICE_STEP_KERNEL;
  add_sized(items, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA, &(Item){line, NULL, NULL});
  if (initrd->bytes)
    add_sized(items, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA, initrd);
}

GPtrArray *items_new(const Board *board, const GPtrArray *asked) {
  GPtrArray *items = fw_cfg_items_new();

  add_u16(items, FW_CFG_NB_CPUS, board->cpus);
  add_boot_order(items, board);
  add_asked(items, board->config, asked);
  return items;
}
