/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel modules that a guest needs, from a tree such as /lib/modules/VERSION, in the form that depmod(8) gives it:
 * modules.dep and modules.builtin. No lock: one thread.
 */
#pragma once

#include "vmm/exec/initramfs.h"

/*
 * Puts the modules NAMES (ended by NULL; "virtio_blk": dashes and underscores alike) of the tree DIRECTORY, with all
 * that they depend on, to /eret/modules/NNN-name.ko in the order of loading, unpacked (.ko, .ko.gz, .ko.xz, .ko.zst).
 * What the kernel has built in is left out. MISSING gets the names (of char *) that are in neither list: a kernel may
 * lack them, or have them without saying so. INITRAMFS may be NULL: then this is all, and no module is looked at.
 */
bool initramfs_add_modules(Initramfs *initramfs, const char *directory, const char *const *names, GPtrArray *missing, GError **error);
