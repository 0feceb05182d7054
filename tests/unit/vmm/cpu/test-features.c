/* SPDX-License-Identifier: Apache-2.0 */
/* The decision about CPU features: wanted, host, template; and the lengths of SVE vectors. */
#include <glib.h>
#include <string.h>

#include "vmm/cpu/features.h"

static const CpuOffer everything = {true, true, true, true, true, true, true}, nothing = {0};

static CpuTemplate *parse(const char *text) {
  g_autoptr(GError) error = NULL;
  CpuTemplate *template = cpu_template_parse("t.json", text, strlen(text), &error);
  g_assert_no_error(error);
  return template;
}

static CpuFeatures decide(CpuConfig config, const CpuTemplate *template, const CpuOffer *offer) {
  g_autoptr(GError) error = NULL;
  CpuFeatures features;
  bool decided = cpu_features_decide(&config, template, offer, &features, &error);
  g_assert_no_error(error);
  g_assert_true(decided);
  return features;
}

static void refuse(CpuConfig config, const CpuTemplate *template, const CpuOffer *offer, const char *wanted) {
  g_autoptr(GError) error = NULL;
  CpuFeatures features;
  g_assert_false(cpu_features_decide(&config, template, offer, &features, &error));
  g_assert_error(error, CPU_ERROR, CPU_ERROR_HOST);
  g_assert_cmpstr(error->message, ==, wanted);
}

static void assert_features(CpuFeatures features, bool sve, bool pauth, bool pmu, bool mte) {
  g_assert_cmpint(features.sve, ==, sve);
  g_assert_cmpint(features.pauth, ==, pauth);
  g_assert_cmpint(features.pmu, ==, pmu);
  g_assert_cmpint(features.mte, ==, mte);
}

static void test_auto(void) {
  assert_features(decide((CpuConfig){0}, NULL, &everything), true, true, true, false);
  assert_features(decide((CpuConfig){0}, NULL, &nothing), false, false, false, false);
}

static void test_e2h0(void) {
  const CpuConfig e2h0 = {.el2 = CPU_ON, .el2_e2h0 = true}, vhe = {.el2 = CPU_ON}, off = {.el2 = CPU_OFF, .el2_e2h0 = true};
  const CpuOffer only_vhe = {.el2 = true};

  g_assert_true(decide(e2h0, NULL, &everything).el2_e2h0);
  g_assert_true(decide(e2h0, NULL, &everything).el2);
  g_assert_false(decide(vhe, NULL, &everything).el2_e2h0);
  g_assert_false(decide(off, NULL, &everything).el2_e2h0);
  refuse(e2h0, NULL, &only_vhe,
         "--nested=e2h0: KVM on this host gives guests no EL2 without FEAT_VHE (KVM_CAP_ARM_EL2_E2H0); a guest that knows VHE runs with "
         "--nested alone");
}

static void test_choices(void) {
  CpuConfig on = {.sve = CPU_ON, .pauth = CPU_ON, .pmu = CPU_ON, .mte = CPU_ON};
  CpuConfig off = {.sve = CPU_OFF, .pauth = CPU_OFF, .pmu = CPU_OFF, .mte = CPU_OFF};

  assert_features(decide(on, NULL, &everything), true, true, true, true);
  assert_features(decide(off, NULL, &everything), false, false, false, false);
  assert_features(decide(off, NULL, &nothing), false, false, false, false);
  refuse(
      on, NULL, &nothing,
      "--cpu sve=on: KVM on this host gives guests no scalable vectors (SVE); it needs a CPU with FEAT_SVE and Linux built with "
      "CONFIG_ARM64_SVE\n"
      "--cpu pauth=on: KVM on this host gives guests no pointer authentication; it needs a CPU with FEAT_PAuth and Linux built with "
      "CONFIG_ARM64_PTR_AUTH\n"
      "--cpu pmu=on: KVM on this host gives guests no performance monitor (PMUv3); it needs a CPU with FEAT_PMUv3 that Linux has a driver "
      "for (CONFIG_ARM_PMUV3)\n"
      "--cpu mte=on: KVM on this host gives guests no memory tagging (MTE); it needs a CPU and memory with FEAT_MTE2 and Linux built with "
      "CONFIG_ARM64_MTE");
}

static void test_steal_time(void) {
  g_assert_true(decide((CpuConfig){0}, NULL, &everything).steal_time);
  g_assert_false(decide((CpuConfig){0}, NULL, &nothing).steal_time);
  g_assert_false(decide((CpuConfig){.steal_time = CPU_OFF}, NULL, &everything).steal_time);
  refuse(
      (CpuConfig){.steal_time = CPU_ON}, NULL, &nothing,
      "--cpu steal-time=on: KVM on this host gives guests no account of stolen time (PV time); it needs Linux built with CONFIG_SCHED_INFO "
      "(KVM_CAP_STEAL_TIME)");
}

/* A template that leaves nothing of a feature turns it off, unless it was asked for. */
static void test_template(void) {
  g_autoptr(CpuTemplate) template =
      parse("{\"name\": \"small\", \"registers\": {\"ID_AA64PFR0_EL1\": {\"SVE\": 0}, \"ID_AA64DFR0_EL1\": {\"PMUVer\": 0}}}");
  g_autoptr(CpuTemplate) half = parse("{\"registers\": {\"ID_AA64ISAR1_EL1\": {\"APA\": 0}}}");
  g_autoptr(CpuTemplate) both =
      parse("{\"registers\": {\"ID_AA64ISAR1_EL1\": {\"APA\": 0, \"API\": 0}, \"ID_AA64PFR0_EL1\": {\"SVE\": 1}}}");
  g_autoptr(CpuTemplate) third =
      parse("{\"registers\": {\"ID_AA64ISAR1_EL1\": {\"APA\": 0, \"API\": 0}, \"ID_AA64ISAR2_EL1\": {\"APA3\": 5}}}");

  assert_features(decide((CpuConfig){0}, template, &everything), false, true, false, false);
  assert_features(decide((CpuConfig){0}, half, &everything), true, true, true, false);
  assert_features(decide((CpuConfig){0}, both, &everything), true, false, true, false);
  assert_features(decide((CpuConfig){0}, third, &everything), true, true, true, false);
  refuse((CpuConfig){.sve = CPU_ON}, template, &everything, "--cpu sve=on: the CPU template 'small' takes scalable vectors (SVE) away");
}

static void test_sve_text(void) {
  CpuSveLengths lengths;
  g_autofree char *why = NULL;
  g_assert_true(cpu_sve_parse("128:512", &lengths, &why));
  g_assert_cmphex(lengths, ==, 0x9);
  g_assert_true(cpu_sve_parse("2048", &lengths, &why));
  g_assert_cmphex(lengths, ==, 0x8000);
  g_autofree char *text = cpu_sve_print(0x8009);
  g_assert_cmpstr(text, ==, "128:512:2048");
  static const char *const wrong[] = {"", "0", "64", "200", "2176", "128:", "x", "128,256", "-128"};
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_autofree char *reason = NULL;
    g_assert_false(cpu_sve_parse(wrong[i], &lengths, &reason));
    g_assert_nonnull(strstr(reason, "is no vector length"));
  }
}

static void test_sve_asked(void) {
  CpuConfig config = {.sve_lengths = (char *)"256"};
  g_assert_cmphex(decide(config, NULL, &everything).sve_lengths, ==, 2);
  refuse(config, NULL, &nothing,
         "--cpu sve-vl: KVM on this host gives guests no scalable vectors (SVE); it needs a CPU with FEAT_SVE and Linux built with "
         "CONFIG_ARM64_SVE");
}

static void test_sve_choose(void) {
  static const struct {
    CpuSveLengths wanted, host, chosen;
    const char *error;
  } cases[] = {
      {0x0, 0xb, 0xb, NULL}, /* nothing wanted: all */
      {0x2, 0xb, 0x3, NULL}, /* one: up to it */
      {0x8, 0xb, 0xb, NULL},
      {0xb, 0xb, 0xb, NULL}, /* several: exactly */
      {0x8000, 0xffff, 0xffff, NULL},
      {0x4, 0xb, 0, "--cpu sve-vl=384: this host's vectors are 128:256:512 bits long"},
      {0x10b, 0xb, 0, "--cpu sve-vl=128:256:512:1152: this host's vectors are 128:256:512 bits long"},
      {0xa, 0xb, 0, "--cpu sve-vl=256:512: KVM cannot leave out a length below the longest: sve-vl=128:256:512 is what comes nearest"},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    CpuSveLengths chosen;
    g_assert_cmpint(cpu_sve_choose(cases[i].wanted, cases[i].host, &chosen, &error), ==, !cases[i].error);
    g_assert_cmpstr(error ? error->message : NULL, ==, cases[i].error);
    if (!cases[i].error)
      g_assert_cmphex(chosen, ==, cases[i].chosen);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/features/steal-time", test_steal_time);
  g_test_add_func("/cpu/e2h0", test_e2h0);
  g_test_add_func("/features/auto", test_auto);
  g_test_add_func("/features/choices", test_choices);
  g_test_add_func("/features/template", test_template);
  g_test_add_func("/features/sve-text", test_sve_text);
  g_test_add_func("/features/sve-asked", test_sve_asked);
  g_test_add_func("/features/sve-choose", test_sve_choose);
  return g_test_run();
}
