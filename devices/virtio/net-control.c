/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control queue: virtio 1.2, 5.1.6.5. A command is class, number and data, and is answered with one byte. One that
 * is not known, or whose data have another length than they should, is answered with an error and changes nothing.
 *
 * What a command says is copied before it is looked at, and bounded by the tables here.
 */
#include <string.h>

#include "devices/virtio/net-internal.h"

#define COMMAND_SIZE  2
#define COMMAND_BATCH 16
#define ACK_SIZE      1
#define COUNT_SIZE    4 /* of a table of addresses */

enum { NET_OK = 0, NET_ERR = 1 };

enum { NET_CTRL_RX = 0, NET_CTRL_MAC = 1, NET_CTRL_ANNOUNCE = 3, NET_CTRL_MQ = 4, NET_CTRL_GUEST_OFFLOADS = 5 };

/* What comes behind class and number. */
typedef struct {
  const VirtChain *chain;
  uint8_t number;
  uint64_t size; /* bytes */
} Command;

static bool read_data(const Command *command, uint64_t offset, void *to, size_t size) {
  return virt_chain_read(command->chain, COMMAND_SIZE + offset, to, size) == size;
}

/* All of the data, of exactly SIZE bytes. */
static bool read_whole(const Command *command, void *to, size_t size) {
  return command->size == size && read_data(command, 0, to, size);
}

/* 5.1.6.5.1 */
static bool set_mode(VirtioNet *net, const Command *command) {
  uint8_t on;

  if (command->number >= NET_RX_MODES || (command->number > NET_RX_ALLMULTI && !net_has(net, NET_F_CTRL_RX_EXTRA)) ||
      !read_whole(command, &on, sizeof on))
    return false;
  net->filter.modes[command->number] = on;
  return true;
}

/* One of the two tables, at *OFFSET, which moves behind it. */
static bool read_table(const Command *command, uint64_t *offset, NetTable *table) {
  uint32_t n;

  if (!read_data(command, *offset, &n, COUNT_SIZE))
    return false;
  n = GUINT32_FROM_LE(n);
  *offset += COUNT_SIZE;
  if ((uint64_t)n * NET_MAC_SIZE > command->size - *offset)
    return false;
  table->overflow = n > NET_FILTER_MAX;
  table->n = table->overflow ? 0 : n;
  if (!read_data(command, *offset, table->addresses, (size_t)table->n * NET_MAC_SIZE))
    return false;
  *offset += (uint64_t)n * NET_MAC_SIZE;
  return true;
}

/* 5.1.6.5.2 */
static bool set_tables(VirtioNet *net, const Command *command) {
  NetTable unicast = {.n = 0}, multicast = {.n = 0};
  uint64_t offset = 0;

  if (!read_table(command, &offset, &unicast) || !read_table(command, &offset, &multicast) || offset != command->size)
    return false;
  net->filter.unicast = unicast;
  net->filter.multicast = multicast;
  return true;
}

static bool set_address(VirtioNet *net, const Command *command) {
  uint64_t mac = 0;

  if (!net_has(net, NET_F_CTRL_MAC_ADDR) || !read_whole(command, &mac, NET_MAC_SIZE))
    return false;
  __atomic_store_n(&net->mac, GUINT64_FROM_LE(mac), __ATOMIC_RELAXED);
  virtio_config_changed(&net->base);
  return true;
}

static bool do_mac(VirtioNet *net, const Command *command) {
  enum { TABLE_SET, ADDR_SET };

  if (command->number == ADDR_SET)
    return set_address(net, command);
  return command->number == TABLE_SET && net_has(net, NET_F_CTRL_RX) && set_tables(net, command);
}

static bool do_rx(VirtioNet *net, const Command *command) {
  return net_has(net, NET_F_CTRL_RX) && set_mode(net, command);
}

/* 5.1.6.5.4 */
static bool do_announce(VirtioNet *net, const Command *command) {
  enum { ACK };

  if (!net_has(net, NET_F_GUEST_ANNOUNCE) || command->number != ACK)
    return false;
  if (__atomic_fetch_and(&net->status, ~NET_ANNOUNCING, __ATOMIC_SEQ_CST) & NET_ANNOUNCING)
    virtio_config_changed(&net->base);
  return true;
}

/* 5.1.6.5.5 */
static bool do_mq(VirtioNet *net, const Command *command) {
  enum { VQ_PAIRS_SET };
  uint16_t n;

  if (!net_has(net, NET_F_MQ) || command->number != VQ_PAIRS_SET || !read_whole(command, &n, sizeof n))
    return false;
  n = GUINT16_FROM_LE(n);
  return n >= 1 && n <= net->n_pairs && net_set_active_pairs(net, n);
}

/* 5.1.6.5.6 */
static bool do_offloads(VirtioNet *net, const Command *command) {
  enum { SET };
  uint64_t features;

  if (!net_has(net, NET_F_CTRL_GUEST_OFFLOADS) || command->number != SET || !read_whole(command, &features, sizeof features))
    return false;
  features = GUINT64_FROM_LE(features);
  /* Only bits that mean offloads, and that were agreed on. */
  unsigned offloads = net_receive_offloads(features), agreed = net_receive_offloads(net->base.features);
  if ((features & ~net->base.features) || (features & ~NET_RECEIVE_FEATURES) || (offloads & ~agreed) ||
      !net->backend->ops->set_offloads(net->backend, offloads))
    return false;
  net->receive_offloads = offloads;
  return true;
}

static bool (*const classes[])(VirtioNet *net, const Command *command) = {
    [NET_CTRL_RX] = do_rx,
    [NET_CTRL_MAC] = do_mac,
    [NET_CTRL_ANNOUNCE] = do_announce,
    [NET_CTRL_MQ] = do_mq,
    [NET_CTRL_GUEST_OFFLOADS] = do_offloads,
};

/* Carries out what CHAIN asks for; how many bytes the answer has. */
static uint32_t carry_out(VirtioNet *net, const VirtChain *chain) {
  uint8_t head[COMMAND_SIZE], answer = NET_ERR;

  if (!chain->in_size)
    return 0;
  if (virt_chain_read(chain, 0, head, sizeof head) == sizeof head && head[0] < G_N_ELEMENTS(classes) && classes[head[0]]) {
    const Command command = {.chain = chain, .number = head[1], .size = chain->out_size - COMMAND_SIZE};

    if (classes[head[0]](net, &command)) {
      net_tell_pairs(net);
      answer = NET_OK;
    }
  }
  return (uint32_t)virt_chain_write(chain, 0, &answer, ACK_SIZE);
}

/* 0 when the queue is empty, 1 when there may be more, -1 when it has failed. */
static int serve_some(VirtioNet *net, unsigned queue, unsigned *served) {
  /* The first pair's is free between that one's turns on this thread; and a command that starts a pair serves none. */
  VirtChain *chain = &net->pairs[0].chain;

  for (*served = 0; *served < COMMAND_BATCH; (*served)++) {
    int popped = virtio_pop(&net->base, queue, chain);

    if (popped <= 0)
      return popped;
    virtio_push(&net->base, queue, chain->head, carry_out(net, chain));
  }
  return 1;
}

void net_control_serve(VirtioNet *net, unsigned index) {
  VirtQueue *queue = &net->base.queues[index];
  unsigned served;
  int more;

  if (!net->running || (virtio_get_status(&net->base) & VIRTIO_STATUS_NEEDS_RESET))
    return;
  virtqueue_disable_doorbell(queue);
  more = serve_some(net, index, &served);
  if (more == 0)
    more = virtqueue_enable_doorbell(queue);
  if (served)
    virtio_interrupt(&net->base, index);
  if (more > 0)
    virtio_notify_again(&net->base, index);
}
