/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories of machines. The lock is one of an open file description (fcntl(2), F_OFD_SETLK): it can be asked about
 * without taking it, so that who only looks gets in nobody's way.
 *
 * A name is claimed in a loop: make the directory, open it, lock its file, and see that the path still leads there; if
 * it does not, another process has removed it meanwhile, as it was its own. The directory of all machines goes with the
 * last of them, and may be removed in the same way.
 *
 * No lock of its own: one thread.
 */
#define _GNU_SOURCE /* F_OFD_SETLK, O_PATH */
#include "vmm/control/runtime-directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/socket-place.h"

#define LOCK_FILE   "lock"
#define CLAIM_TRIES 100
#define OWN_MODE    0700
#define NAMES_MAX   4096 /* directories that are looked at */

G_DEFINE_QUARK(eret_runtime_error, runtime_error)

struct RuntimeDirectory {
  char *name, *base, *path;
  int fd, lock_fd;
};

static void set_errno(GError **error, const char *verb, const char *path, int code) {
  g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "cannot %s '%s': %s", verb, path, g_strerror(code));
}

bool runtime_name_is_valid(const char *name) {
  size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

  return length > 0 && length <= RUNTIME_NAME_MAX && !name[length] && g_ascii_isalnum(name[0]);
}

static bool check_name(const char *name, GError **error) {
  if (runtime_name_is_valid(name))
    return true;
  g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NAME,
              "'%s' cannot be a machine's name: 1 to %d letters, digits, '.', '_' and '-' can, of which the first is a letter or digit",
              name, RUNTIME_NAME_MAX);
  return false;
}

char *runtime_directory_base(GError **error) {
  const char *of_user = g_getenv("XDG_RUNTIME_DIR");
  struct sockaddr_un address;

  if (!of_user || !g_path_is_absolute(of_user)) /* the specification has others ignored */
    of_user = geteuid() == 0 ? "/run" : NULL;
  if (!of_user) {
    g_set_error(
        error, RUNTIME_ERROR, RUNTIME_ERROR_HOST,
        "there is no directory for names of machines: set XDG_RUNTIME_DIR to one that is yours alone, as a login does (/run/user/%u)",
        (unsigned)geteuid());
    return NULL;
  }
  g_autofree char *base = g_build_filename(of_user, "eret", NULL);
  /* The longest socket's path must fit: base, slash, name, slash, file, NUL. */
  if (strlen(base) + RUNTIME_NAME_MAX + RUNTIME_FILE_MAX + 3 <= sizeof address.sun_path)
    return g_steal_pointer(&base);
  g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "XDG_RUNTIME_DIR is too long ('%s'): sockets below it would have no address",
              of_user);
  return NULL;
}

/* The user's, and nobody else's to write. */
static bool is_own(int fd, const char *path, GError **error) {
  struct stat status;

  if (fstat(fd, &status) < 0) {
    set_errno(error, "examine", path, errno);
    return false;
  }
  if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & (S_IWGRP | S_IWOTH)))
    return true;
  g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST,
              "'%s' is not a directory that is yours and that only you can write; remove it, or set XDG_RUNTIME_DIR to another place",
              path);
  return false;
}

/* A descriptor of the directory NAME below AT; -1: it cannot be opened, or is not one's own. */
static int open_own(int at, const char *name, const char *path, GError **error) {
  int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd >= 0 && is_own(fd, path, error))
    return fd;
  if (fd < 0 && errno == ENOENT)
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE, "there is no '%s'", path);
  else if (fd < 0)
    set_errno(error, "open", path, errno);
  else
    close(fd);
  return -1;
}

static int open_base(const char *base, bool make, GError **error) {
  if (make && mkdir(base, OWN_MODE) < 0 && errno != EEXIST) {
    set_errno(error, "make", base, errno);
    return -1;
  }
  return open_own(AT_FDCWD, base, base, error);
}

static bool lock_file(int fd, int command, struct flock *lock) {
  *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, command, lock) == 0;
}

static bool is_held(int directory) {
  struct flock lock;
  int fd = openat(directory, LOCK_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0)
    return false;
  bool held = lock_file(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
  close(fd);
  return held;
}

/* All but the lock; what somebody has put there that is no file stays, and then so does the directory. */
static void empty(int directory) {
  int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = copy < 0 ? NULL : fdopendir(copy);
  const struct dirent *entry;

  if (!entries) {
    if (copy >= 0)
      close(copy);
    return;
  }
  while ((entry = readdir(entries)))
    if (strcmp(entry->d_name, LOCK_FILE) != 0)
      unlinkat(directory, entry->d_name, 0);
  closedir(entries);
}

static bool leads_to(int base, const char *name, int fd) {
  struct stat there, here;

  return fstatat(base, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &here) == 0 && there.st_ino == here.st_ino &&
         there.st_dev == here.st_dev;
}

static void drop(RuntimeDirectory *directory) {
  if (directory->lock_fd >= 0)
    close(directory->lock_fd);
  if (directory->fd >= 0)
    close(directory->fd);
  directory->lock_fd = directory->fd = -1;
}

/* 1: it is ours; 0: once more; -1: it cannot be. */
static int try_claim_below(RuntimeDirectory *directory, int base, GError **error) {
  struct flock lock;

  if (mkdirat(base, directory->name, OWN_MODE) < 0 && errno != EEXIST) {
    if (errno == ENOENT)
      return 0; /* BASE has been removed */
    set_errno(error, "make", directory->path, errno);
    return -1;
  }
  g_autoptr(GError) local = NULL;
  directory->fd = open_own(base, directory->name, directory->path, &local);
  if (g_error_matches(local, RUNTIME_ERROR, RUNTIME_ERROR_NONE))
    return 0;
  if (directory->fd < 0) {
    g_propagate_error(error, g_steal_pointer(&local));
    return -1;
  }
  directory->lock_fd = openat(directory->fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (directory->lock_fd < 0 && errno == ENOENT)
    return 0; /* it is being removed */
  if (directory->lock_fd < 0) {
    set_errno(error, "open the lock of", directory->path, errno);
    return -1;
  }
  if (!lock_file(directory->lock_fd, F_OFD_SETLK, &lock)) {
    if (errno != EAGAIN && errno != EACCES) {
      set_errno(error, "lock", directory->path, errno);
      return -1;
    }
    /* Who removes it holds the lock as well. */
    if (!leads_to(base, directory->name, directory->fd))
      return 0;
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_TAKEN, "a machine named '%s' runs already; 'eret ps' lists them", directory->name);
    return -1;
  }
  return leads_to(base, directory->name, directory->fd) ? 1 : 0;
}

static int try_claim(RuntimeDirectory *directory, GError **error) {
  g_autoptr(GError) local = NULL;
  int base = open_base(directory->base, true, &local);

  if (g_error_matches(local, RUNTIME_ERROR, RUNTIME_ERROR_NONE))
    return 0; /* it was removed after it had been there, or made */
  if (base < 0) {
    g_propagate_error(error, g_steal_pointer(&local));
    return -1;
  }
  int claimed = try_claim_below(directory, base, error);
  close(base);
  return claimed;
}

static void free_directory(RuntimeDirectory *directory) {
  drop(directory);
  g_free(directory->name);
  g_free(directory->base);
  g_free(directory->path);
  g_free(directory);
}

RuntimeDirectory *runtime_directory_claim(const char *name, GError **error) {
  g_autofree char *base = NULL;
  int claimed = 0;

  if (!check_name(name, error) || !(base = runtime_directory_base(error)))
    return NULL;
  RuntimeDirectory *directory = g_new0(RuntimeDirectory, 1);
  *directory = (RuntimeDirectory){.name = g_strdup(name), .path = g_build_filename(base, name, NULL), .fd = -1, .lock_fd = -1};
  directory->base = g_steal_pointer(&base);
  for (unsigned i = 0; i < CLAIM_TRIES && claimed == 0; i++) {
    drop(directory);
    claimed = try_claim(directory, error);
  }
  if (claimed == 1) {
    empty(directory->fd);
    return directory;
  }
  if (claimed == 0)
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "'%s' comes and goes: other processes claim the same name; try again",
                directory->path);
  free_directory(directory);
  return NULL;
}

/* While the lock is held: nobody else can have it before it is gone. */
static void remove_directory(const char *base, const char *name, int fd) {
  empty(fd);
  int base_fd = open(base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (base_fd < 0)
    return;
  if (leads_to(base_fd, name, fd)) {
    unlinkat(fd, LOCK_FILE, 0);
    unlinkat(base_fd, name, AT_REMOVEDIR);
    rmdir(base); /* not while there is another machine's in it */
  }
  close(base_fd);
}

void runtime_directory_release(RuntimeDirectory *directory) {
  if (!directory)
    return;
  remove_directory(directory->base, directory->name, directory->fd);
  free_directory(directory);
}

void runtime_directory_remove(const RuntimeDirectory *directory) {
  remove_directory(directory->base, directory->name, directory->fd);
}

int runtime_directory_descriptor(const RuntimeDirectory *directory) {
  return directory->fd;
}

void runtime_directory_abandon(RuntimeDirectory *directory) {
  if (directory)
    free_directory(directory);
}

const char *runtime_directory_name(const RuntimeDirectory *directory) {
  return directory->name;
}

const char *runtime_directory_path(const RuntimeDirectory *directory) {
  return directory->path;
}

bool runtime_directory_write(RuntimeDirectory *directory, const char *file, const char *text, GError **error) {
  g_autofree char *fresh = g_strconcat(file, ".new", NULL);
  size_t size = strlen(text), done = 0;
  int fd = openat(directory->fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

  while (fd >= 0 && done < size) {
    ssize_t written = write(fd, text + done, size - done);
    if (written < 0 && errno != EINTR)
      break;
    done += written > 0 ? (size_t)written : 0;
  }
  int code = errno;
  if (fd >= 0)
    close(fd);
  if (fd >= 0 && done == size) {
    if (renameat(directory->fd, fresh, directory->fd, file) == 0)
      return true;
    code = errno;
  }
  g_autofree char *path = g_build_filename(directory->path, file, NULL);
  set_errno(error, "write", path, code);
  return false;
}

int runtime_directory_open_log(RuntimeDirectory *directory, const char *file, GError **error) {
  int fd = openat(directory->fd, file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0) {
    g_autofree char *path = g_build_filename(directory->path, file, NULL);
    set_errno(error, "write", path, errno);
  }
  return fd;
}

/* By the descriptor of its directory, so that no path is walked twice; /proc's link to it is short, too. */
static struct sockaddr_un address_in(int directory, const char *file) {
  struct sockaddr_un address;

  socket_address_in(directory, file, &address); /* of RUNTIME_FILE_MAX it has one */
  return address;
}

int runtime_directory_listen(RuntimeDirectory *directory, const char *file, GError **error) {
  struct sockaddr_un address = address_in(directory->fd, file);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 && fchmodat(directory->fd, file, 0600, 0) == 0 &&
      listen(fd, SOMAXCONN) == 0)
    return fd;
  g_autofree char *path = g_build_filename(directory->path, file, NULL);
  set_errno(error, "listen at", path, errno);
  if (fd >= 0)
    close(fd);
  return -1;
}

/* Another process's. */

static int compare_names(gconstpointer a, gconstpointer b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

GPtrArray *runtime_directory_names(GError **error) {
  g_autofree char *base = runtime_directory_base(error);
  g_autoptr(GError) local = NULL;
  const struct dirent *entry;

  if (!base)
    return NULL;
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  int fd = open_base(base, false, &local);
  if (fd < 0 && g_error_matches(local, RUNTIME_ERROR, RUNTIME_ERROR_NONE))
    return g_steal_pointer(&names);
  DIR *entries = fd < 0 ? NULL : fdopendir(fd);
  if (!entries) {
    if (fd >= 0)
      close(fd);
    if (local)
      g_propagate_error(error, g_steal_pointer(&local));
    else
      set_errno(error, "read", base, errno);
    return NULL;
  }
  while ((entry = readdir(entries)) && names->len < NAMES_MAX)
    if (runtime_name_is_valid(entry->d_name))
      g_ptr_array_add(names, g_strdup(entry->d_name));
  closedir(entries);
  g_ptr_array_sort(names, compare_names);
  return g_steal_pointer(&names);
}

int runtime_directory_look(const char *name, RuntimeHolder *holder, GError **error) {
  g_autofree char *base = NULL;
  g_autoptr(GError) local = NULL;

  if (!check_name(name, error) || !(base = runtime_directory_base(error)))
    return -1;
  g_autofree char *path = g_build_filename(base, name, NULL);
  int base_fd = open_base(base, false, &local);
  int fd = base_fd < 0 ? -1 : open_own(base_fd, name, path, &local);
  if (base_fd >= 0)
    close(base_fd);
  if (fd >= 0) {
    *holder = is_held(fd) ? RUNTIME_HELD : RUNTIME_NOBODYS;
    return fd;
  }
  if (g_error_matches(local, RUNTIME_ERROR, RUNTIME_ERROR_NONE))
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE, "there is no machine named '%s'; 'eret ps' lists them", name);
  else
    g_propagate_error(error, g_steal_pointer(&local));
  return -1;
}

int runtime_directory_connect(const char *name, const char *file, GError **error) {
  RuntimeHolder holder;
  int directory = runtime_directory_look(name, &holder, error);

  if (directory < 0)
    return -1;
  struct sockaddr_un address = address_in(directory, file);
  int fd = holder == RUNTIME_HELD ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
  int code = errno;
  close(directory);
  if (connected)
    return fd;
  if (fd >= 0)
    close(fd);
  if (holder == RUNTIME_NOBODYS)
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE, "the machine '%s' does not run any more", name);
  else
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "cannot reach the machine '%s': %s", name, g_strerror(code));
  return -1;
}

bool runtime_directory_clear(const char *name, GError **error) {
  RuntimeHolder holder;
  int fd = runtime_directory_look(name, &holder, error);

  if (fd < 0)
    return false;
  close(fd);
  /* The way to remove it is to have it. */
  RuntimeDirectory *directory = runtime_directory_claim(name, error);
  runtime_directory_release(directory);
  return directory != NULL;
}
