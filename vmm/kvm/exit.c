/*
 * The exit table: why KVM_RUN returned, and what to do. Linux: Documentation/virt/kvm/api.rst, 5 (kvm_run). Runs on the vCPU's thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/kvm/regs.h"
#include "vmm/kvm/vcpu.h"
#include "vmm/trace/esr.h"

typedef Verdict (*ExitHandler)(Vcpu *vcpu);

static Verdict __attribute__((format(printf, 2, 3))) fail(Vcpu *vcpu, const char *format, ...) {
  g_autofree char *registers = regs_describe(vcpu->fd);
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *reason = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_free(vcpu->failure);
  vcpu->failure = g_strdup_printf("vCPU %u: %s\n%s", vcpu->index, reason, registers);
  return VERDICT_FAIL;
}

static Verdict exit_mmio(Vcpu *vcpu) {
  struct kvm_run *run = vcpu->run;
  uint64_t value = 0;

  if (run->mmio.len > sizeof value)
    return fail(vcpu, "KVM reports an access of %u bytes at 0x%" PRIx64, run->mmio.len, (uint64_t)run->mmio.phys_addr);
  if (run->mmio.is_write) {
    memcpy(&value, run->mmio.data, run->mmio.len);
    bus_write(vcpu->bus, run->mmio.phys_addr, run->mmio.len, value);
  } else {
    value = bus_read(vcpu->bus, run->mmio.phys_addr, run->mmio.len);
    memcpy(run->mmio.data, &value, run->mmio.len);
  }
  return VERDICT_CONTINUE;
}

static Verdict exit_system_event(Vcpu *vcpu) {
  switch (vcpu->run->system_event.type) {
  case KVM_SYSTEM_EVENT_SHUTDOWN:
    return VERDICT_POWER_OFF;
  case KVM_SYSTEM_EVENT_RESET:
    return VERDICT_RESET;
  default:
    return fail(vcpu, "system event %u, which eret did not ask KVM for", vcpu->run->system_event.type);
  }
}

/* KVM_RUN was interrupted: by the kick, or by a signal that has been handled. */
static Verdict exit_interrupted(Vcpu *vcpu) {
  return VERDICT_CONTINUE;
}

static Verdict exit_fail_entry(Vcpu *vcpu) {
  uint64_t reason = vcpu->run->fail_entry.hardware_entry_failure_reason;

  if (reason == KVM_EXIT_FAIL_ENTRY_CPU_UNSUPPORTED)
    return fail(vcpu,
                "cannot run on host CPU %u, which differs from the one it was made for; on a host with big and little cores keep eret on "
                "one kind: taskset -c LIST eret ...",
                vcpu->run->fail_entry.cpu);
  return fail(vcpu, "the hardware refused to enter the guest, reason 0x%" PRIx64, reason);
}

static Verdict exit_internal_error(Vcpu *vcpu) {
  return fail(vcpu, "KVM met an internal error (suberror %u)", vcpu->run->internal.suberror);
}

static const struct {
  const char *name;
  ExitHandler handler;
} exits[] = {
    [KVM_EXIT_MMIO] = {"KVM_EXIT_MMIO", exit_mmio},
    [KVM_EXIT_SYSTEM_EVENT] = {"KVM_EXIT_SYSTEM_EVENT", exit_system_event},
    [KVM_EXIT_INTR] = {"KVM_EXIT_INTR", exit_interrupted},
    [KVM_EXIT_FAIL_ENTRY] = {"KVM_EXIT_FAIL_ENTRY", exit_fail_entry},
    [KVM_EXIT_INTERNAL_ERROR] = {"KVM_EXIT_INTERNAL_ERROR", exit_internal_error},
};

Verdict exit_dispatch(Vcpu *vcpu) {
  uint32_t reason = vcpu->run->exit_reason;

  if (reason < G_N_ELEMENTS(exits) && exits[reason].handler)
    return exits[reason].handler(vcpu);
  return fail(vcpu, "exit reason %u, which eret does not handle", reason);
}

Verdict exit_run_failed(Vcpu *vcpu, int error_number) {
  switch (error_number) {
  case ENOSYS: /* an access outside RAM by an instruction whose syndrome does not say what it does (ESR_EL2.ISV is 0) */
    return fail(vcpu, "an instruction that KVM cannot emulate (LDP, STP, write-back or SIMD) accessed an address that is not memory");
  case EFAULT:
    return fail(vcpu, "the host could not provide a page of guest memory (KVM_RUN: %s)", g_strerror(error_number));
  default:
    return fail(vcpu, "KVM_RUN failed: %s", g_strerror(error_number));
  }
}
