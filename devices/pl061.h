/* SPDX-License-Identifier: Apache-2.0 */
/* PL061 GPIO controller with the machine's power button on line 3. Model, reference and locks: see pl061.c. */
#pragma once

#include "devices/device.h"
#include "devices/interrupt.h"

#define PL061_SIZE 0x1000

/* describe also writes the gpio-keys node with the power button (KEY_POWER). */
Device *pl061_new(IrqLine *irq);
/* Holds or releases the power button. Takes the device's lock: any thread. */
void pl061_set_power_button(Device *device, bool pressed);
