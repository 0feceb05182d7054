/* SPDX-License-Identifier: Apache-2.0 */
/* A driver as it should be, for any kind of device, and what all ways to break the rules end with. */
#include "queues-hostile.h"

#include "guest.h"
#include "text.h"

#define LINE_MAX 100

#define PATIENCE_MS  8000
#define ELSEWHERE_MS 30 /* who says nothing about a chain so long says nothing */
#define RETRIES      20 /* of a start, while another back end is on its way */

uint16_t target_choose(Target *target, unsigned queue) {
  const VirtioBus *bus = target->virtio->bus;

  bus->select(target->virtio, queue);
  uint32_t largest = bus->size(target->virtio), size = largest < VIRTIO_QUEUE_MAX ? largest : VIRTIO_QUEUE_MAX;
  bus->set_size(target->virtio, size);
  return (uint16_t)size;
}

void target_enable(Target *target, unsigned queue) {
  virtio_enable_queue(target->virtio, queue, target_choose(target, queue));
}

void target_prepare(Target *target, uint64_t without, unsigned skip) {
  Virtio *virtio = target->virtio;
  uint64_t ring = VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;

  target->features = virtio_begin(virtio, (target->kind->features | ring) & ~without);
  for (unsigned i = 0; i < virtio->n_queues; i++)
    if (i != skip)
      target_enable(target, i);
}

void target_start(Target *target, uint64_t without) {
  target_prepare(target, without, NO_QUEUE);
  virtio_go(target->virtio);
}

bool target_needs_reset(const Target *target) {
  return virtio_status(target->virtio) & VIRTIO_NEEDS_RESET;
}

void target_offer(Target *target, unsigned index, const VirtioDescriptor *descriptors, unsigned n) {
  VirtioQueue *queue = &target->virtio->queues[index];

  for (unsigned i = 0; i < n; i++) {
    queue->descriptors[i] = descriptors[i];
    queue->descriptors[i].next = (uint16_t)(i + 1);
    if (i + 1 < n)
      queue->descriptors[i].flags |= VIRTIO_NEXT;
  }
  virtio_offer(queue, 0);
  virtio_ring(queue, index);
}

HostileAnswer target_answer(Target *target, unsigned queue) {
  virtio_ring(&target->virtio->queues[queue], queue);
  if (target->kind->poke)
    target->kind->poke(target, queue);
  return hostile_wait_for(target->virtio, queue, target->elsewhere ? ELSEWHERE_MS : PATIENCE_MS);
}

uint32_t target_written(const Target *target) {
  const VirtioQueue *queue = &target->virtio->queues[target->queue];

  return queue->used.ring[(queue->next_used - 1u) & (queue->size - 1u)].written;
}

bool target_works(Target *target) {
  VirtioDescriptor descriptors[REQUEST_MAX];
  unsigned n = target->kind->ask(target, descriptors);

  target_offer(target, target->queue, descriptors, n);
  return hostile_wait(target->virtio, target->queue) == CAME_BACK && target->kind->answered(target, target_written(target));
}

static void pause(void) {
  for (uint64_t end = counter() + counter_frequency() / 5; counter() < end;)
    ;
}

/* A back end that ends for what it was given is followed by another, but not at once. */
static bool comes_back(Target *target) {
  for (unsigned i = 0; i < RETRIES; i++) {
    target_start(target, 0);
    if (!target_needs_reset(target) && target_works(target))
      return true;
    if (!target->elsewhere)
      return false;
    pause();
  }
  return false;
}

const char *answer_name(HostileAnswer answer) {
  return answer == NEEDS_RESET ? "needs a reset" : answer == CAME_BACK ? "came back" : "nothing happens";
}

void target_done(Target *target, unsigned queue, bool right, const char *answer, const char *format, ...) {
  char what[LINE_MAX];
  va_list arguments;

  va_start(arguments, format);
  what[text_format(what, sizeof what - 1, format, arguments)] = '\0';
  va_end(arguments);
  bool back = comes_back(target), witness = target_works(target->witness);
  const char *name = target->kind->name, *bus = target->virtio->bus->name;
  const char *after = !back ? ", and DOES NOT WORK again" : !witness ? ", and ANOTHER DEVICE STOPS" : ", and works again";
  const char *verdict = right ? "" : "WRONG: ";

  if (queue == NO_QUEUE)
    check(right && back && witness, "%s by %s, %s: %s%s%s", name, bus, what, verdict, answer, after);
  else
    check(right && back && witness, "%s by %s, queue %u, %s: %s%s%s", name, bus, queue, what, verdict, answer, after);
  target->dead = !back || !witness;
}
