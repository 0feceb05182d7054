/* SPDX-License-Identifier: Apache-2.0 */
/* eret's own services, for hypercall.c: docs/hypercalls.md specifies them. */
#pragma once

#include "vmm/hypercall/hypercall.h"

#define ERET_EXIT_CODE_NONE (-1)

typedef struct {
  const HypercallSink *sink;
  void *opaque;
  int exit_code; /* atomic */
} EretServices;

bool eret_services_add(EretServices *services, Hypercalls *hypercalls);
