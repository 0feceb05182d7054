/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exit table: why KVM_RUN returned, and what to do. Linux: Documentation/virt/kvm/api.rst, 5 (kvm_run). Runs on the
 * vCPU's thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "devices/exit-path.h"
#include "vmm/arm/esr.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/machine/kvm/regs.h"
#include "vmm/machine/kvm/vcpu.h"

typedef Verdict (*ExitHandler)(Vcpu *vcpu);

Verdict exit_fail(Vcpu *vcpu, const char *format, ...) {
  g_autofree char *registers = regs_describe(vcpu->fd);
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *reason = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_free(vcpu->failure);
  vcpu->failure = g_strdup_printf("vCPU %u: %s\n%s", vcpu->index, reason, registers);
  return VERDICT_FAIL;
}

/* The guest's first sign of life. */
static void note_first_exit(Vcpu *vcpu) {
  if (vcpu->came_out)
    return;
  vcpu->came_out = true;
  if (!timeline_has(vcpu->shared->timeline, PHASE_FIRST_EXIT))
    timeline_add(vcpu->shared->timeline, PHASE_FIRST_EXIT);
}

ON_EXIT_PATH static Verdict exit_mmio(Vcpu *vcpu) {
  struct kvm_run *run = vcpu->run;
  uint64_t value;

  if (run->mmio.len == 0 || run->mmio.len > sizeof value)
    return exit_fail(vcpu, "KVM reports an access of %u bytes at 0x%" PRIx64, run->mmio.len, (uint64_t)run->mmio.phys_addr);
  note_first_exit(vcpu);
  if (run->mmio.is_write) {
    memcpy(&value, run->mmio.data, sizeof value);
    value &= UINT64_MAX >> (64 - 8 * run->mmio.len);
    bus_write(vcpu->shared->bus, run->mmio.phys_addr, run->mmio.len, value);
  } else {
    value = bus_read(vcpu->shared->bus, run->mmio.phys_addr, run->mmio.len);
    memcpy(run->mmio.data, &value, sizeof value); /* KVM takes what it wants */
  }
  if (vcpu->watch) {
    const char *reg, *device = bus_name(vcpu->shared->bus, run->mmio.phys_addr, &reg);
    vcpu_watch_mmio(vcpu->watch, device, reg, run->mmio.phys_addr, run->mmio.len, run->mmio.is_write, value);
  }
  return VERDICT_CONTINUE;
}

static Verdict carry_out(Vcpu *vcpu, bool (*step)(Vcpu *vcpu, GError **error)) {
  g_autoptr(GError) error = NULL;

  return step(vcpu, &error) ? VERDICT_CONTINUE : exit_fail(vcpu, "%s", error->message);
}

/* What the door of HVC and SMC does: only the registers that the service declares are read and written. */
ON_EXIT_PATH static Verdict exit_hypercall(Vcpu *vcpu) {
  static const Verdict verdicts[] = {
      [HYPERCALL_RETURN] = VERDICT_CONTINUE, [HYPERCALL_OFF] = VERDICT_CPU_OFF, [HYPERCALL_POWER_OFF] = VERDICT_POWER_OFF,
      [HYPERCALL_RESET] = VERDICT_RESET,     [HYPERCALL_EXIT] = VERDICT_EXIT,
  };
  Hypercall call = {
      .function = (uint32_t)vcpu->run->hypercall.nr,
      .door = kvm_hypercall_flags(vcpu->run) & KVM_HYPERCALL_EXIT_SMC ? HYPERCALL_BY_SMC : HYPERCALL_BY_HVC,
      .vcpu = vcpu->index,
  };
  const HypercallService *service = hypercalls_find(vcpu->shared->hypercalls, call.function, call.door);

  for (unsigned n = 1; n <= service->n_args; n++)
    if (!reg_get(vcpu->fd, REG_X(n), &call.x[n]))
      return exit_fail(vcpu, "cannot read x%u for hypercall 0x%08x: %s", n, call.function, g_strerror(errno));
  note_first_exit(vcpu);
  HypercallOutcome outcome = service->handle(service, &call);
  if (vcpu->watch)
    vcpu_watch_hypercall(vcpu->watch, service->name, call.function, call.door == HYPERCALL_BY_SMC, call.x[0]);
  for (unsigned n = 0; hypercall_returns(outcome) && n < service->n_results; n++)
    if (!reg_set(vcpu->fd, REG_X(n), call.x[n]))
      return exit_fail(vcpu, "cannot write x%u of hypercall 0x%08x: %s", n, call.function, g_strerror(errno));
  if (outcome == HYPERCALL_STAND_BY)
    return carry_out(vcpu, vcpu_stand_by);
  return outcome == HYPERCALL_SUSPEND ? carry_out(vcpu, vcpu_suspend) : verdicts[outcome];
}

static Verdict exit_system_event(Vcpu *vcpu) {
  uint32_t type = vcpu->run->system_event.type;

  if (vcpu->watch)
    vcpu_watch_system_event(vcpu->watch, system_event_name(type));
  switch (type) {
  case KVM_SYSTEM_EVENT_SHUTDOWN:
    return VERDICT_POWER_OFF;
  case KVM_SYSTEM_EVENT_RESET:
    return VERDICT_RESET;
  case KVM_SYSTEM_EVENT_SUSPEND:
    return carry_out(vcpu, vcpu_suspend);
  case KVM_SYSTEM_EVENT_WAKEUP:
    return carry_out(vcpu, __atomic_load_n(&vcpu->suspended.asleep, __ATOMIC_SEQ_CST) ? vcpu_wake_up : vcpu_go_on);
  default:
    return exit_fail(vcpu, "system event %u, which eret did not ask KVM for", type);
  }
}

/* KVM_RUN was interrupted: by the kick, or by a signal that has been handled. */
static Verdict exit_interrupted(Vcpu *vcpu) {
  return VERDICT_CONTINUE;
}

static Verdict exit_fail_entry(Vcpu *vcpu) {
  uint64_t reason = vcpu->run->fail_entry.hardware_entry_failure_reason;

  if (reason == KVM_EXIT_FAIL_ENTRY_CPU_UNSUPPORTED)
    return exit_fail(
        vcpu,
        "cannot run on host CPU %u, which differs from the one it was made for; on a host with big and little cores keep it on "
        "one kind with --pin auto",
        vcpu->run->fail_entry.cpu);
  return exit_fail(vcpu, "the hardware refused to enter the guest, reason 0x%" PRIx64, reason);
}

static Verdict exit_internal_error(Vcpu *vcpu) {
  return exit_fail(vcpu, "KVM met an internal error (suberror %u)", vcpu->run->internal.suberror);
}

static const ExitHandler exits[] = {
    [KVM_EXIT_HYPERCALL] = exit_hypercall,           [KVM_EXIT_ARM_NISV] = exit_nisv,    [KVM_EXIT_MMIO] = exit_mmio,
    [KVM_EXIT_SYSTEM_EVENT] = exit_system_event,     [KVM_EXIT_INTR] = exit_interrupted, [KVM_EXIT_FAIL_ENTRY] = exit_fail_entry,
    [KVM_EXIT_INTERNAL_ERROR] = exit_internal_error,
};

ON_EXIT_PATH Verdict exit_dispatch(Vcpu *vcpu) {
  uint32_t reason = vcpu->run->exit_reason;

  if (reason < G_N_ELEMENTS(exits) && exits[reason])
    return exits[reason](vcpu);
  return exit_fail(vcpu, "exit reason %u, which eret does not handle", reason);
}

Verdict exit_woken(Vcpu *vcpu) {
  return __atomic_load_n(&vcpu->suspended.asleep, __ATOMIC_SEQ_CST) ? carry_out(vcpu, vcpu_wake_up) : VERDICT_CONTINUE;
}

Verdict exit_run_failed(Vcpu *vcpu, int error_number) {
  switch (error_number) {
  case ENOSYS: /* an access outside RAM by an instruction whose syndrome does not say what it does (ESR_EL2.ISV is 0) */
    return exit_fail(vcpu, "an instruction that KVM cannot emulate (LDP, STP, write-back or SIMD) accessed an address that is not memory");
  case EFAULT:
    return exit_fail(vcpu, "the host could not provide a page of guest memory (KVM_RUN: %s)", g_strerror(error_number));
  default:
    return exit_fail(vcpu, "KVM_RUN failed: %s", g_strerror(error_number));
  }
}
