/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's devices, for a guest whose init is eret's: what it loads, looks for and sets up. No lock: pure functions.
 */
#pragma once

#include "vmm/config/config.h"

/* What Linux calls the modules for them. */
void device_parts_add_modules(GPtrArray *names, const Config *config);
/* The record that devices of TYPE (virtio 1.2, section 5) have to have their driver. */
void device_parts_add_driver(GByteArray *spec, unsigned type);
/* The records of the specification (docs/exec-protocol.md): drivers, network cards, shared directories. */
void device_parts_add_records(GByteArray *spec, const Config *config);
