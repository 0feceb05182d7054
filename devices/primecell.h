/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PrimeCell peripherals have in common: 4 KiB of registers, of which the last 32 bytes identify the peripheral, a
 * byte in each word; and most of their device-tree node.
 */
#pragma once

#include "devices/device.h"
#include "devices/register-page.h"

#define PRIMECELL_SIZE 0x1000

/*
 * With the identification in it. PERIPH_ID: part number 11:0, designer 19:12 (0x41, Arm), revision 23:20.
 */
void primecell_init_page(RegisterPage *page, uint32_t periph_id);
/* What an identification register reads, for a model without a page; 0: there is none at OFFSET. */
uint32_t primecell_id(uint64_t offset, uint32_t periph_id);
/* The name of an identification register, which is one of the two; NULL: there is none at OFFSET. */
const char *primecell_id_name(uint64_t offset, const char *periph_id, const char *pcell_id);
/* Begins the node of NAME ("pl011"); the caller ends it. */
void primecell_begin_node(FdtWriter *fdt, const char *name, const DeviceSlot *slot, uint32_t periph_id);
