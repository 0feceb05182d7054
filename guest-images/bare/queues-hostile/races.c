/* SPDX-License-Identifier: Apache-2.0 */
/* Random chains; and chains that another CPU changes while they are looked at, so that no check of them lasts. */
#include "queues-hostile.h"

#include "cpus.h"
#include "machine.h"

#define RACE_MS   30
#define RACE_ENDS 4 /* chains that are given back between two doorbells */

static void throw_random(Target *target, unsigned queue, unsigned count) {
  unsigned resets = 0;

  target_start(target, 0);
  for (unsigned i = 0; i < count; i++) {
    hostile_random_chain(&target->virtio->queues[queue]);
    if (i % 4 != 3)
      continue;
    virtio_ring(&target->virtio->queues[queue], queue);
    if (target_needs_reset(target)) {
      resets++;
      target_start(target, 0);
    }
  }
  target_done(target, queue, true, resets ? "needs resets" : "comes through", "%u random chains", count);
}

/* What the other CPU works on, until it is told to end. */
static struct {
  VirtioQueue *volatile queue;
  volatile uint64_t ended;
} race;

/* Between what is good and what is not, as fast as it goes. */
static void change(uint64_t argument) {
  VirtioQueue *queue = race.queue;
  uint64_t good = (uint64_t)playground;

  (void)argument;
  for (unsigned i = 0; !atomic_load(&race.ended); i++) {
    volatile VirtioDescriptor *descriptor = &queue->descriptors[i % 3];
    descriptor->address = i & 1 ? good : machine.gic_distributor;
    descriptor->size = i & 2 ? 64 : 0x7fffffff;
    descriptor->flags = (uint16_t)(i >> 2 & 7);
    descriptor->next = i & 8 ? (uint16_t)((i + 1) % 3) : 0xffff;
    *(volatile uint16_t *)&queue->avail.ring[i % queue->size] = i & 16 ? 0 : 0x8000;
  }
}

static void run_race(Target *target, unsigned index) {
  VirtioQueue *queue = &target->virtio->queues[index];
  unsigned resets = 0;

  race.queue = queue;
  atomic_store(&race.ended, false);
  target_start(target, 0);
  bool on = cpu_start(1, change, 0) == PSCI_SUCCESS;
  for (uint64_t end = counter() + RACE_MS * counter_frequency() / 1000; counter() < end;) {
    for (unsigned i = 0; i < RACE_ENDS; i++)
      virtio_offer(queue, 0);
    virtio_ring(queue, index);
    if (target_needs_reset(target)) {
      resets++;
      target_start(target, 0);
    }
  }
  atomic_store(&race.ended, true);
  bool off = cpu_wait_off(1);
  target_done(target, index, on && off, resets ? "needs resets" : "comes through", "chains that another CPU changes");
}

void throw_chains(Target *target, unsigned count) {
  for (unsigned queue = 0; queue < target->virtio->n_queues && !target->dead; queue++) {
    throw_random(target, queue, count);
    if (!target->dead && machine.n_cpus > 1)
      run_race(target, queue);
  }
}
