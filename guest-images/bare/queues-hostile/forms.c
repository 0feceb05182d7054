/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Odd forms of a good request that a driver may choose, and rings in which there is what nobody is to look at (virtio
 * 1.2, 2.7.4 to 2.7.10). It is answered like any other.
 */
#include "queues-hostile.h"

#include "cpu.h"
#include "text.h"

#define TABLE     ((VirtioDescriptor *)(playground + 4096))
#define UNKNOWN   0xfff8 /* flags that mean nothing in a split queue */
#define DOORBELLS 50

/* Offers the request in D, of N descriptors, in its queue. */
typedef void (*Form)(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n);

static void link_up(VirtioDescriptor *to, const VirtioDescriptor *d, unsigned n, uint16_t flags) {
  for (unsigned i = 0; i < n; i++) {
    to[i] = d[i];
    to[i].next = (uint16_t)(i + 1);
    to[i].flags |= (uint16_t)(flags | (i + 1 < n ? VIRTIO_NEXT : 0));
  }
}

static void backwards(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  uint16_t last = (uint16_t)(queue->size - 1);

  for (unsigned i = 0; i < n; i++) {
    queue->descriptors[last - i] = d[i];
    queue->descriptors[last - i].next = (uint16_t)(last - i - 1);
    if (i + 1 < n)
      queue->descriptors[last - i].flags |= VIRTIO_NEXT;
  }
  virtio_offer(queue, last);
}

/* Where a request is cut means nothing. */
static void cut_small(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  VirtioDescriptor pieces[REQUEST_MAX + 2];
  unsigned n_pieces = 0;

  for (unsigned i = 0; i < n; i++) {
    pieces[n_pieces++] = d[i];
    for (unsigned cuts = 0; i == 0 && cuts < 2 && pieces[n_pieces - 1].size > 1; cuts++) {
      pieces[n_pieces] = pieces[n_pieces - 1];
      pieces[n_pieces - 1].size = 1;
      pieces[n_pieces].address++;
      pieces[n_pieces++].size--;
    }
  }
  link_up(queue->descriptors, pieces, n_pieces, 0);
  virtio_offer(queue, 0);
}

static void in_table(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  link_up(TABLE, d, n, 0);
  queue->descriptors[0] = (VirtioDescriptor){(uint64_t)TABLE, n * (uint32_t)sizeof *d, VIRTIO_INDIRECT, 0};
  virtio_offer(queue, 0);
}

/* 2.7.5.3.2: a device ignores it. */
static void in_writable_table(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  in_table(queue, d, n);
  queue->descriptors[0].flags |= VIRTIO_WRITE;
}

static void in_odd_table(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  uint8_t *odd = (uint8_t *)TABLE + 4096 + 3;

  link_up(TABLE, d, n, 0);
  memcpy(odd, TABLE, n * sizeof *d);
  queue->descriptors[0] = (VirtioDescriptor){(uint64_t)odd, n * (uint32_t)sizeof *d, VIRTIO_INDIRECT, 0};
  virtio_offer(queue, 0);
}

/* The first as it is, the others in a table. */
static void in_half_a_table(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  if (n < 2) {
    in_table(queue, d, n);
    return;
  }
  link_up(TABLE, d + 1, n - 1, 0);
  queue->descriptors[0] = d[0];
  queue->descriptors[0].flags |= VIRTIO_NEXT;
  queue->descriptors[0].next = 1;
  queue->descriptors[1] = (VirtioDescriptor){(uint64_t)TABLE, (n - 1) * (uint32_t)sizeof *d, VIRTIO_INDIRECT, 0};
  virtio_offer(queue, 0);
}

static void plain(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  link_up(queue->descriptors, d, n, 0);
  virtio_offer(queue, 0);
}

static void with_flags(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  link_up(queue->descriptors, d, n, UNKNOWN);
  virtio_offer(queue, 0);
}

static void with_next(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  link_up(queue->descriptors, d, n, 0);
  queue->descriptors[n - 1].next = 0xffff;
  virtio_offer(queue, 0);
}

static void with_avail_flags(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  queue->avail.flags = 0xffff;
  plain(queue, d, n);
}

/* The event index of the available ring is behind as many entries as the queue has. */
static void with_event(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  queue->avail.ring[queue->size] = 0x7fff;
  plain(queue, d, n);
}

/* All of it but where the device is: its index it knows by itself, and sets it anew. */
static void with_used_ring(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  queue->used.flags = 0xffff;
  memset(queue->used.ring, 0xff, (queue->size + 1u) * sizeof *queue->used.ring);
  plain(queue, d, n);
}

static void with_doorbells(VirtioQueue *queue, const VirtioDescriptor *d, unsigned n) {
  plain(queue, d, n);
  for (unsigned i = 0; i < DOORBELLS; i++)
    queue->bus->ring(queue->doorbell, 0);
}

static const struct {
  const char *name;
  Form offer;
  uint64_t without; /* features */
  bool indirect;    /* needs the feature */
} forms[] = {
    {"a request from the last descriptor backwards", backwards, 0, false},
    {"a request cut into small pieces", cut_small, 0, false},
    {"a request in an indirect table", in_table, 0, true},
    {"a request in an indirect table that is to be written", in_writable_table, 0, true},
    {"a request in an indirect table at an odd address", in_odd_table, 0, true},
    {"a request of which a half is in an indirect table", in_half_a_table, 0, true},
    {"flags that nobody knows", with_flags, 0, false},
    {"a next one far away behind the end", with_next, 0, false},
    {"flags of the available ring that nobody knows", with_avail_flags, 0, false},
    {"the same without event indices", with_avail_flags, VIRTIO_F_EVENT_IDX, false},
    {"an event index far away", with_event, 0, false},
    {"a used ring full of other things", with_used_ring, 0, false},
    {"the same without event indices", with_used_ring, VIRTIO_F_EVENT_IDX, false},
    {"doorbells without end", with_doorbells, 0, false},
};

void bend_chains(Target *target) {
  for (unsigned i = 0; i < sizeof forms / sizeof *forms && !target->dead; i++) {
    VirtioDescriptor descriptors[REQUEST_MAX];

    target_start(target, forms[i].without);
    if (forms[i].indirect && !(target->features & VIRTIO_F_INDIRECT_DESC))
      continue;
    unsigned n = target->kind->ask(target, descriptors);
    VirtioQueue *queue = &target->virtio->queues[target->queue];
    forms[i].offer(queue, descriptors, n);
    virtio_ring(queue, target->queue);
    HostileAnswer answer = hostile_wait(target->virtio, target->queue);
    bool answered = answer == CAME_BACK && target->kind->answered(target, target_written(target));
    const char *said = answered ? "is answered" : answer == CAME_BACK ? "is answered wrongly" : answer_name(answer);
    target_done(target, target->queue, answered || target->elsewhere, said, "%s", forms[i].name);
  }
}
