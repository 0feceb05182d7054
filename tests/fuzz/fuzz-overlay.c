/* SPDX-License-Identifier: Apache-2.0 */
/* Device-tree overlays of a user's: fdt/fdt-overlay.c, over a tree of ours. */
#include "tests/fuzz/fuzz.h"

#include <libfdt.h>

#include "fdt/fdt-nodes.h"
#include "fdt/fdt-overlay.h"

/* A small tree like a machine's, with what may not be changed. */
static GBytes *make_tree(void) {
  uint8_t bytes[2048];

  g_assert_cmpint(fdt_create_empty_tree(bytes, sizeof bytes), ==, 0);
  int chosen = fdt_add_subnode(bytes, 0, "chosen"), soc;
  fdt_setprop_u64(bytes, chosen, "linux,initrd-start", 0x48000000);
  fdt_setprop_string(bytes, chosen, "bootargs", "quiet");
  soc = fdt_add_subnode(bytes, 0, "soc");
  fdt_setprop_u32(bytes, soc, "phandle", 1);
  fdt_setprop_u32(bytes, soc, "#address-cells", 2);
  int symbols = fdt_add_subnode(bytes, 0, "__symbols__");
  fdt_setprop_string(bytes, symbols, "soc", "/soc");
  fdt_pack(bytes);
  return g_bytes_new(bytes, fdt_totalsize(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autoptr(GBytes) tree = make_tree(), overlay = g_bytes_new_take(g_memdup2(data, size), size);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) result = fdt_overlay(tree, overlay, &error);
  int length = 0;

  g_assert_true(!result == !!error);
  if (!result)
    return 0;
  const void *fdt = g_bytes_get_data(result, NULL);
  g_assert_cmpint(fdt_check_full(fdt, g_bytes_get_size(result)), ==, 0);
  const fdt64_t *start = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "linux,initrd-start", &length);
  g_assert_cmpint(length, ==, 8);
  g_assert_cmphex(fdt64_ld(start), ==, 0x48000000);
  return 0;
}
