/* SPDX-License-Identifier: Apache-2.0 */
/* The busybox of guests that have no root of their own. No lock: one thread. */
#pragma once

#include "vmm/base/mapped-file.h"

/* NAMED is the user's; NULL: the one that came with eret, or that Debian's busybox-static installs. */
MappedFile *busybox_open(const char *named, GError **error);
