/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the disk from inside the guest: so many requests, so many of them at a time, past the page cache (O_DIRECT,
 * Linux AIO), and prints how long they took. Runs of few requests are what an emulated host can afford, so one that
 * begins at once and prints one line is better here than a large program.
 *
 *   block-load DEVICE read|write|fill sequential|random DEPTH REQUESTS [BYTES [JOBS]]
 *
 *   write: each batch of DEPTH is followed by fdatasync     fill: one fdatasync, behind the last
 *   BYTES: of a request (4096)                              JOBS: processes, each on a CPU of its own, with DEPTH each,
 *                                                           and REQUESTS between them (1)
 *
 * Prints: BENCH block NANOSECONDS
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK         4096
#define MAX_BYTES     (1u << 20)
#define MAX_DEPTH     32
#define MAX_JOBS      64
#define NS_PER_SECOND 1000000000ull
#define SEED          0x9e3779b97f4a7c15ull

typedef struct {
  int fd;
  bool write, syncs, random;
  unsigned depth, bytes;
  uint64_t blocks, next, state; /* of BYTES, of the device; of a sequential load; of the random numbers */
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
      .aio_buf = (uint64_t)(uintptr_t)(load->buffers + (size_t)slot * load->bytes),
      .aio_nbytes = load->bytes,
      .aio_offset = (int64_t)(next_block(load) * load->bytes),
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
    if (events[i].res != load->bytes)
      fail("a request");
    slots[i] = (unsigned)events[i].data;
  }
  return (unsigned)n;
}

/* As many as the depth at a time, a new one for each that has ended. */
static void keep_up(Load *load, unsigned requests) {
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

static void sync_all(const Load *load) {
  if (fdatasync(load->fd) < 0)
    fail("fdatasync");
}

static void write_batches(Load *load, unsigned requests) {
  unsigned slots[MAX_DEPTH];

  for (unsigned done = 0; done < requests;) {
    unsigned batch = load->depth < requests - done ? load->depth : requests - done;
    for (unsigned i = 0; i < batch; i++)
      submit(load, i);
    for (unsigned i = 0; i < batch;)
      i += await(load, slots);
    sync_all(load);
    done += batch;
  }
}

static void open_device(Load *load, const char *path) {
  uint64_t size = 0;

  load->fd = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
  if (load->fd < 0 || ioctl(load->fd, BLKGETSIZE64, &size) < 0)
    fail(path);
  load->blocks = size / load->bytes;
  if (load->blocks == 0 || posix_memalign((void **)&load->buffers, BLOCK, (size_t)MAX_DEPTH * load->bytes) != 0)
    fail("memory");
  memset(load->buffers, 1, (size_t)MAX_DEPTH * load->bytes);
  if (syscall(SYS_io_setup, MAX_DEPTH, &load->aio) < 0)
    fail("io_setup");
}

/* Of as many CPUs as there are: a queue of the disk is that of a CPU. */
static void stay_on_cpu(unsigned job) {
  cpu_set_t cpus;
  long n = sysconf(_SC_NPROCESSORS_ONLN);

  CPU_ZERO(&cpus);
  CPU_SET(job % (unsigned)(n > 0 ? n : 1), &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
}

static void run(Load *load, unsigned requests) {
  if (load->syncs) {
    write_batches(load, requests);
    return;
  }
  keep_up(load, requests);
  if (load->write)
    sync_all(load);
}

/* One job: says on TELL that it is ready, begins when START has an end, and says when it has ended. */
static void child(Load load, const char *path, unsigned job, unsigned jobs, unsigned requests, int start, int tell) {
  uint64_t time = 0;

  stay_on_cpu(job);
  open_device(&load, path);
  load.state += job;
  load.next = load.blocks / jobs * job;
  if (write(tell, &time, sizeof time) != sizeof time || read(start, &time, 1) != 0)
    fail("a pipe");
  run(&load, requests / jobs + (job < requests % jobs));
  time = now();
  if (write(tell, &time, sizeof time) != sizeof time)
    fail("a pipe");
  exit(0);
}

/* The latest of what the jobs say next. */
static uint64_t hear(int from, unsigned jobs) {
  uint64_t latest = 0, time;

  for (unsigned i = 0; i < jobs; i++) {
    if (read(from, &time, sizeof time) != sizeof time)
      exit(1); /* one has failed, and said why */
    if (time > latest)
      latest = time;
  }
  return latest;
}

static uint64_t run_jobs(const Load *load, const char *path, unsigned jobs, unsigned requests) {
  int start[2], told[2];

  if (pipe(start) < 0 || pipe(told) < 0)
    fail("pipe");
  for (unsigned job = 0; job < jobs; job++) {
    pid_t pid = fork();
    if (pid < 0)
      fail("fork");
    if (pid > 0)
      continue;
    close(start[1]);
    child(*load, path, job, jobs, requests, start[0], told[1]);
  }
  close(told[1]);
  hear(told[0], jobs);
  uint64_t begun = now();
  close(start[1]);
  uint64_t ended = hear(told[0], jobs);
  while (wait(NULL) > 0)
    continue;
  return ended - begun;
}

/* The argument, where there is one, within 1 and MAX. */
static unsigned number(int argc, char **argv, int at, unsigned usual, unsigned max) {
  int value = argc > at ? atoi(argv[at]) : (int)usual;

  if (value >= 1 && (unsigned)value <= max)
    return (unsigned)value;
  fprintf(stderr, "block-load: %s is not from 1 to %u\n", argv[at], max);
  exit(2);
}

int main(int argc, char **argv) {
  if (argc < 6 || argc > 8) {
    fprintf(stderr, "usage: block-load DEVICE read|write|fill sequential|random DEPTH REQUESTS [BYTES [JOBS]]\n");
    return 2;
  }
  Load load = {
      .write = strcmp(argv[2], "read") != 0,
      .syncs = strcmp(argv[2], "write") == 0,
      .random = strcmp(argv[3], "random") == 0,
      .depth = number(argc, argv, 4, 1, MAX_DEPTH),
      .bytes = number(argc, argv, 6, BLOCK, MAX_BYTES),
      .state = SEED,
  };
  unsigned requests = number(argc, argv, 5, 1, INT32_MAX), jobs = number(argc, argv, 7, 1, MAX_JOBS);

  printf("BENCH block %llu\n", (unsigned long long)run_jobs(&load, argv[1], jobs, requests));
  return 0;
}
