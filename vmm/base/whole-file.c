/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces are as large as what there is already, so that memory follows what is read, and not what could be. */
#include "vmm/base/whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define FIRST_PIECE 65536

static void fail(GError **error, int number) {
  g_set_error_literal(error, G_FILE_ERROR, (int)g_file_error_from_errno(number), g_strerror(number));
}

/* At most SIZE bytes, and fewer only at the end; negative: errno says why. */
static gssize read_up_to(int fd, char *to, gsize size) {
  gsize done = 0;

  while (done < size) {
    ssize_t got = read(fd, to + done, size - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return -1;
    if (got == 0)
      break;
    done += (gsize)got;
  }
  return (gssize)done;
}

char *whole_file_read_fd(int fd, gsize max, const char *what, gsize *size, GError **error) {
  g_autofree char *text = NULL;
  gsize length = 0;

  for (gsize room = MIN(FIRST_PIECE, max + 1);; room = MIN(2 * room, max + 1)) {
    char *more = g_try_realloc(text, room + 1);
    text = more ? more : text;
    gssize got = more ? read_up_to(fd, more + length, room - length) : -1;
    if (got < 0) {
      fail(error, errno);
      return NULL;
    }
    length += (gsize)got;
    if (length > max) {
      g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "larger than %zu MiB: this is no %s", max >> 20, what);
      return NULL;
    }
    if (length < room)
      break;
  }
  text[length] = 0;
  if (size)
    *size = length;
  return g_steal_pointer(&text);
}

char *whole_file_read(const char *path, gsize max, const char *what, gsize *size, GError **error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

  if (fd < 0) {
    fail(error, errno);
    return NULL;
  }
  char *text = whole_file_read_fd(fd, max, what, size, error);
  close(fd);
  return text;
}
