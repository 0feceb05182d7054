/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/doctor/options.h"

static const Option options[] = {
    OPTION("json", FLAG, DoctorOptions, json, NULL, "The same as JSON: docs/doctor.md has its keys."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet doctor_option_set = {
    .command = "doctor",
    .usage = "Usage: eret doctor [OPTION]...\n"
             "Say what this host can do, what that means for guests, and what is missing.",
    .closing = "Exit status: 0 when guests run here, 77 when KVM cannot be used.",
    .tables = {options},
};
