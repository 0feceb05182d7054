/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arm64 kernel's Image: its 64-byte header (Linux: Documentation/arch/arm64/booting.rst, "Call the kernel image"),
 * and the PE/COFF header behind it that kernels with an EFI stub carry (Microsoft PE format), used for one thing: it
 * says how long the file must be. The Image header only knows how much memory the kernel needs, which is more than the
 * file holds (BSS), so a truncated file would go unnoticed by it.
 */
#include "vmm/boot/kernel-formats.h"

/* Offsets in the header, and its values. */
#define IMAGE_HEADER_SIZE     64
#define IMAGE_TEXT_OFFSET     8
#define IMAGE_IMAGE_SIZE      16
#define IMAGE_FLAGS           24
#define IMAGE_MAGIC           56
#define IMAGE_MAGIC_VALUE     0x644d5241 /* "ARM\x64" */
#define FLAG_BIG_ENDIAN       (1u << 0)
#define FLAG_PAGE_SIZE_SHIFT  1 /* two bits: not stated, 4 KiB, 16 KiB, 64 KiB */
#define FLAG_PAGE_SIZE_MASK   3
#define TEXT_OFFSET_ALIGNMENT 0x1000       /* the kernel's own build has always asserted: a multiple of 4 KiB below 2 MiB */
#define IMAGE_SIZE_MAX        (1ull << 32) /* the reach of ADRP, by which the kernel finds its own symbols */

/*
 * Kernels before 3.17 do not say how much memory they need (image_size is 0): the protocol asks to keep as much as
 * possible free behind them. Their BSS was well below 1 MiB, page tables included.
 */
#define OLD_KERNEL_BSS (16u << 20)

/* PE/COFF: file offsets relative to the signature. */
#define PE_HEADER_POINTER       60
#define PE_MACHINE              4
#define PE_SECTION_COUNT        6
#define PE_OPTIONAL_HEADER_SIZE 20
#define PE_OPTIONAL_HEADER      24
#define PE_SECTION_SIZE         40
#define PE_SECTION_RAW_SIZE     16
#define PE_SECTION_RAW_POINTER  20

bool kernel_is_linux_image(const uint8_t *data, gsize size) {
  return size >= IMAGE_MAGIC + 4 && le32(data + IMAGE_MAGIC) == IMAGE_MAGIC_VALUE;
}

unsigned kernel_pe_machine(const uint8_t *data, gsize size) {
  if (size < IMAGE_HEADER_SIZE || memcmp(data, "MZ", 2) != 0)
    return 0;
  uint64_t pe = le32(data + PE_HEADER_POINTER);
  if (pe + PE_OPTIONAL_HEADER > size || le32(data + pe) != PE_MAGIC)
    return 0;
  return le16(data + pe + PE_MACHINE);
}

/*
 * The end of the last section in the file; 0 where the kernel has no EFI stub. G_MAXUINT64: even the section table is
 * cut off.
 */
static uint64_t pe_file_size(const uint8_t *data, gsize size) {
  if (memcmp(data, "MZ", 2) != 0)
    return 0;
  uint64_t pe = le32(data + PE_HEADER_POINTER);
  if (pe + PE_OPTIONAL_HEADER > size)
    return G_MAXUINT64;
  if (le32(data + pe) != PE_MAGIC)
    return 0;
  uint64_t sections = pe + PE_OPTIONAL_HEADER + le16(data + pe + PE_OPTIONAL_HEADER_SIZE);
  unsigned count = le16(data + pe + PE_SECTION_COUNT);
  if (sections + (uint64_t)count * PE_SECTION_SIZE > size)
    return G_MAXUINT64;
  uint64_t end = 0;
  for (unsigned i = 0; i < count; i++) {
    const uint8_t *section = data + sections + i * PE_SECTION_SIZE;
    end = MAX(end, (uint64_t)le32(section + PE_SECTION_RAW_POINTER) + le32(section + PE_SECTION_RAW_SIZE));
  }
  return end;
}

static bool check_length(const uint8_t *data, gsize size, GError **error) {
  uint64_t needed = size < IMAGE_HEADER_SIZE ? IMAGE_HEADER_SIZE : pe_file_size(data, size);
  if (needed <= size)
    return true;
  if (needed == G_MAXUINT64)
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
                "it is an arm64 Image truncated within its headers, after %" G_GSIZE_FORMAT " bytes", size);
  else
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
                "it is a truncated arm64 Image: %" G_GSIZE_FORMAT " bytes of the %" G_GUINT64_FORMAT " that its headers name", size,
                needed);
  return false;
}

/*
 * Fills in where the kernel wants to be. An old kernel (image_size 0) has its text_offset in its own endianness, and no
 * flags.
 */
static bool read_placement(KernelImage *image, const uint8_t *data, gsize size, GError **error) {
  uint64_t text_offset = le64(data + IMAGE_TEXT_OFFSET), image_size = le64(data + IMAGE_IMAGE_SIZE), flags = le64(data + IMAGE_FLAGS);
  bool old = image_size == 0;
  if (old ? text_offset == GUINT64_SWAP_LE_BE((uint64_t)KERNEL_TEXT_OFFSET) : (flags & FLAG_BIG_ENDIAN) != 0) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_UNSUPPORTED,
                "it is a big-endian arm64 kernel, and eret starts its guests little-endian: build it without CONFIG_CPU_BIG_ENDIAN");
    return false;
  }
  if (old) {
    image->text_offset = KERNEL_TEXT_OFFSET;
    image->image_size = size + OLD_KERNEL_BSS;
    return true;
  }
  if (text_offset % TEXT_OFFSET_ALIGNMENT || text_offset >= KERNEL_BASE_ALIGNMENT) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
                "its arm64 Image header is damaged: text_offset is 0x%" G_GINT64_MODIFIER "x, not a multiple of 4 KiB below 2 MiB",
                text_offset);
    return false;
  }
  if (image_size < IMAGE_HEADER_SIZE || image_size > IMAGE_SIZE_MAX) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
                "its arm64 Image header is damaged: image_size is 0x%" G_GINT64_MODIFIER "x bytes, not between 64 bytes and 4 GiB",
                image_size);
    return false;
  }
  unsigned page_size = flags >> FLAG_PAGE_SIZE_SHIFT & FLAG_PAGE_SIZE_MASK;
  image->page_size = page_size ? 1024u << 2 * page_size : 0; /* 1: 4 KiB, 2: 16 KiB, 3: 64 KiB */
  image->text_offset = text_offset;
  image->image_size = image_size;
  return true;
}

KernelImage *kernel_parse_linux_image(GBytes *contents, GError **error) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);
  if (!check_length(data, size, error))
    return NULL;
  g_autoptr(KernelImage) image = kernel_image_new("arm64 Image", contents);
  if (!read_placement(image, data, size, error))
    return NULL;
  image->linux_image = true;
  image->relocatable = true;
  image->alignment = KERNEL_BASE_ALIGNMENT;
  image->entry = image->text_offset;
  /* What lies in the file behind the kernel's own end (a signature, a device tree) has no place in memory. */
  kernel_image_add_segment(image, image->text_offset, data, MIN(size, image->image_size), image->image_size);
  return g_steal_pointer(&image);
}
