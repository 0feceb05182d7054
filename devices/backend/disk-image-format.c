/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Marks of disk image formats. Sources: qcow and qcow2: QEMU, docs/interop/qcow2.rst; qed and parallels: the same
 * folder; vmdk: VMware, "Virtual Disk Format 5.0"; vhdx: Microsoft, MS-VHDX 2.2.1; vhd: Microsoft, "Virtual Hard Disk
 * Image Format Specification" (a fixed one has its mark at the end only, and is a raw image but for that sector); vdi:
 * VirtualBox, VDICore.h.
 *
 * An encrypted volume (LUKS) is no format in this sense: it is the guest that opens it. No lock: nothing is kept.
 */
#include "devices/backend/disk-image-format.h"

#include <glib.h>
#include <string.h>

static const struct {
  const char *name;
  size_t offset;
  const char *mark;
  size_t size;
} formats[] = {
    {"qcow", 0, "QFI\xfb\0\0\0\1", 8},
    {"qcow2", 0, "QFI\xfb", 4},
    {"qed", 0, "QED\0", 4},
    {"vmdk", 0, "KDMV", 4},
    {"vmdk", 0, "COWD", 4},
    {"vmdk", 0, "# Disk DescriptorFile", 21},
    {"vhdx", 0, "vhdxfile", 8},
    {"vhd", 0, "conectix", 8},
    {"vdi", 0x40, "\x7f\x10\xda\xbe", 4},
    {"parallels", 0, "WithoutFreeSpace", 16},
    {"parallels", 0, "WithouFreSpacExt", 16},
};

const char *disk_image_format_name(const void *header, size_t size) {
  for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
    if (size >= formats[i].offset + formats[i].size &&
        memcmp((const char *)header + formats[i].offset, formats[i].mark, formats[i].size) == 0)
      return formats[i].name;
  return NULL;
}
