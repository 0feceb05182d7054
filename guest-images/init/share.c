/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the host's, by virtio-fs: each is mounted where it was asked for, in the command's root. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "init.h"

/* With those above it. What is wrong with it, the mount will say. */
static void make_directory(const char *path) {
  char above[PATH_MAX];

  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
    mkdir(above, 0755);
  }
  mkdir(path, 0755);
}

static bool mount_share(const char *record) {
  char mode[8], tag[64];
  int at = 0;

  if (sscanf(record, "%7s %63s %n", mode, tag, &at) != 2 || !at)
    return refuse("share: '%s' is not understood", record);
  make_directory(record + at);
  if (mount(tag, record + at, "virtiofs", strcmp(mode, "ro") == 0 ? MS_RDONLY : 0, NULL) == 0)
    return true;
  if (errno == ENODEV)
    return refuse("%s: the kernel does not know this file system (CONFIG_VIRTIO_FS)", "virtiofs");
  control_say("failed %d --share %s at %.800s: %s", errno, tag, record + at, strerror(errno));
  return false;
}

bool mount_shares(const Spec *spec) {
  for (unsigned i = 0; spec->shares && spec->shares[i]; i++)
    if (!mount_share(spec->shares[i]))
      return false;
  return true;
}
