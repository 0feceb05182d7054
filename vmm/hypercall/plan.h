/* SPDX-License-Identifier: Apache-2.0 */
/* What a Config asks of the hypercalls: the plan for KVM's filter, and the services outside the process. */
#pragma once

#include "vmm/config.h"
#include "vmm/hypercall/policy.h"

/*
 * The plan (of SmcccRange) for eret's own services, PSCI where eret answers it, --hypercall, and --smccc, checked
 * against each other. On failure one error with a line for each mistake.
 */
GArray *hypercall_plan(const Config *config, GError **error);

/* Takes `RANGE=unix:PATH` apart; *PATH points into TEXT. */
bool hypercall_parse_service(const char *text, uint32_t *first, uint32_t *last, const char **path, GError **error);
