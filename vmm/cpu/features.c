/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision about each feature, as a table: what it is called, where the choice, the host's and the result are, and
 * what is missing where the host has it not.
 */
#include "vmm/cpu/features.h"

#include <string.h>

#include "vmm/base/mistakes.h"

typedef struct {
  const char *name, *what;
  size_t choice, offer, result; /* offsets */
  bool automatic;               /* `auto` is on where the host has it */
  const char *needed;
  bool (*masked)(const CpuTemplate *template); /* the template leaves nothing of it; NULL: that is not a field's to say */
} Feature;

static bool sve_masked(const CpuTemplate *template) {
  return cpu_template_get(template, "ID_AA64PFR0_EL1", "SVE") == 0;
}

/* There are three algorithms; a CPU has one of them. */
static bool pauth_masked(const CpuTemplate *template) {
  return cpu_template_get(template, "ID_AA64ISAR1_EL1", "APA") == 0 && cpu_template_get(template, "ID_AA64ISAR1_EL1", "API") == 0 &&
         cpu_template_get(template, "ID_AA64ISAR2_EL1", "APA3") <= 0;
}

static bool pmu_masked(const CpuTemplate *template) {
  return cpu_template_get(template, "ID_AA64DFR0_EL1", "PMUVer") == 0;
}

static bool mte_masked(const CpuTemplate *template) {
  return cpu_template_get(template, "ID_AA64PFR1_EL1", "MTE") == 0;
}

static const Feature features_table[] = {
    {"sve", "scalable vectors (SVE)", offsetof(CpuConfig, sve), offsetof(CpuOffer, sve), offsetof(CpuFeatures, sve), true,
     "it needs a CPU with FEAT_SVE and Linux built with CONFIG_ARM64_SVE", sve_masked},
    {"pauth", "pointer authentication", offsetof(CpuConfig, pauth), offsetof(CpuOffer, pauth), offsetof(CpuFeatures, pauth), true,
     "it needs a CPU with FEAT_PAuth and Linux built with CONFIG_ARM64_PTR_AUTH", pauth_masked},
    {"pmu", "performance monitor (PMUv3)", offsetof(CpuConfig, pmu), offsetof(CpuOffer, pmu), offsetof(CpuFeatures, pmu), true,
     "it needs a CPU with FEAT_PMUv3 that Linux has a driver for (CONFIG_ARM_PMUV3)", pmu_masked},
    {"steal-time", "account of stolen time (PV time)", offsetof(CpuConfig, steal_time), offsetof(CpuOffer, steal_time),
     offsetof(CpuFeatures, steal_time), true, "it needs Linux built with CONFIG_SCHED_INFO (KVM_CAP_STEAL_TIME)", NULL},
    {"mte", "memory tagging (MTE)", offsetof(CpuConfig, mte), offsetof(CpuOffer, mte), offsetof(CpuFeatures, mte), false,
     "it needs a CPU and memory with FEAT_MTE2 and Linux built with CONFIG_ARM64_MTE", mte_masked},
    {"el2", "exception level of a hypervisor (EL2)", offsetof(CpuConfig, el2), offsetof(CpuOffer, el2), offsetof(CpuFeatures, el2), false,
     "nested virtualisation needs a CPU with FEAT_NV2, a GICv3, and Linux 6.16 or later, booted with kvm-arm.mode=nested", NULL},
};

static bool decide(const Feature *feature, CpuChoice choice, bool available, const CpuTemplate *template, GString *mistakes) {
  bool masked = template && feature->masked && feature->masked(template);

  if (choice != CPU_ON)
    return choice == CPU_AUTO && feature->automatic && available && !masked;
  if (!available)
    mistake(mistakes, "--cpu %s=on: KVM on this host gives guests no %s; %s", feature->name, feature->what, feature->needed);
  else if (masked)
    mistake(mistakes, "--cpu %s=on: the CPU template '%s' takes %s away", feature->name, template->name, feature->what);
  return available && !masked;
}

bool cpu_features_decide(const CpuConfig *config, const CpuTemplate *template, const CpuOffer *offer, CpuFeatures *features,
                         GError **error) {
  g_autoptr(GString) mistakes = g_string_new(NULL);
  g_autofree char *why = NULL;

  *features = (CpuFeatures){0};
  for (unsigned i = 0; i < G_N_ELEMENTS(features_table); i++) {
    const Feature *feature = &features_table[i];
    CpuChoice choice = *(const CpuChoice *)((const char *)config + feature->choice);
    bool available = *(const bool *)((const char *)offer + feature->offer);
    *(bool *)((char *)features + feature->result) = decide(feature, choice, available, template, mistakes);
  }
  features->el2_e2h0 = features->el2 && config->el2_e2h0;
  if (features->el2_e2h0 && !offer->el2_e2h0)
    mistake(mistakes,
            "--nested=e2h0: KVM on this host gives guests no EL2 without FEAT_VHE (KVM_CAP_ARM_EL2_E2H0); a guest that knows VHE runs with "
            "--nested alone");
  if (config->sve_lengths && !cpu_sve_parse(config->sve_lengths, &features->sve_lengths, &why))
    mistake(mistakes, "--cpu sve-vl: %s", why);
  else if (config->sve_lengths && config->sve == CPU_AUTO && !features->sve)
    mistake(mistakes, "--cpu sve-vl: KVM on this host gives guests no %s; %s", features_table[0].what, features_table[0].needed);
  if (mistakes->len)
    g_set_error_literal(error, CPU_ERROR, CPU_ERROR_HOST, mistakes->str);
  return mistakes->len == 0;
}

bool cpu_sve_parse(const char *text, CpuSveLengths *lengths, char **why) {
  g_auto(GStrv) parts = g_strsplit(*text ? text : ":", ":", -1); /* of "" it would make no part at all */

  *lengths = 0;
  for (unsigned i = 0; parts[i]; i++) {
    guint64 bits;
    bool number = g_ascii_string_to_unsigned(parts[i], 10, CPU_SVE_LENGTH_STEP, CPU_SVE_LENGTH_MAX, &bits, NULL);
    if (!number || bits % CPU_SVE_LENGTH_STEP) {
      *why = g_strdup_printf("'%s' is no vector length: a multiple of %d from %d to %d bits, several separated "
                             "by colons",
                             parts[i], CPU_SVE_LENGTH_STEP, CPU_SVE_LENGTH_STEP, CPU_SVE_LENGTH_MAX);
      return false;
    }
    *lengths |= 1u << (bits / CPU_SVE_LENGTH_STEP - 1);
  }
  return true;
}

char *cpu_sve_print(CpuSveLengths lengths) {
  GString *text = g_string_new(NULL);

  for (unsigned bits = CPU_SVE_LENGTH_STEP; bits <= CPU_SVE_LENGTH_MAX; bits += CPU_SVE_LENGTH_STEP)
    if (lengths >> (bits / CPU_SVE_LENGTH_STEP - 1) & 1)
      g_string_append_printf(text, "%s%u", text->len ? ":" : "", bits);
  return g_string_free(text, FALSE);
}

bool cpu_sve_choose(CpuSveLengths wanted, CpuSveLengths host, CpuSveLengths *chosen, GError **error) {
  bool one = wanted && !(wanted & (wanted - 1));
  g_autofree char *asked = cpu_sve_print(wanted), *offered = cpu_sve_print(host);

  /* Every length up to the longest that is wanted. */
  CpuSveLengths reach = wanted ? (2u << (31 - (unsigned)__builtin_clz(wanted))) - 1 : UINT32_MAX;
  *chosen = host & reach;
  if (wanted & ~host)
    g_set_error(error, CPU_ERROR, CPU_ERROR_HOST, "--cpu sve-vl=%s: this host's vectors are %s bits long", asked, offered);
  else if (wanted && !one && wanted != *chosen) {
    g_autofree char *possible = cpu_sve_print(*chosen);
    g_set_error(error, CPU_ERROR, CPU_ERROR_HOST,
                "--cpu sve-vl=%s: KVM cannot leave out a length below the longest: sve-vl=%s is what comes nearest", asked, possible);
  } else {
    return true;
  }
  return false;
}
