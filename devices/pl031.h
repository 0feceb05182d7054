/* SPDX-License-Identifier: Apache-2.0 */
/* PL031 real-time clock. Model, reference and locks: see pl031.c. */
#pragma once

#include "devices/device-kind.h"

#define PL031_SIZE 0x1000

extern const DeviceKind pl031_kind;
