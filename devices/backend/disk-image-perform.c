/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One disk request from beginning to end with plain system calls, and with something to fall back on wherever a file
 * system or device lacks an operation. See preadv(2), fallocate(2), fdatasync(2), and <linux/fs.h> for the block
 * device's ioctls.
 *
 * Locks: none; a request belongs to the thread that performs it.
 */
#define _GNU_SOURCE /* fallocate, preadv */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devices/backend/disk-image-engine.h"

/* UIO_MAXIOV of the kernel; preadv(2) refuses longer vectors. */
#define MAX_IOV 1024

unsigned disk_request_n_iov(const DiskImageRequest *request) {
  return MIN(request->n_iov, MAX_IOV);
}

void disk_request_advance(DiskImageRequest *request, uint64_t size) {
  request->offset += size;
  request->size -= MIN(request->size, size);
  while (request->n_iov && size >= request->iov->iov_len) {
    size -= request->iov->iov_len;
    request->iov++;
    request->n_iov--;
  }
  if (request->n_iov) {
    request->iov->iov_base = (uint8_t *)request->iov->iov_base + size;
    request->iov->iov_len -= size;
  }
}

int disk_request_at_end(const DiskImageRequest *request) {
  uint64_t end = __atomic_load_n(&request->file->end, __ATOMIC_RELAXED);

  if (request->operation != DISK_IMAGE_READ || !end || request->offset < end)
    return -EIO;
  for (unsigned i = 0; i < request->n_iov; i++)
    memset(request->iov[i].iov_base, 0, request->iov[i].iov_len);
  return 0;
}

int disk_request_transfer(DiskImageRequest *request, ssize_t (*move)(const DiskImageRequest *request, void *opaque), void *opaque) {
  while (request->size) {
    ssize_t moved = move(request, opaque);

    if (moved > 0)
      disk_request_advance(request, (uint64_t)moved);
    else if (moved == 0)
      return disk_request_at_end(request);
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

static ssize_t move_vector(const DiskImageRequest *request, void *opaque) {
  int n_iov = (int)disk_request_n_iov(request);

  return request->operation == DISK_IMAGE_WRITE ? pwritev(request->file->fd, request->iov, n_iov, (off_t)request->offset)
                                                : preadv(request->file->fd, request->iov, n_iov, (off_t)request->offset);
}

static int flush(int fd) {
  while (fdatasync(fd) < 0)
    if (errno != EINTR)
      return -errno;
  return 0;
}

/*
 * Whether an operation that gave this negative errno is one that the host does not have, for this file or these bounds.
 */
static bool is_unsupported(int result) {
  return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENOTTY || result == -EINVAL;
}

static int allocate(int mode, const DiskImageRequest *request) {
  while (fallocate(request->file->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)request->offset, (off_t)request->size) < 0)
    if (errno != EINTR)
      return -errno;
  return 0;
}

static int block_ioctl(unsigned long command, const DiskImageRequest *request) {
  uint64_t range[2] = {request->offset, request->size};

  return ioctl(request->file->fd, command, range) < 0 ? -errno : 0;
}

/* A discard is a hint: where the host cannot take it, nothing happens and that is a success. */
static int discard(const DiskImageRequest *request) {
  int result = request->file->block_device ? block_ioctl(BLKDISCARD, request) : allocate(FALLOC_FL_PUNCH_HOLE, request);

  return is_unsupported(result) ? 0 : result;
}

/* Many elements on one page of zeros: long writes without a long buffer. */
static int write_zeroes_plainly(const DiskImageRequest *request) {
  static const uint8_t zeroes[4096] __attribute__((aligned(4096))); /* for direct I/O, too */
  uint64_t done = 0;

  while (done < request->size) {
    struct iovec iov[64];
    int n_iov = 0;
    uint64_t queued = done;
    ssize_t moved;

    for (; n_iov < (int)G_N_ELEMENTS(iov) && queued < request->size; n_iov++) {
      iov[n_iov] = (struct iovec){.iov_base = (void *)zeroes, .iov_len = MIN(sizeof zeroes, request->size - queued)};
      queued += iov[n_iov].iov_len;
    }
    moved = pwritev(request->file->fd, iov, n_iov, (off_t)(request->offset + done));
    if (moved > 0)
      done += (uint64_t)moved;
    else if (moved == 0)
      return -EIO;
    else if (errno != EINTR)
      return -errno;
  }
  return 0;
}

/*
 * From the cheapest way that keeps the promise (zeros are read; deallocated only if the guest allows it) to the
 * dearest.
 */
static int write_zeroes(const DiskImageRequest *request) {
  int result = -EOPNOTSUPP;

  if (request->may_unmap)
    result = allocate(FALLOC_FL_PUNCH_HOLE, request);
  if (is_unsupported(result))
    result = request->file->block_device ? block_ioctl(BLKZEROOUT, request) : allocate(FALLOC_FL_ZERO_RANGE, request);
  if (is_unsupported(result))
    result = write_zeroes_plainly(request);
  return result;
}

int disk_request_perform(DiskImageRequest *request) {
  switch (request->operation) {
  case DISK_IMAGE_READ:
  case DISK_IMAGE_WRITE:
    return disk_request_must_bounce(request) ? disk_request_bounce(request) : disk_request_transfer(request, move_vector, NULL);
  case DISK_IMAGE_FLUSH:
    return flush(request->file->fd);
  case DISK_IMAGE_DISCARD:
    return request->size ? discard(request) : 0;
  case DISK_IMAGE_WRITE_ZEROES:
    return request->size ? write_zeroes(request) : 0;
  }
  return -EINVAL;
}
