/* SPDX-License-Identifier: Apache-2.0 */
/* See capture.h. */
#define _GNU_SOURCE
#include "vmm/suite/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"

#define CHUNK_SIZE (64 * 1024) /* a pipe's size */

/* False: there is nothing more to take, now or ever. */
static bool take_some(Capture *capture) {
  char chunk[CHUNK_SIZE];
  ssize_t got = read(capture->pipe, chunk, sizeof chunk);

  if (got <= 0)
    return got < 0 && errno == EINTR;
  uint64_t room = capture->limit - capture->size;
  size_t kept = (size_t)MIN((uint64_t)got, room);
  if (!descriptor_write(capture->file, chunk, kept)) {
    capture->error = errno;
    return false;
  }
  capture->size += kept;
  capture->too_much = (uint64_t)got > room;
  return !capture->too_much;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data) {
  Capture *capture = data;

  if (take_some(capture) || (!capture->too_much && !capture->error && !(condition & (G_IO_HUP | G_IO_ERR))))
    return G_SOURCE_CONTINUE;
  capture->source = 0;
  if (capture->too_much || capture->error)
    capture->ended(capture->opaque);
  return G_SOURCE_REMOVE;
}

int capture_open(Capture *capture, const char *path, uint64_t limit, void (*ended)(void *opaque), void *opaque) {
  int ends[2];

  *capture = (Capture){.pipe = -1, .limit = limit, .ended = ended, .opaque = opaque};
  capture->file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (capture->file < 0)
    return -1;
  if (pipe2(ends, O_CLOEXEC) < 0) {
    int error = errno;
    capture_clear(capture);
    errno = error;
    return -1;
  }
  capture->pipe = ends[0];
  fcntl(capture->pipe, F_SETFL, O_NONBLOCK); /* of this end; the process's may wait */
  capture->source = g_unix_fd_add(capture->pipe, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, capture);
  return ends[1];
}

void capture_finish(Capture *capture) {
  while (capture->source && take_some(capture))
    continue;
  capture_clear(capture);
}

void capture_clear(Capture *capture) {
  if (!capture->ended)
    return; /* never opened */
  g_clear_handle_id(&capture->source, g_source_remove);
  if (capture->pipe >= 0)
    close(capture->pipe);
  if (capture->file >= 0)
    close(capture->file);
  capture->pipe = capture->file = -1;
}
