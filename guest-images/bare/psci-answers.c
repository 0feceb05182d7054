/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every PSCI function with every kind of argument, right and wrong, and what comes back: a line each, of all registers
 * that a call may change. It judges nothing. The same program under `--psci kernel` and `--psci user` has to print the
 * same lines: a guest cannot tell who answers.
 *
 * What does not return is left out, and comes in `psci`: power-off, resets, suspending the system, CPU_OFF.
 *
 * With boot argument `sleep` it does nothing but wait in CPU_SUSPEND, for five seconds.
 */
#include "cpus.h"
#include "gic.h"
#include "guest.h"
#include "timer.h"

const char *const guest_name = "psci-answers";

#define FUNCTIONS      0x20
#define WAIT_SECONDS   10
#define SLEEP_MS       5000
#define CALLS_MAX      20 /* a host may cut a sleep short, for signals and the like */
#define SYSTEM_SUSPEND 0x8400000eu
#define SYSTEM_OFF2    0x84000015u
#define SMCCC_VERSION  0x80000000u
#define SMCCC_FEATURES 0x80000001u
#define GARBAGE        0xdeadbeef00000000ull
#define NOT_RAM        0x09000000ull /* the UART */
#define FIRST_KEPT     4             /* x4 to x17 survive every call (DEN 0028) */

static void answer(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3) {
  uint64_t x[ERET_N_REGISTERS] = {0, x1, x2, x3};
  unsigned changed = 0;

  for (unsigned i = FIRST_KEPT; i < ERET_N_REGISTERS; i++)
    x[i] = GARBAGE + i;
  eret_call(machine.psci, function, x, ERET_N_REGISTERS - 1, ERET_N_REGISTERS);
  for (unsigned i = FIRST_KEPT; i < ERET_N_REGISTERS; i++)
    changed += x[i] != GARBAGE + i;
  print("answer %08x(%lx, %lx, %lx): %lx %lx %lx %lx%s\n", function, x1, x2, x3, x[0], x[1], x[2], x[3], changed ? ", and others" : "");
}

static bool returns(uint32_t function) {
  static const uint32_t ends[] = {PSCI_CPU_OFF, PSCI_SYSTEM_OFF, PSCI_SYSTEM_RESET};
  static const uint32_t others_turn[] = {PSCI_CPU_SUSPEND, PSCI_CPU_ON, SYSTEM_SUSPEND, PSCI_SYSTEM_RESET2, SYSTEM_OFF2};

  for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++)
    if (function == ends[i])
      return false;
  for (unsigned i = 0; i < sizeof others_turn / sizeof *others_turn; i++)
    if ((function & ~PSCI_64BIT) == others_turn[i])
      return false;
  return true;
}

static void all_functions(void) {
  for (unsigned n = 0; n < 2 * FUNCTIONS; n++) {
    uint32_t function = PSCI_VERSION + n % FUNCTIONS + (n < FUNCTIONS ? 0 : PSCI_64BIT);
    if (returns(function))
      answer(function, GARBAGE | n, ~0ull, GARBAGE);
  }
  for (uint32_t function = 0x95c1ba5e; function <= 0x95c1ba61; function++) /* KVM's IDs for PSCI 0.1 */
    answer(function, machine.mpidr[1], (uint64_t)secondary_entry, 0);
}

static void features(void) {
  static const uint64_t others[] = {
      0,          1,          SMCCC_VERSION, SMCCC_FEATURES,        0x80008000,           0x8000ffff, 0xc0000000, 0x84000050, 0x86000000,
      0x95c1ba5e, 0xc6004506, 0xffffffff,    GARBAGE | PSCI_CPU_ON, GARBAGE | SYSTEM_OFF2};

  for (unsigned n = 0; n < FUNCTIONS; n++) {
    answer(PSCI_FEATURES, PSCI_VERSION + n, 0, 0);
    answer(PSCI_FEATURES, PSCI_VERSION + n + PSCI_64BIT, 0, 0);
  }
  for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
    answer(PSCI_FEATURES, others[i], ~0ull, ~0ull);
  answer(SMCCC_VERSION, ~0ull, ~0ull, ~0ull);
  for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
    answer(SMCCC_FEATURES, others[i], ~0ull, ~0ull);
}

/* Names of CPUs: CPU 0 and 1 are on, CPU 2 is off. */
static unsigned targets(uint64_t names[]) {
  static const uint64_t wrong[] = {0xff,       0x100,      0xfffefd,   0xffffff, 1ull << 24, 1ull << 30,
                                   1ull << 31, 1ull << 32, 1ull << 40, GARBAGE,  ~0ull};
  unsigned n = 0;

  for (unsigned cpu = 0; cpu < 3; cpu++) {
    names[n++] = machine.mpidr[cpu];
    names[n++] = machine.mpidr[cpu] | 1ull << 31;
    names[n++] = machine.mpidr[cpu] | 1ull << 63;
  }
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
    names[n++] = wrong[i];
  return n;
}

static void affinities(void) {
  static const uint64_t levels[] = {0, 1, 2, 3, 4, 64, 0xffffffff, 1ull << 32, 1ull << 32 | 1, ~0ull};
  uint64_t names[20];
  unsigned n = targets(names);

  for (unsigned i = 0; i < n; i++)
    for (unsigned level = 0; level < sizeof levels / sizeof *levels; level++) {
      if (level >= 2 && i % 4 != 0)
        continue;
      answer(PSCI_AFFINITY_INFO, names[i], levels[level], ~0ull);
      answer(PSCI_AFFINITY_INFO | PSCI_64BIT, names[i], levels[level], ~0ull);
    }
}

/* Nothing here turns a CPU on: names of CPUs that are on, and of none. */
static void cpu_on_refused(void) {
  static const uint64_t entries[] = {0, 1, 2, NOT_RAM, ~0ull};
  uint64_t names[20];
  unsigned n = targets(names);

  for (unsigned i = 0; i < n; i++) {
    bool is_off = (names[i] & MPIDR_AFFINITY) == machine.mpidr[2];
    for (unsigned entry = 0; entry < sizeof entries / sizeof *entries; entry++)
      if (names[i] != machine.mpidr[2] && (entry == 0 || i % 4 == 0))
        answer(PSCI_CPU_ON | PSCI_64BIT, names[i], entries[entry], ~0ull);
    if (!is_off && (uint32_t)names[i] != machine.mpidr[2])
      answer(PSCI_CPU_ON, names[i], (uint64_t)secondary_entry, ~0ull);
  }
}

/* An interrupt is pending, for nobody to take: waiting for one is over at once. */
static void suspending(void) {
  static const uint64_t states[] = {0, 1, 0xffff, 1u << 16, 1u << 17, 1u << 24, 1u << 26, 1u << 31, 1ull << 32, ~0ull};

  if (!gic_init())
    return;
  gic_enable(machine.timer_intid);
  timer_start(1);
  for (unsigned i = 0; i < sizeof states / sizeof *states; i++) {
    answer(PSCI_CPU_SUSPEND, states[i], NOT_RAM, 0);
    answer(PSCI_CPU_SUSPEND | PSCI_64BIT, states[i], NOT_RAM + 2, ~0ull);
  }
  timer_stop();
}

/* The CPU stands by until the timer's interrupt is pending, which nobody takes. */
static void sleep_until_interrupt(uint64_t milliseconds) {
  unsigned calls = 0;

  if (!gic_init())
    return;
  gic_enable(machine.timer_intid);
  timer_start(timer_ticks_of_ms(milliseconds));
  for (uint64_t due = read_sysreg(cntv_cval_el0); counter() < due && calls < CALLS_MAX; calls++)
    psci_call(PSCI_CPU_SUSPEND | PSCI_64BIT, 0, 0, 0);
  timer_stop();
  check(calls < CALLS_MAX, "CPU_SUSPEND waits for an interrupt");
}

static void system_refused(void) {
  static const uint64_t types[] = {1, 2, 0x7fffffff, GARBAGE | 1};

  for (unsigned i = 0; i < sizeof types / sizeof *types; i++) {
    answer(PSCI_SYSTEM_RESET2, types[i], 0, 0);
    answer(PSCI_SYSTEM_RESET2 | PSCI_64BIT, types[i], 0, 0);
    answer(SYSTEM_OFF2, types[i] + 1, 0, 0); /* 1 is one that there is */
    answer(SYSTEM_OFF2 | PSCI_64BIT, types[i] + 1, 0, 0);
    answer(SYSTEM_OFF2, i % 2, 1 + types[i], 0);
    answer(SYSTEM_OFF2 | PSCI_64BIT, i % 2, 1ull << 32, 0);
  }
}

static volatile uint64_t runs, released;

static void stay(uint64_t argument) {
  (void)argument;
  uint64_t run = atomic_add(&runs, 1);
  while (atomic_load(&released) < run)
    ;
}

/* Between CPU_ON and the CPU's first instruction. */
static void at_once_again(void) {
  for (unsigned round = 0; round < 4; round++) {
    uint64_t context = cpu_context(2, stay, 0), entry = (uint64_t)secondary_entry;
    uint64_t run = atomic_load(&runs) + 1;

    answer(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[2], entry, context);
    answer(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[2], entry, context);
    answer(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[2], 0, 0);
    answer(PSCI_CPU_ON, machine.mpidr[2], entry, context);
    check(wait_until(&runs, run, WAIT_SECONDS), "the CPU comes up");
    answer(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[2], entry, context);
    atomic_store(&released, run);
    check(cpu_wait_off(2), "and goes off");
    answer(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[2], 0, 0);
  }
}

/* Nobody looks at the address; the CPUs are lost. */
static void nowhere(void) {
  answer(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[2], (uint64_t)secondary_entry + 2, 0);
  answer(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[2], 0, 0);
  answer(PSCI_CPU_ON, machine.mpidr[3], GARBAGE | NOT_RAM, 0);
  answer(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[3], 0, 0);
  answer(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[3], (uint64_t)secondary_entry, 0);
}

void guest_main(void) {
  if (argument_present("sleep")) {
    print("sleeping\n");
    sleep_until_interrupt(SLEEP_MS);
    return;
  }
  if (machine.n_cpus < 4)
    guest_skip("it wants --cpus 4");
  if (cpu_start(1, stay, 0) != PSCI_SUCCESS || !wait_until(&runs, 1, WAIT_SECONDS))
    guest_fail("CPU 1 does not come up");
  all_functions();
  features();
  affinities();
  cpu_on_refused();
  suspending();
  sleep_until_interrupt(20);
  system_refused();
  atomic_store(&released, 1);
  check(cpu_wait_off(1), "CPU 1 goes off");
  at_once_again();
  nowhere();
}
