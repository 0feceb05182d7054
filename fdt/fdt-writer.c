/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device-tree writer on libfdt's sequential-write functions (fdt_create .. fdt_finish), which need a buffer of
 * known size: a call that meets FDT_ERR_NOSPACE gets a buffer twice as big and another try. The first error stays, with
 * the node and property it struck. No lock: one thread.
 */
#include "fdt/fdt-writer.h"

#include <libfdt.h>
#include <string.h>

#define INITIAL_SIZE 0x4000
#define MAX_SIZE     0x1000000 /* far beyond any tree that fits the boot protocol's 2 MiB */

struct FdtWriter {
  char *buffer;
  int size;
  GString *path;      /* of the open node */
  GPtrArray *symbols; /* label, path, label, path ... of nodes with a phandle; NULL: they are not kept */
  char *error;        /* NULL: none yet */
};

typedef enum { FDT_WRITER_ERROR_LIBFDT } FdtWriterError;
#define FDT_WRITER_ERROR (fdt_writer_error_quark())
static G_DEFINE_QUARK(eret_fdt_writer_error, fdt_writer_error)

    static void keep_error(FdtWriter *writer, int result, const char *property) {
  if (!writer->error)
    writer->error = g_strdup_printf("device tree, node %s%s%s: %s", writer->path->len ? writer->path->str : "/",
                                    property ? ", property " : "", property ? property : "", fdt_strerror(result));
}

/* Whether the step whose RESULT this is has to be tried again. */
static bool again(FdtWriter *writer, int result, const char *property) {
  if (result == 0)
    return false;
  if (result == -FDT_ERR_NOSPACE && writer->size < MAX_SIZE) {
    char *buffer = g_malloc((gsize)writer->size * 2);
    result = fdt_resize(writer->buffer, buffer, writer->size * 2);
    if (result == 0) {
      g_free(writer->buffer);
      writer->buffer = buffer;
      writer->size *= 2;
      return true;
    }
    g_free(buffer);
  }
  keep_error(writer, result, property);
  return false;
}

FdtWriter *fdt_writer_new(void) {
  FdtWriter *writer = g_new0(FdtWriter, 1);
  int result;

  writer->size = INITIAL_SIZE;
  writer->buffer = g_malloc((gsize)writer->size);
  writer->path = g_string_new(NULL);
  /* To look each property's name up among all others takes longer than everything else together. */
  result = fdt_create_with_flags(writer->buffer, writer->size, FDT_CREATE_FLAG_NO_NAME_DEDUP);
  if (result == 0)
    result = fdt_finish_reservemap(writer->buffer);
  if (result == 0)
    result = fdt_begin_node(writer->buffer, "");
  if (result != 0)
    keep_error(writer, result, NULL);
  return writer;
}

void fdt_writer_free(FdtWriter *writer) {
  if (!writer)
    return;
  g_free(writer->buffer);
  g_string_free(writer->path, TRUE);
  g_clear_pointer(&writer->symbols, g_ptr_array_unref);
  g_free(writer->error);
  g_free(writer);
}

void fdt_writer_begin(FdtWriter *writer, const char *name) {
  if (writer->error)
    return;
  g_string_append_printf(writer->path, "/%s", name);
  while (again(writer, fdt_begin_node(writer->buffer, name), NULL))
    ;
}

void fdt_writer_begin_at(FdtWriter *writer, const char *name, uint64_t address) {
  g_autofree char *full = g_strdup_printf("%s@%" G_GINT64_MODIFIER "x", name, address);
  fdt_writer_begin(writer, full);
}

void fdt_writer_end(FdtWriter *writer) {
  const char *slash = strrchr(writer->path->str, '/');

  if (writer->error)
    return;
  if (!slash) {
    keep_error(writer, -FDT_ERR_BADSTATE, NULL);
    return;
  }
  while (again(writer, fdt_end_node(writer->buffer), NULL))
    ;
  if (!writer->error)
    g_string_truncate(writer->path, (gsize)(slash - writer->path->str));
}

void fdt_writer_bytes(FdtWriter *writer, const char *property, const void *bytes, size_t size) {
  if (writer->error)
    return;
  if (size > MAX_SIZE) {
    keep_error(writer, -FDT_ERR_NOSPACE, property);
    return;
  }
  while (again(writer, fdt_property(writer->buffer, property, bytes, (int)size), property))
    ;
}

void fdt_writer_flag(FdtWriter *writer, const char *property) {
  fdt_writer_bytes(writer, property, NULL, 0);
}

void fdt_writer_u32(FdtWriter *writer, const char *property, uint32_t value) {
  fdt_writer_cells(writer, property, &value, 1);
}

void fdt_writer_u64(FdtWriter *writer, const char *property, uint64_t value) {
  uint64_t big_endian = GUINT64_TO_BE(value);
  fdt_writer_bytes(writer, property, &big_endian, sizeof big_endian);
}

void fdt_writer_string(FdtWriter *writer, const char *property, const char *value) {
  fdt_writer_bytes(writer, property, value, strlen(value) + 1);
}

void fdt_writer_strings(FdtWriter *writer, const char *property, const char *const *values, unsigned n_values) {
  g_autoptr(GString) list = g_string_new(NULL);

  for (unsigned i = 0; i < n_values; i++)
    g_string_append_len(list, values[i], (gssize)strlen(values[i]) + 1);
  fdt_writer_bytes(writer, property, list->str, list->len);
}

void fdt_writer_cells(FdtWriter *writer, const char *property, const uint32_t *cells, unsigned n_cells) {
  g_autofree uint32_t *big_endian = g_new(uint32_t, n_cells);

  for (unsigned i = 0; i < n_cells; i++)
    big_endian[i] = GUINT32_TO_BE(cells[i]);
  fdt_writer_bytes(writer, property, big_endian, n_cells * sizeof *big_endian);
}

void fdt_writer_reg(FdtWriter *writer, uint64_t address, uint64_t size) {
  uint32_t cells[] = {(uint32_t)(address >> 32), (uint32_t)address, (uint32_t)(size >> 32), (uint32_t)size};
  fdt_writer_cells(writer, "reg", cells, G_N_ELEMENTS(cells));
}

void fdt_writer_keep_symbols(FdtWriter *writer) {
  writer->symbols = g_ptr_array_new_with_free_func(g_free);
}

static char *label_of(FdtPhandle phandle) {
  static const char *const labels[] = {
      [FDT_PHANDLE_GIC] = "gic", [FDT_PHANDLE_MSI] = "msi", [FDT_PHANDLE_APB_CLOCK] = "apb_pclk", [FDT_PHANDLE_GPIO] = "gpio0"};

  if (phandle >= FDT_PHANDLE_CPU0)
    return g_strdup_printf("cpu%u", (unsigned)(phandle - FDT_PHANDLE_CPU0));
  if (phandle > FDT_PHANDLE_CACHE)
    return g_strdup_printf("l%u_cache", (unsigned)(phandle - FDT_PHANDLE_CACHE));
  return g_strdup(labels[phandle]);
}

void fdt_writer_phandle(FdtWriter *writer, FdtPhandle phandle) {
  fdt_writer_u32(writer, "phandle", phandle);
  if (!writer->symbols)
    return;
  g_ptr_array_add(writer->symbols, label_of(phandle));
  g_ptr_array_add(writer->symbols, g_strdup(writer->path->str));
}

static void write_symbols(FdtWriter *writer) {
  fdt_writer_begin(writer, "__symbols__");
  for (unsigned i = 0; i < writer->symbols->len; i += 2)
    fdt_writer_string(writer, writer->symbols->pdata[i], writer->symbols->pdata[i + 1]);
  fdt_writer_end(writer);
}

void fdt_writer_interrupt(FdtWriter *writer, FdtIrqType type, uint32_t number, FdtIrqTrigger trigger) {
  uint32_t cells[] = {type, number, trigger};
  fdt_writer_cells(writer, "interrupts", cells, G_N_ELEMENTS(cells));
}

GBytes *fdt_writer_finish(FdtWriter *writer, GError **error) {
  if (!writer->error && writer->path->len)
    keep_error(writer, -FDT_ERR_BADSTATE, NULL); /* a node was left open */
  if (writer->symbols)
    write_symbols(writer);
  while (!writer->error && again(writer, fdt_end_node(writer->buffer), NULL))
    ;
  while (!writer->error && again(writer, fdt_finish(writer->buffer), NULL))
    ;
  if (writer->error) {
    g_set_error_literal(error, FDT_WRITER_ERROR, FDT_WRITER_ERROR_LIBFDT, writer->error);
    return NULL;
  }
  gsize size = fdt_totalsize(writer->buffer);
  return g_bytes_new_take(g_steal_pointer(&writer->buffer), size);
}
