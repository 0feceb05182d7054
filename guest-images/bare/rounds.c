/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long is the way to EL2 and back? Each line is one kind of round trip: eret's no-op by HVC, by SMC and by the
 * doorbell page, and a read of a device register. All of them: trap to EL2, KVM, return from KVM_RUN, eret, KVM_RUN,
 * ERET. The no-ops differ in what eret has to fetch and put back.
 *
 * Boot arguments: rounds=N (1000).
 */
#include "guest.h"

const char *const guest_name = "rounds";

#define NS_PER_SECOND 1000000000ull
#define UARTFR        0x18 /* PL011's flag register: reading it changes nothing */

static uint64_t rounds;

/* One round. False: it was refused. */
typedef bool (*Round)(struct eret_door door);

static bool round_nop(struct eret_door door) {
  return eret_nop(door) == ERET_SUCCESS;
}

static bool round_uart(struct eret_door door) {
  (void)door;
  mmio_read32(machine.uart + UARTFR);
  return true;
}

static void measure(const char *name, Round round, struct eret_door door) {
  uint64_t before = counter();

  for (uint64_t i = 0; i < rounds; i++)
    if (!round(door))
      guest_fail("%s: refused in round %lu", name, i);
  uint64_t ticks = counter() - before;
  uint64_t ns = ticks / rounds * NS_PER_SECOND / counter_frequency();
  print("%-8s  %lu rounds, %lu ticks a round, %lu ns\n", name, rounds, ticks / rounds, ns);
}

static unsigned measure_door(const char *name, struct eret_door door, bool there) {
  if (!there || eret_version(door, NULL, NULL) != ERET_SUCCESS) {
    print("%-8s  not answered here\n", name);
    return 0;
  }
  measure(name, round_nop, door);
  return 1;
}

void guest_main(void) {
  struct eret_door hvc = {ERET_DOOR_HVC, NULL}, smc = {ERET_DOOR_SMC, NULL}, page = {ERET_DOOR_PAGE, (void *)machine.doorbell};
  unsigned n_doors = 0;

  rounds = argument_number("rounds", 1000);
  if (rounds == 0)
    guest_skip("rounds=0");
  print("the counter has %lu ticks a second\n", counter_frequency());
  n_doors += measure_door("hvc", hvc, door_works(ERET_DOOR_HVC));
  n_doors += measure_door("smc", smc, door_works(ERET_DOOR_SMC));
  n_doors += measure_door("doorbell", page, machine.doorbell != 0);
  if (machine.uart)
    measure("pl011", round_uart, hvc);
  if (!n_doors)
    guest_skip("nobody answers eret's hypercalls here");
}
