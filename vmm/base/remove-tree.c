/* SPDX-License-Identifier: Apache-2.0 */
/* fts(3), which enters one directory after the other, so that no depth is too deep for a path. */
#include "vmm/base/remove-tree.h"

#include <errno.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

/* False: errno says why it cannot be removed. What cannot be looked at has failed to be opened. */
static bool remove_entry(FTSENT *entry) {
  switch (entry->fts_info) {
  case FTS_D:
    if ((entry->fts_statp->st_mode & S_IRWXU) != S_IRWXU)
      chmod(entry->fts_accpath, S_IRWXU);
    return true;
  case FTS_DP:
    return rmdir(entry->fts_accpath) == 0;
  case FTS_DNR:
  case FTS_ERR:
  case FTS_NS:
    errno = entry->fts_errno;
    return errno == ENOENT;
  default:
    return unlink(entry->fts_accpath) == 0;
  }
}

bool remove_tree(const char *path, GError **error) {
  char *const paths[] = {(char *)path, NULL};
  FTS *tree = fts_open(paths, FTS_PHYSICAL, NULL);
  int reason = tree ? 0 : errno;

  for (FTSENT *entry; tree && (entry = fts_read(tree));)
    if (!remove_entry(entry) && !reason)
      reason = errno;
  if (tree && errno && !reason)
    reason = errno;
  if (tree)
    fts_close(tree);
  if (reason)
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(reason), "cannot remove '%s': %s", path, g_strerror(reason));
  return !reason;
}
