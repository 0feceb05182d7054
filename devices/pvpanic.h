/* SPDX-License-Identifier: Apache-2.0 */
/* pvpanic: by it a guest's kernel tells that it panicked. Model and reference: see pvpanic.c. */
#pragma once

#include "devices/device-kind.h"

#define PVPANIC_SIZE 2

extern const DeviceKind pvpanic_kind;
