/* SPDX-License-Identifier: Apache-2.0 */
/* They are tried out: the limit alone does not say how many are in use, nor what the whole host has left. */
#include "vmm/base/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Opens up to WANTED more; errno says why there are fewer. */
static GArray *take(unsigned wanted) {
  GArray *taken = g_array_new(FALSE, FALSE, sizeof(int));

  while (taken->len < wanted) {
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
      break;
    g_array_append_val(taken, fd);
  }
  return taken;
}

bool descriptors_suffice(unsigned wanted, GError **error) {
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit); /* if not, what there is may do */
  }
  g_autoptr(GArray) taken = take(wanted);
  int reason = errno;
  for (unsigned i = 0; i < taken->len; i++)
    close(g_array_index(taken, int, i));
  if (taken->len == wanted)
    return true;
  g_autofree char *advice = NULL;
  if (reason == EMFILE && getrlimit(RLIMIT_NOFILE, &limit) == 0)
    advice =
        g_strdup_printf("; the limit (RLIMIT_NOFILE) is %" G_GUINT64_FORMAT " and has to be %" G_GUINT64_FORMAT ": raise it with ulimit -n",
                        (guint64)limit.rlim_max, (guint64)limit.rlim_max - taken->len + wanted);
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(reason), "%u more open files are needed, and %u can be had: %s%s", wanted,
              taken->len, g_strerror(reason), advice ? advice : "");
  return false;
}
