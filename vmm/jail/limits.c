/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/jail/limits.h"

#include <string.h>
#include <sys/resource.h>

#include "vmm/jail/fail.h"

#define FILES_USUAL 1048576 /* Linux, fs/file.c: sysctl_nr_open unless somebody has changed it */

char *jail_limits_parse(JailLimits *limits, const char *text) {
  const char *equals = strchr(text, '=');
  g_autofree char *name = equals ? g_strndup(text, (gsize)(equals - text)) : NULL;
  uint64_t *field = g_strcmp0(name, "no-file") == 0 ? &limits->files : g_strcmp0(name, "fsize") == 0 ? &limits->file_size : NULL;

  if (!field)
    return g_strdup("wants no-file=N or fsize=BYTES");
  if (!g_ascii_string_to_unsigned(equals + 1, 10, 0, INT64_MAX, field, NULL))
    return g_strdup_printf("'%s' is not a whole number", equals + 1);
  return NULL;
}

static uint64_t most_files(void) {
  g_autofree char *text = NULL;
  uint64_t most = g_file_get_contents("/proc/sys/fs/nr_open", &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;

  return most ? MIN(most, FILES_USUAL) : FILES_USUAL;
}

static bool set(__rlimit_resource_t resource, const char *name, uint64_t value, GError **error) {
  const struct rlimit limit = {value, value};

  if (setrlimit(resource, &limit) < 0)
    return jail_fail_errno(error, "--resource-limit: %s cannot be %" G_GUINT64_FORMAT, name, value);
  return true;
}

/* As many as can be had; root of a container may be kept from more than it has. */
static bool raise_files(GError **error) {
  struct rlimit limit = {most_files(), most_files()};

  if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
    return true;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return jail_fail_errno(error, "cannot find out how many files may be open");
  return set(RLIMIT_NOFILE, "no-file", limit.rlim_max, error);
}

bool jail_limits_set(const JailLimits *limits, GError **error) {
  return (limits->files == JAIL_LIMIT_UNSET ? raise_files(error) : set(RLIMIT_NOFILE, "no-file", limits->files, error)) &&
         (limits->file_size == JAIL_LIMIT_UNSET || set(RLIMIT_FSIZE, "fsize", limits->file_size, error));
}
