/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a flattened device tree (Devicetree Specification v0.4, chapter 5) from front to back, on top of libfdt's
 * sequential interface. The first error is kept and every later call does nothing, so that a caller writes its nodes
 * without checking each property and asks once, in fdt_writer_finish().
 *
 * The whole tree uses two cells for addresses and two for sizes, and the interrupt specifiers of the GIC (three cells:
 * type, number, flags).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct FdtWriter FdtWriter;

/* Nodes that others point at have a fixed phandle, so that a node can be written before the one it refers to. */
typedef enum {
  FDT_PHANDLE_NONE = 0,
  FDT_PHANDLE_GIC,
  FDT_PHANDLE_MSI,       /* the GICv3 ITS or the GICv2m frame */
  FDT_PHANDLE_APB_CLOCK, /* the fixed clock of the PrimeCell devices */
  FDT_PHANDLE_GPIO,      /* PL061 */
  FDT_PHANDLE_CACHE,     /* level n is FDT_PHANDLE_CACHE + n; levels 2 to 7 */
  FDT_PHANDLE_CACHE_LAST = FDT_PHANDLE_CACHE + 7,
  FDT_PHANDLE_CPU0, /* vCPU n is FDT_PHANDLE_CPU0 + n; must stay last */
} FdtPhandle;

/* Interrupt types and trigger flags of the GIC binding (Linux: bindings/interrupt-controller/arm,gic-v3.yaml). */
typedef enum { FDT_IRQ_SPI = 0, FDT_IRQ_PPI = 1 } FdtIrqType;
typedef enum { FDT_IRQ_EDGE_RISING = 1, FDT_IRQ_LEVEL_HIGH = 4, FDT_IRQ_LEVEL_LOW = 8 } FdtIrqTrigger;

FdtWriter *fdt_writer_new(void);
void fdt_writer_free(FdtWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FdtWriter, fdt_writer_free)

/*
 * Has the tree say, in /__symbols__, which nodes others may point at: by the label of each FdtPhandle ("gic", "cpu0").
 * Overlays refer to these. To be called before the first node.
 */
void fdt_writer_keep_symbols(FdtWriter *writer);

/*
 * Opens a node named NAME, or NAME@ADDRESS (hexadecimal); fdt_writer_end closes the innermost. The root is open
 * already.
 */
void fdt_writer_begin(FdtWriter *writer, const char *name);
void fdt_writer_begin_at(FdtWriter *writer, const char *name, uint64_t address);
void fdt_writer_end(FdtWriter *writer);

void fdt_writer_flag(FdtWriter *writer, const char *property); /* present, with no value */
void fdt_writer_u32(FdtWriter *writer, const char *property, uint32_t value);
void fdt_writer_u64(FdtWriter *writer, const char *property, uint64_t value);
void fdt_writer_string(FdtWriter *writer, const char *property, const char *value);
void fdt_writer_strings(FdtWriter *writer, const char *property, const char *const *values, unsigned n_values);
void fdt_writer_cells(FdtWriter *writer, const char *property, const uint32_t *cells, unsigned n_cells);
void fdt_writer_bytes(FdtWriter *writer, const char *property, const void *bytes, size_t size);
/* "reg" with one (address, size) pair. */
void fdt_writer_reg(FdtWriter *writer, uint64_t address, uint64_t size);
void fdt_writer_phandle(FdtWriter *writer, FdtPhandle phandle);
/* "interrupts" with one specifier. NUMBER is the SPI or PPI number: INTID - 32 or INTID - 16. */
void fdt_writer_interrupt(FdtWriter *writer, FdtIrqType type, uint32_t number, FdtIrqTrigger trigger);

/*
 * Closes the root and returns the finished blob (its totalsize is its length), or NULL with the first error that any
 * call met. The writer can only be freed afterwards.
 */
GBytes *fdt_writer_finish(FdtWriter *writer, GError **error);
