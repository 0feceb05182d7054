/* SPDX-License-Identifier: Apache-2.0 */
/* See rate-limit.h. */
#include "devices/virtio/rate-limit.h"

#include <stdbool.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define KEPT_NS       (NS_PER_SECOND / 10)

/* RATE_LIMIT_MAX is such that this does not overflow. */
static uint64_t cost(const RateLimit *limit, uint64_t amount) {
  uint64_t per_second = limit->per_second;

  return amount / per_second * NS_PER_SECOND + amount % per_second * NS_PER_SECOND / per_second;
}

uint64_t rate_limit_wait(const RateLimit *limit, uint64_t now) {
  uint64_t full_at = __atomic_load_n(&limit->full_at, __ATOMIC_RELAXED);

  return full_at > now + KEPT_NS ? full_at - now - KEPT_NS : 0;
}

void rate_limit_take(RateLimit *limit, uint64_t amount, uint64_t now) {
  if (!limit->per_second)
    return;
  uint64_t full_at = __atomic_load_n(&limit->full_at, __ATOMIC_RELAXED), then;
  do
    then = MAX(full_at, now) + cost(limit, amount);
  while (!__atomic_compare_exchange_n(&limit->full_at, &full_at, then, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}
