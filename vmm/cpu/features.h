/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the CPU's optional features the guest gets: what was asked for (CpuConfig), held against what the host has
 * (CpuOffer) and what the template takes away. Pure logic; vmm/machine/kvm/cpu.c asks the host and carries the decision
 * out.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/cpu/template.h"

#define CPU_SVE_LENGTH_STEP 128  /* bits: SVE vectors are a multiple of it long (Arm ARM B1.2.2) */
#define CPU_SVE_LENGTH_MAX  2048 /* bits */

/* Vector lengths: bit n is (n + 1) * 128 bits. */
typedef uint32_t CpuSveLengths;

/* Of a CPU feature. AUTO: on where the host has it and it is safe. */
typedef enum { CPU_AUTO, CPU_ON, CPU_OFF } CpuChoice;
typedef enum { CPU_HOST } CpuModel;

/* --cpu: host[,FEATURE=CHOICE]... */
typedef struct {
  CpuModel model;
  bool el2_e2h0; /* no part of the text: --nested=e2h0 sets it, beside el2 */
  CpuChoice sve, pauth, pmu, steal_time, mte, el2;
  char *sve_lengths; /* "128:256", or NULL: what the host has */
} CpuConfig;

/* What KVM on this host offers. */
typedef struct {
  bool sve, pauth, pmu, steal_time, mte, el2, el2_e2h0;
} CpuOffer;

typedef struct {
  bool sve, pauth, pmu, steal_time, mte, el2;
  bool el2_e2h0;             /* EL2 without FEAT_VHE */
  CpuSveLengths sve_lengths; /* asked for; 0: all that the host has */
} CpuFeatures;

/* TEMPLATE may be NULL. The error has every reason, a line each. */
bool cpu_features_decide(const CpuConfig *config, const CpuTemplate *template, const CpuOffer *offer, CpuFeatures *features,
                         GError **error);

/* "128:256". False with a reason in *WHY (free with g_free). */
bool cpu_sve_parse(const char *text, CpuSveLengths *lengths, char **why);
/*
 * What WANTED comes to on a host with the lengths HOST. One alone is the longest: all of the host's up to it. Several
 * are exactly these; KVM then wants each that the host has up to the longest.
 */
bool cpu_sve_choose(CpuSveLengths wanted, CpuSveLengths host, CpuSveLengths *chosen, GError **error);
/* "128:256"; free with g_free. */
char *cpu_sve_print(CpuSveLengths lengths);
