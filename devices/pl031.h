/* SPDX-License-Identifier: Apache-2.0 */
/* PL031 real-time clock. Model, reference and locks: see pl031.c. */
#pragma once

#include "devices/clock.h"
#include "devices/device.h"
#include "devices/interrupt.h"

#define PL031_SIZE 0x1000

Device *pl031_new(IrqLine *irq, Clock *clock);
