/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interrupt controller, either of the two that virtual machines have: GICv2 (Arm IHI 0048), with a CPU interface in
 * memory, and GICv3 (IHI 0069), with one in system registers and a redistributor for each CPU. Which one it is, the
 * device tree says.
 *
 * INTIDs: 0 to 15 are sent by software from CPU to CPU (SGI), 16 to 31 are each CPU's own (PPI: the timer), from 32 on
 * they are devices' (SPI).
 */
#pragma once

#include "cpu.h"

#define GIC_N_SGIS   16
#define GIC_SPURIOUS 1023 /* acknowledged nothing: IHI 0069, 2.2.1 "Special INTIDs" */

typedef struct {
  unsigned intid;
  uint32_t token; /* what acknowledging read, and ending wants back */
} GicInterrupt;

/* Once, on the boot CPU. False: there is none. */
bool gic_init(void);
/*
 * On every CPU, the boot CPU included: its SGIs and PPIs come to it as soon as they are enabled and PSTATE lets them.
 */
void gic_init_cpu(void);
const char *gic_name(void);

void gic_enable(unsigned intid); /* SGI or PPI, of this CPU */
/* To CPU number CPU: its place in machine.mpidr. */
void gic_send_sgi(unsigned intid, unsigned cpu);

/* The highest pending interrupt: it is active from now on, and comes no second time before it is ended. */
GicInterrupt gic_acknowledge(void);
void gic_end(GicInterrupt interrupt);
