/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio input device (virtio 1.2, 5.8) as a keyboard of one key: the power button. */
#pragma once

#include "devices/virtio/virtio.h"

VirtioDevice *virtio_input_new(const char *name, const GuestMemory *memory, GError **error);

/*
 * Presses or releases the power button. What the driver has no buffers for yet waits for it, one press and release at
 * most: also for a driver that is not there yet, or has put the device away while the guest is suspended. Any thread.
 */
void virtio_input_set_power_button(VirtioDevice *device, bool pressed);
