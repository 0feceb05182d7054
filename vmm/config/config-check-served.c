/* SPDX-License-Identifier: Apache-2.0 */
/* Disks that are not raw files: what goes with a format, or with a network. Pure, but that it looks for the files. */
#include "vmm/config/config-check.h"
#include "vmm/helpers/nbd-uri.h"

static void check_backing(OptionDraft *draft, const DiskConfig *disk, const char *where) {
  g_autofree char *there = g_strconcat(where, ": backing", NULL);
  struct stat status;

  if (disk->backing->len && !disk_image_format_has_backing(disk->image.format))
    option_mistake(draft, there, "an image of format %s is backed by no other: those of format qcow2, vmdk, qcow and qed can be",
                   disk_image_format_name(disk->image.format));
  for (unsigned i = 0; i < disk->backing->len; i++)
    config_check_file(draft, there, disk->backing->pdata[i], true, &status);
}

static void check_nbd(OptionDraft *draft, const DiskConfig *disk, const char *where) {
  const char *why;
  g_autoptr(NbdAddress) address = nbd_uri_parse(disk->nbd, &why);

  if (disk->path)
    option_mistake(draft, where, "a disk has one place: FILE, or nbd=URI");
  if (!address)
    option_mistake(draft, where, "nbd: '%s': %s", disk->nbd, why);
}

void config_check_served(OptionDraft *draft, const DiskConfig *disk, const char *where) {
  check_backing(draft, disk, where);
  if (disk->nbd)
    check_nbd(draft, disk, where);
  if (disk->device.serial && disk_is_served(disk))
    option_mistake(draft, where, "serial: qemu-storage-daemon, which serves it, has none for a disk: raw files alone have one");
}
