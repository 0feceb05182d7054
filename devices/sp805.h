/* SPDX-License-Identifier: Apache-2.0 */
/* SP805 watchdog. Model, reference and locks: see sp805.c. */
#pragma once

#include "devices/device-kind.h"

#define SP805_SIZE 0x1000

/* Tells the parts' events when it was not served; pausing the machine stops it. */
extern const DeviceKind sp805_kind;
