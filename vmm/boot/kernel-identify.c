/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names what a file is that is no kernel for eret, so that the error can say it: people hand over the kernel of another
 * machine, an initramfs, a package, a disk image. By magic numbers, most from the formats' own specifications as
 * file(1) knows them.
 */
#include "vmm/boot/kernel-formats.h"

typedef struct {
  unsigned offset;
  const char *bytes;
  unsigned length;
  const char *name;
} Magic;

#define MAGIC(offset, bytes, name)                                                                                                         \
  { offset, bytes, sizeof(bytes) - 1, name }

/* The more specific first: an x86 bzImage is also a boot sector and, with an EFI stub, also an MZ program. */
static const Magic magics[] = {
    MAGIC(0x202, "HdrS", "an x86 Linux kernel (bzImage)"), /* Linux: Documentation/arch/x86/boot.rst */
    MAGIC(0x24, "\x18\x28\x6f\x01", "a 32-bit ARM Linux kernel (zImage)"),
    MAGIC(0x38, "RSC\x05", "a RISC-V Linux kernel (Image)"), /* Linux: Documentation/arch/riscv/boot-image-header.rst */
    MAGIC(0, "\3757zXZ\0", "a file compressed with xz, which is not supported: unpack it first"), /* octal: a digit follows */
    MAGIC(0, "BZh", "a file compressed with bzip2, which is not supported: unpack it first"),
    MAGIC(0, "\x5d\0\0", "a file compressed with lzma, which is not supported: unpack it first"),
    MAGIC(0, "\x89LZO\0\r\n\x1a\n", "a file compressed with lzop, which is not supported: unpack it first"),
    MAGIC(0, "\x27\x05\x19\x56", "a U-Boot uImage: take the Image it was made from"),
    MAGIC(0, "\xd0\x0d\xfe\xed", "a device tree, or a U-Boot FIT image"),
    MAGIC(0, "07070", "an initramfs (cpio archive): it belongs to --initrd"),
    MAGIC(0, "ANDROID!", "an Android boot image: take the kernel out of it"),
    MAGIC(0, "!<arch>\n", "an archive (a Debian package or a static library)"),
    MAGIC(0, "\xed\xab\xee\xdb", "an RPM package"),
    MAGIC(0, "PK\x03\x04", "a zip archive"),
    MAGIC(257, "ustar", "a tar archive"),
    MAGIC(0, "QFI\xfb", "a qcow2 disk image"),
    MAGIC(0, "hsqs", "a squashfs file system: a disk, it belongs to --disk"),
    MAGIC(0x438, "\x53\xef", "an ext2, ext3 or ext4 file system: a disk, it belongs to --disk"),
    MAGIC(0x8001, "CD001", "a CD image (ISO 9660): a disk, it belongs to --disk"),
    MAGIC(0x200, "EFI PART", "a partitioned disk image: it belongs to --disk"),
    MAGIC(0, "\xcf\xfa\xed\xfe", "a Mach-O program of macOS"),
    MAGIC(0, "#!", "a script"),
    MAGIC(0x1fe, "\x55\xaa", "a boot sector or disk image"),
};

/* PE/COFF specification, "Machine Types". */
static const struct {
  unsigned machine;
  const char *name;
} pe_programs[] = {
    {PE_MACHINE_ARM64, "an EFI program for AArch64 without a Linux kernel in it that eret knows"},
    {0x8664, "an EFI program for x86-64"},
    {0x014c, "an EFI program for 32-bit x86"},
    {0x01c2, "an EFI program for 32-bit ARM"},
    {0x01c4, "an EFI program for 32-bit ARM"},
    {0x5064, "an EFI program for RISC-V"},
    {0x6264, "an EFI program for LoongArch"},
};

#define LOOKED_AT   512        /* bytes from the start that must be text for a text file */
#define ZEROS_UP_TO (1u << 20) /* bytes from the start that are looked at for zeros: a file without blocks may be of any size */

static bool is_text(const uint8_t *data, gsize size) {
  for (gsize i = 0; i < MIN(size, LOOKED_AT); i++) {
    if (data[i] < ' ' && !g_ascii_isspace(data[i]))
      return false;
  }
  const char *end;
  /* A character of several bytes may be cut by the limit. */
  return g_utf8_validate((const char *)data, MIN(size, LOOKED_AT), &end) || MIN(size, LOOKED_AT) - (end - (const char *)data) < 4;
}

static bool is_zero(const uint8_t *data, gsize size) {
  for (gsize i = 0; i < size; i++) {
    if (data[i])
      return false;
  }
  return true;
}

const char *kernel_identify(const uint8_t *data, gsize size) {
  for (unsigned i = 0; i < G_N_ELEMENTS(magics); i++) {
    const Magic *magic = &magics[i];
    if (size >= magic->offset + magic->length && memcmp(data + magic->offset, magic->bytes, magic->length) == 0)
      return magic->name;
  }
  if (size >= 2 && memcmp(data, "MZ", 2) == 0) {
    unsigned machine = kernel_pe_machine(data, size);
    for (unsigned i = 0; i < G_N_ELEMENTS(pe_programs); i++) {
      if (pe_programs[i].machine == machine)
        return pe_programs[i].name;
    }
    return "a DOS, Windows or EFI program, or the start of one";
  }
  if (is_zero(data, MIN(size, ZEROS_UP_TO)))
    return size > ZEROS_UP_TO ? "a file that begins with 1 MiB of zeros" : "nothing but zeros";
  return is_text(data, size) ? "a text file" : "data of an unknown kind";
}
