/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian bytes; see the header. No lock: one thread. */
#include "fdt/bytes.h"

#include <string.h>

static void append(GByteArray *bytes, uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; i++) {
    uint8_t byte = (uint8_t)(value >> 8 * i);
    g_byte_array_append(bytes, &byte, 1);
  }
}

void bytes_u8(GByteArray *bytes, uint8_t value) {
  append(bytes, value, 1);
}

void bytes_u16(GByteArray *bytes, uint16_t value) {
  append(bytes, value, 2);
}

void bytes_u32(GByteArray *bytes, uint32_t value) {
  append(bytes, value, 4);
}

void bytes_u64(GByteArray *bytes, uint64_t value) {
  append(bytes, value, 8);
}

void bytes_zero(GByteArray *bytes, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    bytes_u8(bytes, 0);
}

void bytes_text(GByteArray *bytes, const char *text, unsigned size, char fill) {
  unsigned length = (unsigned)MIN(strlen(text), size);

  g_byte_array_append(bytes, (const guint8 *)text, length);
  for (unsigned i = length; i < size; i++)
    bytes_u8(bytes, (uint8_t)fill);
}

void bytes_align(GByteArray *bytes, unsigned alignment) {
  bytes_zero(bytes, (alignment - bytes->len % alignment) % alignment);
}

void bytes_set(GByteArray *bytes, guint offset, unsigned size, uint64_t value) {
  g_assert(offset + size <= bytes->len);
  for (unsigned i = 0; i < size; i++)
    bytes->data[offset + i] = (uint8_t)(value >> 8 * i);
}

uint8_t bytes_checksum(const uint8_t *bytes, size_t size) {
  uint8_t sum = 0;

  for (size_t i = 0; i < size; i++)
    sum = (uint8_t)(sum + bytes[i]);
  return (uint8_t)-sum;
}

void bytes_parse_guid(const char *text, uint8_t guid[BYTES_GUID_SIZE]) {
  /* Which byte of the text is at each place. */
  static const uint8_t order[BYTES_GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
  uint8_t read[BYTES_GUID_SIZE];
  unsigned n = 0;

  g_assert(strlen(text) == 36);
  while (*text) {
    if (*text == '-') {
      text++;
      continue;
    }
    g_assert(n < sizeof read && g_ascii_isxdigit(text[0]) && g_ascii_isxdigit(text[1]));
    read[n++] = (uint8_t)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
    text += 2;
  }
  g_assert(n == sizeof read);
  for (unsigned i = 0; i < sizeof read; i++)
    guid[i] = read[order[i]];
}

void bytes_guid(GByteArray *bytes, const char *text) {
  uint8_t guid[BYTES_GUID_SIZE];

  bytes_parse_guid(text, guid);
  g_byte_array_append(bytes, guid, sizeof guid);
}
