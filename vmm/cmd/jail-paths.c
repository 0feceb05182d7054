/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cmd/jail-paths.h"

#include <sys/stat.h>

#include "vmm/base/mistakes.h"

typedef struct {
  const GPtrArray *mounts;
  const char *root;
  GString *mistakes;
  const Option *option; /* the one that is looked at */
} Check;

static bool is_there(const char *path) {
  struct stat status;

  return stat(path, &status) == 0;
}

/* PATH is absolute. Of a link nothing is known but in there. */
static bool is_in_jail(const Check *check, const char *path) {
  const JailMount *mount = jail_mounts_find(check->mounts, path);
  g_autofree char *below = g_strconcat(check->root, path, NULL);

  return mount ? mount->kind != JAIL_MOUNT_BIND || is_there(path) || g_strcmp0(mount->source, mount->target) != 0 : is_there(below);
}

/* A file that is not there yet is known by its directory. As it is: nothing is to be changed. */
static char *look_at(void *opaque, const char *path, size_t offset) {
  Check *check = opaque;
  g_autofree char *here = g_canonicalize_filename(path, NULL), *there = g_canonicalize_filename(path, "/");
  g_autofree char *above = g_path_get_dirname(there);
  bool is_new = check->option->written && (is_in_jail(check, there) || is_in_jail(check, above) || g_str_equal(above, "/"));

  if (is_there(here) && !is_new && !is_in_jail(check, there)) {
    g_autofree char *cut = mistake_value(path);
    mistake(check->mistakes, "--%s: '%s' is not in the jail, whose root is another: --bind %s%s puts it there", check->option->name, cut,
            here, g_str_equal(here, there) ? "" : ", and its path from there on");
  }
  return g_strdup(path);
}

static void look_at_option(void *opaque, const Option *option, int argument, const char *value) {
  Check *check = opaque;

  check->option = option;
  g_autofree char *same = value ? option_place(option, value, look_at, check) : NULL;
}

void jail_paths_check(const OptionSet *set, int argc, char **argv, const GPtrArray *mounts, const char *root, GString *mistakes) {
  Check check = {.mounts = mounts, .root = root, .mistakes = mistakes};
  g_autofree char *wrong = option_each(set, argc, argv, look_at_option, &check); /* which the command will say itself */
}
