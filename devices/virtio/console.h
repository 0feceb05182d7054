/* SPDX-License-Identifier: Apache-2.0 */
/* virtio console (virtio 1.2, 5.3): one port, so far. */
#pragma once

#include "devices/char-backend.h"
#include "devices/virtio/virtio.h"

/* BACKEND stays the caller's, must outlive the device, and may be NULL. */
VirtioDevice *virtio_console_new(const char *name, const GuestMemory *memory, CharBackend *backend, GError **error);
/* The terminal's size changed: VIRTIO_CONSOLE_F_SIZE. Main thread. */
void virtio_console_resize(VirtioDevice *device, uint16_t columns, uint16_t rows);
