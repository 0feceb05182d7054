/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A socket that listens needs a name. It is one in a directory of its own, which is gone again before the helper
 * starts.
 */
#define _GNU_SOURCE /* O_PATH */
#include "vmm/helpers/helper-socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/socket-place.h"

#define SEND_BUFFER (4 << 20)

static bool set_errno(GError **error, const char *name, const char *what) {
  int code = errno;

  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s cannot be started: %s: %s", name, what, g_strerror(code));
  return false;
}

/*
 * As much as the host gives: passt of 2023 does not come to terms with a socket that takes only a part of what it
 * sends, so that a connection of its may stand still for good.
 */
static void give_room(int fd) {
  const int size = SEND_BUFFER;

  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

bool helper_socket_pair(const char *name, int *ours, int *its, GError **error) {
  int pair[2];

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
    return set_errno(error, name, "cannot make a socket pair");
  *ours = pair[0];
  *its = pair[1];
  give_room(*ours);
  give_room(*its);
  return true;
}

static int make_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Of DIRECTORY, which may have too long a path for a socket. */
static bool connect_in(int directory, int ours, int its) {
  struct sockaddr_un address;

  if (!socket_address_in(directory, "socket", &address) || bind(its, (const struct sockaddr *)&address, sizeof address) < 0)
    return false;
  bool connected = listen(its, 1) == 0 && connect(ours, (const struct sockaddr *)&address, sizeof address) == 0;
  int code = errno;
  unlinkat(directory, "socket", 0);
  errno = code;
  return connected;
}

static bool connect_by_name(const char *name, int ours, int its, GError **error) {
  g_autofree char *path = g_dir_make_tmp("eret-XXXXXX", error);
  int directory = path ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

  if (!path) {
    g_prefix_error(error, "%s cannot be started: ", name);
    return false;
  }
  bool connected = directory >= 0 && connect_in(directory, ours, its);
  if (!connected)
    set_errno(error, name, "cannot make a socket that listens");
  if (directory >= 0)
    close(directory);
  rmdir(path);
  return connected;
}

bool helper_socket_listening(const char *name, int *ours, int *its, GError **error) {
  int mine = make_socket(), other = make_socket();

  bool connected = mine >= 0 && other >= 0 ? connect_by_name(name, mine, other, error) : set_errno(error, name, "cannot make a socket");
  if (connected) {
    *ours = mine;
    *its = other;
    return true;
  }
  if (mine >= 0)
    close(mine);
  if (other >= 0)
    close(other);
  return false;
}
