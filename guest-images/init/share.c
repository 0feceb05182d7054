/* SPDX-License-Identifier: Apache-2.0 */
/* Directories of the host's, by virtio-fs: each is mounted where it was asked for, in the command's root. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "init.h"

static bool mount_share(const char *record) {
  char mode[8], tag[64];
  int at = 0;

  if (sscanf(record, "%7s %63s %n", mode, tag, &at) != 2 || !at)
    return refuse("share: '%s' is not understood", record);
  make_directories(record + at);
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
