/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into the guest of `eret exec`, and what comes out: the initramfs and its specification, from the options.
 */
#pragma once

#include "vmm/exec/copy-out.h"
#include "vmm/exec/options.h"

/*
 * Our init, busybox (unless there is another root), the user's files, the modules that the machine's devices need, and
 * /eret/spec, which says what to do (docs/exec-protocol.md). What a kernel lacks, or has built in without saying so, is
 * for the guest to find out. *FILES: see initramfs_build.
 */
GBytes *exec_make_initramfs(const ExecOptions *options, uint64_t *files, GError **error);
/* For the files that come out; only if some were asked for. */
CopyOut *exec_copy_out_new(const ExecOptions *options, GError **error);
