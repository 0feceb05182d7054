/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runtime services table (UEFI 2.10, 4.5) behind the code of guest-images/efi/, which begins with where each
 * service is (runtime.S). No lock: nothing changes.
 */
#include "vmm/boot/efi-runtime.h"

#include "fdt/bytes.h"
#include "vmm/boot/efi-crc32.h"

extern const uint8_t efi_runtime_image[];
extern const uint64_t efi_runtime_image_size;

#define SIGNATURE UINT64_C(0x56524553544e5552) /* "RUNTSERV" */
#define REVISION  (2u << 16 | 100)             /* 2.10 */
enum { TABLE_SIZE = 136, TABLE_CRC32 = 16, SERVICES = 14 };

/* At the head of the image. */
enum { HEAD_GET_TIME = 0, HEAD_SET_TIME = 8, HEAD_UNSUPPORTED = 16, HEAD_CLOCK = 24 };

static uint64_t service(unsigned head) {
  uint64_t offset = 0;

  for (unsigned i = 0; i < 8; i++)
    offset |= (uint64_t)efi_runtime_image[head + i] << 8 * i;
  return EFI_RUNTIME_CODE + offset;
}

static void append_table(GByteArray *bytes) {
  guint start = bytes->len;

  bytes_u64(bytes, SIGNATURE);
  bytes_u32(bytes, REVISION);
  bytes_u32(bytes, TABLE_SIZE);
  bytes_u32(bytes, 0); /* CRC-32, to come */
  bytes_u32(bytes, 0);
  bytes_u64(bytes, service(HEAD_GET_TIME));
  bytes_u64(bytes, service(HEAD_SET_TIME));
  for (unsigned i = 2; i < SERVICES; i++)
    bytes_u64(bytes, service(HEAD_UNSUPPORTED));
  g_assert(bytes->len - start == TABLE_SIZE);
  bytes_set(bytes, start + TABLE_CRC32, 4, efi_crc32(bytes->data + start, TABLE_SIZE));
}

/* The code finds its data by the page that it is in: it is where a page begins. */
void efi_runtime_append(GByteArray *bytes) {
  guint start = bytes->len, table = EFI_RUNTIME_TABLE - EFI_RUNTIME_CODE;

  g_assert(efi_runtime_image_size <= table);
  g_byte_array_append(bytes, efi_runtime_image, (guint)efi_runtime_image_size);
  bytes_set(bytes, start + HEAD_CLOCK, 8, EFI_RUNTIME_CLOCK);
  bytes_zero(bytes, table - (bytes->len - start));
  append_table(bytes);
  bytes_zero(bytes, EFI_RUNTIME_SIZE - (bytes->len - start));
}
