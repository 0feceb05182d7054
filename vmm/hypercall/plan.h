/* SPDX-License-Identifier: Apache-2.0 */
/* What a Config asks of the hypercalls: the plan for KVM's filter, and the services outside the process. */
#pragma once

#include "vmm/config.h"
#include "vmm/hypercall/policy.h"

/* Where OPTION ("smccc"), its element INDEX (-1: it is no list), was given. */
typedef const char *HypercallWhere(const void *opaque, const char *option, int index);

/*
 * The plan (of SmcccRange) for eret's own services, PSCI where eret answers it, --hypercall, and --smccc, checked
 * against each other. On failure one error with a line for each mistake, which says where it is.
 */
GArray *hypercall_plan(const Config *config, HypercallWhere *where, const void *opaque, GError **error);

/* Takes `RANGE=unix:PATH` apart; *PATH points into TEXT. */
bool hypercall_parse_service(const char *text, uint32_t *first, uint32_t *last, const char **path, GError **error);
