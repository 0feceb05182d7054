/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that breaks the rules of virtqueues (virtio 1.2, 2.1 to 2.7, 4.1, 4.2), with every virtio device that there
 * is, behind PCI or memory-mapped: chains that loop, leave memory or each other; indirect tables; indices that jump;
 * queues where none can be; status, features, registers and doorbells out of their order; chains at random, and chains
 * that another CPU changes meanwhile. Each way is a line of TAP for each device: what the device says of it, whether a
 * new start brings it back to work, and whether another device has worked all the while.
 *
 * Boot arguments: `elsewhere`: others than eret serve the queues, all but those of the first entropy device, and answer
 * a bad chain as they like. only=ID, not=ID: the devices with this ID alone, or those without. `input`: somebody types,
 * or has pressed a key. `every`: all bad chains in every queue, and not some in each. count=N (40) random chains for
 * each queue, seed=N (1).
 */
#include "queues-hostile/queues-hostile.h"

#include "guest.h"
#include "text.h"

const char *const guest_name = "queues-hostile";

#define DEVICES_MAX 12

static Virtio devices[DEVICES_MAX];
static Target targets[DEVICES_MAX];
static unsigned n_targets;

/* True: there is one more. */
static bool add(Virtio *virtio) {
  const Kind *kind = kind_of(virtio);

  if (!kind || virtio->n_queues > VIRTIO_QUEUES_MAX) {
    print("# no driver for device %u by %s\n", virtio->id, virtio->bus->name);
    return false;
  }
  targets[n_targets++] = (Target){.virtio = virtio, .kind = kind};
  return n_targets < DEVICES_MAX;
}

static void find_all(void) {
  for (unsigned slot = 0; slot < VIRTIO_SLOTS && n_targets < DEVICES_MAX; slot++)
    if (virtio_open_pci(&devices[n_targets], slot))
      add(&devices[n_targets]);
  for (unsigned number = 0; number < VIRTIO_SLOTS && n_targets < DEVICES_MAX; number++)
    if (virtio_open_mmio(&devices[n_targets], number))
      add(&devices[n_targets]);
}

/* The entropy device; and of that, the one that is found next. */
static Target *find_witness(const Target *target) {
  Target *other = NULL;

  for (unsigned i = 0; i < n_targets; i++) {
    if (&targets[i] == target || targets[i].dead)
      continue;
    if (targets[i].kind == &rng_kind)
      return &targets[i];
    if (!other)
      other = &targets[i];
  }
  return other;
}

static void try_all(Target *target) {
  target->witness = find_witness(target);
  if (!target->witness)
    guest_skip("there is no other device beside %s", target->kind->name);
  target_start(target->witness, 0);
  target_start(target, 0);
  target_done(target, NO_QUEUE, true, "begins", "a start like any other");
  break_chains(target);
  bend_chains(target);
  mistake_chains(target);
  misplace_areas(target);
  break_status(target);
  break_registers(target);
  throw_chains(target, (unsigned)argument_number("count", 40));
}

void guest_main(void) {
  uint64_t only = argument_number("only", 0), but = argument_number("not", 0);

  hostile_begin();
  memset(playground, '\n', PLAYGROUND_SIZE); /* a console shows it */
  find_all();
  for (unsigned i = 0; i < n_targets; i++) {
    uint64_t began = counter();

    targets[i].elsewhere = argument_present("elsewhere");
    if ((only && targets[i].kind->id != only) || (but && targets[i].kind->id == but) ||
        (targets[i].elsewhere && &targets[i] == find_witness(NULL)))
      continue;
    try_all(&targets[i]);
    print("# %s by %s: %lu ms\n", targets[i].kind->name, targets[i].virtio->bus->name, (counter() - began) * 1000 / counter_frequency());
  }
}
