/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user back end that listens on a socket of the file system: unix(7). A back end may serve one front end at a
 * time and leave the next one waiting, so the connection alone says little: the first answer counts.
 *
 * Locks: none; see vhost.h.
 */
#include "devices/vhost/vhost-user.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_AGAIN_US 10000 /* between two tries at a socket whose queue of connections is full */

static int path_failed(const char *path, int code, int fd, GError **error) {
  const char *help = code == ENOENT || code == ECONNREFUSED ? "; start the back end first" : "";

  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot connect to the vhost-user back end %s: %s%s", path,
              code == EAGAIN ? "it serves others and takes no more" : g_strerror(code), help);
  if (fd >= 0)
    close(fd);
  return -1;
}

static int open_path(void *opaque, GError **error) {
  const char *path = opaque;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  gint64 end = g_get_monotonic_time() + VHOST_PATIENCE_US;

  if (strlen(path) >= sizeof address.sun_path)
    return path_failed(path, ENAMETOOLONG, -1, error);
  memcpy(address.sun_path, path, strlen(path));
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return path_failed(path, errno, -1, error);
  while (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
    if (errno != EINTR && (errno != EAGAIN || g_get_monotonic_time() > end))
      return path_failed(path, errno, fd, error);
    g_usleep(CONNECT_AGAIN_US);
  }
  return fd;
}

Vhost *vhost_user_new(const char *path, bool config) {
  g_autofree char *name = g_strdup_printf("vhost-user back end %s", path);

  return vhost_user_new_with(name, config, open_path, g_strdup(path), g_free);
}
