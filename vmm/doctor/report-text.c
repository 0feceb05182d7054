/* SPDX-License-Identifier: Apache-2.0 */
/* The verdict in a sentence, a table by group, the advice. What is not known is left out. */
#include <string.h>

#include "vmm/doctor/report.h"

#define LABEL_WIDTH 29
#define VALUE_WIDTH 12

static const struct {
  const char *group, *title;
} groups[] = {
    {"host", "Host"},
    {"cpu", "CPUs"},
    {"kvm", "KVM"},
    {"guests", "A guest can have"},
    {"cpu_features", "KVM can give a guest's CPUs"},
    {"monitor_features", "KVM can give a monitor"},
    {"memory", "Kinds of memory"},
    {"limits", "Limits of this process"},
    {"tools", "Beside eret"},
};

static void add_group(GString *out, const Doctor *doctor, const char *group, const char *title) {
  bool begun = false;

  for (unsigned i = 0; i < doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(doctor->findings, i);
    if (strcmp(finding->group, group) != 0 || !finding->text || !*finding->text)
      continue;
    if (!begun)
      g_string_append_printf(out, "\n%s\n", title);
    begun = true;
    if (finding->meaning)
      g_string_append_printf(out, "  %-*s %-*s  %s\n", LABEL_WIDTH, finding->label, VALUE_WIDTH, finding->text, finding->meaning);
    else
      g_string_append_printf(out, "  %-*s %s\n", LABEL_WIDTH, finding->label, finding->text);
  }
}

void doctor_report_text(GString *out, const Doctor *doctor) {
  g_string_append_printf(out, "%s: %s.%s%s\n", doctor->guests ? "Guests run here" : "No guests here", doctor->reason,
                         doctor->cure ? " " : "", doctor->cure ? doctor->cure : "");
  for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
    add_group(out, doctor, groups[i].group, groups[i].title);
  if (doctor->advice->len)
    g_string_append(out, "\nAdvice\n");
  for (unsigned i = 0; i < doctor->advice->len; i++)
    g_string_append_printf(out, "  - %s\n", ((const Advice *)g_ptr_array_index(doctor->advice, i))->text);
}
