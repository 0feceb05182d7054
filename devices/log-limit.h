/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message about what somebody else can bring about any number of times: a guest, a back end, who connects to a
 * socket. Said so often that whoever looks knows, and not so often that the log is full of it.
 *
 * No lock: one thread's.
 */
#pragma once

#include <glib.h>

#define LOG_LIMIT_MESSAGES  6                      /* of one limit */
#define LOG_LIMIT_PERIOD_US (600 * G_USEC_PER_SEC) /* from the first of them on; then they begin anew */

/* Begins as zeros. */
typedef struct {
  gint64 since; /* by the monotonic clock */
  unsigned said, left_out;
} LogLimit;

/* "WHO: WHAT" as a message, unless there were too many of late; the next one that is said tells how many were not. */
void log_limit_say(LogLimit *limit, const char *who, const char *what);
