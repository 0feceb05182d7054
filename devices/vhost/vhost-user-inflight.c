/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record that a vhost-user back end keeps of what it has in flight, for who comes after it. QEMU:
 * docs/interop/vhost-user.rst, "Inflight I/O tracking". What is in it is between one back end and the next: here it is
 * a descriptor, and is never mapped.
 *
 * Locks: none; see vhost.h.
 */
#define _GNU_SOURCE /* F_ADD_SEALS */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/vhost/vhost-user-internal.h"

/* Of what a back end writes down: in 64 rings of 1024 it is some 16 bytes a descriptor. */
#define INFLIGHT_SIZE_MAX (UINT64_C(64) << 20)

void vhost_user_forget_inflight(VhostUser *user) {
  if (user->inflight_fd >= 0)
    close(user->inflight_fd);
  user->inflight_fd = -1;
  user->base.resumable = false;
}

/*
 * The next back end will map FD and trust its size, so that is made certain where it can be (memfd_create(2)), and then
 * looked at.
 */
static bool check_inflight(const VhostUser *user, const VhostUserInflight *inflight, int fd, GError **error) {
  struct stat status;

  fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
  if (inflight->mmap_size > INFLIGHT_SIZE_MAX || inflight->mmap_offset > INT64_MAX - INFLIGHT_SIZE_MAX)
    return vhost_user_wrong(user, "wants more room for what is in flight than that takes", error);
  if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || (uint64_t)status.st_size < inflight->mmap_offset + inflight->mmap_size)
    return vhost_user_wrong(user, "gave a descriptor for what is in flight that is no file of the size it told", error);
  return true;
}

/* "Inflight I/O tracking". One that gives nothing keeps no record. */
static bool get_inflight(VhostUser *user, unsigned n, uint16_t size, GError **error) {
  VhostUserMessage message = {.request = VHOST_USER_GET_INFLIGHT_FD,
                              .flags = VHOST_USER_VERSION,
                              .size = sizeof message.inflight,
                              .inflight = {.num_queues = (uint16_t)n, .queue_size = size}};
  int fd;

  if (!vhost_user_send(&user->main, &message, NULL, 0, user->base.deadline, error) ||
      !vhost_user_receive_with(&user->main, &message, &fd, user->base.deadline, error))
    return false;
  bool good = vhost_user_is_answer(user, VHOST_USER_GET_INFLIGHT_FD, &message, sizeof message.inflight, error);
  if (good && (fd < 0) != (message.inflight.mmap_size == 0))
    good = vhost_user_wrong(user, "gave room for what is in flight without a descriptor, or the other way round", error);
  if (good && fd >= 0)
    good = check_inflight(user, &message.inflight, fd, error);
  if (!good && fd >= 0)
    close(fd);
  if (!good)
    return false;
  user->inflight_fd = fd;
  user->inflight = message.inflight;
  user->inflight.num_queues = (uint16_t)n;
  user->inflight.queue_size = size;
  return true;
}

bool vhost_user_set_inflight(Vhost *base, bool anew, unsigned n, uint16_t size, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage message = {.request = VHOST_USER_SET_INFLIGHT_FD, .size = sizeof message.inflight};

  if (anew)
    vhost_user_forget_inflight(user);
  if (!(user->protocol & PROTOCOL_INFLIGHT))
    return !base->resumable || vhost_user_wrong(user, "has come back as one that cannot go on with what was in flight", error);
  if (user->inflight_fd < 0 && !get_inflight(user, n, size, error))
    return false;
  base->resumable = user->inflight_fd >= 0;
  message.inflight = user->inflight;
  return !base->resumable || vhost_user_tell(user, &message, &user->inflight_fd, 1, error);
}
