/* SPDX-License-Identifier: Apache-2.0 */
/* What POSIX and Linux say of names, links, modes, locks and the like. */
#define _GNU_SOURCE
#include "file-checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each check returns what is wrong, or NULL, in a directory of its own. */

#define EXPECT(condition)                                                                                                                  \
  do {                                                                                                                                     \
    if (!(condition))                                                                                                                      \
      return #condition;                                                                                                                   \
  } while (0)

int make_file(const char *name, const char *text) {
  int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

  return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

bool is_text(const char *name, const char *text) {
  char got[64] = "";
  int fd = open(name, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, got, sizeof got - 1);

  if (fd >= 0)
    close(fd);
  return size == (ssize_t)strlen(text) && strcmp(got, text) == 0;
}

static bool fails(int result, int code) {
  return result < 0 && errno == code;
}

static const char *check_names(void) {
  char longest[NAME_MAX + 2];

  memset(longest, 'n', sizeof longest);
  longest[NAME_MAX + 1] = 0;
  EXPECT(fails(open(longest, O_CREAT | O_RDWR | O_CLOEXEC, 0600), ENAMETOOLONG));
  longest[NAME_MAX] = 0;
  EXPECT(close(make_file(longest, "x")) == 0);
  EXPECT(close(make_file("blank \n\t\xc3\xa4", "x")) == 0 && is_text("blank \n\t\xc3\xa4", "x"));
  EXPECT(fails(open("blank \n\t\xc3\xa4", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600), EEXIST));
  EXPECT(fails(open("no/such", O_RDONLY | O_CLOEXEC), ENOENT));
  EXPECT(close(make_file("file", "x")) == 0 && fails(open("file/below", O_RDONLY | O_CLOEXEC), ENOTDIR));
  EXPECT(fails(open("file", O_DIRECTORY | O_RDONLY | O_CLOEXEC), ENOTDIR));
  EXPECT(access("FILE", F_OK) < 0);
  return NULL;
}

static const char *check_unlinked(void) {
  struct stat status;
  char got[8] = "";
  int fd = make_file("file", "before");

  EXPECT(fd >= 0 && unlink("file") == 0 && access("file", F_OK) < 0);
  EXPECT(pwrite(fd, "after!", 6, 0) == 6 && pread(fd, got, 6, 0) == 6 && strcmp(got, "after!") == 0);
  EXPECT(fstat(fd, &status) == 0 && status.st_nlink == 0 && status.st_size == 6);
  EXPECT(ftruncate(fd, 3) == 0 && fstat(fd, &status) == 0 && status.st_size == 3);
  return close(fd) == 0 ? NULL : "close";
}

static const char *check_renames(void) {
  int fd = make_file("old", "old"), other = make_file("there", "there");
  char got[8] = "";

  EXPECT(fd >= 0 && other >= 0 && rename("old", "there") == 0 && is_text("there", "old") && access("old", F_OK) < 0);
  EXPECT(pread(other, got, 5, 0) == 5 && strcmp(got, "there") == 0); /* what was replaced is still open */
  EXPECT(close(make_file("more", "more")) == 0 && fails(renameat2(AT_FDCWD, "more", AT_FDCWD, "there", RENAME_NOREPLACE), EEXIST));
  EXPECT(renameat2(AT_FDCWD, "more", AT_FDCWD, "there", RENAME_EXCHANGE) == 0 && is_text("more", "old") && is_text("there", "more"));
  EXPECT(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && close(make_file("a/b/c", "c")) == 0);
  EXPECT(fails(rename("a", "a/b/a"), EINVAL) && rename("a", "d") == 0 && is_text("d/b/c", "c"));
  EXPECT(mkdir("full", 0755) == 0 && close(make_file("full/x", "x")) == 0 && fails(rename("d", "full"), ENOTEMPTY));
  EXPECT(fails(rename("there", "d"), EISDIR) && fails(rename("d", "there"), ENOTDIR) && fails(rmdir("full"), ENOTEMPTY));
  return close(fd) == 0 && close(other) == 0 ? NULL : "close";
}

static const char *check_links(void) {
  struct stat one, two;
  char target[16] = "";

  EXPECT(close(make_file("one", "x")) == 0 && link("one", "two") == 0 && stat("one", &one) == 0 && stat("two", &two) == 0);
  EXPECT(one.st_ino == two.st_ino && one.st_nlink == 2 && fails(link("one", "two"), EEXIST));
  EXPECT(unlink("one") == 0 && is_text("two", "x") && stat("two", &two) == 0 && two.st_nlink == 1);
  EXPECT(symlink("two", "soft") == 0 && readlink("soft", target, sizeof target) == 3 && is_text("soft", "x"));
  EXPECT(symlink("../../../../etc/nothing", "out") == 0 && fails(open("out", O_RDONLY | O_CLOEXEC), ENOENT));
  EXPECT(symlink("loop", "loop") == 0 && fails(open("loop", O_RDONLY | O_CLOEXEC), ELOOP));
  EXPECT(fails(open("soft", O_NOFOLLOW | O_RDONLY | O_CLOEXEC), ELOOP));
  return NULL;
}

static const char *check_appending(void) {
  int one = open("file", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644), two = open("file", O_WRONLY | O_APPEND | O_CLOEXEC);

  EXPECT(one >= 0 && two >= 0 && write(one, "a", 1) == 1 && write(two, "b", 1) == 1 && write(one, "c", 1) == 1);
  EXPECT(close(one) == 0 && close(two) == 0 && is_text("file", "abc"));
  return NULL;
}

static const char *check_modes(void) {
  struct stat status;
  const struct timespec times[] = {{1000000, 0}, {2000000, 500000000}};

  EXPECT(close(make_file("file", "x")) == 0 && chmod("file", 04751) == 0 && stat("file", &status) == 0 &&
         (status.st_mode & 07777) == 04751);
  EXPECT(utimensat(AT_FDCWD, "file", times, 0) == 0 && stat("file", &status) == 0);
  EXPECT(status.st_atim.tv_sec == 1000000 && status.st_mtim.tv_sec == 2000000 && status.st_mtim.tv_nsec == 500000000);
  EXPECT(mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0 && stat("sticky", &status) == 0 && (status.st_mode & 07777) == 01777);
  EXPECT(mkfifo("fifo", 0600) == 0 && stat("fifo", &status) == 0 && S_ISFIFO(status.st_mode));
  umask(027);
  int fd = open("masked", O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  umask(022);
  EXPECT(fd >= 0 && fstat(fd, &status) == 0 && (status.st_mode & 07777) == 0640 && close(fd) == 0);
  return NULL;
}

/* As somebody who is not root: what root keeps to itself. */
static const char *as_another(void) {
  EXPECT(setgid(1234) == 0 && setuid(1234) == 0);
  EXPECT(fails(open("secret", O_RDONLY | O_CLOEXEC), EACCES) && fails(open("public", O_WRONLY | O_CLOEXEC), EACCES));
  EXPECT(is_text("public", "x") && fails(chmod("public", 0777), EPERM) && fails(unlink("public"), EACCES));
  EXPECT(fails(open("new", O_CREAT | O_RDWR | O_CLOEXEC, 0600), EACCES));
  return NULL;
}

static const char *check_permissions(void) {
  int status = 0;

  if (geteuid() != 0)
    return NULL;
  EXPECT(close(make_file("secret", "x")) == 0 && chmod("secret", 0600) == 0 && close(make_file("public", "x")) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    const char *what = as_another();
    if (what)
      complain("permissions of another", what);
    fflush(stdout);
    _exit(what != NULL);
  }
  EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return NULL;
}

#define ENTRIES 1500

static const char *check_directories(void) {
  static bool seen[ENTRIES];
  unsigned n = 0;
  char name[32];

  for (unsigned i = 0; i < ENTRIES; i++) {
    snprintf(name, sizeof name, "entry-%u", i);
    EXPECT(close(make_file(name, "")) == 0);
  }
  DIR *directory = opendir(".");
  EXPECT(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    unsigned i = ENTRIES;
    if (sscanf(entry->d_name, "entry-%u", &i) != 1 || i >= ENTRIES)
      continue;
    EXPECT(!seen[i] && (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN));
    seen[i] = true;
    n++;
    EXPECT(i % 2 || unlink(entry->d_name) == 0); /* what is read stays whole while some go */
  }
  EXPECT(n == ENTRIES);
  rewinddir(directory);
  for (n = 0; readdir(directory);)
    n++;
  EXPECT(closedir(directory) == 0 && n == ENTRIES / 2 + 2);
  return NULL;
}

static const char *check_locks(void) {
  const struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int one = make_file("file", "x"), two = open("file", O_RDWR | O_CLOEXEC);

  EXPECT(one >= 0 && two >= 0 && flock(one, LOCK_EX) == 0 && fails(flock(two, LOCK_EX | LOCK_NB), EWOULDBLOCK));
  EXPECT(flock(one, LOCK_UN) == 0 && flock(two, LOCK_EX | LOCK_NB) == 0 && flock(two, LOCK_UN) == 0);
  EXPECT(fcntl(one, F_OFD_SETLK, &whole) == 0 && fails(fcntl(two, F_OFD_SETLK, &whole), EAGAIN));
  return close(one) == 0 && fcntl(two, F_OFD_SETLK, &whole) == 0 && close(two) == 0 ? NULL : "fcntl behind close";
}

static const char *check_space(void) {
  struct stat status;
  char got[4] = "";
  int fd = make_file("file", "ab"), copy = make_file("copy", "");
  loff_t from = (1 << 20) - 3, to = 0;

  EXPECT(fd >= 0 && copy >= 0 && fallocate(fd, 0, 0, 100000) == 0 && fstat(fd, &status) == 0 && status.st_size == 100000);
  EXPECT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0 || errno == EOPNOTSUPP);
  EXPECT(ftruncate(fd, 1 << 20) == 0 && pwrite(fd, "end", 3, (1 << 20) - 3) == 3);
  EXPECT(lseek(fd, 0, SEEK_END) == 1 << 20 && lseek(fd, 0, SEEK_HOLE) >= 0);
  EXPECT(copy_file_range(fd, &from, copy, &to, 3, 0) == 3 && pread(copy, got, 3, 0) == 3 && strcmp(got, "end") == 0);
  return close(fd) == 0 && close(copy) == 0 ? NULL : "close";
}

static const char *check_sockets(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
  struct stat status;
  int one = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), two = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  EXPECT(bind(one, (struct sockaddr *)&name, sizeof name) == 0 && listen(one, 1) == 0 && stat("socket", &status) == 0);
  EXPECT(S_ISSOCK(status.st_mode) && connect(two, (struct sockaddr *)&name, sizeof name) == 0);
  return close(one) == 0 && close(two) == 0 ? NULL : "close";
}

static const struct {
  const char *name;
  const char *(*check)(void);
} calls[] = {
    {"names", check_names},         {"unlinked", check_unlinked}, {"renames", check_renames},         {"links", check_links},
    {"appending", check_appending}, {"modes", check_modes},       {"permissions", check_permissions}, {"directories", check_directories},
    {"locks", check_locks},         {"space", check_space},       {"sockets", check_sockets},
};

int check_calls(const char *directory) {
  int base = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

  for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
    if (fchdir(base) < 0 || mkdir(calls[i].name, 0755) < 0 || chdir(calls[i].name) < 0) {
      complain(calls[i].name, strerror(errno));
      continue;
    }
    const char *what = calls[i].check();
    if (what)
      complain(calls[i].name, what);
  }
  if (base >= 0)
    close(base);
  return wrong > 0;
}
