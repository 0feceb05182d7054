/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers past the host's page cache (open(2), O_DIRECT) want buffers that begin and end where the file says so. A
 * guest's nearly always do; those that do not go by way of one of ours, a part at a time, so that no guest sizes it.
 *
 * Locks: none; a request belongs to the thread that performs it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/disk-image-engine.h"

#define BOUNCE_SIZE  (UINT64_C(256) << 10)
#define BOUNCE_ALIGN 4096 /* of all that files want, the most */

bool disk_request_fits(const DiskImageRequest *request) {
  const DiskFile *file = request->file;

  for (unsigned i = 0; i < request->n_iov; i++)
    if ((uintptr_t)request->iov[i].iov_base % file->direct_memory || request->iov[i].iov_len % file->direct_block)
      return false;
  return true;
}

/* The first SIZE bytes of the request's vector, from or to BYTES. */
static void copy(const DiskImageRequest *request, uint8_t *bytes, uint64_t size) {
  const struct iovec *iov = request->iov;

  for (; size; iov++) {
    uint64_t here = MIN(size, iov->iov_len);

    if (request->operation == DISK_IMAGE_WRITE)
      memcpy(bytes, iov->iov_base, here);
    else
      memcpy(iov->iov_base, bytes, here);
    bytes += here;
    size -= here;
  }
}

/* As pread(2) and pwrite(2) of the request's next part. */
static ssize_t move_part(const DiskImageRequest *request, void *memory) {
  uint8_t *bytes = memory;
  uint64_t size = MIN(request->size, BOUNCE_SIZE);
  int fd = request->file->fd;

  if (request->operation == DISK_IMAGE_WRITE) {
    copy(request, bytes, size);
    return pwrite(fd, bytes, size, (off_t)request->offset);
  }
  ssize_t moved = pread(fd, bytes, size, (off_t)request->offset);
  if (moved > 0)
    copy(request, bytes, (uint64_t)moved);
  return moved;
}

int disk_request_bounce(DiskImageRequest *request) {
  void *memory = NULL;

  if (posix_memalign(&memory, BOUNCE_ALIGN, MAX(MIN(request->size, BOUNCE_SIZE), 1)) != 0)
    return -ENOMEM;
  int result = disk_request_transfer(request, move_part, memory);
  free(memory);
  return result;
}
