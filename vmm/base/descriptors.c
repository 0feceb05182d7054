/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first three: open(2) takes the lowest number that is free, so that the first closed one is filled first. How many
 * more there are: poll(2) says POLLNVAL of each descriptor that is free, of many at once, and nothing has to be opened
 * to find out.
 */
#include "vmm/base/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define AT_ONCE 64

bool descriptors_keep_standard(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0)
      continue;
    int opened = open("/dev/null", O_RDONLY);
    if (opened < 0)
      opened = open("/", O_RDONLY | O_DIRECTORY); /* where there are no devices: it is neither read nor written */
    if (opened != fd)
      return false;
  }
  return true;
}

/* How many below LIMIT are free, up to WANTED. From the top: there, few are ever open. */
static unsigned count_free(rlim_t limit, unsigned wanted) {
  unsigned left = 0;

  for (int next = (int)MIN(limit, G_MAXINT); next > 0 && left < wanted;) {
    struct pollfd looked_at[AT_ONCE] = {0};
    unsigned n = MIN(MIN((unsigned)next, AT_ONCE), wanted - left);
    for (unsigned i = 0; i < n; i++)
      looked_at[i].fd = --next;
    while (poll(looked_at, n, 0) < 0 && errno == EINTR)
      ;
    for (unsigned i = 0; i < n; i++)
      left += (looked_at[i].revents & POLLNVAL) != 0;
  }
  return left;
}

bool descriptors_suffice(unsigned wanted, GError **error) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return true; /* whoever opens one too many will be told */
  if (limit.rlim_cur < limit.rlim_max) {
    const struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    limit.rlim_cur = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? limit.rlim_max : limit.rlim_cur; /* if not, what there is may do */
  }
  unsigned left = count_free(limit.rlim_cur, wanted);
  if (left < wanted)
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_MFILE,
                "%u more open files are needed, and %u can be had: %s; the limit (RLIMIT_NOFILE) is %" G_GUINT64_FORMAT
                " and has to be %" G_GUINT64_FORMAT ": raise it with ulimit -n",
                wanted, left, g_strerror(EMFILE), (guint64)limit.rlim_cur, (guint64)limit.rlim_cur - left + wanted);
  return left >= wanted;
}

bool descriptors_look_at(bool (*look)(int fd, void *opaque), void *opaque) {
  DIR *directory = opendir("/proc/self/fd");
  const struct dirent *entry;
  bool goes_on = directory;

  while (goes_on && (entry = readdir(directory))) {
    char *end;
    long fd = strtol(entry->d_name, &end, 10);
    if (end != entry->d_name && !*end && fd != dirfd(directory))
      goes_on = look((int)fd, opaque);
  }
  int code = errno;
  if (directory)
    closedir(directory);
  errno = code;
  return goes_on;
}
