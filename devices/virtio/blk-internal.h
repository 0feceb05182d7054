/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the block device share: blk.c has the device, blk-queue.c its queues, blk-request.c what a queue's
 * requests do.
 */
#pragma once

#include "devices/virtio/blk.h"

#define BLK_SECTOR_SIZE         512
#define BLK_QUEUE_SIZE          128
#define BLK_MAX_SEGMENTS        16         /* ranges in one discard or write-zeroes */
#define BLK_MAX_SEGMENT_SECTORS (1u << 21) /* 1 GiB in one range */

/*
 * A device that stops waits for what is with the image, and the machine waits for it: with a slow host, a queue full of
 * the longest requests would be hours. So the image gets a request piece by piece, and no more where it has this much.
 */
#define BLK_PIECE_SIZE (UINT64_C(4) << 20)  /* bytes; no read or write of Linux is longer */
#define BLK_MAX_BYTES  (UINT64_C(64) << 20) /* with the image, of all queues: may be exceeded by one piece of each */

/* Feature bits: 5.2.3. */
enum {
  BLK_F_SEG_MAX = 2,
  BLK_F_RO = 5,
  BLK_F_BLK_SIZE = 6,
  BLK_F_FLUSH = 9,
  BLK_F_TOPOLOGY = 10,
  BLK_F_CONFIG_WCE = 11,
  BLK_F_MQ = 12,
  BLK_F_DISCARD = 13,
  BLK_F_WRITE_ZEROES = 14,
};
#define BLK_FEATURE(bit) (UINT64_C(1) << (bit))

typedef enum { CACHE_MODE_DEFAULT = -1, CACHE_MODE_WRITETHROUGH = 0, CACHE_MODE_WRITEBACK = 1 } CacheMode;

typedef struct VirtioBlk VirtioBlk;
typedef struct BlkQueue BlkQueue;
typedef struct BlkRequest BlkRequest;

/* Whether the thread lets a guest that has rung go on before it takes the CPU: blk-queue.c says what for. */
typedef struct {
  bool has;              /* it does */
  unsigned rung, served; /* since it was last looked at: doorbells, and the requests behind them */
  unsigned without;      /* doorbells that are served at once before the next try */
  unsigned in_vain;      /* how many these were the last time; 0: the last try was worth it */
} BlkPatience;

/* Its I/O thread's: the first one's is the device's, each other has one of its own. */
struct BlkQueue {
  VirtioBlk *blk;
  unsigned index;
  IoThread *io;
  DiskChannel *channel;
  bool running;
  bool stalled;   /* the queue was left alone as too many are in flight */
  bool waits;     /* and until `timer` says so, as the device is limited */
  IoTimer *timer; /* while it runs, of a device that is */
  bool pushed;    /* and no interrupt since */
  BlkPatience patience;
  unsigned in_flight;
  uint64_t submitted; /* bytes, with the image */
  GQueue waiting;     /* BlkRequest: in flight, with a piece still to be submitted; kept while stopped */
  BlkRequest *free_requests;
  VirtChain chain;
  LogLimit errors;
};

struct VirtioBlk {
  VirtioDevice base;
  DiskImage *image;
  uint8_t serial[VIRTIO_BLK_SERIAL_MAX]; /* padded with zeros */
  int cache_mode;                        /* CacheMode; atomic */
  bool unmaps;                           /* what the guest gives back is given back to the host */
  uint64_t max_bytes;                    /* that the image has at a time, of one queue */
  bool is_limited;                       /* by one of these, which all queues share */
  RateLimit requests, bytes;
  unsigned n_queues;
  BlkQueue *queues;
};

/* Whether writes may stay in the host's cache until a flush. */
bool blk_is_writeback(const VirtioBlk *blk);

/* Before the device is connected. INDEX 0 has the device's thread. */
bool blk_queue_init(BlkQueue *queue, VirtioBlk *blk, unsigned index, GError **error);
void blk_queue_clear(BlkQueue *queue); /* stopped; also one of zeros */
/* Into service, and out of it with no request in flight. On the device's thread; stop is for any queue. */
void blk_queue_start(BlkQueue *queue);
void blk_queue_stop(BlkQueue *queue);
/* On the queue's. */
void blk_queue_serve(BlkQueue *queue);

/* Nanoseconds of CLOCK_MONOTONIC, for rate limits. */
uint64_t blk_now(void);

/* Begins the request in CHAIN; it may be over at once. False: it was none, and the device has failed. */
bool blk_begin(BlkQueue *queue, const VirtChain *chain);
/* Whether the image may be given another piece. */
static inline bool blk_has_room(const BlkQueue *queue) {
  return queue->submitted < queue->blk->max_bytes;
}
/* Submits the next piece of each request that waits for it, as far as there is room. */
void blk_continue(BlkQueue *queue);
/* Forgets the requests that wait, unanswered: their queue is no more. Stopped. */
void blk_drop_waiting(BlkQueue *queue);
/* Releases the requests kept for later; none is in flight. */
void blk_free_requests(BlkQueue *queue);
