/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the disk from inside the guest: so many requests of 4 KiB, so many of them at a time, past the page cache
 * (O_DIRECT, Linux AIO), and prints how long they took. Runs of few requests are what an emulated host can afford, so
 * one that begins at once and prints one line is better here than a large program.
 *
 *   block-load DEVICE read|write sequential|random DEPTH REQUESTS      write: each batch of DEPTH is followed by fdatasync
 *
 * Prints: BENCH block NANOSECONDS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BLOCK         4096
#define MAX_DEPTH     32
#define NS_PER_SECOND 1000000000ull
#define SEED          0x9e3779b97f4a7c15ull

typedef struct {
  int fd;
  bool write, random;
  unsigned depth;
  uint64_t blocks, next, state; /* of the device; of a sequential load; of the random numbers */
  aio_context_t aio;
  unsigned char *buffers;
} Load;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

/* xorshift64: Marsaglia, "Xorshift RNGs" (2003). The same sequence in each run. */
static uint64_t next_block(Load *load) {
  if (!load->random)
    return load->next++ % load->blocks;
  load->state ^= load->state << 13;
  load->state ^= load->state >> 7;
  load->state ^= load->state << 17;
  return load->state % load->blocks;
}

static void submit(Load *load, unsigned slot) {
  struct iocb request = {
      .aio_data = slot,
      .aio_lio_opcode = load->write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
      .aio_fildes = (uint32_t)load->fd,
      .aio_buf = (uint64_t)(uintptr_t)(load->buffers + (size_t)slot * BLOCK),
      .aio_nbytes = BLOCK,
      .aio_offset = (int64_t)(next_block(load) * BLOCK),
  };
  struct iocb *list[] = {&request};

  if (syscall(SYS_io_submit, load->aio, 1, list) != 1)
    fail("io_submit");
}

/* At least one request has ended: returns how many, their slots in SLOTS. */
static unsigned await(Load *load, unsigned slots[MAX_DEPTH]) {
  struct io_event events[MAX_DEPTH];
  long n = syscall(SYS_io_getevents, load->aio, 1, MAX_DEPTH, events, NULL);

  if (n < 1)
    fail("io_getevents");
  for (long i = 0; i < n; i++) {
    if (events[i].res != BLOCK)
      fail("a request");
    slots[i] = (unsigned)events[i].data;
  }
  return (unsigned)n;
}

/* As many as the depth at a time, a new one for each that has ended. */
static void read_all(Load *load, unsigned requests) {
  unsigned begun = 0, ended = 0, slots[MAX_DEPTH];

  while (begun < load->depth && begun < requests)
    submit(load, begun++);
  while (ended < requests) {
    unsigned n = await(load, slots);
    for (unsigned i = 0; i < n && begun < requests; i++, begun++)
      submit(load, slots[i]);
    ended += n;
  }
}

static void write_all(Load *load, unsigned requests) {
  unsigned slots[MAX_DEPTH];

  for (unsigned done = 0; done < requests;) {
    unsigned batch = load->depth < requests - done ? load->depth : requests - done;
    for (unsigned i = 0; i < batch; i++)
      submit(load, i);
    for (unsigned i = 0; i < batch;)
      i += await(load, slots);
    if (fdatasync(load->fd) < 0)
      fail("fdatasync");
    done += batch;
  }
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: block-load DEVICE read|write sequential|random DEPTH REQUESTS\n");
    return 2;
  }
  Load load = {
      .write = strcmp(argv[2], "write") == 0,
      .random = strcmp(argv[3], "random") == 0,
      .depth = (unsigned)atoi(argv[4]),
      .state = SEED,
  };
  unsigned requests = (unsigned)atoi(argv[5]);
  uint64_t size = 0;

  if (load.depth < 1 || load.depth > MAX_DEPTH)
    load.depth = 1;
  load.fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
  if (load.fd < 0 || ioctl(load.fd, BLKGETSIZE64, &size) < 0)
    fail(argv[1]);
  load.blocks = size / BLOCK;
  if (load.blocks == 0 || posix_memalign((void **)&load.buffers, BLOCK, (size_t)MAX_DEPTH * BLOCK) != 0)
    fail("memory");
  memset(load.buffers, 1, (size_t)MAX_DEPTH * BLOCK);
  if (syscall(SYS_io_setup, MAX_DEPTH, &load.aio) < 0)
    fail("io_setup");

  uint64_t start = now();
  if (load.write)
    write_all(&load, requests);
  else
    read_all(&load, requests);
  printf("BENCH block %llu\n", (unsigned long long)(now() - start));
  return 0;
}
