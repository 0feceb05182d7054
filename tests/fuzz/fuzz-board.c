/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that does anything, on machines of some kinds: board.h. Devices run without threads, so that each input runs
 * the same way each time: io-here.c.
 */
#define _GNU_SOURCE /* accept4 */
#include "tests/fuzz/board-kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  board_run(board_kinds, G_N_ELEMENTS(board_kinds), data, size);
  return 0;
}
