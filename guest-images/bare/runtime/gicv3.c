/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GICv3: Arm IHI 0069. The distributor is for devices' interrupts; each CPU has a redistributor for its own, found by
 * affinity.
 */
#include "gic-ops.h"
#include "guest.h"
#include "machine.h"

/* GICD_CTLR, as software sees it that knows one security state or is not the secure one: 12.9.4 */
#define GICD_CTLR_ENABLE_GROUP1 (1u << 1)
#define GICD_CTLR_ARE           (1u << 4)  /* affinity routing, without which it would be a GICv2 */
#define GICD_CTLR_RWP           (1u << 31) /* a write is still under way */

/*
 * Redistributor: two frames of 64 KiB, 12.10. The second has the registers of interrupts 0 to 31 where the distributor
 * has the others.
 */
#define GICR_TYPER            0x0008
#define GICR_WAKER            0x0014
#define GICR_FRAMES           0x20000
#define GICR_SGI              0x10000
#define GICR_TYPER_LAST       (1u << 4) /* of its region */
#define GICR_AFFINITY(typer)  ((uint32_t)((typer) >> 32))
#define WAKER_PROCESSOR_SLEEP (1u << 1)
#define WAKER_CHILDREN_ASLEEP (1u << 2)

/* The CPU interface, 12.2, by encoding: assemblers know the names only with an extension. */
#define ICC_SRE_EL1                        s3_0_c12_c12_5
#define ICC_PMR_EL1                        s3_0_c4_c6_0
#define ICC_IGRPEN1_EL1                    s3_0_c12_c12_7
#define ICC_CTLR_EL1                       s3_0_c12_c12_4
#define ICC_SGI1R_EL1                      s3_0_c12_c11_5
#define ICC_IAR1_EL1                       s3_0_c12_c12_0
#define ICC_EOIR1_EL1                      s3_0_c12_c12_1
#define read_icc(name)                     read_sysreg_expanded(name)
#define write_icc(name, value)             write_sysreg_expanded(name, value)
#define read_sysreg_expanded(name)         read_sysreg(name)
#define write_sysreg_expanded(name, value) write_sysreg(name, value)

#define IAR_INTID(iar) ((iar)&0xffffff)

static uint64_t redistributors[MAX_CPUS]; /* by CPU; 0: not looked for yet */

static void gicv3_init(void) {
  uint64_t distributor = machine.gic_distributor;

  mmio_write32(distributor + GICD_CTLR, GICD_CTLR_ARE | GICD_CTLR_ENABLE_GROUP1);
  while (mmio_read32(distributor + GICD_CTLR) & GICD_CTLR_RWP)
    ;
}

/* GICR_TYPER has the affinity in 63:32, Aff3 on top; MPIDR_EL1 has a hole below Aff3. */
static uint64_t find_redistributor(uint64_t mpidr) {
  uint32_t affinity = (uint32_t)(mpidr >> 32 & 0xff) << 24 | (uint32_t)(mpidr & 0xffffff);
  uint64_t end = machine.gic_redistributor + machine.gic_redistributor_size;

  for (uint64_t at = machine.gic_redistributor; at < end; at += GICR_FRAMES) {
    uint64_t typer = mmio_read64(at + GICR_TYPER);
    if (GICR_AFFINITY(typer) == affinity)
      return at;
    if (typer & GICR_TYPER_LAST)
      break;
  }
  guest_fail("CPU %u has no redistributor", cpu_index());
}

static void wake(uint64_t redistributor) {
  mmio_write32(redistributor + GICR_WAKER, mmio_read32(redistributor + GICR_WAKER) & ~WAKER_PROCESSOR_SLEEP);
  while (mmio_read32(redistributor + GICR_WAKER) & WAKER_CHILDREN_ASLEEP)
    ;
}

static void gicv3_init_cpu(void) {
  unsigned cpu = cpu_index();
  uint64_t redistributor = redistributors[cpu] = find_redistributor(machine.mpidr[cpu]);

  wake(redistributor);
  mmio_write32(redistributor + GICR_SGI + GICD_IGROUPR, 0xffffffff); /* all in group 1: what EL1 gets as IRQ */
  for (unsigned i = 0; i < 32; i += 4)
    mmio_write32(redistributor + GICR_SGI + GICD_IPRIORITYR + i, GIC_PRIORITY_MID);
  write_icc(ICC_SRE_EL1, 1);
  isb();
  write_icc(ICC_PMR_EL1, GIC_PRIORITY_LAST);
  write_icc(ICC_CTLR_EL1, 0); /* EOImode 0: ending an interrupt also deactivates it */
  write_icc(ICC_IGRPEN1_EL1, 1);
  isb();
}

static void gicv3_enable(unsigned intid) {
  mmio_write32(redistributors[cpu_index()] + GICR_SGI + GICD_ISENABLER, 1u << intid);
}

/* ICC_SGI1R_EL1: the target's affinity fields, and a bit for each of 16 neighbours in Aff0: 12.2.20. */
static void gicv3_send_sgi(unsigned intid, unsigned cpu) {
  uint64_t mpidr = machine.mpidr[cpu];
  uint64_t aff0 = mpidr & 0xff, aff1 = mpidr >> 8 & 0xff, aff2 = mpidr >> 16 & 0xff, aff3 = mpidr >> 32 & 0xff;

  write_icc(ICC_SGI1R_EL1, aff3 << 48 | aff0 / 16 << 44 | aff2 << 32 | (uint64_t)intid << 24 | aff1 << 16 | 1ull << aff0 % 16);
  isb();
}

static GicInterrupt gicv3_acknowledge(void) {
  uint32_t iar = (uint32_t)read_icc(ICC_IAR1_EL1);
  dsb(); /* the acknowledgement has reached the redistributor before anything else happens */
  return (GicInterrupt){.intid = IAR_INTID(iar), .token = iar};
}

static void gicv3_end(GicInterrupt interrupt) {
  write_icc(ICC_EOIR1_EL1, interrupt.token);
  isb();
}

const GicOps gicv3_ops = {
    .name = "GICv3",
    .init = gicv3_init,
    .init_cpu = gicv3_init_cpu,
    .enable = gicv3_enable,
    .send_sgi = gicv3_send_sgi,
    .acknowledge = gicv3_acknowledge,
    .end = gicv3_end,
};
