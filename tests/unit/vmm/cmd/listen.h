/* SPDX-License-Identifier: Apache-2.0 */
/* What is written on standard error, which is the test's while it looks at it. Tests only. */
#pragma once

#include <glib.h>
#include <stdio.h>
#include <unistd.h>

/* What SPEAK writes there. Free with g_free. */
static inline char *listen_to(void (*speak)(void)) {
  int old = dup(STDERR_FILENO), ends[2];
  char text[4096];

  g_assert_cmpint(pipe(ends), ==, 0);
  fflush(stderr);
  dup2(ends[1], STDERR_FILENO);
  close(ends[1]);
  speak();
  fflush(stderr);
  dup2(old, STDERR_FILENO);
  close(old);
  ssize_t size = read(ends[0], text, sizeof text);
  close(ends[0]);
  return g_strndup(text, (gsize)MAX(size, 0));
}
