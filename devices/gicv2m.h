/* SPDX-License-Identifier: Apache-2.0 */
/* GICv2m MSI frame. Model, reference and locks: see gicv2m.c. */
#pragma once

#include "devices/device-kind.h"

#define GICV2M_SETSPI_NS 0x040 /* offset of the register a message is written to */

#define GICV2M_SPIS 64

/* Messages for the slot's SPIs. The tree node is written with the GIC's: see fdt-nodes. */
extern const DeviceKind gicv2m_kind;
