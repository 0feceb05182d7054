/* SPDX-License-Identifier: Apache-2.0 */
/* What a block device costs its host and its guest for many requests at a time: system calls and interrupts. */
#define _GNU_SOURCE /* RTLD_NEXT, preadv2 */
#include <dlfcn.h>
#include <liburing.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include "tests/unit/devices/virtio/blk-fixture.h"

#define DEPTH 32
#define BLOCK 4096

static int n_submits; /* atomic */
int io_uring_submit(struct io_uring *ring) {
  int (*next)(struct io_uring * ring) = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, "io_uring_submit");

  __atomic_fetch_add(&n_submits, 1, __ATOMIC_SEQ_CST);
  return next(ring);
}

/* What the device's thread has last asked for, and how often. */
static int policy, n_policies; /* atomic */
int sched_setscheduler(pid_t pid, int wanted, const struct sched_param *parameters) {
  __atomic_store_n(&policy, wanted, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&n_policies, 1, __ATOMIC_SEQ_CST);
  return 0;
}

static int found; /* atomic: what the thread had before */
int sched_getscheduler(pid_t pid) {
  return __atomic_load_n(&found, __ATOMIC_SEQ_CST);
}

static bool in_memory(const Fixture *fixture) {
  struct statfs status;

  return fstatfs(fixture->fd, &status) == 0 && status.f_type == TMPFS_MAGIC;
}

/* Whether the kernel can read at once what it has: not every file system lets it know. */
static bool reads_at_once(const Fixture *fixture) {
  uint8_t byte;
  struct iovec iov = {&byte, 1};

  return in_memory(fixture) || preadv2(fixture->fd, &iov, 1, 0, RWF_NOWAIT) == 1;
}

/* DEPTH reads behind one doorbell; all that they find is in the host's page cache. */
static void read_many(Fixture *fixture) {
  static const uint32_t whole = UINT32_MAX;
  Request requests[DEPTH];
  FakeBuffer buffers[2];

  for (unsigned i = 0; i < DEPTH; i++) {
    requests[i] = make_request(fixture, T_IN, i * (BLOCK / 512), NULL, 0, BLOCK);
    fake_add_indirect(fixture->guest, 0, buffers, cut(&requests[i], &whole, 1, buffers));
  }
  fake_kick(fixture->guest, 0);
  for (unsigned i = 0; i < DEPTH; i++)
    fake_take(fixture->guest, 0, NULL);
  fake_settle(fixture->guest);
  for (unsigned i = 0; i < DEPTH; i++) {
    const uint8_t *in = fake_at(fixture->guest, requests[i].in);

    g_assert_cmpuint(in[BLOCK], ==, S_OK);
    assert_sectors(fixture, i * (BLOCK / 512), in, BLOCK);
  }
}

static void test_one_of_each(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_IO_URING));

  if (!fixture)
    return;
  if (!reads_at_once(fixture))
    g_test_skip("temporary files are on a file system that may wait for what it has");
  for (unsigned round = 0; round < 3 && reads_at_once(fixture); round++) {
    int interrupts = __atomic_load_n(&fixture->guest->interrupts[0], __ATOMIC_SEQ_CST);

    __atomic_store_n(&n_submits, 0, __ATOMIC_SEQ_CST);
    read_many(fixture);
    g_assert_cmpint(__atomic_load_n(&fixture->guest->interrupts[0], __ATOMIC_SEQ_CST), ==, interrupts + 1);
    g_assert_cmpint(__atomic_load_n(&n_submits, __ATOMIC_SEQ_CST), ==, in_memory(fixture) ? 0 : 1);
  }
  fixture_free(fixture);
}

static Request make_read(Fixture *fixture, unsigned block) {
  return make_request(fixture, T_IN, block * (BLOCK / 512), NULL, 0, BLOCK);
}

static void add(Fixture *fixture, const Request *request) {
  static const uint32_t whole = UINT32_MAX;
  FakeBuffer buffers[2];

  fake_add_indirect(fixture->guest, 0, buffers, cut(request, &whole, 1, buffers));
}

/* COUNT reads behind a doorbell, ROUNDS times. */
static void ring(Fixture *fixture, unsigned rounds, unsigned count) {
  Request request = make_read(fixture, 1);

  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned i = 0; i < count; i++)
      add(fixture, &request);
    fake_kick(fixture->guest, 0);
    for (unsigned i = 0; i < count; i++)
      fake_take(fixture->guest, 0, NULL);
    fake_settle(fixture->guest);
  }
}

static void assert_policy(int wanted, int changes) {
  g_assert_cmpint(__atomic_load_n(&policy, __ATOMIC_SEQ_CST), ==, wanted);
  g_assert_cmpint(__atomic_exchange_n(&n_policies, 0, __ATOMIC_SEQ_CST), ==, changes);
}

/*
 * A thread whose guest rings for each request lets it go on for 8 doorbells, and does so no more if that was in vain...
 */
static void test_patience_in_vain(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));

  __atomic_store_n(&n_policies, 0, __ATOMIC_SEQ_CST);
  ring(fixture, 64, 1);
  assert_policy(SCHED_OTHER, 0);
  ring(fixture, 1, 1);
  assert_policy(SCHED_BATCH, 1);
  ring(fixture, 8, 1);
  assert_policy(SCHED_OTHER, 1);
  /* ... but for later tries, ever more rarely. */
  for (unsigned without = 64; without <= 256; without *= 2) {
    ring(fixture, without, 1);
    assert_policy(SCHED_OTHER, 0);
    ring(fixture, 1, 1);
    assert_policy(SCHED_BATCH, 1);
    ring(fixture, 8, 1);
    assert_policy(SCHED_OTHER, 1);
  }
  fixture_free(fixture);
}

/* What has been worth it stays as long as it is, and is tried as soon as before when it is no more. */
static void test_patience_worth_it(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));

  __atomic_store_n(&n_policies, 0, __ATOMIC_SEQ_CST);
  ring(fixture, 65, 1);
  assert_policy(SCHED_BATCH, 1);
  ring(fixture, 400, 5);
  assert_policy(SCHED_BATCH, 0);
  ring(fixture, 8, 1);
  assert_policy(SCHED_OTHER, 1);
  ring(fixture, 65, 1);
  assert_policy(SCHED_BATCH, 1);
  fixture_free(fixture);
}

/* A guest that has several requests behind each doorbell needs none. */
static void test_patience_unasked(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));

  __atomic_store_n(&n_policies, 0, __ATOMIC_SEQ_CST);
  ring(fixture, 100, 3);
  g_assert_cmpint(__atomic_load_n(&n_policies, __ATOMIC_SEQ_CST), ==, 0);
  fixture_free(fixture);
}

/* Who runs eret with a policy of his own keeps it. */
static void test_patience_chosen(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO));

  __atomic_store_n(&n_policies, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&found, SCHED_FIFO, __ATOMIC_SEQ_CST);
  ring(fixture, 200, 1);
  g_assert_cmpint(__atomic_load_n(&n_policies, __ATOMIC_SEQ_CST), ==, 0);
  __atomic_store_n(&found, SCHED_OTHER, __ATOMIC_SEQ_CST);
  fixture_free(fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/blk-batch/one-of-each", test_one_of_each);
  g_test_add_func("/blk-batch/patience-in-vain", test_patience_in_vain);
  g_test_add_func("/blk-batch/patience-worth-it", test_patience_worth_it);
  g_test_add_func("/blk-batch/patience-unasked", test_patience_unasked);
  g_test_add_func("/blk-batch/patience-chosen", test_patience_chosen);
  return g_test_run();
}
