/* SPDX-License-Identifier: Apache-2.0 */
/* VMClock: whether the guest's clock was disrupted. Model, reference and locks: see vmclock.c. */
#pragma once

#include "devices/device-kind.h"

#define VMCLOCK_SIZE 0x10000 /* the largest page of a guest, which maps it to its programs */

/* A machine that was paused and goes on tells its guest so. */
extern const DeviceKind vmclock_kind;
