/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the block device share: blk.c has the device and its queue, blk-request.c the requests. */
#pragma once

#include "devices/virtio/blk.h"

#define BLK_SECTOR_SIZE  512
#define BLK_QUEUE_SIZE   128
#define BLK_MAX_SEGMENTS 16 /* ranges in one discard or write-zeroes */
/* 1 GiB in one range: where the host has to write the zeros itself, that is a second, not minutes. */
#define BLK_MAX_SEGMENT_SECTORS (1u << 21)

/* Feature bits: 5.2.3. */
enum {
  BLK_F_SEG_MAX = 2,
  BLK_F_RO = 5,
  BLK_F_BLK_SIZE = 6,
  BLK_F_FLUSH = 9,
  BLK_F_TOPOLOGY = 10,
  BLK_F_CONFIG_WCE = 11,
  BLK_F_DISCARD = 13,
  BLK_F_WRITE_ZEROES = 14,
};
#define BLK_FEATURE(bit) (UINT64_C(1) << (bit))

typedef enum { CACHE_MODE_DEFAULT = -1, CACHE_MODE_WRITETHROUGH = 0, CACHE_MODE_WRITEBACK = 1 } CacheMode;

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkRequest BlkRequest;

struct VirtioBlk {
  VirtioDevice base;
  DiskImage *image;
  uint8_t serial[VIRTIO_BLK_SERIAL_MAX]; /* padded with zeros */
  int cache_mode;                        /* CacheMode; atomic */

  /* The I/O thread's. */
  bool running;
  bool stalled; /* the queue was left alone as too many are in flight */
  bool pushed;  /* and no interrupt since */
  unsigned in_flight;
  BlkRequest *free_requests;
  VirtChain chain;
};

/* Whether writes may stay in the host's cache until a flush. */
bool blk_is_writeback(const VirtioBlk *blk);

/*
 * Begins the request in CHAIN; it may be over at once. False: it was none, and the device has failed. On the I/O
 * thread.
 */
bool blk_begin(VirtioBlk *blk, const VirtChain *chain);
/* Releases the requests kept for later; none is in flight. */
void blk_free_requests(VirtioBlk *blk);
