/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that a guest chooses, in words: why it left, its syndrome, a system register, a function that it calls. Each
 * has words that can be shown, and a register's name leads back to it.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/printable.h"
#include "vmm/arm/esr.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/arm/smccc-names.h"
#include "vmm/arm/sysreg.h"

static void assert_shown(char *take_text) {
  g_autofree char *text = take_text, *shown = text ? printable_line(text, -1) : NULL;

  g_assert_cmpstr(text, ==, shown);
}

static void read_syndrome(uint64_t esr) {
  assert_shown(esr_describe(esr));
  assert_shown(esr_iss_describe(esr));
  esr_class_name(ESR_EC(esr));
  esr_class_text(ESR_EC(esr));
  esr_fault_text((unsigned)esr);
}

static void read_register(uint32_t encoding, bool write) {
  g_autofree char *name = sysreg_name(encoding, write);

  assert_shown(sysreg_describe(encoding, write));
  g_assert_true(!name || sysreg_find(name) >= 0 || sysreg_find(name) == -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};

  while (input.left) {
    unsigned what = fuzz_below(&input, 256);
    uint64_t number = fuzz_number(&input, 8);
    read_syndrome(number);
    read_syndrome((uint64_t)(what & 63) << 26 | (number & 0xffffffff03ffffff)); /* each class, as often */
    read_register((uint32_t)number, what & 128);
    read_register((uint32_t)number & 0xffff, what & 128);
    read_register(sysreg_of_iss(number), what & 128);
    assert_shown(smccc_describe((uint32_t)number));
    smccc_result_name((uint32_t)number, (int8_t)what);
    assert_shown(exit_reason_describe(what & 64 ? number : what));
    exit_reason_name(what);
    system_event_name(what & 64 ? number : what & 15);
  }
  return 0;
}
