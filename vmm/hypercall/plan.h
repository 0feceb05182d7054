/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asks of the hypercalls: the plan for KVM's filter, and the services outside the process. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "vmm/hypercall/policy.h"

/* Where OPTION ("smccc"), its element INDEX (-1: it is no list), was given. */
typedef const char *HypercallWhere(const void *opaque, const char *option, int index);

typedef enum { PSCI_BY_KERNEL, PSCI_BY_ERET } PsciChoice;

/* One --smccc: ACTION=RANGE. */
typedef struct {
  char *rule;
} SmcccConfig;

/* One --hypercall: RANGE=unix:PATH. */
typedef struct {
  char *service;
  unsigned timeout; /* milliseconds a call; 0: the default */
} HypercallConfig;

typedef struct {
  PsciChoice psci;
  const GPtrArray *services; /* of HypercallConfig */
  const GPtrArray *rules;    /* of SmcccConfig */
  HypercallWhere *where;
  const void *opaque;
} HypercallRequest;

/*
 * The plan (of SmcccRange) for eret's own services, PSCI where eret answers it, the services and the rules of REQUEST,
 * checked against each other. On failure one error with a line for each mistake, which says where it is.
 */
GArray *hypercall_plan(const HypercallRequest *request, GError **error);

/* Takes `RANGE=unix:PATH` apart; *PATH points into TEXT. */
bool hypercall_parse_service(const char *text, uint32_t *first, uint32_t *last, const char **path, GError **error);
