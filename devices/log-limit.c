/* SPDX-License-Identifier: Apache-2.0 */
/* See log-limit.h. */
#include "devices/log-limit.h"

void log_limit_say(LogLimit *limit, const char *who, const char *what) {
  gint64 now = g_get_monotonic_time();

  if (limit->said == 0 || now - limit->since >= LOG_LIMIT_PERIOD_US) {
    limit->since = now;
    limit->said = 0;
  }
  if (limit->said == LOG_LIMIT_MESSAGES) {
    limit->left_out++;
    return;
  }
  limit->said++;
  if (limit->left_out)
    g_message("%s: %s (%u messages like this one were left out)", who, what, limit->left_out);
  else if (limit->said == LOG_LIMIT_MESSAGES)
    g_message("%s: %s (for a while, no more messages like this one)", who, what);
  else
    g_message("%s: %s", who, what);
  limit->left_out = 0;
}
