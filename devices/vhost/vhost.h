/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who serves queues of a virtio device in our place, with vhost's set of calls: the kernel (vhost-kernel.h), or another
 * process behind a socket (vhost-user.h). It is told of guest memory, of the rings, and of two event descriptors a
 * ring; from then on nobody here stands between it and the guest.
 *
 * The kernel is trusted. A process is not: what it says is checked, and no call waits for it beyond `deadline`. After a
 * call that failed, ERROR says who died of what, and nothing but disconnect may follow.
 *
 * No lock: of one thread at a time, after its making the I/O thread of its device.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/guest-memory.h"

typedef struct Vhost Vhost;

/* A ring as it is when it starts; where it lies was checked. */
typedef struct {
  uint16_t size;
  uint16_t base;                             /* of the available ring: where to go on */
  const void *descriptors, *driver, *device; /* the three areas in this process */
  int kick, call;                            /* event descriptors, that stay the caller's */
} VhostVring;

typedef struct {
  /*
   * Makes it ready to be told things, once more after it was lost, and learns what it can do. Nothing happens if it is
   * connected.
   */
  bool (*connect)(Vhost *vhost, GError **error);
  void (*disconnect)(Vhost *vhost);
  /* Forgets what an earlier driver did. Optional. */
  bool (*reset)(Vhost *vhost, GError **error);
  /*
   * No driver is there: one that has ended unseen is disconnected, or one that knew a driver (USED) and does not forget
   * it; for who is not there, another is called, where somebody is to be called. Does not wait. Optional.
   */
  void (*renew)(Vhost *vhost, bool used);

  /* In this order, before the rings; FEATURES are among those that it offers. */
  bool (*set_features)(Vhost *vhost, uint64_t features, GError **error);
  /*
   * Has it write down what is in flight, in N rings of up to SIZE, for who comes after it. ANEW: nothing is; else it
   * goes on with what the one before it wrote down. Sets `resumable`. Optional.
   */
  bool (*set_inflight)(Vhost *vhost, bool anew, unsigned n, uint16_t size, GError **error);
  bool (*set_memory)(Vhost *vhost, const GuestMemory *memory, GError **error);
  bool (*start_vring)(Vhost *vhost, unsigned index, const VhostVring *vring, GError **error);
  /* All rings are started, and none is missing; or they are about to be stopped. Optional. */
  bool (*run)(Vhost *vhost, bool running, GError **error);
  /* Nothing of the ring is in flight afterwards; chains up to the available index *BASE were taken. */
  bool (*stop_vring)(Vhost *vhost, unsigned index, uint16_t *base, GError **error);

  /* The device's configuration space, where has_config says that it has one: exactly SIZE bytes. */
  bool (*get_config)(Vhost *vhost, void *to, unsigned size, GError **error);
  bool (*set_config)(Vhost *vhost, unsigned offset, const void *from, unsigned size, GError **error);

  /* One of watch_fds is readable. *CONFIG_CHANGED where it says so. False: it is lost. */
  bool (*handle)(Vhost *vhost, bool *config_changed, GError **error);
  /*
   * Whether ERROR, of any call, says that it is not there, not that it is wrong: another may come. Optional: it does
   * not.
   */
  bool (*is_away)(const GError *error);
  void (*free)(Vhost *vhost);
} VhostOps;

#define VHOST_WATCH_FDS 2

/* What is below `name` is known once it was connected. */
struct Vhost {
  const VhostOps *ops;
  char *name;      /* "vhost-user back end /run/rng.sock"; for people */
  gint64 deadline; /* by the monotonic clock, microseconds */
  gint64 away_us;  /* how long another is waited for where one that was resumable is lost */
  bool one_driver; /* what it knows of a driver it does not forget: the next is to have another */
  bool connected;
  bool resumable;                 /* who comes after it can go on with what it has in flight; also while it is lost */
  uint64_t features;              /* what it offers, without bits that are between it and us */
  bool has_config;                /* the device's configuration is to be asked of it */
  bool config_news;               /* it said that this is another, while it was asked for something; who sees it clears it */
  unsigned max_queues;            /* how many rings it serves; 0: it does not say */
  int watch_fds[VHOST_WATCH_FDS]; /* readable when it has something to say; -1: none, also from one call to the next */
};

/* How long a run of calls may take altogether; from now on. */
#define VHOST_PATIENCE_US (3 * G_USEC_PER_SEC)
#define VHOST_AWAY_US     (60 * G_USEC_PER_SEC)
static inline void vhost_begin(Vhost *vhost) {
  vhost->deadline = g_get_monotonic_time() + VHOST_PATIENCE_US;
}

static inline void vhost_free(Vhost *vhost) {
  if (vhost)
    vhost->ops->free(vhost);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vhost, vhost_free)
