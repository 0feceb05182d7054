/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file `made` in it says what eret has made, so that it is known after a kill, too: a line each, or "." where that
 * is the whole directory. A line is written once the thing is there: what is lost by a kill in between is a directory
 * that stays, and nobody's file.
 *
 * The root belongs to the jailed user, who may put links in the place of directories there. So every path in it is
 * walked part by part, and no link is followed.
 */
#define _GNU_SOURCE /* O_PATH */
#include "vmm/jail/place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/remove-tree.h"
#include "vmm/base/whole-file.h"
#include "vmm/jail/fail.h"

#define MODE        0755
#define TRIES       10
#define CLEAR_TRIES 50
#define CLEAR_USEC  100000 /* of each: 5 s in all */
#define MADE        "made"
#define PID         "pid"
#define ROOT        "root"
#define ALL         "."
#define OF_ID       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"
#define FILE_MAX    (1 << 20)
#define PATH_ARG    (O_PATH | O_DIRECTORY | O_NOFOLLOW)

struct JailPlace {
  char *path, *root;
  GPtrArray *parents; /* of char *: those to remove once they are empty */
  bool whole;         /* all of it is eret's */
  int fd;             /* its directory, locked */
  int root_fd, made_fd;
};

const char *jail_place_check_id(const char *id) {
  size_t length = strlen(id);

  if (length == 0 || length > JAIL_ID_MAX)
    return "a jail's name has 1 to " G_STRINGIFY(JAIL_ID_MAX) " characters";
  return strspn(id, OF_ID) == length ? NULL : "a jail's name has letters, digits and hyphens alone";
}

/* What eret has made. */

/* PATH, below the place's directory. */
static bool note(JailPlace *place, const char *path, GError **error) {
  g_autofree char *line = g_strconcat(path, "\n", NULL);

  if (place->whole && strcmp(path, ALL) != 0)
    return true;
  if (write(place->made_fd, line, strlen(line)) != (ssize_t)strlen(line))
    return jail_fail_errno(error, "cannot write '%s/" MADE "'", place->path);
  return true;
}

static char *parent_of(const char *path) {
  const char *slash = strrchr(path, '/');

  return slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup("");
}

/* -1 with errno; parts of PATH are relative to FD, and no link among them. */
static int open_below(int fd, const char *path) {
  g_auto(GStrv) parts = g_strsplit(path, "/", -1);
  int at = openat(fd, ".", PATH_ARG | O_CLOEXEC);

  for (char **part = parts; at >= 0 && *part; part++) {
    if (!**part)
      continue;
    int next = openat(at, *part, PATH_ARG | O_CLOEXEC);
    int code = errno;
    close(at);
    errno = code;
    at = next;
  }
  return at;
}

/* PATH, below the place's directory, with all that is in it. */
static bool remove_below(JailPlace *place, const char *path, GError **error) {
  g_autofree char *parent = parent_of(path), *name = g_path_get_basename(path);
  int fd = open_below(place->fd, parent);

  if (fd < 0)
    return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || jail_fail_errno(error, "cannot remove '%s/%s'", place->path, path);
  g_autofree char *by_fd = g_strdup_printf("/proc/self/fd/%d/%s", fd, name);
  bool removed = remove_tree(by_fd, error);
  close(fd);
  return removed;
}

/* By the lines of MADE, the last one first; then that itself. */
static bool clear_made(JailPlace *place, GError **error) {
  g_autofree char *path = g_build_filename(place->path, MADE, NULL), *text = NULL;

  text = whole_file_read(path, FILE_MAX, "list of what was made", NULL, NULL);
  if (!text)
    return true;
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (guint i = g_strv_length(lines); i > 0; i--) {
    if (!*lines[i - 1])
      continue;
    place->whole |= strcmp(lines[i - 1], ALL) == 0;
    if (!remove_below(place, place->whole ? ROOT : lines[i - 1], error))
      return false;
  }
  unlinkat(place->fd, PID, 0);
  unlinkat(place->fd, MADE, 0);
  return true;
}

static bool is_empty(const char *path) {
  g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);

  return directory && !g_dir_read_name(directory);
}

/* Claiming. */

static void remove_parents(JailPlace *place) {
  while (place->parents->len) {
    rmdir(place->parents->pdata[place->parents->len - 1]); /* fails where others have something in it */
    g_ptr_array_set_size(place->parents, (int)place->parents->len - 1);
  }
}

/* With all above it. */
static bool make_base(JailPlace *place, const char *base, GError **error) {
  g_auto(GStrv) parts = g_strsplit(base, "/", -1);
  g_autoptr(GString) path = g_string_new(NULL);

  for (char **part = parts; *part; part++) {
    g_string_append_printf(path, "%s%s", part == parts ? "" : "/", *part);
    if (!**part)
      continue;
    if (mkdir(path->str, MODE) == 0)
      g_ptr_array_add(place->parents, g_strdup(path->str));
    else if (errno != EEXIST)
      return jail_fail_errno(error, "cannot make the directory '%s'", path->str);
  }
  return true;
}

static bool fail_in_use(const JailPlace *place, const char *id, GError **error) {
  g_autofree char *path = g_build_filename(place->path, PID, NULL), *pid = NULL;

  pid = whole_file_read(path, FILE_MAX, "number of a process", NULL, NULL);
  if (pid)
    g_strstrip(pid);
  return jail_fail(error, "a jail '%s' runs already%s%s: its directory is '%s'", id, pid && *pid ? ", by process " : "", pid ? pid : "",
                   place->path);
}

/* Else errno; ENOENT: another one is there by now, or none. */
static bool is_still_at(int fd, const char *path) {
  struct stat held, found;

  if (fstat(fd, &held) < 0 || lstat(path, &found) < 0)
    return false;
  errno = ENOENT;
  return held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

/* 1: it is locked; 0: it has gone meanwhile; -1: ERROR. */
static int lock(JailPlace *place, const char *id, GError **error) {
  place->fd = open(place->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (place->fd >= 0 && flock(place->fd, LOCK_EX | LOCK_NB) == 0 && is_still_at(place->fd, place->path))
    return 1;
  int code = errno;
  if (place->fd >= 0)
    close(place->fd);
  place->fd = -1;
  errno = code;
  if (code == EWOULDBLOCK)
    fail_in_use(place, id, error);
  else if (code != ENOENT)
    jail_fail_errno(error, "cannot lock the directory '%s'", place->path);
  return code == ENOENT ? 0 : -1;
}

/* As lock(). What is above it goes away with the last jail in it. */
static int try_claim(JailPlace *place, const char *base, const char *id, GError **error) {
  g_autofree char *of_eret = g_build_filename(base, "eret", NULL);

  remove_parents(place);
  if (!make_base(place, base, error))
    return -1;
  bool there = mkdir(of_eret, MODE) == 0 || errno == EEXIST;
  if (there)
    g_ptr_array_add(place->parents, g_strdup(of_eret));
  if (there && (mkdir(place->path, MODE) == 0 || errno == EEXIST))
    return lock(place, id, error);
  if (errno == ENOENT)
    return 0;
  jail_fail_errno(error, "cannot make the directory '%s'", place->path);
  return -1;
}

/* Nobody else may have changed what is in it. */
static bool is_own(const JailPlace *place, GError **error) {
  struct stat status;

  if (fstat(place->fd, &status) < 0)
    return jail_fail_errno(error, "cannot look at '%s'", place->path);
  if (status.st_uid != geteuid() || status.st_mode & (S_IWGRP | S_IWOTH))
    return jail_fail(error, "the directory '%s' can be written by others than its jail's starter: chown and chmod it", place->path);
  return true;
}

static bool write_pid(JailPlace *place, GError **error) {
  g_autofree char *text = g_strdup_printf("%d\n", (int)getpid()), *path = g_build_filename(place->path, PID, NULL);

  return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, error);
}

/* Whoever was killed may not have ended yet, and fill what is being emptied. */
static bool clear_left(JailPlace *place, GError **error) {
  for (unsigned i = 0; i < CLEAR_TRIES; i++) {
    if (clear_made(place, NULL))
      return true;
    g_usleep(CLEAR_USEC);
  }
  return clear_made(place, error);
}

static bool begin(JailPlace *place, GError **error) {
  if (!is_own(place, error) || !clear_left(place, error))
    return false;
  place->whole = is_empty(place->path);
  place->made_fd = openat(place->fd, MADE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (place->made_fd < 0)
    return jail_fail_errno(error, "cannot make '%s/" MADE "'", place->path);
  return (!place->whole || note(place, ALL, error)) && write_pid(place, error);
}

JailPlace *jail_place_new(const char *base, const char *id, GError **error) {
  g_autoptr(JailPlace) place = g_new0(JailPlace, 1);
  int claimed = 0;

  *place = (JailPlace){.path = g_build_filename(base, "eret", id, NULL), .fd = -1, .root_fd = -1, .made_fd = -1};
  place->root = g_build_filename(place->path, ROOT, NULL);
  place->parents = g_ptr_array_new_with_free_func(g_free);
  for (unsigned i = 0; i < TRIES && claimed == 0; i++)
    claimed = try_claim(place, base, id, error);
  if (claimed == 0)
    jail_fail(error, "'%s' comes and goes: other processes make the same one; try again", place->path);
  return claimed == 1 && begin(place, error) ? g_steal_pointer(&place) : NULL;
}

void jail_place_free(JailPlace *place) {
  g_autoptr(GError) error = NULL;

  if (!place)
    return;
  if (place->root_fd >= 0)
    close(place->root_fd);
  if (place->made_fd >= 0)
    close(place->made_fd);
  if (place->made_fd >= 0 && !clear_made(place, &error))
    g_warning("something stays of the jail: %s", error->message);
  if (place->whole && !error && rmdir(place->path) < 0)
    g_warning("the directory '%s' cannot be removed: %s", place->path, g_strerror(errno));
  if (place->fd >= 0)
    close(place->fd);
  remove_parents(place);
  g_ptr_array_unref(place->parents);
  g_free(place->path);
  g_free(place->root);
  g_free(place);
}

/* The root. */

const char *jail_place_root(const JailPlace *place) {
  return place->root;
}

bool jail_place_make_root(JailPlace *place, unsigned uid, unsigned gid, GError **error) {
  bool made = mkdirat(place->fd, ROOT, 0700) == 0;

  if (!made && errno != EEXIST)
    return jail_fail_errno(error, "cannot make the directory '%s'", place->root);
  if (made && !note(place, ROOT, error))
    return false;
  place->root_fd = openat(place->fd, ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (place->root_fd < 0 || fchown(place->root_fd, uid, gid) < 0)
    return jail_fail_errno(error, "cannot give the directory '%s' to user %u", place->root, uid);
  return true;
}

/* The directory that PATH is to lie in, with all that was missing of it; -1: ERROR. */
static int make_parents(JailPlace *place, const char *path, GError **error) {
  g_autofree char *parent = parent_of(path);
  g_auto(GStrv) parts = g_strsplit(parent, "/", -1);
  g_autoptr(GString) so_far = g_string_new(ROOT);
  int at = openat(place->root_fd, ".", PATH_ARG | O_CLOEXEC);
  bool noted = false; /* what lies in a directory that was made goes with it */

  for (char **part = parts; at >= 0 && *part; part++) {
    if (!**part)
      continue;
    g_string_append_printf(so_far, "/%s", *part);
    bool made = mkdirat(at, *part, MODE) == 0;
    int next = made || errno == EEXIST ? openat(at, *part, PATH_ARG | O_CLOEXEC) : -1, code = errno;
    close(at);
    errno = code;
    at = next;
    if (at >= 0 && made && !noted && !note(place, so_far->str, error)) {
      close(at);
      return -1;
    }
    noted |= made;
  }
  if (at < 0)
    jail_fail_errno(error, "there is no place for '%s' in the jail, as '%s/%s' is no directory and none can be made", path, place->path,
                    so_far->str);
  return at;
}

typedef enum { MAKE_DIRECTORY, MAKE_FILE, MAKE_LINK } Kind;

static bool make_at(int parent, const char *name, Kind kind, const char *target) {
  if (kind == MAKE_DIRECTORY)
    return mkdirat(parent, name, MODE) == 0;
  if (kind == MAKE_LINK)
    return symlinkat(target, parent, name) == 0;
  int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

/* As it is in the root already: of the kind that is wanted? */
static bool is_kind(int parent, const char *name, Kind kind) {
  struct stat status;

  if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
    return false;
  errno = kind == MAKE_DIRECTORY ? ENOTDIR : EEXIST;
  return kind == MAKE_LINK || (kind == MAKE_DIRECTORY ? S_ISDIR(status.st_mode) : S_ISREG(status.st_mode));
}

static bool make(JailPlace *place, const char *path, Kind kind, const char *target, GError **error) {
  g_autofree char *name = g_path_get_basename(path), *line = g_strconcat(ROOT, path, NULL);
  int parent = make_parents(place, path, error);

  if (parent < 0)
    return false;
  bool made = make_at(parent, name, kind, target), there = made || (errno == EEXIST && is_kind(parent, name, kind));
  if (!there)
    jail_fail_errno(error, "there is no place for '%s' in the jail, below '%s'", path, place->root);
  close(parent);
  return there && (!made || note(place, line, error));
}

bool jail_place_make_directory(JailPlace *place, const char *path, GError **error) {
  return make(place, path, MAKE_DIRECTORY, NULL, error);
}

bool jail_place_make_file(JailPlace *place, const char *path, GError **error) {
  return make(place, path, MAKE_FILE, NULL, error);
}

bool jail_place_make_link(JailPlace *place, const char *path, const char *target, GError **error) {
  return make(place, path, MAKE_LINK, target, error);
}

bool jail_place_make_own_directory(JailPlace *place, const char *path, unsigned uid, unsigned gid, GError **error) {
  if (!make(place, path, MAKE_DIRECTORY, NULL, error))
    return false;
  g_autofree char *parent = parent_of(path), *name = g_path_get_basename(path);
  int at = open_below(place->root_fd, parent), fd = at < 0 ? -1 : openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bool given = fd >= 0 && fchown(fd, uid, gid) == 0 && fchmod(fd, 0700) == 0;
  if (!given)
    jail_fail_errno(error, "cannot give '%s' in the jail to user %u", path, uid);
  if (fd >= 0)
    close(fd);
  if (at >= 0)
    close(at);
  return given;
}
