/* SPDX-License-Identifier: Apache-2.0 */
/* --dry-run and --dump-fdt, of the commands that make a machine. Main thread. */
#pragma once

#include "vmm/config/config.h"

/*
 * Plans the machine without KVM: prints its board if CONFIG says dry_run, and writes its device tree to dump_fdt if
 * there is one. INITRD stands for the configuration's, unless it is NULL.
 */
bool plan(const Config *config, GBytes *initrd, GError **error);
