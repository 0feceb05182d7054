/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EFI zboot: the PE/COFF program that unpacks a kernel when firmware starts it (vmlinuz.efi). eret starts no firmware,
 * so it takes the compressed payload out itself. Header: Linux, drivers/firmware/efi/libstub/zboot-header.S; types of
 * compression: Makefile.zboot beside it.
 */
#include "vmm/boot/decompress.h"
#include "vmm/boot/kernel-formats.h"

#define ZBOOT_HEADER_SIZE      64
#define ZBOOT_MAGIC            4 /* "zimg" */
#define ZBOOT_PAYLOAD_OFFSET   8
#define ZBOOT_PAYLOAD_SIZE     12
#define ZBOOT_COMPRESSION      24 /* text, ended by NUL */
#define ZBOOT_COMPRESSION_SIZE 32

/* The names are those of the kernel's build rules. Its lz4 is the legacy format. */
typedef struct {
  const char *name;
  Compression compression;
  const char *packing; /* for people */
} Payload;
static const Payload payloads[] = {
    {"gzip", COMPRESSION_GZIP, "EFI zboot, gzip"},
    {"zstd22", COMPRESSION_ZSTD, "EFI zboot, zstd"},
    {"zstd", COMPRESSION_ZSTD, "EFI zboot, zstd"},
    {"lz4", COMPRESSION_LZ4_LEGACY, "EFI zboot, lz4"},
};

bool kernel_is_zboot(const uint8_t *data, gsize size) {
  return size >= ZBOOT_MAGIC + 4 && memcmp(data, "MZ", 2) == 0 && memcmp(data + ZBOOT_MAGIC, "zimg", 4) == 0;
}

/* The field as text; an unprintable byte ends it. */
static char *compression_text(const uint8_t *data) {
  gsize length = 0;
  while (length < ZBOOT_COMPRESSION_SIZE && g_ascii_isgraph(data[ZBOOT_COMPRESSION + length]))
    length++;
  return g_strndup((const char *)data + ZBOOT_COMPRESSION, length);
}

static const Payload *find_payload(const uint8_t *data, GError **error) {
  g_autofree char *text = compression_text(data);
  for (unsigned i = 0; i < G_N_ELEMENTS(payloads); i++) {
    if (!strcmp(text, payloads[i].name))
      return &payloads[i];
  }
  g_set_error(
      error, KERNEL_ERROR, KERNEL_ERROR_UNSUPPORTED,
      "it is an EFI zboot kernel compressed with \"%s\"; gzip, zstd and lz4 are supported: unpack it, or build with CONFIG_KERNEL_GZIP",
      text);
  return NULL;
}

GBytes *kernel_unpack_zboot(GBytes *contents, const char **packing, GError **error) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);
  *packing = NULL;
  if (size < ZBOOT_HEADER_SIZE) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT, "it is an EFI zboot kernel truncated within its header");
    return NULL;
  }
  unsigned machine = kernel_pe_machine(data, size);
  if (machine && machine != PE_MACHINE_ARM64) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "it is %s, and eret's guests are AArch64", kernel_identify(data, size));
    return NULL;
  }
  const Payload *kind = find_payload(data, error);
  if (!kind)
    return NULL;
  uint64_t offset = le32(data + ZBOOT_PAYLOAD_OFFSET), length = le32(data + ZBOOT_PAYLOAD_SIZE);
  if (offset < ZBOOT_HEADER_SIZE || length == 0 || offset + length > size) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
                "it is an EFI zboot kernel whose payload (%" G_GUINT64_FORMAT " bytes from %" G_GUINT64_FORMAT
                ") does not lie within its %" G_GSIZE_FORMAT " bytes: truncated?",
                length, offset, size);
    return NULL;
  }
  *packing = kind->packing;
  GBytes *payload = decompress_bytes(kind->compression, data + offset, length, DECOMPRESS_MAX, error);
  if (!payload)
    g_prefix_error(error, "it is an EFI zboot kernel, but ");
  return payload;
}
