/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the flattened device tree: Devicetree Specification v0.4, chapter 5. Bytes only, so that it also works before
 * the MMU is on, when unaligned accesses fault. It trusts the tree: the loader wrote it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A node: where its name is, an offset in the tree. FDT_NONE: there is none, and all its properties are missing. */
typedef uint32_t FdtNode;
#define FDT_NONE 0

bool fdt_is_valid(const void *fdt);
/* Nodes in the order of the tree, parents before children. FDT_NONE as argument: the root. */
FdtNode fdt_next(const void *fdt, FdtNode node);
const char *fdt_name(const void *fdt, FdtNode node);
/* NULL: no such property. */
const void *fdt_property(const void *fdt, FdtNode node, const char *name, uint32_t *size);
/* Cell INDEX of a property, FALLBACK where it does not reach. */
uint32_t fdt_cell(const void *fdt, FdtNode node, const char *name, unsigned index, uint32_t fallback);
/* NULL: no such property. */
const char *fdt_string(const void *fdt, FdtNode node, const char *name);
/*
 * Range INDEX of `reg`, two cells each for address and size, as QEMU's and eret's trees have them. False: no such
 * range.
 */
bool fdt_reg(const void *fdt, FdtNode node, unsigned index, uint64_t *base, uint64_t *size);

/* The first node ... FDT_NONE: there is none. */
FdtNode fdt_find_compatible(const void *fdt, const char *compatible); /* ... that lists it as compatible */
FdtNode fdt_find_name(const void *fdt, const char *name);             /* ... of that name, without the @address */
