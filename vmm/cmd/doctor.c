/* SPDX-License-Identifier: Apache-2.0 */
/* `eret doctor`: what this host can do, and what it means for guests. */
#include <stdio.h>

#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/doctor/options.h"
#include "vmm/doctor/verdict.h"

static int examine(bool json) {
  HostProcess process;
  KvmFacts kvm;

  host_process_read(&process);
  kvm_probe(&kvm);
  g_autoptr(HostFacts) host = host_facts_read("/", &process);
  host_process_clear(&process);
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
