/* SPDX-License-Identifier: Apache-2.0 */
/* VMGenID: which generation of a machine this is. Model, reference and locks: see vmgenid.c. */
#pragma once

#include "devices/device-kind.h"

#define VMGENID_SIZE 0x1000

/* What is asked of it. */
typedef struct {
  char *guid; /* "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87", in either case; or VMGENID_AUTO: a random one */
} VmGenIdConfig;
#define VMGENID_AUTO "auto"

/* Whether TEXT is either. */
bool vmgenid_is_valid(const char *text);

extern const DeviceKind vmgenid_kind;

#define VMGENID_ID_SIZE 16
/*
 * From now on it is another machine than the one that its guest was in: a copy of it, or what was saved and is gone on
 * with once more. The guest is interrupted, and makes its random numbers anew. Any thread.
 */
void vmgenid_change(Device *device, const uint8_t id[VMGENID_ID_SIZE]);
