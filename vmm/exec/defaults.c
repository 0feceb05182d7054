/* SPDX-License-Identifier: Apache-2.0 */
/* Where distributions and the kernel's own build put things. */
#include "vmm/exec/defaults.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/boot/command-line.h"

/* The kernel this machine runs itself, where it is an ARM64 one and may be read. */
char *default_kernel(void) {
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

bool is_module_tree(const char *directory) {
  g_autofree char *dep = g_build_filename(directory, "modules.dep", NULL);
  return access(dep, R_OK) == 0;
}

/* The only tree in DIRECTORY/lib/modules, or NULL. */
static char *only_tree_beside(const char *directory) {
  g_autofree char *all = g_build_filename(directory, "lib", "modules", NULL);
  g_autoptr(GDir) dir = g_dir_open(all, 0, NULL);
  g_autofree char *found = NULL;

  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(all, name, NULL);
    if (!is_module_tree(path))
      continue;
    if (found)
      return NULL;
    found = g_steal_pointer(&path);
  }
  return g_steal_pointer(&found);
}

/*
 * Where the modules of a kernel belong: beside it, as /usr/lib/modules/VERSION/vmlinuz has them and as `make
 * modules_install` with INSTALL_MOD_PATH puts them; or where distributions have those of /boot/vmlinuz-VERSION.
 */
char *default_modules(const char *kernel) {
  g_autofree char *name = g_path_get_basename(kernel);
  g_autofree char *directory = g_path_get_dirname(kernel);
  const char *version = strchr(name, '-');

  if (is_module_tree(directory))
    return g_steal_pointer(&directory);
  char *beside = only_tree_beside(directory);
  if (beside)
    return beside;
  g_autofree char *path = version ? g_build_filename("/lib/modules", version + 1, NULL) : NULL;
  return path && is_module_tree(path) ? g_steal_pointer(&path) : NULL;
}

/*
 * A panic ends the guest; and it is quiet unless somebody reads it, or has said how much is to be said. In a panic or
 * an oops Linux says everything all the same. The console's word is there already, as for every machine.
 */
bool add_default_arguments(Config *config, bool quiet, char **why) {
  static const char *const volumes[] = {"loglevel", "debug", "ignore_loglevel"};
  char **line = &config->append;
  size_t user_length = strlen(*line);

  for (unsigned i = 0; i < G_N_ELEMENTS(volumes); i++)
    quiet = quiet && !command_line_has(*line, volumes[i]);
  if (quiet)
    command_line_add(line, "quiet");
  command_line_add(line, "panic=-1");
  return command_line_fits(*line, user_length, why);
}
