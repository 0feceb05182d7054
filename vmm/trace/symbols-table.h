/* SPDX-License-Identifier: Apache-2.0 */
/* What symbols.c and the readers of symbol files (symbols-load.c) share. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/trace/symbols.h"

typedef struct {
  uint64_t address; /* as linked */
  uint64_t size;    /* 0: not known; it goes on to the next one */
  const char *name; /* NULL: something that is no code begins here */
  unsigned rank;    /* of two names of one address the one with the lower rank is used */
} Symbol;

struct Symbols {
  GArray *table; /* of Symbol; sealed: sorted, addresses unique */
  GStringChunk *names;
  int64_t slide;
};

/* How much a name is worth; what is added. */
#define SYMBOL_RANK_UNTYPED  0x1000u /* a label, not known to be a function */
#define SYMBOL_RANK_WEAK     0x0800u
#define SYMBOL_RANK_BOUNDARY 0xffffu

Symbols *symbols_new(void);
/* NAME has LENGTH bytes. Names that are not for people (mapping symbols, local labels) are dropped. */
void symbols_add(Symbols *symbols, uint64_t address, uint64_t size, const char *name, size_t length, unsigned rank);
/* Code that is before ADDRESS does not go on there. */
void symbols_add_boundary(Symbols *symbols, uint64_t address);
/* Everything is added. False: there is no name. */
bool symbols_seal(Symbols *symbols);
