/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a run: what they are called, what they are counted in, what eret wants to reach. */
#pragma once

#include <glib.h>

typedef enum {
  FIGURE_COUNT, /* means the same on every host */
  FIGURE_TIME,  /* nanoseconds: on an emulated host only in relation to another of the same run */
  FIGURE_RATE,  /* a second: the same, but more is better */
} FigureKind;

typedef enum {
  TARGET_NONE,
  TARGET_AT_MOST,       /* eret's own value */
  TARGET_RATIO_AT_MOST, /* eret's over the reference's */
  TARGET_RATIO_AT_LEAST,
} TargetKind;

typedef enum { SUBJECT_ERET, SUBJECT_QEMU, SUBJECT_MINIMAL, SUBJECT_PACKED, N_SUBJECTS } Subject;

typedef struct {
  const char *id, *group, *title, *unit;
  FigureKind kind;
  Subject reference; /* what eret is compared with */
  TargetKind target_kind;
  double target;
} Figure;

extern const Figure figures[];
extern const guint n_figures;

/* As samples name it. */
const char *subject_name(Subject subject);
/* As people read it. */
const char *subject_title(Subject subject);
