/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest whose files do not fit into its memory dies before its console works, and could not say why: what can be
 * known of that before the start. Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Linux unpacks an initramfs into memory before it gives the archive's own back, so that both must fit beside the
 * kernel. All in bytes: the guest's MEMORY, the archive, which is not compressed, and the kernel's file, which is at
 * most as large as the kernel in memory. False: they cannot fit, and ERROR says what would do.
 */
bool exec_check_memory(uint64_t memory, uint64_t initramfs, uint64_t kernel, GError **error);
