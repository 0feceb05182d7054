/* SPDX-License-Identifier: Apache-2.0 */
/* Firmware that a host may have: where Debian's packages put it. */
#pragma once

#include <glib.h>

#define FIRMWARE_AUTO   "auto" /* as a path: the first one that the host has */
#define FIRMWARE_UEFI   "UEFI"
#define FIRMWARE_U_BOOT "U-Boot"

typedef struct {
  const char *path, *name, *package; /* NULL ends the list */
} KnownFirmware;

/* In the order in which they are looked for. */
extern const KnownFirmware firmware_known[];

/* The first that is there below ROOT ("/" on the running host), of those called NAME (NULL: any); NULL: none. */
const KnownFirmware *firmware_find(const char *root, const char *name);
/* "qemu-efi-aarch64 (UEFI) and u-boot-qemu (U-Boot)". Free with g_free. */
char *firmware_packages(void);
