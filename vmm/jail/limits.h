/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits of the jailed process. Linux: setrlimit(2). */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define JAIL_LIMIT_UNSET UINT64_MAX

typedef struct {
  uint64_t files;     /* descriptors; unset: as many as the host lets a process have, as virtiofsd holds one a file */
  uint64_t file_size; /* bytes; unset: as it is */
} JailLimits;

#define JAIL_LIMITS_NONE                                                                                                                   \
  (JailLimits) {                                                                                                                           \
    JAIL_LIMIT_UNSET, JAIL_LIMIT_UNSET                                                                                                     \
  }

/* "no-file=N", "fsize=BYTES". Returns NULL, or what is wrong with it; free with g_free. */
char *jail_limits_parse(JailLimits *limits, const char *text);
/* In force for the calling process and its children; needs root to raise one. */
bool jail_limits_set(const JailLimits *limits, GError **error);
