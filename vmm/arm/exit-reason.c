/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of KVM's exit reasons and system events. Linux: include/uapi/linux/kvm.h. The numbers are the kernel's and
 * never change; those that only other architectures use are left out, those that Debian 12's header does not know yet
 * stand as numbers. Pure tables.
 */
#include "vmm/arm/exit-reason.h"

#include <glib.h>

#include "vmm/arm/kvm-abi.h"

#define NAMED(name) [KVM_EXIT_##name] = "KVM_EXIT_" #name

static const char *const reasons[] = {
    NAMED(UNKNOWN),
    NAMED(EXCEPTION),
    NAMED(IO),
    NAMED(HYPERCALL),
    NAMED(DEBUG),
    NAMED(HLT),
    NAMED(MMIO),
    NAMED(IRQ_WINDOW_OPEN),
    NAMED(SHUTDOWN),
    NAMED(FAIL_ENTRY),
    NAMED(INTR),
    NAMED(NMI),
    NAMED(INTERNAL_ERROR),
    NAMED(WATCHDOG),
    NAMED(SYSTEM_EVENT),
    NAMED(ARM_NISV),
    NAMED(DIRTY_RING_FULL),
    [39] = "KVM_EXIT_MEMORY_FAULT", /* Linux 6.8 */
    [41] = "KVM_EXIT_ARM_SEA",      /* Linux 6.19 */
};

static const char *const system_events[] = {
    [KVM_SYSTEM_EVENT_SHUTDOWN] = "SHUTDOWN", [KVM_SYSTEM_EVENT_RESET] = "RESET",     [KVM_SYSTEM_EVENT_CRASH] = "CRASH",
    [KVM_SYSTEM_EVENT_WAKEUP] = "WAKEUP",     [KVM_SYSTEM_EVENT_SUSPEND] = "SUSPEND", [KVM_SYSTEM_EVENT_SEV_TERM] = "SEV_TERM",
};

const char *exit_reason_name(uint64_t reason) {
  return reason < G_N_ELEMENTS(reasons) ? reasons[reason] : NULL;
}

char *exit_reason_describe(uint64_t reason) {
  const char *name = exit_reason_name(reason);
  return name ? g_strdup(name) : g_strdup_printf("exit reason %" G_GUINT64_FORMAT, reason);
}

const char *system_event_name(uint64_t type) {
  return type < G_N_ELEMENTS(system_events) ? system_events[type] : NULL;
}
