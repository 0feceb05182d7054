/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's helper (devices/helper.h) that is kept: when the program ends, the log says how, and nothing else happens
 * until the device asks for the next, which it does when its guest resets it. A guest may do that in a loop, so there
 * is one start a second at most.
 *
 * Main thread, default GMainContext, but for what devices/helper.h says.
 */
#pragma once

#include "devices/helper.h"
#include "vmm/helpers/helper-process.h"

typedef struct {
  const char *name;   /* of the program: "passt"; constant */
  const char *device; /* for people: "virtio-net0" */
  const char *what;   /* the same, as its guest knows it: "network card"; constant */
  const char *lack;   /* what there is none of while it is away: "there is no network"; constant */
  /*
   * Starts it: *FD is its connection, the caller's; ENDED, with KEPT, is told of its end. FIRST: it is waited for until
   * it works, so that what is wrong with it is known before there is a machine.
   */
  HelperProcess *(*start)(void *opaque, bool first, HelperEnded *ended, void *kept, int *fd, GError **error);
  void (*free_opaque)(void *opaque); /* NULL: it stays */
  void *opaque;
} KeptHelperConfig;

/* Starts the first; OPAQUE is taken over, also by a failure. */
Helper *kept_helper_new(const KeptHelperConfig *config, GError **error);
