/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of queues-hostile.c: a driver for each kind of virtio device, and what it does that no driver may.
 *
 * Each way of doing so is one check, and it is the same for all: what the device says of it, whether a new start brings
 * it back to work, and whether another device, the witness, worked all the while.
 */
#pragma once

#include "hostile.h"

#define REQUEST_MAX 4 /* descriptors of a good request */

typedef struct Target Target;

/* What a driver of one kind of device knows. */
typedef struct {
  unsigned id; /* chapter 5 */
  const char *name;
  uint64_t features; /* of the kind's own, which the driver takes where they are offered */

  /* A good request: its descriptors, in which `next` means nothing, and how many; in queue target->queue. */
  unsigned (*ask)(Target *target, VirtioDescriptor *descriptors);
  /* It came back with WRITTEN bytes: was it answered? Nothing is left in any queue then. */
  bool (*answered)(Target *target, uint32_t written);
  /*
   * Whether bad chains in QUEUE are not worth a try: the device does not look into it, having nothing for it, or it is
   * like one of less number. NULL: all are.
   */
  bool (*skips)(const Target *target, unsigned queue);
  /* Has the device look into QUEUE. NULL: it does so by itself. */
  void (*poke)(Target *target, unsigned queue);
} Kind;

struct Target {
  Virtio *virtio;
  const Kind *kind;
  Target *witness;
  bool elsewhere; /* others than eret serve its queues, and do about a chain what they like */
  bool dead;      /* it did not come back to work: no more of it */
  uint64_t features;
  unsigned queue, turn;
};

/* kinds.c: the one for device ID; NULL: there is none. */
extern const Kind blk_kind, net_kind, console_kind, ports_kind, rng_kind, vsock_kind, input_kind;
const Kind *kind_of(const Virtio *virtio);

/* driver.c: as a driver should. */

/* From reset to DRIVER_OK, without the features in WITHOUT. */
void target_start(Target *target, uint64_t without);
/* The first half of that: all queues are enabled but SKIP (none: VIRTIO_QUEUES_MAX). */
void target_prepare(Target *target, uint64_t without, unsigned skip);
/* QUEUE is selected, and has as many descriptors as it may have: so many. */
uint16_t target_choose(Target *target, unsigned queue);
/* And it is enabled. */
void target_enable(Target *target, unsigned queue);
/* A good request to one that was started, as a driver would write it. */
bool target_works(Target *target);
/* N descriptors, one after the other from 0 on, as a chain in QUEUE; the doorbell is rung. */
void target_offer(Target *target, unsigned queue, const VirtioDescriptor *descriptors, unsigned n);
/* The doorbell of QUEUE is rung, and the chains in it are waited for. */
HostileAnswer target_answer(Target *target, unsigned queue);
/* Of the request that came back last. */
uint32_t target_written(const Target *target);
bool target_needs_reset(const Target *target);
/*
 * The end of each way: starts the device anew, and checks that it works and that the witness does; and RIGHT, that what
 * the device said was right, which was ANSWER. What was done, in the words of FORMAT, was done to QUEUE; NO_QUEUE: to
 * none.
 */
#define NO_QUEUE VIRTIO_QUEUES_MAX
void target_done(Target *target, unsigned queue, bool right, const char *answer, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
const char *answer_name(HostileAnswer answer);

/* chains.c, forms.c, areas.c, status.c, registers.c, races.c: what is done to it. */

/* Chains that no driver may make, in each queue. */
void break_chains(Target *target);
/* Chains that are odd, and allowed: they are to be answered. */
void bend_chains(Target *target);
/* Chains of the wrong direction or size for the kind of device. */
void mistake_chains(Target *target);
/* Queues of sizes and in places that cannot be. */
void misplace_areas(Target *target);
/* Status and features out of their order. */
void break_status(Target *target);
/* Registers of queues, doorbells, configuration. */
void break_registers(Target *target);
/* COUNT random chains, and another CPU that changes chains while they are served. */
void throw_chains(Target *target, unsigned count);
