/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user back end that listens on a socket of the file system: unix(7). A back end may serve one front end at a
 * time and leave the next one waiting, so the connection alone says little: the first answer counts.
 *
 * Locks: none; see vhost.h.
 */
#include "devices/vhost/vhost-user.h"

#include <errno.h>

#include "devices/socket-place.h"

#define CONNECT_AGAIN_US 10000 /* between two tries at a socket whose queue of connections is full */

typedef struct {
  char *path;
  SocketPlace place;
} Place;

static int path_failed(const Place *where, int code, GError **error) {
  const char *help = code == ENOENT || code == ECONNREFUSED ? "; start the back end first" : "";

  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot connect to the vhost-user back end %s: %s%s", where->path,
              code == EAGAIN ? "it serves others and takes no more" : g_strerror(code), help);
  return -1;
}

static int open_path(void *opaque, GError **error) {
  Place *where = opaque;
  gint64 end = g_get_monotonic_time() + VHOST_PATIENCE_US;
  int fd;

  if (where->place.directory < 0 && !socket_place_open(&where->place, where->path))
    return path_failed(where, errno, error);
  while ((fd = socket_place_connect(&where->place)) < 0) {
    if (errno != EINTR && (errno != EAGAIN || g_get_monotonic_time() > end))
      return path_failed(where, errno, error);
    g_usleep(CONNECT_AGAIN_US);
  }
  return fd;
}

static void free_place(void *opaque) {
  Place *where = opaque;

  socket_place_close(&where->place);
  g_free(where->path);
  g_free(where);
}

Vhost *vhost_user_new(const char *path, bool config) {
  g_autofree char *name = g_strdup_printf("vhost-user back end %s", path);
  Place *where = g_new(Place, 1);

  *where = (Place){.path = g_strdup(path), .place = SOCKET_PLACE_NONE};
  return vhost_user_new_with(name, config, open_path, where, free_place);
}
