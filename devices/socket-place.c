/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* O_PATH */
#include "devices/socket-place.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

bool socket_address_in(int directory, const char *name, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  int length = g_snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);
  errno = ENAMETOOLONG;
  return (size_t)length < sizeof address->sun_path;
}

bool socket_place_open(SocketPlace *place, const char *path) {
  char *real = realpath(path, NULL); /* malloc's */
  g_autofree char *directory = g_path_get_dirname(real ? real : path);

  *place = (SocketPlace){.directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (place->directory >= 0)
    place->name = g_path_get_basename(real ? real : path);
  int code = errno;
  free(real);
  errno = code;
  return place->directory >= 0;
}

void socket_place_close(SocketPlace *place) {
  if (place->directory >= 0)
    close(place->directory);
  g_free(place->name);
  *place = SOCKET_PLACE_NONE;
}

bool socket_place_address(const SocketPlace *place, struct sockaddr_un *address) {
  return socket_address_in(place->directory, place->name, address);
}

int socket_place_connect(const SocketPlace *place) {
  struct sockaddr_un address;

  if (!socket_place_address(place, &address))
    return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  int code = errno;
  close(fd);
  errno = code;
  return -1;
}
