/* SPDX-License-Identifier: Apache-2.0 */
/* Rate limits: devices/virtio/rate-limit.c, by a clock of the test's. */
#include "devices/virtio/rate-limit.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define START  (5 * SECOND)

/* As much as may be taken at NOW, in steps of AMOUNT. */
static unsigned take_all(RateLimit *limit, uint64_t amount, uint64_t now) {
  unsigned n = 0;

  for (; rate_limit_wait(limit, now) == 0 && n < 1000000; n++)
    rate_limit_take(limit, amount, now);
  return n;
}

static void test_none(void) {
  RateLimit limit = {0};

  rate_limit_take(&limit, UINT64_MAX, START);
  g_assert_cmpuint(rate_limit_wait(&limit, START), ==, 0);
}

/* A tenth of a second's at once, and one; then so many in each second, however often one looks. */
static void test_average(void) {
  static const uint64_t rates[] = {1, 7, 10, 1000, 65536};

  for (unsigned i = 0; i < G_N_ELEMENTS(rates); i++) {
    RateLimit limit = {.per_second = rates[i]};
    unsigned first = take_all(&limit, 1, START), taken = 0;
    uint64_t now = START;

    g_assert_cmpuint(first, ==, rates[i] / 10 + 1);
    for (unsigned step = 1; now < START + 20 * SECOND; step = step % 37 + 1) {
      now += step * MS;
      taken += take_all(&limit, 1, now);
    }
    g_assert_cmpuint(taken, >=, rates[i] * 20 - 1);
    g_assert_cmpuint(taken, <=, rates[i] * 20 + rates[i] / 10 + 1);
    /* What was not taken for a long time is not kept. */
    g_assert_cmpuint(take_all(&limit, 1, now + 1000 * SECOND), <=, rates[i] / 10 + 1);
  }
}

/* It says when to come again, and not too early. */
static void test_wait(void) {
  RateLimit limit = {.per_second = 100};
  uint64_t now = START;

  take_all(&limit, 1, now);
  for (unsigned i = 0; i < 100; i++) {
    uint64_t wait = rate_limit_wait(&limit, now);
    g_assert_cmpuint(wait, ==, 10 * MS);
    g_assert_cmpuint(rate_limit_wait(&limit, now + wait - 1), ==, 1);
    now += wait;
    g_assert_cmpuint(take_all(&limit, 1, now), ==, 1);
  }
}

/* One that is larger than all that there is goes through, and is paid for. */
static void test_large(void) {
  RateLimit limit = {.per_second = 1 << 20};

  g_assert_cmpuint(rate_limit_wait(&limit, START), ==, 0);
  rate_limit_take(&limit, 10 << 20, START);
  g_assert_cmpuint(rate_limit_wait(&limit, START), ==, 10 * SECOND - 100 * MS);
  rate_limit_take(&limit, 1 << 20, START); /* by another thread that looked before */
  g_assert_cmpuint(rate_limit_wait(&limit, START), ==, 11 * SECOND - 100 * MS);
  limit = (RateLimit){.per_second = RATE_LIMIT_MAX};
  rate_limit_take(&limit, RATE_LIMIT_MAX - 1, START);
  g_assert_cmpuint(rate_limit_wait(&limit, START), ==, 900 * MS - 1);
  limit = (RateLimit){.per_second = 1024};
  rate_limit_take(&limit, UINT64_C(1) << 39, START); /* the longest request that a queue takes */
  g_assert_cmpuint(rate_limit_wait(&limit, START), ==, (UINT64_C(1) << 29) * SECOND - 100 * MS);
}

typedef struct {
  RateLimit *limit;
  unsigned taken;
} Taker;

static gpointer take_at_once(gpointer data) {
  Taker *taker = data;

  taker->taken = take_all(taker->limit, 1, START);
  return NULL;
}

/* Threads that share one take no more than one too many each, and all that they take is counted. */
static void test_threads(void) {
  enum { N = 4, RATE = 200000 };
  RateLimit limit = {.per_second = RATE};
  Taker takers[N];
  GThread *threads[N];
  unsigned taken = 0;

  for (unsigned i = 0; i < N; i++) {
    takers[i] = (Taker){&limit, 0};
    threads[i] = g_thread_new("taker", take_at_once, &takers[i]);
  }
  for (unsigned i = 0; i < N; i++) {
    g_thread_join(threads[i]);
    taken += takers[i].taken;
  }
  g_assert_cmpuint(taken, >=, RATE / 10 + 1);
  g_assert_cmpuint(taken, <=, RATE / 10 + N);
  g_assert_cmpuint(limit.full_at, ==, START + taken * (SECOND / RATE));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/rate-limit/none", test_none);
  g_test_add_func("/rate-limit/average", test_average);
  g_test_add_func("/rate-limit/wait", test_wait);
  g_test_add_func("/rate-limit/large", test_large);
  g_test_add_func("/rate-limit/threads", test_threads);
  return g_test_run();
}
