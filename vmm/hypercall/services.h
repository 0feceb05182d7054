/* SPDX-License-Identifier: Apache-2.0 */
/* eret's own services, for hypercall.c: docs/hypercalls.md specifies them. */
#pragma once

#include "vmm/hypercall/hypercall.h"

typedef struct EretServices EretServices;

EretServices *eret_services_new(const HypercallSink *sink, void *opaque);
void eret_services_free(EretServices *services); /* takes NULL */
bool eret_services_add(EretServices *services, Hypercalls *hypercalls);
int eret_services_exit_code(const EretServices *services); /* -1: nobody has called eret_exit */
