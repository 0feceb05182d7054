/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that is stuck in faults: it takes an exception to where there is no memory, takes the same one there, and
 * never comes out of it. No locks: pure function of the recording.
 */
#include "vmm/base/human.h"
#include "vmm/trace/report.h"

#define FAULTS_FOR_EVER 16 /* in a row at one place: nobody comes back for a page so often */

/*
 * A vCPU's faults at one place, one after the other, up to the last of its switches. The host's interrupts come between
 * them, and do not count.
 */
typedef struct {
  const TraceSwitch *first;
  uint64_t count;
} FaultLoop;

static void count_fault(FaultLoop *loop, const TraceSwitches *switches, const TraceSwitch *one) {
  if (one->cause != SWITCH_TRAP && one->cause != SWITCH_UNKNOWN)
    return;
  bool nowhere = trace_switch_is_nowhere(switches, one);
  if (nowhere && loop->first && loop->first->pc == one->pc && loop->first->ipa == one->ipa)
    loop->count++;
  else
    *loop = nowhere ? (FaultLoop){one, 1} : (FaultLoop){0};
}

void trace_fault_loops(GString *out, const TraceSwitches *switches, const Symbols *symbols) {
  g_autofree FaultLoop *loops = g_new0(FaultLoop, switches->n_vcpus + 1);

  for (guint i = 0; i < switches->switches->len; i++) {
    const TraceSwitch *one = &g_array_index(switches->switches, TraceSwitch, i);
    count_fault(&loops[one->vcpu], switches, one);
  }
  for (unsigned i = 0; i < switches->n_vcpus; i++) {
    const FaultLoop *loop = &loops[i];
    if (loop->count < FAULTS_FOR_EVER)
      continue;
    g_autofree char *symbol = symbols_describe(symbols, loop->first->pc);
    g_string_append_printf(out, "%-14svcpu%u faults for ever at 0x%" G_GINT64_MODIFIER "x", "stuck", i, loop->first->pc);
    if (symbol)
      human_append_printf(out, " (%s)", symbol);
    g_string_append_printf(out, ": no memory at IPA 0x%" G_GINT64_MODIFIER "x, %s times\n", loop->first->ipa,
                           human_count(loop->count).text);
  }
}
