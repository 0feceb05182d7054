/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio input device (virtio 1.2, 5.8) as a keyboard of one key: the power button. */
#pragma once

#include "devices/virtio/virtio.h"

/*
 * Of its button, what the driver has no buffers for yet waits for it, one press and release at most: also for a driver
 * that is not there yet, or has put the device away while the guest is suspended.
 *
 * It is always behind virtio-mmio: on the PCI bus each guest would set it up, and that costs exits, while this way only
 * one does that has the driver.
 */
extern const DeviceKind virtio_input_kind;
