/* SPDX-License-Identifier: Apache-2.0 */
/* virtio console (virtio 1.2, 5.3): one port, so far. */
#pragma once

#include "devices/virtio/virtio.h"

extern const DeviceKind virtio_console_kind;
/* The terminal's size changed: VIRTIO_CONSOLE_F_SIZE. Main thread. */
void virtio_console_resize(VirtioDevice *device, uint16_t columns, uint16_t rows);
