/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the vhost-user front end share. Locks: none; see vhost.h. */
#pragma once

#include "devices/vhost/user-message.h"
#include "devices/vhost/vhost.h"

/* "Protocol features". */
#define PROTOCOL_MQ           (UINT64_C(1) << 0)
#define PROTOCOL_REPLY_ACK    (UINT64_C(1) << 3)
#define PROTOCOL_BACKEND_REQ  (UINT64_C(1) << 5)
#define PROTOCOL_CONFIG       (UINT64_C(1) << 9)
#define PROTOCOL_INFLIGHT     (UINT64_C(1) << 12)
#define PROTOCOL_RESET_DEVICE (UINT64_C(1) << 13)

/* How long a program that has just been started may take with its first answers. */
#define VHOST_USER_STARTS_US (10 * G_USEC_PER_SEC)

typedef struct {
  Vhost base; /* first */
  bool wants_config;
  int (*open)(void *opaque, GError **error); /* VhostUserOpen */
  void *opaque;
  void (*free_opaque)(void *opaque);
  void (*call_for_next)(void *opaque); /* another is there soon that OPEN gives; NULL: whoever is there is */
  VhostUserChannel main, backend;
  uint64_t all_features; /* that it offers, with those between us */
  uint64_t protocol;     /* agreed on */
  unsigned n_shared;     /* what it was told of guest memory */
  VhostUserRegion shared[VHOST_USER_REGIONS_MAX];
  int inflight_fd; /* of what it writes down, also while it is lost; -1: none. Never mapped here. */
  VhostUserInflight inflight;
} VhostUser;

/* An error of the back end's: "NAME WHAT". Returns false. */
bool vhost_user_wrong(const VhostUser *user, const char *what, GError **error);
/* Whether MESSAGE is the answer to REQUEST, with a payload of SIZE bytes. */
bool vhost_user_is_answer(const VhostUser *user, uint32_t request, const VhostUserMessage *message, uint32_t size, GError **error);
/*
 * Sends MESSAGE, with descriptors that stay the caller's: what has no answer but, where that was agreed on, one that
 * says whether it was done.
 */
bool vhost_user_tell(VhostUser *user, VhostUserMessage *message, const int *fds, unsigned n_fds, GError **error);

/* VhostOps' set_inflight; and what it keeps is given up. */
bool vhost_user_set_inflight(Vhost *base, bool anew, unsigned n, uint16_t size, GError **error);
void vhost_user_forget_inflight(VhostUser *user);

/* VhostOps' renew. */
void vhost_user_renew(Vhost *base, bool used);
