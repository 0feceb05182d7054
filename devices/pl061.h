/* SPDX-License-Identifier: Apache-2.0 */
/* PL061 GPIO controller with the machine's power button on line 3. Model, reference and locks: see pl061.c. */
#pragma once

#include "devices/device-kind.h"

#define PL061_SIZE 0x1000

/* describe also writes the gpio-keys node with the power button (KEY_POWER). */
extern const DeviceKind pl061_kind;
