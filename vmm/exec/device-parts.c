/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the guest are those that guest-images/init/ knows. */
#include "vmm/exec/device-parts.h"

#include <stddef.h>

#include "vmm/exec/program.h"

/* Devices by their types (virtio 1.2, section 5), and Linux's modules for them. */
static const struct Driver {
  unsigned type;
  const char *module;
  size_t list, flag; /* of Config: there is one for each in this list, or where this is so; 0: neither */
} drivers[] = {
    {2, "virtio_blk", .list = offsetof(Config, disks)}, {1, "virtio_net", .list = offsetof(Config, nets)},
    {4, "virtio_rng", .flag = offsetof(Config, rng)},   {19, "vmw_vsock_virtio_transport", .list = offsetof(Config, vsock)},
    {26, "virtiofs", .list = offsetof(Config, shares)},
};

static bool has_device(const Config *config, const struct Driver *driver) {
  if (driver->flag)
    return G_STRUCT_MEMBER(bool, config, driver->flag);
  return G_STRUCT_MEMBER(GPtrArray *, config, driver->list)->len > 0;
}

void device_parts_add_modules(GPtrArray *names, const Config *config) {
  for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++)
    if (has_device(config, &drivers[i]))
      g_ptr_array_add(names, (char *)drivers[i].module);
}

void device_parts_add_driver(GByteArray *spec, unsigned type) {
  for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
    g_autofree char *words = g_strdup_printf("%u %s", type, drivers[i].module);
    if (drivers[i].type == type)
      spec_add(spec, "driver", words);
  }
}

static void add_drivers(GByteArray *spec, const Config *config) {
  for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++)
    if (has_device(config, &drivers[i]))
      device_parts_add_driver(spec, drivers[i].type);
}

/* "ro TAG PLACE". */
static void add_shares(GByteArray *spec, const Config *config) {
  for (unsigned i = 0; i < config->shares->len; i++) {
    const ShareConfig *share = config->shares->pdata[i];
    g_autofree char *words = share->at ? g_strdup_printf("%s %s %s", share->read_only ? "ro" : "rw", share->tag, share->at) : NULL;
    if (words)
      spec_add(spec, "share", words);
  }
}

void device_parts_add_records(GByteArray *spec, const Config *config) {
  add_drivers(spec, config);
  for (unsigned i = 0; i < config->nets->len; i++)
    spec_add(spec, "net", "dhcp");
  add_shares(spec, config);
}
