/* SPDX-License-Identifier: Apache-2.0 */
#include "gic-ops.h"
#include "machine.h"

static const GicOps *gic;

bool gic_init(void) {
  static const GicOps *const kinds[] = {[GIC_NONE] = NULL, [GIC_V2] = &gicv2_ops, [GIC_V3] = &gicv3_ops};

  gic = kinds[machine.gic];
  if (!gic)
    return false;
  gic->init();
  gic_init_cpu();
  return true;
}

void gic_init_cpu(void) {
  gic->init_cpu();
}

const char *gic_name(void) {
  return gic->name;
}

void gic_enable(unsigned intid) {
  gic->enable(intid);
}

void gic_send_sgi(unsigned intid, unsigned cpu) {
  dsb(); /* what the other CPU is to find when it is interrupted is written before */
  gic->send_sgi(intid, cpu);
}

GicInterrupt gic_acknowledge(void) {
  return gic->acknowledge();
}

void gic_end(GicInterrupt interrupt) {
  gic->end(interrupt);
}
