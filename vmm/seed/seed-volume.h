/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volume that a seed's files lie on: a small FAT file system called CIDATA, by which cloud-init finds it. mtools(1)
 * make it, in memory; no file is left of it. No lock: main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define SEED_VOLUME_LABEL "CIDATA"

/* FILES: of SeedFile. NULL: mtools is not there, or cannot. */
GBytes *seed_volume_make(const GPtrArray *files, GError **error);

typedef enum { SEED_ERROR_TOOLS, SEED_ERROR_MAKE } SeedError;
#define SEED_ERROR (seed_error_quark())
GQuark seed_error_quark(void);

/* Whether mtools is there; the error names the package. */
bool seed_volume_can_make(GError **error);
