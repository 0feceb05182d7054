/* SPDX-License-Identifier: Apache-2.0 */
#include "virtio.h"

#include "cpu.h"
#include "mmu.h"
#include "text.h"

/* Where QEMU's `virt` has them: configuration space, and the window that BARs below 4 GiB are placed in. */
#define ECAM     0x3f000000ul
#define WINDOW32 0x10000000ul
#define BAR_SIZE 0x10000ul

/* PCI: type 0 header; virtio's capabilities, 4.1.4. */
enum { PCI_ID = 0x00, PCI_COMMAND = 0x04, PCI_BAR0 = 0x10, PCI_CAPABILITIES = 0x34 };
enum { COMMON_CFG = 1, NOTIFY_CFG = 2, DEVICE_CFG = 4 };
enum { CAP_NEXT = 1, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MULTIPLIER = 16 };
#define COMMAND_MEMORY    2
#define COMMAND_MASTER    4
#define VENDOR_CAPABILITY 9
#define VIRTIO_VENDOR     0x1af4u
#define VIRTIO_FIRST      0x1040u

static void find_registers(Virtio *virtio, uint64_t bar) {
  for (unsigned at = mmio_read8(virtio->function + PCI_CAPABILITIES); at; at = mmio_read8(virtio->function + at + CAP_NEXT)) {
    uint64_t capability = virtio->function + at, address = bar + mmio_read32(capability + CAP_OFFSET);
    unsigned type = mmio_read8(capability + CAP_TYPE);
    if (mmio_read8(capability) != VENDOR_CAPABILITY || (type != COMMON_CFG && type != NOTIFY_CFG && type != DEVICE_CFG))
      continue;
    /* All are in one. */
    mmio_write32(virtio->function + PCI_BAR0 + 4u * mmio_read8(capability + CAP_BAR), (uint32_t)bar);
    *(type == COMMON_CFG ? &virtio->common : type == NOTIFY_CFG ? &virtio->notify : &virtio->config) = address;
    if (type != NOTIFY_CFG)
      continue;
    virtio->notify_size = mmio_read32(capability + CAP_LENGTH);
    virtio->notify_multiplier = mmio_read32(capability + CAP_MULTIPLIER);
  }
}

bool virtio_find(Virtio *virtio, unsigned id) {
  mmu_map_device(ECAM);
  mmu_map_device(WINDOW32);
  for (unsigned slot = 0; slot < 32; slot++) {
    uint64_t function = ECAM + ((uint64_t)slot << 15);
    uint64_t bar = WINDOW32 + BAR_SIZE * (slot + 1);
    if (mmio_read32(function + PCI_ID) != ((VIRTIO_FIRST + id) << 16 | VIRTIO_VENDOR))
      continue;
    virtio->function = function;
    find_registers(virtio, bar);
    mmio_write16(function + PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
    virtio->n_queues = mmio_read16(virtio->common + VIRTIO_NUM_QUEUES);
    return true;
  }
  return false;
}

uint8_t virtio_status(const Virtio *virtio) {
  return mmio_read8(virtio->common + VIRTIO_STATUS);
}

void virtio_reset(Virtio *virtio) {
  mmio_write8(virtio->common + VIRTIO_STATUS, 0);
  while (virtio_status(virtio) != 0)
    ;
}

void virtio_write64(const Virtio *virtio, unsigned offset, uint64_t value) {
  mmio_write32(virtio->common + offset, (uint32_t)value);
  mmio_write32(virtio->common + offset + 4, (uint32_t)(value >> 32));
}

uint64_t virtio_begin(Virtio *virtio, uint64_t wanted) {
  uint64_t offered = 0;

  virtio_reset(virtio);
  mmio_write8(virtio->common + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE);
  mmio_write8(virtio->common + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
  for (unsigned word = 0; word < 2; word++) {
    mmio_write32(virtio->common + VIRTIO_FEATURE_SELECT, word);
    offered |= (uint64_t)mmio_read32(virtio->common + VIRTIO_FEATURE) << (32 * word);
  }
  for (unsigned word = 0; word < 2; word++) {
    mmio_write32(virtio->common + VIRTIO_DRIVER_FEATURE_SELECT, word);
    mmio_write32(virtio->common + VIRTIO_DRIVER_FEATURE, (uint32_t)((offered & wanted) >> (32 * word)));
  }
  mmio_write8(virtio->common + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
  return offered & wanted;
}

void virtio_enable_queue(Virtio *virtio, unsigned index, uint16_t size) {
  VirtioQueue *queue = &virtio->queues[index];

  memset(queue, 0, sizeof *queue);
  queue->size = size;
  mmio_write16(virtio->common + VIRTIO_QUEUE_SELECT, (uint16_t)index);
  mmio_write16(virtio->common + VIRTIO_QUEUE_SIZE, size);
  virtio_write64(virtio, VIRTIO_QUEUE_DESC, (uint64_t)queue->descriptors);
  virtio_write64(virtio, VIRTIO_QUEUE_DRIVER, (uint64_t)&queue->avail);
  virtio_write64(virtio, VIRTIO_QUEUE_DEVICE, (uint64_t)&queue->used);
  queue->doorbell = virtio->notify + (uint64_t)mmio_read16(virtio->common + VIRTIO_QUEUE_NOTIFY_OFF) * virtio->notify_multiplier;
  mmio_write16(virtio->common + VIRTIO_QUEUE_ENABLE, 1);
}

void virtio_go(Virtio *virtio) {
  mmio_write8(virtio->common + VIRTIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
}

void virtio_offer(VirtioQueue *queue, uint16_t head) {
  queue->avail.ring[queue->avail.idx & (queue->size - 1u)] = head;
  __atomic_store_n(&queue->avail.idx, (uint16_t)(queue->avail.idx + 1), __ATOMIC_RELEASE);
}

void virtio_ring(const VirtioQueue *queue, unsigned index) {
  dsb();
  mmio_write16(queue->doorbell, (uint16_t)index);
}

bool virtio_take(VirtioQueue *queue, uint32_t *id, uint32_t *written) {
  if (__atomic_load_n(&queue->used.idx, __ATOMIC_ACQUIRE) == queue->next_used)
    return false;
  *id = queue->used.ring[queue->next_used & (queue->size - 1u)].id;
  *written = queue->used.ring[queue->next_used & (queue->size - 1u)].written;
  queue->next_used++;
  return true;
}
