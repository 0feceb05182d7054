/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of the vhost-user protocol on a stream socket. QEMU: docs/interop/vhost-user.rst, "Message Specification": a
 * header of 12 bytes and a payload, in the byte order of the machine; descriptors come beside the header.
 *
 * What the peer sends is bounded and checked here. No lock: a channel is one thread's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "Front-end message types". */
typedef enum {
  VHOST_USER_GET_FEATURES = 1,
  VHOST_USER_SET_FEATURES = 2,
  VHOST_USER_SET_OWNER = 3,
  VHOST_USER_SET_MEM_TABLE = 5,
  VHOST_USER_SET_VRING_NUM = 8,
  VHOST_USER_SET_VRING_ADDR = 9,
  VHOST_USER_SET_VRING_BASE = 10,
  VHOST_USER_GET_VRING_BASE = 11,
  VHOST_USER_SET_VRING_KICK = 12,
  VHOST_USER_SET_VRING_CALL = 13,
  VHOST_USER_GET_PROTOCOL_FEATURES = 15,
  VHOST_USER_SET_PROTOCOL_FEATURES = 16,
  VHOST_USER_GET_QUEUE_NUM = 17,
  VHOST_USER_SET_VRING_ENABLE = 18,
  VHOST_USER_SET_BACKEND_REQ_FD = 21,
  VHOST_USER_GET_CONFIG = 24,
  VHOST_USER_SET_CONFIG = 25,
  VHOST_USER_GET_INFLIGHT_FD = 31,
  VHOST_USER_SET_INFLIGHT_FD = 32,
  VHOST_USER_RESET_DEVICE = 34,
} VhostUserRequest;

/* "Back-end message types". */
#define VHOST_USER_BACKEND_CONFIG_CHANGE_MSG 2

/* Header flags. */
#define VHOST_USER_VERSION_MASK 0x3
#define VHOST_USER_VERSION      0x1
#define VHOST_USER_REPLY        0x4
#define VHOST_USER_NEED_REPLY   0x8

#define VHOST_USER_CONFIG_MAX  256                /* bytes of a configuration space; "Virtio device config space" */
#define VHOST_USER_REGIONS_MAX 8                  /* of a memory table, and descriptors of a message */
#define VHOST_USER_NO_FD       (UINT64_C(1) << 8) /* in the payload of SET_VRING_KICK and CALL; bits 0-7 are the ring */

/* Payloads. */
typedef struct {
  uint32_t index, num;
} VhostUserVringState;

typedef struct {
  uint32_t index, flags;
  uint64_t descriptors, used, available, log; /* addresses in this process */
} VhostUserVringAddress;

typedef struct {
  uint64_t guest_address, size, user_address, mmap_offset;
} VhostUserRegion;

typedef struct {
  uint32_t n_regions, padding;
  VhostUserRegion regions[VHOST_USER_REGIONS_MAX];
} VhostUserMemory;

typedef struct {
  uint32_t offset, size, flags;
  uint8_t bytes[VHOST_USER_CONFIG_MAX];
} VhostUserConfig;
#define VHOST_USER_CONFIG_HEADER 12

/* "Inflight description": where a back end writes down what it is at; 24 bytes with what no field takes. */
typedef struct {
  uint64_t mmap_size, mmap_offset;
  uint16_t num_queues, queue_size, padding[2];
} VhostUserInflight;

typedef struct {
  uint32_t request, flags, size; /* SIZE: bytes of the payload */
  union {
    uint64_t number;
    VhostUserVringState state;
    VhostUserVringAddress address;
    VhostUserMemory memory;
    VhostUserConfig config;
    VhostUserInflight inflight;
  };
} VhostUserMessage;

/* "SET_OWNER", or a number. */
const char *vhost_user_request_name(uint32_t request);

/* One end of a conversation. */
typedef struct {
  int fd;           /* -1: none */
  const char *peer; /* for errors, which begin with it */
  /*
   * While the peer's answer is waited for, it may say something on another way, and wait for ours before it goes on:
   * called when *BESIDE_FD is readable. False: it is lost. Optional.
   */
  const int *beside_fd;
  bool (*beside)(void *opaque, GError **error);
  void *opaque;
} VhostUserChannel;

/*
 * Sends MESSAGE with N_FDS descriptors, which stay the caller's. DEADLINE is of the monotonic clock, in microseconds.
 * False, with an error, when the peer is gone or does not read by then.
 */
bool vhost_user_send(const VhostUserChannel *channel, const VhostUserMessage *message, const int *fds, unsigned n_fds, gint64 deadline,
                     GError **error);
/*
 * Receives one message. False, with an error, when the peer is gone, has not sent all of it by DEADLINE, or has sent
 * what is none: another version, a payload that is longer than any we know, or descriptors, which are closed.
 */
bool vhost_user_receive(const VhostUserChannel *channel, VhostUserMessage *message, gint64 deadline, GError **error);
/* The same, of a message that one descriptor may come with: *FD, the caller's, or -1. -1 after an error, too. */
bool vhost_user_receive_with(const VhostUserChannel *channel, VhostUserMessage *message, int *fd, gint64 deadline, GError **error);

/* Errors of the conversation: what the peer did, "%s has closed its connection". */
#define VHOST_USER_ERROR (vhost_user_error_quark())
GQuark vhost_user_error_quark(void);
typedef enum { VHOST_USER_ERROR_GONE, VHOST_USER_ERROR_SLOW, VHOST_USER_ERROR_WRONG, VHOST_USER_ERROR_REFUSED } VhostUserError;
