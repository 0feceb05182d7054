/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a helper writes, as lines of the log. It may be a guest, or an image, that makes it talk: a line is bounded, so
 * is their number, and what is shown is fit to be. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
  const char *name; /* of the helper, the caller's */
  bool (*is_noise)(const char *line);
  size_t (*skip)(const char *line);
  GString *line; /* not complete yet */
  char *last;    /* the last line that was no noise, made printable; or NULL */
  unsigned n;    /* that were no noise */
} HelperLines;

/* IS_NOISE and SKIP as in HelperConfig. */
void helper_lines_init(HelperLines *lines, const char *name, bool (*is_noise)(const char *line), size_t (*skip)(const char *line));
void helper_lines_clear(HelperLines *lines);
/* Some more of it. */
void helper_lines_hear(HelperLines *lines, const char *bytes, size_t size);
/* Nothing more will come: what there is of a line is one. */
void helper_lines_end(HelperLines *lines);
/* What a helper says at most of itself: lines, in its life; the rest is counted. */
#define HELPER_LINES_MAX 200
