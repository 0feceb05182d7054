/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers, texts, checksums and GUIDs: fdt/bytes.c. */
#include "fdt/bytes.h"

static void test_numbers(void) {
  static const uint8_t wanted[] = {1, 3, 2, 7, 6, 5, 4, 15, 14, 13, 12, 11, 10, 9, 8};
  g_autoptr(GByteArray) bytes = g_byte_array_new();

  bytes_u8(bytes, 1);
  bytes_u16(bytes, 0x0203);
  bytes_u32(bytes, 0x04050607);
  bytes_u64(bytes, UINT64_C(0x08090a0b0c0d0e0f));
  g_assert_cmpmem(bytes->data, bytes->len, wanted, sizeof wanted);
  bytes_set(bytes, 1, 2, 0xbeef);
  g_assert_cmphex(bytes->data[1], ==, 0xef);
  g_assert_cmphex(bytes->data[2], ==, 0xbe);
  g_assert_cmphex(bytes->data[3], ==, 7);
}

static void test_texts(void) {
  g_autoptr(GByteArray) bytes = g_byte_array_new();

  bytes_text(bytes, "AB", 4, ' ');
  bytes_text(bytes, "long", 2, ' ');
  bytes_align(bytes, 8);
  bytes_align(bytes, 8);
  g_assert_cmpmem(bytes->data, bytes->len, "AB  lo\0\0", 8);
}

static void test_checksum(void) {
  static const uint8_t data[] = {0xff, 2, 0x80};

  g_assert_cmphex(bytes_checksum(data, sizeof data), ==, 0x7f);
  g_assert_cmphex(bytes_checksum(data, 0), ==, 0);
}

/* UEFI 2.10, appendix A: the first three numbers are little-endian. */
static void test_guid(void) {
  static const uint8_t wanted[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  uint8_t guid[BYTES_GUID_SIZE];

  bytes_parse_guid("00112233-4455-6677-8899-AabBccDDeeFF", guid);
  g_assert_cmpmem(guid, sizeof guid, wanted, sizeof wanted);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/bytes/numbers", test_numbers);
  g_test_add_func("/bytes/texts", test_texts);
  g_test_add_func("/bytes/checksum", test_checksum);
  g_test_add_func("/bytes/guid", test_guid);
  return g_test_run();
}
