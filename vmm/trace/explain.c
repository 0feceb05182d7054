/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret trace --explain`: each world switch as a sentence, for people who learn what EL2 does. The order of words is
 * fixed:
 *
 *     vcpu0 #12 WHAT at ADDRESS (symbol): what it wanted -> EL2 (why) -> who did what -> ERET to EL1, time
 *
 * and the time is the last part, so that what remains can be compared. What happened beside the switches has lines that
 * begin with "  * ". Addresses and numbers come from the guest; texts are shown as harmless ones. No locks: pure
 * functions.
 */
#include <errno.h>

#include "vmm/arm/esr.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/arm/kvm-abi.h"
#include "vmm/arm/smccc-names.h"
#include "vmm/base/human.h"
#include "vmm/trace/report.h"

#define X64 "0x%" G_GINT64_MODIFIER "x"
#define U64 "%" G_GUINT64_FORMAT

#define EC_IABT_LOW          0x20
#define ISS_FSC(esr)         ((unsigned)(esr)&0x3f)
#define FSC_IS_ACCESS(fsc)   (((fsc) & ~3u) == 0x08) /* access flag fault, D24.2.40 */
#define ISS_S1PTW            (UINT64_C(1) << 7)
#define SYSREG_OP0(encoding) ((encoding) >> 14 & 3)

/*
 * Whose code an address is can only be guessed: the upper half of the address space is the kernel's; from 1 TiB on the
 * lower half is what Linux gives its processes; below 1 TiB, but not in the first GiB, a program runs where it lies in
 * memory, and without an operating system that is EL1.
 */
#define UPPER_HALF(pc)     ((pc) >> 55 & 1)
#define PROCESS_BASE       (UINT64_C(1) << 40)
#define IDENTITY_BASE      (UINT64_C(1) << 30)
#define ADDRESS_SPACE_SIZE (UINT64_C(1) << 55)

static const char *eret_target(const TraceSwitch *one) {
  bool privileged = one->action == SWITCH_DOES_HYPERCALL || one->action == SWITCH_DOES_SYSREG;

  if (one->cause == SWITCH_UNKNOWN)
    return "the guest";
  if (privileged || UPPER_HALF(one->pc) || (one->pc >= IDENTITY_BASE && one->pc < PROCESS_BASE))
    return "EL1";
  return one->pc >= PROCESS_BASE && one->pc < ADDRESS_SPACE_SIZE ? "EL0" : "the guest";
}

static void append_place(GString *out, const TraceSwitch *one, const Symbols *symbols) {
  uint64_t pc = trace_switch_pc(one);
  g_autofree char *symbol = symbols_describe(symbols, pc);

  if (one->cause == SWITCH_UNKNOWN)
    return;
  g_string_append_printf(out, " at " X64, pc);
  if (symbol)
    human_append_printf(out, " (%s)", symbol);
}

/* "(pl011 UARTDR)", "(gic-distributor+0x100)" */
static void append_device(GString *out, const TraceSwitches *switches, const TraceSwitch *one) {
  const char *device = trace_switch_device(switches, one);
  const RecordingRegion *region = recording_region(switches->recording, one->ipa);

  if (!*device)
    return;
  if (*one->reg)
    human_append_printf(out, " (%s %s)", device, one->reg);
  else if (region)
    human_append_printf(out, " (%s+" X64 ")", device, one->ipa - region->base);
  else
    human_append_printf(out, " (%s)", device);
}

/*
 * The parts of the sentence: its subject, what the instruction wanted, who did what. Each says nothing where nothing is
 * known.
 */

/* By SwitchCause; what is NULL depends on what the instruction does. */
static const struct {
  const char *subject, *wish, *answer;
} causes[] = {
    [SWITCH_TRAP] = {NULL, NULL, NULL},
    [SWITCH_IRQ] = {"IRQ", "a physical interrupt, the host's", "the host takes the interrupt"},
    [SWITCH_SERROR] = {"SError", "a system error", "handled by KVM"},
    [SWITCH_ILLEGAL] = {"illegal exception return", "the guest's state was no legal one", "handled by KVM"},
    [SWITCH_UNKNOWN] = {NULL, NULL, "handled by KVM"},
};

static void append_sysreg_subject(GString *out, const TraceSwitch *one) {
  g_autofree char *name = trace_switch_sysreg(one);
  bool instruction = one->sysreg && SYSREG_OP0(one->sysreg) == 1;

  if (name)
    human_append_printf(out, "%s%s", instruction ? "" : one->write ? "MSR " : "MRS ", name);
  else
    g_string_append(out, "MSR, MRS or system instruction");
}

static void append_subject(GString *out, const TraceSwitch *one) {
  bool unknown = one->cause == SWITCH_UNKNOWN;

  if (causes[one->cause].subject) {
    g_string_append(out, causes[one->cause].subject);
    return;
  }
  switch (one->action) {
  case SWITCH_DOES_HYPERCALL:
    g_string_append(out, one->smc ? "SMC" : "HVC");
    if (!one->smc && !unknown)
      g_string_append_printf(out, " #%u", one->immediate);
    return;
  case SWITCH_DOES_MMIO:
    g_string_append(out, unknown ? "device access" : "data abort");
    return;
  case SWITCH_DOES_FAULT:
    g_string_append(out, one->ec == EC_IABT_LOW ? "instruction abort" : "data abort");
    return;
  case SWITCH_DOES_SYSREG:
    append_sysreg_subject(out, one);
    return;
  case SWITCH_DOES_WAIT:
    g_string_append(out, one->wfe ? "WFE" : "WFI");
    return;
  case SWITCH_DOES_OTHER:
    g_string_append(out, unknown ? "exit" : "exception");
    return;
  }
}

static void append_hypercall(GString *out, const TraceSwitch *one) {
  g_autofree char *name = trace_switch_function(one);

  if (name)
    human_append_printf(out, ": x0=" X64 " %s", one->function, name);
  else
    g_string_append(out, ": the function is not recorded");
}

static void append_mmio(GString *out, const TraceSwitches *switches, const TraceSwitch *one) {
  g_string_append_printf(out, ": %s of %u byte%s", one->write ? "write" : "read", one->size, one->size == 1 ? "" : "s");
  if (one->write && one->has_value)
    g_string_append_printf(out, " " X64, one->value);
  g_string_append_printf(out, " %s " X64, one->write ? "to" : "from", one->ipa);
  append_device(out, switches, one);
}

static void append_fault(GString *out, const TraceSwitches *switches, const TraceSwitch *one) {
  const char *how = one->ec == EC_IABT_LOW ? "fetch" : one->write ? "write" : "read";

  if (!one->has_esr && !one->ipa) {
    g_string_append(out, ": an access that no memory is mapped for");
    return;
  }
  if (one->has_esr && one->esr & ISS_S1PTW)
    how = "page table walk";
  g_string_append_printf(out, ": %s %s " X64, how, trace_switch_is_nowhere(switches, one) ? "where no memory is, at" : "of memory at",
                         one->ipa);
  if (one->far)
    g_string_append_printf(out, " (virtual " X64 ")", one->far);
  if (one->has_esr)
    g_string_append_printf(out, ", stage 2 %s", esr_fault_text(ISS_FSC(one->esr)));
}

static void append_wish(GString *out, const TraceSwitches *switches, const TraceSwitch *one) {
  if (causes[one->cause].wish) {
    g_string_append_printf(out, ": %s", causes[one->cause].wish);
    return;
  }
  switch (one->action) {
  case SWITCH_DOES_HYPERCALL:
    append_hypercall(out, one);
    break;
  case SWITCH_DOES_MMIO:
    append_mmio(out, switches, one);
    break;
  case SWITCH_DOES_FAULT:
    append_fault(out, switches, one);
    break;
  case SWITCH_DOES_SYSREG:
    g_string_append(out, one->sysreg ? one->write ? ": system register write" : ": system register read" : "");
    break;
  case SWITCH_DOES_WAIT:
    g_string_append(out, one->wfe ? ": nothing to do until an event" : ": nothing to do until an interrupt");
    break;
  case SWITCH_DOES_OTHER:
    if (one->cause == SWITCH_TRAP)
      g_string_append_printf(out, ": %s", esr_class_text(one->ec));
    break;
  }
}

static void append_arrival(GString *out, const TraceSwitch *one) {
  if (one->cause == SWITCH_TRAP)
    g_string_append_printf(out, " -> EL2 (EC 0x%02x %s)", one->ec, esr_class_name(one->ec));
  else if (one->cause != SWITCH_UNKNOWN)
    g_string_append(out, " -> EL2");
}

/* KVM answered it without userspace. */
static const char *kernel_answer(const TraceSwitches *switches, const TraceSwitch *one) {
  static const char *const answers[] = {
      [SWITCH_DOES_OTHER] = "handled by KVM",
      [SWITCH_DOES_HYPERCALL] = "answered by KVM",
      [SWITCH_DOES_MMIO] = "answered by KVM",
      [SWITCH_DOES_SYSREG] = "emulated by KVM",
  };

  if (causes[one->cause].answer)
    return causes[one->cause].answer;
  if (one->action == SWITCH_DOES_WAIT)
    return one->wfe ? "KVM lets others run" : "KVM waits for an interrupt";
  if (one->action != SWITCH_DOES_FAULT)
    return answers[one->action];
  if (trace_switch_is_nowhere(switches, one))
    return "KVM injects an abort";
  return one->has_esr && FSC_IS_ACCESS(ISS_FSC(one->esr)) ? "KVM marks the page as used" : "KVM maps the page";
}

static void append_kernel_answer(GString *out, const TraceSwitches *switches, const TraceSwitch *one) {
  bool is_read = one->cause == SWITCH_TRAP && one->action == SWITCH_DOES_MMIO && !one->write;

  g_string_append_printf(out, " -> %s", kernel_answer(switches, one));
  if (is_read && one->has_value)
    g_string_append_printf(out, " with " X64, one->value);
}

static void append_result(GString *out, const TraceSwitch *one) {
  const char *name = smccc_result_name((uint32_t)one->function, (int64_t)one->value);

  g_string_append_printf(out, ", x0=" X64 "%s%s", one->value, name ? " " : "", name ? name : "");
}

static void append_user_answer(GString *out, const TraceSwitches *switches, const TraceSwitch *one) {
  const char *device = trace_switch_device(switches, one);

  if (one->run_error == EINTR) {
    g_string_append(out, " -> KVM_RUN is interrupted by a signal -> eret");
    return;
  }
  if (one->run_error) {
    g_string_append_printf(out, " -> KVM_RUN fails: %s -> eret", g_strerror(one->run_error));
    return;
  }
  g_autofree char *reason = exit_reason_describe(one->exit_reason);
  g_string_append_printf(out, " -> %s -> eret", reason);
  if (one->exit_reason == KVM_EXIT_MMIO && one->action == SWITCH_DOES_MMIO) {
    human_append_printf(out, "%s%s", *device ? ": " : "", device);
    if (!one->write && one->has_value)
      g_string_append_printf(out, " gives " X64, one->value);
  } else if (one->exit_reason == KVM_EXIT_HYPERCALL && one->action == SWITCH_DOES_HYPERCALL) {
    human_append_printf(out, "%s%s", *one->service ? ": " : "", one->service);
    if (one->has_value)
      append_result(out, one);
  }
}

void trace_explain_switch(GString *out, const TraceSwitches *switches, const TraceSwitch *one, const Symbols *symbols) {
  g_string_append_printf(out, "vcpu%u #" U64 " ", one->vcpu, one->number);
  append_subject(out, one);
  append_place(out, one, symbols);
  append_wish(out, switches, one);
  append_arrival(out, one);
  if (one->user_from)
    append_user_answer(out, switches, one);
  else
    append_kernel_answer(out, switches, one);
  if (one->returned)
    g_string_append_printf(out, " -> ERET to %s, %s", eret_target(one), human_time(trace_switch_cost(one)).text);
  else
    g_string_append(out, " -> no return is recorded");
}

/* What happened beside the switches. */

typedef struct {
  GString *out;
  const TraceSwitches *switches;
  bool *left; /* by vCPU: it is out of the guest, and KVM_RUN has not returned yet */
} Explanation;

static char *describe_intid(uint64_t intid) {
  static const struct {
    unsigned intid;
    const char *name;
  } known[] = {{23, "performance monitor"}, {25, "GIC maintenance"},   {26, "EL2 timer"},
               {27, "virtual timer"},       {28, "EL2 virtual timer"}, {30, "physical timer"}};
  static const struct {
    unsigned first, end;
    const char *name;
  } kinds[] = {{0, 16, "SGI"}, {16, 32, "PPI"}, {32, 1020, "SPI"}};

  for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
    if (known[i].intid == intid)
      return g_strdup_printf("INTID " U64 " (%s)", intid, known[i].name);
  for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (intid < kinds[i].end)
      return g_strdup_printf("INTID " U64 " (%s " U64 ")", intid, kinds[i].name, intid - kinds[i].first);
  return g_strdup_printf("INTID " U64 "%s", intid, intid >= 8192 ? " (LPI)" : "");
}

static const char *text_of(const Explanation *explanation, TraceString text) {
  return recording_get_text(explanation->switches->recording, text);
}

static HumanText since_begin(const Explanation *explanation, const TraceRecord *record) {
  return human_time(record->time - explanation->switches->begins);
}

static void explain_irq_pending(Explanation *explanation, const TraceRecord *record) {
  g_autofree char *intid = describe_intid(record->a);
  const char *how = record->b ? "pending" : "no longer pending";

  g_string_append_printf(explanation->out, "GIC: %s %s for vcpu" U64, intid, how, record->c);
}

static void explain_timer(Explanation *explanation, const TraceRecord *record) {
  g_autofree char *intid = describe_intid(record->a);

  g_string_append_printf(explanation->out, "timer: %s of vcpu" U64 " %s", intid, record->c, record->b ? "fires" : "is quiet");
}

static void explain_irq_line(Explanation *explanation, const TraceRecord *record) {
  g_string_append_printf(explanation->out, "KVM_IRQ_LINE: line " U64 " %s", record->a, record->b ? "up" : "down");
}

static void explain_doorbell(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "doorbell: %s queue " U64, text_of(explanation, record->name), record->a);
  if (record->b > 1)
    g_string_append_printf(explanation->out, ", rung " U64 " times", record->b);
}

static void explain_interrupt(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "interrupt: %s %s " U64, text_of(explanation, record->name),
                      record->a ? "raises SPI" : "sends message", record->a ? record->a : record->b);
}

static void explain_request(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "request: %s %s of " U64 " bytes ", text_of(explanation, record->name),
                      text_of(explanation, record->detail), record->b);
  if (record->c)
    g_string_append_printf(explanation->out, "failed with status " U64, record->c);
  else
    g_string_append(explanation->out, "done");
  g_string_append_printf(explanation->out, ", %s", human_time(record->a).text);
}

static void explain_event(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "event: %s queue " U64 ", %s", text_of(explanation, record->name), record->a,
                      text_of(explanation, record->detail));
}

static void explain_traffic(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "traffic: %s, served by %s", text_of(explanation, record->name),
                      text_of(explanation, record->detail));
  if (record->flags & TRACE_TRAFFIC_UNKNOWN)
    g_string_append(explanation->out, ", which does not tell");
  else
    g_string_append_printf(explanation->out, ": received " U64 " packets (" U64 " bytes), sent " U64 " (" U64 " bytes)", record->a,
                           record->b, record->c, record->d);
}

static void explain_phase(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "phase: %s, %s", text_of(explanation, record->name), since_begin(explanation, record).text);
}

static void explain_mark(Explanation *explanation, const TraceRecord *record) {
  human_append_printf(explanation->out, "mark: " U64 " %s, %s", record->a, text_of(explanation, record->name),
                      since_begin(explanation, record).text);
}

static void explain_lost(Explanation *explanation, const TraceRecord *record) {
  g_string_append_printf(explanation->out, "lost: " U64 " records before this line", record->a);
}

static void explain_unpaired(Explanation *explanation, const TraceRecord *record) {
  g_autofree char *reason = exit_reason_describe(record->a);

  g_string_append_printf(explanation->out, "vcpu%u: KVM_RUN returns without a world switch: %s", record->vcpu,
                         record->b == EINTR ? "a signal" : reason);
}

static void (*const explainers[])(Explanation *explanation, const TraceRecord *record) = {
    [TRACE_KVM_USERSPACE_EXIT] = explain_unpaired,
    [TRACE_KVM_IRQ_PENDING] = explain_irq_pending,
    [TRACE_KVM_TIMER_IRQ] = explain_timer,
    [TRACE_KVM_IRQ_LINE] = explain_irq_line,
    [TRACE_ERET_DOORBELL] = explain_doorbell,
    [TRACE_ERET_INTERRUPT] = explain_interrupt,
    [TRACE_ERET_REQUEST] = explain_request,
    [TRACE_ERET_EVENT] = explain_event,
    [TRACE_ERET_TRAFFIC] = explain_traffic,
    [TRACE_ERET_PHASE] = explain_phase,
    [TRACE_ERET_MARK] = explain_mark,
    [TRACE_LOST] = explain_lost,
};

/* Does RECORD have a line of its own? KVM_USERSPACE_EXIT only where it is no switch's. */
static bool has_line(Explanation *explanation, const TraceRecord *record) {
  bool known = record->vcpu < explanation->switches->n_vcpus;

  if (known && (record->kind == TRACE_KVM_EXIT || record->kind == TRACE_KVM_ENTRY))
    explanation->left[record->vcpu] = record->kind == TRACE_KVM_EXIT;
  if (record->kind == TRACE_KVM_USERSPACE_EXIT) {
    bool of_switch = known && explanation->left[record->vcpu];
    if (known)
      explanation->left[record->vcpu] = false;
    return known && !of_switch;
  }
  return record->kind < G_N_ELEMENTS(explainers) && explainers[record->kind];
}

void trace_explain(GString *out, const TraceSwitches *switches, const Symbols *symbols) {
  const GArray *records = switches->recording->records;
  g_autofree bool *left = g_new0(bool, switches->n_vcpus + 1);
  Explanation explanation = {.out = out, .switches = switches, .left = left};
  guint next = 0;

  for (guint i = 0; i <= records->len; i++) {
    const TraceRecord *record = i < records->len ? &g_array_index(records, TraceRecord, i) : NULL;
    for (; next < switches->switches->len; next++) {
      const TraceSwitch *one = &g_array_index(switches->switches, TraceSwitch, next);
      if (record && one->left > record->time)
        break;
      trace_explain_switch(out, switches, one, symbols);
      g_string_append_c(out, '\n');
    }
    if (!record || !has_line(&explanation, record))
      continue;
    g_string_append(out, "  * ");
    explainers[record->kind](&explanation, record);
    g_string_append_c(out, '\n');
  }
}
