/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See unix-meeting.h. That nobody connects between another's look and its listening, or takes its socket for a dead
 * one, is what the lock on the directory is for: flock(2), for as long as a few calls take.
 */
#define _GNU_SOURCE /* accept4 */
#include "devices/backend/unix-meeting.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/socket-place.h"

#define LOCK_ATTEMPTS 50
#define LOCK_WAIT_US  10000

struct UnixMeeting {
  char *path;
  SocketPlace place;
};

static bool fail(GError **error, const char *path, int code, const char *what) {
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot %s %s: %s", what, path, g_strerror(code));
  return false;
}

/* The directory, locked; -1: it cannot be, and a meeting may go wrong where two come at the same time. */
static int lock_directory(const UnixMeeting *meeting) {
  int fd = openat(meeting->place.directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  for (unsigned i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && i < LOCK_ATTEMPTS; i++)
    g_usleep(LOCK_WAIT_US);
  return fd;
}

/* Where it is a socket. */
static void remove_socket(const UnixMeeting *meeting) {
  struct stat status;

  if (fstatat(meeting->place.directory, meeting->place.name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(status.st_mode))
    unlinkat(meeting->place.directory, meeting->place.name, 0);
}

static bool join(const UnixMeeting *meeting, int fd, bool *listening, GError **error) {
  struct sockaddr_un address;

  *listening = false;
  if (!socket_place_address(&meeting->place, &address))
    return fail(error, meeting->path, errno, "use the socket");
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return true;
  if (errno != ENOENT && errno != ECONNREFUSED)
    return fail(error, meeting->path, errno, "connect to");
  remove_socket(meeting);
  *listening = true;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return fail(error, meeting->path, errno, "make the socket");
  return listen(fd, 1) == 0 || fail(error, meeting->path, errno, "listen at");
}

UnixMeeting *unix_meeting_new(const char *path, GError **error) {
  UnixMeeting *meeting = g_new(UnixMeeting, 1);

  *meeting = (UnixMeeting){.path = g_strdup(path), .place = SOCKET_PLACE_NONE};
  if (socket_place_open(&meeting->place, path))
    return meeting;
  fail(error, path, errno, "make the socket");
  unix_meeting_free(meeting);
  return NULL;
}

void unix_meeting_free(UnixMeeting *meeting) {
  if (!meeting)
    return;
  socket_place_close(&meeting->place);
  g_free(meeting->path);
  g_free(meeting);
}

bool unix_meeting_join(const UnixMeeting *meeting, int *fd, bool *listening, GError **error) {
  int lock = lock_directory(meeting);
  bool joined;

  *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  joined = *fd >= 0 ? join(meeting, *fd, listening, error) : fail(error, meeting->path, errno, "make a socket for");
  if (!joined && *fd >= 0) {
    close(*fd);
    *fd = -1;
  }
  if (lock >= 0)
    close(lock);
  return joined;
}

int unix_meeting_accept(int fd) {
  int accepted;

  do
    accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  while (accepted < 0 && (errno == EINTR || errno == ECONNABORTED));
  return accepted;
}

void unix_meeting_leave(const UnixMeeting *meeting, int fd) {
  int lock = lock_directory(meeting);

  remove_socket(meeting);
  close(fd);
  if (lock >= 0)
    close(lock);
}
