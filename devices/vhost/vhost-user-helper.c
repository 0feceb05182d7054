/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one vhost-user back end to the next; and one that is a helper (devices/helper.h): when it has ended, it is not
 * connected to again, but another is called for, and waited for when it is needed.
 *
 * Locks: none; see vhost.h.
 */
#include <poll.h>

#include "devices/vhost/vhost-user-internal.h"
#include "devices/vhost/vhost-user.h"

#define PATIENCE_MS 2000 /* for a program that was called for and is not there yet; below VHOST_PATIENCE_US */

static int open_helper(void *opaque, GError **error) {
  Helper *helper = opaque;
  struct pollfd ready = {.fd = helper->event_fd, .events = POLLIN};
  int fd = helper->ops->take(helper);

  if (fd < 0 && poll(&ready, 1, PATIENCE_MS) == 1)
    fd = helper->ops->take(helper);
  if (fd < 0)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s is not there", helper->name);
  return fd;
}

static void free_helper(void *opaque) {
  helper_free(opaque);
}

static void call_for_next(void *opaque) {
  Helper *helper = opaque;

  helper->ops->renew(helper);
}

static bool has_hung_up(int fd) {
  struct pollfd end = {.fd = fd};

  return poll(&end, 1, 0) == 1 && (end.revents & POLLHUP);
}

void vhost_user_renew(Vhost *base, bool used) {
  const VhostUser *user = (VhostUser *)base;

  if (base->connected && ((used && base->one_driver) || has_hung_up(user->main.fd)))
    base->ops->disconnect(base);
  if (!base->connected && user->call_for_next)
    user->call_for_next(user->opaque);
}

Vhost *vhost_user_new_of(Helper *take_helper, bool config) {
  Vhost *vhost = vhost_user_new_with(take_helper->name, config, open_helper, take_helper, free_helper);

  ((VhostUser *)vhost)->call_for_next = call_for_next;
  return vhost;
}
