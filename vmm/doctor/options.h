/* SPDX-License-Identifier: Apache-2.0 */
/* What `eret doctor` is asked for. No lock: pure data. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  bool json, help;
} DoctorOptions;

/* ARGV is what follows `eret doctor`. MISTAKES gets a line for each. */
void doctor_options_parse(DoctorOptions *options, int argc, char **argv, GString *mistakes);
const char *doctor_options_help(void);
