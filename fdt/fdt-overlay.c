/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlays by libfdt, which works in place and leaves both trees damaged where it fails: so it is given copies, and
 * what it has left of them tells which fragment it was. It trusts an overlay's references and its depth, so these are
 * looked at before, and the trees' structure by fdt_check_full. No lock: one thread.
 */
#include "fdt/fdt-overlay.h"

#include <libfdt.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIZE_MAX_TREE  0x200000 /* the boot protocol's limit (Linux: Documentation/arch/arm64/booting.rst): 2 MiB */
#define VERSION_WANTED 17       /* Devicetree Specification v0.4, 5.2: of the last change */
#define CONTENT        "__overlay__"
#define LOCAL_FIXUPS   "__local_fixups__"
#define DEPTH_MAX      64
#define PARTS_MAX      4000 /* libfdt's time grows with their square: that many take it less than a second */
#define FIXUPS         "__fixups__"
#define SYMBOLS        "__symbols__"

G_DEFINE_QUARK(eret_fdt_overlay_error, fdt_overlay_error)

#define fail(error, code, ...) g_set_error(error, FDT_OVERLAY_ERROR, FDT_OVERLAY_ERROR_##code, __VA_ARGS__)

static const char *name_of(const void *tree, int node) {
  const char *name = fdt_get_name(tree, node, NULL);
  return name ? name : "?";
}

/* A property that is a string, of one piece; NULL: it is missing, or none. */
static const char *string_of(const void *tree, int node, const char *property) {
  int size;
  const char *text = fdt_getprop(tree, node, property, &size);

  return text && size > 0 && memchr(text, '\0', (size_t)size) == text + size - 1 ? text : NULL;
}

/* A copy, with room for more; its totalsize is ROOM. */
static void *copy_tree(GBytes *tree, gsize room) {
  gsize size;
  const void *data = g_bytes_get_data(tree, &size);
  void *copy = g_malloc0(MAX(room, size));

  memcpy(copy, data, size);
  if (room > size && fdt_open_into(data, copy, (int)room) != 0)
    g_clear_pointer(&copy, g_free);
  return copy;
}

static bool is_sound(GBytes *overlay, GError **error) {
  gsize size;
  const void *data = g_bytes_get_data(overlay, &size);
  g_autofree void *aligned = g_memdup2(data, size);

  if (size > SIZE_MAX_TREE)
    fail(error, INVALID, "it has more than 2 MiB");
  else if (size < sizeof(struct fdt_header) || fdt_magic(aligned) != FDT_MAGIC)
    fail(error, INVALID, "it is no flattened device tree: 'dtc -@ -O dtb' makes one of source");
  else if (fdt_totalsize(aligned) > size)
    fail(error, INVALID, "it is cut off: it has %" G_GSIZE_FORMAT " bytes, and says %u", size, fdt_totalsize(aligned));
  else if (fdt_version(aligned) < VERSION_WANTED)
    fail(error, INVALID, "it has version %u of the format, and %d is wanted", fdt_version(aligned), VERSION_WANTED);
  else if (fdt_off_dt_struct(aligned) % FDT_TAGSIZE) /* which libfdt does not look at (DTSpec 0.4, 5.6) */
    fail(error, INVALID, "it is damaged: its structure begins at byte %u, and not at a multiple of %zu", fdt_off_dt_struct(aligned),
         FDT_TAGSIZE);
  else if (fdt_check_full(aligned, size) != 0)
    fail(error, INVALID, "it is damaged: %s", fdt_strerror(fdt_check_full(aligned, size)));
  else
    return true;
  return false;
}

static bool has_fragments(const void *overlay, GError **error) {
  int fragment;

  fdt_for_each_subnode(fragment, overlay, 0) if (fdt_subnode_offset(overlay, fragment, CONTENT) >= 0) return true;
  fail(error, INVALID, "it is a device tree, but no overlay: no node of it has an " CONTENT);
  return false;
}

/*
 * Of a reference, whether the cell at OFFSET lies in PROPERTY of NODE. libfdt does not look: it adds OFFSET to the
 * property's address, and to its own sums of 32 bits.
 */
static bool is_cell(const void *overlay, int node, const char *property, uint64_t offset) {
  int size;

  return node >= 0 && fdt_getprop(overlay, node, property, &size) && size >= (int)sizeof(fdt32_t) &&
         offset <= (uint64_t)size - sizeof(fdt32_t);
}

/* PLACE: "/fragment@0/__overlay__/node:property:offset". */
static bool is_place(const void *overlay, const char *place) {
  g_auto(GStrv) parts = g_strsplit(place, ":", -1);
  guint64 offset;

  return g_strv_length(parts) == 3 && *parts[0] == '/' && g_ascii_string_to_unsigned(parts[2], 10, 0, UINT32_MAX, &offset, NULL) &&
         is_cell(overlay, fdt_path_offset(overlay, parts[0]), parts[1], offset);
}

/*
 * A label that the overlay refers to, and that the tree has to have: a property of FIXUPS, whose value is the list of
 * places where it does so.
 */
static bool has_label(const void *tree, const void *overlay, int property, GError **error) {
  int size, symbols = fdt_path_offset(tree, "/" SYMBOLS);
  const char *label, *places = fdt_getprop_by_offset(overlay, property, &label, &size), *end = places + MAX(size, 0);
  const char *path = symbols < 0 ? NULL : string_of(tree, symbols, label);
  int node = path ? fdt_path_offset(tree, path) : -FDT_ERR_NOTFOUND;
  bool sound = places && size > 0 && end[-1] == '\0';

  for (const char *place = places; sound && place < end; place += strlen(place) + 1)
    sound = is_place(overlay, place);
  if (!sound) {
    fail(error, INVALID, "it is damaged: the places where it refers to label '%s' are none", label);
    return false;
  }
  if (node >= 0 && fdt_get_phandle(tree, node) != 0)
    return true;
  g_autofree char *fragment = g_strndup(places + 1, strcspn(places + 1, "/:"));
  fail(error, TARGET, "%s refers to label '%s', which the machine's tree has not", fragment, label);
  return false;
}

static bool has_labels(const void *tree, const void *overlay, GError **error) {
  int property, fixups = fdt_path_offset(overlay, "/" FIXUPS);

  if (fixups < 0)
    return true;
  fdt_for_each_property_offset(property, overlay, fixups) if (!has_label(tree, overlay, property, error)) return false;
  return true;
}

/*
 * References of the overlay's to nodes of its own: LOCAL is a node of LOCAL_FIXUPS, whose properties say at which
 * offsets of the properties of the same name in NODE a reference is. DEPTH is bounded, by has_depth.
 */
static bool has_own_references(const void *overlay, int local, int node, GError **error) {
  int property, child, size;

  fdt_for_each_property_offset(property, overlay, local) {
    const char *name;
    const fdt32_t *offsets = fdt_getprop_by_offset(overlay, property, &name, &size);
    bool sound = offsets && size % (int)sizeof *offsets == 0;
    for (int i = 0; sound && i < size / (int)sizeof *offsets; i++)
      sound = is_cell(overlay, node, name, fdt32_ld(&offsets[i]));
    if (sound)
      continue;
    fail(error, INVALID, "it is damaged: its references to nodes of its own are none, in property '%s'", name ? name : "?");
    return false;
  }
  fdt_for_each_subnode(child, overlay, local) {
    if (!has_own_references(overlay, child, fdt_subnode_offset(overlay, node, name_of(overlay, child)), error))
      return false;
  }
  return true;
}

/* libfdt goes down a tree by recursion. */
static bool has_depth(const void *overlay, GError **error) {
  int depth = 0;

  for (int node = 0; node >= 0 && depth <= DEPTH_MAX; node = fdt_next_node(overlay, node, &depth))
    ;
  if (depth > DEPTH_MAX)
    fail(error, REFUSED, "its nodes lie deeper than %d levels", DEPTH_MAX);
  return depth <= DEPTH_MAX;
}

/* The references in a value of SIZE bytes at VALUE, which lies in LIST: FIXUPS, LOCAL_FIXUPS or another. */
static unsigned count_references(const char *list, const char *value, unsigned size) {
  unsigned n = 0;

  if (g_str_equal(list, LOCAL_FIXUPS))
    return size / (unsigned)sizeof(fdt32_t);
  if (g_str_equal(list, FIXUPS))
    for (unsigned i = 0; i < size; i++)
      n += value[i] == '\0';
  return n;
}

/* One pass over the structure block; nothing else may be done with an overlay before. */
static bool is_small(const void *overlay, GError **error) {
  uint64_t parts = 0;
  int offset, next = 0, depth = 0;
  const char *list = ""; /* the node below the root that it is in */

  for (uint32_t tag = FDT_NOP; tag != FDT_END;) {
    offset = next;
    tag = fdt_next_tag(overlay, offset, &next);
    depth += (tag == FDT_BEGIN_NODE) - (tag == FDT_END_NODE);
    parts += tag == FDT_BEGIN_NODE || tag == FDT_PROP;
    if (tag == FDT_BEGIN_NODE && depth == 2)
      list = name_of(overlay, offset);
    if (tag != FDT_PROP || depth < 2)
      continue;
    const struct fdt_property *property = fdt_get_property_by_offset(overlay, offset, NULL);
    parts += property ? count_references(list, property->data, fdt32_ld(&property->len)) : 0;
  }
  if (parts > PARTS_MAX)
    fail(error, REFUSED, "it has %" G_GUINT64_FORMAT " nodes, properties and references to labels: at most %d are possible", parts,
         PARTS_MAX);
  return parts <= PARTS_MAX;
}

static bool is_applicable(const void *tree, const void *overlay, GError **error) {
  if (!is_small(overlay, error) || !has_depth(overlay, error) || !has_fragments(overlay, error) || !has_labels(tree, overlay, error))
    return false;
  int local = fdt_path_offset(overlay, "/" LOCAL_FIXUPS);
  return local < 0 || has_own_references(overlay, local, 0, error);
}

/* Whether FRAGMENT's target is in TREE. */
static bool has_target(const void *tree, const void *overlay, int fragment, GError **error) {
  const char *path = string_of(overlay, fragment, "target-path");
  int size, node;
  const fdt32_t *phandle = fdt_getprop(overlay, fragment, "target", &size);

  if (phandle && size == sizeof *phandle)
    node = fdt_node_offset_by_phandle(tree, fdt32_ld(phandle));
  else if (path)
    node = fdt_path_offset(tree, path);
  else {
    fail(error, INVALID, "%s has no target: neither target nor target-path", name_of(overlay, fragment));
    return false;
  }
  if (node >= 0)
    return true;
  if (path)
    fail(error, TARGET, "%s: its target-path is %s, and the machine's tree has no such node", name_of(overlay, fragment), path);
  else
    fail(error, TARGET, "%s: the machine's tree has not the node that it is for", name_of(overlay, fragment));
  return false;
}

/*
 * libfdt has failed with RESULT, and has left TREE with the fragments in it up to the one that it failed at, which has
 * no target there, or some other fault.
 */
static void explain(void *tree, void *overlay, int result, GError **error) {
  int fragment;

  fdt_set_magic(tree, FDT_MAGIC);
  fdt_set_magic(overlay, FDT_MAGIC);
  fdt_for_each_subnode(fragment, overlay, 0) {
    if (fdt_subnode_offset(overlay, fragment, CONTENT) >= 0 && !has_target(tree, overlay, fragment, error))
      return;
  }
  fail(error, INVALID, "it cannot be applied to the machine's tree: %s", fdt_strerror(result));
}

/* What a loader writes is the loader's. */
static bool keeps_chosen(const void *before, const void *after, GError **error) {
  static const char *const kept[] = {"linux,initrd-start",      "linux,initrd-end",     "linux,uefi-system-table",
                                     "linux,uefi-mmap-start",   "linux,uefi-mmap-size", "linux,uefi-mmap-desc-size",
                                     "linux,uefi-mmap-desc-ver"};
  int old_node = fdt_path_offset(before, "/chosen"), new_node = fdt_path_offset(after, "/chosen");

  for (unsigned i = 0; i < G_N_ELEMENTS(kept); i++) {
    int old_size = -1, new_size = -1;
    const void *old = old_node < 0 ? NULL : fdt_getprop(before, old_node, kept[i], &old_size);
    const void *new = new_node < 0 ? NULL : fdt_getprop(after, new_node, kept[i], &new_size);
    if (!old == !new && (!old || (old_size == new_size && memcmp(old, new, (size_t)old_size) == 0)))
      continue;
    fail(error, REFUSED, "it changes /chosen/%s, which is what the machine's loader says", kept[i]);
    return false;
  }
  return true;
}

/* With ROOM bytes for the result. *AGAIN: they were too few. */
static GBytes *apply(GBytes *fdt, GBytes *overlay, gsize room, bool *again, GError **error) {
  g_autofree void *tree = copy_tree(fdt, room), *copy = copy_tree(overlay, 0);
  int result = tree ? fdt_overlay_apply(tree, copy) : -FDT_ERR_INTERNAL;

  *again = result == -FDT_ERR_NOSPACE && room < SIZE_MAX_TREE;
  if (*again)
    return NULL;
  if (result == -FDT_ERR_NOSPACE)
    fail(error, REFUSED, "with it the machine's tree would have more than 2 MiB");
  else if (result != 0 && tree)
    explain(tree, copy, result, error);
  else if (result != 0)
    fail(error, INVALID, "the machine's tree cannot be copied");
  if (result != 0)
    return NULL;
  if (fdt_pack(tree) != 0 || fdt_check_full(tree, fdt_totalsize(tree)) != 0) {
    fail(error, INVALID, "it makes a tree that is none");
    return NULL;
  }
  if (!keeps_chosen(g_bytes_get_data(fdt, NULL), tree, error))
    return NULL;
  return g_bytes_new(tree, fdt_totalsize(tree));
}

GBytes *fdt_overlay(GBytes *fdt, GBytes *overlay, GError **error) {
  const void *tree = g_bytes_get_data(fdt, NULL);
  gsize room = g_bytes_get_size(fdt) + 2 * g_bytes_get_size(overlay);
  GBytes *result = NULL;

  if (!is_sound(overlay, error))
    return NULL;
  g_autofree void *aligned = copy_tree(overlay, 0);
  if (!is_applicable(tree, aligned, error))
    return NULL;
  for (bool again = true; again; room *= 2)
    result = apply(fdt, overlay, MIN(room, SIZE_MAX_TREE), &again, error);
  return result;
}
