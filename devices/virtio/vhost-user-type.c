/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What types of virtio devices are like, for those that another process is: virtio 1.2, chapter 5. The size of a
 * configuration is that of its structure there: some back ends refuse to be asked for more, some for less.
 *
 * No lock: it is a table.
 */
#include "devices/virtio/vhost-user.h"

#include <string.h>

/* 5.2.3: some offer SIZE_MAX and then say 0, with which no request could be made. */
#define BLK_F_SIZE_MAX     (UINT64_C(1) << 1)
#define BLK_F_RO           (UINT64_C(1) << 5)
#define BLK_F_DISCARD      (UINT64_C(1) << 13)
#define BLK_F_WRITE_ZEROES (UINT64_C(1) << 14)

#define UNKNOWN_CONFIG 256 /* as much as vhost-user can carry */

static const VhostUserType types[] = {
    {.id = 1, .name = "net", .queues = 2, .config_size = 12, .boot_function = "ethernet", .boot_unit = "ethernet-phy@0"},
    {.id = 2,
     .name = "block",
     .queues = 1,
     .config_size = 60,
     .never = BLK_F_SIZE_MAX,
     .reading = BLK_F_RO,
     .writing = BLK_F_DISCARD | BLK_F_WRITE_ZEROES,
     .needs = "a size",
     .settings = 32, /* 5.2.4: writeback */
     .n_settings = 1,
     .boot_function = "scsi",
     .boot_unit = "disk@0,0"},
    {.id = 3, .name = "console", .queues = 2, .config_size = 12},
    {.id = 4, .name = "rng", .queues = 1},
    /* The first unit of the first target. */
    {.id = 8, .name = "scsi", .queues = 3, .config_size = 36, .boot_function = "scsi", .boot_unit = "channel@0/disk@0,0"},
    {.id = 16, .name = "gpu", .queues = 2, .config_size = 16},
    {.id = 18, .name = "input", .queues = 2, .config_size = 136, .settings = 0, .n_settings = 2}, /* 5.8.4: select, subsel */
    {.id = 19, .name = "vsock", .queues = 3, .config_size = 8},
    {.id = 25, .name = "sound", .queues = 4, .config_size = 12},
    /* Of its class of PCI function Open Firmware has no name: it is vendor and device. */
    {.id = 26,
     .name = "fs",
     .queues = 2,
     .config_size = 40,
     .needs = "a tag (virtiofsd: --tag=NAME)",
     .boot_function = "pci1af4,105a",
     .boot_unit = "filesystem@0"},
    {.id = 32, .name = "scmi", .queues = 2},
    {.id = 34, .name = "i2c", .queues = 1},
    {.id = 41, .name = "gpio", .queues = 2, .config_size = 8},
};

VhostUserType vhost_user_type(unsigned id) {
  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    if (types[i].id == id)
      return types[i];
  return (VhostUserType){.id = id, .queues = 1, .config_size = UNKNOWN_CONFIG, .guessed = true};
}

unsigned vhost_user_type_id(const char *text) {
  guint64 id;

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    if (strcmp(types[i].name, text) == 0)
      return types[i].id;
  return g_ascii_string_to_unsigned(text, 10, 1, VHOST_USER_TYPE_ID_MAX, &id, NULL) ? (unsigned)id : 0;
}

char *vhost_user_type_names(void) {
  GString *names = g_string_new(NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    g_string_append_printf(names, "%s%s", i ? ", " : "", types[i].name);
  return g_string_free(names, FALSE);
}
