/* SPDX-License-Identifier: Apache-2.0 */
/* What cloud-init in a guest is told, as the disk that it is on. Main thread. */
#pragma once

#include "vmm/config/config.h"

/* Makes what is on CONFIG's disk for cloud-init, where there is one; a password that is to be asked for is. */
bool settle_seed(Config *config, GError **error);
