/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap of the host's kernel (Documentation/networking/tuntap.rst, linux/if_tun.h), and a macvtap, which answers to the
 * same calls. A read is one frame, a write is one frame, each behind the header of virtio-net; the kernel checks what
 * is in it once more, and refuses what it finds wrong.
 *
 * A device that is down refuses frames and has none; one that was deleted is gone for good.
 *
 * Locks: none. The descriptor of a pair is its I/O thread's.
 */
#include "devices/backend/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define TUN_DEVICE "/dev/net/tun"
#define TUN_MAJOR  10 /* Linux: include/linux/miscdevice.h, TUN_MINOR */
#define TUN_MINOR  200
#define UNTOLD_MAX 64
#define COUNTS_MAX (1 << 20) /* bytes, of all network devices */

typedef struct {
  NetBackend base;
  unsigned n_attached;
  bool header; /* each frame is behind one */
  bool macvtap;
  int counts_fd; /* of the kernel's counts, in which it has this name; -1: there are none */
  char device[IFNAMSIZ];
  int fds[NET_PAIRS_MAX];
} Tap;

/* Each with what must be there before it can be asked for; TUNSETOFFLOAD knows no ECN without TSO. */
static const struct {
  unsigned ours, kernels;
} offload_bits[] = {
    {NET_OFFLOAD_CSUM, TUN_F_CSUM},   {NET_OFFLOAD_TSO4, TUN_F_TSO4}, {NET_OFFLOAD_TSO6, TUN_F_TSO6},
    {NET_OFFLOAD_ECN, TUN_F_TSO_ECN}, {NET_OFFLOAD_UFO, TUN_F_UFO},
};

static int tap_fd(NetBackend *backend, unsigned pair) {
  return ((Tap *)backend)->fds[pair];
}

static void close_all(Tap *tap) {
  for (unsigned i = 0; i < NET_PAIRS_MAX; i++) {
    if (tap->fds[i] >= 0)
      close(tap->fds[i]);
    tap->fds[i] = -1;
  }
}

/*
 * An error that will be there the next time too, and for which poll would wake us again and again. Queues of other
 * pairs, which may be in use, have theirs in turn; it is said once.
 */
static void lose(Tap *tap, unsigned pair, int code) {
  if (__atomic_exchange_n(&tap->base.link, false, __ATOMIC_SEQ_CST))
    g_message("%s is gone: %s; the network card has no link any more", tap->base.name, g_strerror(code));
  if (tap->fds[pair] >= 0)
    close(tap->fds[pair]);
  tap->fds[pair] = -1;
}

/*
 * A header alone is no frame, and a frame that no header can tell of is dropped by the kernel, which says so by EINVAL
 * (Linux: drivers/net/tun.c, tun_put_user); that there are many in a row is another matter.
 */
static bool try_again(ssize_t got, size_t extra, unsigned *untold) {
  if (got >= 0)
    return got > 0 && (size_t)got <= extra;
  return errno == EINTR || (errno == EINVAL && (*untold)++ < UNTOLD_MAX);
}

static ssize_t tap_receive(NetBackend *backend, unsigned pair, NetHeader *header, struct iovec *iov, unsigned n) {
  Tap *tap = (Tap *)backend;
  size_t extra = tap->header ? NET_HEADER_SIZE : 0;
  unsigned untold = 0;
  ssize_t got;

  *header = (NetHeader){0};
  iov[0] = (struct iovec){header, extra};
  do
    got = readv(tap->fds[pair], iov, (int)n);
  while (try_again(got, extra, &untold));
  if (got > 0)
    return got - (ssize_t)extra;
  if (got == 0 || errno != EAGAIN)
    lose(tap, pair, got == 0 ? ENODEV : errno);
  return 0;
}

static NetSent tap_send(NetBackend *backend, unsigned pair, const NetHeader *header, struct iovec *iov, unsigned n) {
  Tap *tap = (Tap *)backend;
  ssize_t put;

  iov[0] = (struct iovec){(void *)header, tap->header ? NET_HEADER_SIZE : 0};
  do
    put = writev(tap->fds[pair], iov, (int)n);
  while (put < 0 && errno == EINTR);
  if (put >= 0)
    return NET_SENT; /* whole: the kernel takes a frame or none of it */
  if (errno == EAGAIN)
    return NET_FULL;
  if (errno == EBADFD)
    lose(tap, pair, errno);
  return NET_REFUSED;
}

static bool tap_set_offloads(NetBackend *backend, unsigned offloads) {
  const Tap *tap = (const Tap *)backend;
  unsigned long bits = 0;

  if (!tap->header || tap->fds[0] < 0)
    return !offloads;
  for (unsigned i = 0; i < G_N_ELEMENTS(offload_bits); i++)
    if (offloads & offload_bits[i].ours)
      bits |= offload_bits[i].kernels;
  return ioctl(tap->fds[0], TUNSETOFFLOAD, bits) == 0;
}

/* The kernel spreads what arrives over all queues that are attached. */
static bool tap_set_pairs(NetBackend *backend, unsigned n) {
  Tap *tap = (Tap *)backend;

  while (tap->n_attached != n) {
    bool attach = tap->n_attached < n;
    struct ifreq request = {.ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};

    if (ioctl(tap->fds[attach ? tap->n_attached : tap->n_attached - 1], TUNSETQUEUE, &request) < 0)
      return false;
    tap->n_attached += attach ? 1 : -1;
  }
  return true;
}

/* From its beginning; free with g_free. It is made anew for each reading. */
static char *read_counts(int fd) {
  g_autoptr(GString) text = g_string_new(NULL);
  char bytes[4096];
  ssize_t got;

  while (text->len < COUNTS_MAX && (got = pread(fd, bytes, sizeof bytes, (off_t)text->len)) > 0)
    g_string_append_len(text, bytes, got);
  return g_strdup(text->str);
}

/*
 * A line of /proc/net/dev, "tap0: 8 numbers of what it received, 8 of what it sent": proc(5). In contrast to sysfs it
 * shows the network devices of the namespace that this process was in when it opened the file.
 */
static bool tap_traffic(const NetBackend *backend, DeviceTraffic *traffic) {
  enum { BYTES, PACKETS, ERRORS, DROPS, WAY = 8 };
  const Tap *tap = (const Tap *)backend;
  uint64_t numbers[2 * WAY];

  if (tap->counts_fd < 0)
    return false;
  g_autofree char *text = read_counts(tap->counts_fd), *start = g_strdup_printf("%s:", tap->device);
  char *next = text;
  while (next && !g_str_has_prefix(next + strspn(next, " "), start))
    next = strchr(next, '\n') ? strchr(next, '\n') + 1 : NULL;
  if (!next)
    return false;
  next = strchr(next, ':') + 1;
  for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++)
    numbers[i] = g_ascii_strtoull(next, &next, 10);
  /* What a tap receives is what the guest has sent; a macvtap stands on the guest's side itself. */
  const uint64_t *to_guest = numbers + (tap->macvtap ? 0 : WAY), *from_guest = numbers + (tap->macvtap ? WAY : 0);
  *traffic = (DeviceTraffic){
      .received = to_guest[PACKETS],
      .received_bytes = to_guest[BYTES],
      .received_drops = to_guest[DROPS] + to_guest[ERRORS],
      .sent = from_guest[PACKETS],
      .sent_bytes = from_guest[BYTES],
      .sent_drops = from_guest[DROPS] + from_guest[ERRORS],
  };
  return true;
}

static void tap_free(NetBackend *backend) {
  Tap *tap = (Tap *)backend;

  close_all(tap);
  if (tap->counts_fd >= 0)
    close(tap->counts_fd);
  g_free(tap->base.name);
  g_free(tap);
}

static const NetBackendOps tap_ops = {
    .fd = tap_fd,
    .receive = tap_receive,
    .send = tap_send,
    .set_offloads = tap_set_offloads,
    .set_pairs = tap_set_pairs,
    .traffic = tap_traffic,
    .free = tap_free,
};

/* Of a network of this process's own: a device of that name in another has another address. */
static bool is_own_device(int tap_fd, const char *name) {
  struct ifreq mine = {0}, its = {0};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool got;

  g_strlcpy(mine.ifr_name, name, sizeof mine.ifr_name);
  got = fd >= 0 && ioctl(fd, SIOCGIFHWADDR, &mine) == 0 && ioctl(tap_fd, SIOCGIFHWADDR, &its) == 0;
  if (fd >= 0)
    close(fd);
  return got && memcmp(mine.ifr_hwaddr.sa_data, its.ifr_hwaddr.sa_data, NET_MAC_SIZE) == 0;
}

/* Which device it is, for the kernel's counts. */
static void remember_device(Tap *tap, const char *name) {
  struct stat status;

  g_strlcpy(tap->device, name, sizeof tap->device);
  if (fstat(tap->fds[0], &status) < 0 || !is_own_device(tap->fds[0], name))
    return;
  tap->counts_fd = open("/proc/net/dev", O_RDONLY | O_CLOEXEC);
  tap->macvtap = major(status.st_rdev) != TUN_MAJOR || minor(status.st_rdev) != TUN_MINOR;
}

static Tap *tap_new(const char *name) {
  Tap *tap = g_new0(Tap, 1);

  tap->base = (NetBackend){.ops = &tap_ops, .name = g_strdup_printf("tap %s", name), .link = true};
  tap->counts_fd = -1;
  for (unsigned i = 0; i < NET_PAIRS_MAX; i++)
    tap->fds[i] = -1;
  return tap;
}

/* What this kernel leaves undone, by trying. What it takes may be left to it in any case, once there are headers. */
static void find_offloads(Tap *tap) {
  tap->base.send_offloads = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN | NET_OFFLOAD_UFO;
  for (unsigned i = 0; i < G_N_ELEMENTS(offload_bits); i++) {
    unsigned more = tap->base.receive_offloads | offload_bits[i].ours;

    if (tap_set_offloads(&tap->base, more))
      tap->base.receive_offloads = more;
  }
  /* Kernels that have given up UDP segments refuse them in both directions. */
  tap->base.send_offloads &= tap->base.receive_offloads | ~(unsigned)NET_OFFLOAD_UFO;
  tap_set_offloads(&tap->base, 0);
}

/* Of a network of this process's own. 0 where it cannot be found out. */
static unsigned device_mtu(const char *name) {
  struct ifreq request = {0};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bool got;

  g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
  got = fd >= 0 && ioctl(fd, SIOCGIFMTU, &request) == 0;
  if (fd >= 0)
    close(fd);
  return got && request.ifr_mtu >= NET_MTU_MIN && request.ifr_mtu <= UINT16_MAX ? (unsigned)request.ifr_mtu : 0;
}

static bool fail(GError **error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool fail(GError **error, int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  g_autofree char *message = g_strdup_vprintf(format, arguments);
  va_end(arguments);

  g_set_error_literal(error, G_FILE_ERROR, g_file_error_from_errno(code), message);
  return false;
}

/*
 * Headers of the size and byte order of virtio 1. The order matters only where the host's is another; old kernels know
 * it not.
 */
static bool set_header(int fd) {
  int size = NET_HEADER_SIZE, little_endian = 1;

  if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0)
    return false;
  return ioctl(fd, TUNSETVNETLE, &little_endian) == 0 || G_BYTE_ORDER == G_LITTLE_ENDIAN;
}

/* Opens one queue of NAME as FD of TAP's. */
static bool open_queue(Tap *tap, const char *name, unsigned pair, GError **error) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    return fail(error, errno, "cannot open " TUN_DEVICE ": %s; load the module tun, or hand in an open tap with fd=", g_strerror(errno));
  tap->fds[pair] = fd;
  g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
  if (tap->base.n_pairs > 1)
    request.ifr_flags |= IFF_MULTI_QUEUE;
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    /* A device made for several queues takes one only as one of several. */
    request.ifr_flags |= IFF_MULTI_QUEUE;
    if (errno != EINVAL || tap->base.n_pairs > 1 || ioctl(fd, TUNSETIFF, &request) < 0)
      return false;
  }
  if (!set_header(fd))
    return fail(error, errno, "tap %s: the kernel has no headers of %d bytes: %s", name, NET_HEADER_SIZE, g_strerror(errno));
  return true;
}

/* Why TUNSETIFF said no to a queue of NAME. */
static void explain(const char *name, unsigned n_pairs, int code, GError **error) {
  if (code == EPERM || code == EACCES)
    fail(error, code, "tap %s is not yours; make it so: ip tuntap add dev %s mode tap user $USER", name, name);
  else if (code == EBUSY)
    fail(error, code, "tap %s is in use by another process", name);
  else if (code == EINVAL && n_pairs > 1)
    fail(error, code, "tap %s has one queue, or is no tap; make it with several: ip tuntap add dev %s mode tap multi_queue", name, name);
  else if (code == EINVAL)
    fail(error, code, "%s is no tap device", name);
  else
    fail(error, code, "tap %s: %s", name, g_strerror(code));
}

NetBackend *tap_open(const char *name, unsigned n_pairs, GError **error) {
  g_assert(n_pairs > 0 && n_pairs <= NET_PAIRS_MAX);
  /* The kernel would make one that nobody has set up, and with it a network card that leads nowhere. */
  if (strlen(name) >= IFNAMSIZ || !if_nametoindex(name)) {
    fail(error, ENODEV, "there is no network device %s; make it: ip tuntap add dev %s mode tap user $USER", name, name);
    return NULL;
  }
  g_autoptr(NetBackend) backend = &tap_new(name)->base;
  Tap *tap = (Tap *)backend;
  g_autoptr(GError) reason = NULL;

  backend->n_pairs = tap->n_attached = n_pairs;
  tap->header = true;
  for (unsigned i = 0; i < n_pairs; i++) {
    if (open_queue(tap, name, i, &reason))
      continue;
    if (reason)
      g_propagate_error(error, g_steal_pointer(&reason));
    else
      explain(name, n_pairs, errno, error);
    return NULL;
  }
  backend->kernels = true;
  find_offloads(tap);
  backend->mtu = device_mtu(name);
  remember_device(tap, name);
  return g_steal_pointer(&backend);
}

/* Whether FD is a queue of a tap whose reads and writes are frames; puts its name into *NAME. */
static bool look_at(int fd, char *name, bool *header, GError **error) {
  struct ifreq request = {0};
  int flags = fcntl(fd, F_GETFL);

  if (flags < 0)
    return fail(error, errno, "descriptor %d is not open", fd);
  if (ioctl(fd, TUNGETIFF, &request) < 0)
    return fail(error, errno, "descriptor %d is not a tap's", fd);
  /*
   * Whether it has packet information cannot be seen: IFF_NO_PI is given back as IFF_NOFILTER, which is the same bit.
   */
  if (!(request.ifr_flags & IFF_TAP))
    return fail(error, EINVAL, "descriptor %d is a tun's; open it as a tap, with IFF_NO_PI", fd);
  *header = request.ifr_flags & IFF_VNET_HDR;
  g_strlcpy(name, request.ifr_name, IFNAMSIZ);
  if (*header && !set_header(fd))
    return fail(error, errno, "tap %s: the kernel has no headers of %d bytes: %s", name, NET_HEADER_SIZE, g_strerror(errno));
  if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
    return fail(error, errno, "descriptor %d: %s", fd, g_strerror(errno));
  return true;
}

NetBackend *tap_take_fds(const int *fds, unsigned n, GError **error) {
  g_autoptr(NetBackend) backend = &tap_new("")->base;
  Tap *tap = (Tap *)backend;
  char first[IFNAMSIZ] = "", name[IFNAMSIZ];

  g_assert(n > 0 && n <= NET_PAIRS_MAX);
  memcpy(tap->fds, fds, n * sizeof *fds);
  backend->n_pairs = tap->n_attached = n;
  for (unsigned i = 0; i < n; i++) {
    bool header = false;

    if (!look_at(fds[i], name, &header, error))
      return NULL;
    if (i && (strcmp(name, first) != 0 || header != tap->header)) {
      fail(error, EINVAL, "descriptors %d and %d are of different taps, or opened in different ways", fds[0], fds[i]);
      return NULL;
    }
    tap->header = header;
    memcpy(first, name, sizeof first);
  }
  g_free(backend->name);
  backend->name = g_strdup_printf("tap %s", first);
  backend->kernels = tap->header;
  remember_device(tap, first);
  if (tap->header)
    find_offloads(tap);
  return g_steal_pointer(&backend);
}
