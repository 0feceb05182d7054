/* SPDX-License-Identifier: Apache-2.0 */
/* A counter behind a lock. */
#include "vmm/machine/kvm/gate.h"

void gate_init(Gate *gate) {
  *gate = (Gate){.inside = 0};
  g_mutex_init(&gate->lock);
  g_cond_init(&gate->changed);
}

void gate_clear(Gate *gate) {
  g_mutex_clear(&gate->lock);
  g_cond_clear(&gate->changed);
}

bool gate_enter(Gate *gate, const int *stop) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gate->lock);
  while (gate_is_closed(gate) && !__atomic_load_n(stop, __ATOMIC_SEQ_CST))
    g_cond_wait(&gate->changed, &gate->lock);
  bool entered = !gate_is_closed(gate);
  gate->inside += entered;
  return entered;
}

void gate_leave(Gate *gate) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gate->lock);
  gate->inside--;
  g_cond_broadcast(&gate->changed);
}

void gate_close(Gate *gate) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gate->lock);
  __atomic_store_n(&gate->closed, 1, __ATOMIC_SEQ_CST);
}

void gate_wait(Gate *gate) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gate->lock);
  while (gate->inside)
    g_cond_wait(&gate->changed, &gate->lock);
}

void gate_open(Gate *gate) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gate->lock);
  __atomic_store_n(&gate->closed, 0, __ATOMIC_SEQ_CST);
  g_cond_broadcast(&gate->changed);
}

void gate_wake(Gate *gate) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&gate->lock);
  g_cond_broadcast(&gate->changed);
}
