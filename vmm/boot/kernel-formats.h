/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder that know one kernel format each share with kernel.c, and nobody else needs. Error
 * messages made here name no file: kernel_image_read puts the name in front.
 */
#pragma once

#include "vmm/base/little-endian.h"
#include "vmm/boot/kernel.h"
#include <glib.h>

#define KERNEL_BASE_ALIGNMENT 0x200000 /* 2 MiB: Documentation/arch/arm64/booting.rst, "Call the kernel image" */
#define KERNEL_TEXT_OFFSET    0x80000  /* 512 KiB: the same, where image_size is 0; and where flat binaries are loaded */

#define PE_MAGIC         0x00004550 /* "PE\0\0": PE/COFF specification, "Signature" */
#define PE_MACHINE_ARM64 0xaa64     /* the same, "Machine Types" */

/*
 * What kernel_image_read does once the file's contents are there. Keeps a reference to CONTENTS where the image points
 * into them.
 */
KernelImage *kernel_image_parse(GBytes *contents, KernelFormat format, GError **error);
/* An image without segments, for a format to fill. DESCRIPTION is static. */
KernelImage *kernel_image_new(const char *description, GBytes *contents);
void kernel_image_add_segment(KernelImage *image, uint64_t address, const uint8_t *data, uint64_t size, uint64_t memory_size);

/* arm64 Image */
bool kernel_is_linux_image(const uint8_t *data, gsize size);
KernelImage *kernel_parse_linux_image(GBytes *contents, GError **error);

/* ELF */
bool kernel_is_elf(const uint8_t *data, gsize size);
KernelImage *kernel_parse_elf(GBytes *contents, GError **error);

/* EFI zboot: unpacks the payload. *PACKING: "EFI zboot, gzip", static text. */
bool kernel_is_zboot(const uint8_t *data, gsize size);
GBytes *kernel_unpack_zboot(GBytes *contents, const char **packing, GError **error);

/* The machine field of the PE header that an MZ header points to; 0: there is none. */
unsigned kernel_pe_machine(const uint8_t *data, gsize size);

/*
 * What a file is that is none of the above, with an article: "an x86 Linux kernel (bzImage)". Never NULL; static text
 * or interned.
 */
const char *kernel_identify(const uint8_t *data, gsize size);
