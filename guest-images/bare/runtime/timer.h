/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual timer, one for each CPU: its interrupt line is high as long as it is enabled, not masked, and the counter
 * has reached CNTV_CVAL_EL0. Arm ARM, D12.2 "The AArch64 view of the Generic Timer".
 */
#pragma once

#include "cpu.h"

#define CNTV_CTL_ENABLE 1

static inline uint64_t timer_ticks_of_ms(uint64_t milliseconds) {
  return counter_frequency() * milliseconds / 1000;
}

/* The line goes up in so many ticks; until then it is down. */
static inline void timer_start(uint64_t ticks) {
  write_sysreg(cntv_cval_el0, counter() + ticks);
  write_sysreg(cntv_ctl_el0, CNTV_CTL_ENABLE);
  isb();
}

/* The line goes down. */
static inline void timer_stop(void) {
  write_sysreg(cntv_ctl_el0, 0);
  isb();
}
