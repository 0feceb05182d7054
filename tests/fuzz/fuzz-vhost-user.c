/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a back end of vhost-user says: devices/vhost/. The input is its messages, in records: which way, how many
 * descriptors come along, how many bytes, the bytes. All are there before they are asked for, and then it is gone, so
 * that nothing waits.
 */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/fuzz.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost/user-message.h"
#include "devices/vhost/vhost-user.h"

#define RAM_BASE  UINT64_C(0x40000000)
#define RAM_SIZE  0x10000u
#define RECORDS   32
#define TAKEN_MAX 64

typedef struct {
  GuestMemory memory;
  int ram_fd, event;
  uint8_t *ram;
  int ours, theirs; /* ends of the socket; ours is handed over */
  Vhost *vhost;
} Fixture;

static int take_end(void *opaque, GError **error) {
  Fixture *f = opaque;
  int fd = f->ours;

  f->ours = -1;
  if (fd < 0)
    g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE, "nobody is there");
  return fd;
}

static void send_record(int fd, const uint8_t *bytes, size_t size, unsigned n_fds, int carried) {
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(3 * sizeof(int))];
  } control = {.bytes = {0}};
  struct iovec iov = {(void *)bytes, size};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

  if (fd < 0 || !size)
    return;
  if (n_fds) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    *rights = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n_fds * sizeof(int))};
    for (unsigned i = 0; i < n_fds; i++)
      memcpy(CMSG_DATA(rights) + i * sizeof(int), &carried, sizeof carried);
  }
  sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The next of the records: a header that may be put right, so that what follows it is looked at. */
static void send_next(Fixture *f, FuzzInput *input, int fd) {
  unsigned what = fuzz_below(input, 256);
  size_t size;
  const uint8_t *bytes = fuzz_bytes(input, fuzz_number(input, 1), &size);
  g_autofree uint8_t *copy = g_malloc0(12 + size);
  uint32_t header[] = {what >> 2, VHOST_USER_VERSION | VHOST_USER_REPLY, (uint32_t)size};

  memcpy(copy, header, 12);
  if (size)
    memcpy(copy + 12, bytes, size);
  if ((what & 3) == 3)
    send_record(fd, bytes, size, 0, -1); /* as it is */
  else
    send_record(fd, copy, 12 + size, what & 3, f->ram_fd);
}

/* What eret has sent meanwhile: descriptors are closed but for the last one. */
static int take_descriptors(int fd) {
  uint8_t bytes[4096];
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(8 * sizeof(int))];
  } control;
  int last = -1;

  for (unsigned i = 0; i < TAKEN_MAX; i++) {
    struct iovec iov = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    if (recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
      break;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part))
      for (size_t k = 0; CMSG_LEN((k + 1) * sizeof(int)) <= part->cmsg_len; k++) {
        if (last >= 0)
          close(last);
        memcpy(&last, CMSG_DATA(part) + k * sizeof(int), sizeof last);
      }
  }
  return last;
}

/* As a device does it: features, memory, rings, configuration. */
static bool use(Fixture *f, unsigned what) {
  VhostVring ring = {
      .size = 16, .descriptors = f->ram, .driver = f->ram + 0x400, .device = f->ram + 0x800, .kick = f->event, .call = f->event};
  const VhostOps *ops = f->vhost->ops;
  g_autoptr(GError) error = NULL;
  uint8_t config[60];
  uint16_t base;
  bool good = true;

  if (f->vhost->has_config && what & 1)
    good = ops->get_config(f->vhost, config, sizeof config, &error);
  good = good && ops->set_features(f->vhost, f->vhost->features, &error);
  if (ops->set_inflight && what & 2)
    good = good && ops->set_inflight(f->vhost, !(what & 4), 2, 16, &error);
  good = good && ops->set_memory(f->vhost, &f->memory, &error) && ops->start_vring(f->vhost, 0, &ring, &error);
  if (f->vhost->has_config && what & 8)
    good = good && ops->set_config(f->vhost, 4, config, 4, &error);
  good = good && (!ops->run || ops->run(f->vhost, true, &error)) && ops->stop_vring(f->vhost, 0, &base, &error);
  good = good && (!ops->reset || ops->reset(f->vhost, &error));
  g_assert_true(good == !error);
  return good;
}

/* By the socket BACK_FD, which it was given for that. */
static void ask_from_behind(Fixture *f, FuzzInput *input, int back_fd) {
  g_autoptr(GError) error = NULL;
  bool changed = false;

  for (unsigned i = 0; i < 4 && input->left; i++)
    send_next(f, input, back_fd);
  f->vhost->deadline = g_get_monotonic_time() + 1000;
  if (f->vhost->connected)
    g_assert_true(f->vhost->ops->handle(f->vhost, &changed, &error) == !error);
}

static void init(Fixture *f) {
  int ends[2];

  f->ram_fd = memfd_create("guest", MFD_CLOEXEC);
  g_assert_cmpint(ftruncate(f->ram_fd, RAM_SIZE), ==, 0);
  f->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->ram_fd, 0);
  g_assert_true(guest_memory_add_shared(&f->memory, RAM_BASE, RAM_SIZE, f->ram, f->ram_fd, 0));
  f->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==, 0);
  f->ours = ends[0];
  f->theirs = ends[1];
}

static void clear(Fixture *f) {
  vhost_free(f->vhost);
  if (f->ours >= 0)
    close(f->ours);
  close(f->theirs);
  close(f->event);
  munmap(f->ram, RAM_SIZE);
  close(f->ram_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  Fixture f = {.vhost = NULL};
  unsigned what = fuzz_below(&input, 256), n = fuzz_below(&input, RECORDS);
  g_autoptr(GError) error = NULL;

  init(&f);
  for (unsigned i = 0; i < n && input.left; i++)
    send_next(&f, &input, f.theirs);
  shutdown(f.theirs, SHUT_WR);
  f.vhost = vhost_user_new_with("back end", what & 16, take_end, &f, NULL);
  vhost_begin(f.vhost);
  bool connected = f.vhost->ops->connect(f.vhost, &error);
  g_assert_true(connected == !error);
  int back_fd = take_descriptors(f.theirs);
  if (connected && what & 32)
    ask_from_behind(&f, &input, back_fd);
  if (f.vhost->connected && use(&f, what))
    ask_from_behind(&f, &input, back_fd);
  if (back_fd >= 0)
    close(back_fd);
  f.vhost->ops->disconnect(f.vhost);
  clear(&f);
  return 0;
}
