/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sectors of a disk have been written: marks, of which there are none at first. What is marked densely costs next
 * to nothing: at most a bit a sector where marked and unmarked sectors lie side by side, within 8 MiB, and 8 bytes for
 * each 8 MiB of the disk, in pages that are touched when the first of them is marked.
 *
 * Locks: one, inside. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct SectorMap SectorMap;

/* NULL: there is no memory for the map of so many. */
SectorMap *sector_map_new(uint64_t n_sectors);
void sector_map_free(SectorMap *map); /* takes NULL */

/* Marks N sectors from FIRST on; those beyond the map's end are so anyway. */
void sector_map_mark(SectorMap *map, uint64_t first, uint64_t n);
/* How many of the N (not 0) sectors from FIRST on are all *MARKED, or all not, until the first that is other. */
uint64_t sector_map_run(SectorMap *map, uint64_t first, uint64_t n, bool *marked);
/* Bytes that are kept beside the table of 8 bytes for each 8 MiB. */
size_t sector_map_memory(SectorMap *map);
