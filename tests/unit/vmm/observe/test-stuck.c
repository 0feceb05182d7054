/* SPDX-License-Identifier: Apache-2.0 */
/* Stuck in exception vectors, told from registers: vmm/observe/stuck.c. */
#include <glib.h>
#include <string.h>

#include "vmm/observe/stuck.h"

#define VBAR UINT64_C(0xffff800080010800)
#define EL1H 0x3c5
#define EL1T 0x3c4
#define IABT (UINT64_C(0x21) << 26 | 1 << 25 | 0x10)

static StuckRegisters at(uint64_t pc, uint64_t elr) {
  return (StuckRegisters){.pc = pc, .elr = elr, .pstate = EL1H, .vbar = VBAR, .esr = IABT, .far = pc};
}

static void test_loops(void) {
  static const uint64_t slots[] = {0x000, 0x200}; /* with SP_EL0, with SP_EL1 */

  for (unsigned i = 0; i < G_N_ELEMENTS(slots); i++) {
    StuckRegisters first = at(VBAR + slots[i], VBAR + slots[i]), later = at(VBAR + slots[i] + 4, VBAR + slots[i] + 0x10);
    g_assert_true(stuck_in_vectors(&first));
    g_assert_true(stuck_in_vectors(&later));
    first.pstate = EL1T;
    g_assert_true(stuck_in_vectors(&first));
    first.vbar |= 0x7ff; /* not of the address */
    g_assert_true(stuck_in_vectors(&first));
  }
  StuckRegisters zero = {.pstate = EL1H, .pc = 0x200, .elr = 0x200, .esr = IABT};
  g_assert_true(stuck_in_vectors(&zero));
}

/* What looks alike and is an exception on its way. */
static void test_others(void) {
  const StuckRegisters others[] = {
      at(VBAR + 0x200, VBAR - 0x1000),  /* from the kernel's code */
      at(VBAR + 0x280, VBAR + 0x280),   /* an interrupt */
      at(VBAR + 0x400, VBAR + 0x400),   /* from EL0: its address is one of EL0 */
      at(VBAR + 0x220, VBAR + 0x210),   /* it came further than where it was */
      at(VBAR + 0x200, VBAR + 0x280),   /* from another entry */
      at(VBAR + 0x1200, VBAR + 0x1200), /* behind the vectors */
      at(VBAR - 0x600, VBAR - 0x600),   /* before them */
      at(0xaaaa0000, VBAR + 0x200),     /* elsewhere */
  };
  StuckRegisters user = at(VBAR + 0x200, VBAR + 0x200), aarch32 = user, el2 = user;

  for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
    g_assert_false(stuck_in_vectors(&others[i]));
  user.pstate = 0;
  aarch32.pstate = 1 << 4 | 4;
  el2.pstate = 0x3c9;
  g_assert_false(stuck_in_vectors(&user));
  g_assert_false(stuck_in_vectors(&aarch32));
  g_assert_false(stuck_in_vectors(&el2));
}

static void test_words(void) {
  StuckRegisters registers = at(VBAR + 0x200, VBAR + 0x200);
  g_autofree char *nowhere = stuck_describe(3, &registers, false), *somewhere = stuck_describe(0, &registers, true);

  g_assert_true(
      g_str_has_prefix(nowhere, "vCPU 3 faults for ever at 0xffff800080010a00, in its own exception vectors, where no memory is: "));
  g_assert_nonnull(strstr(nowhere, "FAR_EL1 0xffff800080010a00"));
  g_assert_true(g_str_has_prefix(somewhere, "vCPU 0 faults for ever at 0xffff800080010a00, in its own exception vectors: "));
  g_assert_null(strchr(nowhere, '\n'));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/stuck/loops", test_loops);
  g_test_add_func("/stuck/others", test_others);
  g_test_add_func("/stuck/words", test_words);
  return g_test_run();
}
