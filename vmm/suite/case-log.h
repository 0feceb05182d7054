/* SPDX-License-Identifier: Apache-2.0 */
/* What people read of what a case wrote: a file with all of it, and its last lines. The text is the guest's: any
 * bytes. No lock. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  const char *title;
  GBytes *bytes; /* as they were written */
} CaseLogPart;

/* HEAD, then each of the N PARTS behind its title. Nothing of it is copied in memory. */
bool case_log_write(const char *path, const char *head, const CaseLogPart *parts, unsigned n, GError **error);
/* The last lines of TEXT, at most 60, of each the first 500 bytes, and "..." where there were more; valid UTF-8.
 * NULL: there is none. Free with g_free. */
char *case_log_end(GBytes *text);
