/* SPDX-License-Identifier: Apache-2.0 */
/* O_PATH is enough for what stands in the way; the guest's names come one at a time, and a link is ENOTDIR. */
#define _GNU_SOURCE /* O_PATH */
#include "vmm/exec/destination.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"

void destination_clear(Destination *destination) {
  if (destination->fd >= 0)
    close(destination->fd);
  if (destination->kept_fd >= 0)
    close(destination->kept_fd);
  g_free(destination->name);
  g_free(destination->path);
}

static bool G_GNUC_PRINTF(2, 3) fail(GError **error, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, text);
  return false;
}

const char *destination_reason(int number) {
  return number == ENOTDIR || number == ELOOP ? "not a directory, and links are not followed" : g_strerror(number);
}

/* The user's path. */

static bool check_writable(const char *path, GError **error) {
  return access(path, W_OK) == 0 || fail(error, "'%s' cannot be written: %s", path, g_strerror(errno));
}

/* The nearest directory above PATH that is there: those below it would be made. */
static bool check_above(const char *path, GError **error) {
  g_autofree char *above = g_path_get_dirname(path);
  struct stat status;

  while (stat(above, &status) < 0 && (errno == ENOENT || errno == ENOTDIR) && strcmp(above, "/") != 0 && strcmp(above, ".") != 0) {
    char *next = g_path_get_dirname(above);
    g_free(above);
    above = next;
  }
  if (stat(above, &status) == 0 && !S_ISDIR(status.st_mode))
    return fail(error, "'%s' is not a directory", above);
  return check_writable(above, error);
}

bool destination_check(const char *path, GError **error) {
  struct stat status;

  if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
    return check_writable(path, error);
  g_autofree char *real = realpath(path, NULL);
  return check_above(real ? real : path, error);
}

/* The nearest directory above PATH, or PATH itself. */
static void add_directory(GPtrArray *paths, const char *path) {
  char *here = g_canonicalize_filename(path, NULL);
  struct stat status;

  while ((stat(here, &status) < 0 || !S_ISDIR(status.st_mode)) && strcmp(here, "/") != 0) {
    char *above = g_path_get_dirname(here);
    g_free(here);
    here = above;
  }
  if (g_ptr_array_find_with_equal_func(paths, here, g_str_equal, NULL))
    g_free(here);
  else
    g_ptr_array_add(paths, here);
}

void destination_prepare(Destination *destination, GPtrArray *paths) {
  struct stat status;

  if (stat(destination->path, &status) < 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) {
    char *real = realpath(destination->path, NULL); /* malloc's */
    add_directory(paths, destination->path);
    if (real)
      add_directory(paths, real);
    free(real);
    return;
  }
  destination->kept_fd = descriptor_open(destination->path, O_WRONLY);
  destination->kept_is_place = destination->kept_fd < 0 && errno == ENXIO;
  if (destination->kept_is_place)
    destination->kept_fd = open(destination->path, O_PATH | O_CLOEXEC);
}

static bool open_directory(Destination *destination, const char *path, GError **error) {
  destination->fd = g_mkdir_with_parents(path, 0755) < 0 ? -1 : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return destination->fd >= 0 || fail(error, "%s: %s", path, g_strerror(errno));
}

/* A pipe that nobody reads is an error, and not waited for. */
static bool open_in_place(Destination *destination, GError **error) {
  g_autofree char *place = destination->kept_is_place ? g_strdup_printf("/proc/self/fd/%d", destination->kept_fd) : NULL;

  destination->kind = DESTINATION_IN_PLACE;
  if (destination->kept_fd >= 0 && !place) {
    destination->fd = destination->kept_fd;
    destination->kept_fd = -1;
  } else {
    destination->fd = descriptor_open(place ? place : destination->path, O_WRONLY);
  }
  if (destination->fd < 0)
    return fail(error, "%s: %s", destination->path, errno == ENXIO ? "nobody reads it" : g_strerror(errno));
  return true;
}

static bool open_file(Destination *destination, GError **error) {
  struct stat status;
  bool there = stat(destination->path, &status) == 0;

  if (destination->kept_fd >= 0)
    return open_in_place(destination, error);
  if (there && S_ISDIR(status.st_mode))
    return fail(error, "%s: is a directory, and what came is a file: %s/ puts it there", destination->path, destination->path);
  if (there && !S_ISREG(status.st_mode))
    return open_in_place(destination, error);
  if (!there && lstat(destination->path, &status) == 0)
    return fail(error, "%s: is a link that leads nowhere", destination->path);
  g_autofree char *real = there ? realpath(destination->path, NULL) : NULL;
  g_autofree char *parent = g_path_get_dirname(real ? real : destination->path);
  destination->kind = DESTINATION_FILE;
  destination->name = g_path_get_basename(real ? real : destination->path);
  return open_directory(destination, parent, error);
}

bool destination_open(Destination *destination, bool directory, GError **error) {
  destination->kind = DESTINATION_DIRECTORY;
  if (directory ? open_directory(destination, destination->path, error) : open_file(destination, error))
    return true;
  destination->kind = DESTINATION_FAILED;
  return false;
}

/* The guest's names. */

int destination_step(int parent, const char *name, unsigned *may_make) {
  static const int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(parent, name, flags);

  if (fd >= 0 || errno != ENOENT || *may_make == 0 || mkdirat(parent, name, 0755) < 0)
    return fd;
  --*may_make;
  return openat(parent, name, flags);
}

char *destination_path_of(const Destination *destination, char **parts) {
  g_autofree char *below = g_strjoinv("/", parts);

  return *below ? g_build_filename(destination->path, below, NULL) : g_strdup(destination->path);
}

int destination_parent(const Destination *destination, char **parts, unsigned *may_make, GError **error) {
  int fd = fcntl(destination->fd, F_DUPFD_CLOEXEC, 0);

  for (unsigned i = 0; fd >= 0 && parts[i + 1]; i++) {
    int below = destination_step(fd, parts[i], may_make), reason = errno;
    close(fd);
    fd = below;
    if (fd >= 0)
      continue;
    char *rest = parts[i + 1];
    parts[i + 1] = NULL;
    g_autofree char *path = destination_path_of(destination, parts);
    parts[i + 1] = rest;
    fail(error, "%s: %s", path, reason == ENOENT && !*may_make ? "there are too many files" : destination_reason(reason));
    return -1;
  }
  if (fd < 0)
    fail(error, "%s: %s", destination->path, g_strerror(errno));
  return fd;
}

/*
 * ".." is harmless only at the beginning: there it goes up the directories that the link itself is in, which are no
 * links. Behind a name it goes up from wherever that name leads.
 */
bool destination_link_stays_inside(char **parts, const char *target) {
  g_auto(GStrv) steps = g_strsplit(target, "/", -1);
  unsigned above = g_strv_length(parts) - 1;
  bool down = false;

  if (!*target || *target == '/')
    return false;
  for (unsigned i = 0; steps[i]; i++) {
    if (!*steps[i] || strcmp(steps[i], ".") == 0)
      continue;
    bool up = strcmp(steps[i], "..") == 0;
    if (up && (down || above-- == 0))
      return false;
    down |= !up;
  }
  return true;
}
