/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/jail/mounts.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/jail/fail.h"

/* What is there of these: programs and libraries, then what libc and helpers read. */
static const char *const of_host[] = {
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc/alternatives",
    "/etc/group",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
};
static const char *const devices[] = {
    "/dev/null", "/dev/zero", "/dev/full",    "/dev/random",    "/dev/urandom",
    "/dev/tty",  "/dev/kvm",  "/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock",
};
static const struct {
  const char *path, *target;
} links[] = {
    {"/dev/fd", "/proc/self/fd"},
    {"/dev/stdin", "/proc/self/fd/0"},
    {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"},
};

static void free_mount(gpointer data) {
  JailMount *mount = data;

  g_free(mount->source);
  g_free(mount->target);
  g_free(mount);
}

static JailMount *find_at(const GPtrArray *mounts, const char *target) {
  for (unsigned i = 0; i < mounts->len; i++) {
    JailMount *mount = mounts->pdata[i];
    if (strcmp(mount->target, target) == 0)
      return mount;
  }
  return NULL;
}

/* In the place of one that is there already. */
static JailMount *add(GPtrArray *mounts, JailMountKind kind, const char *source, const char *target) {
  JailMount *mount = g_new0(JailMount, 1);

  *mount = (JailMount){.kind = kind, .source = g_strdup(source), .target = g_strdup(target)};
  g_ptr_array_remove(mounts, find_at(mounts, target));
  g_ptr_array_add(mounts, mount);
  return mount;
}

static JailMount *add_bind(GPtrArray *mounts, const char *source, const char *target, const struct stat *status, bool read_only) {
  JailMount *mount = add(mounts, JAIL_MOUNT_BIND, source, target);

  mount->is_directory = S_ISDIR(status->st_mode);
  mount->device = S_ISCHR(status->st_mode) || S_ISBLK(status->st_mode);
  mount->read_only = read_only;
  return mount;
}

/* A directory that is a link on this host is one in the jail, to what is there. A file is what the link leads to. */
static void add_of_host(GPtrArray *mounts, const char *path) {
  g_autofree char *target = g_file_read_link(path, NULL);
  struct stat status;

  if (stat(path, &status) < 0)
    return;
  if (target && S_ISDIR(status.st_mode))
    add(mounts, JAIL_MOUNT_LINK, target, path);
  else
    add_bind(mounts, path, path, &status, true);
}

static void add_device(GPtrArray *mounts, const char *path) {
  struct stat status;

  if (stat(path, &status) == 0 && S_ISCHR(status.st_mode))
    add_bind(mounts, path, path, &status, false);
}

char *jail_mounts_clean(const char *path) {
  g_auto(GStrv) parts = g_strsplit(path, "/", -1);
  g_autoptr(GString) clean = g_string_new(NULL);

  for (const char *at = path; *at; at++)
    if (g_ascii_iscntrl(*at))
      return NULL;
  if (*path != '/')
    return NULL;
  for (char **part = parts; *part; part++) {
    if (strcmp(*part, "..") == 0)
      return NULL;
    if (**part && strcmp(*part, ".") != 0)
      g_string_append_printf(clean, "/%s", *part);
  }
  return g_strdup(clean->len ? clean->str : "/");
}

static bool add_wanted(GPtrArray *mounts, const JailBind *bind, GError **error) {
  g_autofree char *here = g_canonicalize_filename(bind->source, NULL), *target = jail_mounts_clean(bind->target ? bind->target : here);
  struct stat status;

  if (stat(bind->source, &status) < 0)
    return jail_fail_errno(error, "--bind %s: cannot be put into the jail", bind->source);
  if (!target || strcmp(target, "/") == 0 || strcmp(target, "/proc") == 0 || g_str_has_prefix(target, "/proc/"))
    return jail_fail(error, "--bind %s: '%s' is no place in the jail: a path from its root is, without '..', and none in /proc",
                     bind->source, bind->target ? bind->target : here);
  add_bind(mounts, here, target, &status, bind->read_only);
  return true;
}

const JailMount *jail_mounts_find(const GPtrArray *mounts, const char *path) {
  const JailMount *found = NULL;
  size_t longest = 0;

  for (unsigned i = 0; i < mounts->len; i++) {
    const JailMount *mount = mounts->pdata[i];
    size_t length = strlen(mount->target);
    if (length > longest && strncmp(mount->target, path, length) == 0 && (!path[length] || path[length] == '/')) {
      found = mount;
      longest = length;
    }
  }
  return found;
}

/* Not where the host's own is at the same path already. */
static bool add_program(GPtrArray *mounts, const char *program, GError **error) {
  const JailMount *above = jail_mounts_find(mounts, program);
  struct stat status;

  if (above && g_strcmp0(above->source, above->target) == 0 && above->kind == JAIL_MOUNT_BIND)
    return true;
  if (stat(program, &status) < 0)
    return jail_fail_errno(error, "cannot find '%s', which is to run in the jail", program);
  add_bind(mounts, program, program, &status, true);
  return true;
}

/* The shorter paths first: what is longer may lie below. */
static int compare(gconstpointer a, gconstpointer b) {
  const JailMount *first = *(JailMount *const *)a, *second = *(JailMount *const *)b;
  size_t length = strlen(first->target), other = strlen(second->target);

  return length != other ? (length > other) - (length < other) : strcmp(first->target, second->target);
}

GPtrArray *jail_mounts_plan(const char *program, const JailBind *binds, unsigned n_binds, GError **error) {
  g_autoptr(GPtrArray) mounts = g_ptr_array_new_with_free_func(free_mount);

  for (unsigned i = 0; i < G_N_ELEMENTS(of_host); i++)
    add_of_host(mounts, of_host[i]);
  for (unsigned i = 0; i < G_N_ELEMENTS(devices); i++)
    add_device(mounts, devices[i]);
  for (unsigned i = 0; i < G_N_ELEMENTS(links); i++)
    add(mounts, JAIL_MOUNT_LINK, links[i].target, links[i].path);
  add(mounts, JAIL_MOUNT_PROC, NULL, "/proc")->is_directory = true;
  for (unsigned i = 0; i < n_binds; i++)
    if (!add_wanted(mounts, &binds[i], error))
      return NULL;
  if (!add_program(mounts, program, error))
    return NULL;
  g_ptr_array_sort(mounts, compare);
  return g_steal_pointer(&mounts);
}
