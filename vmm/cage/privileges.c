/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cage/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/base/descriptors.h"

#define CAPABILITIES_MAX 64

/* Lowest 32: all that root needs to replace a file of somebody's by one like it. */
static const uint32_t of_files = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;

/* What a program could get back; the kernel says where its numbers end. */
void privileges_bound(void) {
  for (unsigned long i = 0; i < CAPABILITIES_MAX && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
    ;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static bool drop_capabilities(bool files_of_others) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2], none[2] = {0};

  privileges_bound();
  if (!files_of_others || syscall(SYS_capget, &header, data) < 0)
    return syscall(SYS_capset, &header, none) == 0;
  none[0].permitted = none[0].effective = data[0].permitted & of_files;
  return syscall(SYS_capset, &header, none) == 0;
}

static void fix_limits(void) {
  static const int limits[] = {RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_MSGQUEUE, RLIMIT_STACK};
  struct rlimit limit;

  for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
    if (getrlimit(limits[i], &limit) < 0)
      continue;
    limit.rlim_max = limit.rlim_cur;
    setrlimit(limits[i], &limit);
  }
}

bool privileges_give_up(bool files_of_others) {
  fix_limits();
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && drop_capabilities(files_of_others);
}

static bool close_inherited(int fd, void *opaque) {
  int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;

  if (flags >= 0 && !(flags & FD_CLOEXEC))
    close(fd);
  return true;
}

void privileges_close_inherited(void) {
  descriptors_look_at(close_inherited, NULL);
}
