/* SPDX-License-Identifier: Apache-2.0 */
/*
 * with-tap NAME N COMMAND...: runs COMMAND with N queues of the tap device NAME open as descriptors 10 and on. The
 * device is made where it is not there, for several queues, and stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FIRST_FD 10

static int fail(const char *what) {
  fprintf(stderr, "with-tap: %s: %s\n", what, strerror(errno));
  return 125;
}

int main(int argc, char **argv) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};

  if (argc < 4)
    return 125;
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", argv[1]);
  for (int i = 0; i < atoi(argv[2]); i++) {
    int fd = open("/dev/net/tun", O_RDWR);

    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
      return fail(argv[1]);
    if (dup2(fd, FIRST_FD + i) < 0)
      return fail("dup2");
    if (fd != FIRST_FD + i)
      close(fd);
  }
  execvp(argv[3], argv + 3);
  return fail(argv[3]);
}
