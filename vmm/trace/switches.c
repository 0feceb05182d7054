/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From records to world switches: one pass over the records in the order of time, with a small state a vCPU. The order
 * of KVM's events on a vCPU's thread (Linux: arch/arm64/kvm/arm.c, kvm_arch_vcpu_ioctl_run; handle_exit.c; mmio.c;
 * virt/kvm/kvm_main.c, kvm_vcpu_ioctl) is
 *
 *     kvm_entry   kvm_exit   what KVM does about it   [kvm_userspace_exit   ERET_RETURN   the value of an MMIO read]   kvm_entry
 *
 * A recording may begin and end anywhere, and have gaps. A loss in KVM's buffers or in the file is noticed later than
 * it happened, so in a recording with one no pair of exit and entry is believed that does not look like one; without a
 * loss all are.
 *
 * The records may come from a hostile file: each is held against the state before it is believed. No locks: pure
 * function of the recording.
 */
#include "vmm/trace/switches.h"

#include <errno.h>

#include "vmm/arm/esr.h"
#include "vmm/arm/kvm-abi.h"
#include "vmm/arm/sysreg.h"

#define VCPUS_MAX 4096 /* more than any kernel's KVM has; records of others are not a machine's */

/* ESR_ELx.EC, D24.2. */
enum {
  EC_WFX = 0x01,
  EC_HVC32 = 0x12,
  EC_SMC32 = 0x13,
  EC_HVC64 = 0x16,
  EC_SMC64 = 0x17,
  EC_SYS64 = 0x18,
  EC_IABT_LOW = 0x20,
  EC_DABT_LOW = 0x24,
  EC_NONE = 0xff, /* KVM says what cannot be */
};
#define ISS_WNR          (UINT64_C(1) << 6)
#define ISS_FNV          (UINT64_C(1) << 10) /* FAR_EL2 is not valid */
#define ISS_ISV          (UINT64_C(1) << 24)
#define ISS_SAS(esr)     ((unsigned)((esr) >> 22 & 3))
#define ISS_SYSREG_READ  UINT64_C(1)
#define IPA_OFFSET_MASK  UINT64_C(0xfff) /* HPFAR_EL2 has no more than the page */
#define PSCI_CPU_OFF     0x84000002u
#define INSTRUCTION_SIZE 4

/* Linux: arch/arm64/include/asm/kvm_asm.h, ARM_EXCEPTION_*. */
static const SwitchCause causes[] = {SWITCH_IRQ, SWITCH_SERROR, SWITCH_TRAP, SWITCH_ILLEGAL};

/*
 * In a recording with losses: longer than this, and neither asleep nor in userspace, means that something is missing.
 * The recorder empties KVM's buffers every 40 ms, and the host's timer interrupts a guest at least every 10 ms.
 */
#define BELIEVABLE_NS (200 * UINT64_C(1000000))

typedef struct {
  bool open;       /* the guest was left and not entered since: `current` is the index of its switch */
  bool in_user;    /* KVM_RUN has returned ... */
  bool user_known; /* ... and eret has said for how long */
  guint current;
  uint64_t entered; /* 0: the guest does not run, or not since a time we know */
  uint64_t user_from, user_until;
  uint64_t number; /* of the next switch */
} Vcpu;

typedef struct {
  TraceSwitches *result;
  Vcpu *vcpus;
  bool lossy; /* KVM's events have gaps whose place is not known */
  bool has_userspace_exits;
} Builder;

static uint64_t add_saturated(uint64_t a, uint64_t b) {
  return a + b < a ? UINT64_MAX : a + b;
}

static TraceSwitch *current(Builder *builder, const Vcpu *vcpu) {
  return &g_array_index(builder->result->switches, TraceSwitch, vcpu->current);
}

/* Userspace has had the vCPU, until NOW at most. */
static void finish_user(Builder *builder, Vcpu *vcpu, uint64_t now) {
  TraceSwitch *one = current(builder, vcpu);

  if (!vcpu->in_user)
    return;
  one->user_to = vcpu->user_known ? MIN(vcpu->user_until, now) : now;
  one->user_ns += one->user_to - vcpu->user_from;
  vcpu->in_user = false;
}

/* No part is longer than the whole. A vCPU that is switched off sleeps, in KVM or in eret. */
static void settle_wait(TraceSwitch *one) {
  uint64_t cost = trace_switch_cost(one);

  if (!one->returned)
    return;
  if (one->has_function && (uint32_t)one->function == PSCI_CPU_OFF) {
    one->waited = cost;
    one->user_ns = 0;
  }
  one->user_ns = MIN(one->user_ns, cost);
  one->waited = MIN(one->waited, cost - one->user_ns);
}

/*
 * The switch ends without an entry: the recording ends, or nothing is known any more. With eret's events alone its end
 * is what eret says.
 */
static void abandon(Builder *builder, Vcpu *vcpu) {
  vcpu->entered = 0;
  if (!vcpu->open)
    return;
  TraceSwitch *one = current(builder, vcpu);
  if (vcpu->in_user && vcpu->user_known && vcpu->user_until > vcpu->user_from)
    finish_user(builder, vcpu, vcpu->user_until);
  else if (vcpu->in_user)
    one->user_to = 0;
  if (!builder->result->has_kernel)
    one->returned = one->user_to;
  settle_wait(one);
  vcpu->open = vcpu->in_user = false;
}

static void abandon_all(Builder *builder) {
  for (unsigned i = 0; i < builder->result->n_vcpus; i++)
    abandon(builder, &builder->vcpus[i]);
}

static TraceSwitch *append(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  TraceSwitch one = {
      .vcpu = record->vcpu,
      .number = vcpu->number++,
      .entered = vcpu->entered,
      .left = record->time,
      .device = "",
      .reg = "",
      .service = "",
      .sysreg_name = "",
  };

  vcpu->current = builder->result->switches->len;
  vcpu->open = true;
  vcpu->in_user = false;
  vcpu->entered = 0;
  g_array_append_val(builder->result->switches, one);
  return current(builder, vcpu);
}

static SwitchAction action_of_class(uint8_t ec) {
  switch (ec) {
  case EC_HVC32:
  case EC_HVC64:
  case EC_SMC32:
  case EC_SMC64:
    return SWITCH_DOES_HYPERCALL;
  case EC_SYS64:
    return SWITCH_DOES_SYSREG;
  case EC_IABT_LOW:
  case EC_DABT_LOW: /* until KVM or eret say that it is a device */
    return SWITCH_DOES_FAULT;
  case EC_WFX:
    return SWITCH_DOES_WAIT;
  default:
    return SWITCH_DOES_OTHER;
  }
}

/* Is the guest's entry at RECORD the end of its switch? Where nothing is lost it is. */
static bool believable(const Builder *builder, const TraceSwitch *one, const TraceRecord *record) {
  uint64_t unexplained = record->time - one->left - MIN(one->user_ns + one->waited, record->time - one->left);

  if (!builder->lossy)
    return true;
  return unexplained <= BELIEVABLE_NS && (record->a == one->pc || record->a == one->pc + INSTRUCTION_SIZE);
}

static void take_entry(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  if (vcpu->open) {
    TraceSwitch *one = current(builder, vcpu);
    finish_user(builder, vcpu, record->time);
    if (believable(builder, one, record)) {
      one->returned = record->time;
      settle_wait(one);
    }
  }
  vcpu->open = false;
  vcpu->entered = record->time;
}

static void take_exit(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  if (vcpu->open)
    abandon(builder, vcpu);
  if (builder->lossy && vcpu->entered && record->time - vcpu->entered > BELIEVABLE_NS)
    vcpu->entered = 0;
  TraceSwitch *one = append(builder, vcpu, record);
  one->pc = record->a;
  one->cause = record->b < G_N_ELEMENTS(causes) ? causes[record->b] : SWITCH_UNKNOWN;
  if (one->cause != SWITCH_TRAP)
    return;
  one->ec = record->c <= 0x3f ? (uint8_t)record->c : EC_NONE;
  one->action = action_of_class(one->ec);
  one->smc = one->ec == EC_SMC32 || one->ec == EC_SMC64;
}

/* The reason that says most: a signal that came on top says nothing about the switch. */
static void set_reason(TraceSwitch *one, bool first, uint64_t reason, int error) {
  if (!first && (one->run_error != EINTR || error))
    return;
  one->exit_reason = (uint32_t)MIN(reason, UINT32_MAX);
  one->run_error = error;
}

static int error_number(uint64_t error) {
  return error > INT_MAX ? EIO : (int)error;
}

static void take_userspace_exit(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  if (!vcpu->open) {
    vcpu->entered = 0;
    builder->result->unpaired++;
    return;
  }
  TraceSwitch *one = current(builder, vcpu);
  if (vcpu->in_user || one->user_from)
    builder->result->unpaired++;
  finish_user(builder, vcpu, record->time);
  set_reason(one, one->user_from == 0, record->a, error_number(record->b));
  if (!one->user_from)
    one->user_from = record->time;
  vcpu->in_user = true;
  vcpu->user_known = false;
  vcpu->user_from = record->time;
}

static void describe_mmio_return(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  one->action = SWITCH_DOES_MMIO;
  one->ipa = record->c;
  one->value = record->d;
  one->has_value = true;
  one->write = record->flags & TRACE_RETURN_WRITE;
  one->size = TRACE_RETURN_SIZE(record->flags);
  one->device = recording_get_text(builder->result->recording, record->name);
  one->reg = recording_get_text(builder->result->recording, record->detail);
}

static void describe_hypercall_return(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  one->action = SWITCH_DOES_HYPERCALL;
  one->function = record->c;
  one->has_function = true;
  one->value = record->d;
  one->has_value = true;
  one->smc = record->flags & TRACE_RETURN_SMC;
  one->service = recording_get_text(builder->result->recording, record->name);
}

/* What eret did. It must be what the exception asked for: after a loss the two may not belong together. */
static void describe_return(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  bool unknown = one->cause == SWITCH_UNKNOWN;

  if (record->flags & TRACE_RETURN_FAILED)
    return;
  if (record->a == KVM_EXIT_MMIO && (unknown || (one->cause == SWITCH_TRAP && one->ec == EC_DABT_LOW)))
    describe_mmio_return(builder, one, record);
  else if (record->a == KVM_EXIT_HYPERCALL && (unknown || one->action == SWITCH_DOES_HYPERCALL))
    describe_hypercall_return(builder, one, record);
}

/* Of a recording without KVM's events: a switch of its own, of which the kernel's part is not known. */
static void append_unknown(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  bool failed = record->flags & TRACE_RETURN_FAILED;

  if (vcpu->open) {
    /* The one before ended before this one, whatever it says of itself. */
    finish_user(builder, vcpu, record->time);
    current(builder, vcpu)->returned = current(builder, vcpu)->user_to;
    settle_wait(current(builder, vcpu));
    vcpu->entered = current(builder, vcpu)->returned;
  }
  TraceSwitch *one = append(builder, vcpu, record);
  one->cause = SWITCH_UNKNOWN;
  one->user_from = record->time;
  set_reason(one, true, failed ? 0 : record->a, failed ? error_number(record->a) : 0);
  describe_return(builder, one, record);
  vcpu->in_user = vcpu->user_known = true;
  vcpu->user_from = record->time;
  vcpu->user_until = add_saturated(record->time, record->b);
}

static void take_return(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  bool failed = record->flags & TRACE_RETURN_FAILED;

  if (!builder->result->has_kernel) {
    append_unknown(builder, vcpu, record);
    return;
  }
  /* Its exit is missing, or there was none. */
  if (vcpu->open && builder->lossy && builder->has_userspace_exits && (!vcpu->in_user || vcpu->user_known))
    abandon(builder, vcpu);
  if (!vcpu->open) {
    vcpu->entered = 0;
    return;
  }
  TraceSwitch *one = current(builder, vcpu);
  if (vcpu->in_user && vcpu->user_known)
    finish_user(builder, vcpu, record->time);
  if (!one->user_from || (vcpu->in_user && one->user_from == vcpu->user_from)) {
    set_reason(one, true, failed ? one->exit_reason : record->a, failed ? error_number(record->a) : 0);
    one->user_from = record->time;
  } else {
    set_reason(one, false, failed ? 0 : record->a, failed ? error_number(record->a) : 0);
  }
  describe_return(builder, one, record);
  vcpu->in_user = vcpu->user_known = true;
  vcpu->user_from = record->time;
  vcpu->user_until = add_saturated(record->time, record->b);
}

/* What KVM says while it handles the exit. */

static void tell_hvc(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  one->function = record->b;
  one->has_function = true;
  one->immediate = record->c & 0xffff;
}

static void tell_guest_fault(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  if (ESR_EC(record->b) != one->ec)
    return;
  one->esr = record->b;
  one->has_esr = true;
  one->far = record->b & ISS_FNV ? 0 : record->c;
  one->ipa = (record->d & ~IPA_OFFSET_MASK) | ((record->d | one->far) & IPA_OFFSET_MASK);
  one->write = one->ec == EC_DABT_LOW && record->b & ISS_WNR;
  if (one->ec == EC_DABT_LOW && record->b & ISS_ISV)
    one->size = 1u << ISS_SAS(record->b);
}

static void tell_access_fault(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  if (!one->has_esr)
    one->ipa = record->a;
}

static void tell_mmio(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  if (one->ec != EC_DABT_LOW)
    return;
  one->action = SWITCH_DOES_MMIO;
  one->ipa = record->a;
  one->size = (unsigned)MIN(record->c, 255);
  one->write = record->d == TRACE_MMIO_WRITE;
  if (record->d == TRACE_MMIO_READ_UNSATISFIED)
    return;
  one->value = record->b;
  one->has_value = true;
}

static void tell_sys_access(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  one->sysreg = record->b & 0xffff;
  one->write = record->c != 0;
  one->sysreg_name = recording_get_text(builder->result->recording, record->name);
}

static void tell_handle_sys_reg(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  if (ESR_EC(record->a) != one->ec)
    return;
  one->esr = record->a;
  one->has_esr = true;
  one->sysreg = sysreg_of_iss(record->a) & 0xffff;
  one->write = !(record->a & ISS_SYSREG_READ);
}

static void tell_wfx(const Builder *builder, TraceSwitch *one, const TraceRecord *record) {
  one->wfe = record->b != 0;
}

static void take_wakeup(Builder *builder, Vcpu *vcpu, const TraceRecord *record) {
  if (vcpu->open)
    current(builder, vcpu)->waited = add_saturated(current(builder, vcpu)->waited, record->a);
}

/* By kind: what a record does to its vCPU, or tells of the open switch, if that is a trap with one of these actions. */
static const struct {
  void (*take)(Builder *builder, Vcpu *vcpu, const TraceRecord *record);
  void (*tell)(const Builder *builder, TraceSwitch *one, const TraceRecord *record);
  unsigned actions; /* bits of SwitchAction */
} handlers[] = {
    [TRACE_KVM_ENTRY] = {.take = take_entry},
    [TRACE_KVM_EXIT] = {.take = take_exit},
    [TRACE_KVM_USERSPACE_EXIT] = {.take = take_userspace_exit},
    [TRACE_KVM_HVC] = {.tell = tell_hvc, .actions = 1u << SWITCH_DOES_HYPERCALL},
    [TRACE_KVM_GUEST_FAULT] = {.tell = tell_guest_fault, .actions = 1u << SWITCH_DOES_FAULT},
    [TRACE_KVM_ACCESS_FAULT] = {.tell = tell_access_fault, .actions = 1u << SWITCH_DOES_FAULT},
    [TRACE_KVM_MMIO] = {.tell = tell_mmio, .actions = 1u << SWITCH_DOES_FAULT | 1u << SWITCH_DOES_MMIO},
    [TRACE_KVM_SYS_ACCESS] = {.tell = tell_sys_access, .actions = 1u << SWITCH_DOES_SYSREG},
    [TRACE_KVM_HANDLE_SYS_REG] = {.tell = tell_handle_sys_reg, .actions = 1u << SWITCH_DOES_SYSREG},
    [TRACE_KVM_WFX] = {.tell = tell_wfx, .actions = 1u << SWITCH_DOES_WAIT},
    [TRACE_KVM_WAKEUP] = {.take = take_wakeup},
    [TRACE_ERET_RETURN] = {.take = take_return},
};

static void handle(Builder *builder, const TraceRecord *record) {
  Vcpu *vcpu = &builder->vcpus[record->vcpu];
  TraceSwitch *one = vcpu->open ? current(builder, vcpu) : NULL;

  if (handlers[record->kind].take)
    handlers[record->kind].take(builder, vcpu, record);
  else if (one && one->cause == SWITCH_TRAP && handlers[record->kind].actions & 1u << one->action)
    handlers[record->kind].tell(builder, one, record);
}

static bool of_vcpu(const TraceRecord *record) {
  return record->vcpu < VCPUS_MAX && record->kind < G_N_ELEMENTS(handlers) && (handlers[record->kind].take || handlers[record->kind].tell);
}

/* What the whole recording says: how many vCPUs, whether KVM's events are there, whether some are missing. */
static void survey(Builder *builder) {
  TraceSwitches *result = builder->result;
  const GArray *records = result->recording->records;
  guint n_exits = 0;

  builder->lossy = result->recording->lost[TRACE_SOURCE_KERNEL] || result->recording->lost[TRACE_SOURCE_FILE];
  for (guint i = 0; i < records->len; i++) {
    const TraceRecord *record = &g_array_index(records, TraceRecord, i);
    if (record->kind == TRACE_LOST && record->b != TRACE_SOURCE_ERET)
      builder->lossy = true;
    if (!of_vcpu(record))
      continue;
    result->n_vcpus = MAX(result->n_vcpus, record->vcpu + 1u);
    result->has_kernel = result->has_kernel || record->kind == TRACE_KVM_ENTRY || record->kind == TRACE_KVM_EXIT;
    builder->has_userspace_exits = builder->has_userspace_exits || record->kind == TRACE_KVM_USERSPACE_EXIT;
    n_exits += record->kind == TRACE_KVM_EXIT;
  }
  if (records->len) {
    result->begins = g_array_index(records, TraceRecord, 0).time;
    result->ends = g_array_index(records, TraceRecord, records->len - 1).time;
  }
  result->switches = g_array_sized_new(FALSE, FALSE, sizeof(TraceSwitch), n_exits);
}

TraceSwitches *trace_switches_new(const Recording *recording) {
  TraceSwitches *result = g_new0(TraceSwitches, 1);
  Builder builder = {.result = result};

  result->recording = recording;
  result->knows_memory = recording_has_region(recording, TRACE_REGION_RAM);
  survey(&builder);
  g_autofree Vcpu *vcpus = builder.vcpus = g_new0(Vcpu, result->n_vcpus + 1);
  for (guint i = 0; i < recording->records->len; i++) {
    const TraceRecord *record = &g_array_index(recording->records, TraceRecord, i);
    if (record->kind == TRACE_LOST && (record->b != TRACE_SOURCE_ERET || !result->has_kernel))
      abandon_all(&builder);
    else if (of_vcpu(record) && (result->has_kernel || record->kind == TRACE_ERET_RETURN))
      handle(&builder, record);
  }
  abandon_all(&builder);
  return result;
}

void trace_switches_free(TraceSwitches *switches) {
  if (!switches)
    return;
  g_array_unref(switches->switches);
  g_free(switches);
}
