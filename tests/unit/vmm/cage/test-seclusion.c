/* SPDX-License-Identifier: Apache-2.0 */
/* Layers around a process, by this host's kernel, each in a process of its own: what it still reaches. */
#define _GNU_SOURCE /* O_PATH */
#include "vmm/cage/seclusion.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/socket-place.h"
#include "vmm/cage/landlock.h"

#define SKIPPED 77

typedef struct {
  char *directory, *named, *other; /* DIRECTORY has the two in it: the second is not to be reached */
  int fd;                          /* of DIRECTORY/held, in which there is the file "mine" */
  int inherited;                   /* not close-on-exec */
  SocketPlace place;
  int listener;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  struct sockaddr_un address;

  f->directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  f->named = g_build_filename(f->directory, "named", NULL);
  f->other = g_build_filename(f->directory, "other", NULL);
  g_autofree char *held = g_build_filename(f->directory, "held", NULL), *mine = g_build_filename(held, "mine", NULL),
                  *socket_path = g_build_filename(held, "socket", NULL);
  g_assert_cmpint(mkdir(f->named, 0755), ==, 0);
  g_assert_cmpint(mkdir(f->other, 0755), ==, 0);
  g_assert_cmpint(mkdir(held, 0755), ==, 0);
  g_assert_true(g_file_set_contents(mine, "mine", 4, NULL));
  f->fd = open(held, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  f->inherited = open("/dev/null", O_RDONLY);
  g_assert_true(socket_place_open(&f->place, socket_path));
  g_assert_true(socket_place_address(&f->place, &address));
  f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(f->listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(f->listener, 8), ==, 0);
}

static void tear_down(Fixture *f, gconstpointer data) {
  g_autofree char *command = g_strdup_printf("rm -rf '%s'", f->directory);

  close(f->fd);
  close(f->inherited);
  close(f->listener);
  socket_place_close(&f->place);
  g_assert_cmpint(system(command), ==, 0);
  g_free(f->directory);
  g_free(f->named);
  g_free(f->other);
}

/* What LOOK says, in a process that was secluded. */
static void in_seclusion(Fixture *f, int (*look)(const Fixture *f, const Seclusion *seclusion)) {
  int status;
  pid_t child = fork();

  if (child == 0) {
    const char *const paths[] = {f->named, NULL};
    const SeclusionWish wish = {.network = true, .paths = paths};
    Seclusion seclusion;

    seclusion_enter(&wish, &seclusion);
    _exit(look(f, &seclusion));
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status));
  if (WEXITSTATUS(status) == SKIPPED)
    g_test_skip("this host does not give the layer");
  else
    g_assert_cmpint(WEXITSTATUS(status), ==, 0);
}

/* The line that failed, as far as 8 bits go. */
#define CHECK(WHAT)                                                                                                                        \
  if (!(WHAT)) {                                                                                                                           \
    g_printerr("# line %d: %s (%s)\n", __LINE__, #WHAT, g_strerror(errno));                                                                \
    return 1;                                                                                                                              \
  }

static bool can_open(const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

static bool can_open_at(int directory, const char *path) {
  int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);

  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

/* Of the file system: the places, and nothing else. */
static int look_at_root(const Fixture *f, const Seclusion *seclusion) {
  if (seclusion->missing[SECLUSION_ROOT])
    return SKIPPED;
  g_autofree char *inside = g_build_filename(f->named, "new", NULL);
  char byte[4];

  CHECK(!can_open("/etc/passwd") && errno == ENOENT);
  CHECK(!can_open("/proc/self/status"));
  CHECK(access(f->other, F_OK) < 0 && errno == ENOENT);
  CHECK(!can_open_at(f->fd, "../../../../../../etc/passwd"));
  CHECK(!can_open_at(f->fd, "../other"));
  CHECK(open("/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
  CHECK(mkdir("/new", 0700) < 0 && (errno == EROFS || errno == EACCES));
  /* What was promised. */
  int fd = openat(f->fd, "mine", O_RDONLY | O_CLOEXEC);
  CHECK(fd >= 0 && read(fd, byte, 4) == 4);
  CHECK((fd = openat(f->fd, "fresh", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) >= 0 && write(fd, "x", 1) == 1);
  CHECK(renameat(f->fd, "fresh", f->fd, "renamed") == 0 && unlinkat(f->fd, "renamed", 0) == 0);
  CHECK((fd = open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0 && write(fd, "x", 1) == 1);
  CHECK((fd = socket_place_connect(&f->place)) >= 0);
  CHECK(!(fcntl(f->fd, F_GETFD) < 0) && fcntl(f->fd, F_GETFD) & FD_CLOEXEC);
  return 0;
}

/* By Landlock, whatever the root is. */
static int look_at_landlock(const Fixture *f, const Seclusion *seclusion) {
  if (seclusion->missing[SECLUSION_LANDLOCK])
    return SKIPPED;
  struct sockaddr_in {
    sa_family_t family;
    uint16_t port;
    uint32_t address;
    char zero[8];
  } address = {.family = AF_INET, .port = g_htons(1), .address = g_htonl(0x7f000001)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  CHECK(!can_open("/etc/passwd"));
  CHECK(!can_open(f->other));
  CHECK(can_open_at(f->fd, "mine"));
  CHECK(mknodat(f->fd, "device", S_IFCHR | 0600, 0) < 0);
  CHECK(mkfifoat(f->fd, "fifo", 0600) < 0 && errno == EACCES);
  CHECK(landlock_version() < 4 || (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno == EACCES));
  CHECK(landlock_version() < 6 || (kill(getppid(), 0) < 0 && errno == EPERM));
  return 0;
}

static int look_at_namespaces(const Fixture *f, const Seclusion *seclusion) {
  if (seclusion->missing[SECLUSION_NAMESPACES])
    return SKIPPED;
  char byte = 0;
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sockaddr_storage any = {.ss_family = AF_INET};

  /* Not even a loopback that is up. */
  CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&any, 16) == 0);
  ((uint16_t *)(void *)&any)[1] = g_htons(9);
  ((uint32_t *)(void *)&any)[1] = g_htonl(0x7f000001);
  CHECK(sendto(fd, &byte, 1, 0, (struct sockaddr *)&any, 16) < 0 && (errno == ENETUNREACH || errno == ENETDOWN || errno == EINVAL));
  return 0;
}

static int look_at_privileges(const Fixture *f, const Seclusion *seclusion) {
  struct rlimit limit;

  CHECK(!seclusion->missing[SECLUSION_PRIVILEGES]);
  CHECK(sethostname("mine", 4) < 0 && errno == EPERM);
  CHECK(mount("none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
  CHECK(chroot("/") < 0 && errno == EPERM);
  CHECK(fcntl(f->inherited, F_GETFD) < 0 && errno == EBADF);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == limit.rlim_max);
  limit.rlim_max++;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) < 0 && errno == EPERM);
  return 0;
}

static int look_at_text(const Fixture *f, const Seclusion *seclusion) {
  g_autofree char *there = seclusion_describe(seclusion, false), *missing = seclusion_describe(seclusion, true);

  for (unsigned i = 0; i < SECLUSION_LAYERS; i++) {
    const char *name = seclusion_layer_name(i);
    CHECK(!strstr(there, name) == (seclusion->missing[i] != 0));
    CHECK(!strstr(missing, name) == (seclusion->missing[i] == 0));
  }
  return 0;
}

static void test_layer(Fixture *f, gconstpointer look) {
  in_seclusion(f, (int (*)(const Fixture *, const Seclusion *))look);
}

/* A place that cannot be given leaves the root as it is, and says so. */
static void test_whole(Fixture *f, gconstpointer data) {
  int status;
  pid_t child = fork();

  if (child == 0) {
    static const char *const paths[] = {"/", NULL};
    Seclusion seclusion;

    seclusion_enter(&(SeclusionWish){.paths = paths}, &seclusion);
    _exit(seclusion.missing[SECLUSION_ROOT] && can_open("/etc/passwd") ? 0 : 1);
  }
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_cmpint(status, ==, 0);
}

/* To ask changes nothing. */
static void test_probe(Fixture *f, gconstpointer data) {
  Seclusion seclusion;

  seclusion_probe(&seclusion);
  g_assert_true(can_open("/etc/passwd"));
  g_assert_cmpint(seclusion.missing[SECLUSION_PRIVILEGES], ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(name, look) g_test_add("/seclusion/" name, Fixture, look, set_up, test_layer, tear_down)
  ADD("root", look_at_root);
  ADD("landlock", look_at_landlock);
  ADD("namespaces", look_at_namespaces);
  ADD("privileges", look_at_privileges);
  ADD("text", look_at_text);
  g_test_add("/seclusion/whole", Fixture, NULL, set_up, test_whole, tear_down);
  g_test_add("/seclusion/probe", Fixture, NULL, set_up, test_probe, tear_down);
  return g_test_run();
}
