/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of something may happen in a second: a bucket of tokens, as the moment at which it will be full again. What
 * is taken may be more than there is, and is then paid for before anything else is; what was not taken is kept for a
 * tenth of a second.
 *
 * Locks: none. Any number of threads share one, and each of them may take a last one too many.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define RATE_LIMIT_MAX (UINT64_C(16) << 30)

typedef struct {
  uint64_t per_second; /* at most RATE_LIMIT_MAX; 0: there is no limit */
  uint64_t full_at;    /* nanoseconds of CLOCK_MONOTONIC; atomic. Begins as 0 */
} RateLimit;

/* Nanoseconds until something may be taken, at NOW; 0: it may. */
uint64_t rate_limit_wait(const RateLimit *limit, uint64_t now);
void rate_limit_take(RateLimit *limit, uint64_t amount, uint64_t now);
