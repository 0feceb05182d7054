/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel files made in memory, for the tests of this folder: every format that eret takes, small, with contents that
 * are easy to recognise.
 */
#pragma once

#include <elf.h>
#include <glib.h>
#include <lz4.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define FIXTURE_PE     64  /* where the PE header of an Image with an EFI stub begins, as in real ones */
#define FIXTURE_HEADER 256 /* bytes before the contents begin: headers of all kinds fit */

static inline void put(GByteArray *bytes, guint offset, guint64 value, guint size) {
  g_assert_cmpuint(offset + size, <=, bytes->len);
  for (guint i = 0; i < size; i++)
    bytes->data[offset + i] = value >> 8 * i;
}

/* SIZE bytes that neither repeat nor look like a header. */
static inline GByteArray *fixture_bytes(guint size) {
  GByteArray *bytes = g_byte_array_sized_new(size);
  g_byte_array_set_size(bytes, size);
  guint32 random = 2463534242u + size; /* xorshift */
  for (guint i = 0; i < size; i++) {
    random ^= random << 13;
    random ^= random >> 17;
    random ^= random << 5;
    bytes->data[i] = i < FIXTURE_HEADER ? 0 : random % 5 + 3 * (i % 7);
  }
  return bytes;
}

typedef struct {
  guint size;
  guint64 text_offset, image_size, flags;
  bool efi;
} ImageFixture;

#define IMAGE_DEFAULT                                                                                                                      \
  (ImageFixture) {                                                                                                                         \
    .size = 4096, .image_size = 0x10000, .flags = 0xa, .efi = true                                                                         \
  }

static inline GByteArray *fixture_image(ImageFixture image) {
  GByteArray *bytes = fixture_bytes(image.size);
  put(bytes, 0, image.efi ? 0xfa405a4d : 0x14000010, 4); /* "MZ" as an instruction, or a branch */
  put(bytes, 8, image.text_offset, 8);
  put(bytes, 16, image.image_size, 8);
  put(bytes, 24, image.flags, 8);
  put(bytes, 56, 0x644d5241, 4);
  if (!image.efi)
    return bytes;
  put(bytes, 60, FIXTURE_PE, 4);
  put(bytes, FIXTURE_PE, 0x4550, 4);
  put(bytes, FIXTURE_PE + 4, 0xaa64, 2);
  put(bytes, FIXTURE_PE + 6, 2, 2);   /* sections */
  put(bytes, FIXTURE_PE + 20, 32, 2); /* optional header */
  guint sections = FIXTURE_PE + 24 + 32;
  put(bytes, sections + 16, image.size / 2, 4);
  put(bytes, sections + 20, 0, 4);
  put(bytes, sections + 40 + 16, image.size - image.size / 2, 4);
  put(bytes, sections + 40 + 20, image.size / 2, 4);
  return bytes;
}

static inline GByteArray *fixture_gzip(const GByteArray *plain) {
  z_stream stream = {.next_in = plain->data, .avail_in = plain->len};
  g_assert_cmpint(deflateInit2(&stream, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), ==, Z_OK);
  GByteArray *bytes = g_byte_array_new();
  g_byte_array_set_size(bytes, deflateBound(&stream, plain->len));
  stream.next_out = bytes->data;
  stream.avail_out = bytes->len;
  g_assert_cmpint(deflate(&stream, Z_FINISH), ==, Z_STREAM_END);
  g_byte_array_set_size(bytes, stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

static inline GByteArray *fixture_zstd(const GByteArray *plain) {
  GByteArray *bytes = g_byte_array_new();
  g_byte_array_set_size(bytes, ZSTD_compressBound(plain->len));
  ZSTD_CCtx *context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1); /* as zstd(1) does */
  size_t size = ZSTD_compress2(context, bytes->data, bytes->len, plain->data, plain->len);
  ZSTD_freeCCtx(context);
  g_assert_false(ZSTD_isError(size));
  return g_byte_array_set_size(bytes, size);
}

static inline GByteArray *fixture_lz4(const GByteArray *plain) {
  LZ4F_preferences_t preferences = {.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled}};
  GByteArray *bytes = g_byte_array_new();
  g_byte_array_set_size(bytes, LZ4F_compressFrameBound(plain->len, &preferences));
  size_t size = LZ4F_compressFrame(bytes->data, bytes->len, plain->data, plain->len, &preferences);
  g_assert_false(LZ4F_isError(size));
  return g_byte_array_set_size(bytes, size);
}

/* Blocks of 8 MiB behind a magic, each with its compressed size in front; no end mark. */
static inline GByteArray *fixture_lz4_legacy(const GByteArray *plain) {
  GByteArray *bytes = g_byte_array_new();
  g_byte_array_append(bytes, (const guint8 *)"\x02\x21\x4c\x18", 4);
  for (guint done = 0; done < plain->len;) {
    guint block = MIN(plain->len - done, 8u << 20), start = bytes->len;
    g_byte_array_set_size(bytes, start + 4 + LZ4_compressBound(block));
    int size = LZ4_compress_default((char *)plain->data + done, (char *)bytes->data + start + 4, block, LZ4_compressBound(block));
    g_assert_cmpint(size, >, 0);
    put(bytes, start, size, 4);
    g_byte_array_set_size(bytes, start + 4 + size);
    done += block;
  }
  return bytes;
}

/* PAYLOAD is compressed already; TYPE names its compression. */
static inline GByteArray *fixture_zboot(const GByteArray *payload, const char *type, guint machine) {
  GByteArray *bytes = g_byte_array_new();
  g_byte_array_set_size(bytes, FIXTURE_HEADER);
  memset(bytes->data, 0, bytes->len);
  memcpy(bytes->data, "MZ\0\0zimg", 8);
  put(bytes, 8, FIXTURE_HEADER, 4);
  put(bytes, 12, payload->len, 4);
  memcpy(bytes->data + 24, type, strlen(type) + 1);
  put(bytes, 56, 0x818223cd, 4);
  put(bytes, 60, FIXTURE_PE, 4);
  put(bytes, FIXTURE_PE, 0x4550, 4);
  put(bytes, FIXTURE_PE + 4, machine, 2);
  g_byte_array_append(bytes, payload->data, payload->len);
  return g_byte_array_append(bytes, (const guint8 *)"PE code of the stub", 19);
}

#define FIXTURE_ELF_BASE 0x40080000u

/*
 * Two segments: code at FIXTURE_ELF_BASE, data with BSS 64 KiB above. The virtual addresses differ from the physical
 * ones.
 */
static inline GByteArray *fixture_elf(void) {
  GByteArray *bytes = fixture_bytes(2048);
  Elf64_Ehdr header = {
      .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
      .e_type = ET_EXEC,
      .e_machine = EM_AARCH64,
      .e_version = EV_CURRENT,
      .e_entry = 0x10,
      .e_phoff = sizeof header,
      .e_ehsize = sizeof header,
      .e_phentsize = sizeof(Elf64_Phdr),
      .e_phnum = 3,
  };
  Elf64_Phdr segments[3] = {
      {.p_type = PT_LOAD, .p_offset = 512, .p_paddr = FIXTURE_ELF_BASE, .p_vaddr = 0, .p_filesz = 1024, .p_memsz = 1024},
      {.p_type = PT_NOTE, .p_offset = UINT64_MAX, .p_filesz = UINT64_MAX}, /* nobody looks at it */
      {.p_type = PT_LOAD, .p_offset = 1536, .p_paddr = FIXTURE_ELF_BASE + 0x10000, .p_vaddr = 0x10000, .p_filesz = 512, .p_memsz = 0x2000},
  };
  memcpy(bytes->data, &header, sizeof header);
  memcpy(bytes->data + sizeof header, segments, sizeof segments);
  return bytes;
}

/* An exact copy, so that the sanitizer sees every read behind its end. Takes the first SIZE bytes. */
static inline GBytes *fixture_seal(const GByteArray *bytes, gsize size) {
  return g_bytes_new(bytes->data, size);
}
