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
  DiskImageFormat format;
  size_t offset;
  const char *mark;
  size_t size;
} marks[] = {
    {DISK_IMAGE_FORMAT_QCOW, 0, "QFI\xfb\0\0\0\1", 8},
    {DISK_IMAGE_FORMAT_QCOW2, 0, "QFI\xfb", 4},
    {DISK_IMAGE_FORMAT_QED, 0, "QED\0", 4},
    {DISK_IMAGE_FORMAT_VMDK, 0, "KDMV", 4},
    {DISK_IMAGE_FORMAT_VMDK, 0, "COWD", 4},
    {DISK_IMAGE_FORMAT_VMDK, 0, "# Disk DescriptorFile", 21},
    {DISK_IMAGE_FORMAT_VHDX, 0, "vhdxfile", 8},
    {DISK_IMAGE_FORMAT_VHD, 0, "conectix", 8},
    {DISK_IMAGE_FORMAT_VDI, 0x40, "\x7f\x10\xda\xbe", 4},
    {DISK_IMAGE_FORMAT_PARALLELS, 0, "WithoutFreeSpace", 16},
    {DISK_IMAGE_FORMAT_PARALLELS, 0, "WithouFreSpacExt", 16},
};

DiskImageFormat disk_image_format_of(const void *header, size_t size) {
  for (unsigned i = 0; i < G_N_ELEMENTS(marks); i++)
    if (size >= marks[i].offset + marks[i].size && memcmp((const char *)header + marks[i].offset, marks[i].mark, marks[i].size) == 0)
      return marks[i].format;
  return DISK_IMAGE_FORMAT_AUTO;
}

static const struct {
  const char *name, *driver;
  bool has_backing;
} formats[] = {
    [DISK_IMAGE_FORMAT_AUTO] = {"raw", "raw", false},     [DISK_IMAGE_FORMAT_RAW] = {"raw", "raw", false},
    [DISK_IMAGE_FORMAT_QCOW2] = {"qcow2", "qcow2", true}, [DISK_IMAGE_FORMAT_QCOW] = {"qcow", "qcow", true},
    [DISK_IMAGE_FORMAT_QED] = {"qed", "qed", true},       [DISK_IMAGE_FORMAT_VMDK] = {"vmdk", "vmdk", true},
    [DISK_IMAGE_FORMAT_VHDX] = {"vhdx", "vhdx", false},   [DISK_IMAGE_FORMAT_VHD] = {"vhd", "vpc", false},
    [DISK_IMAGE_FORMAT_VDI] = {"vdi", "vdi", false},      [DISK_IMAGE_FORMAT_PARALLELS] = {"parallels", "parallels", false},
};

const char *disk_image_format_name(DiskImageFormat format) {
  return formats[format].name;
}

const char *disk_image_format_driver(DiskImageFormat format) {
  return formats[format].driver;
}

bool disk_image_format_has_backing(DiskImageFormat format) {
  return formats[format].has_backing;
}
