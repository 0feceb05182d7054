/* SPDX-License-Identifier: Apache-2.0 */
/* The device-tree writer: fdt/fdt-writer.c, read back with libfdt. */
#include "fdt/fdt-writer.h"

#include <libfdt.h>
#include <string.h>

#include "tests/unit/fakes.h"

static GBytes *finish(FdtWriter *fdt) {
  g_autoptr(GError) error = NULL;
  GBytes *tree = fdt_writer_finish(fdt, &error);

  g_assert_no_error(error);
  g_assert_nonnull(tree);
  g_assert_cmpint(fdt_check_full(g_bytes_get_data(tree, NULL), g_bytes_get_size(tree)), ==, 0);
  g_assert_cmpuint(fdt_totalsize(g_bytes_get_data(tree, NULL)), ==, g_bytes_get_size(tree));
  return tree;
}

static void test_empty(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();
  g_autoptr(GBytes) tree = finish(fdt);
  const void *blob = g_bytes_get_data(tree, NULL);

  g_assert_cmpint(fdt_path_offset(blob, "/"), ==, 0);
  g_assert_cmpint(fdt_first_subnode(blob, 0), ==, -FDT_ERR_NOTFOUND);
  g_assert_cmpint(fdt_first_property_offset(blob, 0), ==, -FDT_ERR_NOTFOUND);
  g_assert_cmpint(fdt_num_mem_rsv(blob), ==, 0);
}

static void test_properties(void) {
  static const char *const list[] = {"one", "", "three"};
  static const uint32_t cells[] = {1, 0x89abcdef, UINT32_MAX};
  static const uint8_t bytes[] = {0, 1, 0xff, 0, 7};
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_writer_flag(fdt, "flag");
  fdt_writer_u32(fdt, "u32", 0x12345678);
  fdt_writer_u64(fdt, "u64", UINT64_C(0x0123456789abcdef));
  fdt_writer_string(fdt, "string", "text");
  fdt_writer_string(fdt, "empty-string", "");
  fdt_writer_strings(fdt, "strings", list, G_N_ELEMENTS(list));
  fdt_writer_strings(fdt, "no-strings", list, 0);
  fdt_writer_cells(fdt, "cells", cells, G_N_ELEMENTS(cells));
  fdt_writer_cells(fdt, "no-cells", cells, 0);
  fdt_writer_bytes(fdt, "bytes", bytes, sizeof bytes);
  fdt_writer_bytes(fdt, "no-bytes", NULL, 0);
  fdt_writer_reg(fdt, UINT64_C(0x123456789a), UINT64_C(0xfedcba9876543210));
  fdt_writer_phandle(fdt, FDT_PHANDLE_CPU0 + 7);
  fdt_writer_interrupt(fdt, FDT_IRQ_PPI, 11, FDT_IRQ_LEVEL_LOW);

  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_flag(tree, "/", "flag");
  fake_assert_property(tree, "/", "u32", "\x12\x34\x56\x78", 4);
  fake_assert_property(tree, "/", "u64", "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
  fake_assert_string(tree, "/", "string", "text");
  fake_assert_string(tree, "/", "empty-string", "");
  fake_assert_string(tree, "/", "strings", "one\0\0three");
  fake_assert_flag(tree, "/", "no-strings");
  fake_assert_cells(tree, "/", "cells", 1, 0x89abcdef, UINT32_MAX);
  fake_assert_flag(tree, "/", "no-cells");
  fake_assert_property(tree, "/", "bytes", bytes, sizeof bytes);
  fake_assert_flag(tree, "/", "no-bytes");
  fake_assert_cells(tree, "/", "reg", 0x12, 0x3456789a, 0xfedcba98, 0x76543210);
  fake_assert_cells(tree, "/", "phandle", FDT_PHANDLE_CPU0 + 7);
  fake_assert_cells(tree, "/", "interrupts", 1, 11, 8);
  g_assert_cmpuint(fdt_get_phandle(g_bytes_get_data(tree, NULL), 0), ==, FDT_PHANDLE_CPU0 + 7);
}

static void test_nodes(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_writer_begin(fdt, "a");
  fdt_writer_u32(fdt, "number", 1);
  fdt_writer_begin_at(fdt, "b", UINT64_C(0xabcdef0123));
  fdt_writer_u32(fdt, "number", 2);
  fdt_writer_end(fdt);
  fdt_writer_begin_at(fdt, "b", 0);
  fdt_writer_u32(fdt, "number", 3);
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
  fdt_writer_begin(fdt, "c");
  fdt_writer_u32(fdt, "number", 4);
  fdt_writer_end(fdt);

  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_cells(tree, "/a", "number", 1);
  fake_assert_cells(tree, "/a/b@abcdef0123", "number", 2);
  fake_assert_cells(tree, "/a/b@0", "number", 3);
  fake_assert_cells(tree, "/c", "number", 4);
  g_assert_cmpint(fdt_path_offset(g_bytes_get_data(tree, NULL), "/a/c"), ==, -FDT_ERR_NOTFOUND);
}

/* Far more than the first buffer, in many small pieces: it grows at every kind of step. */
static void test_grows_in_small_steps(void) {
  enum { NODES = 4000 };
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  for (unsigned i = 0; i < NODES; i++) {
    g_autofree char *unique = g_strdup_printf("property-%u", i); /* the table of strings grows too */
    fdt_writer_begin_at(fdt, "node", i);
    fdt_writer_u32(fdt, unique, i);
    fdt_writer_u64(fdt, "common", i * UINT64_C(0x100000001));
    fdt_writer_end(fdt);
  }
  g_autoptr(GBytes) tree = finish(fdt);
  g_assert_cmpuint(g_bytes_get_size(tree), >, 0x20000);
  const void *blob = g_bytes_get_data(tree, NULL);
  int node = fdt_first_subnode(blob, 0);
  for (unsigned i = 0; i < NODES; i++) {
    g_autofree char *unique = g_strdup_printf("property-%u", i), *name = g_strdup_printf("node@%x", i);
    int length;
    g_assert_cmpint(node, >, 0);
    g_assert_cmpstr(fdt_get_name(blob, node, NULL), ==, name);
    uint32_t expected = GUINT32_TO_BE(i), pair[] = {expected, expected};
    const void *value = fdt_getprop(blob, node, unique, &length);
    g_assert_cmpmem(value, length, &expected, sizeof expected);
    value = fdt_getprop(blob, node, "common", &length);
    g_assert_cmpmem(value, length, pair, sizeof pair);
    node = fdt_next_subnode(blob, node);
  }
  g_assert_cmpint(node, ==, -FDT_ERR_NOTFOUND);
}

/* One property that takes several doublings of the buffer at once. */
static void test_grows_in_one_step(void) {
  g_autofree uint8_t *bytes = g_malloc(1000000);
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  for (unsigned i = 0; i < 1000000; i++)
    bytes[i] = (uint8_t)(i * 7 + i / 251);
  fdt_writer_u32(fdt, "before", 1);
  fdt_writer_bytes(fdt, "big", bytes, 1000000);
  fdt_writer_u32(fdt, "after", 2);
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_cells(tree, "/", "before", 1);
  fake_assert_property(tree, "/", "big", bytes, 1000000);
  fake_assert_cells(tree, "/", "after", 2);
}

static void assert_fails(FdtWriter *fdt, const char *message) {
  g_autoptr(GError) error = NULL;

  g_assert_null(fdt_writer_finish(fdt, &error));
  g_assert_nonnull(error);
  g_assert_cmpstr(error->message, ==, message);
}

/* A value that no tree may hold: the error names node and property, and what follows changes nothing. */
static void test_first_error(void) {
  g_autofree uint8_t *bytes = g_malloc0(0x1000000);
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_writer_begin(fdt, "soc");
  fdt_writer_begin_at(fdt, "uart", 0x9000000);
  fdt_writer_bytes(fdt, "first", bytes, 0x1000000);
  fdt_writer_bytes(fdt, "second", bytes, SIZE_MAX);
  fdt_writer_u32(fdt, "third", 3);
  fdt_writer_begin(fdt, "child");
  for (unsigned i = 0; i < 10; i++)
    fdt_writer_end(fdt);
  assert_fails(fdt, "device tree, node /soc/uart@9000000, property first: FDT_ERR_NOSPACE");
}

static void test_huge_sizes(void) {
  static const size_t sizes[] = {0x1000001, INT32_MAX, (size_t)INT32_MAX + 1, UINT32_MAX, SIZE_MAX};

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    fdt_writer_bytes(fdt, "huge", "", sizes[i]); /* refused before it is read */
    assert_fails(fdt, "device tree, node /, property huge: FDT_ERR_NOSPACE");
  }
}

static void test_unbalanced(void) {
  g_autoptr(FdtWriter) open = fdt_writer_new();
  g_autoptr(FdtWriter) closed = fdt_writer_new();

  fdt_writer_begin(open, "a");
  fdt_writer_begin(open, "b");
  fdt_writer_end(open);
  assert_fails(open, "device tree, node /a: FDT_ERR_BADSTATE");

  fdt_writer_begin(closed, "a");
  fdt_writer_end(closed);
  fdt_writer_end(closed);
  assert_fails(closed, "device tree, node /: FDT_ERR_BADSTATE");
}

/* Frees what was begun, finished or failed. */
static void test_free(void) {
  FdtWriter *fdt = fdt_writer_new();

  fdt_writer_begin(fdt, "half");
  fdt_writer_free(fdt);
  fdt_writer_free(NULL);
}

static void test_phandles(void) {
  g_assert_cmpint(FDT_PHANDLE_NONE, ==, 0);
  g_assert_cmpint(FDT_PHANDLE_CACHE_LAST, >=, FDT_PHANDLE_CACHE + 7);
  g_assert_cmpint(FDT_PHANDLE_CPU0, >, FDT_PHANDLE_CACHE_LAST);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/fdt-writer/empty", test_empty);
  g_test_add_func("/fdt-writer/properties", test_properties);
  g_test_add_func("/fdt-writer/nodes", test_nodes);
  g_test_add_func("/fdt-writer/grows-in-small-steps", test_grows_in_small_steps);
  g_test_add_func("/fdt-writer/grows-in-one-step", test_grows_in_one_step);
  g_test_add_func("/fdt-writer/first-error", test_first_error);
  g_test_add_func("/fdt-writer/huge-sizes", test_huge_sizes);
  g_test_add_func("/fdt-writer/unbalanced", test_unbalanced);
  g_test_add_func("/fdt-writer/free", test_free);
  g_test_add_func("/fdt-writer/phandles", test_phandles);
  return g_test_run();
}
