/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of the host's in the guest: virtio 1.2, 5.11. A helper serves it; see devices/share.h. */
#pragma once

#include "devices/device-kind.h"

extern const DeviceKind virtio_fs_kind; /* of a ShareConfig, with a tag */
