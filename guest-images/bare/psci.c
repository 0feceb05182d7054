/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI, call by call: Arm Power State Coordination Interface (DEN 0022), chapter 5. What has to work works, and
 * everything wrong gets the error that is meant for it. Prints TAP.
 *
 * Who answers matters little: KVM and, with boot argument psci=user, eret do the same (psci-answers compares to the
 * letter). psci=qemu: QEMU's emulation, which looks at fewer arguments.
 */
#include "cpus.h"
#include "exception.h"
#include "gic.h"
#include "guest.h"
#include "timer.h"

const char *const guest_name = "psci";

#define WAIT_SECONDS 10
#define RACES        16

typedef enum { BY_QEMU, BY_KERNEL, BY_USER } AnsweredBy;
static AnsweredBy answered_by;

#define PSCI_1_1            0x10001
#define SMCCC_VERSION       0x80000000u
#define MIGRATE_NOT_NEEDED  2 /* MIGRATE_INFO_TYPE: no Trusted OS that would have to migrate */
#define UNUSED_FUNCTION     0x8400001fu
#define NO_SUCH_CPU         0xfffefdull /* affinities count from 0 */
#define AFFINITY_LEVELS     4
#define RESET_TYPE_RESERVED 1
#define POWER_STATE_STANDBY 0

static void expect(const char *what, int32_t got, int32_t wanted) {
  check(got == wanted, "%s: %s%s%s", what, psci_error_name(wanted), got == wanted ? "" : ", not ",
        got == wanted ? "" : psci_error_name(got));
}

static void expect_of(AnsweredBy at_least, const char *what, int32_t got, int32_t wanted) {
  if (answered_by >= at_least)
    expect(what, got, wanted);
  else
    check_skipped(what, "not asked of QEMU");
}

static int32_t affinity_info(unsigned cpu) {
  return psci_call(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[cpu], 0, 0);
}

static int32_t turn_on(uint64_t mpidr, uint64_t entry) {
  return psci_call(PSCI_CPU_ON | PSCI_64BIT, mpidr, entry, 0);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

static void check_version(void) {
  int32_t version = psci_call(PSCI_VERSION, 0, 0, 0);

  check(version >= 2, "PSCI_VERSION: %d.%d", version >> 16, version & 0xffff);
  if (answered_by == BY_USER)
    check(version >= PSCI_1_1, "PSCI_VERSION is 1.1 at least");
}

static void check_features(void) {
  static const struct {
    const char *name;
    uint32_t function;
    AnsweredBy of;
  } implemented[] = {
      {"PSCI_FEATURES: PSCI_VERSION", PSCI_VERSION, BY_QEMU},
      {"PSCI_FEATURES: CPU_SUSPEND", PSCI_CPU_SUSPEND, BY_QEMU},
      {"PSCI_FEATURES: CPU_SUSPEND, 64-bit", PSCI_CPU_SUSPEND | PSCI_64BIT, BY_QEMU},
      {"PSCI_FEATURES: CPU_OFF", PSCI_CPU_OFF, BY_QEMU},
      {"PSCI_FEATURES: CPU_ON", PSCI_CPU_ON, BY_QEMU},
      {"PSCI_FEATURES: CPU_ON, 64-bit", PSCI_CPU_ON | PSCI_64BIT, BY_QEMU},
      {"PSCI_FEATURES: AFFINITY_INFO", PSCI_AFFINITY_INFO, BY_QEMU},
      {"PSCI_FEATURES: AFFINITY_INFO, 64-bit", PSCI_AFFINITY_INFO | PSCI_64BIT, BY_QEMU},
      {"PSCI_FEATURES: MIGRATE_INFO_TYPE", PSCI_MIGRATE_INFO_TYPE, BY_QEMU},
      {"PSCI_FEATURES: SYSTEM_OFF", PSCI_SYSTEM_OFF, BY_QEMU},
      {"PSCI_FEATURES: SYSTEM_RESET", PSCI_SYSTEM_RESET, BY_QEMU},
      {"PSCI_FEATURES: PSCI_FEATURES", PSCI_FEATURES, BY_QEMU},
      {"PSCI_FEATURES: SYSTEM_RESET2", PSCI_SYSTEM_RESET2, BY_KERNEL},
      {"PSCI_FEATURES: SYSTEM_RESET2, 64-bit", PSCI_SYSTEM_RESET2 | PSCI_64BIT, BY_KERNEL},
      {"PSCI_FEATURES: SMCCC_VERSION", SMCCC_VERSION, BY_KERNEL},
  };
  for (unsigned i = 0; i < sizeof implemented / sizeof *implemented; i++)
    expect_of(implemented[i].of, implemented[i].name, psci_call(PSCI_FEATURES, implemented[i].function, 0, 0), PSCI_SUCCESS);
  expect("PSCI_FEATURES: a function that does not exist", psci_call(PSCI_FEATURES, UNUSED_FUNCTION, 0, 0), PSCI_NOT_SUPPORTED);
  expect("PSCI_FEATURES: MIGRATE", psci_call(PSCI_FEATURES, PSCI_MIGRATE, 0, 0), PSCI_NOT_SUPPORTED);
}

static void check_not_supported(void) {
  int32_t type = psci_call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0);

  check(type == MIGRATE_NOT_NEEDED, "MIGRATE_INFO_TYPE: nothing to migrate");
  expect("MIGRATE", psci_call(PSCI_MIGRATE, machine.mpidr[0], 0, 0), PSCI_NOT_SUPPORTED);
  expect("MIGRATE_INFO_UP_CPU", psci_call(PSCI_MIGRATE_INFO_UP_CPU, 0, 0, 0), PSCI_NOT_SUPPORTED);
  expect("a function that does not exist", psci_call(UNUSED_FUNCTION, 0, 0, 0), PSCI_NOT_SUPPORTED);
  expect("a function that does not exist, 64-bit", psci_call(UNUSED_FUNCTION | PSCI_64BIT, 0, 0, 0), PSCI_NOT_SUPPORTED);
  expect("CPU_OFF has no 64-bit twin", psci_call(PSCI_CPU_OFF | PSCI_64BIT, 0, 0, 0), PSCI_NOT_SUPPORTED);
  expect_of(BY_KERNEL, "SYSTEM_RESET2 of a reserved type", psci_call(PSCI_SYSTEM_RESET2, RESET_TYPE_RESERVED, 0, 0),
            PSCI_INVALID_PARAMETERS);
}

/* --- wrong arguments ---------------------------------------------------------------------------------------------- */

static void check_affinity_info(void) {
  check(affinity_info(0) == PSCI_AFFINITY_ON, "AFFINITY_INFO of this CPU: on");
  expect("AFFINITY_INFO of no CPU", psci_call(PSCI_AFFINITY_INFO | PSCI_64BIT, NO_SUCH_CPU, 0, 0), PSCI_INVALID_PARAMETERS);
  expect_of(BY_KERNEL, "AFFINITY_INFO of a level that does not exist",
            psci_call(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[0], AFFINITY_LEVELS, 0), PSCI_INVALID_PARAMETERS);
  for (unsigned level = 1; level < AFFINITY_LEVELS; level++) {
    int32_t state = psci_call(PSCI_AFFINITY_INFO | PSCI_64BIT, machine.mpidr[0], level, 0);
    check(state == PSCI_AFFINITY_ON, "AFFINITY_INFO of this CPU's level %u: on", level);
  }
  expect_of(BY_KERNEL, "AFFINITY_INFO, 32-bit, does not look at upper halves",
            psci_call(PSCI_AFFINITY_INFO, machine.mpidr[0] | 0xdeadbeefull << 32, 1ull << 32, 0), PSCI_AFFINITY_ON);
}

static void check_cpu_on_errors(void) {
  uint64_t entry = (uint64_t)secondary_entry;

  expect("CPU_ON of this CPU", turn_on(machine.mpidr[0], entry), PSCI_ALREADY_ON);
  expect("CPU_ON of no CPU", turn_on(NO_SUCH_CPU, entry), PSCI_INVALID_PARAMETERS);
  expect("CPU_ON of a name with other bits than affinities", turn_on(machine.mpidr[0] | 1ull << 31, entry), PSCI_INVALID_PARAMETERS);
}

/* --- suspending --------------------------------------------------------------------------------------------------- */

/* Interrupts stay masked: a pending one wakes the CPU all the same, and nobody takes it. */
static void check_suspend(void) {
  if (!gic_init()) {
    check_skipped("CPU_SUSPEND, standby", "no GIC to wake up by");
    return;
  }
  gic_enable(machine.timer_intid);
  timer_start(timer_ticks_of_ms(5));
  expect("CPU_SUSPEND, standby, until the timer's interrupt", psci_call(PSCI_CPU_SUSPEND, POWER_STATE_STANDBY, 0, 0), PSCI_SUCCESS);
  timer_stop();
}

/* --- on and off --------------------------------------------------------------------------------------------------- */

static volatile uint64_t runs, release, seen_argument;

static void on_cpu(uint64_t argument) {
  atomic_store(&seen_argument, argument);
  uint64_t run = atomic_add(&runs, 1);
  while (atomic_load(&release) < run)
    ;
}

/* Lets the CPU that is up in run number RUN go off. */
static bool send_off(unsigned cpu, uint64_t run) {
  atomic_store(&release, run);
  return cpu_wait_off(cpu);
}

/* With the same arguments: should it be taken for good, they still fit. */
static void check_on_at_once_again(uint64_t argument) {
  if (answered_by == BY_QEMU) { /* it says SUCCESS again until the CPU really runs */
    check_skipped("CPU_ON at once again", "not asked of QEMU");
    return;
  }
  int32_t again = cpu_start(1, on_cpu, argument);
  expect("CPU_ON at once again", again, PSCI_ALREADY_ON);
  check(affinity_info(1) == PSCI_AFFINITY_ON, "AFFINITY_INFO at once: on");
}

static void check_on_and_off(void) {
  const uint64_t argument = 0x123456789abcull; /* 48 bits */
  uint64_t run = atomic_load(&runs) + 1;

  check(affinity_info(1) == PSCI_AFFINITY_OFF, "AFFINITY_INFO of a CPU that never was on: off");
  expect("CPU_ON", cpu_start(1, on_cpu, argument), PSCI_SUCCESS);
  check_on_at_once_again(argument);
  check(wait_until(&runs, run, WAIT_SECONDS), "the CPU runs");
  check(atomic_load(&seen_argument) == argument, "with its context argument");
  check(affinity_info(1) == PSCI_AFFINITY_ON, "AFFINITY_INFO: on");
  expect("CPU_ON of a CPU that is on", turn_on(machine.mpidr[1], (uint64_t)secondary_entry), PSCI_ALREADY_ON);
  check(send_off(1, run), "CPU_OFF, and AFFINITY_INFO: off");
}

/* SMC32: W registers. What is in the upper halves is left over from something else, and nobody's business. */
static void check_on_32bit(void) {
  const uint64_t garbage = 0xdeadbeefull << 32;
  uint64_t run = atomic_load(&runs) + 1, context = cpu_context(1, on_cpu, 0x77);

  if (answered_by == BY_QEMU) {
    check_skipped("CPU_ON, 32-bit, does not look at upper halves", "not asked of QEMU");
    return;
  }
  expect("CPU_ON, 32-bit, does not look at upper halves",
         psci_call(PSCI_CPU_ON, machine.mpidr[1] | garbage, (uint64_t)secondary_entry | garbage, context | garbage), PSCI_SUCCESS);
  check(wait_until(&runs, run, WAIT_SECONDS) && atomic_load(&seen_argument) == 0x77, "the CPU runs, with 32 bits of context");
  check(send_off(1, run), "and goes off");
}

/* --- the race ----------------------------------------------------------------------------------------------------- */

enum { RACER_A = 1, RACER_B = 2, PRIZE = 3 };

static volatile uint64_t at_start, race, racers_done;
static volatile uint64_t answers[PRIZE]; /* by racer */

/* Each racer names itself in the context argument, so that one can see whose call it was that counted. */
static void racer(uint64_t contexts) {
  unsigned self = cpu_index();

  (void)contexts;
  for (uint64_t number = 1; number <= RACES; number++) {
    atomic_add(&at_start, 1);
    while (atomic_load(&race) < number)
      ;
    int32_t answer = psci_call(PSCI_CPU_ON | PSCI_64BIT, machine.mpidr[PRIZE], (uint64_t)secondary_entry, (uint64_t)self << 16 | PRIZE);
    atomic_store(&answers[self], (uint64_t)(int64_t)answer);
    atomic_add(&racers_done, 1);
  }
}

typedef struct {
  unsigned one_winner, right_context, off_again;
} RaceResults;

static bool run_race(uint64_t number, RaceResults *results) {
  uint64_t run = atomic_load(&runs) + 1;

  if (!wait_until(&at_start, 2 * number, WAIT_SECONDS))
    return false;
  atomic_store(&race, number);
  if (!wait_until(&racers_done, 2 * number, WAIT_SECONDS) || !wait_until(&runs, run, WAIT_SECONDS))
    return false;
  int32_t a = (int32_t)atomic_load(&answers[RACER_A]), b = (int32_t)atomic_load(&answers[RACER_B]);
  int32_t loser = a == PSCI_SUCCESS ? b : a;
  results->one_winner += (a == PSCI_SUCCESS) != (b == PSCI_SUCCESS) && loser == PSCI_ALREADY_ON;
  results->right_context += atomic_load(&seen_argument) == (a == PSCI_SUCCESS ? RACER_A : RACER_B);
  results->off_again += send_off(PRIZE, run);
  return true;
}

static void check_race(void) {
  RaceResults results = {0};
  uint64_t number = 1;

  if (machine.n_cpus <= PRIZE || answered_by == BY_QEMU) {
    check_skipped("two CPUs turn on a third", answered_by == BY_QEMU ? "not asked of QEMU" : "four CPUs are needed");
    return;
  }
  cpu_context(PRIZE, on_cpu, 0);
  if (cpu_start(RACER_A, racer, 0) != PSCI_SUCCESS || cpu_start(RACER_B, racer, 0) != PSCI_SUCCESS)
    guest_fail("the racers do not come up");
  while (number <= RACES && run_race(number, &results))
    number++;
  check(number > RACES, "two CPUs turn on a third, %u times", RACES);
  check(results.one_winner == RACES, "exactly one is told SUCCESS, the other ALREADY_ON (%u times)", results.one_winner);
  check(results.right_context == RACES, "the third CPU comes up with the winner's context");
  check(results.off_again == RACES, "and goes off each time");
  check(number > RACES && cpu_wait_off(RACER_A) && cpu_wait_off(RACER_B), "the two go off");
}

void guest_main(void) {
  answered_by = argument_is("psci", "user") ? BY_USER : argument_is("psci", "qemu") ? BY_QEMU : BY_KERNEL;
  check_version();
  check_features();
  check_not_supported();
  check_affinity_info();
  check_cpu_on_errors();
  check_suspend();
  if (machine.n_cpus < 2) {
    check_skipped("CPU_ON and CPU_OFF", "one CPU alone");
    return;
  }
  check_on_and_off();
  check_on_32bit();
  check_race();
}
