/* SPDX-License-Identifier: Apache-2.0 */
/* GLib's own g_file_open_tmp leaves its descriptor to children. */
#include "vmm/base/temporary-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>

int temporary_file_open(GError **error) {
  g_autofree char *name = g_build_filename(g_get_tmp_dir(), "eret-XXXXXX", NULL);
  int fd = g_mkstemp_full(name, O_RDWR | O_CLOEXEC, 0600);

  if (fd >= 0)
    g_unlink(name);
  else
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "there can be no temporary file in %s: %s", g_get_tmp_dir(),
                g_strerror(errno));
  return fd;
}
