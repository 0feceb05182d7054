/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that go in where the command has a root of its own. The host cannot say where in it they belong: /bin may
 * be a link there, and what is in an image only a kernel knows. So they come beside the root, and are moved here, each
 * to where its path leads in the root. Nothing is copied, and so nothing takes memory twice.
 *
 * An image is not written to: what belongs there goes into a tree of its own, which is laid over the image as a layer.
 * A directory of a layer replaces the one below it in all but its contents, so that it is made like that one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init.h"

#define LINKS_MAX 40 /* as the kernel follows */

/* Where files go: INTO, which is ROOT itself, or a layer above it. */
typedef struct {
  const char *root, *into;
} Place;

static bool join(char path[PATH_MAX], const char *above, const char *below) {
  bool fits = snprintf(path, PATH_MAX, "%s%s", above, below) < PATH_MAX;

  if (!fits)
    errno = ENAMETOOLONG;
  return fits;
}

static bool look(const Place *place, const char *path, struct stat *status) {
  char full[PATH_MAX];

  return (join(full, place->into, path) && lstat(full, status) == 0) || (join(full, place->root, path) && lstat(full, status) == 0);
}

static ssize_t read_link(const Place *place, const char *path, char target[PATH_MAX]) {
  char full[PATH_MAX];
  ssize_t size = join(full, place->into, path) ? readlink(full, target, PATH_MAX - 1) : -1;

  if (size < 0 && errno == ENOENT && join(full, place->root, path))
    size = readlink(full, target, PATH_MAX - 1);
  target[size < 0 ? 0 : size] = 0;
  return size;
}

/* REAL becomes PATH without links, as if the root were "/"; the last part may stay one, and need not be there. */
static bool resolve(const Place *place, const char *path, bool follow_last, char real[PATH_MAX]) {
  char rest[PATH_MAX], target[PATH_MAX], full[PATH_MAX];
  unsigned links = 0;

  *real = 0;
  if (!join(rest, path, ""))
    return false;
  for (char *at = rest + strspn(rest, "/"); *at; at += strspn(at, "/")) {
    char *name = at, *up = strrchr(real, '/');
    size_t length = strcspn(at, "/"), before = strlen(real);
    at += length;
    if (strncmp(name, "..", length) == 0 && length <= 2) { /* or "." */
      if (length == 2 && up)
        *up = 0;
      continue;
    }
    if (before + 1 + length >= PATH_MAX) {
      errno = ENAMETOOLONG;
      return false;
    }
    snprintf(real + before, PATH_MAX - before, "/%.*s", (int)length, name);
    if ((!follow_last && !at[strspn(at, "/")]) || read_link(place, real, target) < 0)
      continue;
    if (++links > LINKS_MAX) {
      errno = ELOOP;
      return false;
    }
    if (!join(full, target, at))
      return false;
    strcpy(rest, full);
    real[*target == '/' ? 0 : before] = 0;
    at = rest;
  }
  return true;
}

/* In a layer, as it is below. */
static bool make_directory(const Place *place, const char *path) {
  struct stat below;
  char full[PATH_MAX], model[PATH_MAX];

  if (!join(full, place->into, path) || !join(model, place->root, path))
    return false;
  if (mkdir(full, 0755) < 0)
    return errno == EEXIST;
  if (stat(model, &below) < 0 || place->into == place->root)
    return true;
  const struct timespec times[] = {below.st_atim, below.st_mtim};
  return chown(full, below.st_uid, below.st_gid) == 0 && chmod(full, below.st_mode & 07777) == 0 &&
         utimensat(AT_FDCWD, full, times, 0) == 0;
}

static bool make_parents(const Place *place, const char *path) {
  char parent[PATH_MAX];

  for (const char *slash = *path ? strchr(path + 1, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
    snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
    if (!make_directory(place, parent))
      return false;
  }
  return true;
}

/* What lies there is hidden by file systems of the kernel's. */
static bool is_hidden(const char *path) {
  static const char *const hidden[] = {"/proc", "/sys", "/dev", "/run"};

  for (unsigned i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    size_t length = strlen(hidden[i]);
    if (strncmp(path, hidden[i], length) == 0 && (path[length] == '/' || !path[length]))
      return true;
  }
  return false;
}

static bool complain(const char *path, const char *why) {
  control_say("failed %d --copy-in %.800s: %s", EBUSY, path, why);
  return false;
}

static bool lay(const Place *place, const char *source, const char *path);

static bool lay_contents(const Place *place, const char *source, const char *path) {
  struct dirent **entries;
  int n = scandir(source, &entries, NULL, alphasort);
  bool ok = n >= 0 || complain(path, strerror(errno));

  for (int i = 0; i < n; i++) {
    const char *name = entries[i]->d_name;
    char *below = NULL, *below_path = NULL;
    if (ok && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
      ok = asprintf(&below, "%s/%s", source, name) >= 0 && asprintf(&below_path, "%s/%s", path, name) >= 0 && lay(place, below, below_path);
    free(below);
    free(below_path);
    free(entries[i]);
  }
  if (n >= 0)
    free(entries);
  return ok;
}

/* A directory that is there already stays as it is, and what is in SOURCE goes into it. */
static bool lay(const Place *place, const char *source, const char *path) {
  char real[PATH_MAX], full[PATH_MAX];
  struct stat what, there;

  if (lstat(source, &what) < 0 || !resolve(place, path, S_ISDIR(what.st_mode), real))
    return complain(path, strerror(errno));
  if (is_hidden(real))
    return complain(path, "the kernel has a file system of its own where that leads");
  bool taken = look(place, real, &there);
  if (taken && S_ISDIR(what.st_mode) != S_ISDIR(there.st_mode))
    return complain(path, S_ISDIR(what.st_mode) ? "it is a directory, and not so in the root" : "it is a directory in the root");
  if (!make_parents(place, real) || !join(full, place->into, real))
    return complain(path, strerror(errno));
  if (taken && S_ISDIR(what.st_mode))
    return (make_directory(place, real) || complain(path, strerror(errno))) && lay_contents(place, source, real);
  return rename(source, full) == 0 || complain(path, strerror(errno));
}

bool lay_files(const Spec *spec, const char *root, const char *into) {
  const Place place = {root, into};
  char source[64];

  for (unsigned i = 0; spec->copy_in && spec->copy_in[i]; i++) {
    snprintf(source, sizeof source, "/eret/in/%u", i);
    if (!lay(&place, source, spec->copy_in[i]))
      return false;
  }
  return true;
}
