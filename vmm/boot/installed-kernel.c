/* SPDX-License-Identifier: Apache-2.0 */
/* Where distributions and the kernel's own build put kernels. */
#define _GNU_SOURCE /* strverscmp */
#include "vmm/boot/installed-kernel.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define KERNEL_PREFIX "vmlinuz-"
#define KERNEL_WORD   "-arm64" /* a flavour may follow, or stand before it: cloud-arm64, arm64-16k */

char *installed_kernel_running(void) {
  static const char *const patterns[] = {"/boot/vmlinuz-%s", "/usr/lib/modules/%s/vmlinuz", "/boot/Image-%s"};
  struct utsname host;

  if (uname(&host) < 0 || strcmp(host.machine, "aarch64") != 0)
    return NULL;
  for (unsigned i = 0; i < G_N_ELEMENTS(patterns); i++) {
    g_autofree char *path = g_strdup_printf(patterns[i], host.release);
    if (access(path, R_OK) == 0)
      return g_steal_pointer(&path);
  }
  return NULL;
}

char *installed_kernel_newest(const char *directory) {
  g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
  g_autofree char *newest = NULL;

  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(directory, name, NULL);
    bool fits = g_str_has_prefix(name, KERNEL_PREFIX) && strstr(name, KERNEL_WORD) && access(path, R_OK) == 0;
    if (!fits || (newest && strverscmp(newest, path) >= 0))
      continue;
    g_free(newest);
    newest = g_steal_pointer(&path);
  }
  return g_steal_pointer(&newest);
}
