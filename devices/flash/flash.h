/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flash that firmware lives in: two banks of 64 MiB, one behind the other, each of two chips side by side
 * (flash-bank.h), 32 bits wide. The first holds the firmware, and the guest cannot change it; the second holds the
 * firmware's variables. That is the flash of QEMU's `virt` machine, for which firmware is built.
 */
#pragma once

#include "devices/device-kind.h"
#include "devices/flash/flash-bank.h"

#define FLASH_BANKS           2
#define FLASH_VARIABLE_BLOCKS 4 /* of a file of variables that is made without a template: 1 MiB, of which EDK2 takes 768 KiB */

/* What can be asked of it. */
typedef struct {
  char *path; /* the firmware */
  char *vars; /* the file of variables, which is made where it is not there; NULL: they last as long as the machine */
} FirmwareConfig;

extern const DeviceKind flash_kind; /* of a FirmwareConfig */
