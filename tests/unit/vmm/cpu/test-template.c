/* SPDX-License-Identifier: Apache-2.0 */
/* CPU templates: reading with every mistake, writing, differences, what is common, and what a host refuses. */
#include <glib.h>
#include <string.h>

#include "vmm/cpu/template.h"

static CpuTemplate *parse(const char *text) {
  g_autoptr(GError) error = NULL;
  CpuTemplate *template = cpu_template_parse("dir/t.json", text, strlen(text), &error);
  g_assert_no_error(error);
  g_assert_nonnull(template);
  return template;
}

static void refuse(const char *text, const char *wanted) {
  g_autoptr(GError) error = NULL;
  g_assert_null(cpu_template_parse("t.json", text, strlen(text), &error));
  g_assert_error(error, CPU_ERROR, CPU_ERROR_TEMPLATE);
  g_assert_cmpstr(error->message, ==, wanted);
}

static void test_read(void) {
  g_autoptr(CpuTemplate) template =
      parse("{\"name\": \"old\", \"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0, \"RNDR\": 1}, \"id_aa64pfr0\": {\"fp\": 15}}}");
  g_assert_cmpstr(template->name, ==, "old");
  g_assert_cmpint(cpu_template_get(template, "ID_AA64ISAR0_EL1", "Atomic"), ==, 0);
  g_assert_cmpint(cpu_template_get(template, "ID_AA64ISAR0_EL1", "RNDR"), ==, 1);
  g_assert_cmpint(cpu_template_get(template, "ID_AA64PFR0_EL1", "FP"), ==, 15);
  g_assert_cmpint(cpu_template_get(template, "ID_AA64PFR0_EL1", "SVE"), ==, CPU_TEMPLATE_ABSENT);
  g_autoptr(CpuTemplate) nameless = parse("{\"registers\": {}}");
  g_assert_cmpstr(nameless->name, ==, "t.json");
}

static void test_mistakes(void) {
  refuse("{\"nam\": 1, \"name\": 2, \"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomics\": 0, \"RNDR\": 16, \"TS\": -1, \"TLB\": \"1\", "
         "\"DP\": 1.5},"
         "\"ID_AA64ISAR9_EL1\": {}, \"MIDR\": {}, \"ID_AA64PFR0_EL1\": 3}}",
         "t.json: unknown key 'nam' (known: name, registers)\n"
         "t.json: name: wants a string\n"
         "t.json: ID_AA64ISAR0_EL1 has no field Atomics; did you mean Atomic?\n"
         "t.json: ID_AA64ISAR0_EL1.RNDR: wants a whole number from 0 to 15, not 16\n"
         "t.json: ID_AA64ISAR0_EL1.TS: wants a whole number from 0 to 15, not -1\n"
         "t.json: ID_AA64ISAR0_EL1.TLB: wants a whole number from 0 to 15\n"
         "t.json: ID_AA64ISAR0_EL1.DP: wants a whole number from 0 to 15\n"
         "t.json: ID_AA64ISAR9_EL1 is no register of templates; did you mean ID_AA64ISAR0_EL1?\n"
         "t.json: MIDR is no register of templates\n"
         "t.json: ID_AA64PFR0_EL1: wants an object of fields: {\"FIELD\": NUMBER}");
  refuse("[]", "t.json: this is no CPU template: {\"name\": \"TEXT\", \"registers\": {...}}; 'eret cpu dump' writes one");
  refuse("{}", "t.json: this is no CPU template: {\"name\": \"TEXT\", \"registers\": {...}}; 'eret cpu dump' writes one");
  refuse("", "t.json: this is no CPU template: {\"name\": \"TEXT\", \"registers\": {...}}; 'eret cpu dump' writes one");
  refuse("{\"registers\": [[[[[[[[]]]]]]]]}",
         "t.json:1:22: registers[0][0][0][0][0][0][0]: nested too deeply for a CPU template: 8 levels are possible");
  refuse("{\"registers\": {\"ID_AA64ISAR0_EL1\": {\"TS\": 0,\n\"TS\": 1}}}",
         "t.json:2:1: registers.ID_AA64ISAR0_EL1.TS: given twice, first in line 1");
  refuse("{\"registers\": {}} {}", "t.json:1:19: the document ends here, and '{' follows");
  refuse("{\"registers\": {}, // all of them\n}", "t.json:1:19: comments and single quotes are not part of JSON");
  refuse("{\"registers\": {\"ID_AA64ISAR0_EL1\": {\"TS\": 0x1}}}",
         "t.json:1:43: registers.ID_AA64ISAR0_EL1.TS: '0x1' is no number of JSON");
  refuse("{\"registers\": []}", "t.json: registers: wants an object of registers: {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0}}");
  g_autoptr(GError) error = NULL;
  g_assert_null(cpu_template_load("/dev/zero", &error));
  g_assert_cmpstr(error->message, ==, "cannot read '/dev/zero': larger than 1 MiB: this is no CPU template");
}

static void test_print(void) {
  g_autoptr(CpuTemplate) template = cpu_template_new("a \"b\"");
  for (unsigned i = 0; i < ID_FIELDS; i += 3)
    template->fields[i] = (i % 16);
  g_autofree char *text = cpu_template_print(template);
  g_assert_true(g_str_has_suffix(text, "}\n"));
  g_autoptr(CpuTemplate) again = parse(text);
  g_assert_cmpstr(again->name, ==, template->name);
  g_assert_cmpmem(again->fields, sizeof again->fields, template->fields, sizeof template->fields);
}

static void test_diff(void) {
  g_autoptr(CpuTemplate) a = parse("{\"name\": \"a\", \"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 2, \"RNDR\": 1, \"DP\": 1}, "
                                   "\"ID_AA64PFR0_EL1\": {\"FP\": 15}}}");
  g_autoptr(CpuTemplate) b =
      parse("{\"name\": \"b\", \"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0, \"RNDR\": 1}, \"ID_AA64PFR0_EL1\": {\"FP\": 1}}}");
  g_autofree char *difference = cpu_template_diff(a, b), *none = cpu_template_diff(a, a);
  g_assert_cmpstr(difference, ==,
                  "ID_AA64PFR0_EL1.FP                15   1\n"
                  "ID_AA64ISAR0_EL1.Atomic            2   0\n"
                  "ID_AA64ISAR0_EL1.DP                1   -\n");
  g_assert_cmpstr(none, ==, "");
  g_autoptr(CpuTemplate) common = cpu_template_common(a, b);
  g_assert_cmpstr(common->name, ==, "common to a and b");
  g_assert_cmpint(cpu_template_get(common, "ID_AA64PFR0_EL1", "FP"), ==, 15);
  g_assert_cmpint(cpu_template_get(common, "ID_AA64ISAR0_EL1", "Atomic"), ==, 0);
  g_assert_cmpint(cpu_template_get(common, "ID_AA64ISAR0_EL1", "RNDR"), ==, 1);
  g_assert_cmpint(cpu_template_get(common, "ID_AA64ISAR0_EL1", "DP"), ==, CPU_TEMPLATE_ABSENT);
}

static void set(CpuRegister *registers, const char *reg, uint64_t value, uint64_t writable) {
  for (unsigned i = 0; i < ID_FIELDS; i++)
    if (!strcmp(id_fields[i].reg, reg))
      registers[i] = (CpuRegister){true, value, writable};
}

static void test_refused(void) {
  CpuRegister registers[ID_FIELDS] = {0};
  set(registers, "ID_AA64ISAR0_EL1", 0x1000000000200000, UINT64_MAX); /* RNDR 1, Atomic 2 */
  set(registers, "ID_AA64PFR0_EL1", 0x100010000, 0xf0000);            /* SVE 1, FP 1; FP can be written */
  g_autoptr(CpuTemplate) fine =
      parse("{\"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0, \"RNDR\": 1, \"TS\": 0}, \"ID_AA64PFR0_EL1\": "
            "{\"FP\": 15, \"SVE\": 1}, \"ID_AA64MMFR3_EL1\": {\"TCRX\": 0}}}");
  g_assert_null(cpu_template_refused(fine, registers, true));
  g_autofree char *unwritable = cpu_template_refused(fine, registers, false);
  g_assert_cmpstr(
      unwritable, ==,
      "CPU template 't.json': ID_AA64PFR0_EL1.FP cannot be 15: this host has 1, and its kernel lets no ID register be changed "
      "(Linux 6.7 and later do)\n"
      "CPU template 't.json': ID_AA64ISAR0_EL1.Atomic cannot be 0: this host has 2, and its kernel lets no ID register be changed "
      "(Linux 6.7 and later do)");
  g_autoptr(CpuTemplate) bad = parse("{\"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 3, \"TS\": 1}, \"ID_AA64PFR0_EL1\": {\"FP\": 2, "
                                     "\"SVE\": 0}, \"ID_AA64MMFR3_EL1\": {\"TCRX\": 1}}}");
  g_autofree char *refused = cpu_template_refused(bad, registers, true);
  g_assert_cmpstr(
      refused, ==,
      "CPU template 't.json': ID_AA64PFR0_EL1.FP cannot be 2: this host has 1, a template can only lower that; 15 counts as -1 in "
      "this field\n"
      "CPU template 't.json': ID_AA64PFR0_EL1.SVE cannot be 0: this host has 1, and its KVM does not let this field be changed\n"
      "CPU template 't.json': ID_AA64ISAR0_EL1.Atomic cannot be 3: this host has 2, a template can only lower that\n"
      "CPU template 't.json': ID_AA64ISAR0_EL1.TS cannot be 1: this host has 0, a template can only lower that\n"
      "CPU template 't.json': ID_AA64MMFR3_EL1.TCRX cannot be 1: KVM on this host has no such register");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/template/read", test_read);
  g_test_add_func("/template/mistakes", test_mistakes);
  g_test_add_func("/template/print", test_print);
  g_test_add_func("/template/diff", test_diff);
  g_test_add_func("/template/refused", test_refused);
  return g_test_run();
}
