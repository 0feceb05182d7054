/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EFI runtime services for a guest without firmware: the time of its PL031, which ACPI has no name for. UEFI
 * Specification 2.10, chapter 8. They are in the state in which a boot loader leaves them, after
 * SetVirtualAddressMap(): the kernel maps their regions where the memory map says.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

/*
 * Where the kernel has them: below the addresses of its own, as its EFI stub chooses (Linux: drivers/firmware/efi/
 * libstub/efi-stub.c).
 */
#define EFI_RUNTIME_CODE  UINT64_C(0x20000000)
#define EFI_RUNTIME_CLOCK UINT64_C(0x20010000)
#define EFI_RUNTIME_SIZE  0x10000                     /* of each: the largest page that a kernel has */
#define EFI_RUNTIME_TABLE (EFI_RUNTIME_CODE + 0x8000) /* of the services; the code is in front of it */

/* Bits of the runtime properties table (4.6.2): GetTime, SetTime, GetWakeupTime and SetWakeupTime. */
#define EFI_RUNTIME_SUPPORTED 0xf

/* EFI_RUNTIME_SIZE bytes for EFI_RUNTIME_CODE: the services, and their table. */
void efi_runtime_append(GByteArray *bytes);
