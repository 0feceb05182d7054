/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel files: recognised, unpacked, checked, and made ready for placement. No KVM: a KernelImage is bytes and
 * numbers.
 *
 * Accepted: arm64 Image (Linux: Documentation/arch/arm64/booting.rst), the same compressed with gzip, zstd or lz4
 * (frame and legacy), EFI zboot (gzip or zstd payload; Linux: drivers/firmware/efi/libstub/zboot-header.S), ELF64
 * executables for AArch64, and, when asked for, flat binaries.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/mapped-file.h"
#include "vmm/boot/kernel-error.h"

typedef enum { KERNEL_FORMAT_AUTO, KERNEL_FORMAT_RAW } KernelFormat;

/* A piece of memory to fill: SIZE bytes from DATA, then zeros up to MEMORY_SIZE. */
typedef struct {
  uint64_t address; /* guest physical, or an offset from the image's base: see KernelImage.relocatable */
  const uint8_t *data;
  uint64_t size, memory_size;
} KernelSegment;

typedef struct {
  const char *description; /* "arm64 Image, gzip", for people */
  GBytes *contents;        /* the file, mapped, or what was unpacked from it; segments point into it */
  bool linux_image;        /* has an Image header, and follows the arm64 boot protocol */
  bool relocatable;        /* addresses are offsets; placement chooses the base (Image, raw). False: ELF, physical addresses */
  uint64_t text_offset;    /* Image and raw: from a 2 MiB aligned base */
  uint64_t alignment;      /* of that base */
  uint64_t image_size;     /* bytes of memory from text_offset that the image needs, BSS included */
  unsigned page_size;      /* bytes the kernel was built for, 0: not stated */
  uint64_t entry;          /* absolute, or an offset like the addresses */
  GArray *segments;        /* of KernelSegment */
} KernelImage;

/* The file at PATH, mapped, and kept to be read again. */
MappedFile *kernel_file_open(const char *path, GError **error);
/*
 * What is in FILE for firmware, which finds out itself what it is: where it is packed with gzip, zstd or lz4, it is
 * unpacked. An EFI zboot is a program of EFI's, which unpacks itself.
 */
GBytes *kernel_file_unpack(MappedFile *file, const char *path, GError **error);
/* Finds out what FILE is, unpacks and checks it; PATH is for messages. Not unpacked, the image points into FILE. */
KernelImage *kernel_image_read(MappedFile *file, const char *path, KernelFormat format, GError **error);
void kernel_image_free(KernelImage *image); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KernelImage, kernel_image_free)

/*
 * The release that a Linux kernel states in its banner (Linux: init/version-timestamp.c, "Linux version 6.12.95-cloud
 * (..."): at most 64 letters, digits and signs. Reads the whole image. NULL: it states none. Free with g_free.
 */
char *kernel_image_release(const KernelImage *image);

/* One of the files that a hypervisor starts its domains from. */
typedef struct {
  uint64_t start, size;
} BootModule;

/* Where everything goes in RAM. All addresses are guest physical, sizes bytes; 0/0: absent. */
typedef struct {
  uint64_t kernel_base; /* added to relocatable addresses */
  uint64_t kernel_start, kernel_size;
  uint64_t initrd_start, initrd_size;
  uint64_t fdt_start, fdt_size;
  uint64_t tables_start, tables_size; /* ACPI and SMBIOS, with the EFI tables that lead to them */
  uint64_t efi_system_table, efi_map;
  uint32_t efi_map_size;
  uint64_t fdt_copy_start; /* where the same tree lies once more, for a program that does not ask x0; 0: nowhere */
  uint64_t entry;
  uint64_t x0;               /* what the first CPU finds in that register */
  const BootModule *modules; /* the caller's */
  unsigned n_modules;
} BootPlacement;

/*
 * Where the kernel goes, whatever else there is: fills in its members of PLACEMENT. Whether there is room for it is not
 * looked at.
 */
bool boot_place_kernel(const KernelImage *image, uint64_t ram_base, BootPlacement *placement, GError **error);

/*
 * What firmware finds, which starts at ENTRY: the device tree (FDT_SIZE bytes) at the start of RAM, and nothing in x0.
 * The convention of QEMU's `virt` machine.
 */
bool boot_place_firmware(uint64_t entry, uint64_t ram_base, uint64_t ram_size, uint64_t fdt_size, BootPlacement *placement, GError **error);

/* What --memory takes: with less no kernel of today unpacks its init; and most hosts end before the most. */
#define BOOT_MEMORY_MIN (UINT64_C(16) << 20)
#define BOOT_MEMORY_MAX (UINT64_C(4) << 40)

#define BOOT_FDT_MAX 0x200000 /* the boot protocol's limit: 2 MiB, must not cross a 2 MiB boundary */
/*
 * Places kernel, initrd (INITRD_SIZE may be 0) and device tree (FDT_SIZE bytes, at most BOOT_FDT_MAX) in RAM_BASE ..
 * RAM_BASE + RAM_SIZE without overlap. Linux: by the arm64 boot protocol, initrd within the same 32 GiB-aligned window
 * as the kernel, device tree 8-byte aligned in one 2 MiB block. A bare-metal program: tree and initrd half of RAM or
 * 128 MiB above RAM_BASE, or as far from the program as there is room. Too little memory: an error with the number
 * needed.
 */
bool boot_place(const KernelImage *image, uint64_t ram_base, uint64_t ram_size, uint64_t initrd_size, uint64_t fdt_size,
                BootPlacement *placement, GError **error);
/* What was placed is followed by SIZE bytes of tables (vmm/boot/efi-tables.h), as far above it as ALIGNMENT wants. */
bool boot_place_tables(BootPlacement *placement, uint64_t ram_base, uint64_t ram_size, uint64_t size, uint64_t alignment, GError **error);
/*
 * Places N MODULES, of which the sizes are known, behind all that PLACEMENT has; each begins on a page of its own,
 * whatever the size of pages. PLACEMENT refers to them then. Too little memory: an error with the number needed.
 */
bool boot_place_modules(BootPlacement *placement, uint64_t ram_base, uint64_t ram_size, BootModule *modules, unsigned n, GError **error);
