/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access that a hypervisor carries out for the CPU has no more rights than the CPU's own would have had. A pair of
 * registers stored to a device traps to EL2; whoever fetches the instruction and carries it out there goes around the
 * MMU, so all that the MMU would have refused has to be refused again: the part that lies in another page, where the
 * program may not write, and the other instruction that a second CPU has put in its place in the meantime.
 *
 * Pages of a window (mmu.h) show eret's scratch page (`--scratch`) and a page of RAM with different permissions. First
 * pairs that lie in two of them; then, with two CPUs (`--cpus 2`), one CPU that runs an instruction that it may, over
 * and over, while the other exchanges it for one that it may not. Each at EL1 and at EL0.
 */
#include "cpus.h"
#include "exception.h"
#include "fdt.h"
#include "guest.h"
#include "mmu.h"
#include "user.h"

const char *const guest_name = "permissions";

#define SCRATCH_COMPATIBLE "eret,scratch"
#define BURST              20 /* rounds */
#define WAIT_SECONDS       30
#define OFFSET             64 /* of the access that is allowed, in DEVICE_FOR_ALL, or DEVICE_FOR_EL1 with PAN */
#define FAR_OFFSET         1024
#define PATTERN            0x5ec2e7005ec2e700ull /* in what must not be written, nor read */

/* The window. Neighbours are there for accesses that lie in both. */
enum {
  DEVICE_FOR_ALL, /* scratch */
  RAM_READ_ONLY,
  DEVICE_FOR_EL1,
  RAM_FOR_EL1,
  DEVICE_READ_ONLY,
  NOTHING,
  RAM_FOR_ALL,
  DEVICE_AGAIN, /* for all */
  ALSO_FOR_ALL, /* a device, */
  ALSO_FOR_EL1, /* two */
};

static uint64_t window;
static uint64_t ram_page[MMU_PAGE_SIZE / 8] __attribute__((aligned(MMU_PAGE_SIZE)));

static uint64_t at(unsigned page, unsigned offset) {
  return window + page * (uint64_t)MMU_PAGE_SIZE + offset;
}

/* Exceptions: how many instructions were refused, by whom. */
static volatile uint64_t n_refused_by_cpu, n_external;

static bool is_trap(unsigned ec) {
  return ec == EC_SIMD || ec == EC_SYSREG;
}

static bool count_abort(ExceptionFrame *frame, unsigned vector) {
  (void)vector;
  if (user_left(frame))
    return true;
  unsigned ec = ESR_EC(frame->esr);
  if (ec != EC_DATA_ABORT && ec != EC_DATA_ABORT_EL0 && !is_trap(ec))
    return false;
  *(!is_trap(ec) && ESR_DFSC(frame->esr) == DFSC_EXTERNAL_ABORT ? &n_external : &n_refused_by_cpu) += 1;
  frame->elr += INSTRUCTION_SIZE;
  return true;
}

/*
 * The program: runs what lies at `spot` ROUNDS times, and counts how often it read PATTERN. It may run at EL0, so it
 * knows its data by x0 alone. x1 and x6 are addresses, x2 and x3 are stored by what is allowed; x4 and x5 are zero
 * before each round.
 */
typedef struct {
  uint64_t allowed, forbidden; /* addresses: x1, x6 */
  uint64_t data[2];            /* x2, x3 */
  uint64_t pattern, rounds;    /* x7, x9 */
  uint64_t n_seen, last[2];    /* x10; x4 and x5 of the last round */
} Job;

void job_run(Job *job);
void job_user(void);
extern uint32_t spot;
asm(".pushsection .text\n"
    ".balign 64\n"
    "job_run:\n"
    "  ldp x1, x6, [x0]\n"
    "  ldp x2, x3, [x0, #16]\n"
    "  ldp x7, x9, [x0, #32]\n"
    "  ldr x10, [x0, #48]\n"
    "1: mov x4, #0\n"
    "  mov x5, #0\n"
    "spot:\n"
    "  nop\n"
    "  cmp x4, x7\n"
    "  cset x8, eq\n"
    "  add x10, x10, x8\n"
    "  subs x9, x9, #1\n"
    "  b.ne 1b\n"
    "  stp x10, x4, [x0, #48]\n"
    "  str x5, [x0, #64]\n"
    "  ret\n"
    "job_user:\n"
    "  bl job_run\n"
    "  svc #0x1e\n"
    ".popsection\n");

static void put(uint32_t instruction) {
  *(volatile uint32_t *)&spot = instruction;
  asm volatile("dc cvau, %0\n\tdsb ish\n\tic ivau, %0\n\tdsb ish\n\tisb" : : "r"(&spot) : "memory");
}

/* Instructions. */
#define LDP_X4_X5_X6   0xa94014c4u /* ldp x4, x5, [x6] */
#define LDP_X4_X5_X1   0xa9401424u /* ldp x4, x5, [x1] */
#define STP_X2_X3_X1   0xa9000c22u /* stp x2, x3, [x1] */
#define STP_X4_X5_X6   0xa90014c4u /* stp x4, x5, [x6] */
#define STR_X2_X1_POST 0xf8000422u /* str x2, [x1], #0 */
#define STTR_X4_X6     0xf80008c4u /* sttr x4, [x6] */
#define STP_Q4_Q5_X6   0xad0014c4u /* stp q4, q5, [x6] */
#define DC_ZVA_X6      0xd50b7426u /* dc zva, x6 */

static const char *const level_names[] = {"EL0", "EL1"};

static void run(Job *job, unsigned level) {
  job->pattern = PATTERN;
  dsb();
  if (level)
    job_run(job);
  else
    user_run(job_user, USER_WINDOW + (uint64_t)job);
  dsb();
}

/* RAM holds PATTERN everywhere, the device where it is looked at. */
static void prepare(void) {
  static const unsigned looked_at[] = {0, OFFSET, OFFSET + 8, FAR_OFFSET, 4088};

  for (unsigned i = 0; i < MMU_PAGE_SIZE / 8; i++)
    ram_page[i] = PATTERN;
  for (unsigned i = 0; i < sizeof looked_at / sizeof *looked_at; i++)
    mmio_write64(at(DEVICE_FOR_EL1, looked_at[i]), PATTERN);
  n_refused_by_cpu = n_external = 0;
  dsb();
}

static bool ram_is_whole(void) {
  for (unsigned i = 0; i < MMU_PAGE_SIZE / 8; i++)
    if (ram_page[i] != PATTERN)
      return false;
  return true;
}

/* One instruction whose access lies in two pages. It is refused, and has had no effect. */
typedef struct {
  const char *text;
  uint32_t instruction;
  unsigned page, offset;
  unsigned levels; /* 1: EL0, 2: EL1 */
} Straddle;

static const Straddle straddles[] = {
    {"a pair stored to a device, and on to RAM that is read-only", STP_X2_X3_X1, DEVICE_FOR_ALL, 4088, 3},
    {"a pair stored to a device, and on to RAM", STP_X2_X3_X1, DEVICE_FOR_EL1, 4088, 2},
    {"a pair stored to RAM, and on to a device", STP_X2_X3_X1, RAM_FOR_ALL, 4088, 3},
    {"a pair loaded from a device, and on from RAM", LDP_X4_X5_X1, DEVICE_FOR_ALL, 4088, 3},
    {"a register stored to a device, and on to RAM that is read-only", STR_X2_X1_POST, DEVICE_FOR_ALL, 4092, 3},
    {"a pair stored to a device, and on to one for EL1 alone", STP_X2_X3_X1, ALSO_FOR_ALL, 4088, 1},
};

static void try_straddle(const Straddle *straddle, unsigned level) {
  static Job job;

  prepare();
  put(straddle->instruction);
  job = (Job){.allowed = at(straddle->page, straddle->offset), .data = {1, 2}, .rounds = 1};
  run(&job, level);
  check(n_refused_by_cpu + n_external == 1, "%s, at %s: an abort", straddle->text, level_names[level]);
  check(ram_is_whole() && mmio_read64(at(DEVICE_FOR_EL1, 0)) == PATTERN, "and nothing is written where it may not");
  check(mmio_read64(at(DEVICE_FOR_EL1, 4088)) == PATTERN && !job.last[0] && !job.last[1], "nor anywhere else, nor read");
}

/* Two CPUs. */

static volatile uint64_t exchanging, stopped;
static const uint32_t *pair; /* the allowed one, the forbidden one */

static void exchange(uint64_t argument) {
  (void)argument;
  while (!atomic_load(&stopped)) {
    put(pair[exchanging % 2]);
    /* Out of step; and that which is allowed, which takes a way through the hypervisor, for longer. */
    for (uint64_t i = 0; i < exchanging % 61 * (exchanging % 2 ? 4 : 64); i++)
      asm volatile("yield");
    atomic_add(&exchanging, 1);
  }
}

typedef struct {
  const char *text;
  uint32_t instructions[2]; /* that which is allowed, and that which is not */
  unsigned page, offset;    /* x6: where it is not */
  unsigned levels;
  bool pan;
} Race;

/* Where both are on the same bytes of the device, the forbidden one alone would write the 8 behind. */
static const Race races[] = {
    {"a store to RAM that is read-only", {STP_X2_X3_X1, STP_X4_X5_X6}, RAM_READ_ONLY, 128, 3, false},
    {"a load from RAM for EL1 alone", {STP_X2_X3_X1, LDP_X4_X5_X6}, RAM_FOR_EL1, 128, 1, false},
    {"a store to RAM for EL1 alone", {STP_X2_X3_X1, STP_X4_X5_X6}, RAM_FOR_EL1, 128, 1, false},
    {"a store to a device that is read-only", {STR_X2_X1_POST, STP_X4_X5_X6}, DEVICE_READ_ONLY, OFFSET, 3, false},
    {"a store to a device for EL1 alone", {STR_X2_X1_POST, STP_X4_X5_X6}, DEVICE_FOR_EL1, OFFSET, 1, false},
    {"a load from a device for EL1 alone", {STR_X2_X1_POST, LDP_X4_X5_X6}, DEVICE_FOR_EL1, FAR_OFFSET, 1, false},
    {"a store as EL0's to a device for EL1 alone", {STR_X2_X1_POST, STTR_X4_X6}, DEVICE_FOR_EL1, OFFSET + 4, 2, false},
    {"a store of SIMD registers, which are off,", {STR_X2_X1_POST, STP_Q4_Q5_X6}, DEVICE_FOR_ALL, OFFSET, 3, false},
    {"DC ZVA, which EL0 may not,", {STR_X2_X1_POST, DC_ZVA_X6}, DEVICE_FOR_ALL, OFFSET, 1, false},
    {"a store to a device for EL0, with PAN", {STR_X2_X1_POST, STP_X4_X5_X6}, DEVICE_FOR_ALL, OFFSET, 2, true},
};

static void set_pan(bool on) {
  if (on)
    asm volatile(".arch_extension pan\n\tmsr pan, #1" : : : "memory");
  else
    asm volatile(".arch_extension pan\n\tmsr pan, #0" : : : "memory");
}

/*
 * Until both have been run a number of times. The CPUs may be far apart, where the host has not got so many itself, so
 * it goes on in bursts of a few rounds. Returns how many bursts there were with something that was allowed in it.
 */
static uint64_t run_race(Job *job, unsigned level, bool pan, uint64_t wanted) {
  uint64_t end = counter() + WAIT_SECONDS * counter_frequency(), done = 0;

  while ((done < wanted || n_refused_by_cpu < wanted) && counter() < end) {
    job->rounds = BURST;
    if (pan)
      set_pan(true);
    run(job, level);
    if (pan)
      set_pan(false);
    if (mmio_read64(at(DEVICE_FOR_EL1, OFFSET)) == PATTERN)
      continue;
    mmio_write64(at(DEVICE_FOR_EL1, OFFSET), PATTERN);
    done++;
  }
  return done;
}

static void try_race(const Race *race, unsigned level, uint64_t wanted) {
  static Job job;

  prepare();
  pair = race->instructions;
  job =
      (Job){.allowed = at(race->pan ? DEVICE_FOR_EL1 : DEVICE_FOR_ALL, OFFSET), .forbidden = at(race->page, race->offset), .data = {1, 2}};
  atomic_store(&stopped, 0);
  atomic_store(&exchanging, 0);
  if (cpu_start(1, exchange, 0) != PSCI_SUCCESS || !wait_until(&exchanging, 2, WAIT_SECONDS))
    guest_fail("the second CPU does not start");
  uint64_t done = run_race(&job, level, race->pan, wanted);
  atomic_store(&stopped, 1);
  if (!cpu_wait_off(1))
    guest_fail("the second CPU does not stop");
  print("exchanged %lu times, done %lu times, refused by the CPU %lu times, by who emulates %lu times\n", exchanging, done,
        n_refused_by_cpu, n_external);
  check(done >= wanted, "%s, at %s: what is allowed is done", race->text, level_names[level]);
  check(n_refused_by_cpu >= wanted && n_external == 0, "what is not, is the CPU's to refuse");
  check(ram_is_whole() && (race->instructions[0] != STR_X2_X1_POST || mmio_read64(at(DEVICE_FOR_EL1, OFFSET + 8)) == PATTERN),
        "and is not written");
  check(job.n_seen == 0, "nor read");
}

static bool has_pan(void) {
  return read_sysreg(id_aa64mmfr1_el1) >> 20 & 15; /* ID_AA64MMFR1_EL1.PAN */
}

static void map_window(uint64_t scratch) {
  mmu_map_page(DEVICE_FOR_ALL, scratch, MMU_FOR_EL0);
  mmu_map_page(RAM_READ_ONLY, (uint64_t)ram_page, MMU_FOR_EL0 | MMU_READ_ONLY);
  mmu_map_page(DEVICE_FOR_EL1, scratch, 0);
  mmu_map_page(RAM_FOR_EL1, (uint64_t)ram_page, 0);
  mmu_map_page(DEVICE_READ_ONLY, scratch, MMU_FOR_EL0 | MMU_READ_ONLY);
  mmu_map_page(RAM_FOR_ALL, (uint64_t)ram_page, MMU_FOR_EL0);
  mmu_map_page(DEVICE_AGAIN, scratch, MMU_FOR_EL0);
  mmu_map_page(ALSO_FOR_ALL, scratch, MMU_FOR_EL0);
  mmu_map_page(ALSO_FOR_EL1, scratch, 0);
}

void guest_main(void) {
  uint64_t scratch = 0, size = 0, wanted = argument_number("rounds", 40);

  fdt_reg(machine.fdt, fdt_find_compatible(machine.fdt, SCRATCH_COMPATIBLE), 0, &scratch, &size);
  window = mmu_window();
  if (!scratch || machine.n_cpus < 2)
    guest_skip("it takes a scratch page and two CPUs; eret run --scratch --cpus 2");
  if (!window)
    guest_skip("this CPU has no pages of 4 KiB");
  map_window(scratch);
  write_sysreg(cpacr_el1, read_sysreg(cpacr_el1) & ~(3ull << 20)); /* FPEN: SIMD traps */
  isb();
  exception_set_sync_handler(count_abort);
  for (unsigned i = 0; i < sizeof straddles / sizeof *straddles; i++)
    for (unsigned level = 0; level < 2; level++)
      if (straddles[i].levels >> level & 1)
        try_straddle(&straddles[i], level);
  for (unsigned i = 0; i < sizeof races / sizeof *races; i++)
    for (unsigned level = 0; level < 2; level++)
      if (races[i].levels >> level & 1 && (!races[i].pan || has_pan()))
        try_race(&races[i], level, wanted);
}
