/* SPDX-License-Identifier: Apache-2.0 */
/* Marks of sectors: devices/backend/sector-map.c. */
#include "devices/backend/sector-map.h"

#include <string.h>

#define CHUNK 16384 /* sectors that are kept together: runs must not show it */

/* Every sector, as the map tells of it by runs of at most MOST. */
static void assert_like(SectorMap *map, const uint8_t *model, uint64_t n, uint64_t most) {
  for (uint64_t at = 0; at < n;) {
    bool marked;
    uint64_t left = MIN(most, n - at), run = sector_map_run(map, at, left, &marked);

    g_assert_cmpuint(run, >, 0);
    g_assert_cmpuint(run, <=, left);
    for (uint64_t i = 0; i < run; i++)
      g_assert_cmpuint(model[at + i], ==, marked);
    if (run < left)
      g_assert_cmpuint(model[at + run], !=, marked); /* no shorter than it is */
    at += run;
  }
}

static void test_random(gconstpointer data) {
  const uint64_t n = GPOINTER_TO_UINT(data);
  g_autofree uint8_t *model = g_malloc0(n);
  SectorMap *map = sector_map_new(n);

  for (unsigned i = 0; i < 300; i++) {
    uint64_t first = (uint64_t)g_test_rand_int_range(0, (int)n);
    uint64_t most = i % 10 == 9 ? n : i % 3 ? 100 : 1; /* here and there a long one */
    uint64_t size = (uint64_t)g_test_rand_int_range(1, (int)most + 1);

    size = MIN(size, n - first);
    sector_map_mark(map, first, size);
    memset(model + first, 1, size);
    if (i % 20 == 0)
      assert_like(map, model, n, i % 40 ? n : 1 + (uint64_t)g_test_rand_int_range(0, 1000));
    if (i % 100 == 50) { /* once more from the start */
      sector_map_free(map);
      map = sector_map_new(n);
      memset(model, 0, n);
    }
  }
  assert_like(map, model, n, n);
  sector_map_free(map);
}

/* What lies beyond the map counts as marked. */
static void test_end(void) {
  SectorMap *map = sector_map_new(CHUNK + 10);
  bool marked;

  g_assert_cmpuint(sector_map_run(map, CHUNK + 10, 7, &marked), ==, 7);
  g_assert_true(marked);
  g_assert_cmpuint(sector_map_run(map, 3 * CHUNK, 7, &marked), ==, 7);
  g_assert_true(marked);
  g_assert_cmpuint(sector_map_run(map, 5, 10 * CHUNK, &marked), ==, CHUNK + 5);
  g_assert_false(marked);
  sector_map_mark(map, CHUNK + 9, 100);
  sector_map_mark(map, 5 * CHUNK, 100);
  g_assert_cmpuint(sector_map_run(map, CHUNK + 5, 10, &marked), ==, 4);
  g_assert_false(marked);
  g_assert_cmpuint(sector_map_run(map, CHUNK + 9, 10 * CHUNK, &marked), ==, 10 * CHUNK);
  g_assert_true(marked);
  sector_map_mark(map, 0, UINT32_MAX);
  g_assert_cmpuint(sector_map_run(map, 0, 10 * CHUNK, &marked), ==, 10 * CHUNK);
  g_assert_true(marked);
  sector_map_free(map);
}

/* A disk of 1 TiB: what its map takes, as it is marked. */
static void test_memory(void) {
  const uint64_t n = UINT64_C(1) << 31;
  SectorMap *map = sector_map_new(n);
  bool marked;

  g_assert_cmpuint(sector_map_memory(map), ==, 0);
  sector_map_mark(map, 5 * CHUNK + 1, 8);
  g_assert_cmpuint(sector_map_memory(map), >, 0);
  g_assert_cmpuint(sector_map_memory(map), <, 4096);
  sector_map_mark(map, 5 * CHUNK, CHUNK / 2);
  for (unsigned i = 0; i < CHUNK / 2; i += 8)
    sector_map_mark(map, 5 * CHUNK + CHUNK / 2 + i, 8);
  g_assert_cmpuint(sector_map_memory(map), ==, 0); /* written from end to end */
  for (unsigned i = 0; i < 1000; i++)
    sector_map_mark(map, (uint64_t)i * 10 * CHUNK + 77, 8);
  g_assert_cmpuint(sector_map_memory(map), <, 1000 * 4096);
  sector_map_mark(map, 0, n); /* discarded from end to end */
  g_assert_cmpuint(sector_map_memory(map), ==, 0);
  g_assert_cmpuint(sector_map_run(map, 0, n, &marked), ==, n);
  g_assert_true(marked);
  sector_map_free(map);
  sector_map_free(NULL);
  g_assert_null(sector_map_new(UINT64_MAX)); /* not even the table */
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_data_func("/sector-map/random/one", GUINT_TO_POINTER(1), test_random);
  g_test_add_data_func("/sector-map/random/less-than-a-word", GUINT_TO_POINTER(63), test_random);
  g_test_add_data_func("/sector-map/random/a-chunk", GUINT_TO_POINTER(CHUNK), test_random);
  g_test_add_data_func("/sector-map/random/chunks", GUINT_TO_POINTER(4 * CHUNK), test_random);
  g_test_add_data_func("/sector-map/random/chunks-and-a-part", GUINT_TO_POINTER(3 * CHUNK + 1001), test_random);
  g_test_add_func("/sector-map/end", test_end);
  g_test_add_func("/sector-map/memory", test_memory);
  return g_test_run();
}
