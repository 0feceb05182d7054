/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of a queue whose rings and tables an adversary writes, while they are read, too. From any place that the
 * queue has got to: it ends, nothing outside guest memory is touched, and a chain that comes out has only buffers in
 * guest memory, no more than the queue has descriptors, and less than 4 GiB. No more chains
 * are in flight than it has descriptors.
 *
 * bounds: queues that offer up to 4 descriptors; areas, buffers and indirect tables anywhere, of any size
 * cbmc: --unwind 8 --unwindset hostile_copy.0:9
 * fault: devices/virtio/virtqueue.c s#n_out + chain->n_in == queue->max_size#n_out + chain->n_in > queue->max_size#
 * fault: devices/virtio/virtqueue.c s#index >= n_entries#index > n_entries#
 * fault: devices/virtio/virtqueue.c s#(uint64_t)DESCRIPTOR_SIZE \* size, DESC#(uint64_t)8 * size, DESC#
 * fault: devices/virtio/virtqueue.c s#in_size > UINT32_MAX#in_size > UINT64_MAX#
 * fault: devices/virtio/virtqueue.c s#n_entries = descriptor.size .*#;#
 * fault: devices/virtio/virtqueue.c s#queue->next_avail) >= queue->config.size#queue->next_avail) > queue->config.size#
 */
#include "tests/prove/hostile-memory.h"

#include "devices/virtio/virtqueue.c"

#define SIZE_MAX_HERE 4

static VirtChain chain;

/* A queue that runs, as the guest has configured it, and has got anywhere. */
static void any_queue(VirtQueue *queue) {
  *queue = (VirtQueue){.max_size = SIZE_MAX_HERE, .event_idx = any_bool(), .indirect = any_bool()};
  queue->config.size = any_u16();
  queue->config.descriptors = any_u64();
  queue->config.driver = any_u64();
  queue->config.device = any_u64();
  queue->next_avail = any_u16();
  queue->next_used = any_u16();
  queue->signalled_used = any_u16();
  assume(virtqueue_start(queue));
}

static void prove_chain(const VirtQueue *queue) {
  uint64_t out = 0, in = 0;
  unsigned n = chain.n_out + chain.n_in;

  prove(n > 0 && n <= queue->max_size);
  for (unsigned i = 0; i < n; i++) {
    prove(is_hostile(chain.iov[i].iov_base) && may_write(chain.iov[i].iov_base, chain.iov[i].iov_len));
    *(i < chain.n_out ? &out : &in) += chain.iov[i].iov_len;
  }
  prove(out == chain.out_size && in == chain.in_size && out + in <= UINT32_MAX);
}

static void prove_pop(void) {
  VirtQueue queue;

  any_queue(&queue);
  prove(queue.config.size > 0 && queue.config.size <= SIZE_MAX_HERE);
  uint16_t before = queue.next_avail;
  int popped = virtqueue_pop(&queue, &chain);
  prove((popped < 0) == (queue.broken != NULL));
  prove(queue.next_avail == (uint16_t)(before + (popped > 0)));
  prove(popped <= 0 || distance(queue.next_used, queue.next_avail) <= queue.config.size);
  if (popped > 0)
    prove_chain(&queue);
}

/* The rest of what touches the rings. */
static void prove_rings(void) {
  VirtQueue queue;
  VirtUsed used[SIZE_MAX_HERE];
  unsigned n = any_unsigned();

  assume(n <= SIZE_MAX_HERE);
  any_queue(&queue);
  virtqueue_push_many(&queue, used, n);
  virtqueue_needs_interrupt(&queue);
  virtqueue_disable_doorbell(&queue);
  virtqueue_enable_doorbell(&queue);
}

int main(void) {
  prove_pop();
  prove_rings();
}
