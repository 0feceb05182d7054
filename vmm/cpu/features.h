/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the CPU's optional features the guest gets: what was asked for (CpuConfig), held against what the host has
 * (CpuHost) and what the template takes away. Pure logic; vmm/kvm/cpu.c asks the host and carries the decision out.
 */
#pragma once

#include "vmm/config.h"
#include "vmm/cpu/template.h"

#define CPU_SVE_LENGTH_STEP 128  /* bits: SVE vectors are a multiple of it long (Arm ARM B1.2.2) */
#define CPU_SVE_LENGTH_MAX  2048 /* bits */

/* Vector lengths: bit n is (n + 1) * 128 bits. */
typedef uint32_t CpuSveLengths;

typedef struct {
  bool sve, pauth, pmu, steal_time, mte, el2, el2_e2h0;
} CpuHost;

typedef struct {
  bool sve, pauth, pmu, steal_time, mte, el2;
  bool el2_e2h0;             /* EL2 without FEAT_VHE */
  CpuSveLengths sve_lengths; /* asked for; 0: all that the host has */
} CpuFeatures;

/* TEMPLATE may be NULL. The error has every reason, a line each. */
bool cpu_features_decide(const CpuConfig *config, const CpuTemplate *template, const CpuHost *host, CpuFeatures *features, GError **error);

/* "128:256". False with a reason in *WHY (free with g_free). */
bool cpu_sve_parse(const char *text, CpuSveLengths *lengths, char **why);
/*
 * What WANTED comes to on a host with the lengths HOST. One alone is the longest: all of the host's up to it. Several
 * are exactly these; KVM then wants each that the host has up to the longest.
 */
bool cpu_sve_choose(CpuSveLengths wanted, CpuSveLengths host, CpuSveLengths *chosen, GError **error);
/* "128:256"; free with g_free. */
char *cpu_sve_print(CpuSveLengths lengths);
