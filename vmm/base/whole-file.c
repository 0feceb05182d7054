/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces are as large as what there is already, so that memory follows what is read, and not what could be.
 *
 * A FIFO that nobody writes makes open(2) wait, where nothing can be said; so it is opened without waiting, and poll(2)
 * does. What is read from a FIFO without a writer would be its end: it is read when poll says so.
 *
 * A regular file that poll waits for is no file of somebody's who will come to its end: /proc/kmsg is one.
 */
#include "vmm/base/whole-file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_PIECE 65536
#define PATIENCE_MS 1000 /* of the user's, without a word */

typedef struct {
  int fd;
  const char *path, *what;
  bool regular;
  bool told; /* that it is waited for */
} Source;

static void fail(GError **error, int number) {
  g_set_error_literal(error, G_FILE_ERROR, (int)g_file_error_from_errno(number), g_strerror(number));
}

static int poll_for(const Source *source, int milliseconds) {
  struct pollfd readable = {.fd = source->fd, .events = POLLIN};
  int polled;

  do
    polled = poll(&readable, 1, milliseconds);
  while (polled < 0 && errno == EINTR);
  return polled;
}

/* Until there is something to read, or the end. */
static bool wait_for(Source *source, GError **error) {
  bool tells = !source->told && isatty(STDERR_FILENO);
  int polled = poll_for(source, source->regular ? 0 : tells ? PATIENCE_MS : -1);

  if (polled == 0 && source->regular) {
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                        "it has no end, as /proc/kmsg has none, where more is waited for: make a copy of what is there");
    return false;
  }
  if (polled == 0) {
    source->told = true;
    g_message("waiting for the %s in '%s': nobody has written it yet", source->what, source->path);
    polled = poll_for(source, -1);
  }
  if (polled > 0)
    return true;
  fail(error, errno);
  return false;
}

/* At most SIZE bytes, and fewer only at the end; negative: there is an error. */
static gssize read_up_to(Source *source, char *to, gsize size, GError **error) {
  gsize done = 0;

  while (done < size) {
    if (!wait_for(source, error))
      return -1;
    ssize_t got = read(source->fd, to + done, size - done);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (got < 0) {
      fail(error, errno);
      return -1;
    }
    if (got == 0)
      break;
    done += (gsize)got;
  }
  return (gssize)done;
}

char *whole_file_read_fd(int fd, const char *path, gsize max, const char *what, gsize *size, GError **error) {
  struct stat status;
  Source source = {.fd = fd, .path = path, .what = what, .regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode)};
  g_autofree char *text = NULL;
  gsize length = 0;

  for (gsize room = MIN(FIRST_PIECE, max + 1);; room = MIN(2 * room, max + 1)) {
    char *more = g_try_realloc(text, room + 1);
    text = more ? more : text;
    if (!more)
      fail(error, ENOMEM);
    gssize got = more ? read_up_to(&source, more + length, room - length, error) : -1;
    if (got < 0)
      return NULL;
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

int whole_file_open(const char *path) {
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

char *whole_file_read(const char *path, gsize max, const char *what, gsize *size, GError **error) {
  int fd = whole_file_open(path);

  if (fd < 0) {
    fail(error, errno);
    return NULL;
  }
  char *text = whole_file_read_fd(fd, path, max, what, size, error);
  close(fd);
  return text;
}
