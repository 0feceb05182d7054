/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate in front of KVM_RUN: vmm/machine/kvm/gate.c, with threads that go in and out of it. Native builds have no
 * KVM, so its source is included.
 */
#include "vmm/machine/kvm/gate.c"

#define THREADS 4

typedef struct {
  Gate gate;
  int stop;
  int rounds; /* atomic: passes of all threads */
} Fixture;

static gpointer pass_through(gpointer data) {
  Fixture *fixture = data;

  while (!__atomic_load_n(&fixture->stop, __ATOMIC_SEQ_CST) && gate_enter(&fixture->gate, &fixture->stop)) {
    while (!__atomic_load_n(&fixture->stop, __ATOMIC_SEQ_CST) && !gate_is_closed(&fixture->gate))
      __atomic_fetch_add(&fixture->rounds, 1, __ATOMIC_SEQ_CST);
    gate_leave(&fixture->gate);
  }
  return NULL;
}

static void wait_for_more(Fixture *fixture) {
  int before = __atomic_load_n(&fixture->rounds, __ATOMIC_SEQ_CST);

  while (__atomic_load_n(&fixture->rounds, __ATOMIC_SEQ_CST) == before)
    g_thread_yield();
}

static void test_close_and_open(void) {
  Fixture fixture = {.stop = 0};
  GThread *threads[THREADS];

  gate_init(&fixture.gate);
  for (unsigned i = 0; i < THREADS; i++)
    threads[i] = g_thread_new("vcpu", pass_through, &fixture);
  for (unsigned i = 0; i < 200; i++) {
    wait_for_more(&fixture);
    gate_close(&fixture.gate);
    gate_wait(&fixture.gate);
    int before = __atomic_load_n(&fixture.rounds, __ATOMIC_SEQ_CST);
    g_thread_yield();
    g_assert_cmpint(__atomic_load_n(&fixture.rounds, __ATOMIC_SEQ_CST), ==, before); /* nobody is inside */
    gate_open(&fixture.gate);
  }
  /* Those who wait are let go by `stop` alone. */
  gate_close(&fixture.gate);
  gate_wait(&fixture.gate);
  __atomic_store_n(&fixture.stop, 1, __ATOMIC_SEQ_CST);
  gate_wake(&fixture.gate);
  for (unsigned i = 0; i < THREADS; i++)
    g_thread_join(threads[i]);
  g_assert_cmpuint(fixture.gate.inside, ==, 0);
  gate_clear(&fixture.gate);
}

int main(int argc, char *argv[]) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/gate/close-and-open", test_close_and_open);
  return g_test_run();
}
