/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in the firmware configuration device (devices/fw-cfg.h): what the user asked for, and what a board says. */
#pragma once

#include "vmm/config/board.h"

/* Reads the files of CONFIG's items: of GBytes, in their order. Errors name the item. */
GPtrArray *items_read(const Config *config, GError **error);

typedef struct {
  GBytes *bytes; /* NULL: none */
  bool (*is_good)(const void *opaque);
  const void *opaque; /* as in FwCfgItem */
} Item;

/*
 * What firmware is to start in place of what it finds itself: PROGRAM with the command line ARGUMENTS, and INITRD. QEMU
 * hands a kernel on in the same items (hw/arm/boot.c). The bytes stay the caller's.
 */
void items_add_program(GPtrArray *items, const char *arguments, const Item *program, const Item *initrd);

/* All items of a machine on BOARD, for fw_cfg_set_items. ASKED: what items_read returned for its Config. */
GPtrArray *items_new(const Board *board, const GPtrArray *asked);
