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
#include <sys/un.h>
#include <unistd.h>

#define LOCK_ATTEMPTS 50
#define LOCK_WAIT_US  10000

static bool fail(GError **error, const char *path, int code, const char *what) {
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot %s %s: %s", what, path, g_strerror(code));
  return false;
}

static bool set_address(struct sockaddr_un *address, const char *path, GError **error) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path)
    return fail(error, path, ENAMETOOLONG, "use the socket");
  memcpy(address->sun_path, path, strlen(path));
  return true;
}

/*
 * The directory that PATH is in, locked; -1: it cannot be, and a meeting may go wrong where two come at the same time.
 */
static int lock_directory(const char *path) {
  g_autofree char *directory = g_path_get_dirname(path);
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  for (unsigned i = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && i < LOCK_ATTEMPTS; i++)
    g_usleep(LOCK_WAIT_US);
  return fd;
}

/* Where PATH is a socket. */
static void remove_socket(const char *path) {
  struct stat status;

  if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
    unlink(path);
}

static bool join(const char *path, int fd, bool *listening, GError **error) {
  struct sockaddr_un address;

  *listening = false;
  if (!set_address(&address, path, error))
    return false;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return true;
  if (errno != ENOENT && errno != ECONNREFUSED)
    return fail(error, path, errno, "connect to");
  remove_socket(path);
  *listening = true;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
    return fail(error, path, errno, "make the socket");
  return listen(fd, 1) == 0 || fail(error, path, errno, "listen at");
}

bool unix_meeting_join(const char *path, int *fd, bool *listening, GError **error) {
  int lock = lock_directory(path);
  bool joined;

  *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  joined = *fd >= 0 ? join(path, *fd, listening, error) : fail(error, path, errno, "make a socket for");
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

void unix_meeting_leave(const char *path, int fd) {
  int lock = lock_directory(path);

  remove_socket(path);
  close(fd);
  if (lock >= 0)
    close(lock);
}
