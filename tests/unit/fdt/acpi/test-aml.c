/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AML byte for byte, against the encodings of ACPI 6.3, chapter 20 and 6.4: fdt/acpi/aml.c, aml-resources.c. That whole
 * tables are what they should be, iasl says in tests/board/acpi.sh.
 */
#include "fdt/acpi/aml.h"

#include <string.h>

static void expect(Aml *aml, const char *wanted, size_t size) {
  g_autoptr(GByteArray) bytes = aml_finish(aml);
  for (guint i = 0; i < MIN(bytes->len, size); i++)
    if (bytes->data[i] != (uint8_t)wanted[i])
      g_error("byte %u of %u is 0x%02x, and was to be 0x%02x", i, bytes->len, bytes->data[i], (uint8_t)wanted[i]);
  g_assert_cmpmem(bytes->data, bytes->len, wanted, size);
}
#define EXPECT(AML, TEXT) expect(AML, TEXT, sizeof(TEXT) - 1)

static void test_integers(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_integer(aml, 0);
  aml_integer(aml, 1);
  aml_integer(aml, 2);
  aml_integer(aml, 0xff);
  aml_integer(aml, 0x100);
  aml_integer(aml, 0xffff);
  aml_integer(aml, 0x10000);
  aml_integer(aml, UINT32_MAX);
  aml_integer(aml, UINT64_C(0x100000000));
  EXPECT(aml,
         "\x00\x01\x0a\x02\x0a\xff\x0b\x00\x01\x0b\xff\xff\x0c\x00\x00\x01\x00\x0c\xff\xff\xff\xff\x0e\x00\x00\x00\x00\x01\x00\x00\x00");
}

static void test_paths(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_path(aml, "\\");
  aml_path(aml, "X");
  aml_path(aml, "\\_SB");
  aml_path(aml, "^^ABCD.E1");
  aml_path(aml, "\\A.B.C");
  EXPECT(aml, "\\\0"
              "X___"
              "\\_SB_"
              "^^\x2e"
              "ABCDE1__"
              "\\\x2f\x03"
              "A___B___C___");
}

static void test_data(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_name_string(aml, "_HID", "AB");
  aml_name_eisa_id(aml, "_HID", "PNP0A08"); /* 19.3.4: 0x080AD041 */
  aml_bytes(aml, "xyz", 3);
  aml_begin_package(aml, 2);
  aml_integer(aml, 1);
  aml_begin_package(aml, 0);
  aml_end(aml);
  aml_end(aml);
  EXPECT(aml, "\x08_HID\x0d"
              "AB\0"
              "\x08_HID\x0c\x41\xd0\x0a\x08"
              "\x11\x06\x0a\x03xyz"
              "\x12\x06\x02\x01\x12\x02\x00");
}

static void test_objects(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_begin_scope(aml, "\\_SB");
  aml_begin_device(aml, "DEV0");
  aml_begin_method(aml, "M", 2);
  aml_begin_if(aml);
  aml_op(aml, AML_LEQUAL);
  aml_arg(aml, 0);
  aml_local(aml, 1);
  aml_op(aml, AML_RETURN);
  aml_integer(aml, 1);
  aml_end(aml);
  aml_begin_else(aml);
  aml_op(aml, AML_NOTIFY);
  aml_path(aml, "DEV0");
  aml_integer(aml, 0x80);
  aml_end(aml);
  aml_end(aml);
  aml_end(aml);
  aml_end(aml);
  EXPECT(aml, "\x10\x24\\_SB_"
              "\x5b\x82\x1c"
              "DEV0"
              "\x14\x16"
              "M___\x0a" /* two arguments, serialized */
              "\xa0\x06\x93\x68\x61\xa4\x01"
              "\xa1\x08\x86"
              "DEV0\x0a\x80");
}

/* 20.2.4: one byte up to 63, then the low four bits and one, two or three bytes; the length counts its own bytes. */
static void test_lengths(void) {
  static const struct {
    unsigned content, bytes;
  } cases[] = {{5, 1}, {62, 1}, {63, 2}, {0xfff - 2, 2}, {0xfff - 1, 3}, {0xfffff - 3, 3}, {0xfffff - 2, 4}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Aml) aml = aml_new();
    unsigned n = cases[i].bytes;
    aml_begin_scope(aml, "\\");
    for (unsigned k = 2; k < cases[i].content; k++)
      aml_integer(aml, 0);
    aml_end(aml);
    g_autoptr(GByteArray) bytes = aml_finish(aml);
    g_assert_cmpuint(bytes->len, ==, 1 + n + cases[i].content);
    const uint8_t *at = bytes->data + 1;
    unsigned length = n == 1 ? at[0] & 0x3f : at[0] & 0xf;
    g_assert_cmpuint(at[0] >> 6, ==, n - 1);
    for (unsigned k = 1; k < n; k++)
      length |= (unsigned)at[k] << (4 + 8 * (k - 1));
    g_assert_cmpuint(length, ==, bytes->len - 1);
  }
}

static void test_registers(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_registers(aml, 0x09000000, 0x1000, 33, FDT_IRQ_LEVEL_HIGH);
  aml_registers(aml, 0x09100000, 0x1000, 0, FDT_IRQ_LEVEL_HIGH);
  aml_begin_resources(aml);
  aml_interrupt(aml, 48, FDT_IRQ_EDGE_RISING);
  aml_interrupt(aml, 49, FDT_IRQ_LEVEL_LOW);
  aml_end(aml);
  EXPECT(aml, "\x08_CRS\x11\x1a\x0a\x17\x86\x09\x00\x01\x00\x00\x00\x09\x00\x10\x00\x00\x89\x06\x00\x01\x01\x21\x00\x00\x00\x79\x00"
              "\x08_CRS\x11\x11\x0a\x0e\x86\x09\x00\x01\x00\x00\x10\x09\x00\x10\x00\x00\x79\x00"
              "\x11\x17\x0a\x14\x89\x06\x00\x03\x01\x30\x00\x00\x00\x89\x06\x00\x05\x01\x31\x00\x00\x00\x79\x00");
}

static void test_windows(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_begin_resources(aml);
  aml_bus_numbers(aml, 1, 3);
  aml_memory32_window(aml, 0x10000000, 0x2000);
  aml_memory64_window(aml, UINT64_C(0xa00000000), 0x1000, true);
  aml_end(aml);
  EXPECT(aml, "\x11\x4e\x05\x0a\x5a" /* 0x5e bytes of package, 0x5a of template */
              "\x88\x0d\x00\x02\x0c\x00\x00\x00\x01\x00\x03\x00\x00\x00\x03\x00"
              "\x87\x17\x00\x00\x0c\x01\x00\x00\x00\x00\x00\x00\x00\x10\xff\x1f\x00\x10\x00\x00\x00\x00\x00\x20\x00\x00"
              "\x8a\x2b\x00\x00\x0c\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x00\xff\x0f\x00\x00\x0a\x00\x00\x00"
              "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x79\x00");
}

/* 0x10000 ports that are memory at 0x3eff0000. */
static void test_io_window(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_begin_resources(aml);
  aml_io_window(aml, 0x3eff0000, 0x10000);
  aml_end(aml);
  EXPECT(aml, "\x11\x33\x0a\x30"
              "\x8a\x2b\x00\x01\x0c\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00"
              "\x00\x00\xff\x3e\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x79\x00");
}

static void test_gpio(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_begin_resources(aml);
  aml_gpio_interrupt(aml, "GPO0", 3);
  aml_end(aml);
  EXPECT(
      aml,
      "\x11\x23\x0a\x20\x8c\x1b\x00\x01\x00\x01\x00\x11\x00\x03\x00\x00\x00\x00\x17\x00\x00\x19\x00\x1e\x00\x00\x00\x03\x00GPO0\0\x79\x00");
}

static void test_properties(void) {
  g_autoptr(Aml) aml = aml_new();

  aml_begin_properties(aml, "a,b", 2);
  aml_property_integer(aml, "n", 7);
  aml_property_string(aml, "s", "t");
  aml_end_properties(aml);
  EXPECT(aml, "\x08_DSD\x12\x3e\x02\x11\x13\x0a\x10\x14\xd8\xff\xda\xba\x6e\x8c\x4d\x8a\x91\xbc\x9b\xbf\x4a\xa3\x01"
              "\x12\x27\x03"
              "\x12\x13\x02\x0d"
              "compatible\0\x0d"
              "a,b\0"
              "\x12\x07\x02\x0dn\0\x0a\x07"
              "\x12\x08\x02\x0ds\0\x0dt\0");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/aml/integers", test_integers);
  g_test_add_func("/aml/paths", test_paths);
  g_test_add_func("/aml/data", test_data);
  g_test_add_func("/aml/objects", test_objects);
  g_test_add_func("/aml/lengths", test_lengths);
  g_test_add_func("/aml/registers", test_registers);
  g_test_add_func("/aml/windows", test_windows);
  g_test_add_func("/aml/io-window", test_io_window);
  g_test_add_func("/aml/gpio", test_gpio);
  g_test_add_func("/aml/properties", test_properties);
  return g_test_run();
}
