/* SPDX-License-Identifier: Apache-2.0 */
/* --dry-run, --dump-fdt and --dump-acpi, of the commands that make a machine. Main thread. */
#pragma once

#include "vmm/config/config.h"

/*
 * Plans the machine without KVM: prints its board if CONFIG says dry_run, and writes its device tree to dump_fdt and
 * its ACPI tables to dump_acpi, if there are such. INITRD stands for the configuration's, unless it is NULL.
 */
bool plan(const Config *config, GBytes *initrd, GError **error);
