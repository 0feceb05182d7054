/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile caller: random function IDs with random registers, the same ones each time. Whatever comes back, x4 to x17
 * must be as they were (SMC Calling Convention, Arm DEN 0028, 2.6); and a function nobody has must be answered with -1.
 * At the end the machine still lives.
 *
 * Not called is what ends or suspends the machine or this CPU, starts others anywhere, or prints.
 *
 * Boot arguments: count=N (100000), seed=N (1).
 */
#include "cpus.h"
#include "guest.h"

const char *const guest_name = "fuzz";

#define FIRST_PRESERVED 4
#define PROGRESS        10 /* lines */
#define PAGE_EVERY      32 /* calls */

typedef struct {
  uint32_t first, last;
} Range;

/* Answered by somebody, one way or the other: what x0 says is theirs to choose. */
static const Range known[] = {
    {0x80000000, 0x8000ffff}, {0xc0000000, 0xc000ffff},                           /* Arm Architecture Calls: DEN 0028, 7 */
    {0x84000000, 0x8400001f}, {0xc4000000, 0xc400001f},                           /* PSCI: DEN 0022 */
    {0x84000050, 0x84000053}, {0xc4000050, 0xc4000053},                           /* random numbers: DEN 0098 */
    {0xc5000020, 0xc5000021},                                                     /* stolen time: DEN 0057 */
    {0x86000000, 0x8600007f}, {0x8600ff00, 0x8600ffff},                           /* KVM's own: Linux, include/linux/arm-smccc.h */
    {0xc6000000, 0xc600007f}, {0xc600ff00, 0xc600ffff}, {0xc6004500, 0xc6004506}, /* eret's */
};

/*
 * PSCI's CPU_SUSPEND to CPU_ON, SYSTEM_OFF and SYSTEM_RESET, CPU_FREEZE and all later ones of its range; KVM's PSCI
 * 0.1; eret_write, eret_exit.
 */
static const Range dangerous[] = {
    {0x84000001, 0x84000003}, {0xc4000001, 0xc4000003}, {0x84000008, 0x84000009}, {0xc4000008, 0xc4000009}, {0x8400000b, 0x8400001f},
    {0xc400000b, 0xc400001f}, {0x95c1ba5e, 0x95c1ba61}, {0xc6004501, 0xc6004501}, {0xc6004504, 0xc6004504},
};

static bool is_in(const Range *ranges, unsigned n, uint32_t function) {
  for (unsigned i = 0; i < n; i++)
    if (function >= ranges[i].first && function <= ranges[i].last)
      return true;
  return false;
}
#define IS_IN(ranges, function) is_in(ranges, sizeof(ranges) / sizeof *(ranges), function)

/* xorshift64* (S. Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016). */
static uint64_t state;

static uint64_t random(void) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545f4914f6cdd1dull;
}

/*
 * Truly random IDs seldom hit anything; three in four are near something that is there, or have the shape of what could
 * be.
 */
static uint32_t random_function(void) {
  uint32_t random32 = (uint32_t)(random() >> 32);

  switch (random() >> 62) {
  case 0:
    return random32;
  case 1: /* owner and function, DEN 0028, 2.5: a fast call of 8 services, the first 256 functions */
    return 0x80000000u | (random32 & 0x470000ff);
  case 2:
    return 0xc6004500u + (random32 & 0x1ff);
  default:
    return known[random32 % (sizeof known / sizeof *known)].first + (random32 >> 24);
  }
}

/* Registers are likely to be taken for lengths, addresses or affinities: also small ones, and ones in RAM. */
static uint64_t random_register(void) {
  uint64_t value = random();

  switch (random() >> 62) {
  case 0:
    return value & 0xff;
  case 1:
    return machine.ram_base + value % machine.ram_size;
  default:
    return value;
  }
}

typedef struct {
  uint64_t refused, answered;
} Counts;

static void judge(uint64_t number, uint32_t function, const uint64_t *before, const uint64_t *after, Counts *counts) {
  for (unsigned i = FIRST_PRESERVED; i < ERET_N_REGISTERS; i++)
    if (after[i] != before[i])
      guest_fail("call %lu, function 0x%08x: x%u was 0x%lx and is 0x%lx", number, function, i, before[i], after[i]);
  bool refused = (int64_t)after[0] == ERET_NOT_SUPPORTED;
  if (!refused && !IS_IN(known, function))
    guest_fail("call %lu, function 0x%08x: nobody has it, and it answers 0x%lx", number, function, after[0]);
  counts->refused += refused;
  counts->answered += !refused;
}

/*
 * HVC and SMC in turn. The doorbell page, where all registers go by one at a time, costs many calls' time: only now and
 * then.
 */
typedef struct {
  struct eret_door instructions[2], page;
  unsigned n_instructions;
  bool has_page;
} Doors;

static void find_doors(Doors *doors) {
  *doors = (Doors){.page = {ERET_DOOR_PAGE, (void *)machine.doorbell}, .has_page = machine.doorbell != 0};
  if (door_works(ERET_DOOR_HVC))
    doors->instructions[doors->n_instructions++] = (struct eret_door){ERET_DOOR_HVC, NULL};
  if (door_works(ERET_DOOR_SMC))
    doors->instructions[doors->n_instructions++] = (struct eret_door){ERET_DOOR_SMC, NULL};
}

static struct eret_door choose_door(const Doors *doors, uint64_t number) {
  if (doors->has_page && number % PAGE_EVERY == 0)
    return doors->page;
  return doors->instructions[number % doors->n_instructions];
}

static void call_once(uint64_t number, struct eret_door door, Counts *counts) {
  uint64_t before[ERET_N_REGISTERS], after[ERET_N_REGISTERS];
  uint32_t function;

  do
    function = random_function();
  while (IS_IN(dangerous, function));
  for (unsigned i = 0; i < ERET_N_REGISTERS; i++)
    before[i] = after[i] = random_register();
  eret_call(door, function, after, ERET_N_REGISTERS - 1, ERET_N_REGISTERS);
  judge(number, function, before, after, counts);
}

void guest_main(void) {
  Doors doors;
  uint64_t count = argument_number("count", 100000);
  Counts counts = {0};

  state = argument_number("seed", 1);
  if (state == 0)
    guest_skip("seed=0 would stay 0 for ever");
  find_doors(&doors);
  if (doors.n_instructions == 0)
    guest_skip("nobody answers HVC or SMC here");
  print("%lu calls through %u doors\n", count, doors.n_instructions + doors.has_page);
  for (uint64_t i = 1; i <= count; i++) {
    call_once(i, choose_door(&doors, i), &counts);
    if (count >= PROGRESS && i % (count / PROGRESS) == 0)
      print("%lu calls: %lu refused, %lu answered\n", i, counts.refused, counts.answered);
  }
  int32_t version = psci_call(PSCI_VERSION, 0, 0, 0);
  if (version <= 0)
    guest_fail("PSCI_VERSION answers %d afterwards", version);
  print("the machine lives: PSCI %d.%d still answers\n", version >> 16, version & 0xffff);
}
