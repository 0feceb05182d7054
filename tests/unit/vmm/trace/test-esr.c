/* Exception syndromes decoded: vmm/trace/esr.c. */
#include <glib.h>

#include "vmm/trace/esr.h"

static void test_classes(void) {
  g_assert_cmpstr(esr_class_name(0x16), ==, "HVC64");
  g_assert_cmpstr(esr_class_name(0x17), ==, "SMC64");
  g_assert_cmpstr(esr_class_name(0x18), ==, "SYS64");
  g_assert_cmpstr(esr_class_name(0x24), ==, "DABT_LOW");
  g_assert_cmpstr(esr_class_name(0x01), ==, "WFx");
  g_assert_cmpstr(esr_class_name(0x02), ==, "RESERVED");
  g_assert_cmpstr(esr_class_name(64), ==, "RESERVED");
  for (unsigned ec = 0; ec < 70; ec++) {
    g_assert_nonnull(esr_class_name(ec));
    g_assert_nonnull(esr_class_text(ec));
  }
}

static void test_faults(void) {
  g_assert_cmpstr(esr_fault_text(0x04), ==, "translation fault, level 0");
  g_assert_cmpstr(esr_fault_text(0x0f), ==, "permission fault, level 3");
  g_assert_cmpstr(esr_fault_text(0x21), ==, "alignment fault");
  for (unsigned fault = 0; fault < 70; fault++)
    g_assert_nonnull(esr_fault_text(fault));
}

static const struct {
  uint64_t esr;
  const char *text;
} lines[] = {
    /* HVC #0 */
    {0x5a000000, "0x5a000000: HVC from AArch64 (EC 0x16 HVC64): #0"},
    {0x5e000007, "0x5e000007: SMC from AArch64 (EC 0x17 SMC64): #7"},
    /* STR w3 to MMIO: ISV, SAS 2, SRT 3, WnR, translation fault level 3 */
    {0x93830047,
     "0x93830047: data abort from a lower exception level (EC 0x24 DABT_LOW): write of 4 bytes, register x3, translation fault, level 3"},
    {0x93c50007,
     "0x93c50007: data abort from a lower exception level (EC 0x24 DABT_LOW): read of 8 bytes, register x5, translation fault, level 3"},
    /* STP: no valid syndrome */
    {0x92000046,
     "0x92000046: data abort from a lower exception level (EC 0x24 DABT_LOW): write, translation fault, level 2, no valid syndrome"},
    {0x86000005, "0x86000005: instruction abort, same exception level (EC 0x21 IABT_CUR): translation fault, level 1"},
    {0x00000000, "0x00000000: unknown reason (EC 0x00 UNKNOWN)"},
};

static void test_describe(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
    g_autofree char *text = esr_describe(lines[i].esr);
    g_assert_cmpstr(text, ==, lines[i].text);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/esr/classes", test_classes);
  g_test_add_func("/esr/faults", test_faults);
  g_test_add_func("/esr/describe", test_describe);
  return g_test_run();
}
