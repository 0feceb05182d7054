/* SPDX-License-Identifier: Apache-2.0 */
/* A table of files; see the header. */
#include "vmm/boot/firmware.h"

#include <string.h>

const KnownFirmware firmware_known[] = {
    {"/usr/share/AAVMF/AAVMF_CODE.fd", FIRMWARE_UEFI, "qemu-efi-aarch64"},
    {"/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd", FIRMWARE_UEFI, "qemu-efi-aarch64"},
    {"/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", FIRMWARE_UEFI, "qemu-efi-aarch64"},
    {"/usr/lib/u-boot/qemu_arm64/u-boot.bin", FIRMWARE_U_BOOT, "u-boot-qemu"},
    {NULL, NULL, NULL},
};

const KnownFirmware *firmware_find(const char *root, const char *name) {
  for (const KnownFirmware *firmware = firmware_known; firmware->path; firmware++) {
    g_autofree char *path = g_build_filename(root, firmware->path, NULL);
    if ((!name || strcmp(firmware->name, name) == 0) && g_file_test(path, G_FILE_TEST_IS_REGULAR))
      return firmware;
  }
  return NULL;
}

char *firmware_packages(void) {
  g_autoptr(GString) text = g_string_new(NULL);
  const char *before = "";

  for (const KnownFirmware *firmware = firmware_known; firmware->path; firmware++) {
    if (strcmp(firmware->package, before) == 0)
      continue;
    g_string_append_printf(text, "%s%s (%s)", *before ? " and " : "", firmware->package, firmware->name);
    before = firmware->package;
  }
  return g_strdup(text->str);
}
