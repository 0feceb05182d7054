/* SPDX-License-Identifier: Apache-2.0 */
/* SMBIOS structures, walked as DSP0134 says, and read by dmidecode where that is installed: fdt/smbios.c. */
#include "fdt/smbios.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "fdt/bytes.h"

static const Smbios small = {.version = "1.2", .n_cpus = 2, .ram_base = 0x40000000, .ram_size = UINT64_C(512) << 20};
static const Smbios known = {.version = "1.2",
                             .n_cpus = 2,
                             .ram_base = 0x40000000,
                             .ram_size = UINT64_C(512) << 20,
                             .uuid = "00112233-4455-6677-8899-AABBCCDDEEFF",
                             .serial_number = "number 7"};
static const Smbios large = {.version = "1.2", .n_cpus = 300, .ram_base = 0x40000000, .ram_size = UINT64_C(6) << 40};

static uint64_t get(const uint8_t *bytes, unsigned size) {
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++)
    value |= (uint64_t)bytes[i] << 8 * i;
  return value;
}

/* Behind the formatted part: texts, each with a zero, and one more zero. Returns text N, counted from 1. */
static const uint8_t *skip(const uint8_t *structure) {
  const uint8_t *text = structure + structure[1];

  if (!*text)
    return text + 2;
  while (*text)
    text += strlen((const char *)text) + 1;
  return text + 1;
}

static const char *text_of(const uint8_t *structure, unsigned n) {
  const char *text = (const char *)structure + structure[1];

  g_assert_cmpuint(n, >, 0);
  for (unsigned i = 1; i < n; i++)
    text += strlen(text) + 1;
  return text;
}

/* The first of TYPE. */
static const uint8_t *find(GBytes *structures, uint8_t type) {
  gsize size;
  const uint8_t *start = g_bytes_get_data(structures, &size), *at = start;

  while (at < start + size) {
    if (at[0] == type)
      return at;
    at = skip(at);
  }
  g_assert_not_reached();
}

static void test_walk(void) {
  static const uint8_t types[] = {0, 1, 3, 4, 16, 17, 19, 32, 127};
  g_autoptr(GBytes) structures = smbios_structures(&small);
  gsize size;
  const uint8_t *start = g_bytes_get_data(structures, &size), *at = start;

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
    g_assert_cmpuint(at[0], ==, types[i]);
    at = skip(at);
  }
  g_assert_cmpuint((gsize)(at - start), ==, size);
}

static void test_fields(void) {
  g_autoptr(GBytes) structures = smbios_structures(&small);
  const uint8_t *system = find(structures, 1), *processor = find(structures, 4), *array = find(structures, 16);
  const uint8_t *device = find(structures, 17), *address = find(structures, 19);

  g_assert_cmpstr(text_of(system, system[4]), ==, "eret");
  g_assert_cmpstr(text_of(system, system[5]), ==, "KVM Virtual Machine");
  g_assert_cmpstr(text_of(system, system[6]), ==, "1.2");
  g_assert_cmpuint(system[7], ==, 0); /* no serial number, and no UUID */
  for (unsigned i = 8; i < 24; i++)
    g_assert_cmphex(system[i], ==, 0);
  g_assert_cmpuint(processor[0x23], ==, 2);
  g_assert_cmpuint(get(processor + 0x28, 2), ==, 0x101);
  g_assert_cmpuint(get(array + 7, 4), ==, 512 << 10);
  g_assert_cmpuint(get(device + 0x0c, 2), ==, 512);
  g_assert_cmpuint(get(device + 4, 2), ==, get(array + 2, 2));
  g_assert_cmpuint(get(address + 4, 4), ==, 1 << 20);
  g_assert_cmpuint(get(address + 8, 4), ==, (1 << 20) + (512 << 10) - 1);
}

/* DSP0134, 7.2.1 has this example. */
static void test_identity(void) {
  static const uint8_t wanted[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
  g_autoptr(GBytes) structures = smbios_structures(&known);
  const uint8_t *system = find(structures, 1);

  g_assert_cmpmem(system + 8, 16, wanted, sizeof wanted);
  g_assert_cmpstr(text_of(system, system[7]), ==, "number 7");
  g_assert_cmpstr(text_of(system, system[6]), ==, "1.2");
}

/* What is too large for the first field is in the one behind it. */
static void test_large(void) {
  g_autoptr(GBytes) structures = smbios_structures(&large);
  const uint8_t *processor = find(structures, 4), *array = find(structures, 16), *device = find(structures, 17),
                *address = find(structures, 19);

  g_assert_cmpuint(processor[0x23], ==, 0xff);
  g_assert_cmpuint(get(processor + 0x2a, 2), ==, 300);
  g_assert_cmphex(get(array + 7, 4), ==, 0x80000000);
  g_assert_cmphex(get(array + 0x0f, 8), ==, large.ram_size);
  g_assert_cmphex(get(device + 0x0c, 2), ==, 0x7fff);
  g_assert_cmphex(get(device + 0x1c, 4), ==, large.ram_size >> 20);
  g_assert_cmphex(get(address + 4, 4), ==, UINT32_MAX);
  g_assert_cmphex(get(address + 0x0f, 8), ==, large.ram_base);
  g_assert_cmphex(get(address + 0x17, 8), ==, large.ram_base + large.ram_size - 1);
}

static void test_entry_point(void) {
  g_autoptr(GBytes) entry = smbios_entry_point(UINT64_C(0x123456789), 1000);
  gsize size;
  const uint8_t *bytes = g_bytes_get_data(entry, &size);

  g_assert_cmpuint(size, ==, 24);
  g_assert_cmpmem(bytes, 5, "_SM3_", 5);
  g_assert_cmphex(bytes_checksum(bytes, size), ==, 0);
  g_assert_cmpuint(get(bytes + 12, 4), ==, 1000);
  g_assert_cmphex(get(bytes + 16, 8), ==, 0x123456789);
}

/* The form of dmidecode's own dumps: the entry point, and at 32 the structures. */
static char *dmidecode(const Smbios *smbios) {
  enum { STRUCTURES_AT = 32 };
  g_autoptr(GBytes) structures = smbios_structures(smbios);
  g_autoptr(GBytes) entry = smbios_entry_point(STRUCTURES_AT, (uint32_t)g_bytes_get_size(structures));
  g_autoptr(GByteArray) dump = g_byte_array_new();
  g_autoptr(GError) error = NULL;
  g_autofree char *path = NULL, *argument = NULL;
  int fd = g_file_open_tmp("smbios-XXXXXX", &path, &error);
  char *text = NULL;

  g_assert_no_error(error);
  close(fd);
  g_byte_array_append(dump, g_bytes_get_data(entry, NULL), (guint)g_bytes_get_size(entry));
  bytes_align(dump, STRUCTURES_AT);
  g_byte_array_append(dump, g_bytes_get_data(structures, NULL), (guint)g_bytes_get_size(structures));
  g_file_set_contents(path, (const char *)dump->data, dump->len, &error);
  g_assert_no_error(error);
  argument = g_strconcat("--from-dump=", path, NULL);
  g_autoptr(GSubprocess) child =
      g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error, "/usr/sbin/dmidecode", argument, NULL);
  g_assert_no_error(error);
  g_subprocess_communicate_utf8(child, NULL, NULL, &text, NULL, &error);
  g_assert_no_error(error);
  g_assert_true(g_subprocess_get_successful(child));
  g_unlink(path);
  return text;
}

static void test_dmidecode(void) {
  static const char *const wanted[] = {
      "SMBIOS 3.2.0 present", "Manufacturer: eret", "Product Name: KVM Virtual Machine", "Family: ARMv8", "Core Count: 2",
      "Size: 512 MB",         "Range Size: 512 MB", "System is a virtual machine",       "End Of Table"};
  static const char *const unwanted[] = {"BAD", "OUT OF SPEC", "Wrong", "truncated", "Invalid", "<"};

  if (!g_file_test("/usr/sbin/dmidecode", G_FILE_TEST_IS_EXECUTABLE)) {
    g_test_skip("dmidecode is not installed");
    return;
  }
  g_autofree char *text = dmidecode(&small), *of_large = dmidecode(&large), *of_known = dmidecode(&known);
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    if (!strstr(text, wanted[i]))
      g_error("nothing says '%s' in:\n%s", wanted[i], text);
  for (unsigned i = 0; i < G_N_ELEMENTS(unwanted); i++)
    if (strstr(text, unwanted[i]) || strstr(of_large, unwanted[i]) || strstr(of_known, unwanted[i]))
      g_error("'%s' in:\n%s\n%s\n%s", unwanted[i], text, of_large, of_known);
  g_assert_nonnull(strstr(of_large, "Size: 6 TB"));
  g_assert_nonnull(strstr(of_large, "Core Count: 300"));
  g_assert_nonnull(strstr(of_known, "UUID: 00112233-4455-6677-8899-aabbccddeeff"));
  g_assert_nonnull(strstr(of_known, "Serial Number: number 7"));
  g_assert_nonnull(strstr(text, "UUID: Not Settable"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/smbios/walk", test_walk);
  g_test_add_func("/smbios/fields", test_fields);
  g_test_add_func("/smbios/identity", test_identity);
  g_test_add_func("/smbios/large", test_large);
  g_test_add_func("/smbios/entry-point", test_entry_point);
  g_test_add_func("/smbios/dmidecode", test_dmidecode);
  return g_test_run();
}
