/* SPDX-License-Identifier: Apache-2.0 */
/* The checksum of EFI's tables: UEFI Specification 2.10, 4.2, which names ISO 3309; the one of zlib and Ethernet. */
#pragma once

#include <stddef.h>
#include <stdint.h>

static inline uint32_t efi_crc32(const uint8_t *bytes, size_t size) {
  uint32_t crc = UINT32_MAX;

  for (size_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (unsigned bit = 0; bit < 8; bit++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}
