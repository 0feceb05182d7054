/* SPDX-License-Identifier: Apache-2.0 */
/* vmm/boot/copy.c: whatever the size, it is a copy, and nothing beside it is touched. */
#include "vmm/boot/copy.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>

#define MARGIN 16

static void test_copy(void) {
  static const size_t sizes[] = {1, 4096, (2 << 20) - 1, 2 << 20, (2 << 20) + 1, (4 << 20) + 5, (9 << 20) + 4095, 16 << 20};

  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_autofree uint8_t *from = g_malloc(sizes[i]);
    g_autofree uint8_t *to = g_malloc(sizes[i] + 2 * MARGIN);
    for (size_t at = 0; at < sizes[i]; at++)
      from[at] = (uint8_t)(at * 2654435761u >> 13);
    memset(to, 0xee, sizes[i] + 2 * MARGIN);
    copy_end(copy_begin(to + MARGIN, from, sizes[i]));
    g_assert_cmpint(memcmp(to + MARGIN, from, sizes[i]), ==, 0);
    for (unsigned at = 0; at < MARGIN; at++)
      g_assert_true(to[at] == 0xee && to[MARGIN + sizes[i] + at] == 0xee);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/boot/copy", test_copy);
  return g_test_run();
}
