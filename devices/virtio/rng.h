/* SPDX-License-Identifier: Apache-2.0 */
/* virtio entropy device (virtio 1.2, 5.4), fed from the host kernel's random number generator. */
#pragma once

#include "devices/virtio/virtio.h"

extern const DeviceKind virtio_rng_kind;
