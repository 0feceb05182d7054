/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many CPUs. PSCI's CPU_ON brings each one up; together they count to a number that only comes out right if no
 * increment is lost; then each turns itself off, and AFFINITY_INFO says so. Twice, because a CPU that has been off once
 * must be able to come back.
 *
 * Boot arguments: count=N, increments of each CPU (10000).
 */
#include "cpus.h"
#include "guest.h"

#define ROUNDS       2
#define WAIT_SECONDS 30

const char *const guest_name = "smp";

/* In cache lines of their own, or every increment would also disturb those who wait for the start. */
static volatile uint64_t sum __attribute__((aligned(64)));
static volatile uint64_t arrived __attribute__((aligned(64)));
static volatile uint64_t start __attribute__((aligned(64)));
static volatile uint64_t done __attribute__((aligned(64)));

static uint64_t increments;

static void count(void) {
  for (uint64_t i = 0; i < increments; i++)
    atomic_add(&sum, 1);
  atomic_add(&done, 1);
}

/* On every CPU but the first. Returning turns it off. */
static void secondary(uint64_t round) {
  atomic_add(&arrived, 1);
  while (atomic_load(&start) < round)
    ;
  count();
}

static void bring_up(uint64_t round) {
  atomic_store(&arrived, 1);
  atomic_store(&done, 0);
  for (unsigned cpu = 1; cpu < machine.n_cpus; cpu++) {
    int32_t result = cpu_start(cpu, secondary, round);
    if (result != PSCI_SUCCESS)
      guest_fail("CPU_ON of CPU %u (0x%lx): %s", cpu, machine.mpidr[cpu], psci_error_name(result));
  }
  if (!wait_until(&arrived, machine.n_cpus, WAIT_SECONDS))
    guest_fail("%lu of %u CPUs came up", atomic_load(&arrived), machine.n_cpus);
  print("round %lu: %u CPUs are up\n", round, machine.n_cpus);
}

static void count_together(uint64_t round) {
  uint64_t wanted = increments * machine.n_cpus;

  atomic_store(&sum, 0);
  uint64_t before = counter();
  atomic_store(&start, round);
  count();
  if (!wait_until(&done, machine.n_cpus, WAIT_SECONDS))
    guest_fail("%lu of %u CPUs finished counting", atomic_load(&done), machine.n_cpus);
  uint64_t ticks = counter() - before;
  if (atomic_load(&sum) != wanted)
    guest_fail("counted to %lu instead of %lu", atomic_load(&sum), wanted);
  print("round %lu: counted to %lu together, %lu ticks\n", round, wanted, ticks);
}

static void wait_until_all_are_off(uint64_t round) {
  for (unsigned cpu = 1; cpu < machine.n_cpus; cpu++)
    if (!cpu_wait_off(cpu))
      guest_fail("CPU %u does not go off", cpu);
  print("round %lu: CPU 0 is alone again\n", round);
}

void guest_main(void) {
  increments = argument_number("count", 10000);
  for (uint64_t round = 1; round <= ROUNDS; round++) {
    bring_up(round);
    count_together(round);
    wait_until_all_are_off(round);
  }
}
