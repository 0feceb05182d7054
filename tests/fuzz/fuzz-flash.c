/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest at its flash: commands of all kinds, and what they leave behind, with variables in a file and without one.
 * Each machine takes its time, as its flash is large.
 */
#define _GNU_SOURCE /* accept4 */
#include "tests/fuzz/board.h"

#define MOST 24

static const FuzzMachineKind kinds[] = {
    {"--dry-run --memory 64M --firmware @ --no-defaults --watchdog", GIC_V3, false},
    {"--dry-run --memory 64M --firmware @ --no-defaults --watchdog", GIC_V2, true},
    {"--dry-run --memory 64M --firmware @,vars=$ --no-defaults --watchdog", GIC_V3, true},
    {"--dry-run --memory 64M --firmware @,vars=$ --no-defaults --watchdog", GIC_V2, false},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const steps[])(Fixture *) = {access_flash, access_flash, access_flash, access_read,
                                             access_write, pass_time,    stand_still,  begin_anew};
  FuzzInput input = {data, size};
  const FuzzMachineKind *kind = &kinds[fuzz_below(&input, G_N_ELEMENTS(kinds))];
  Fixture f = {.input = &input};

  machine_init(&f.machine, kind);
  for (unsigned i = 0; i < MOST && input.left; i++)
    steps[fuzz_below(&input, G_N_ELEMENTS(steps))](&f);
  machine_clear(&f.machine);
  return 0;
}
