/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio.h"

#include "cpu.h"
#include "text.h"

bool virtio_find(Virtio *virtio, unsigned id) {
  for (unsigned slot = 0; slot < VIRTIO_SLOTS; slot++)
    if (virtio_open_pci(virtio, slot) && virtio->id == id)
      return true;
  return false;
}

uint8_t virtio_status(const Virtio *virtio) {
  return virtio->bus->status(virtio);
}

void virtio_reset(Virtio *virtio) {
  virtio->bus->set_status(virtio, 0);
  while (virtio_status(virtio) != 0)
    ;
}

uint64_t virtio_offered(const Virtio *virtio) {
  return virtio->bus->offered(virtio, 0) | (uint64_t)virtio->bus->offered(virtio, 1) << 32;
}

void virtio_accept(const Virtio *virtio, uint64_t features) {
  for (unsigned word = 0; word < 2; word++)
    virtio->bus->accept(virtio, word, (uint32_t)(features >> (32 * word)));
}

uint64_t virtio_begin(Virtio *virtio, uint64_t wanted) {
  virtio_reset(virtio);
  virtio->bus->set_status(virtio, VIRTIO_ACKNOWLEDGE);
  virtio->bus->set_status(virtio, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
  uint64_t features = virtio_offered(virtio) & wanted;
  virtio_accept(virtio, features);
  virtio->bus->set_status(virtio, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
  return features;
}

void virtio_enable_queue(Virtio *virtio, unsigned index, uint16_t size) {
  const VirtioBus *bus = virtio->bus;
  VirtioQueue *queue = &virtio->queues[index];

  memset(queue, 0, sizeof *queue);
  queue->size = size;
  queue->bus = bus;
  bus->select(virtio, index);
  bus->set_size(virtio, size);
  bus->place(virtio, VIRTIO_DESCRIPTORS, (uint64_t)queue->descriptors);
  bus->place(virtio, VIRTIO_AVAILABLE, (uint64_t)&queue->avail);
  bus->place(virtio, VIRTIO_USED, (uint64_t)&queue->used);
  queue->doorbell = bus->doorbell(virtio);
  bus->enable(virtio, 1);
}

void virtio_go(Virtio *virtio) {
  virtio->bus->set_status(virtio, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void virtio_offer(VirtioQueue *queue, uint16_t head) {
  queue->avail.ring[queue->avail.idx & (queue->size - 1u)] = head;
  __atomic_store_n(&queue->avail.idx, (uint16_t)(queue->avail.idx + 1), __ATOMIC_RELEASE);
}

void virtio_ring(const VirtioQueue *queue, unsigned index) {
  dsb();
  queue->bus->ring(queue->doorbell, index);
}

bool virtio_take(VirtioQueue *queue, uint32_t *id, uint32_t *written) {
  if (__atomic_load_n(&queue->used.idx, __ATOMIC_ACQUIRE) == queue->next_used)
    return false;
  *id = queue->used.ring[queue->next_used & (queue->size - 1u)].id;
  *written = queue->used.ring[queue->next_used & (queue->size - 1u)].written;
  queue->next_used++;
  return true;
}
