/* SPDX-License-Identifier: Apache-2.0 */
/* How often the engine on io_uring goes to the kernel for so many requests, and which it carries out itself. */
#define _GNU_SOURCE /* memfd_create, RTLD_NEXT */
#include <dlfcn.h>
#include <liburing.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "tests/unit/devices/backend/disk-fixture.h"

#define PIECE 4096
#define N     32

/* Counts what the engine calls. */
static int n_submits, n_taken; /* atomic: calls, and requests that went with them */
int io_uring_submit(struct io_uring *ring) {
  int (*next)(struct io_uring * ring) = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");
  int taken = next(ring);

  __atomic_fetch_add(&n_submits, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&n_taken, MAX(taken, 0), __ATOMIC_SEQ_CST);
  return taken;
}

/* The ring that the engine has last made. */
static struct io_uring *ring;
int io_uring_queue_init(unsigned entries, struct io_uring *made, unsigned flags) {
  int (*next)(unsigned entries, struct io_uring *ring, unsigned flags) =
      (int (*)(unsigned entries, struct io_uring *ring, unsigned flags))dlsym(RTLD_NEXT, "io_uring_queue_init");

  ring = made;
  return next(entries, made, flags);
}

/* A file in memory, by a path; its descriptor in FD. */
static char *make_memory_file(int *fd) {
  *fd = memfd_create("disk", MFD_CLOEXEC);
  g_assert_cmpint(*fd, >=, 0);
  g_assert_cmpint(ftruncate(*fd, SIZE), ==, 0);
  return g_strdup_printf("/proc/self/fd/%d", *fd);
}

static Fixture *open_ring(char *path, bool cow) {
  return fixture_open(&(DiskImageOptions){.engine = DISK_IMAGE_ENGINE_IO_URING, .cow = cow}, path);
}

/* N requests of a piece each, side by side in BYTES and in the file, all in one kick; returns when they are over. */
static void run_batch(Fixture *fixture, DiskImageOperation operation, uint8_t *bytes) {
  struct iovec iov[N];
  Request requests[N] = {0};
  Many many = {.fixture = fixture, .requests = requests, .n = N};

  for (unsigned i = 0; i < N; i++) {
    iov[i] = (struct iovec){bytes + (size_t)i * PIECE, PIECE};
    requests[i].io = (DiskImageRequest){.operation = operation, .offset = (uint64_t)i * PIECE, .size = PIECE, .iov = &iov[i], .n_iov = 1};
  }
  n_submits = n_taken = 0;
  io_thread_call(fixture->thread, submit_many, &many);
  for (unsigned i = 0; i < N; i++) {
    wait_for(&requests[i]);
    g_assert_cmpint(requests[i].result, ==, 0);
  }
}

/* What goes with one kick goes with one call. */
static void test_batch(void) {
  struct statfs status;

  if (statfs(g_get_tmp_dir(), &status) == 0 && status.f_type == TMPFS_MAGIC) {
    g_test_skip("temporary files are in memory");
    return;
  }
  Fixture *fixture = open_ring(NULL, false);
  g_autofree uint8_t *written = random_bytes(N * PIECE), *read = g_malloc0(N * PIECE);

  if (!fixture)
    return;
  run_batch(fixture, DISK_IMAGE_WRITE, written);
  assert_on_disk(fixture, 0, written, N * PIECE);
  run_batch(fixture, DISK_IMAGE_READ, read);
  g_assert_cmpint(n_submits, ==, 1);
  g_assert_cmpint(n_taken, ==, N);
  g_assert_cmpmem(read, N * PIECE, written, N * PIECE);
  fixture_free(fixture);
}

/* A file in memory needs no ring, and is over with the kick. */
static void test_in_memory(void) {
  int fd;
  Fixture *fixture = open_ring(make_memory_file(&fd), false);
  g_autofree uint8_t *written = random_bytes(N * PIECE), *read = g_malloc0(N * PIECE);

  if (!fixture) {
    close(fd);
    return;
  }
  run_batch(fixture, DISK_IMAGE_WRITE, written);
  g_assert_cmpint(n_submits, ==, 0);
  g_assert_cmpint(fixture->in_kicks, ==, N);
  assert_on_disk(fixture, 0, written, N * PIECE);
  run_batch(fixture, DISK_IMAGE_READ, read);
  g_assert_cmpint(fixture->in_kicks, ==, 2 * N);
  g_assert_cmpmem(read, N * PIECE, written, N * PIECE);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_WRITE_ZEROES, 0, PIECE, true), ==, 0);
  memset(written, 0, PIECE);
  assert_on_disk(fixture, 0, written, N * PIECE);
  g_assert_cmpint(n_submits, ==, 0);
  fixture_free(fixture);
  close(fd);
}

static void test_in_memory_shrunken(void) {
  int fd;
  Fixture *fixture = open_ring(make_memory_file(&fd), false);
  uint8_t bytes[PIECE];

  if (fixture) {
    g_assert_cmpint(ftruncate(fd, SIZE / 2), ==, 0);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, SIZE - PIECE, bytes, PIECE), ==, -EIO);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, bytes, PIECE), ==, 0);
    fixture_free(fixture);
  }
  close(fd);
}

/* A read in thousands of parts, each of which ends where the next begins, takes no more of the stack than another. */
static void test_ragged(void) {
  int fd;
  bool in_memory = g_file_test("/dev/shm", G_FILE_TEST_IS_DIR);
  g_autofree char *directory = g_strdup(g_getenv("TMPDIR"));
  if (in_memory)
    g_setenv("TMPDIR", "/dev/shm", true);
  Fixture *fixture = open_ring(make_memory_file(&fd), true);
  g_autofree uint8_t *bytes = g_malloc0(SIZE), *read = g_malloc0(SIZE);

  if (directory)
    g_setenv("TMPDIR", directory, true);
  else
    g_unsetenv("TMPDIR");
  for (unsigned i = 0; fixture && i < SIZE; i += 2 * DISK_SECTOR_SIZE) {
    memset(bytes + i, (int)(i / DISK_SECTOR_SIZE % 255 + 1), DISK_SECTOR_SIZE);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, i, bytes + i, DISK_SECTOR_SIZE), ==, 0);
  }
  if (fixture) {
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, read, SIZE), ==, 0);
    g_assert_cmpmem(read, SIZE, bytes, SIZE);
    memset(bytes, 0, SIZE);
    assert_on_disk(fixture, 0, bytes, SIZE); /* the image itself is as it was */
    fixture_free(fixture);
  }
  close(fd);
}

static int carry_out(struct io_uring_sqe *sqe) {
  struct io_uring_cqe *cqe;

  g_assert_nonnull(sqe);
  g_assert_cmpint(io_uring_submit(ring), ==, 1);
  g_assert_cmpint(io_uring_wait_cqe(ring, &cqe), ==, 0);
  int result = cqe->res;
  io_uring_cqe_seen(ring, cqe);
  return result;
}

/* On the I/O thread, whose ring it is. */
static void misuse_ring(void *opaque) {
  const int *fds = opaque;
  struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

  io_uring_prep_openat(sqe, AT_FDCWD, "/dev/null", O_RDONLY, 0);
  g_assert_cmpint(carry_out(sqe), ==, -EACCES);
  sqe = io_uring_get_sqe(ring);
  io_uring_prep_send(sqe, fds[0], "x", 1, 0);
  g_assert_cmpint(carry_out(sqe), ==, -EACCES);
  sqe = io_uring_get_sqe(ring);
  io_uring_prep_nop(sqe);
  g_assert_cmpint(carry_out(sqe), ==, -EACCES);
  g_assert_cmpint(io_uring_register_eventfd(ring, fds[0]), ==, -EACCES);
}

/* Whoever has the ring in his hands opens, connects and sends nothing by it. */
static void test_restricted(void) {
  Fixture *fixture = open_ring(NULL, false);
  int fds[2];

  if (!fixture)
    return;
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  io_thread_call(fixture->thread, misuse_ring, fds);
  close(fds[0]);
  close(fds[1]);
  fixture_free(fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/disk-image-uring/restricted", test_restricted);
  g_test_add_func("/disk-image-uring/batch", test_batch);
  g_test_add_func("/disk-image-uring/in-memory", test_in_memory);
  g_test_add_func("/disk-image-uring/in-memory/shrunken", test_in_memory_shrunken);
  g_test_add_func("/disk-image-uring/ragged", test_ragged);
  return g_test_run();
}
