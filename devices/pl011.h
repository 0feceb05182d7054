/* SPDX-License-Identifier: Apache-2.0 */
/* PL011 UART. Model, reference and locks: see pl011.c. */
#pragma once

#include "devices/char-backend.h"
#include "devices/device.h"
#include "devices/interrupt.h"

#define PL011_SIZE 0x1000

/* BACKEND may be NULL: output vanishes, nothing arrives. It stays the caller's and must outlive the device. */
Device *pl011_new(IrqLine *irq, CharBackend *backend);
