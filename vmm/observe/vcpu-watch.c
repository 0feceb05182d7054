/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between two KVM_RUNs. An exit is counted, and recorded, when the vCPU goes back into KVM_RUN: only then it is known
 * how long userspace had it.
 *
 * No lock: everything is the vCPU thread's own.
 */
#include "vmm/observe/vcpu-watch.h"

#include <errno.h>

#include "vmm/arm/kvm-abi.h"

void vcpu_watch_init(VcpuWatch *watch, unsigned index, ExitCounts *counts, Recorder *recorder) {
  *watch = (VcpuWatch){.index = index, .counts = counts, .recorder = recorder};
}

void vcpu_watch_begin(VcpuWatch *watch) {
  if (watch->recorder)
    recorder_this_is_vcpu(watch->recorder, watch->index);
}

/* At NOW userspace is done with the exit. */
static void close_exit(VcpuWatch *watch, uint64_t now) {
  uint64_t user_ns = now - watch->record.time;

  if (!watch->open)
    return;
  watch->open = false;
  if (watch->counts)
    exit_counts_add(watch->counts, &watch->site, watch->run_ns, user_ns);
  if (watch->recorder) {
    watch->record.b = user_ns;
    recorder_add(watch->recorder, &watch->record);
  }
}

void vcpu_watch_end(VcpuWatch *watch) {
  close_exit(watch, trace_now());
}

void vcpu_watch_enter(VcpuWatch *watch) {
  watch->entered = trace_now();
  close_exit(watch, watch->entered);
}

void vcpu_watch_return(VcpuWatch *watch, uint32_t reason, int error_number) {
  uint64_t now = trace_now();

  watch->open = true;
  watch->run_ns = now - watch->entered;
  watch->site = (ExitSite){.cause = error_number == EINTR || reason == KVM_EXIT_INTR ? EXIT_BY_SIGNAL : EXIT_BY_OTHER, .reg = ""};
  watch->record = (TraceRecord){
      .time = now,
      .kind = TRACE_ERET_RETURN,
      .vcpu = (uint16_t)watch->index,
      .flags = error_number ? TRACE_RETURN_FAILED : 0,
      .a = error_number ? (uint64_t)error_number : reason,
  };
}

/* The texts' numbers are looked up where there is a recording. */
static void name(VcpuWatch *watch, const char *what, const char *detail) {
  watch->site.device = what;
  if (!watch->recorder)
    return;
  watch->record.name = recorder_text(watch->recorder, what);
  watch->record.detail = recorder_text(watch->recorder, detail);
}

void vcpu_watch_mmio(VcpuWatch *watch, const char *device, const char *reg, uint64_t address, unsigned size, bool write, uint64_t value) {
  watch->site.cause = EXIT_BY_MMIO;
  watch->site.reg = reg;
  watch->site.write = write;
  name(watch, device, *reg ? reg : NULL);
  watch->record.flags |= (write ? TRACE_RETURN_WRITE : 0) | size << 8;
  watch->record.c = address;
  watch->record.d = value;
}

void vcpu_watch_hypercall(VcpuWatch *watch, const char *service, uint32_t function, bool smc, uint64_t result) {
  watch->site.cause = EXIT_BY_HYPERCALL;
  name(watch, service, NULL);
  watch->record.flags |= smc ? TRACE_RETURN_SMC : 0;
  watch->record.c = function;
  watch->record.d = result;
}

void vcpu_watch_system_event(VcpuWatch *watch, const char *event) {
  watch->site.cause = EXIT_BY_SYSTEM_EVENT;
  name(watch, event, NULL);
}
