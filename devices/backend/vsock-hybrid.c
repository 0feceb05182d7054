/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local sockets for a guest's streams: unix(7).
 *
 * A socket's file outlives who made it, so what is at PATH may be left over. Whether it is, a connection tells; but two
 * that start at a time could both find it so, and the second remove what the first has just made. They take turns by a
 * lock on the directory, which leaves nothing behind. Somebody else may hold that lock for reasons of his own, so
 * nobody waits long for it; nor at all where directories cannot be locked.
 *
 * A socket's address has room for 107 bytes, its directory included: where PATH is too long for that, it is named by
 * way of the directory's descriptor.
 */
#define _GNU_SOURCE /* accept4 */
#include "devices/backend/vsock-hybrid.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/socket-place.h"

#define BACKLOG         256
#define LOCK_TRIES      100
#define LOCK_PAUSE_US   10000
#define LONGEST_SUFFIX  "_4294967295"
#define LINE_MAX_SIZE   32
#define LINE_WORD       "CONNECT "
#define ADDRESS_MAX     (sizeof((struct sockaddr_un *)0)->sun_path - 1)
#define STREAM_SOCKET() socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)

struct VsockHybrid {
  char *path, *name; /* name: its last part */
  int directory;     /* of PATH */
  int listener;
  struct stat file; /* the socket's, as we made it; st_ino 0: not ours */
};

G_DEFINE_QUARK(eret_vsock_hybrid_error, vsock_hybrid_error)

static bool set_errno_error(GError **error, VsockHybridError code, const VsockHybrid *hybrid, const char *what) {
  int number = errno;

  g_set_error(error, VSOCK_HYBRID_ERROR, code, "cannot %s \"%s\" for vsock: %s", what, hybrid->path, g_strerror(number));
  return false;
}

static bool make_address_by_fd(const VsockHybrid *hybrid, const char *suffix, struct sockaddr_un *address) {
  g_autofree char *name = g_strconcat(hybrid->name, suffix, NULL);

  return socket_address_in(hybrid->directory, name, address);
}

/* The address of PATH with SUFFIX. False when there is none. */
static bool make_address(const VsockHybrid *hybrid, const char *suffix, struct sockaddr_un *address) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(hybrid->path) + strlen(suffix) <= ADDRESS_MAX) {
    g_snprintf(address->sun_path, sizeof address->sun_path, "%s%s", hybrid->path, suffix);
    return true;
  }
  return make_address_by_fd(hybrid, suffix, address);
}

/* A stream to ADDRESS, or -1 with errno. Never waits: a local socket connects at once, or its backlog is full. */
static int connect_to(const struct sockaddr_un *address) {
  int fd = STREAM_SOCKET();

  if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
    return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

/* Makes room at PATH: nothing is there, or nobody who listens. */
static bool make_way(const VsockHybrid *hybrid, const struct sockaddr_un *address, GError **error) {
  struct stat file;

  if (fstatat(hybrid->directory, hybrid->name, &file, AT_SYMLINK_NOFOLLOW) != 0)
    return errno == ENOENT || set_errno_error(error, VSOCK_HYBRID_ERROR_PATH, hybrid, "look at");
  if (!S_ISSOCK(file.st_mode)) {
    g_set_error(error, VSOCK_HYBRID_ERROR, VSOCK_HYBRID_ERROR_PATH, "\"%s\" is there already, and is no socket; give vsock another path",
                hybrid->path);
    return false;
  }
  int fd = connect_to(address);
  if (fd >= 0)
    close(fd);
  if (fd >= 0 || errno == EAGAIN) {
    g_set_error(error, VSOCK_HYBRID_ERROR, VSOCK_HYBRID_ERROR_IN_USE,
                "another process serves \"%s\"; give each machine a path of its own for vsock", hybrid->path);
    return false;
  }
  if (errno != ECONNREFUSED)
    return set_errno_error(error, VSOCK_HYBRID_ERROR_PATH, hybrid, "ask who serves");
  return unlinkat(hybrid->directory, hybrid->name, 0) == 0 || errno == ENOENT ||
         set_errno_error(error, VSOCK_HYBRID_ERROR_PATH, hybrid, "replace what is left of");
}

static bool listen_at(VsockHybrid *hybrid, const struct sockaddr_un *address, GError **error) {
  hybrid->listener = STREAM_SOCKET();
  if (hybrid->listener < 0 || bind(hybrid->listener, (const struct sockaddr *)address, sizeof *address) != 0)
    return set_errno_error(error, VSOCK_HYBRID_ERROR_LISTEN, hybrid, "make the socket");
  if (fstatat(hybrid->directory, hybrid->name, &hybrid->file, AT_SYMLINK_NOFOLLOW) != 0 || listen(hybrid->listener, BACKLOG) != 0)
    return set_errno_error(error, VSOCK_HYBRID_ERROR_LISTEN, hybrid, "listen on");
  return true;
}

static void lock_directory(const VsockHybrid *hybrid) {
  for (unsigned i = 0; i < LOCK_TRIES && flock(hybrid->directory, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK; i++)
    g_usleep(LOCK_PAUSE_US);
}

static void unlock_directory(const VsockHybrid *hybrid) {
  flock(hybrid->directory, LOCK_UN);
}

char *vsock_hybrid_explain_path(const char *path) {
  const size_t by_fd = strlen("/proc/self/fd//") + strlen("2147483647"); /* socket_address_in of the last descriptor, INT_MAX */

  if (*path == '\0' || g_str_has_suffix(path, "/"))
    return g_strdup("the name of a socket is needed");
  g_autofree char *name = g_path_get_basename(path);
  size_t directory = MIN(strlen(path) - strlen(name), by_fd), name_max = ADDRESS_MAX - directory - strlen(LONGEST_SUFFIX);
  if (strlen(name) <= name_max)
    return NULL;
  return g_strdup_printf("the name is too long for sockets, one for each port: %zu bytes, and %zu are possible", strlen(name), name_max);
}

/* Where it would listen: nothing is made there yet. */
static VsockHybrid *find_place(const char *path, GError **error) {
  g_autoptr(VsockHybrid) hybrid = g_new0(VsockHybrid, 1);
  g_autofree char *parent = g_path_get_dirname(path);
  g_autofree char *why = vsock_hybrid_explain_path(path);

  hybrid->path = g_strdup(path);
  hybrid->name = g_path_get_basename(path);
  hybrid->listener = -1;
  hybrid->directory = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (hybrid->directory < 0) {
    set_errno_error(error, VSOCK_HYBRID_ERROR_PATH, hybrid, "open the directory of");
    return NULL;
  }
  if (why) {
    g_set_error(error, VSOCK_HYBRID_ERROR, VSOCK_HYBRID_ERROR_PATH, "'%s' is no path for vsock's sockets: %s", path, why);
    return NULL;
  }
  return g_steal_pointer(&hybrid);
}

VsockHybrid *vsock_hybrid_new(const char *path, GError **error) {
  g_autoptr(VsockHybrid) hybrid = find_place(path, error);
  struct sockaddr_un address;

  if (!hybrid)
    return NULL;
  make_address(hybrid, "", &address);
  lock_directory(hybrid);
  bool listens = make_way(hybrid, &address, error) && listen_at(hybrid, &address, error);
  unlock_directory(hybrid);
  return listens ? g_steal_pointer(&hybrid) : NULL;
}

/* What is at PATH goes with us if it is what we made. */
static void remove_file(const VsockHybrid *hybrid) {
  struct stat file;

  lock_directory(hybrid);
  if (fstatat(hybrid->directory, hybrid->name, &file, AT_SYMLINK_NOFOLLOW) == 0 && file.st_dev == hybrid->file.st_dev &&
      file.st_ino == hybrid->file.st_ino)
    unlinkat(hybrid->directory, hybrid->name, 0);
  unlock_directory(hybrid);
}

void vsock_hybrid_free(VsockHybrid *hybrid) {
  if (!hybrid)
    return;
  if (hybrid->file.st_ino)
    remove_file(hybrid);
  if (hybrid->listener >= 0)
    close(hybrid->listener);
  if (hybrid->directory >= 0)
    close(hybrid->directory);
  g_free(hybrid->path);
  g_free(hybrid->name);
  g_free(hybrid);
}

int vsock_hybrid_fd(const VsockHybrid *hybrid) {
  return hybrid->listener;
}

int vsock_hybrid_accept(const VsockHybrid *hybrid) {
  int fd;

  do
    fd = accept4(hybrid->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
  return fd;
}

int vsock_hybrid_connect(const VsockHybrid *hybrid, uint32_t port) {
  struct sockaddr_un address;
  char suffix[sizeof LONGEST_SUFFIX];

  g_snprintf(suffix, sizeof suffix, "_%u", port);
  /* By the directory: the path may lead nowhere any more. Of very long names it is the shorter one. */
  if (make_address_by_fd(hybrid, suffix, &address) || make_address(hybrid, suffix, &address))
    return connect_to(&address);
  errno = ENAMETOOLONG;
  return -1;
}

/* "CONNECT 1234", in letters of either case; a carriage return may follow. */
static bool parse_line(char *line, uint32_t *port) {
  size_t word = strlen(LINE_WORD);
  guint64 number;

  if (g_str_has_suffix(line, "\r"))
    line[strlen(line) - 1] = '\0';
  if (g_ascii_strncasecmp(line, LINE_WORD, word) != 0 || !g_ascii_string_to_unsigned(line + word, 10, 0, UINT32_MAX - 1, &number, NULL))
    return false;
  *port = (uint32_t)number;
  return true;
}

VsockLine vsock_hybrid_read_line(int fd, bool ended, uint32_t *port) {
  char line[LINE_MAX_SIZE + 1] = "";
  ssize_t got;

  do
    got = recv(fd, line, LINE_MAX_SIZE, MSG_PEEK);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return errno == EAGAIN ? VSOCK_LINE_INCOMPLETE : VSOCK_LINE_BAD;
  char *end = memchr(line, '\n', (size_t)got);
  if (!end)
    return got == 0 || got == LINE_MAX_SIZE || ended ? VSOCK_LINE_BAD : VSOCK_LINE_INCOMPLETE;
  /* What follows is the guest's, and stays where it is. */
  size_t size = (size_t)(end - line) + 1;
  if (recv(fd, line, size, 0) != (ssize_t)size)
    return VSOCK_LINE_BAD;
  *end = '\0';
  return strlen(line) == size - 1 && parse_line(line, port) ? VSOCK_LINE_GOOD : VSOCK_LINE_BAD;
}

bool vsock_hybrid_answer(int fd, uint32_t host_port) {
  char line[LINE_MAX_SIZE];
  int size = g_snprintf(line, sizeof line, "OK %u\n", host_port);

  return send(fd, line, (size_t)size, MSG_NOSIGNAL) == size;
}
