/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's vhost; see vhost-kernel.h. Linux: drivers/vhost/vhost.c (vhost_dev_ioctl, vhost_vring_ioctl), net.c,
 * vsock.c. A ring of vhost-net runs while it has a socket; the rings of vhost-vsock run together.
 *
 * Locks: none; see vhost.h.
 */
#define _GNU_SOURCE /* O_PATH */
#include "devices/vhost/vhost-kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PAIR 2 /* rings of a device */

/* Bits that are between the kernel and us: linux/vhost_types.h. */
#define F_LOG_ALL        (UINT64_C(1) << 26)
#define F_NET_VIRTIO_HDR (UINT64_C(1) << 27)

typedef struct {
  Vhost base; /* first */
  int fd;     /* of the device */
  int broken_fd;
  int place_fd; /* O_PATH: where the device is opened again; -1: it is not */
  int tap_fd;   /* vhost-net; -1: vhost-vsock */
  uint64_t cid; /* vhost-vsock */
} VhostKernel;

static bool failed(const VhostKernel *kernel, const char *what, GError **error) {
  int code = errno;

  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s %s: %s", kernel->base.name, what, g_strerror(code));
  return false;
}

static bool set_features(Vhost *base, uint64_t features, GError **error) {
  const VhostKernel *kernel = (VhostKernel *)base;

  return ioctl(kernel->fd, VHOST_SET_FEATURES, &features) == 0 || failed(kernel, "takes no features", error);
}

static bool set_memory(Vhost *base, const GuestMemory *memory, GError **error) {
  const VhostKernel *kernel = (VhostKernel *)base;
  g_autofree struct vhost_memory *table = g_malloc0(sizeof *table + memory->n_regions * sizeof table->regions[0]);

  table->nregions = memory->n_regions;
  for (unsigned i = 0; i < memory->n_regions; i++)
    table->regions[i] = (struct vhost_memory_region){
        .guest_phys_addr = memory->regions[i].base,
        .memory_size = memory->regions[i].size,
        .userspace_addr = (uintptr_t)memory->regions[i].host,
    };
  return ioctl(kernel->fd, VHOST_SET_MEM_TABLE, table) == 0 || failed(kernel, "takes no guest memory", error);
}

static bool set_tap(const VhostKernel *kernel, unsigned index, int fd) {
  struct vhost_vring_file file = {.index = index, .fd = fd};

  return kernel->tap_fd < 0 || ioctl(kernel->fd, VHOST_NET_SET_BACKEND, &file) == 0;
}

static bool start_vring(Vhost *base, unsigned index, const VhostVring *vring, GError **error) {
  const VhostKernel *kernel = (VhostKernel *)base;
  struct vhost_vring_state size = {.index = index, .num = vring->size}, next = {.index = index, .num = vring->base};
  struct vhost_vring_addr address = {
      .index = index,
      .desc_user_addr = (uintptr_t)vring->descriptors,
      .used_user_addr = (uintptr_t)vring->device,
      .avail_user_addr = (uintptr_t)vring->driver,
  };
  struct vhost_vring_file kick = {.index = index, .fd = vring->kick}, call = {.index = index, .fd = vring->call},
                          broken = {.index = index, .fd = kernel->broken_fd};

  if (ioctl(kernel->fd, VHOST_SET_VRING_NUM, &size) < 0 || ioctl(kernel->fd, VHOST_SET_VRING_BASE, &next) < 0 ||
      ioctl(kernel->fd, VHOST_SET_VRING_ADDR, &address) < 0 || ioctl(kernel->fd, VHOST_SET_VRING_ERR, &broken) < 0 ||
      ioctl(kernel->fd, VHOST_SET_VRING_CALL, &call) < 0 || ioctl(kernel->fd, VHOST_SET_VRING_KICK, &kick) < 0)
    return failed(kernel, "takes no ring", error);
  return set_tap(kernel, index, kernel->tap_fd) || failed(kernel, "cannot use the network device", error);
}

/* Only vhost-vsock has rings that run together. */
static bool run(Vhost *base, bool running, GError **error) {
  const VhostKernel *kernel = (VhostKernel *)base;
  int on = running;

  return kernel->tap_fd >= 0 || ioctl(kernel->fd, VHOST_VSOCK_SET_RUNNING, &on) == 0 ||
         failed(kernel, running ? "does not start" : "does not stop", error);
}

static bool stop_vring(Vhost *base, unsigned index, uint16_t *next, GError **error) {
  const VhostKernel *kernel = (VhostKernel *)base;
  struct vhost_vring_state state = {.index = index};

  if (!set_tap(kernel, index, -1) || ioctl(kernel->fd, VHOST_GET_VRING_BASE, &state) < 0)
    return failed(kernel, "does not give a ring back", error);
  *next = (uint16_t)state.num;
  return true;
}

/*
 * There is no other connection to be had: it is only stopped. What it found broken before was an earlier driver's, who
 * may have gone on breaking it until it stopped.
 */
static bool connect_kernel(Vhost *base, GError **error) {
  eventfd_t count;

  eventfd_read(((const VhostKernel *)base)->broken_fd, &count);
  return true;
}

static void disconnect(Vhost *base) {
  const VhostKernel *kernel = (VhostKernel *)base;

  for (unsigned i = 0; i < PAIR; i++)
    set_tap(kernel, i, -1);
  run(base, false, NULL);
}

static int open_again(const VhostKernel *kernel) {
  g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", kernel->place_fd);

  return open(path, O_RDWR | O_CLOEXEC);
}

/* Connections of an earlier driver are the host's sockets too, and end with their device alone. */
static bool reset(Vhost *base, GError **error) {
  VhostKernel *kernel = (VhostKernel *)base;

  if (kernel->tap_fd >= 0)
    return true;
  if (kernel->fd >= 0)
    close(kernel->fd);
  kernel->fd = open_again(kernel);
  return (kernel->fd >= 0 && ioctl(kernel->fd, VHOST_SET_OWNER) == 0 && ioctl(kernel->fd, VHOST_VSOCK_SET_GUEST_CID, &kernel->cid) == 0) ||
         failed(kernel, "cannot be opened again", error);
}

static bool handle(Vhost *base, bool *config_changed, GError **error) {
  const VhostKernel *kernel = (VhostKernel *)base;
  eventfd_t count;

  *config_changed = false;
  if (eventfd_read(kernel->broken_fd, &count) < 0)
    return true;
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s found a ring broken", base->name);
  return false;
}

static void kernel_free(Vhost *base) {
  VhostKernel *kernel = (VhostKernel *)base;

  if (kernel->fd >= 0)
    close(kernel->fd);
  if (kernel->broken_fd >= 0)
    close(kernel->broken_fd);
  if (kernel->place_fd >= 0)
    close(kernel->place_fd);
  g_free(base->name);
  g_free(kernel);
}

static const VhostOps kernel_ops = {
    .connect = connect_kernel,
    .disconnect = disconnect,
    .reset = reset,
    .set_features = set_features,
    .set_memory = set_memory,
    .start_vring = start_vring,
    .run = run,
    .stop_vring = stop_vring,
    .handle = handle,
    .free = kernel_free,
};

/* Opens the device for this process, and asks what it can do. */
static VhostKernel *open_device(const char *path, int tap_fd, GError **error) {
  VhostKernel *kernel = g_new0(VhostKernel, 1);
  g_autoptr(Vhost) vhost = &kernel->base;
  uint64_t features;

  kernel->base = (Vhost){.ops = &kernel_ops, .name = g_strdup(path), .max_queues = PAIR, .watch_fds = {-1, -1}};
  kernel->tap_fd = tap_fd;
  kernel->place_fd = -1;
  kernel->broken_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  kernel->fd = open(path, O_RDWR | O_CLOEXEC);
  if (kernel->fd < 0) {
    int code = errno;
    const char *help = code == EACCES   ? "; add yourself to the group that may use it"
                       : code == ENOENT ? "; load the kernel's module for it (modprobe)"
                                        : "";
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "cannot open %s: %s%s", path, g_strerror(code), help);
    return NULL;
  }
  if (kernel->broken_fd < 0 || ioctl(kernel->fd, VHOST_SET_OWNER) < 0 || ioctl(kernel->fd, VHOST_GET_FEATURES, &features) < 0) {
    failed(kernel, "cannot be used", error);
    return NULL;
  }
  vhost->features = features & ~(F_LOG_ALL | F_NET_VIRTIO_HDR);
  vhost->connected = true;
  vhost->watch_fds[0] = kernel->broken_fd;
  return (VhostKernel *)g_steal_pointer(&vhost);
}

Vhost *vhost_kernel_net_new(const char *path, int tap_fd, GError **error) {
  VhostKernel *kernel = open_device(path, tap_fd, error);

  return kernel ? &kernel->base : NULL;
}

/* virtio 1.2, 5.10.4: 0 and 1 are reserved, 2 is the host, and so is the highest number. */
#define CID_FIRST 3
#define CIDS_MAX  4096 /* to be tried for a free one */

static bool set_cid(const VhostKernel *kernel, uint64_t *cid) {
  if (*cid)
    return ioctl(kernel->fd, VHOST_VSOCK_SET_GUEST_CID, cid) == 0;
  for (*cid = CID_FIRST; *cid < CID_FIRST + CIDS_MAX; ++*cid) {
    if (ioctl(kernel->fd, VHOST_VSOCK_SET_GUEST_CID, cid) == 0)
      return true;
    if (errno != EADDRINUSE)
      return false;
  }
  return false;
}

Vhost *vhost_kernel_vsock_new(const char *path, uint64_t *cid, GError **error) {
  VhostKernel *kernel = open_device(path, -1, error);

  if (!kernel)
    return NULL;
  kernel->place_fd = open(path, O_PATH | O_CLOEXEC);
  if (kernel->place_fd >= 0 && set_cid(kernel, cid)) {
    kernel->cid = *cid;
    return &kernel->base;
  }
  int code = errno;
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(code), "%s takes no guest %" G_GUINT64_FORMAT ": %s", path, *cid,
              code == EADDRINUSE ? "another machine of this host has that CID" : g_strerror(code));
  vhost_free(&kernel->base);
  return NULL;
}
