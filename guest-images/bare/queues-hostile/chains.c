/* SPDX-License-Identifier: Apache-2.0 */
/* Chains that no driver may make (virtio 1.2, 2.7), and some that are none for the kind of device. */
#include "queues-hostile.h"

#include "machine.h"

#define AT ((uint64_t)playground)

static bool skips(const Target *target, unsigned queue) {
  return target->kind->skips && target->kind->skips(target, queue);
}

/* The next queue behind QUEUE that is worth a try, round and round; there is one. */
static unsigned next_queue(const Target *target, unsigned queue) {
  do
    queue = (queue + 1) % target->virtio->n_queues;
  while (skips(target, queue));
  return queue;
}

/* False: there is no chain of that number. */
static bool break_chain(Target *target, unsigned queue, unsigned chain) {
  const char *what = hostile_chain(target->virtio, queue, chain);

  if (!what)
    return false;
  HostileAnswer answer = target_answer(target, queue);
  target_done(target, queue, answer == NEEDS_RESET || target->elsewhere, answer_name(answer), "%s", what);
  return true;
}

/* A good table, but for the feature. A request before has the device look into all queues. */
static void go_without_indirect(Target *target, unsigned queue) {
  VirtioDescriptor *table = (VirtioDescriptor *)playground;

  target_start(target, VIRTIO_F_INDIRECT_DESC);
  bool ready = target_works(target);
  *table = (VirtioDescriptor){AT + 4096, 64, 0, 0};
  target_offer(target, queue, &(VirtioDescriptor){(uint64_t)table, sizeof *table, VIRTIO_INDIRECT, 0}, 1);
  HostileAnswer answer = target_answer(target, queue);
  target_done(target, queue, (ready && answer == NEEDS_RESET) || target->elsewhere, answer_name(answer),
              "an indirect table without the feature");
}

static void break_queue(Target *target, unsigned queue) {
  for (unsigned chain = 0; !target->dead && break_chain(target, queue, chain); chain++)
    ;
}

/* What looks at chains is the same for all queues: each has some of them, where it is not to be every one. */
void break_chains(Target *target) {
  unsigned first = next_queue(target, target->virtio->n_queues - 1), queue = first;

  if (argument_present("every")) {
    do
      break_queue(target, queue);
    while ((queue = next_queue(target, queue)) != first && !target->dead);
  } else {
    for (unsigned chain = 0; !target->dead && break_chain(target, queue, chain); chain++)
      queue = next_queue(target, queue);
  }
  if (!target->dead)
    go_without_indirect(target, queue);
}

/* Each may come back or be wrong enough for a reset, or stay where a device has nothing for it. */
void mistake_chains(Target *target) {
  static const struct {
    const char *name;
    VirtioDescriptor descriptors[2];
    unsigned n;
  } chains[] = {
      {"a byte to read", {{AT, 1, 0, 0}}, 1},
      {"a byte to write", {{AT, 1, VIRTIO_WRITE, 0}}, 1},
      {"a byte to read and one to write", {{AT, 1, 0, 0}, {AT + 1, 1, VIRTIO_WRITE, 0}}, 2},
      {"half a MiB to read", {{AT, PLAYGROUND_SIZE, 0, 0}}, 1},
      {"half a MiB to write", {{AT, PLAYGROUND_SIZE, VIRTIO_WRITE, 0}}, 1},
      {"half a MiB to read, and the same to write", {{AT, PLAYGROUND_SIZE, 0, 0}, {AT, PLAYGROUND_SIZE, VIRTIO_WRITE, 0}}, 2},
  };

  for (unsigned queue = 0; queue < target->virtio->n_queues; queue++)
    for (unsigned i = 0; i < sizeof chains / sizeof *chains && !target->dead && !skips(target, queue); i++) {
      target_offer(target, queue, chains[i].descriptors, chains[i].n);
      if (target->kind->poke)
        target->kind->poke(target, queue);
      HostileAnswer answer = hostile_wait_for(target->virtio, queue, 50);
      target_done(target, queue, true, answer_name(answer), "%s", chains[i].name);
    }
}
