/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KVM's facts, a line each: how it runs, what machines it allows, and what their CPUs and a monitor could have of it.
 */
#include <string.h>

#include "vmm/doctor/verdict.h"

typedef struct {
  const char *key, *label;
  size_t offset; /* of a bool in KvmFacts */
  const char *if_yes, *if_no;
} Feature;

#define FIELD(member) offsetof(KvmFacts, member)

/* What guests get of it is said where it is not what KVM could give. */
static const Feature cpu_features[] = {
    {"pauth", "pointer authentication", FIELD(pauth), "guests have it; --cpu host,pauth=off", NULL},
    {"mte", "memory tagging (MTE)", FIELD(mte), "with --cpu host,mte=on", NULL},
    {"pmu", "performance counters", FIELD(pmu), "perf in guests; --cpu host,pmu=off", "no perf in guests"},
    {"pmu_strict", "choice of the counters' CPU", FIELD(pmu_strict), NULL, NULL},
    {"aarch32", "32-bit guests", FIELD(aarch32), "guests of eret start in 64 bits; their programs may be of 32", NULL},
    {"el2", "nested virtualisation", FIELD(el2), "with --nested", "guests have no EL2, and no KVM of their own"},
    {"el2_e2h0", "nested, for nVHE guests", FIELD(el2_e2h0), "with --nested=e2h0", NULL},
    {"steal_time", "stolen time", FIELD(steal_time), "guests show it as st", NULL},
    {"ptp", "host clock (PTP)", FIELD(ptp), "guests' /dev/ptp0", NULL},
};

static const Feature monitor_features[] = {
    {"smccc_filter", "hypercall filter", FIELD(smccc_filter), "HVC and SMC can be eret's: --psci user, --smccc, --hypercall",
     "guests call eret by the doorbell page alone; --psci user, --smccc and --hypercall need Linux 6.4"},
    {"system_suspend", "suspend to RAM", FIELD(system_suspend), "guests can suspend, and wake up by their clock's alarm",
     "guests cannot suspend; it needs Linux 5.19"},
    {"nisv", "MMIO without syndrome", FIELD(nisv), "eret carries out what the hardware does not decode: pairs, SIMD, atomics",
     "a guest that uses LDP or STP on a device is stopped"},
    {"counter_offset", "counter offset", FIELD(counter_offset), NULL, NULL},
    {"writable_id_registers", "writable ID registers", FIELD(writable_id_regs), "--cpu-template",
     "every guest sees the host's CPU; --cpu-template needs Linux 6.7"},
    {"writable_implementation", "writable MIDR", FIELD(writable_implementation), NULL, NULL},
    {"guest_memfd", "guest_memfd", FIELD(guest_memfd), NULL, NULL},
    {"read_only_memory", "read-only memory", FIELD(read_only_memory), NULL, NULL},
    {"statistics", "KVM's statistics", FIELD(statistics), "eret run --stats shows them", "eret run --stats has eret's own alone"},
};

static const char *device_state(const Doctor *doctor) {
  if (doctor->kvm->built && !doctor->kvm->open_error)
    return "usable";
  return doctor->host->kvm_node ? "unusable" : "missing";
}

static void find_kvm(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autofree char *mode = doctor_kvm_mode(doctor);
  const char *meaning = mode && strstr(mode, "nVHE") ? "each switch between guest and host is dearer than with VHE" : NULL;

  doctor_is_text(doctor_add(doctor, "kvm", "device", "/dev/kvm", NULL), device_state(doctor));
  doctor_is_text(doctor_add(doctor, "kvm", "mode", "mode", meaning), mode);
  doctor_is_text(doctor_add(doctor, "kvm", "mode_asked_for", "kvm-arm.mode", "as the kernel's command line asks for"), host->kvm_mode);
  doctor_is_bool(
      doctor_add(doctor, "kvm", "log_readable", "kernel's log", host->kernel_log_readable ? NULL : "what KVM wrote to it cannot be seen"),
      host->kernel_log_readable);
}

/* PSCI's and the address space's numbers, and what they allow. */
static void find_machine(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  bool known = doctor_kvm_answers(doctor);
  g_autofree char *bits = g_strdup_printf("%u bits", kvm->ipa_bits);
  g_autofree char *psci = g_strdup_printf("%u.%u", kvm->psci_version >> 16, kvm->psci_version & 0xffff);
  Finding *cpus = doctor_add(doctor, "guests", "max_cpus", "vCPUs", doctor_gic(doctor) == 2 ? "a GICv2 serves no more" : NULL);
  Finding *address = doctor_add(doctor, "guests", "address_bits", "physical addresses", NULL);
  Finding *memory = doctor_add(doctor, "guests", "max_memory", "memory", "as far as addresses reach");
  Finding *version = doctor_add(doctor, "guests", "psci", "PSCI", NULL);

  if (!known)
    return;
  doctor_is_number(cpus, doctor_max_cpus(doctor), NULL);
  doctor_is_number(address, kvm->ipa_bits, bits);
  doctor_is_size(memory, doctor_max_memory(doctor));
  if (kvm->psci_version)
    doctor_is_text(version, psci);
}

static void find_gic(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  unsigned best = doctor_gic(doctor);
  const struct {
    const char *key, *label, *meaning;
    bool there;
  } controllers[] = {
      {"gicv2", "GICv2", best == 2 ? "what guests get: 8 vCPUs at most, messages by GICv2m" : NULL, kvm->gic_v2},
      {"gicv3", "GICv3", best == 3 ? "what guests get" : NULL, kvm->gic_v3},
      {"its", "ITS", kvm->its ? "PCI devices interrupt by messages" : NULL, kvm->its},
      {"gicv5", "GICv5", kvm->gic_v5 ? "guests of eret do not use it" : NULL, kvm->gic_v5},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(controllers); i++) {
    Finding *finding = doctor_add(doctor, "guests", controllers[i].key, controllers[i].label, controllers[i].meaning);
    if (doctor_kvm_answers(doctor))
      doctor_is_bool(finding, controllers[i].there);
  }
}

static void find_sve(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  Finding *sve = doctor_add(doctor, "cpu_features", "sve", "SVE",
                            kvm->sve ? "guests have it; --cpu host,sve=off" : "programs built for SVE do not run in guests");
  Finding *lengths = doctor_add(doctor, "cpu_features", "sve_lengths", "its vectors", NULL);
  GString *text = g_string_new(NULL);

  if (doctor_kvm_answers(doctor))
    doctor_is_bool(sve, kvm->sve);
  lengths->numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  for (unsigned i = 0; i < 32; i++) {
    uint64_t length = (i + 1) * 128u;
    if (!(kvm->sve_lengths >> i & 1))
      continue;
    g_string_append_printf(text, "%s%u", text->len ? ", " : "", (unsigned)length);
    g_array_append_val(lengths->numbers, length);
  }
  if (text->len)
    g_string_append(text, " bits");
  lengths->text = g_string_free(text, FALSE);
  lengths->kind = lengths->numbers->len ? VALUE_NUMBERS : VALUE_UNKNOWN;
}

static void find_features(Doctor *doctor, const char *group, const Feature *features, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    bool there = *(const bool *)((const char *)doctor->kvm + features[i].offset);
    Finding *finding = doctor_add(doctor, group, features[i].key, features[i].label, there ? features[i].if_yes : features[i].if_no);
    if (doctor_kvm_answers(doctor))
      doctor_is_bool(finding, there);
  }
}

static void find_debug(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  Finding *breakpoints = doctor_add(doctor, "cpu_features", "breakpoints", "hardware breakpoints", NULL);
  Finding *watchpoints = doctor_add(doctor, "cpu_features", "watchpoints", "watchpoints", NULL);

  if (!doctor_kvm_answers(doctor))
    return;
  doctor_is_number(breakpoints, kvm->breakpoints, NULL);
  doctor_is_number(watchpoints, kvm->watchpoints, NULL);
}

static void find_dirty_ring(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  Finding *ring = doctor_add(doctor, "monitor_features", "dirty_ring", "ring of written pages", kvm->dirty_ring ? "at most" : NULL);
  Finding *bitmap = doctor_add(doctor, "monitor_features", "dirty_ring_with_bitmap", "and a bitmap beside it", NULL);

  if (!doctor_kvm_answers(doctor))
    return;
  doctor_is_size(ring, kvm->dirty_ring);
  doctor_is_bool(bitmap, kvm->dirty_ring_with_bitmap);
}

void doctor_find_kvm(Doctor *doctor) {
  find_kvm(doctor);
  find_gic(doctor);
  find_machine(doctor);
  find_sve(doctor);
  find_features(doctor, "cpu_features", cpu_features, G_N_ELEMENTS(cpu_features));
  find_debug(doctor);
  find_features(doctor, "monitor_features", monitor_features, G_N_ELEMENTS(monitor_features));
  find_dirty_ring(doctor);
}
