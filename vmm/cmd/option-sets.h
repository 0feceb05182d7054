/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the commands that have them here. */
#pragma once

#include "vmm/options/option.h"

extern const OptionSet trace_option_set, cpu_dump_option_set, cpu_diff_option_set;
