/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device (virtio 1.2, 5.4), fed from the host kernel's random number generator. */
#pragma once

#include "devices/virtio/virtio.h"

VirtioDevice *virtio_rng_new(const char *name, const GuestMemory *memory, GError **error);
