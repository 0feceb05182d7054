/* SPDX-License-Identifier: Apache-2.0 */
/* What `eret doctor` is asked for. No lock: pure data. */
#pragma once

#include "vmm/options/option.h"

typedef struct {
  bool json;
} DoctorOptions;

extern const OptionSet doctor_option_set;
