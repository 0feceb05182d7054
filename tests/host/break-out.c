/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in place of two of eret's devices in a program for tests: of a guest that has taken over the device
 * model. Whatever is written to the scratch page has the vCPU's thread try to get out, and the driver's start of the
 * entropy source that source's thread. How, the environment says: ERET_BREAK_OUT=NAME. What comes of it is said on
 * standard error, if anything does. It does no harm where it succeeds: it opens what all may, and signals nobody.
 */
#define _GNU_SOURCE /* process_vm_readv, strerrorname_np */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/virtio/rng.h"
#include "tests/host/scratch-stand-in.h"
#include "vmm/arm/kvm-abi.h"

static long open_file(void) {
  return syscall(SYS_openat, AT_FDCWD, "/proc/version", O_RDONLY);
}

/* Datagrams: where there is a network, that is a matter of addresses alone. */
static long connect_out(void) {
  const struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  long fd = syscall(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  return fd < 0 ? fd : syscall(SYS_connect, fd, &there, sizeof there);
}

/* One that got this far ends at once. */
static long fork_child(void) {
  long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

  if (pid == 0)
    _exit(0);
  return pid;
}

static long execute(void) {
  char *const nothing[] = {NULL};

  return syscall(SYS_execve, "/nothing/like/it", nothing, nothing);
}

static long trace_another(void) {
  return syscall(SYS_ptrace, PTRACE_SEIZE, 1L, 0L, 0L);
}

static long read_other_memory(void) {
  char byte;
  const struct iovec ours = {&byte, 1}, theirs = {(void *)(uintptr_t)0x10000, 1};

  return syscall(SYS_process_vm_readv, 1, &ours, 1L, &theirs, 1L, 0L);
}

static long make_machine(void) {
  return syscall(SYS_ioctl, STDIN_FILENO, KVM_CREATE_VM, 0L);
}

static long mount_something(void) {
  return syscall(SYS_mount, "none", ".", "tmpfs", 0L, NULL);
}

static long signal_another(void) {
  return syscall(SYS_kill, 1, 0);
}

static long signal_thread(void) {
  return syscall(SYS_tgkill, 1L, 1L, 0L);
}

static long become_another(void) {
  return syscall(SYS_setuid, 65534L);
}

static long map_code(void) {
  return syscall(SYS_mmap, NULL, 4096L, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1L, 0L);
}

static long make_ring(void) {
  struct io_uring_params parameters = {0};

  return syscall(SYS_io_uring_setup, 1L, &parameters);
}

static long remove_file(void) {
  return syscall(SYS_unlinkat, AT_FDCWD, "/nothing/like/it", 0L);
}

static long leave_namespace(void) {
  return syscall(SYS_unshare, (long)CLONE_NEWNS);
}

static const struct {
  const char *name;
  long (*attempt)(void);
} attempts[] = {
    {"open", open_file},       {"connect", connect_out},      {"fork", fork_child},         {"exec", execute},
    {"ptrace", trace_another}, {"memory", read_other_memory}, {"kvm", make_machine},        {"mount", mount_something},
    {"kill", signal_another},  {"thread", signal_thread},     {"setuid", become_another},   {"code", map_code},
    {"ring", make_ring},       {"unlink", remove_file},       {"unshare", leave_namespace},
};

static void break_out(void) {
  const char *wanted = getenv("ERET_BREAK_OUT");

  for (size_t i = 0; wanted && i < sizeof attempts / sizeof *attempts; i++)
    if (strcmp(attempts[i].name, wanted) == 0) {
      long result = attempts[i].attempt();
      dprintf(STDERR_FILENO, "%s was not stopped: %s\n", wanted, result < 0 ? strerrorname_np(errno) : "done");
    }
}

/* On the vCPU's thread. */

void scratch_stand_in_written(void) {
  break_out();
}

/* On the device's. */

static void rng_start(VirtioDevice *device) {
  break_out();
}

static void rng_nothing(VirtioDevice *device) {
}

static void rng_notify(VirtioDevice *device, unsigned queue) {
}

static void rng_free(VirtioDevice *device) {
  virtio_device_clear(device);
  g_free(device);
}

static VirtioDevice *rng_make(const DeviceParts *parts, GError **error) {
  static const VirtioDeviceOps ops = {
      .id = VIRTIO_ID_ENTROPY,
      .name = "virtio-rng",
      .start = rng_start,
      .notify = rng_notify,
      .stop = rng_nothing,
      .free = rng_free,
  };
  static const uint16_t queue_size = 8;
  VirtioDevice *device = g_new0(VirtioDevice, 1);

  if (virtio_device_init(device, &ops, parts->name, parts->memory, 0, 1, &queue_size, error))
    return device;
  g_free(device);
  return NULL;
}

const DeviceKind virtio_rng_kind = {.name = "virtio-rng", .make_virtio = rng_make};
