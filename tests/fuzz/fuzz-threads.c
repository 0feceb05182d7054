/* SPDX-License-Identifier: Apache-2.0 */
/* The same as fuzz-board.c with devices' threads as they are: slower, and never twice the same. */
#define _GNU_SOURCE /* accept4 */
#include "tests/fuzz/board-kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  board_run(board_kinds, G_N_ELEMENTS(board_kinds), data, size);
  return 0;
}
