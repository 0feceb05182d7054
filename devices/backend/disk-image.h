/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk image on the host: a raw file or a block device. Its requests go by channels, one for each thread that makes
 * some: they are asynchronous, served by io_uring where the host has it, else by a small pool of threads; completions
 * arrive on the I/O thread that the channel was started on. A request's error is reported with its completion (negative
 * errno) and never lost; a short transfer is continued, not reported as success.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "devices/backend/disk-file.h"
#include "devices/backend/disk-image-format.h"
#include "devices/backend/disk-vector.h"
#include "devices/io-thread.h"

typedef struct DiskImage DiskImage;
typedef struct DiskChannel DiskChannel;

typedef enum { DISK_IMAGE_READ, DISK_IMAGE_WRITE, DISK_IMAGE_FLUSH, DISK_IMAGE_DISCARD, DISK_IMAGE_WRITE_ZEROES } DiskImageOperation;
typedef enum { DISK_IMAGE_ENGINE_AUTO, DISK_IMAGE_ENGINE_IO_URING, DISK_IMAGE_ENGINE_THREADS } DiskImageEngine;

/* OFF: others may use it at the same time, who know what they do. */
typedef enum { DISK_LOCK_ON, DISK_LOCK_OFF } DiskLock;

typedef struct DiskImageRequest DiskImageRequest;
/*
 * The caller's until it is submitted; then the channel's, which may change all of it, until DONE. Offset and size lie
 * inside the image, and are whole sectors where it is copy-on-write.
 */
struct DiskImageRequest {
  DiskImageOperation operation;
  uint64_t offset;   /* bytes */
  uint64_t size;     /* bytes; READ and WRITE: the sum of the vector */
  struct iovec *iov; /* READ and WRITE */
  unsigned n_iov;
  bool may_unmap; /* WRITE_ZEROES: the range may be deallocated */
  /* On the I/O thread. RESULT is 0 or a negative errno. */
  void (*done)(DiskImageRequest *request, int result);

  /* The channel's. */
  const DiskFile *file; /* which it is carried out on; stays for DONE */
  DiskImageRequest *next;
  int result;
  DiskChannel *channel;
  struct { /* what it was, or what is left of it behind the part that is under way */
    uint64_t offset, size;
    DiskVector vector;
    void (*done)(DiskImageRequest *request, int result);
  } whole;
};

typedef struct {
  bool read_only;
  bool cow;    /* what is written is kept elsewhere, and gone with the image: PATH is only read */
  bool direct; /* what is read of PATH, or written there, goes past the host's page cache */
  DiskImageFormat format;
  DiskLock lock;
  int block_size; /* bytes of its logical blocks, 512 to DISK_BLOCK_MAX; 0: the device's, or a sector */
  DiskImageEngine engine;
} DiskImageOptions;

/*
 * Opens PATH: a regular file or block device. A file that ends within a block has zeros from there to the block's end,
 * and is longer once something is written there; its user is told. One in a format of virtual machines, such as qcow2,
 * is refused with the cure, read-only too: a guest would read the format's bytes for the disk's, and by its first write
 * destroy them. It is locked (disk-lock.h), for reading alone where it is read-only or copy-on-write; a busy image is
 * an error that says so, and so is a block device that the host uses itself, where it would be written.
 */
DiskImage *disk_image_open(const char *path, const DiskImageOptions *options, GError **error);
/*
 * A read-only image of CONTENT, of which it has a copy, in memory; NULL: of a disk that is all zeros, for a plan. Its
 * NAME is for messages.
 */
DiskImage *disk_image_of(const char *name, GBytes *content, GError **error);
void disk_image_free(DiskImage *image); /* its channels are gone; takes NULL; flushes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskImage, disk_image_free)

uint64_t disk_image_size(const DiskImage *image); /* bytes; any thread */
/*
 * The image has SIZE bytes from now on: more than before, a multiple of its logical blocks. Its file is made so long,
 * which a block device must be already; what is added reads as zeros, unless it was there. 0: as many as the file has
 * by now. Requests may be under way. One thread at a time.
 */
bool disk_image_grow(DiskImage *image, uint64_t size, GError **error);
const DiskTopology *disk_image_topology(const DiskImage *image);
bool disk_image_read_only(const DiskImage *image);

/* A way to IMAGE, which must outlive it. One thread uses it. */
DiskChannel *disk_channel_new(DiskImage *image, GError **error);
void disk_channel_free(DiskChannel *channel); /* stopped; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DiskChannel, disk_channel_free)
const char *disk_channel_engine(const DiskChannel *channel); /* "io_uring" or "threads" */

/*
 * FUNCTION is called on the I/O thread after the last of each batch of completions, so that one interrupt can serve
 * them all; not after those that disk_channel_kick delivers, whose caller knows. Set before the first start.
 */
void disk_channel_set_batch_end(DiskChannel *channel, void (*function)(void *opaque), void *opaque);

/* Completions are delivered on THREAD from start until stop; stop waits for all requests in flight. Both on THREAD. */
void disk_channel_start(DiskChannel *channel, IoThread *thread);
void disk_channel_stop(DiskChannel *channel);
/*
 * Queues a request; disk_channel_kick submits what is queued (one system call for many), and calls DONE for what is
 * over by then, as either does for what needs nothing done. On the I/O thread, DONE included; what DONE queues is
 * submitted at the end of its batch.
 */
void disk_channel_submit(DiskChannel *channel, DiskImageRequest *request);
void disk_channel_kick(DiskChannel *channel);
