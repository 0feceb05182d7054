/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A helper: a program of somebody else's that works for one device (passt, virtiofsd), on the other side of a socket.
 * Who can start such programs hands it to the device that is made; it is one program, and after that has ended, upon
 * wish, the next.
 *
 * Main thread, but for what says otherwise.
 */
#pragma once

#include <glib.h>

typedef struct Helper Helper;
typedef struct {
  /* A connected stream socket, the caller's, each but once. -1: there is none now. Does not wait. Any thread. */
  int (*take)(Helper *helper);
  /*
   * The connection that was taken is lost, and another is wanted: the program is started again, once that is so of its
   * side, too. Does not wait. Any thread.
   */
  void (*renew)(Helper *helper);
  void (*free)(Helper *helper); /* ends the program */
} HelperOps;

struct Helper {
  const HelperOps *ops;
  const char *name; /* of the program, for people: "passt" */
  int event_fd;     /* readable while there is a connection to be taken */
};

static inline void helper_free(Helper *helper) { /* takes NULL */
  if (helper)
    helper->ops->free(helper);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Helper, helper_free)
