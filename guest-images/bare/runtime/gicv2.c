/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv2: Arm IHI 0048. Up to 8 CPUs; each one's interface lies at the same address and answers each CPU with its own
 * state.
 */
#include "gic-ops.h"
#include "machine.h"

/* CPU interface: 4.1.3 */
#define GICC_CTLR 0x00
#define GICC_PMR  0x04
#define GICC_IAR  0x0c
#define GICC_EOIR 0x10

#define CTLR_ENABLE      1 /* of distributor and CPU interface: group 0, where every interrupt is after reset */
#define IAR_INTID(iar)   ((iar)&0x3ff)
#define SGIR_TARGET(set) ((uint32_t)(set) << 16)

/* GICv2 has its own names for CPUs: bits. Which is whose, each CPU must find out itself. */
static uint8_t cpu_bits[MAX_CPUS];

static void write_distributor(unsigned offset, uint32_t value) {
  mmio_write32(machine.gic_distributor + offset, value);
}

static void gicv2_init(void) {
  write_distributor(GICD_CTLR, CTLR_ENABLE);
}

/* The registers of interrupts 0 to 31 exist once for each CPU. */
static void gicv2_init_cpu(void) {
  uint8_t bit = (uint8_t)mmio_read32(machine.gic_distributor + GICD_ITARGETSR);

  cpu_bits[cpu_index()] = bit ? bit : 1; /* one CPU alone reads zeros */
  for (unsigned i = 0; i < 32; i += 4)
    write_distributor(GICD_IPRIORITYR + i, GIC_PRIORITY_MID);
  mmio_write32(machine.gic_cpu_interface + GICC_PMR, GIC_PRIORITY_LAST);
  mmio_write32(machine.gic_cpu_interface + GICC_CTLR, CTLR_ENABLE);
}

static void gicv2_enable(unsigned intid) {
  write_distributor(GICD_ISENABLER, 1u << intid);
}

static void gicv2_send_sgi(unsigned intid, unsigned cpu) {
  write_distributor(GICD_SGIR, SGIR_TARGET(cpu_bits[cpu]) | intid);
}

/* For an SGI the sender's number is part of it, and wanted back: each sender's is an interrupt of its own. */
static GicInterrupt gicv2_acknowledge(void) {
  uint32_t iar = mmio_read32(machine.gic_cpu_interface + GICC_IAR);
  return (GicInterrupt){.intid = IAR_INTID(iar), .token = iar};
}

static void gicv2_end(GicInterrupt interrupt) {
  mmio_write32(machine.gic_cpu_interface + GICC_EOIR, interrupt.token);
}

const GicOps gicv2_ops = {
    .name = "GICv2",
    .init = gicv2_init,
    .init_cpu = gicv2_init_cpu,
    .enable = gicv2_enable,
    .send_sgi = gicv2_send_sgi,
    .acknowledge = gicv2_acknowledge,
    .end = gicv2_end,
};
