/* SPDX-License-Identifier: Apache-2.0 */
/* Locks by which programs that use disk images keep out of each other's way: eret, QEMU and its tools. */
#pragma once

#include "devices/backend/disk-file.h"

/*
 * Locks FILE for one that WRITES to it, alone, or one of any number of readers. It is an open file description's, which
 * lasts as long as FILE is open, and is gone with the process however that ends. One that is in use is an error that
 * says by whom, where that can be found out.
 */
bool disk_lock(const DiskFile *file, bool writes, GError **error);
