/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line that the guest's init says on the control port (docs/exec-protocol.md, "Lines of the control port"). The guest
 * is hostile: what is not exactly the grammar is no line at all, and every number is bounded. Pure functions.
 */
#pragma once

typedef enum {
  CONTROL_NONE, /* not the protocol's */
  CONTROL_HELLO,
  CONTROL_WARNING,
  CONTROL_MISSING,
  CONTROL_STARTED,
  CONTROL_FAILED,
  CONTROL_EXIT,
  CONTROL_SIGNAL,
  CONTROL_SIGNAL_OOM,
  CONTROL_FILES_FAILED,
  CONTROL_FILES_END,
  CONTROL_DONE,
  CONTROL_PONG,
  CONTROL_TAINT,
} ControlKind;

typedef struct {
  ControlKind kind;
  unsigned number; /* version, process, error, status, signal or taint; 0 where the line has none */
  /*
   * What follows, within the line: never empty where the grammar has one, else NULL. Of CONTROL_NONE the line itself.
   */
  const char *text;
} ControlLine;

/* LINE is without its end. */
ControlLine control_line_parse(const char *line);
