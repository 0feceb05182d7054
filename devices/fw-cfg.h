/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware configuration device of QEMU's `virt` machine (QEMU: docs/specs/fw_cfg.rst): by it firmware, and a
 * kernel that cares, reads items that whoever starts the machine has laid there: files with names, and a few that have
 * only a number. The guest writes none of them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/device-kind.h"
#include "devices/device-watch.h"

#define FW_CFG_SIZE      0x18
#define FW_CFG_NAME_MAX  55                   /* bytes of a file's name: QEMU, struct FWCfgFile */
#define FW_CFG_FILES_MAX 0x1000               /* fewer than there are keys for: 0x20 to 0x3fff */
#define FW_CFG_ITEM_MAX  UINT64_C(0xffffffff) /* bytes of an item: its size is told in 32 bits */

/* Items that are no files: QEMU, include/standard-headers/linux/qemu_fw_cfg.h. Numbers in them are little-endian. */
typedef enum {
  FW_CFG_SIGNATURE = 0x00, /* "QEMU"; the device's own, as the next */
  FW_CFG_ID = 0x01,
  FW_CFG_NB_CPUS = 0x05,
  FW_CFG_KERNEL_SIZE = 0x08,
  FW_CFG_INITRD_SIZE = 0x0b,
  FW_CFG_KERNEL_DATA = 0x11,
  FW_CFG_INITRD_DATA = 0x12,
  FW_CFG_CMDLINE_SIZE = 0x14,
  FW_CFG_CMDLINE_DATA = 0x15,
  FW_CFG_FILE_DIR = 0x19, /* the device's own */
  FW_CFG_FILE_FIRST = 0x20,
} FwCfgKey;

typedef struct {
  const char *name; /* of a file, interned; NULL: the item is KEY */
  FwCfgKey key;     /* below FW_CFG_FILE_DIR, and none of the device's own */
  GBytes *bytes;    /* at most FW_CFG_ITEM_MAX */
  /*
   * Whether what was just read of it is what it should be: bytes may be a mapping that others spoil. NULL: they are the
   * machine's own. Any thread; it outlives the item.
   */
  bool (*is_good)(const void *opaque);
  const void *opaque;
  DeviceStep step;   /* that a boot has come to when it is selected */
  const char *title; /* the device's own */
} FwCfgItem;

/* Items for a list that fw_cfg_set_items takes. Each takes BYTES over, and returns the item, for its further fields. */
FwCfgItem *fw_cfg_add_file(GPtrArray *items, const char *name, GBytes *bytes_taken);
FwCfgItem *fw_cfg_add_key(GPtrArray *items, FwCfgKey key, GBytes *bytes_taken);
GPtrArray *fw_cfg_items_new(void);

extern const DeviceKind fw_cfg_kind;

/*
 * What is to be read from now on, in place of what was: ITEMS, of FwCfgItem, of which no two have one name or key, and
 * of which at most FW_CFG_FILES_MAX are files; taken over. No vCPU runs. DEVICE: of fw_cfg_kind.
 */
void fw_cfg_set_items(Device *device, GPtrArray *items_taken);
