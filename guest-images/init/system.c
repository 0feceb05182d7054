/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel leaves to its first process: file systems, modules, device nodes, the root. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init.h"

#define PORTS_WAIT_MS   10000
#define DRIVERS_WAIT_MS 2000
#define POLL_MS         10

bool write_all(int fd, const void *bytes, size_t size) {
  for (const char *next = bytes; size;) {
    ssize_t written = write(fd, next, size);
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
      struct pollfd ready = {.fd = fd, .events = POLLOUT};
      poll(&ready, 1, -1);
      continue;
    }
    if (written <= 0)
      return false;
    next += written;
    size -= (size_t)written;
  }
  return true;
}

static char *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  char *bytes = NULL;

  *size = 0;
  for (ssize_t got = fd < 0 ? 0 : 1; got > 0; *size += got > 0 ? (size_t)got : 0) {
    bytes = realloc(bytes, *size + 65537);
    got = read(fd, bytes + *size, 65536);
  }
  if (fd >= 0)
    close(fd);
  if (bytes)
    bytes[*size] = 0;
  return bytes;
}

/* The specification: records "key=value", each ended by a NUL. */

static void append(char ***list, unsigned *n, char *text) {
  *list = realloc(*list, (*n + 2) * sizeof **list);
  (*list)[(*n)++] = text;
  (*list)[*n] = NULL;
}

static char *value_of(char *record, const char *key) {
  size_t length = strlen(key);
  return strncmp(record, key, length) == 0 && record[length] == '=' ? record + length + 1 : NULL;
}

/* Its keys, and where their values go: of LISTS each that comes is added, of TEXTS the last one counts. */
static const struct {
  const char *key;
  size_t offset;
} lists[] =
    {
        {"arg", offsetof(Spec, arguments)},   {"env", offsetof(Spec, environment)}, {"copy-out", offsetof(Spec, copy_out)},
        {"copy-in", offsetof(Spec, copy_in)}, {"driver", offsetof(Spec, drivers)},  {"net", offsetof(Spec, nets)},
        {"share", offsetof(Spec, shares)},
},
  texts[] = {
      {"cwd", offsetof(Spec, directory)},       {"make-cwd", offsetof(Spec, makes_directory)},
      {"user", offsetof(Spec, user)},           {"console", offsetof(Spec, door)},
      {"root", offsetof(Spec, root)},           {"root-type", offsetof(Spec, root_type)},
      {"root-mode", offsetof(Spec, root_mode)}, {"boot", offsetof(Spec, boot)},
};

#define N_LISTS (sizeof lists / sizeof *lists)
#define N_TEXTS (sizeof texts / sizeof *texts)

static void read_record(Spec *spec, char *record, unsigned n[N_LISTS]) {
  char *value;

  for (unsigned i = 0; i < N_LISTS; i++)
    if ((value = value_of(record, lists[i].key)))
      append((char ***)((char *)spec + lists[i].offset), &n[i], value);
  for (unsigned i = 0; i < N_TEXTS; i++)
    if ((value = value_of(record, texts[i].key)))
      *(const char **)((char *)spec + texts[i].offset) = value;
}

bool read_spec(Spec *spec, const char *path) {
  unsigned n[N_LISTS] = {0};
  size_t size;
  char *text = read_file(path, &size);

  memset(spec, 0, sizeof *spec);
  spec->directory = "/";
  for (char *record = text; record && record < text + size; record += strlen(record) + 1)
    read_record(spec, record, n);
  return spec->boot ? spec->root != NULL : spec->arguments != NULL;
}

void make_directories(const char *path) {
  char above[PATH_MAX];

  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    snprintf(above, sizeof above, "%.*s", (int)(slash - path), path);
    mkdir(above, 0755);
  }
  mkdir(path, 0755);
}

/* File systems. */

void mount_at(const char *type, const char *path, unsigned long flags, const char *data) {
  mkdir(path, 0755);
  if (mount(type, path, type, flags, data) < 0 && errno != EBUSY && errno != ENODEV)
    console_say("cannot mount %s: %s", path, strerror(errno));
}

static bool is_empty(const char *path) {
  DIR *directory = opendir(path);
  unsigned n = 0;

  while (directory && n < 3 && readdir(directory)) /* "." and ".." are always there */
    n++;
  if (directory)
    closedir(directory);
  return n < 3;
}

/* A file that was copied into /tmp must not lie hidden below. */
void mount_tmp(void) {
  if (is_empty("/tmp"))
    mount_at("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
  else
    chmod("/tmp", 01777);
}

static void mount_system(void) {
  mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
  mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
  mount_at("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  mount_at("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
  mount_tmp();
  if (symlink("/proc/self/fd", "/dev/fd") == 0) {
    (void)!symlink("/proc/self/fd/0", "/dev/stdin");
    (void)!symlink("/proc/self/fd/1", "/dev/stdout");
    (void)!symlink("/proc/self/fd/2", "/dev/stderr");
  }
}

/*
 * A kernel without a driver for its console starts us without standard streams. A port must not take their place: it
 * would get our messages, and lose its own bytes where the command's streams are put.
 */
static void keep_standard_fds(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
      return; /* no devices, and so no ports */
}

/* The kernel kills for memory whom it likes, but not us: then nobody could tell. */
void survive_oom(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) {
    write_all(fd, "-1000", 5);
    close(fd);
  }
}

static void loopback_up(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

  if (fd < 0)
    return;
  if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
    console_say("cannot bring the loopback interface up: %s", strerror(errno));
  close(fd);
}

void mount_basics(void) {
  umask(022);
  mount_system();
  keep_standard_fds();
  loopback_up();
}

/* Modules, in the order of their names: NNN-name.ko. */

static void load_module(const char *directory, const char *name) {
  char path[512];

  snprintf(path, sizeof path, "%s/%s", directory, name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
    console_say("cannot load %s: %s", name, strerror(errno));
  if (fd >= 0)
    close(fd);
  unlink(path); /* it would only take up memory */
}

void load_modules(const char *directory) {
  struct dirent **entries;
  int n = scandir(directory, &entries, NULL, alphasort);

  for (int i = 0; i < n; i++)
    if (entries[i]->d_name[0] != '.')
      load_module(directory, entries[i]->d_name);
}

/* Drivers: a device that was asked for must have one. */

char *attribute(const char *directory, const char *device, const char *name) {
  char path[512];
  size_t size;

  snprintf(path, sizeof path, "%s/%s/%s", directory, device, name);
  return read_file(path, &size);
}

/*
 * Whether each virtio device of this type (virtio 1.2, section 5) has a driver; false too when there is no such device.
 */
static bool all_driven(unsigned long type) {
  static const char bus[] = "/sys/bus/virtio/devices";
  DIR *directory = opendir(bus);
  unsigned found = 0, driven = 0;

  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    char path[512];
    char *id = entry->d_name[0] == '.' ? NULL : attribute(bus, entry->d_name, "device");
    snprintf(path, sizeof path, "%s/%s/driver", bus, entry->d_name);
    if (id && strtoul(id, NULL, 16) == type) {
      found++;
      driven += access(path, F_OK) == 0;
    }
    free(id);
  }
  if (directory)
    closedir(directory);
  return found && driven == found;
}

bool find_drivers(const Spec *spec) {
  for (unsigned i = 0; spec->drivers && spec->drivers[i]; i++) {
    char *name;
    unsigned long type = strtoul(spec->drivers[i], &name, 10);
    for (unsigned waited = 0; !all_driven(type); waited += POLL_MS) {
      if (waited >= DRIVERS_WAIT_MS)
        return refuse("%s: a device has no driver, nor has this kernel its module", name + (*name == ' '));
      usleep(POLL_MS * 1000);
    }
  }
  return true;
}

bool refuse(const char *format, const char *what) {
  char text[256];

  snprintf(text, sizeof text, format, what);
  control_say("missing %s", text);
  return false;
}

/* Ports. */

static int open_port(const char *name) {
  static const char class[] = "/sys/class/virtio-ports";
  DIR *directory = opendir(class);
  int fd = -1;

  for (struct dirent *entry; directory && fd < 0 && (entry = readdir(directory));) {
    char path[512];
    size_t size;
    if (entry->d_name[0] == '.')
      continue;
    snprintf(path, sizeof path, "%s/%s/name", class, entry->d_name);
    char *text = read_file(path, &size);
    if (text && size && strncmp(text, name, size - 1) == 0 && name[size - 1] == 0) {
      snprintf(path, sizeof path, "/dev/%s", entry->d_name);
      fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    }
    free(text);
  }
  if (directory)
    closedir(directory);
  return fd;
}

bool find_ports(Ports *ports) {
  const struct {
    const char *name;
    int *fd;
  } wanted[] = {{"eret.control", &ports->control},
                {"eret.stdin", &ports->in},
                {"eret.stdout", &ports->out},
                {"eret.stderr", &ports->err},
                {"eret.files", &ports->files}};
  unsigned found = 0, n = sizeof wanted / sizeof *wanted;

  for (unsigned i = 0; i < n; i++)
    *wanted[i].fd = -1;
  for (unsigned waited = 0; found < n && waited < PORTS_WAIT_MS; waited += POLL_MS) {
    for (unsigned i = found; i < n && i == found; i++)
      if ((*wanted[i].fd = open_port(wanted[i].name)) >= 0)
        found++;
    if (found < n)
      usleep(POLL_MS * 1000);
  }
  return found == n;
}

/* busybox under all its names; those that are taken stay. */
void prepare_initramfs(void) {
  static const char *const arguments[] = {"busybox", "--install", "-s", "/bin", NULL};
  pid_t pid = access("/bin/busybox", X_OK) == 0 ? fork() : -1;

  if (pid == 0) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDERR_FILENO);
    dup2(null, STDOUT_FILENO);
    execv("/bin/busybox", (char **)arguments);
    _exit(127);
  }
  if (pid > 0)
    waitpid(pid, NULL, 0);
}

/* How often the kernel has killed for want of memory: oom_kill of /proc/vmstat. */
unsigned long oom_kills(void) {
  size_t size;
  char *text = read_file("/proc/vmstat", &size);
  const char *line = text ? strstr(text, "\noom_kill ") : NULL;
  unsigned long n = line ? strtoul(line + strlen("\noom_kill "), NULL, 10) : 0;

  free(text);
  return n;
}

bool kernel_taint(unsigned long *taint) {
  size_t size;
  char *text = read_file("/proc/sys/kernel/tainted", &size);

  if (size)
    *taint = strtoul(text, NULL, 10);
  free(text);
  return size > 0;
}
