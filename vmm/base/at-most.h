/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest can bring about any number of times, and is told only so many times. No lock: the count is atomic. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Whether this is one of the first MAX times that it is asked of COUNT, which begins at 0. Any thread. The count stops
 * at about MAX: one that went on would be negative after 2^31 times, and everything would be told again.
 */
static inline bool at_most(gint *count, gint max) {
  return __atomic_load_n(count, __ATOMIC_SEQ_CST) < max && __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST) < max;
}
