/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `eret doctor`. No lock: pure data. */
#include "vmm/doctor/options.h"

#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/nearest.h"
#include "vmm/config/config-option.h"

static const char help_text[] = "Usage: eret doctor [OPTION]...\n"
                                "Say what this host can do, what that means for guests, and what is missing.\n\n"
                                "  --json                The same as JSON: docs/doctor.md has its keys.\n"
                                "  --help                This text.\n\n"
                                "Exit status: 0 when guests run here, 77 when KVM cannot be used.\n";

const char *doctor_options_help(void) {
  return help_text;
}

void doctor_options_parse(DoctorOptions *options, int argc, char **argv, GString *mistakes) {
  static const char *const names[] = {"json", "help", NULL};

  *options = (DoctorOptions){0};
  bool ended = false;
  for (int i = 0; i < argc; i++) {
    if (!ended && strcmp(argv[i], "--") == 0) {
      ended = true;
      continue;
    }
    if (ended || argv[i][0] != '-') {
      mistake(mistakes, "unexpected argument '%s'", argv[i]);
      continue;
    }
    const char *nearest = nearest_name(argv[i] + strspn(argv[i], "-"), names);
    if (strcmp(argv[i], "--json") == 0)
      options->json = true;
    else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
      options->help = true;
    else if (nearest)
      mistake(mistakes, "unknown option %s; did you mean --%s?", argv[i], nearest);
    else
      mistake(mistakes, "unknown option %s", argv[i]);
  }
}
