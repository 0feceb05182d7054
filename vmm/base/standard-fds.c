/* SPDX-License-Identifier: Apache-2.0 */
/* open(2) takes the lowest number that is free, so that the first closed one is filled first. */
#include "vmm/base/standard-fds.h"

#include <fcntl.h>
#include <unistd.h>

bool standard_fds_keep(void) {
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
