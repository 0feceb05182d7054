/* SPDX-License-Identifier: Apache-2.0 */
/* What this process is: its user, its page size, what it may ask the kernel. Linux: userfaultfd(2). */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pwd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/base/own-files.h"
#include "vmm/doctor/host-facts.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* Faults of KVM come from the kernel: what is restricted to user mode is of no use to a monitor. */
static bool may_use_userfaultfd(void) {
  int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

  if (fd < 0)
    fd = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return false;
  close(fd);
  return true;
}

/*
 * NULL: this user has no name here, as in a container without a passwd file. GLib would complain about that on standard
 * error.
 */
static char *user_name(void) {
  const struct passwd *entry = getpwuid(geteuid());

  return entry ? g_strdup(entry->pw_name) : NULL;
}

/* What came with eret comes first, as for `eret exec`. */
static char *search_path(void) {
  g_auto(GStrv) own = own_directories();
  g_autofree char *first = g_strjoinv(":", own);
  const char *path = g_getenv("PATH");

  return g_strdup_printf("%s:%s", first, path ? path : "");
}

void host_process_read(HostProcess *process) {
  struct utsname host;

  *process = (HostProcess){
      .machine = g_strdup(uname(&host) == 0 ? host.machine : "unknown"),
      .user = user_name(),
      .path = search_path(),
      .root = geteuid() == 0,
      .page_size = (uint64_t)sysconf(_SC_PAGESIZE),
      .userfaultfd = may_use_userfaultfd(),
  };
}

void host_process_clear(HostProcess *process) {
  g_free(process->machine);
  g_free(process->user);
  g_free(process->path);
}
