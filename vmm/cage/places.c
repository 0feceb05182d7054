/* SPDX-License-Identifier: Apache-2.0 */
/* Linux: open(2), O_PATH. */
#define _GNU_SOURCE /* O_PATH */
#include "vmm/cage/places.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/descriptors.h"

#define KEPT_FLAGS (O_ACCMODE | O_PATH | O_DIRECTORY | O_NONBLOCK)

static bool add(Places *places, int fd, const char *path) {
  struct stat status;
  int flags = fcntl(fd, F_GETFL);

  if (flags < 0 || fstat(fd, &status) < 0 || (!S_ISDIR(status.st_mode) && !(flags & O_PATH)))
    return flags >= 0;
  if (places->n == PLACES_MAX) {
    errno = E2BIG;
    return false;
  }
  places->places[places->n++] =
      (Place){.fd = fd, .flags = (flags & KEPT_FLAGS) | O_CLOEXEC, .path = path, .is_directory = S_ISDIR(status.st_mode), .tree = -1};
  return true;
}

static bool add_open(int fd, void *places) {
  return add(places, fd, NULL);
}

bool places_find(Places *places, const char *const *paths) {
  places->n = 0;
  if (!descriptors_look_at(add_open, places))
    return false;
  for (unsigned i = 0; paths && paths[i]; i++) {
    int fd = open(paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !add(places, fd, paths[i])) {
      int code = errno;
      if (fd >= 0)
        close(fd);
      errno = code;
      return false;
    }
  }
  return true;
}

void places_clear(Places *places) {
  for (unsigned i = 0; i < places->n; i++) {
    if (places->places[i].path)
      close(places->places[i].fd);
    if (places->places[i].tree >= 0)
      close(places->places[i].tree);
  }
  places->n = 0;
}
