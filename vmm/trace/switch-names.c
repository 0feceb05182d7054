/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said of one world switch: its cost, and the names of what it was about. The names are the Arm ARM's
 * (exception classes, system registers), KVM's and eret's own. No locks: pure functions.
 */
#include <errno.h>

#include "vmm/arm/esr.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/arm/smccc-names.h"
#include "vmm/arm/sysreg.h"
#include "vmm/trace/switches.h"

#define EC_IABT_LOW      0x20 /* ESR_ELx.EC, D24.2 */
#define ISS_S1PTW        (UINT64_C(1) << 7)
#define INSTRUCTION_SIZE 4

uint64_t trace_switch_cost(const TraceSwitch *one) {
  return one->returned > one->left ? one->returned - one->left : 0;
}

uint64_t trace_switch_kernel_ns(const TraceSwitch *one) {
  uint64_t cost = trace_switch_cost(one);
  cost -= MIN(cost, one->user_ns);
  return cost - MIN(cost, one->waited);
}

uint64_t trace_switch_pc(const TraceSwitch *one) {
  bool behind = one->cause == SWITCH_TRAP && one->action == SWITCH_DOES_HYPERCALL && !one->smc;
  return behind && one->pc >= INSTRUCTION_SIZE ? one->pc - INSTRUCTION_SIZE : one->pc;
}

const char *trace_switch_device(const TraceSwitches *switches, const TraceSwitch *one) {
  if (one->action != SWITCH_DOES_MMIO)
    return "";
  if (*one->device)
    return one->device;
  const RecordingRegion *region = recording_region(switches->recording, one->ipa);
  return region ? recording_get_text(switches->recording, region->name) : "";
}

bool trace_switch_is_nowhere(const TraceSwitches *switches, const TraceSwitch *one) {
  if (!switches->knows_memory || one->action != SWITCH_DOES_FAULT || !one->has_esr || (one->user_from && one->run_error != EINTR))
    return false;
  const RecordingRegion *region = recording_region(switches->recording, one->ipa);
  if (!region)
    return true;
  /* What a device has lies in no memory either; but registers may be mapped for loads. */
  bool is_ram = g_str_equal(recording_get_text(switches->recording, region->name), TRACE_REGION_RAM);
  return !is_ram && (one->ec == EC_IABT_LOW || one->esr & ISS_S1PTW);
}

char *trace_switch_sysreg(const TraceSwitch *one) {
  const char *kvm = one->sysreg_name;
  char *name = one->sysreg ? sysreg_name(one->sysreg, one->write) : NULL;

  if (name)
    return name;
  if (*kvm)
    return g_strdup(g_str_has_prefix(kvm, "SYS_") ? kvm + 4 : kvm);
  return one->sysreg ? sysreg_describe(one->sysreg, one->write) : NULL;
}

char *trace_switch_function(const TraceSwitch *one) {
  if (!one->has_function)
    return NULL;
  return *one->service ? g_strdup(one->service) : smccc_describe((uint32_t)one->function);
}

static char *mmio_class(const TraceSwitches *switches, const TraceSwitch *one) {
  const char *device = trace_switch_device(switches, one), *how = one->write ? " write" : " read";
  const char *before = one->cause == SWITCH_TRAP ? "DABT_LOW " : "MMIO ";

  if (!*device)
    return g_strconcat(before, "device", how, NULL);
  return g_strconcat(before, device, *one->reg ? " " : "", one->reg, how, NULL);
}

static char *trap_class(const TraceSwitches *switches, const TraceSwitch *one) {
  const char *name = esr_class_name(one->ec);

  switch (one->action) {
  case SWITCH_DOES_HYPERCALL:
    return g_strdup(name);
  case SWITCH_DOES_MMIO:
    return mmio_class(switches, one);
  case SWITCH_DOES_FAULT:
    return g_strconcat(name, trace_switch_is_nowhere(switches, one) ? " no memory" : " memory", NULL);
  case SWITCH_DOES_SYSREG: {
    g_autofree char *sysreg = trace_switch_sysreg(one);
    return sysreg ? g_strconcat(name, " ", sysreg, one->write ? " write" : " read", NULL) : g_strdup(name);
  }
  case SWITCH_DOES_WAIT:
    return g_strdup(one->wfe ? "WFE" : "WFI");
  case SWITCH_DOES_OTHER:
    break;
  }
  return g_strdup_printf("EC 0x%02x %s", one->ec, name);
}

/* With eret's events alone. */
static char *unknown_class(const TraceSwitches *switches, const TraceSwitch *one) {
  if (one->run_error == EINTR)
    return g_strdup("signal");
  if (one->run_error)
    return g_strdup("KVM_RUN failed");
  if (!one->user_from)
    return g_strdup("unknown");
  if (one->action == SWITCH_DOES_MMIO)
    return mmio_class(switches, one);
  if (one->action == SWITCH_DOES_HYPERCALL)
    return g_strconcat("hypercall", *one->service ? " " : "", one->service, NULL);
  return exit_reason_describe(one->exit_reason);
}

char *trace_switch_class(const TraceSwitches *switches, const TraceSwitch *one) {
  switch (one->cause) {
  case SWITCH_TRAP:
    return trap_class(switches, one);
  case SWITCH_IRQ:
    return g_strdup("IRQ");
  case SWITCH_SERROR:
    return g_strdup("SError");
  case SWITCH_ILLEGAL:
    return g_strdup("ILLEGAL");
  case SWITCH_UNKNOWN:
    break;
  }
  return unknown_class(switches, one);
}
