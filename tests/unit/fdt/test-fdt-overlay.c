/* SPDX-License-Identifier: Apache-2.0 */
/* Overlays, good ones and such as nobody should hand to libfdt: fdt/fdt-overlay.c. */
#include "fdt/fdt-overlay.h"

#include <libfdt.h>
#include <string.h>

#include "fdt/fdt-nodes.h"
#include "fdt/fdt-writer.h"

#define RAM UINT64_C(0x40000000)

static GBytes *finish(FdtWriter *fdt) {
  g_autoptr(GError) error = NULL;
  GBytes *tree = fdt_writer_finish(fdt, &error);

  g_assert_no_error(error);
  return tree;
}

/* What a machine has: a node with a label, and a /chosen with an initrd. */
static GBytes *machine_tree(void) {
  const FdtChosen chosen = {.bootargs = "quiet", .initrd_start = RAM, .initrd_size = 1};
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_writer_keep_symbols(fdt);
  fdt_write_root(fdt);
  fdt_write_chosen(fdt, &chosen);
  fdt_write_gicv2(fdt, &(FdtGicV2){{0x8000000, 0x10000}, {0x8010000, 0x10000}, {0}});
  fdt_write_apb_clock(fdt);
  return finish(fdt);
}

static void begin_fragment(FdtWriter *fdt, unsigned number, const char *target_path) {
  fdt_writer_begin_at(fdt, "fragment", number);
  if (target_path)
    fdt_writer_string(fdt, "target-path", target_path);
  fdt_writer_begin(fdt, "__overlay__");
}

static void end_fragment(FdtWriter *fdt) {
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
}

/* One with a reference to a label, one to a node of its own, and a fragment whose target is another's. */
static GBytes *good_overlay(void) {
  static const uint32_t unresolved = UINT32_MAX, own[] = {7, 1};
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  begin_fragment(fdt, 0, "/");
  fdt_writer_begin_at(fdt, "thing", 0x1000);
  fdt_writer_reg(fdt, 0x1000, 0x100);
  fdt_writer_cells(fdt, "clocks", &unresolved, 1);
  fdt_writer_u32(fdt, "phandle", 1);
  fdt_writer_cells(fdt, "self", own, 2);
  fdt_writer_end(fdt);
  end_fragment(fdt);
  begin_fragment(fdt, 1, "/thing@1000");
  fdt_writer_flag(fdt, "more");
  end_fragment(fdt);
  fdt_writer_begin(fdt, "__fixups__");
  fdt_writer_string(fdt, "apb_pclk", "/fragment@0/__overlay__/thing@1000:clocks:0");
  fdt_writer_end(fdt);
  fdt_writer_begin(fdt, "__symbols__");
  fdt_writer_string(fdt, "mine", "/fragment@0/__overlay__/thing@1000");
  fdt_writer_end(fdt);
  fdt_writer_begin(fdt, "__local_fixups__");
  fdt_writer_begin_at(fdt, "fragment", 0);
  fdt_writer_begin(fdt, "__overlay__");
  fdt_writer_begin_at(fdt, "thing", 0x1000);
  fdt_writer_u32(fdt, "self", 4);
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
  fdt_writer_end(fdt);
  return finish(fdt);
}

static uint32_t cell(const void *tree, int node, const char *property, unsigned index) {
  int size;
  const fdt32_t *cells = fdt_getprop(tree, node, property, &size);

  g_assert_nonnull(cells);
  g_assert_cmpint(size, >, (int)(4 * index));
  return fdt32_ld(cells + index);
}

static void test_good(void) {
  g_autoptr(GBytes) tree = machine_tree(), overlay = good_overlay(), untouched = machine_tree();
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) result = fdt_overlay(tree, overlay, &error);

  g_assert_no_error(error);
  const void *data = g_bytes_get_data(result, NULL);
  int thing = fdt_path_offset(data, "/thing@1000"), clock = fdt_path_offset(data, "/apb-pclk");
  g_assert_cmpint(thing, >, 0);
  g_assert_cmpuint(cell(data, thing, "clocks", 0), ==, FDT_PHANDLE_APB_CLOCK);
  g_assert_cmpuint(cell(data, thing, "self", 0), ==, 7);
  g_assert_cmpuint(cell(data, thing, "self", 1), ==, cell(data, thing, "phandle", 0)); /* moved clear of the machine's */
  g_assert_cmpuint(cell(data, thing, "phandle", 0), !=, 1);
  g_assert_nonnull(fdt_getprop(data, thing, "more", NULL));
  g_assert_cmpuint(cell(data, clock, "phandle", 0), ==, FDT_PHANDLE_APB_CLOCK);
  g_assert_cmpstr(fdt_getprop(data, fdt_path_offset(data, "/__symbols__"), "mine", NULL), ==, "/thing@1000"); /* for the next one */
  g_assert_cmpuint(fdt_totalsize(data), ==, g_bytes_get_size(result));
  g_assert_true(g_bytes_equal(tree, untouched));
  /* The initrd is placed afterwards, in it. */
  g_autoptr(GBytes) moved = fdt_move_initrd(g_bytes_ref(result), RAM + 0x1000, 0x234);
  data = g_bytes_get_data(moved, NULL);
  g_assert_cmphex(cell(data, fdt_path_offset(data, "/chosen"), "linux,initrd-end", 1), ==, RAM + 0x1234);
}

/* More than the room that is tried first: what is large is the same fragment's node often, in a tree with many. */
static void test_large(void) {
  g_autoptr(GBytes) tree = machine_tree();
  g_autofree char *filler = g_strnfill(0x1000, 'x');
  g_autoptr(GError) error = NULL;

  for (unsigned i = 0; tree && i < 600; i++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    begin_fragment(fdt, 0, "/");
    fdt_writer_begin_at(fdt, "n", i);
    fdt_writer_string(fdt, "filler", filler);
    fdt_writer_end(fdt);
    end_fragment(fdt);
    g_autoptr(GBytes) overlay = finish(fdt), before = tree;
    tree = fdt_overlay(before, overlay, &error);
  }
  g_assert_null(tree);
  g_assert_error(error, FDT_OVERLAY_ERROR, FDT_OVERLAY_ERROR_REFUSED);
  g_assert_cmpstr(error->message, ==, "with it the machine's tree would have more than 2 MiB");
}

static void refuse(GBytes *overlay, FdtOverlayError code, const char *wanted) {
  g_autoptr(GBytes) tree = machine_tree(), untouched = machine_tree();
  g_autoptr(GError) error = NULL;

  g_assert_null(fdt_overlay(tree, overlay, &error));
  g_assert_cmpstr(error->message, ==, wanted);
  g_assert_error(error, FDT_OVERLAY_ERROR, (int)code);
  g_assert_true(g_bytes_equal(tree, untouched));
}

static void test_not_one(void) {
  g_autoptr(GBytes) tree = machine_tree(), none = g_bytes_new("", 0), text = g_bytes_new("/dts-v1/; / { model = \"x\"; x; y; };", 36);
  g_autoptr(GBytes) overlay = good_overlay();
  g_autoptr(GBytes) cut = g_bytes_new_from_bytes(overlay, 0, g_bytes_get_size(overlay) - 1);
  g_autofree char *shorter =
      g_strdup_printf("it is cut off: it has %zu bytes, and says %zu", g_bytes_get_size(cut), g_bytes_get_size(overlay));

  refuse(tree, FDT_OVERLAY_ERROR_INVALID, "it is a device tree, but no overlay: no node of it has an __overlay__");
  refuse(none, FDT_OVERLAY_ERROR_INVALID, "it is no flattened device tree: 'dtc -@ -O dtb' makes one of source");
  refuse(text, FDT_OVERLAY_ERROR_INVALID, "it is no flattened device tree: 'dtc -@ -O dtb' makes one of source");
  refuse(cut, FDT_OVERLAY_ERROR_INVALID, shorter);
}

/* All that is behind the header lies a byte further: where no word of the structure may be (DTSpec 0.4, 5.6). */
static void test_askew(void) {
  g_autoptr(GBytes) tree = machine_tree(), good = good_overlay();
  gsize size = g_bytes_get_size(good), head = sizeof(struct fdt_header);
  g_autofree uint8_t *bytes = g_malloc0(size + 1);

  memcpy(bytes, g_bytes_get_data(good, NULL), head);
  memcpy(bytes + head + 1, (const uint8_t *)g_bytes_get_data(good, NULL) + head, size - head);
  fdt_set_totalsize(bytes, (uint32_t)size + 1);
  fdt_set_off_mem_rsvmap(bytes, fdt_off_mem_rsvmap(bytes) + 1);
  fdt_set_off_dt_strings(bytes, fdt_off_dt_strings(bytes) + 1);
  fdt_set_off_dt_struct(bytes, fdt_off_dt_struct(bytes) + 1);
  g_autofree char *where =
      g_strdup_printf("it is damaged: its structure begins at byte %u, and not at a multiple of 4", fdt_off_dt_struct(bytes));
  g_autoptr(GBytes) askew = g_bytes_new(bytes, size + 1);
  refuse(askew, FDT_OVERLAY_ERROR_INVALID, where);
}

static void test_targets(void) {
  g_autoptr(FdtWriter) nowhere = fdt_writer_new(), none = fdt_writer_new(), label = fdt_writer_new(), phandle = fdt_writer_new();

  begin_fragment(nowhere, 0, "/");
  fdt_writer_flag(nowhere, "fine");
  end_fragment(nowhere);
  begin_fragment(nowhere, 1, "/none");
  end_fragment(nowhere);
  g_autoptr(GBytes) to_nowhere = finish(nowhere);
  refuse(to_nowhere, FDT_OVERLAY_ERROR_TARGET, "fragment@1: its target-path is /none, and the machine's tree has no such node");

  begin_fragment(none, 5, NULL);
  end_fragment(none);
  g_autoptr(GBytes) without = finish(none);
  refuse(without, FDT_OVERLAY_ERROR_INVALID, "fragment@5 has no target: neither target nor target-path");

  fdt_writer_begin_at(label, "fragment", 2);
  fdt_writer_u32(label, "target", UINT32_MAX);
  fdt_writer_begin(label, "__overlay__");
  end_fragment(label);
  fdt_writer_begin(label, "__fixups__");
  fdt_writer_string(label, "uart9", "/fragment@2:target:0");
  fdt_writer_end(label);
  g_autoptr(GBytes) by_label = finish(label);
  refuse(by_label, FDT_OVERLAY_ERROR_TARGET, "fragment@2 refers to label 'uart9', which the machine's tree has not");

  fdt_writer_begin_at(phandle, "fragment", 3);
  fdt_writer_u32(phandle, "target", 0x1234);
  fdt_writer_begin(phandle, "__overlay__");
  end_fragment(phandle);
  g_autoptr(GBytes) by_phandle = finish(phandle);
  refuse(by_phandle, FDT_OVERLAY_ERROR_TARGET, "fragment@3: the machine's tree has not the node that it is for");
}

/* References whose place is none: each is a byte or two beyond what is there. */
static void test_bad_references(void) {
  static const char *const places[] = {
      "",
      "x",
      "/fragment@0/__overlay__:cell",
      "/fragment@0/__overlay__:cell:1",
      "/fragment@0/__overlay__:cell:-1",
      "/fragment@0/__overlay__:cell:",
      "/fragment@0/__overlay__:cell:0:0",
      "/fragment@0/__overlay__:none:0",
      "/fragment@0/__overlay__:short:0",
      "/fragment@0/none:cell:0",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    begin_fragment(fdt, 0, "/");
    fdt_writer_u32(fdt, "cell", UINT32_MAX);
    fdt_writer_bytes(fdt, "short", "xyz", 3);
    end_fragment(fdt);
    fdt_writer_begin(fdt, "__fixups__");
    fdt_writer_string(fdt, "gic", places[i]);
    fdt_writer_end(fdt);
    g_autoptr(GBytes) overlay = finish(fdt);
    refuse(overlay, FDT_OVERLAY_ERROR_INVALID, "it is damaged: the places where it refers to label 'gic' are none");
  }
  for (uint32_t offset = 1; offset < 4; offset++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    begin_fragment(fdt, 0, "/");
    fdt_writer_u32(fdt, "cell", 1);
    end_fragment(fdt);
    fdt_writer_begin(fdt, "__local_fixups__");
    fdt_writer_begin_at(fdt, "fragment", 0);
    fdt_writer_begin(fdt, "__overlay__");
    fdt_writer_u32(fdt, "cell", offset);
    fdt_writer_end(fdt);
    fdt_writer_end(fdt);
    fdt_writer_end(fdt);
    g_autoptr(GBytes) overlay = finish(fdt);
    refuse(overlay, FDT_OVERLAY_ERROR_INVALID, "it is damaged: its references to nodes of its own are none, in property 'cell'");
  }
}

static void test_deep(void) {
  for (unsigned depth = 60; depth < 70; depth++) {
    g_autoptr(GBytes) tree = machine_tree();
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    g_autoptr(GError) error = NULL;
    begin_fragment(fdt, 0, "/");
    for (unsigned i = 2; i < depth; i++)
      fdt_writer_begin(fdt, "n");
    for (unsigned i = 2; i < depth; i++)
      fdt_writer_end(fdt);
    end_fragment(fdt);
    g_autoptr(GBytes) overlay = finish(fdt);
    g_autoptr(GBytes) result = fdt_overlay(tree, overlay, &error);
    g_assert_true(!result == (depth > 64));
    g_assert_true(result || strcmp(error->message, "its nodes lie deeper than 64 levels") == 0);
  }
}

/* COUNT of WHAT: nodes, properties, places or cells, with what holds them. */
static GBytes *many(const char *what, unsigned count) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();
  g_autoptr(GByteArray) places = g_byte_array_new();
  static const char place[] = "/fragment@0/__overlay__:cell:0";
  g_autofree uint32_t *cells = g_new0(uint32_t, count);

  begin_fragment(fdt, 0, "/");
  fdt_writer_u32(fdt, "cell", UINT32_MAX);
  for (unsigned i = 0; i < count && g_str_equal(what, "nodes"); i++) {
    fdt_writer_begin_at(fdt, "n", i);
    fdt_writer_end(fdt);
  }
  for (unsigned i = 0; i < count && g_str_equal(what, "properties"); i++) {
    g_autofree char *name = g_strdup_printf("p%u", i);
    fdt_writer_flag(fdt, name);
  }
  end_fragment(fdt);
  for (unsigned i = 0; i < count; i++)
    g_byte_array_append(places, (const guint8 *)place, sizeof place);
  if (g_str_equal(what, "places")) {
    fdt_writer_begin(fdt, "__fixups__");
    fdt_writer_bytes(fdt, "apb_pclk", places->data, places->len);
    fdt_writer_end(fdt);
  }
  if (g_str_equal(what, "cells")) {
    fdt_writer_begin(fdt, "__local_fixups__");
    fdt_writer_begin_at(fdt, "fragment", 0);
    fdt_writer_begin(fdt, "__overlay__");
    fdt_writer_cells(fdt, "cell", cells, count);
    fdt_writer_end(fdt);
    fdt_writer_end(fdt);
    fdt_writer_end(fdt);
  }
  return finish(fdt);
}

static void test_many(void) {
  enum { LIMIT = 4000, OF_A_FRAGMENT = 5 }; /* the root, the fragment, its target and its content, with "cell" */
  static const struct {
    const char *what;
    unsigned beside;
  } kinds[] = {{"nodes", 0}, {"properties", 0}, {"places", 2}, {"cells", 4}};

  for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
    unsigned most = LIMIT - OF_A_FRAGMENT - kinds[i].beside;
    g_autoptr(GBytes) tree = machine_tree(), good = many(kinds[i].what, most), more = many(kinds[i].what, most + 1);
    g_autoptr(GBytes) far_more = many(kinds[i].what, 16 * LIMIT);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) result = fdt_overlay(tree, good, &error);
    g_assert_no_error(error);
    refuse(more, FDT_OVERLAY_ERROR_REFUSED, "it has 4001 nodes, properties and references to labels: at most 4000 are possible");
    g_assert_null(fdt_overlay(tree, far_more, &error));
    g_assert_error(error, FDT_OVERLAY_ERROR, FDT_OVERLAY_ERROR_REFUSED);
  }
}

/* What the loader says of the initrd stays; what the user says of the command line is the user's. */
static void test_chosen(void) {
  g_autoptr(FdtWriter) moves = fdt_writer_new(), adds = fdt_writer_new(), says = fdt_writer_new();
  g_autoptr(GBytes) tree = machine_tree();
  g_autoptr(GError) error = NULL;

  begin_fragment(moves, 0, "/chosen");
  fdt_writer_u32(moves, "linux,initrd-start", 0);
  end_fragment(moves);
  g_autoptr(GBytes) that_moves = finish(moves);
  refuse(that_moves, FDT_OVERLAY_ERROR_REFUSED, "it changes /chosen/linux,initrd-start, which is what the machine's loader says");
  begin_fragment(adds, 0, "/chosen");
  fdt_writer_u64(adds, "linux,uefi-system-table", RAM);
  end_fragment(adds);
  g_autoptr(GBytes) that_adds = finish(adds);
  refuse(that_adds, FDT_OVERLAY_ERROR_REFUSED, "it changes /chosen/linux,uefi-system-table, which is what the machine's loader says");
  begin_fragment(says, 0, "/chosen");
  fdt_writer_string(says, "bootargs", "loud");
  end_fragment(says);
  g_autoptr(GBytes) that_says = finish(says);
  g_autoptr(GBytes) result = fdt_overlay(tree, that_says, &error);
  g_assert_no_error(error);
  const void *data = g_bytes_get_data(result, NULL);
  g_assert_cmpstr(fdt_getprop(data, fdt_path_offset(data, "/chosen"), "bootargs", NULL), ==, "loud");
}

/* A good overlay with bytes changed: it is applied, or refused with a reason, and always the same. */
static void test_damaged(void) {
  g_autoptr(GRand) rand = g_rand_new_with_seed(1);
  g_autoptr(GBytes) tree = machine_tree(), good = good_overlay();
  gsize size = g_bytes_get_size(good);
  unsigned refused = 0;

  for (unsigned round = 0; round < 20000; round++) {
    g_autofree uint8_t *bytes = g_memdup2(g_bytes_get_data(good, NULL), size);
    for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--)
      bytes[g_rand_int_range(rand, 0, (int)size)] =
          (uint8_t)(g_rand_boolean(rand) ? g_rand_int(rand) : (guint32)g_rand_int_range(rand, 0, 4));
    g_autoptr(GBytes) overlay = g_bytes_new(bytes, size);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) result = fdt_overlay(tree, overlay, &error);
    g_assert_true(!result == !!error);
    if (result)
      g_assert_cmpint(fdt_check_full(g_bytes_get_data(result, NULL), g_bytes_get_size(result)), ==, 0);
    refused += !result;
  }
  g_assert_cmpuint(refused, >, 1000);
  g_assert_cmpuint(refused, <, 20000);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/fdt-overlay/good", test_good);
  g_test_add_func("/fdt-overlay/large", test_large);
  g_test_add_func("/fdt-overlay/not-one", test_not_one);
  g_test_add_func("/fdt-overlay/askew", test_askew);
  g_test_add_func("/fdt-overlay/targets", test_targets);
  g_test_add_func("/fdt-overlay/bad-references", test_bad_references);
  g_test_add_func("/fdt-overlay/deep", test_deep);
  g_test_add_func("/fdt-overlay/many", test_many);
  g_test_add_func("/fdt-overlay/chosen", test_chosen);
  g_test_add_func("/fdt-overlay/damaged", test_damaged);
  return g_test_run();
}
