/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of chunks: of each, none of its sectors is marked (NULL), or all of them are (`full`), or it has bits.
 *
 * Locks: `lock` guards the table and all chunks. It is held for as long as a few words take to be looked at, or as many
 * chunks as a request is long.
 */
#include "devices/backend/sector-map.h"

#include <string.h>

#define WORD_BITS     64
#define CHUNK_SECTORS 16384 /* 8 MiB */
#define CHUNK_WORDS   (CHUNK_SECTORS / WORD_BITS)
#define CHUNKS_MAX    (UINT64_C(1) << 32) /* 32 PiB */

typedef struct {
  unsigned marked;
  uint64_t words[CHUNK_WORDS];
} Chunk;

struct SectorMap {
  GMutex lock;
  uint64_t n_sectors;
  size_t n_bits; /* chunks that have bits */
  Chunk **chunks;
};

static const Chunk full;

/* Bits FIRST to FIRST + N - 1 of a word, within it. */
static uint64_t mask(unsigned first, unsigned n) {
  return (n == WORD_BITS ? UINT64_MAX : (UINT64_C(1) << n) - 1) << first;
}

static void mark_bits(Chunk *chunk, unsigned first, unsigned n) {
  while (n) {
    uint64_t *word = &chunk->words[first / WORD_BITS];
    unsigned here = MIN(n, WORD_BITS - first % WORD_BITS);
    uint64_t added = mask(first % WORD_BITS, here) & ~*word;

    chunk->marked += (unsigned)__builtin_popcountll(added);
    *word |= added;
    first += here;
    n -= here;
  }
}

/* The first bit from FIRST on that is not as MARKED says; CHUNK_SECTORS: there is none. */
static unsigned find_other(const Chunk *chunk, unsigned first, bool marked) {
  unsigned i = first / WORD_BITS;
  uint64_t others = (marked ? ~chunk->words[i] : chunk->words[i]) & (UINT64_MAX << first % WORD_BITS);

  while (!others && ++i < CHUNK_WORDS)
    others = marked ? ~chunk->words[i] : chunk->words[i];
  return others ? i * WORD_BITS + (unsigned)__builtin_ctzll(others) : CHUNK_SECTORS;
}

/* The last chunk may have places beyond the end, which are marked. */
static Chunk *chunk_new(const SectorMap *map, uint64_t index) {
  Chunk *chunk = g_new0(Chunk, 1);
  uint64_t sectors = MIN(map->n_sectors - index * CHUNK_SECTORS, CHUNK_SECTORS);

  mark_bits(chunk, (unsigned)sectors, CHUNK_SECTORS - (unsigned)sectors);
  return chunk;
}

static void set_full(SectorMap *map, uint64_t index) {
  if (map->chunks[index]) {
    g_free(map->chunks[index]);
    map->n_bits--;
  }
  map->chunks[index] = (Chunk *)&full; /* never written: it is told by its address */
}

static void mark_in_chunk(SectorMap *map, uint64_t index, unsigned first, unsigned n) {
  if (map->chunks[index] == &full)
    return;
  if (!map->chunks[index] && n < CHUNK_SECTORS) {
    map->chunks[index] = chunk_new(map, index);
    map->n_bits++;
  }
  if (map->chunks[index])
    mark_bits(map->chunks[index], first, n);
  if (!map->chunks[index] || map->chunks[index]->marked == CHUNK_SECTORS)
    set_full(map, index);
}

void sector_map_mark(SectorMap *map, uint64_t first, uint64_t n) {
  uint64_t end = MIN(first + n, map->n_sectors);

  g_mutex_lock(&map->lock);
  while (first < end) {
    unsigned offset = (unsigned)(first % CHUNK_SECTORS);
    unsigned here = (unsigned)MIN(end - first, CHUNK_SECTORS - offset);

    mark_in_chunk(map, first / CHUNK_SECTORS, offset, here);
    first += here;
  }
  g_mutex_unlock(&map->lock);
}

/* From FIRST on in its chunk; the run may go on in the next. */
static uint64_t run_in_chunk(const SectorMap *map, uint64_t first, bool *marked) {
  const Chunk *chunk = map->chunks[first / CHUNK_SECTORS];
  unsigned offset = (unsigned)(first % CHUNK_SECTORS);
  bool has_bits = chunk && chunk != &full;

  *marked = has_bits ? chunk->words[offset / WORD_BITS] >> offset % WORD_BITS & 1 : chunk != NULL;
  return (has_bits ? find_other(chunk, offset, *marked) : CHUNK_SECTORS) - offset;
}

uint64_t sector_map_run(SectorMap *map, uint64_t first, uint64_t n, bool *marked) {
  uint64_t run = 0;
  bool here = true;

  *marked = true;
  g_mutex_lock(&map->lock);
  if (first < map->n_sectors)
    run = run_in_chunk(map, first, marked);
  while (run < n && (first + run) % CHUNK_SECTORS == 0 && first + run < map->n_sectors) {
    uint64_t more = run_in_chunk(map, first + run, &here);
    if (here != *marked)
      break;
    run += more;
  }
  g_mutex_unlock(&map->lock);
  if (*marked && first + run >= map->n_sectors)
    return n;
  return MIN(run, *marked ? n : MIN(n, map->n_sectors - first));
}

size_t sector_map_memory(SectorMap *map) {
  g_mutex_lock(&map->lock);
  size_t memory = map->n_bits * sizeof(Chunk);
  g_mutex_unlock(&map->lock);
  return memory;
}

SectorMap *sector_map_new(uint64_t n_sectors) {
  uint64_t n_chunks = n_sectors / CHUNK_SECTORS + (n_sectors % CHUNK_SECTORS != 0);
  Chunk **chunks = n_chunks <= CHUNKS_MAX ? g_try_new0(Chunk *, n_chunks) : NULL;

  if (!chunks)
    return NULL;
  SectorMap *map = g_new0(SectorMap, 1);
  map->n_sectors = n_sectors;
  map->chunks = chunks;
  g_mutex_init(&map->lock);
  return map;
}

void sector_map_free(SectorMap *map) {
  if (!map)
    return;
  for (uint64_t i = 0; i * CHUNK_SECTORS < map->n_sectors; i++)
    if (map->chunks[i] != &full)
      g_free(map->chunks[i]);
  g_free(map->chunks);
  g_mutex_clear(&map->lock);
  g_free(map);
}
