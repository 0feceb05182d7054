/* SPDX-License-Identifier: Apache-2.0 */
/* What gic.c wants of each kind of GIC; see gic.h. */
#pragma once

#include "gic.h"

typedef struct {
  const char *name;
  void (*init)(void);
  void (*init_cpu)(void);
  void (*enable)(unsigned intid);
  void (*send_sgi)(unsigned intid, unsigned cpu);
  GicInterrupt (*acknowledge)(void);
  void (*end)(GicInterrupt interrupt);
} GicOps;

extern const GicOps gicv2_ops, gicv3_ops;

/* Distributor registers that both have: IHI 0048, 4.1.2; IHI 0069, 12.8. */
#define GICD_CTLR         0x0000
#define GICD_TYPER        0x0004
#define GICD_IGROUPR      0x0080
#define GICD_ISENABLER    0x0100
#define GICD_ICENABLER    0x0180
#define GICD_IPRIORITYR   0x0400
#define GICD_ITARGETSR    0x0800     /* GICv2 */
#define GICD_SGIR         0x0f00     /* GICv2 */
#define GIC_PRIORITY_MID  0xa0a0a0a0 /* four interrupts; lower is more urgent */
#define GIC_PRIORITY_LAST 0xff       /* mask: everything more urgent than this comes through */
