/* SPDX-License-Identifier: Apache-2.0 */
/* Linux: proc(5), /proc/self/exe. */
#include "vmm/base/own-files.h"

#include <glib.h>

char **own_directories(void) {
  static const char *const places[] = {"../busybox", "../lib/eret"};
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  g_autofree char *directory = self ? g_path_get_dirname(self) : g_strdup("/usr/bin");
  char **directories = g_new0(char *, G_N_ELEMENTS(places) + 1);

  for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
    directories[i] = g_canonicalize_filename(places[i], directory);
  return directories;
}
