/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap that is none, for tests: each queue pair is a pair of sockets that keep frames apart, with headers as a tap has
 * them. It remembers what it was told.
 */
#pragma once

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/backend/net-backend.h"

#define FAKE_NET_ALL (NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN | NET_OFFLOAD_UFO)

typedef struct {
  NetBackend base;
  int ours[NET_PAIRS_MAX], theirs[NET_PAIRS_MAX];
  int offloads, pairs, receives, refuse; /* atomic */
  int *freed;
} FakeNet;

static inline int fake_net_fd(NetBackend *backend, unsigned pair) {
  return ((FakeNet *)backend)->ours[pair];
}

static inline ssize_t fake_net_receive(NetBackend *backend, unsigned pair, NetHeader *header, struct iovec *iov, unsigned n) {
  FakeNet *fake = (FakeNet *)backend;
  struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};

  __atomic_fetch_add(&fake->receives, 1, __ATOMIC_SEQ_CST);
  iov[0] = (struct iovec){header, NET_HEADER_SIZE};
  ssize_t got = recvmsg(fake->ours[pair], &message, MSG_DONTWAIT);
  g_assert_false(message.msg_flags & MSG_TRUNC);
  if (got > NET_HEADER_SIZE)
    return got - NET_HEADER_SIZE;
  if (got == 0 || errno != EAGAIN) {
    close(fake->ours[pair]);
    fake->ours[pair] = -1;
    __atomic_store_n(&backend->link, false, __ATOMIC_SEQ_CST);
  }
  return 0;
}

static inline NetSent fake_net_send(NetBackend *backend, unsigned pair, const NetHeader *header, struct iovec *iov, unsigned n) {
  FakeNet *fake = (FakeNet *)backend;
  struct msghdr message = {.msg_iov = iov, .msg_iovlen = n};

  iov[0] = (struct iovec){(void *)header, NET_HEADER_SIZE};
  if (__atomic_load_n(&fake->refuse, __ATOMIC_SEQ_CST))
    return NET_REFUSED;
  if (sendmsg(fake->ours[pair], &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
    return NET_SENT;
  return errno == EAGAIN ? NET_FULL : NET_REFUSED;
}

static inline bool fake_net_set_offloads(NetBackend *backend, unsigned offloads) {
  if (offloads & ~backend->receive_offloads)
    return false;
  __atomic_store_n(&((FakeNet *)backend)->offloads, (int)offloads, __ATOMIC_SEQ_CST);
  return true;
}

static inline bool fake_net_set_pairs(NetBackend *backend, unsigned n) {
  g_assert_cmpuint(n, <=, backend->n_pairs);
  __atomic_store_n(&((FakeNet *)backend)->pairs, (int)n, __ATOMIC_SEQ_CST);
  return true;
}

static inline void fake_net_free(NetBackend *backend) {
  FakeNet *fake = (FakeNet *)backend;

  for (unsigned i = 0; i < backend->n_pairs; i++) {
    if (fake->ours[i] >= 0)
      close(fake->ours[i]);
    if (fake->theirs[i] >= 0)
      close(fake->theirs[i]);
  }
  if (fake->freed)
    ++*fake->freed;
  g_free(fake);
}

static const NetBackendOps fake_net_ops = {
    .fd = fake_net_fd,
    .receive = fake_net_receive,
    .send = fake_net_send,
    .set_offloads = fake_net_set_offloads,
    .set_pairs = fake_net_set_pairs,
    .free = fake_net_free,
};

static inline FakeNet *fake_net_new(unsigned n_pairs, unsigned offloads) {
  FakeNet *fake = g_new0(FakeNet, 1);

  fake->base = (NetBackend){.ops = &fake_net_ops,
                            .name = (char *)"fake",
                            .receive_offloads = offloads,
                            .send_offloads = offloads,
                            .n_pairs = n_pairs,
                            .link = true};
  for (unsigned i = 0; i < n_pairs; i++) {
    int fds[2], size = 1 << 20;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), ==, 0);
    fake->ours[i] = fds[0];
    fake->theirs[i] = fds[1];
    for (unsigned j = 0; j < 2; j++)
      setsockopt(fds[j], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  }
  return fake;
}
