/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a run, for programs: `eret exec --result FILE`. docs/exec-protocol.md describes the fields. No lock:
 * pure data.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/output-file.h"

/* Steps of a run: nanoseconds of one clock; 0: it did not come to that. */
typedef struct {
  uint64_t start, first_instruction, init, command_started, command_ended, end;
} ExecTimes;

typedef struct {
  const char *outcome; /* "command", "panic" ... */
  int exit_status;
  const char *message, *fingerprint, *trace, *progress; /* or NULL */
  const GArray *reports;                                /* of KernelReport, or NULL */
  ExecTimes times;
} ExecResult;

bool exec_result_write(const ExecResult *result, OutputFile *file, GError **error);
