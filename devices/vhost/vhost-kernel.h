/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that the kernel serves on a thread of its own: vhost. Linux: include/uapi/linux/vhost.h, drivers/vhost/. It
 * works on this process's memory, which need not be shared. What a guest breaks of a ring it tells by an event
 * descriptor.
 */
#pragma once

#include "devices/vhost/vhost.h"

#define VHOST_KERNEL_NET   "/dev/vhost-net"
#define VHOST_KERNEL_VSOCK "/dev/vhost-vsock"

/*
 * The two queues (receive, transmit) of one queue pair, with what TAP_FD, a queue of a tap with virtio's header or a
 * packet socket, sends and receives. TAP_FD stays the caller's, and stays open. PATH is opened, and an error names it.
 */
Vhost *vhost_kernel_net_new(const char *path, int tap_fd, GError **error);
/*
 * The receive and the transmit queue of a vsock device whose guest is *CID in this host, which must be free; 0: the
 * first that is, and *CID says which.
 */
Vhost *vhost_kernel_vsock_new(const char *path, uint64_t *cid, GError **error);
