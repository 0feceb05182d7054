/* SPDX-License-Identifier: Apache-2.0 */
/* Where distributions and the kernel's own build put things. */
#include "vmm/exec/defaults.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

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
 * Where the modules of a kernel belong: beside it, as /usr/lib/modules/VERSION/vmlinuz has them and as `make modules_install` with INSTALL_MOD_PATH puts them; or
 * where distributions have those of /boot/vmlinuz-VERSION.
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

static bool is_on_command_line(const char *line, const char *prefix) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);

  for (unsigned i = 0; words[i]; i++)
    if (g_str_has_prefix(words[i], prefix))
      return true;
  return false;
}

/*
 * The kernel's command line: a panic ends the guest; the console is the one that the machine has; and it is quiet unless somebody reads it. In a panic or an
 * oops Linux says everything all the same.
 */
void add_default_arguments(ExecOptions *options) {
  Config *config = options->config;
  bool loud = (options->verbose || options->console_log) && !options->quiet;
  const struct {
    const char *prefix, *word;
    bool wanted;
  } words[] = {{"panic=", "panic=-1", true},
               {"console=", "console=hvc0", config->console == CONSOLE_VIRTIO},
               {"quiet", "quiet",
                !loud && !is_on_command_line(config->append, "loglevel=") && !is_on_command_line(config->append, "debug") &&
                    !is_on_command_line(config->append, "ignore_loglevel")}};
  GString *line = g_string_new(config->append);

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
    if (words[i].wanted && !is_on_command_line(config->append, words[i].prefix))
      g_string_append_printf(line, "%s%s", line->len ? " " : "", words[i].word);
  g_free(config->append);
  config->append = g_string_free(line, FALSE);
}
