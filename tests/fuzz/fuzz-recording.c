/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings of somebody else's: vmm/trace/, from the file to everything that is made of it. */
#include "tests/fuzz/fuzz.h"

#include "vmm/trace/recording.h"
#include "vmm/trace/report.h"

static void report(const Recording *recording) {
  g_autoptr(TraceSwitches) switches = trace_switches_new(recording);
  g_autoptr(GString) out = g_string_new(NULL);

  trace_summary(out, switches, NULL);
  trace_fault_loops(out, switches, NULL);
  trace_devices(out, switches);
  trace_explain(out, switches, NULL);
  trace_chrome(out, switches, NULL);
  trace_html(out, switches, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autoptr(GError) error = NULL;
  FuzzFile file;

  fuzz_file_init(&file, data, size);
  g_autoptr(Recording) recording = recording_load(file.path, &error);
  fuzz_file_clear(&file);
  g_assert_true(!recording == !!error);
  if (recording)
    report(recording);
  return 0;
}
