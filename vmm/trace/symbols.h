/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of guest code, from System.map or an ELF file with a symbol table (vmlinux). A kernel with KASLR runs
 * elsewhere than it was linked: the slide is found from addresses whose symbol is known.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Symbols Symbols;

typedef enum { SYMBOLS_ERROR_FORMAT, SYMBOLS_ERROR_IO } SymbolsError;
#define SYMBOLS_ERROR (symbols_error_quark())
GQuark symbols_error_quark(void);

/*
 * PATH: System.map (lines "address type name"), /proc/kallsyms's form alike, or ELF64 AArch64. What cannot be used is
 * an error that says why.
 */
Symbols *symbols_load(const char *path, GError **error);
void symbols_free(Symbols *symbols); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Symbols, symbols_free)

/*
 * Finds the slide: PCS are N addresses of HVC instructions as KVM reports them (4 behind the instruction), most of
 * which lie in __arm_smccc_hvc or another function of the kernel whose name contains "smccc". Slides are multiples of 4
 * KiB. False, and slide 0, when no slide fits. Code that has no such function is not Linux: it runs where it was linked
 * if all PCS are in its functions.
 */
bool symbols_find_slide(Symbols *symbols, const uint64_t *pcs, unsigned n);

/* "el1h_64_irq+0x1c", "el1h_64_irq"; NULL outside of all symbols. SYMBOLS may be NULL: NULL. Free with g_free. */
char *symbols_describe(const Symbols *symbols, uint64_t address);
