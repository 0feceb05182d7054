/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file is either a descriptor that is written to in place, or a directory in which a new file takes the place of the
 * old one's name. The latter is tried out when it is opened: a temporary file is made, with the owner and mode that the
 * file is to have, and removed.
 */
#include "vmm/base/output-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"

#define LINKS_MAX      40 /* as the kernel follows */
#define FIFO_WAIT_MS   3000
#define FIFO_POLL_MS   20
#define NAMES_TRIED    100
#define TEMPORARY_NAME ".eret-output-%08x"

struct OutputFile {
  char *path;       /* as it was given: for messages */
  bool to_stdout;   /* "-": by way of stdio, in order with what else is printed */
  int fd;           /* written in place; -1: replaced */
  bool starts_over; /* a regular file, in place */
  int directory;    /* of the file to be replaced; -1 */
  char *name;       /* in it */
  bool existed;
  struct stat before; /* if it existed */
};

static bool fail(const char *path, const char *reason, int code, GError **error) {
  bool standard = strcmp(path, "-") == 0;

  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot write %s%s%s: %s", standard ? "" : "'",
              standard ? "standard output" : path, standard ? "" : "'", reason);
  return false;
}

static bool fail_errno(const char *path, GError **error) {
  int code = errno;
  return fail(path, g_strerror(code), code, error);
}

/* Writing. */

static void guarded_signals(sigset_t *signals) {
  sigemptyset(signals);
  sigaddset(signals, SIGPIPE);
  sigaddset(signals, SIGXFSZ);
}

void output_guard_begin(OutputGuard *guard) {
  sigset_t signals;

  guarded_signals(&signals);
  pthread_sigmask(SIG_BLOCK, &signals, &guard->before);
}

void output_guard_end(OutputGuard *guard) {
  static const struct timespec no_wait = {0};
  sigset_t signals;
  int saved_errno = errno;

  guarded_signals(&signals);
  if (sigismember(&guard->before, SIGPIPE))
    sigdelset(&signals, SIGPIPE); /* whoever blocked it waits for it */
  if (sigismember(&guard->before, SIGXFSZ))
    sigdelset(&signals, SIGXFSZ);
  while (sigtimedwait(&signals, NULL, &no_wait) > 0)
    continue;
  pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
  errno = saved_errno;
}

static bool write_guarded(int fd, const char *bytes, size_t size) {
  OutputGuard guard;

  output_guard_begin(&guard);
  bool written = descriptor_write(fd, bytes, size);
  output_guard_end(&guard);
  return written;
}

/* Where a path leads. */

/* -1: PATH does not name a descriptor. */
static int descriptor_named(const char *path) {
  static const char *const directories[] = {"/dev/fd/", "/proc/self/fd/"};
  guint64 number;

  if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
    return STDOUT_FILENO;
  if (strcmp(path, "/dev/stderr") == 0)
    return STDERR_FILENO;
  for (unsigned i = 0; i < G_N_ELEMENTS(directories); i++)
    if (g_str_has_prefix(path, directories[i]) && g_ascii_string_to_unsigned(path + strlen(directories[i]), 10, 0, G_MAXINT, &number, NULL))
      return (int)number;
  return -1;
}

char *output_file_target(const char *path, int *fd) {
  g_autofree char *here = g_strdup(path);

  for (unsigned i = 0; i < LINKS_MAX; i++) {
    *fd = descriptor_named(here);
    g_autofree char *target = *fd < 0 ? g_file_read_link(here, NULL) : NULL;
    if (!target)
      return g_steal_pointer(&here);
    g_autofree char *directory = g_path_get_dirname(here);
    g_free(here);
    here = g_path_is_absolute(target) ? g_strdup(target) : g_build_filename(directory, target, NULL);
  }
  return NULL;
}

bool output_file_is_stdout(const char *path) {
  int fd = -1;
  g_autofree char *target = path ? output_file_target(path, &fd) : NULL;

  return fd == STDOUT_FILENO;
}

/* Of our own descriptors each is close-on-exec, and no one that we were started with is. */
static int open_descriptor(int fd) {
  int flags = fcntl(fd, F_GETFL), kind = fcntl(fd, F_GETFD);

  if (flags < 0 || kind & FD_CLOEXEC || (flags & O_ACCMODE) == O_RDONLY) {
    errno = EBADF;
    return -1;
  }
  return fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

/* What is there, as it is. A reader of a FIFO is waited for, but not for ever. */
static int open_in_place(const char *path, const char **reason) {
  struct stat status;
  int fd = -1;

  *reason = NULL;
  for (unsigned waited = 0; waited <= FIFO_WAIT_MS; waited += FIFO_POLL_MS) {
    fd = descriptor_open(path, O_WRONLY);
    if (fd >= 0 || errno != ENXIO || stat(path, &status) != 0 || !S_ISFIFO(status.st_mode))
      break;
    *reason = "nobody reads this FIFO";
    errno = ENXIO;
    g_usleep(FIFO_POLL_MS * 1000);
  }
  return fd;
}

/* Replacing. */

/* In the file's directory, with the owner and mode that the file is to have. */
static int make_temporary(const OutputFile *file, char name[32]) {
  const struct stat *before = &file->before;
  struct stat made;
  int fd = -1;

  for (unsigned i = 0; i < NAMES_TRIED && fd < 0; i++) {
    snprintf(name, 32, TEMPORARY_NAME, g_random_int());
    fd = openat(file->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST)
      return -1;
  }
  if (fd < 0 || !file->existed)
    return fd;
  bool kept = fstat(fd, &made) == 0 &&
              ((made.st_uid == before->st_uid && made.st_gid == before->st_gid) || fchown(fd, before->st_uid, before->st_gid) == 0);
  if (kept && fchmod(fd, before->st_mode & 07777) == 0)
    return fd;
  int saved_errno = errno;
  unlinkat(file->directory, name, 0);
  close(fd);
  errno = saved_errno;
  return -1;
}

/* Whether the file at TARGET can be replaced; errno says why not. */
static bool prepare_replacement(OutputFile *file, const char *target) {
  g_autofree char *directory = g_path_get_dirname(target);
  char name[32];

  if (g_str_has_suffix(target, "/")) {
    errno = EISDIR;
    return false;
  }
  file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file->directory < 0)
    return false;
  file->name = g_path_get_basename(target);
  int fd = make_temporary(file, name);
  if (fd < 0)
    return false;
  unlinkat(file->directory, name, 0);
  close(fd);
  return true;
}

static bool replace(OutputFile *file, const void *bytes, size_t size) {
  char name[32];
  int fd = make_temporary(file, name);

  if (fd < 0)
    return false;
  /* After a crash of the host, too, it is to be the old or the new one. */
  bool written = write_guarded(fd, bytes, size) && (!file->existed || file->before.st_size == 0 || fsync(fd) == 0);
  int saved_errno = errno;
  if (close(fd) != 0 && written) {
    written = false;
    saved_errno = errno;
  }
  if (written && renameat(file->directory, name, file->directory, file->name) == 0)
    return true;
  if (written)
    saved_errno = errno;
  unlinkat(file->directory, name, 0);
  errno = saved_errno;
  return false;
}

/* Opening. */

static OutputFile *new_file(const char *path) {
  OutputFile *file = g_new0(OutputFile, 1);

  file->path = g_strdup(path);
  file->fd = file->directory = -1;
  return file;
}

static void forget_directory(OutputFile *file) {
  if (file->directory >= 0)
    close(file->directory);
  file->directory = -1;
}

/*
 * A regular file that is there. It is opened even where it is to be replaced: one that may not be written is not
 * replaced either.
 */
static bool open_existing(OutputFile *file, const char *target, GError **error) {
  const char *reason;
  struct stat named;

  file->fd = open_in_place(file->path, &reason);
  if (file->fd < 0)
    return reason ? fail(file->path, reason, errno, error) : fail_errno(file->path, error);
  if (fstat(file->fd, &file->before) != 0)
    return fail_errno(file->path, error);
  file->starts_over = S_ISREG(file->before.st_mode);
  file->existed = true;
  bool is_target = target && lstat(target, &named) == 0 && named.st_dev == file->before.st_dev && named.st_ino == file->before.st_ino;
  if (!file->starts_over || !is_target || file->before.st_nlink != 1)
    return true;
  if (prepare_replacement(file, target)) {
    close(file->fd);
    file->fd = -1;
  } else {
    forget_directory(file);
  }
  return true;
}

static bool open_target(OutputFile *file, GError **error) {
  int fd = -1;
  g_autofree char *target = output_file_target(file->path, &fd);
  struct stat status;

  if (fd >= 0) {
    file->to_stdout = strcmp(file->path, "-") == 0;
    file->fd = open_descriptor(fd);
    return file->fd >= 0 || fail_errno(file->path, error);
  }
  if (stat(file->path, &status) == 0)
    return open_existing(file, target, error);
  if (!*file->path || !target || errno != ENOENT)
    return fail_errno(file->path, error);
  return prepare_replacement(file, target) || fail_errno(file->path, error);
}

OutputFile *output_file_open(const char *path, GError **error) {
  g_autoptr(OutputFile) file = new_file(path);

  return open_target(file, error) ? g_steal_pointer(&file) : NULL;
}

FILE *output_file_stream(const char *path, GError **error) {
  int named = -1, fd;
  g_autofree char *target = output_file_target(path, &named);
  const char *reason = NULL;
  struct stat status;

  if (named >= 0)
    fd = open_descriptor(named);
  else if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
    fd = open_in_place(path, &reason);
  else
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
  FILE *stream = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!stream && reason)
    fail(path, reason, errno, error);
  else if (!stream)
    fail_errno(path, error);
  if (!stream && fd >= 0)
    close(fd);
  return stream;
}

/* By way of stdio, which forgets what is lost: who closes the stream would tell it once more. */
static bool write_stdout(const void *bytes, size_t size) {
  if (fwrite(bytes, 1, size, stdout) == size && fflush(stdout) == 0)
    return true;
  int saved_errno = errno;
  __fpurge(stdout);
  clearerr(stdout);
  errno = saved_errno;
  return false;
}

bool output_file_write(OutputFile *file, const void *bytes, size_t size, GError **error) {
  bool written;

  if (!file->to_stdout)
    fflush(stdout); /* what was printed before comes before, where it leads to the same file */
  if (file->to_stdout)
    written = write_stdout(bytes, size);
  else if (file->fd < 0)
    written = replace(file, bytes, size);
  else if (file->starts_over)
    written = ftruncate(file->fd, 0) == 0 && lseek(file->fd, 0, SEEK_SET) == 0 && write_guarded(file->fd, bytes, size);
  else
    written = write_guarded(file->fd, bytes, size);
  return written || fail_errno(file->path, error);
}

void output_file_free(OutputFile *file) {
  if (!file)
    return;
  if (file->fd >= 0)
    close(file->fd);
  forget_directory(file);
  g_free(file->name);
  g_free(file->path);
  g_free(file);
}
