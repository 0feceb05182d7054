/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process is: its user, its page size, what it may ask the kernel. And what it may use: rlimits, and those of
 * its control group and the groups above, of which the least counts. Linux: userfaultfd(2); proc(5), /proc/PID/limits;
 * Documentation/admin-guide/cgroup-v2.rst.
 */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pwd.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/base/own-files.h"
#include "vmm/cage/sandbox.h"
#include "vmm/doctor/host-facts.h"
#include "vmm/helpers/image-tools.h"
#include "vmm/helpers/passt.h"
#include "vmm/helpers/storage-daemon.h"
#include "vmm/helpers/virtiofsd.h"

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

/* passt knows of no version: it is asked what it can do. */
static void ask_passt(HostProcess *process) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Passt) passt = passt_find(&error);

  process->passt = !passt ? HOST_PASST_NONE : passt->vhost_user ? HOST_PASST_VHOST_USER : HOST_PASST_STREAM;
  process->passt_problem = passt ? NULL : g_strdup(error->message);
}

static void ask_virtiofsd(HostProcess *process) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(&error);

  process->virtiofsd = (HostVirtiofsd){.asked = true, .there = virtiofsd, .problem = error ? g_strdup(error->message) : NULL};
  if (!virtiofsd)
    return;
  process->virtiofsd.legacy = virtiofsd->legacy;
  process->virtiofsd.read_only = virtiofsd->read_only;
  process->virtiofsd.file_handles = virtiofsd->file_handles;
  process->virtiofsd.version = virtiofsd_version(virtiofsd);
  process->virtiofsd.subordinates = virtiofsd->uid_map && id_map_has_subordinates(process->user, process->uid);
}

static void ask_storage_daemon(HostProcess *process) {
  g_autoptr(GError) error = NULL;
  g_autoptr(StorageDaemon) daemon = storage_daemon_find(&error);

  process->storage_daemon = daemon ? g_strdup(daemon->version) : NULL;
  process->storage_daemon_problem = daemon ? NULL : g_strdup(error->message);
}

static void ask_images(HostProcess *process) {
  g_autoptr(GError) error = NULL;

  image_tools_are_there(&error);
  process->images = (HostImages){
      .asked = true,
      .skopeo = image_tools_version(IMAGE_SKOPEO),
      .umoci = image_tools_version(IMAGE_UMOCI),
      .problem = error ? g_strdup(error->message) : NULL,
  };
}

HostProcess host_process_read(void) {
  struct utsname host;
  const char *why;
  HostProcess process = {
      .machine = g_strdup(uname(&host) == 0 ? host.machine : "unknown"),
      .user = user_name(),
      .path = search_path(),
      .root = geteuid() == 0,
      .uid = geteuid(),
      .page_size = (uint64_t)sysconf(_SC_PAGESIZE),
      .userfaultfd = may_use_userfaultfd(),
      .filters = sandbox_has_filters(&why),
  };

  seclusion_probe(&process.seclusion);
  ask_passt(&process);
  ask_virtiofsd(&process);
  ask_storage_daemon(&process);
  ask_images(&process);
  return process;
}

/* Limits. */

/* "Max locked memory    8388608    8388608    bytes": the first number, the soft limit. */
static uint64_t soft_limit(const char *limits, const char *name) {
  const char *line = limits ? strstr(limits, name) : NULL;

  if (!line)
    return HOST_UNLIMITED;
  line += strlen(name);
  line += strspn(line, " ");
  return g_ascii_isdigit(*line) ? g_ascii_strtoull(line, NULL, 10) : HOST_UNLIMITED;
}

static uint64_t group_limit(const char *root, const char *group, const char *file) {
  g_autofree char *path = g_build_filename("sys/fs/cgroup", group, file, NULL);
  return host_read_number(root, path, HOST_UNLIMITED); /* "max" is no number */
}

/* cpu.max, "QUOTA PERIOD": CPUs, or 0. */
static double group_cpus(const char *root, const char *group) {
  g_autofree char *path = g_build_filename("sys/fs/cgroup", group, "cpu.max", NULL);
  g_autofree char *text = host_read_text(root, path);
  char *end = NULL;

  if (!text || !g_ascii_isdigit(*text))
    return 0;
  double quota = g_ascii_strtod(text, &end);
  double period = g_ascii_strtod(end, NULL);
  return period > 0 ? quota / period : 0;
}

/* "0::/user.slice/x.scope", of cgroup v2; NULL: this is not one. */
static char *own_group(const char *root) {
  g_autofree char *text = host_read_text(root, "proc/self/cgroup");
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

  for (char **line = lines; *line; line++)
    if (g_str_has_prefix(*line, "0::/"))
      return g_strdup(*line + strlen("0::/"));
  return NULL;
}

static void read_groups(HostFacts *facts, const char *root) {
  g_autofree char *group = own_group(root);

  while (group) {
    facts->cgroup_memory = MIN(facts->cgroup_memory, group_limit(root, group, "memory.max"));
    facts->cgroup_pids = MIN(facts->cgroup_pids, group_limit(root, group, "pids.max"));
    double cpus = group_cpus(root, group);
    if (cpus > 0 && (facts->cgroup_cpus <= 0 || cpus < facts->cgroup_cpus))
      facts->cgroup_cpus = cpus;
    char *slash = strrchr(group, '/');
    if (slash)
      *slash = 0;
    else if (*group)
      *group = 0;
    else
      break;
  }
}

void host_limits_read(HostFacts *facts, const char *root) {
  g_autofree char *limits = host_read_text(root, "proc/self/limits");

  facts->memlock = soft_limit(limits, "Max locked memory");
  facts->nofile = soft_limit(limits, "Max open files");
  facts->cgroup_memory = facts->cgroup_pids = HOST_UNLIMITED;
  read_groups(facts, root);
}
