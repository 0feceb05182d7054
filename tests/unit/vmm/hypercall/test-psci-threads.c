/* SPDX-License-Identifier: Apache-2.0 */
/* PSCI in userspace: vmm/hypercall/psci.c. Waiting, stopping, and the races, with real threads. */
#include "tests/unit/vmm/hypercall/psci-fixture.h"

#define RACE_ROUNDS 2000

typedef struct {
  Fixture *f;
  unsigned cpu;
  bool woken;
  uint64_t entry, context;
} Waiter;

static gpointer wait_thread(gpointer data) {
  Waiter *waiter = data;
  waiter->woken = psci_wait(waiter->f->psci, waiter->cpu, &waiter->entry, &waiter->context);
  return NULL;
}

static void test_wait(Fixture *f, gconstpointer data) {
  Waiter waiters[N_CPUS] = {0};
  GThread *threads[N_CPUS];

  for (unsigned cpu = 1; cpu < N_CPUS; cpu++) {
    waiters[cpu] = (Waiter){.f = f, .cpu = cpu};
    threads[cpu] = g_thread_new("waiter", wait_thread, &waiters[cpu]);
  }
  g_usleep(20000);
  for (unsigned cpu = 1; cpu < N_CPUS; cpu++)
    g_assert_cmpint(cpu_on(f, cpu), ==, PSCI_SUCCESS);
  for (unsigned cpu = 1; cpu < N_CPUS; cpu++) {
    g_thread_join(threads[cpu]);
    g_assert_true(waiters[cpu].woken);
    g_assert_cmphex(waiters[cpu].entry, ==, ENTRY);
    g_assert_cmpuint(waiters[cpu].context, ==, cpu);
    g_assert_true(is_on(f, cpu));
  }
}

static void test_stop(Fixture *f, gconstpointer data) {
  Waiter waiters[N_CPUS] = {0};
  GThread *threads[N_CPUS];
  uint64_t entry, context;

  for (unsigned cpu = 1; cpu < N_CPUS; cpu++) {
    waiters[cpu] = (Waiter){.f = f, .cpu = cpu, .woken = true};
    threads[cpu] = g_thread_new("waiter", wait_thread, &waiters[cpu]);
  }
  g_usleep(20000);
  psci_stop(f->psci);
  for (unsigned cpu = 1; cpu < N_CPUS; cpu++) {
    g_thread_join(threads[cpu]);
    g_assert_false(waiters[cpu].woken);
    g_assert_false(is_on(f, cpu));
  }
  psci_stop(f->psci);
  g_assert_false(psci_wait(f->psci, 0, &entry, &context)); /* for good, and for CPUs that are on as well */
  g_assert_cmpint(cpu_on(f, 1), ==, PSCI_SUCCESS);
  g_assert_false(psci_wait(f->psci, 1, &entry, &context));
}

typedef struct {
  Fixture *f;
  unsigned cpu;
  int *gate;
  int64_t result;
} Racer;

static gpointer race_thread(gpointer data) {
  Racer *racer = data;
  uint64_t x[HYPERCALL_N_REGISTERS] = {0, mpidrs[N_CPUS - 1], ENTRY, racer->cpu};

  __atomic_fetch_add(racer->gate, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(racer->gate, __ATOMIC_SEQ_CST) < 4)
    g_thread_yield();
  hypercalls_call_registers(racer->f->hypercalls, HYPERCALL_BY_HVC, racer->cpu, PSCI_FUNCTION_CPU_ON | F64, x);
  racer->result = (int64_t)x[0];
  return NULL;
}

/* Three CPUs turn on a fourth at once while its thread waits: one succeeds, and its context is what the fourth gets. */
static void test_race(Fixture *f, gconstpointer data) {
  unsigned already = 0;

  for (unsigned round = 0; round < RACE_ROUNDS; round++) {
    int gate = 0;
    unsigned winner = N_CPUS;
    Waiter waiter = {.f = f, .cpu = N_CPUS - 1};
    Racer racers[3];
    GThread *threads[3];
    GThread *target = g_thread_new("target", wait_thread, &waiter);
    for (unsigned i = 0; i < 3; i++) {
      racers[i] = (Racer){.f = f, .cpu = i, .gate = &gate};
      threads[i] = g_thread_new("racer", race_thread, &racers[i]);
    }
    while (__atomic_load_n(&gate, __ATOMIC_SEQ_CST) < 3)
      g_thread_yield();
    __atomic_fetch_add(&gate, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 3; i++) {
      g_thread_join(threads[i]);
      if (racers[i].result == PSCI_SUCCESS) {
        g_assert_cmpuint(winner, ==, N_CPUS);
        winner = racers[i].cpu;
      } else {
        g_assert_cmpint(racers[i].result, ==, PSCI_ALREADY_ON);
        already++;
      }
    }
    g_thread_join(target);
    g_assert_cmpuint(winner, <, N_CPUS);
    g_assert_true(waiter.woken && waiter.context == winner);
    g_assert_cmpint(outcome(f, N_CPUS - 1, PSCI_FUNCTION_CPU_OFF, 0, 0, 0), ==, HYPERCALL_OFF);
  }
  g_assert_cmpuint(already, ==, 2 * RACE_ROUNDS);
}

/* A CPU's life as a vCPU thread lives it, off as soon as it is on. */
static gpointer cpu_thread(gpointer data) {
  Waiter *waiter = data;
  uint64_t entry, context;

  while (psci_wait(waiter->f->psci, waiter->cpu, &entry, &context)) {
    g_assert_true(entry == ENTRY && context == waiter->context + 1);
    waiter->context = context;
    g_assert_cmpint(outcome(waiter->f, waiter->cpu, PSCI_FUNCTION_CPU_OFF, 0, 0, 0), ==, HYPERCALL_OFF);
  }
  return NULL;
}

/* Off and on, again and again: no CPU_ON that succeeded is lost or taken twice. */
static void test_hotplug(Fixture *f, gconstpointer data) {
  Waiter cpus[2] = {{.f = f, .cpu = 1}, {.f = f, .cpu = 2}};
  GThread *threads[2];

  for (unsigned i = 0; i < 2; i++)
    threads[i] = g_thread_new("cpu", cpu_thread, &cpus[i]);
  for (unsigned round = 1; round <= RACE_ROUNDS; round++)
    for (unsigned i = 0; i < 2; i++) {
      int64_t result;
      while ((result = call(f, PSCI_FUNCTION_CPU_ON | F64, mpidrs[i + 1], ENTRY, round)) != PSCI_SUCCESS) {
        g_assert_cmpint(result, ==, PSCI_ALREADY_ON);
        g_thread_yield();
      }
    }
  for (unsigned i = 0; i < 2; i++)
    while (affinity_info(f, mpidrs[i + 1], 0) != PSCI_AFFINITY_OFF)
      g_thread_yield();
  psci_stop(f->psci);
  for (unsigned i = 0; i < 2; i++) {
    g_thread_join(threads[i]);
    g_assert_cmpuint(cpus[i].context, ==, RACE_ROUNDS);
  }
}

int main(int argc, char **argv) {
  static const PsciTest tests[] = {
      {"/psci/wait", test_wait},
      {"/psci/stop", test_stop},
      {"/psci/race", test_race},
      {"/psci/hotplug", test_hotplug},
  };
  return run_psci_tests(&argc, &argv, tests, G_N_ELEMENTS(tests));
}
