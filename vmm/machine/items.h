/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in the firmware configuration device (devices/fw-cfg.h): what the user asked for, and what a board says. */
#pragma once

#include "vmm/config/board.h"

/* Reads the files of CONFIG's items: of GBytes, in their order. Errors name the item. */
GPtrArray *items_read(const Config *config, GError **error);

/* All items of a machine on BOARD, for fw_cfg_set_items. ASKED: what items_read returned for its Config. */
GPtrArray *items_new(const Board *board, const GPtrArray *asked);
