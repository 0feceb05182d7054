/* SPDX-License-Identifier: Apache-2.0 */
#include "cpus.h"

#include "guest.h"
#include "machine.h"

#define WAIT_OFF_SECONDS 10

static CpuFunction functions[MAX_CPUS];

int32_t psci_call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3) {
  uint64_t x[ERET_N_REGISTERS] = {0, x1, x2, x3};
  return (int32_t)eret_call(machine.psci, function, x, 3, 1);
}

const char *psci_error_name(int32_t result) {
  static const char *const names[] = {
      "SUCCESS",    "NOT_SUPPORTED",    "INVALID_PARAMETERS", "DENIED",   "ALREADY_ON",
      "ON_PENDING", "INTERNAL_FAILURE", "NOT_PRESENT",        "DISABLED", "INVALID_ADDRESS",
  };
  return result <= 0 && -result < (int32_t)(sizeof names / sizeof *names) ? names[-result] : "none of PSCI's errors";
}

uint64_t cpu_context(unsigned cpu, CpuFunction function, uint64_t argument) {
  functions[cpu] = function;
  dsb();
  return argument << 16 | cpu;
}

int32_t cpu_start(unsigned cpu, CpuFunction function, uint64_t argument) {
  uint64_t context = cpu_context(cpu, function, argument);
  return psci_call(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[cpu], (uint64_t)secondary_entry, context);
}

/* From start.S. The answer to CPU_OFF is not to return. */
void runtime_secondary(uint64_t context);
void runtime_secondary(uint64_t context) {
  functions[cpu_index()](context >> 16);
  irq_mask();
  int32_t result = psci_call(PSCI_CPU_OFF, 0, 0, 0);
  guest_fail("CPU_OFF came back with %d", result);
}

bool cpu_wait_off(unsigned cpu) {
  uint64_t end = counter() + WAIT_OFF_SECONDS * counter_frequency();
  int32_t state;

  do
    state = psci_call(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[cpu], 0, 0);
  while (state != PSCI_AFFINITY_OFF && counter() < end);
  return state == PSCI_AFFINITY_OFF;
}

bool wait_until(const volatile uint64_t *value, uint64_t at_least, unsigned seconds) {
  uint64_t end = counter() + seconds * counter_frequency();

  while (atomic_load(value) < at_least)
    if (counter() > end)
      return false;
  return true;
}

void power_off(void) {
  psci_call(PSCI_SYSTEM_OFF, 0, 0, 0);
  for (;;)
    wait_for_interrupt();
}
