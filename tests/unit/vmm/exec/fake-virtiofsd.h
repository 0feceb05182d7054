/* SPDX-License-Identifier: Apache-2.0 */
/* A host that has a virtiofsd, as far as it is asked what it can, or one that has none. Tests only. */
#pragma once

#include "tests/unit/directory.h"

/* In a directory, which is to be given to fake_virtiofsd_end. */
static inline char *fake_virtiofsd_begin(void) {
  char *directory = directory_new();
  g_autofree char *path = g_strconcat(directory, ":", g_getenv("PATH"), NULL), *file = g_build_filename(directory, "virtiofsd", NULL);

  directory_write(directory, "virtiofsd", "#!/bin/sh\necho '--shared-dir --fd --readonly --uid-map --translate-uid'\n");
  g_assert_cmpint(g_chmod(file, 0755), ==, 0);
  g_setenv("PATH", path, TRUE);
  return directory;
}

static inline void fake_virtiofsd_end(char *directory) {
  g_autofree char *before = g_strdup(strchr(g_getenv("PATH"), ':') + 1);

  g_setenv("PATH", before, TRUE);
  directory_free(directory);
  g_free(directory);
}
