/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2m MSI frame. Model, reference and locks: see gicv2m.c. */
#pragma once

#include "devices/device.h"

#define GICV2M_SETSPI_NS 0x040 /* offset of the register a message is written to */

/* Raises SPI INTID for one edge. Called with the device's lock held. */
typedef void (*GicV2mRaise)(void *opaque, uint32_t intid);

/*
 * Messages for the SPIs (INTID - 32) FIRST_SPI .. FIRST_SPI + N_SPIS. The tree node is written with the GIC's: see
 * fdt-nodes.
 */
Device *gicv2m_new(uint32_t first_spi, uint32_t n_spis, GicV2mRaise raise, void *opaque);
