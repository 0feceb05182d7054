/* SPDX-License-Identifier: Apache-2.0 */
/* See descriptor.h. */
#include "devices/backend/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

int descriptor_open(const char *path, int flags) {
  int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  int now = fd >= 0 ? fcntl(fd, F_GETFL) : -1;

  if (fd < 0 || (now >= 0 && fcntl(fd, F_SETFL, now & ~O_NONBLOCK) == 0))
    return fd;
  int saved_errno = errno;
  close(fd);
  errno = saved_errno;
  return -1;
}

bool descriptor_is_made_as_read(int fd) {
  struct pollfd readable = {.fd = fd, .events = POLLIN}; /* some of them wait for what is not there yet */
  char byte;

  return poll(&readable, 1, 0) == 0 || pread(fd, &byte, sizeof byte, 0) > 0;
}

bool descriptor_write(int fd, const void *bytes, size_t size) {
  const char *next = bytes;

  while (size) {
    ssize_t written = write(fd, next, size);
    if (written >= 0) {
      next += written;
      size -= (size_t)written;
    } else if (errno == EAGAIN) {
      struct pollfd ready = {.fd = fd, .events = POLLOUT};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}
