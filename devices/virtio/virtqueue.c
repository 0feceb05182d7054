/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of a split virtqueue: virtio 1.2, section 2.7, with indirect descriptors (2.7.5.3) and EVENT_IDX
 * (2.7.7.2, 2.7.10).
 *
 * The three areas are sliced once, when the queue starts: guest memory never moves. What they hold is the guest's and
 * may change under us, so each index, flag and descriptor is loaded once and only the copy is looked at. Ordering
 * against the driver on another CPU: avail.idx is an acquire load, used.idx a release store, and between our index and
 * the driver's notification wish (and the other way round) lies a full fence. No lock: see the header.
 */
#include "devices/virtio/virtqueue.h"

#include <string.h>

/* Descriptor: 2.7.5. */
#define DESCRIPTOR_SIZE       16
#define VIRTQ_DESC_F_NEXT     1
#define VIRTQ_DESC_F_WRITE    2
#define VIRTQ_DESC_F_INDIRECT 4

/* Driver area ("available ring"): 2.7.6. le16 flags, idx, ring[size], used_event. */
#define AVAIL_FLAGS                0
#define AVAIL_IDX                  2
#define AVAIL_RING                 4
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1

/* Device area ("used ring"): 2.7.8. le16 flags, idx; ring[size] of le32 id, len; le16 avail_event. */
#define USED_FLAGS             0
#define USED_IDX               2
#define USED_RING              4
#define USED_ELEMENT_SIZE      8
#define VIRTQ_USED_F_NO_NOTIFY 1

/* Alignment: 2.7, table. */
#define DESCRIPTORS_ALIGN 16
#define DRIVER_ALIGN      2
#define DEVICE_ALIGN      4

typedef struct {
  uint64_t address;
  uint32_t size;
  uint16_t flags, next;
} Descriptor;

static uint16_t load16(const uint8_t *at) {
  return GUINT16_FROM_LE(__atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED));
}

static void store16(uint8_t *at, uint16_t value) {
  __atomic_store_n((uint16_t *)(void *)at, GUINT16_TO_LE(value), __ATOMIC_RELAXED);
}

/*
 * 2.7.13.3: indices count up and wrap at 2^16, as a uint16_t does; the rings' sizes divide that. How far TO is ahead of
 * FROM.
 */
static uint16_t distance(uint16_t from, uint16_t to) {
  return (uint16_t)(to - from);
}

static uint16_t avail_idx(const VirtQueue *queue) {
  return GUINT16_FROM_LE(__atomic_load_n((const uint16_t *)(const void *)(queue->driver_host + AVAIL_IDX), __ATOMIC_ACQUIRE));
}

static const uint8_t *used_event(const VirtQueue *queue) {
  return queue->driver_host + AVAIL_RING + sizeof(uint16_t) * queue->config.size;
}

static uint8_t *avail_event(const VirtQueue *queue) {
  return queue->device_host + USED_RING + (size_t)USED_ELEMENT_SIZE * queue->config.size;
}

void virtqueue_init(VirtQueue *queue, const GuestMemory *memory, uint16_t max_size) {
  g_assert(max_size > 0 && max_size <= VIRTQUEUE_MAX_SIZE && (max_size & (max_size - 1)) == 0);
  *queue = (VirtQueue){.memory = memory, .max_size = max_size};
  virtqueue_reset(queue);
}

void virtqueue_reset(VirtQueue *queue) {
  *queue = (VirtQueue){.memory = queue->memory, .max_size = queue->max_size, .config.size = queue->max_size};
}

static void *area(const VirtQueue *queue, uint64_t address, uint64_t size, uint64_t align) {
  return address % align == 0 ? guest_memory_slice(queue->memory, address, size) : NULL;
}

static uint64_t *area_address(VirtQueue *queue, unsigned area) {
  uint64_t *const addresses[] = {&queue->config.descriptors, &queue->config.driver, &queue->config.device};
  return addresses[area];
}

uint32_t virtqueue_get_area(const VirtQueue *queue, unsigned area, bool high) {
  return (uint32_t)(*area_address((VirtQueue *)queue, area) >> (high ? 32 : 0));
}

void virtqueue_set_area(VirtQueue *queue, unsigned area, bool high, uint32_t value) {
  uint64_t *address = area_address(queue, area);
  unsigned shift = high ? 32 : 0;

  *address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

bool virtqueue_start(VirtQueue *queue) {
  uint16_t size = queue->config.size;

  if (queue->broken)
    return false;
  if (size == 0 || size > queue->max_size || (size & (size - 1)) != 0) {
    queue->broken = "queue size is not a power of two within what the device offers";
    return false;
  }
  queue->descriptors_host = area(queue, queue->config.descriptors, (uint64_t)DESCRIPTOR_SIZE * size, DESCRIPTORS_ALIGN);
  queue->driver_host = area(queue, queue->config.driver, AVAIL_RING + sizeof(uint16_t) * (size + 1u), DRIVER_ALIGN);
  queue->device_host = area(queue, queue->config.device, USED_RING + (uint64_t)USED_ELEMENT_SIZE * size + sizeof(uint16_t), DEVICE_ALIGN);
  if (!queue->descriptors_host || !queue->driver_host || !queue->device_host) {
    queue->broken = "queue area is misaligned or outside guest memory";
    return false;
  }
  queue->running = true;
  return true;
}

void virtqueue_stop(VirtQueue *queue) {
  queue->running = false;
}

static Descriptor load_descriptor(const uint8_t *table, unsigned index) {
  uint8_t bytes[DESCRIPTOR_SIZE];
  Descriptor descriptor;

  memcpy(bytes, table + (size_t)DESCRIPTOR_SIZE * index, sizeof bytes);
  /* The compiler must not fetch a field a second time after it has been checked. */
  __asm__ volatile("" : : "r"(bytes) : "memory");
  memcpy(&descriptor.address, bytes, sizeof descriptor.address);
  memcpy(&descriptor.size, bytes + 8, sizeof descriptor.size);
  memcpy(&descriptor.flags, bytes + 12, sizeof descriptor.flags);
  memcpy(&descriptor.next, bytes + 14, sizeof descriptor.next);
  descriptor.address = GUINT64_FROM_LE(descriptor.address);
  descriptor.size = GUINT32_FROM_LE(descriptor.size);
  descriptor.flags = GUINT16_FROM_LE(descriptor.flags);
  descriptor.next = GUINT16_FROM_LE(descriptor.next);
  return descriptor;
}

/* Appends one buffer. NULL, or what is wrong with it. */
static const char *add_buffer(const VirtQueue *queue, VirtChain *chain, const Descriptor *descriptor) {
  bool writable = descriptor->flags & VIRTQ_DESC_F_WRITE;
  void *host = guest_memory_slice(queue->memory, descriptor->address, descriptor->size);

  if (!host)
    return "buffer is empty or outside guest memory";
  if (!writable && chain->n_in > 0)
    return "device-readable buffer after a device-writable one";
  if (chain->n_out + chain->n_in == queue->max_size)
    return "chain has more buffers than the queue";
  chain->iov[chain->n_out + chain->n_in] = (struct iovec){host, descriptor->size};
  if (writable) {
    chain->n_in++;
    chain->in_size += descriptor->size;
  } else {
    chain->n_out++;
    chain->out_size += descriptor->size;
  }
  /* 2.7.5: a chain is not longer than 2^32 bytes in total; used.len could not count it. */
  if (chain->out_size + chain->in_size > UINT32_MAX)
    return "chain has more than 4 GiB";
  return NULL;
}

/* Finds the table of an indirect descriptor (2.7.5.3.1). NULL, or what is wrong with it. */
static const char *open_indirect(const VirtQueue *queue, const Descriptor *descriptor, const uint8_t **table) {
  if (!queue->indirect)
    return "indirect descriptor without the feature";
  if (descriptor->flags & VIRTQ_DESC_F_NEXT)
    return "indirect descriptor with a next one";
  if (descriptor->size == 0 || descriptor->size % DESCRIPTOR_SIZE != 0)
    return "indirect table is empty or not of whole descriptors";
  *table = guest_memory_slice(queue->memory, descriptor->address, descriptor->size);
  return *table ? NULL : "indirect table outside guest memory";
}

/*
 * Follows the chain from chain->head: normal descriptors, of which the last may name an indirect table. NULL, or what
 * is wrong.
 */
static const char *walk(const VirtQueue *queue, VirtChain *chain) {
  const uint8_t *table = queue->descriptors_host;
  unsigned n_entries = queue->config.size;
  unsigned index = chain->head;
  unsigned visited = 0;
  bool in_indirect = false;

  /*
   * Each table has bounds of its own; add_buffer bounds them together, so that a loop ends at the latest with the
   * iovec.
   */
  while (true) {
    if (index >= n_entries)
      return "descriptor index out of range";
    if (visited == n_entries)
      return "chain loops";
    visited++;

    Descriptor descriptor = load_descriptor(table, index);
    if (descriptor.flags & VIRTQ_DESC_F_INDIRECT) {
      const char *wrong = in_indirect ? "indirect table in an indirect table" : open_indirect(queue, &descriptor, &table);
      if (wrong)
        return wrong;
      in_indirect = true;
      n_entries = descriptor.size / DESCRIPTOR_SIZE;
      index = 0;
      visited = 0;
      continue;
    }
    const char *wrong = add_buffer(queue, chain, &descriptor);
    if (wrong)
      return wrong;
    if (!(descriptor.flags & VIRTQ_DESC_F_NEXT))
      return NULL;
    index = descriptor.next;
  }
}

static int break_queue(VirtQueue *queue, const char *why) {
  queue->broken = why;
  return -1;
}

int virtqueue_pop(VirtQueue *queue, VirtChain *chain) {
  if (queue->broken)
    return -1;
  if (!queue->running)
    return 0;

  uint16_t available = distance(queue->next_avail, avail_idx(queue));
  if (available == 0)
    return 0;
  if (available > queue->config.size)
    return break_queue(queue, "available index jumped by more than the queue size");
  /*
   * A chain has at least one descriptor, so more in flight than descriptors means that some are in two chains. The
   * bound is what keeps the memory of devices that allocate for each request in flight bounded.
   */
  if (distance(queue->next_used, queue->next_avail) >= queue->config.size)
    return break_queue(queue, "more chains in flight than the queue has descriptors");

  chain->head = load16(queue->driver_host + AVAIL_RING + sizeof(uint16_t) * (queue->next_avail & (queue->config.size - 1u)));
  chain->n_out = chain->n_in = 0;
  chain->out_size = chain->in_size = 0;
  const char *wrong = walk(queue, chain);
  if (wrong)
    return break_queue(queue, wrong);
  queue->next_avail++;
  return 1;
}

void virtqueue_unpop(VirtQueue *queue) {
  if (queue->next_avail != queue->next_used)
    queue->next_avail--;
}

void virtqueue_push_many(VirtQueue *queue, const VirtUsed *used, unsigned n) {
  if (queue->broken || !queue->running)
    return;

  for (unsigned i = 0; i < n; i++) {
    uint32_t element[2] = {GUINT32_TO_LE(used[i].head), GUINT32_TO_LE(used[i].written)};
    memcpy(queue->device_host + USED_RING + (size_t)USED_ELEMENT_SIZE * (queue->next_used & (queue->config.size - 1u)), element,
           sizeof element);
    queue->next_used++;
  }
  /* The driver that sees the index also sees the elements and the data before it. */
  __atomic_store_n((uint16_t *)(void *)(queue->device_host + USED_IDX), GUINT16_TO_LE(queue->next_used), __ATOMIC_RELEASE);
}

void virtqueue_push(VirtQueue *queue, uint16_t head, uint32_t written) {
  virtqueue_push_many(queue, &(VirtUsed){head, written}, 1);
}

bool virtqueue_needs_interrupt(VirtQueue *queue) {
  if (queue->broken || !queue->running || queue->next_used == queue->signalled_used)
    return false;

  uint16_t before = queue->signalled_used;
  queue->signalled_used = queue->next_used;
  /*
   * Our used.idx is out before the driver's wish is read; the driver does the reverse. One of the two sees the other.
   */
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (!queue->event_idx)
    return !(load16(queue->driver_host + AVAIL_FLAGS) & VIRTQ_AVAIL_F_NO_INTERRUPT);

  /* 2.7.7.2: was used_event the index of one of the elements from BEFORE on? */
  uint16_t event = load16(used_event(queue));
  return distance(before, event) < distance(before, queue->next_used);
}

void virtqueue_disable_doorbell(VirtQueue *queue) {
  if (queue->broken || !queue->running)
    return;
  /* With EVENT_IDX the flag must stay 0 (2.7.10.1); an avail_event that lies behind asks for nothing. */
  if (!queue->event_idx)
    store16(queue->device_host + USED_FLAGS, VIRTQ_USED_F_NO_NOTIFY);
}

bool virtqueue_enable_doorbell(VirtQueue *queue) {
  if (queue->broken || !queue->running)
    return false;
  if (queue->event_idx)
    store16(avail_event(queue), queue->next_avail);
  else
    store16(queue->device_host + USED_FLAGS, 0);
  /* The wish is out before avail.idx is read again; see virtqueue_needs_interrupt. */
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return avail_idx(queue) != queue->next_avail;
}

/* Copies between FLAT and the buffers from OFFSET on. Returns the bytes copied. */
static size_t copy(const struct iovec *iov, unsigned n_iov, uint64_t offset, void *flat, size_t size, bool to_guest) {
  size_t done = 0;

  for (unsigned i = 0; i < n_iov && done < size; i++) {
    if (offset >= iov[i].iov_len) {
      offset -= iov[i].iov_len;
      continue;
    }
    uint8_t *guest = (uint8_t *)iov[i].iov_base + offset;
    size_t part = MIN(iov[i].iov_len - offset, size - done);
    if (to_guest)
      memcpy(guest, (uint8_t *)flat + done, part);
    else
      memcpy((uint8_t *)flat + done, guest, part);
    done += part;
    offset = 0;
  }
  return done;
}

size_t virt_chain_read(const VirtChain *chain, uint64_t offset, void *to, size_t size) {
  return copy(chain->iov, chain->n_out, offset, to, size, false);
}

size_t virt_chain_write(const VirtChain *chain, uint64_t offset, const void *from, size_t size) {
  return copy(chain->iov + chain->n_out, chain->n_in, offset, (void *)from, size, true);
}
