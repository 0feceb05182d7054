/* SPDX-License-Identifier: Apache-2.0 */
/* Symbols of guests' kernels: vmm/trace/symbols.c, symbols-load.c. The first bytes are addresses that are looked up. */
#include "tests/fuzz/fuzz.h"

#include "vmm/trace/symbols.h"

#define N 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  uint64_t pcs[N];
  g_autoptr(GError) error = NULL;
  FuzzFile file;

  for (unsigned i = 0; i < N; i++)
    pcs[i] = fuzz_number(&input, 8);
  fuzz_file_init(&file, input.at, input.left);
  g_autoptr(Symbols) symbols = symbols_load(file.path, &error);
  fuzz_file_clear(&file);
  g_assert_true(!symbols == !!error);
  if (!symbols)
    return 0;
  for (unsigned i = 0; i < N; i++)
    g_free(symbols_describe(symbols, pcs[i]));
  symbols_find_slide(symbols, pcs, N);
  for (unsigned i = 0; i < N; i++)
    g_free(symbols_describe(symbols, pcs[i]));
  return 0;
}
