/* SPDX-License-Identifier: Apache-2.0 */
/* What stubs.sh and trampoline.S share with lazy.c. */
#pragma once

#include <stdint.h>

#define LAZY_NAME_SIZE    63 /* of a function, with its zero */
#define LAZY_LIBRARY_SIZE 32

/* Arrays of characters, not pointers: nothing to relocate. */
typedef struct {
  char name[LAZY_NAME_SIZE];
  uint8_t library;
} LazySymbol;

extern const LazySymbol lazy_symbols[];
extern const char lazy_libraries[][LAZY_LIBRARY_SIZE]; /* the last is "" */
extern void *lazy_slots[];                             /* NULL until the first call; read-only after relocation */

/* Loads the library whose name begins like that now: the first call may come when no file can be opened any more. */
void lazy_load(const char *name);
/* The function that stub NUMBER stands for. Ends the process, with a message, where it is not to be had. */
void *lazy_resolve(unsigned number);
