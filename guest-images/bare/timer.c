/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts, on every CPU. Its timer raises a private interrupt (PPI) ten times; and every CPU sends every other one a
 * software-generated interrupt (SGI). Each is delivered, acknowledged, handled and ended; at the end there is none left
 * over.
 */
#include "timer.h"
#include "cpus.h"
#include "exception.h"
#include "gic.h"
#include "guest.h"

#define TICKS        10
#define TICK_MS      2
#define SGI          3 /* any of the 16 */
#define WAIT_SECONDS 30

const char *const guest_name = "timer";

typedef struct {
  volatile uint64_t ticks, sgis, others, early;
  uint64_t due; /* counter value from which on the next tick is right */
} __attribute__((aligned(64))) PerCpu;

static PerCpu per_cpu[MAX_CPUS];
static volatile uint64_t listening, finished;

static void start_tick(PerCpu *self) {
  uint64_t ticks = timer_ticks_of_ms(TICK_MS);
  self->due = counter() + ticks;
  timer_start(ticks);
}

/*
 * The timer's line stays high until the timer is set anew or stopped: to end the interrupt before that would be to get
 * it again at once.
 */
static void on_tick(PerCpu *self) {
  if (counter() < self->due)
    self->early++;
  if (++self->ticks < TICKS)
    start_tick(self);
  else
    timer_stop();
}

static void on_irq(unsigned intid) {
  PerCpu *self = &per_cpu[cpu_index()];

  if (intid == machine.timer_intid)
    on_tick(self);
  else if (intid == SGI)
    self->sgis++;
  else
    self->others++;
}

/*
 * Sleeping until something an interrupt changes: with interrupts open, it could come between the look and the WFI,
 * which would then wait for another one. So it is looked with interrupts masked; WFI wakes up for a masked interrupt as
 * well, and unmasking takes it.
 */
static void sleep_until(const volatile uint64_t *value, uint64_t wanted) {
  while (*value < wanted) {
    wait_for_interrupt();
    irq_unmask();
    irq_mask();
  }
}

/* The same on every CPU. */
static void take_part(uint64_t unused) {
  PerCpu *self = &per_cpu[cpu_index()];

  (void)unused;
  if (cpu_index() != 0)
    gic_init_cpu();
  gic_enable(machine.timer_intid);
  gic_enable(SGI);
  start_tick(self);
  sleep_until(&self->ticks, TICKS);

  /* Nobody sends before everybody listens: GICv2 does not know how to reach a CPU that has not said which bit it is. */
  atomic_add(&listening, 1);
  if (!wait_until(&listening, machine.n_cpus, WAIT_SECONDS))
    guest_fail("CPU %u: only %lu of %u CPUs had all their ticks", cpu_index(), atomic_load(&listening), machine.n_cpus);
  for (unsigned cpu = 0; cpu < machine.n_cpus; cpu++)
    if (cpu != cpu_index())
      gic_send_sgi(SGI, cpu);
}

/*
 * GICv3 may deliver two SGIs of one number from two senders as one: pending is a bit. GICv2 has a bit for each sender.
 * At least one comes.
 */
static void take_sgis(void) {
  PerCpu *self = &per_cpu[cpu_index()];
  if (machine.n_cpus > 1)
    sleep_until(&self->sgis, 1);
}

/* Whatever is still pending comes now. Then acknowledging must find nothing. */
static bool is_quiet(void) {
  irq_unmask();
  isb();
  irq_mask();
  return gic_acknowledge().intid == GIC_SPURIOUS;
}

static volatile uint64_t all_sent, quiet;

static void run(uint64_t unused) {
  take_part(unused);
  take_sgis();
  atomic_add(&all_sent, 1);
  if (!wait_until(&all_sent, machine.n_cpus, WAIT_SECONDS))
    guest_fail("CPU %u: only %lu of %u CPUs had an SGI", cpu_index(), atomic_load(&all_sent), machine.n_cpus);
  if (is_quiet())
    atomic_add(&quiet, 1);
  atomic_add(&finished, 1);
}

static void judge(unsigned cpu) {
  const PerCpu *self = &per_cpu[cpu];

  print("CPU %u: %lu ticks, %lu SGIs\n", cpu, self->ticks, self->sgis);
  if (self->ticks != TICKS || self->early || self->others)
    guest_fail("CPU %u: %lu ticks of %u, %lu too early, %lu strange interrupts", cpu, self->ticks, TICKS, self->early, self->others);
  if (self->sgis > machine.n_cpus - 1)
    guest_fail("CPU %u: more SGIs than were sent", cpu);
}

void guest_main(void) {
  exception_set_irq_handler(on_irq);
  if (!gic_init())
    guest_skip("no GIC in the device tree");
  print("%s, virtual timer is interrupt %u, %lu ticks a second\n", gic_name(), machine.timer_intid, counter_frequency());
  for (unsigned cpu = 1; cpu < machine.n_cpus; cpu++) {
    int32_t result = cpu_start(cpu, run, 0);
    if (result != PSCI_SUCCESS)
      guest_fail("CPU_ON of CPU %u: %s", cpu, psci_error_name(result));
  }
  run(0);
  if (!wait_until(&finished, machine.n_cpus, WAIT_SECONDS))
    guest_fail("%lu of %u CPUs finished", atomic_load(&finished), machine.n_cpus);
  for (unsigned cpu = 0; cpu < machine.n_cpus; cpu++)
    judge(cpu);
  if (atomic_load(&quiet) != machine.n_cpus)
    guest_fail("an interrupt was left over on %lu CPUs", machine.n_cpus - atomic_load(&quiet));
}
