/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio network card (virtio 1.2, 5.1) on a back end of the host's. */
#pragma once

#include "devices/backend/net-backend.h"
#include "devices/user-network.h"
#include "devices/virtio/virtio.h"

/* Whether the kernel's vhost serves the queues. AUTO: where the host has it and the back end is a tap. */
typedef enum { NET_VHOST_AUTO, NET_VHOST_ON, NET_VHOST_OFF } NetVhost;

/* What can be asked of it: one of the first five, which say what is behind it. */
typedef struct {
  char *tap;       /* a tap device's name */
  unsigned fd;     /* an open tap's descriptor, of several queues the first of as many; 0: none */
  char *unix_path; /* a socket at which another machine's card is met */
  bool user;       /* another program's sockets */
  bool none;       /* there is to be no card; who makes one does not see this */
  unsigned queues; /* pairs; 0: one */
  char *mac;       /* as text; NULL: derived */
  unsigned mtu;    /* 0: the back end's, if it has one */
  NetVhost vhost;
  GPtrArray *forwards; /* of char *, of a user network: see devices/user-network.h; NULL: none */
  bool restricted;     /* the guest may answer, and begin nothing: see devices/backend/answer-filter.h */
  bool framed;         /* of a user network: the frames pass through here, and not by vhost-user */
  unsigned boot_index; /* 1: firmware tries it first; 0: it is not said when */
} NetConfig;

/* Opens the back end. */
extern const DeviceKind virtio_net_kind; /* of a NetConfig */

/* What becomes of frames, each counted for the life of the device. */
typedef enum {
  NET_COUNT_RECEIVED,   /* by the guest */
  NET_COUNT_SENT,       /* by the guest */
  NET_COUNT_FILTERED,   /* not for this card */
  NET_COUNT_BAD_HEADER, /* the guest's header was not believed */
  NET_COUNT_BAD_BUFFER, /* a buffer without room for a header, or without a frame */
  NET_COUNT_TOO_LONG,   /* longer than the guest's buffers */
  NET_COUNT_NOT_AGREED, /* left undone what the guest cannot do */
  NET_COUNT_LINK_DOWN,
  NET_COUNT_REFUSED,   /* by the back end */
  NET_COUNT_FORBIDDEN, /* what the guest may not send */
  NET_COUNTS,
} NetCount;

/*
 * BACKEND is the device's from now on, whatever happens. MTU 0: the back end's, and none is told to the guest where it
 * knows none.
 */
VirtioDevice *virtio_net_new(const char *name, const GuestMemory *memory, NetBackend *backend, const uint8_t mac[NET_MAC_SIZE],
                             unsigned mtu, GError **error);

/*
 * The same on the program of NETWORK, which speaks vhost-user and takes the frames from MEMORY, that is shared for it.
 * NETWORK is the device's from now on, whatever happens.
 */
VirtioDevice *virtio_net_of_user(const char *name, const GuestMemory *memory, UserNetwork *network, const uint8_t mac[NET_MAC_SIZE],
                                 unsigned mtu, GError **error);

/*
 * Has the kernel's vhost, at PATH (VHOST_KERNEL_NET), serve the queues of frames: no thread of ours is in their way
 * then, and nothing of them is filtered or counted here. Before the device is connected. False: it is as it was, unless
 * this process has no descriptors left.
 */
bool virtio_net_use_vhost(VirtioDevice *device, const char *path, GError **error);

/* "02:00:00:12:34:56", of one card: false where it is none, or that of a group, or of zeros. */
bool virtio_net_parse_mac(const char *text, uint8_t mac[NET_MAC_SIZE]);

/* Pulls the cable, and plugs it in again. Any thread. */
void virtio_net_set_link(VirtioDevice *device, bool up);
/* Asks the guest to tell its neighbours where it is now. Any thread. */
void virtio_net_announce(VirtioDevice *device);
/* Any thread. */
uint64_t virtio_net_count(const VirtioDevice *device, NetCount count);

/*
 * An address for the card INDEX of a machine, in *MAC: locally administered, and the same each time for the same
 * IDENTITY.
 */
void virtio_net_derive_mac(const char *identity, unsigned index, uint8_t mac[NET_MAC_SIZE]);
