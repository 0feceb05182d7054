/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vector of buffers that is handed on piece by piece, in place: who gets a piece may change the elements of it, so
 * what it does not get of the last one is kept beside them.
 */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

typedef struct {
  struct iovec *at;  /* the next piece starts in this element */
  struct iovec rest; /* with these bytes; none: with the element after it */
} DiskVector;

static inline DiskVector disk_vector(struct iovec *iov) {
  return (DiskVector){.at = iov, .rest = *iov};
}

/* The next SIZE bytes, of which there are as many: *N elements. */
static inline struct iovec *disk_vector_take(DiskVector *vector, uint64_t size, unsigned *n) {
  if (!vector->rest.iov_len)
    vector->rest = *++vector->at;
  struct iovec *first = vector->at;
  *first = vector->rest;
  while (size > vector->at->iov_len)
    size -= (vector->at++)->iov_len;
  *n = (unsigned)(vector->at - first) + 1;
  vector->rest = (struct iovec){.iov_base = (uint8_t *)vector->at->iov_base + size, .iov_len = vector->at->iov_len - size};
  vector->at->iov_len = size;
  return first;
}
