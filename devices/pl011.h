/* SPDX-License-Identifier: Apache-2.0 */
/* PL011 UART. Model, reference and locks: see pl011.c. */
#pragma once

#include "devices/device-kind.h"

#define PL011_SIZE 0x1000

extern const DeviceKind pl011_kind;
