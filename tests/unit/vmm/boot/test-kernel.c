/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel files: every format that eret takes, every kind of file that it does not, each cut at every length, and
 * headers with random damage. All of it must end in a valid image or a clean error; reads outside of the file are the
 * sanitizer's to find.
 */
#include "tests/unit/vmm/boot/fixtures.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot/kernel-formats.h"

/* What must hold of every image that is accepted. */
static void assert_valid(const KernelImage *image) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(image->contents, &size);
  bool entry_inside = false;
  g_assert_nonnull(image->description);
  g_assert_cmpuint(image->segments->len, >, 0);
  for (guint i = 0; i < image->segments->len; i++) {
    const KernelSegment *segment = &g_array_index(image->segments, KernelSegment, i);
    g_assert_true(segment->data >= data && segment->data <= data + size);
    g_assert_cmpuint(segment->size, <=, data + size - segment->data);
    g_assert_cmpuint(segment->size, <=, segment->memory_size);
    g_assert_cmpuint(segment->memory_size, <=, image->image_size);
    g_assert_cmpuint(segment->address, <=, UINT64_MAX - segment->memory_size);
    entry_inside |= image->entry >= segment->address && image->entry - segment->address < segment->size;
  }
  g_assert_true(entry_inside);
}

static KernelImage *parse_format(const GByteArray *bytes, gsize size, KernelFormat format, GError **error) {
  g_autoptr(GBytes) contents = fixture_seal(bytes, size);
  KernelImage *image = kernel_image_parse(contents, format, error);
  if (image)
    assert_valid(image);
  return image;
}

static KernelImage *parse(const GByteArray *bytes) {
  g_autoptr(GError) error = NULL;
  KernelImage *image = parse_format(bytes, bytes->len, KERNEL_FORMAT_AUTO, &error);
  g_assert_no_error(error);
  g_assert_nonnull(image);
  return image;
}

static void assert_message(const GError *error, int code, const char *text) {
  g_assert_nonnull(error);
  if (error->domain != KERNEL_ERROR || error->code != code || !strstr(error->message, text))
    g_error("wanted code %d with \"%s\", got %d: %s", code, text, error->code, error->message);
}

static void assert_refused(const GByteArray *bytes, KernelError code, const char *text) {
  g_autoptr(GError) error = NULL;
  g_assert_null(parse_format(bytes, bytes->len, KERNEL_FORMAT_AUTO, &error));
  assert_message(error, code, text);
}

/* BYTES cut at every length. FROM: from this length on, an image may come out. */
static void assert_truncations(const GByteArray *bytes, gsize from) {
  for (gsize size = 0; size < bytes->len; size++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(KernelImage) image = parse_format(bytes, size, KERNEL_FORMAT_AUTO, &error);
    g_assert_true((image == NULL) == (error != NULL));
    if (size < from)
      g_assert_true(error && error->domain == KERNEL_ERROR && *error->message);
  }
}

/* Header fields overwritten at random, with values that hurt. */
static void assert_mutations(const GByteArray *bytes, guint header, guint32 seed, guint rounds) {
  static const guint64 values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000, G_MAXUINT64, 64, 4096};
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  guint accepted = 0;
  for (guint round = 0; round < rounds; round++) {
    g_autoptr(GByteArray) damaged = g_byte_array_new();
    g_byte_array_append(damaged, bytes->data, bytes->len);
    for (guint n = g_rand_int_range(random, 1, 4); n > 0; n--) {
      guint size = 1 << g_rand_int_range(random, 0, 4), offset = g_rand_int_range(random, 0, header - 8);
      guint64 value = g_rand_boolean(random) ? values[g_rand_int_range(random, 0, G_N_ELEMENTS(values))] : g_rand_int(random);
      put(damaged, offset - offset % size, value, size);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(KernelImage) image = parse_format(damaged, damaged->len, KERNEL_FORMAT_AUTO, &error);
    g_assert_true((image == NULL) == (error != NULL));
    accepted += image != NULL;
  }
  g_assert_cmpuint(accepted, >, 0);
  g_assert_cmpuint(accepted, <, rounds);
}

static void test_image(void) {
  static const guint page_sizes[] = {0, 4096, 16384, 65536};
  for (guint bits = 0; bits < 4; bits++) {
    g_autoptr(GByteArray) bytes =
        fixture_image((ImageFixture){.size = 4096, .text_offset = 0x80000, .image_size = 0x10000, .flags = bits << 1});
    g_autoptr(KernelImage) image = parse(bytes);
    const KernelSegment *segment = &g_array_index(image->segments, KernelSegment, 0);
    g_assert_cmpstr(image->description, ==, "arm64 Image");
    g_assert_true(image->linux_image && image->relocatable);
    g_assert_cmphex(image->text_offset, ==, 0x80000);
    g_assert_cmphex(image->entry, ==, 0x80000);
    g_assert_cmphex(image->alignment, ==, 0x200000);
    g_assert_cmphex(image->image_size, ==, 0x10000);
    g_assert_cmpuint(image->page_size, ==, page_sizes[bits]);
    g_assert_cmpuint(image->segments->len, ==, 1);
    g_assert_cmphex(segment->address, ==, 0x80000);
    g_assert_cmpuint(segment->memory_size, ==, 0x10000);
    g_assert_cmpmem(segment->data, segment->size, bytes->data, bytes->len);
  }
}

static void assert_release(const char *text, const char *expected) {
  g_autoptr(GByteArray) bytes = fixture_image((ImageFixture){.size = 4096, .image_size = 0x10000});
  memcpy(bytes->data + bytes->len - strlen(text), text, strlen(text));
  g_autoptr(KernelImage) image = parse(bytes);
  g_autofree char *release = kernel_image_release(image);
  g_assert_cmpstr(release, ==, expected);
}

static void test_release(void) {
  g_autofree char *longest = g_strnfill(63, '1'), *long_text = g_strdup_printf("Linux version 6%s (", longest);
  g_autofree char *longest_release = g_strdup_printf("6%s", longest), *too_long = g_strdup_printf("Linux version 66%s (", longest);

  assert_release("Linux version 6.12.95+deb12-cloud-arm64 (who@where)", "6.12.95+deb12-cloud-arm64");
  assert_release("Linux version %s (%s)\n Linux version 7.3.0-rc1_x~1 (", "7.3.0-rc1_x~1");
  assert_release(long_text, longest_release);
  assert_release(too_long, NULL);
  assert_release("Linux version 6.1", NULL); /* cut off */
  assert_release("Linux version ", NULL);
  assert_release("Linux version 6.1\033[2J (", NULL);
  assert_release("no banner at all", NULL);
}

/* Before Linux 3.17: image_size 0, and whatever text_offset says, it is 512 KiB. */
static void test_image_old(void) {
  g_autoptr(GByteArray) bytes = fixture_image((ImageFixture){.size = 4096, .text_offset = 0x80000});
  g_autoptr(KernelImage) image = parse(bytes);
  g_assert_cmphex(image->text_offset, ==, 0x80000);
  g_assert_cmpuint(image->image_size, >=, 4096 + (1 << 20));
  put(bytes, 8, 0x0000080000000000, 8);
  assert_refused(bytes, KERNEL_ERROR_UNSUPPORTED, "big-endian");
}

/* More in the file than the kernel's memory: a signature behind it stays outside. */
static void test_image_trailer(void) {
  g_autoptr(GByteArray) bytes = fixture_image((ImageFixture){.size = 4096, .image_size = 4000});
  g_autoptr(KernelImage) image = parse(bytes);
  g_assert_cmpuint(g_array_index(image->segments, KernelSegment, 0).size, ==, 4000);
}

static void test_image_bad(void) {
  static const struct {
    guint offset, size;
    guint64 value;
    KernelError code;
    const char *text;
  } cases[] = {
      {24, 8, 0xb, KERNEL_ERROR_UNSUPPORTED, "CONFIG_CPU_BIG_ENDIAN"},
      {8, 8, 0x80001, KERNEL_ERROR_CORRUPT, "text_offset is 0x80001"},
      {8, 8, 0x200000, KERNEL_ERROR_CORRUPT, "text_offset is 0x200000"},
      {8, 8, G_MAXUINT64, KERNEL_ERROR_CORRUPT, "text_offset"},
      {16, 8, 63, KERNEL_ERROR_CORRUPT, "image_size is 0x3f"},
      {16, 8, 0x100000001, KERNEL_ERROR_CORRUPT, "image_size is 0x100000001"},
      {16, 8, G_MAXUINT64, KERNEL_ERROR_CORRUPT, "image_size"},
      {60, 4, 0xfffffff0, KERNEL_ERROR_CORRUPT, "truncated within its headers"},
      {FIXTURE_PE + 20, 2, 0xffff, KERNEL_ERROR_CORRUPT, "truncated within its headers"},
      {FIXTURE_PE + 24 + 32 + 16, 4, 0x10000, KERNEL_ERROR_CORRUPT, "4096 bytes of the 65536"},
      {56, 4, 0x05435352, KERNEL_ERROR_FORMAT, "RISC-V"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GByteArray) bytes = fixture_image(IMAGE_DEFAULT);
    put(bytes, cases[i].offset, cases[i].value, cases[i].size);
    assert_refused(bytes, cases[i].code, cases[i].text);
  }
  g_autoptr(GByteArray) bytes = fixture_image(IMAGE_DEFAULT);
  assert_mutations(bytes, FIXTURE_HEADER, 400, 20000);
}

/*
 * With an EFI stub every truncation is seen; without, the file may end anywhere behind its header: the rest could be
 * BSS.
 */
static void test_image_truncated(void) {
  g_autoptr(GByteArray) efi = fixture_image(IMAGE_DEFAULT);
  assert_truncations(efi, efi->len);
  g_autoptr(GByteArray) plain = fixture_image((ImageFixture){.size = 512, .image_size = 0x10000});
  assert_truncations(plain, 64);
  g_autoptr(GError) error = NULL;
  g_assert_null(parse_format(efi, 62, KERNEL_FORMAT_AUTO, &error));
  assert_message(error, KERNEL_ERROR_CORRUPT, "truncated arm64 Image: 62 bytes of the 64");
  g_clear_error(&error);
  g_assert_null(parse_format(plain, 20, KERNEL_FORMAT_AUTO, &error));
  assert_message(error, KERNEL_ERROR_CORRUPT, "of 20 bytes, and a kernel's header alone has 64: truncated?");
  g_clear_error(&error);
  g_assert_null(parse_format(efi, 3000, KERNEL_FORMAT_AUTO, &error));
  assert_message(error, KERNEL_ERROR_CORRUPT, "3000 bytes of the 4096");
}

typedef GByteArray *(*Pack)(const GByteArray *plain);
static const struct {
  Pack pack;
  const char *description;
} packings[] = {
    {fixture_gzip, "arm64 Image, gzip"},
    {fixture_zstd, "arm64 Image, zstd"},
    {fixture_lz4, "arm64 Image, lz4"},
    {fixture_lz4_legacy, "arm64 Image, lz4"},
};

static void test_compressed(void) {
  for (guint i = 0; i < G_N_ELEMENTS(packings); i++) {
    g_autoptr(GByteArray) plain = fixture_image(IMAGE_DEFAULT);
    g_autoptr(GByteArray) packed = packings[i].pack(plain);
    g_autoptr(KernelImage) image = parse(packed);
    const KernelSegment *segment = &g_array_index(image->segments, KernelSegment, 0);
    g_assert_cmpstr(image->description, ==, packings[i].description);
    g_assert_cmpmem(segment->data, segment->size, plain->data, plain->len);
    assert_truncations(packed, packed->len);
    assert_mutations(packed, MIN(packed->len, 200), 100 + i, 2000);

    g_autoptr(GByteArray) twice = fixture_gzip(packed);
    assert_refused(twice, KERNEL_ERROR_FORMAT, "packed with gzip");
    g_autoptr(GByteArray) cpio = fixture_bytes(1000);
    memcpy(cpio->data, "070701", 6);
    g_autoptr(GByteArray) packed_cpio = packings[i].pack(cpio);
    assert_refused(packed_cpio, KERNEL_ERROR_FORMAT, "it is an initramfs (cpio archive): it belongs to --initrd, packed with");
  }
}

static void test_zboot(void) {
  static const struct {
    const char *type, *description;
    Pack pack;
  } types[] = {
      {"gzip", "arm64 Image, EFI zboot, gzip", fixture_gzip},
      {"zstd", "arm64 Image, EFI zboot, zstd", fixture_zstd},
      {"zstd22", "arm64 Image, EFI zboot, zstd", fixture_zstd},
      {"lz4", "arm64 Image, EFI zboot, lz4", fixture_lz4_legacy},
  };
  for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
    g_autoptr(GByteArray) plain = fixture_image(IMAGE_DEFAULT);
    g_autoptr(GByteArray) payload = types[i].pack(plain);
    g_autoptr(GByteArray) zboot = fixture_zboot(payload, types[i].type, 0xaa64);
    g_autoptr(KernelImage) image = parse(zboot);
    const KernelSegment *segment = &g_array_index(image->segments, KernelSegment, 0);
    g_assert_cmpstr(image->description, ==, types[i].description);
    g_assert_cmpmem(segment->data, segment->size, plain->data, plain->len);
    assert_truncations(zboot, FIXTURE_HEADER + payload->len); /* behind the payload lies only the stub */
    assert_mutations(zboot, FIXTURE_HEADER, 200 + i, 4000);
  }
}

static void test_zboot_bad(void) {
  static const char *const unsupported[] = {"lzma", "lzo", "xz", "xzkern", "", "gzi", "gzipp"};
  g_autoptr(GByteArray) plain = fixture_image(IMAGE_DEFAULT);
  g_autoptr(GByteArray) payload = fixture_gzip(plain);
  for (guint i = 0; i < G_N_ELEMENTS(unsupported); i++) {
    g_autoptr(GByteArray) zboot = fixture_zboot(payload, unsupported[i], 0xaa64);
    g_autofree char *text = g_strdup_printf("compressed with \"%s\"", unsupported[i]);
    assert_refused(zboot, KERNEL_ERROR_UNSUPPORTED, text);
  }
  g_autoptr(GByteArray) riscv = fixture_zboot(payload, "gzip", 0x5064);
  assert_refused(riscv, KERNEL_ERROR_FORMAT, "EFI program for RISC-V");
  g_autoptr(GByteArray) wrong_type = fixture_zboot(payload, "zstd", 0xaa64);
  assert_refused(wrong_type, KERNEL_ERROR_CORRUPT, "it is an EFI zboot kernel, but the zstd data are damaged");

  static const struct {
    guint offset;
    guint64 value;
  } fields[] = {{8, 0}, {8, 63}, {8, 0xffffffff}, {12, 0}, {12, 0xffffffff}, {12, 5000}};
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_autoptr(GByteArray) zboot = fixture_zboot(payload, "gzip", 0xaa64);
    put(zboot, fields[i].offset, fields[i].value, 4);
    assert_refused(zboot, KERNEL_ERROR_CORRUPT, "does not lie within its");
  }
}

static void test_elf(void) {
  g_autoptr(GByteArray) bytes = fixture_elf();
  g_autoptr(KernelImage) image = parse(bytes);
  const KernelSegment *segments = (const KernelSegment *)image->segments->data;
  g_assert_cmpstr(image->description, ==, "AArch64 ELF executable");
  g_assert_false(image->linux_image || image->relocatable);
  g_assert_cmpuint(image->segments->len, ==, 2);
  g_assert_cmphex(image->entry, ==, FIXTURE_ELF_BASE + 0x10);
  g_assert_cmphex(image->image_size, ==, 0x12000);
  g_assert_cmphex(segments[1].address, ==, FIXTURE_ELF_BASE + 0x10000);
  g_assert_cmphex(segments[1].memory_size, ==, 0x2000);
  g_assert_cmpmem(segments[1].data, segments[1].size, bytes->data + 1536, 512);
  assert_truncations(bytes, bytes->len);
  assert_mutations(bytes, FIXTURE_HEADER, 300, 20000);
  g_autoptr(GByteArray) packed = fixture_gzip(bytes);
  g_autoptr(KernelImage) unpacked = parse(packed);
  g_assert_cmpstr(unpacked->description, ==, "AArch64 ELF executable, gzip");
}

#define PH(n, field) sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field), sizeof(((Elf64_Phdr *)NULL)->field)

static void test_elf_bad(void) {
  static const struct {
    guint offset, size;
    guint64 value;
    KernelError code;
    const char *text;
  } cases[] = {
      {offsetof(Elf64_Ehdr, e_machine), 2, EM_X86_64, KERNEL_ERROR_FORMAT, "for x86-64 (machine 62)"},
      {offsetof(Elf64_Ehdr, e_machine), 2, EM_386, KERNEL_ERROR_FORMAT, "for 32-bit x86"},
      {offsetof(Elf64_Ehdr, e_machine), 2, EM_RISCV, KERNEL_ERROR_FORMAT, "for RISC-V"},
      {offsetof(Elf64_Ehdr, e_machine), 2, EM_ARM, KERNEL_ERROR_FORMAT, "for 32-bit ARM"},
      {offsetof(Elf64_Ehdr, e_machine), 2, 258, KERNEL_ERROR_FORMAT, "for LoongArch"},
      {offsetof(Elf64_Ehdr, e_machine), 2, 0xfefe, KERNEL_ERROR_FORMAT, "for another machine (machine 65278)"},
      {EI_CLASS, 1, ELFCLASS32, KERNEL_ERROR_UNSUPPORTED, "32-bit ELF"},
      {EI_CLASS, 1, 7, KERNEL_ERROR_UNSUPPORTED, "32-bit ELF"},
      {EI_DATA, 1, 9, KERNEL_ERROR_CORRUPT, "damaged header"},
      {EI_VERSION, 1, 9, KERNEL_ERROR_CORRUPT, "damaged header"},
      {offsetof(Elf64_Ehdr, e_type), 2, ET_DYN, KERNEL_ERROR_UNSUPPORTED, "-no-pie"},
      {offsetof(Elf64_Ehdr, e_type), 2, ET_REL, KERNEL_ERROR_FORMAT, "object file"},
      {offsetof(Elf64_Ehdr, e_type), 2, ET_CORE, KERNEL_ERROR_FORMAT, "core dump"},
      {offsetof(Elf64_Ehdr, e_type), 2, 77, KERNEL_ERROR_CORRUPT, "unknown type"},
      {offsetof(Elf64_Ehdr, e_phentsize), 2, 32, KERNEL_ERROR_CORRUPT, "program headers"},
      {offsetof(Elf64_Ehdr, e_phnum), 2, 0, KERNEL_ERROR_CORRUPT, "program headers"},
      {offsetof(Elf64_Ehdr, e_phnum), 2, 0xffff, KERNEL_ERROR_CORRUPT, "program headers"},
      {offsetof(Elf64_Ehdr, e_phnum), 2, 64, KERNEL_ERROR_CORRUPT, "beyond its end"},
      {offsetof(Elf64_Ehdr, e_phoff), 8, 2047, KERNEL_ERROR_CORRUPT, "beyond its end"},
      {offsetof(Elf64_Ehdr, e_phoff), 8, G_MAXUINT64, KERNEL_ERROR_CORRUPT, "beyond its end"},
      {offsetof(Elf64_Ehdr, e_entry), 8, 0x400, KERNEL_ERROR_CORRUPT, "entry point 0x400 lies in no"},
      {offsetof(Elf64_Ehdr, e_entry), 8, 0x10200, KERNEL_ERROR_CORRUPT, "entry point 0x10200 lies in no"}, /* BSS */
      {offsetof(Elf64_Ehdr, e_entry), 8, FIXTURE_ELF_BASE, KERNEL_ERROR_CORRUPT, "entry point"},           /* physical */
      {PH(0, p_type), PT_INTERP, KERNEL_ERROR_FORMAT, "dynamically linked"},
      {PH(0, p_filesz), 1025, KERNEL_ERROR_CORRUPT, "program header 0 has more bytes in the file"},
      {PH(2, p_offset), G_MAXUINT64, KERNEL_ERROR_CORRUPT, "program header 2 has an impossible place"},
      {PH(2, p_offset), 1537, KERNEL_ERROR_CORRUPT, "program header 2 reaches beyond the end"},
      {PH(2, p_paddr), G_MAXUINT64 - 0x1000, KERNEL_ERROR_CORRUPT, "program header 2 wraps around"},
      {PH(2, p_vaddr), G_MAXUINT64 - 0x1000, KERNEL_ERROR_CORRUPT, "program header 2 wraps around"},
      {PH(2, p_memsz), G_MAXUINT64, KERNEL_ERROR_CORRUPT, "program header 2 wraps around"},
      {PH(2, p_paddr), 0xffff800080000000, KERNEL_ERROR_FORMAT, "as Linux's vmlinux is: for Linux take arch/arm64/boot/Image"},
      {PH(2, p_paddr), FIXTURE_ELF_BASE + 1023, KERNEL_ERROR_CORRUPT, "segments overlap"},
      {PH(2, p_paddr), FIXTURE_ELF_BASE - 0x1fff, KERNEL_ERROR_CORRUPT, "segments overlap"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GByteArray) bytes = fixture_elf();
    put(bytes, cases[i].offset, cases[i].value, cases[i].size);
    assert_refused(bytes, cases[i].code, cases[i].text);
  }
  g_autoptr(GByteArray) big = fixture_elf();
  big->data[EI_DATA] = ELFDATA2MSB;
  put(big, offsetof(Elf64_Ehdr, e_machine), GUINT16_SWAP_LE_BE(EM_AARCH64), 2);
  assert_refused(big, KERNEL_ERROR_UNSUPPORTED, "big-endian");
  g_autoptr(GByteArray) nothing = fixture_elf();
  put(nothing, sizeof(Elf64_Ehdr), PT_NULL, 4);
  put(nothing, sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr), PT_NULL, 4);
  assert_refused(nothing, KERNEL_ERROR_CORRUPT, "nothing to load");
}

static void test_other_files(void) {
  static const struct {
    guint offset;
    const char *bytes;
    guint length;
    const char *text;
  } cases[] = {
      {0x202, "HdrS", 4, "it is an x86 Linux kernel (bzImage); an arm64 Linux kernel is wanted"},
      {0x24, "\x18\x28\x6f\x01", 4, "32-bit ARM Linux kernel (zImage)"},
      {0x38, "RSC\x05", 4, "RISC-V Linux kernel"},
      {0,
       "\xfd"
       "7zXZ",
       6, "compressed with xz, which is not supported"},
      {0, "BZh9", 4, "compressed with bzip2"},
      {0, "\x5d\0\0\x80", 4, "compressed with lzma"},
      {0, "\x89LZO\0\r\n\x1a\n", 9, "compressed with lzop"},
      {0, "\x27\x05\x19\x56", 4, "U-Boot uImage"},
      {0, "\xd0\x0d\xfe\xed", 4, "device tree, or a U-Boot FIT image"},
      {0, "070701", 6, "initramfs (cpio archive)"},
      {0, "ANDROID!", 8, "Android boot image"},
      {0, "!<arch>\n", 8, "Debian package"},
      {0, "PK\x03\x04", 4, "zip archive"},
      {257, "ustar", 5, "tar archive"},
      {0, "QFI\xfb", 4, "qcow2"},
      {0, "hsqs", 4, "squashfs"},
      {0x438, "\x53\xef", 2, "ext4"},
      {0x200, "EFI PART", 8, "partitioned disk image"},
      {0, "#!/bin/sh\n", 10, "a script"},
      {0x1fe, "\x55\xaa", 2, "boot sector"},
      {0, "MZ", 2, "a DOS, Windows or EFI program"},
      {0, "\x01\x02\x03\xff\xfe", 5, "data of an unknown kind"},
      {0, "", 0, "nothing but zeros"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_set_size(bytes, 2048);
    memset(bytes->data, 0, bytes->len);
    memcpy(bytes->data + cases[i].offset, cases[i].bytes, cases[i].length);
    assert_refused(bytes, KERNEL_ERROR_FORMAT, cases[i].text);
    assert_refused(bytes, KERNEL_ERROR_FORMAT, "an arm64 Linux kernel is wanted");
    assert_truncations(bytes, bytes->len);
  }
  static const struct {
    guint machine;
    const char *text;
  } programs[] = {{0xaa64, "EFI program for AArch64"}, {0x8664, "EFI program for x86-64"}, {0x5064, "EFI program for RISC-V"}};
  for (guint i = 0; i < G_N_ELEMENTS(programs); i++) {
    g_autoptr(GByteArray) bytes = fixture_image(IMAGE_DEFAULT);
    put(bytes, 56, 0, 4); /* without the Image's magic */
    put(bytes, FIXTURE_PE + 4, programs[i].machine, 2);
    assert_refused(bytes, KERNEL_ERROR_FORMAT, programs[i].text);
  }
  g_autoptr(GByteArray) text = g_byte_array_new();
  for (guint i = 0; i < 300; i++)
    g_byte_array_append(text, (const guint8 *)"Grüße\n", 8);
  assert_refused(text, KERNEL_ERROR_FORMAT, "it is a text file; ");
}

static void test_raw(void) {
  g_autoptr(GByteArray) bytes = fixture_bytes(777);
  g_autoptr(GError) error = NULL;
  g_autoptr(KernelImage) image = parse_format(bytes, bytes->len, KERNEL_FORMAT_RAW, &error);
  g_assert_no_error(error);
  const KernelSegment *segment = &g_array_index(image->segments, KernelSegment, 0);
  g_assert_true(image->relocatable && !image->linux_image);
  g_assert_cmphex(image->text_offset, ==, 0x80000);
  g_assert_cmphex(image->entry, ==, 0x80000);
  g_assert_cmphex(segment->address, ==, 0x80000);
  g_assert_cmpmem(segment->data, segment->size, bytes->data, bytes->len);
  g_autoptr(GByteArray) elf = fixture_elf();
  g_autoptr(KernelImage) taken = parse_format(elf, 1, KERNEL_FORMAT_RAW, &error); /* even one byte, even of an ELF file */
  g_assert_cmpuint(taken->image_size, ==, 1);
  g_assert_null(parse_format(bytes, 0, KERNEL_FORMAT_RAW, &error));
  assert_message(error, KERNEL_ERROR_CORRUPT, "it is empty");
}

typedef struct {
  char *directory;
} Files;

static void files_set_up(Files *files, gconstpointer data) {
  files->directory = g_dir_make_tmp("eret-kernel-XXXXXX", NULL);
  g_assert_nonnull(files->directory);
}

static void files_tear_down(Files *files, gconstpointer data) {
  g_assert_cmpint(g_rmdir(files->directory), ==, 0);
  g_free(files->directory);
}

static KernelImage *load(const char *path, GError **error) {
  g_autoptr(MappedFile) file = kernel_file_open(path, error);
  return file ? kernel_image_read(file, path, KERNEL_FORMAT_AUTO, error) : NULL;
}

static void assert_load_refused(const char *path, KernelError code, const char *text) {
  g_autoptr(GError) error = NULL;
  g_assert_null(load(path, &error));
  assert_message(error, code, text);
  assert_message(error, code, path);
}

static void test_load(Files *files, gconstpointer data) {
  g_autofree char *path = g_build_filename(files->directory, "kernel", NULL);
  g_autoptr(GByteArray) bytes = fixture_image(IMAGE_DEFAULT);
  g_assert_true(g_file_set_contents(path, (const char *)bytes->data, bytes->len, NULL));
  g_autoptr(GError) error = NULL;
  g_autoptr(KernelImage) image = load(path, &error);
  g_assert_no_error(error);
  assert_valid(image);
  g_unlink(path); /* mapped: it stays */
  g_assert_cmpmem(g_array_index(image->segments, KernelSegment, 0).data, bytes->len, bytes->data, bytes->len);
}

static void test_load_bad(Files *files, gconstpointer data) {
  g_autofree char *path = g_build_filename(files->directory, "kernel", NULL);
  assert_load_refused(path, KERNEL_ERROR_READ, "No such file or directory");
  assert_load_refused(files->directory, KERNEL_ERROR_FORMAT, "it is a directory");
  g_assert_cmpint(mkfifo(path, 0600), ==, 0);
  assert_load_refused(path, KERNEL_ERROR_FORMAT, "it is not a regular file");
  g_unlink(path);
  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  assert_load_refused(path, KERNEL_ERROR_CORRUPT, "it is empty");
  g_assert_true(g_file_set_contents(path, "hello", 5, NULL));
  assert_load_refused(path, KERNEL_ERROR_CORRUPT, "it is a text file of 5 bytes");
  g_unlink(path);
}

/* Eight GiB of zeros, none of which takes place on the disk, are refused at once: few of their pages are looked at. */
static void test_load_zeros(Files *files, gconstpointer data) {
  g_autofree char *path = g_build_filename(files->directory, "kernel", NULL);
  struct rusage before, after;
  int fd = g_open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(ftruncate(fd, INT64_C(8) << 30), ==, 0);
  close(fd);
  g_assert_cmpint(getrusage(RUSAGE_SELF, &before), ==, 0);
  assert_load_refused(path, KERNEL_ERROR_FORMAT, "it is a file that begins with 1 MiB of zeros; an arm64 Linux kernel is wanted");
  g_assert_cmpint(getrusage(RUSAGE_SELF, &after), ==, 0);
  g_assert_cmpint(after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt, <, 1000);
  g_unlink(path);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/kernel/image", test_image);
  g_test_add_func("/kernel/release", test_release);
  g_test_add_func("/kernel/image-old", test_image_old);
  g_test_add_func("/kernel/image-trailer", test_image_trailer);
  g_test_add_func("/kernel/image-bad", test_image_bad);
  g_test_add_func("/kernel/image-truncated", test_image_truncated);
  g_test_add_func("/kernel/compressed", test_compressed);
  g_test_add_func("/kernel/zboot", test_zboot);
  g_test_add_func("/kernel/zboot-bad", test_zboot_bad);
  g_test_add_func("/kernel/elf", test_elf);
  g_test_add_func("/kernel/elf-bad", test_elf_bad);
  g_test_add_func("/kernel/other-files", test_other_files);
  g_test_add_func("/kernel/raw", test_raw);
  g_test_add("/kernel/load", Files, NULL, files_set_up, test_load, files_tear_down);
  g_test_add("/kernel/load-bad", Files, NULL, files_set_up, test_load_bad, files_tear_down);
  g_test_add("/kernel/load-zeros", Files, NULL, files_set_up, test_load_zeros, files_tear_down);
  return g_test_run();
}
