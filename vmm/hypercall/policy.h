/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers which hypercall: the plan for KVM's SMCCC filter (KVM_ARM_VM_SMCCC_FILTER; Linux:
 * Documentation/virt/kvm/devices/vm.rst). Ranges as the user gives them, checked against each other and against what
 * KVM reserves, in the order in which they are handed to KVM.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { SMCCC_KERNEL = 0, SMCCC_DENY = 1, SMCCC_FORWARD = 2 } SmcccAction; /* enum kvm_smccc_filter_action */

typedef struct {
  uint32_t first, last; /* inclusive */
  SmcccAction action;
  char *origin; /* for messages: where the user has said so, or why eret itself needs it */
} SmcccRange;

typedef enum { POLICY_ERROR_SYNTAX, POLICY_ERROR_RESERVED, POLICY_ERROR_OVERLAP } PolicyError;
#define POLICY_ERROR (policy_error_quark())
GQuark policy_error_quark(void);

/* Ranges (of SmcccRange) that own their origins: none yet. Free with g_array_unref. */
GArray *policy_new(void);
/* Appends one range to RANGES, of policy_new; ORIGIN is copied. */
void policy_append(GArray *ranges, uint32_t first, uint32_t last, SmcccAction action, const char *origin);
/* Named sets: "trng", "psci", "pvtime", "vendor-hyp", "ptp": appends their ranges; false for an unknown name. */
bool policy_append_set(GArray *ranges, const char *name, SmcccAction action, const char *origin);
/* `ACTION=RANGE` of --smccc: deny|forward|kernel = a set's name, 0xFIRST, 0xFIRST-0xLAST or 0xFIRST+COUNT. Appends. */
bool policy_parse(GArray *ranges, const char *text, const char *origin, GError **error);
/* RANGE alone, in numbers, as in --hypercall RANGE=unix:PATH. */
bool policy_parse_range(const char *text, uint32_t *first, uint32_t *last, GError **error);

/*
 * Of RANGES, new ones: sorts them, joins neighbours of the same action, leaves out SMCCC_KERNEL ones (the kernel's
 * default), and refuses overlaps of different actions, SMCCC_KERNEL included, and the ranges that KVM reserves (unless
 * they are left to it), with the reason. Overlaps with the same action are merged. Every mistake in one message, a line
 * each; the error's code is the first one's.
 */
GArray *policy_plan(const GArray *ranges, GError **error);
