/* SPDX-License-Identifier: Apache-2.0 */
/* `eret doctor`: what this host can do, and what it means for guests. */
#include <stdio.h>

#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/doctor/verdict.h"

typedef struct {
  bool json;
} DoctorOptions;

static const Option options_table[] = {
    OPTION("json", FLAG, DoctorOptions, json, NULL, "The same as JSON: docs/doctor.md has its keys."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet doctor_option_set = {
    .command = "doctor",
    .usage = "Usage: eret doctor [OPTION]...\n"
             "Say what this host can do, what that means for guests, and what is missing.",
    .closing = "Exit status: 0 when guests run here, 77 when KVM cannot be used.",
    .tables = {options_table},
};

static int examine(bool json) {
  KvmFacts kvm;

  kvm_probe(&kvm);
  g_autoptr(HostFacts) host = host_facts_read("/", host_process_read());
  g_autoptr(Doctor) doctor = doctor_new(host, &kvm);
  g_autoptr(GString) text = g_string_new(NULL);
  if (json)
    doctor_report_json(text, doctor);
  else
    doctor_report_text(text, doctor);
  fputs(text->str, stdout);
  return doctor->guests ? EXIT_OK : EXIT_NO_KVM;
}

int cmd_doctor(int argc, char **argv) {
  DoctorOptions options = {false};
  void *const records[] = {&options};
  g_autoptr(OptionDraft) draft = option_read(&doctor_option_set, records, argc, argv);
  int status;

  return answer_options(draft, &status) ? status : examine(options.json);
}
