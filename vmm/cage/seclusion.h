/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers around a whole process: what it can still reach, whatever its threads ask for. Each holds without the
 * others, as not every host offers all. docs/security.md.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
  SECLUSION_NAMESPACES,
  SECLUSION_ROOT,
  SECLUSION_LANDLOCK,
  SECLUSION_PRIVILEGES,
  SECLUSION_LAYERS,
} SeclusionLayer;

typedef struct {
  bool network;             /* a network of its own, which is empty */
  const char *const *paths; /* directories that it will use by their paths: absolute; ended by NULL, or NULL */
} SeclusionWish;

/* 0: it is in force; else errno, of why it is not. */
typedef struct {
  int missing[SECLUSION_LAYERS];
} Seclusion;

/*
 * For a process of one thread, once; all that it is to reach is open, or WISH names it (vmm/cage/places.h). Goes on
 * where a layer is not to be had.
 */
void seclusion_enter(const SeclusionWish *wish, Seclusion *seclusion);
/* In a word or two: "namespaces". */
const char *seclusion_layer_name(SeclusionLayer layer);
/* Names of those that are in force, or of those that are MISSING with the reasons; "" where there are none. */
char *seclusion_describe(const Seclusion *seclusion, bool missing);
/* What this host would give; nothing changes. */
void seclusion_probe(Seclusion *seclusion);
