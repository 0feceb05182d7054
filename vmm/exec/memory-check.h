/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest whose files do not fit into its memory dies before its console works, and could not say why: what can be
 * known of that before the start. Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/config/config.h"

/* What must fit into a guest, in bytes. */
typedef struct {
  uint64_t kernel;  /* its file, which is at most as large as the kernel in memory */
  uint64_t archive; /* the initramfs, which is not compressed */
  uint64_t files;   /* the contents of its files, in pages of the smallest size */
  bool limited;     /* they are unpacked into a tmpfs, which takes up to half of what memory there is then */
} MemoryNeed;

/* INITRAMFS and FILES are exec_make_initramfs's; APPEND, the kernel's command line, says what it is unpacked into. */
MemoryNeed exec_memory_need(GBytes *initramfs, uint64_t files, uint64_t kernel, const char *append);
/*
 * Linux unpacks an initramfs into memory before it gives the archive's own back, so that both must fit beside the
 * kernel; and beside both, as much as the files again where they are LIMITED. False: they cannot fit into MEMORY, and
 * ERROR says what would do.
 */
bool exec_check_memory(const MemoryNeed *need, uint64_t memory, GError **error);
/* The same of CONFIG's machine; what is wrong with its kernel is left to the machine to see. */
bool exec_check_config(const Config *config, GBytes *initramfs, uint64_t files, GError **error);
