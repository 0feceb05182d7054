/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facts, a line each. The host's: the machine, its CPUs, its kinds of memory, this process's limits, programs.
 * KVM's: how it runs, what machines it allows, and what their CPUs and a monitor could have of it; what guests get of
 * it is said where it is not what KVM could give.
 */
#include <string.h>

#include "vmm/doctor/verdict.h"

static void find_machine(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  const Finding rows[] = {
      {"architecture", "architecture", FACT_TEXT(host->process.machine),
       .meaning = g_strcmp0(host->process.machine, "aarch64") == 0 ? NULL : "guests need aarch64"},
      {"model", "machine", FACT_TEXT(host->model)},
      {"kernel", "kernel", FACT_TEXT(host->kernel)},
      {"container", "container", FACT_TEXT(host->container), .meaning = "what it may use is the host's decision"},
      {"page_size", "page size", FACT_SIZE(true, host->process.page_size),
       .meaning = host->process.page_size > 4096 ? "guests choose their own; a guest's first touch of memory takes a whole page of the host"
                                                 : NULL},
      {"memory", "memory", FACT_SIZE(host->memory_total, host->memory_total)},
      {"memory_available", "memory available", FACT_SIZE(host->memory_available, host->memory_available),
       .meaning = "guests take theirs page by page, as they touch it"},
      {"interrupt_controller", "interrupt controller", FACT_TEXT(host->gic)},
  };

  doctor_add(doctor, "host", true, rows, G_N_ELEMENTS(rows));
}

static void find_cpus(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autoptr(GString) kinds = g_string_new(NULL);

  for (unsigned i = 0; i < host->clusters->len; i++) {
    const HostCluster *cluster = g_ptr_array_index(host->clusters, i);
    g_string_append_printf(kinds, "%s%u x %s (%s)", i ? ", " : "", cluster->count, cluster->name, cluster->cpus);
  }
  const Finding rows[] = {
      {"online", "CPUs online", FACT_NUMBER(true, host->online_cpus)},
      {"kinds", "kinds", .kind = kinds->len ? VALUE_CLUSTERS : VALUE_UNKNOWN, .text = kinds->str,
       .meaning = host->clusters->len > 1 ? "keep a guest's vCPUs on one kind" : NULL},
  };
  doctor_add(doctor, "cpu", true, rows, G_N_ELEMENTS(rows));
}

static const char *meaning_of_thp(const char *thp) {
  if (g_strcmp0(thp, "never") == 0)
    return "guest memory is mapped page by page: more faults, slower guests";
  return thp ? "guest memory gets them where the kernel has them" : NULL;
}

static void find_memory(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GString) text = g_string_new(NULL);
  uint64_t reserved = 0;

  for (unsigned i = 0; i < host->huge_pages->len; i++) {
    const HostHugePages *pages = g_ptr_array_index(host->huge_pages, i);
    g_autofree char *one = doctor_size(pages->size);
    g_string_append_printf(text, "%s%s", i ? ", " : "", one);
    g_array_append_val(sizes, pages->size);
    reserved += pages->size * pages->total;
  }
  const Finding rows[] = {
      {"transparent_huge_pages", "transparent huge pages", FACT_TEXT(host->thp), .meaning = meaning_of_thp(host->thp)},
      {"transparent_huge_page_size", "their size", FACT_SIZE(host->thp_size, host->thp_size)},
      {"huge_page_sizes", "sizes of hugetlb", FACT_NUMBERS(sizes), .text = text->str},
      {"huge_pages_reserved", "reserved for it", FACT_SIZE(sizes->len, reserved),
       .meaning = reserved ? "guests of eret do not use these" : NULL},
      {"userfaultfd", "userfaultfd", FACT_BOOL(host->process.userfaultfd), .otherwise = "not for this user"},
  };
  doctor_add(doctor, "memory", true, rows, G_N_ELEMENTS(rows));
}

static void find_limits(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  bool quota = host->cgroup_cpus > 0;
  g_autofree char *cpus = quota ? g_strdup_printf("%.2g", host->cgroup_cpus) : NULL;
  const Finding rows[] = {
      {"locked_memory", "locked memory", FACT_SIZE(true, host->memlock)},
      {"open_files", "open files", FACT_NUMBER(host->nofile != HOST_UNLIMITED, host->nofile)},
      {"cgroup_memory", "memory of the group", FACT_SIZE(true, host->cgroup_memory),
       .meaning = host->cgroup_memory == HOST_UNLIMITED ? NULL : "a guest that touches more is killed with eret"},
      {"cgroup_cpus", "CPU time of the group", FACT_NUMBER(quota, host->cgroup_cpus), .text = cpus,
       .meaning = "vCPUs together get this many CPUs"},
      {"cgroup_tasks", "tasks of the group", FACT_NUMBER(host->cgroup_pids != HOST_UNLIMITED, host->cgroup_pids),
       .meaning = "a vCPU is one, and so is each virtio device"},
  };

  doctor_add(doctor, "limits", true, rows, G_N_ELEMENTS(rows));
}

static void find_sandbox(Doctor *doctor) {
  static const char otherwise[] = "machines run without, but for --sandbox require";
  const int *missing = doctor->host->process.seclusion.missing;
  const Finding rows[] = {
      {"system_call_filters", "system-call filters", FACT_BOOL(doctor->host->process.filters), .otherwise = otherwise},
      {"namespaces", seclusion_layer_name(SECLUSION_NAMESPACES), FACT_BOOL(!missing[SECLUSION_NAMESPACES]), .otherwise = otherwise},
      {"landlock", seclusion_layer_name(SECLUSION_LANDLOCK), FACT_BOOL(!missing[SECLUSION_LANDLOCK]), .otherwise = otherwise},
  };

  doctor_add(doctor, "sandbox", true, rows, G_N_ELEMENTS(rows));
}

/* Where the program is. */
static Finding find_program(const HostFacts *host, const char *name, const char *key, const char *meaning) {
  char *path = g_hash_table_lookup(host->programs, name);

  return (Finding){key, name, .kind = path ? VALUE_TEXT : VALUE_UNKNOWN, .text = path ? path : (char *)"not found", .meaning = meaning};
}

static Finding find_firmware(const KnownFirmware *firmware, const char *label, const char *key) {
  return (Finding){key, label, .kind = firmware ? VALUE_TEXT : VALUE_UNKNOWN,
                   .text = firmware ? (char *)firmware->path : (char *)"not found",
                   .meaning = "eret run --firmware auto boots what is on disks"};
}

static void find_programs(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  const Finding rows[] = {
      {"tracepoints", "KVM's tracepoints", FACT_BOOL(host->tracefs), .meaning = "eret run --record sees the kernel's side",
       .otherwise = "eret run --record has eret's own events alone"},
      find_program(host, "passt", "passt", "a guest's network without root"),
      find_program(host, "virtiofsd", "virtiofsd", "directories shared with a guest"),
      find_program(host, "qemu-storage-daemon", "qemu_storage_daemon", "disk images other than raw"),
      find_program(host, "mcopy", "mtools", "what cloud-init in a guest is told: --ssh-key, --password, --cloud-init"),
      find_firmware(host->uefi, "UEFI for guests", "uefi"),
      find_firmware(host->u_boot, "U-Boot for guests", "u_boot"),
      find_program(host, "busybox", "busybox", "eret exec takes a static one for ARM64, or --rootfs"),
  };

  doctor_add(doctor, "tools", true, rows, G_N_ELEMENTS(rows));
}

/* KVM. */

static const char *device_state(const Doctor *doctor) {
  if (doctor->kvm->built && !doctor->kvm->open_error)
    return "usable";
  return doctor->host->kvm_node ? "unusable" : "missing";
}

static void find_kvm(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autofree char *mode = doctor_kvm_mode(doctor);
  const char *device = device_state(doctor);
  const Finding rows[] = {
      {"device", "/dev/kvm", FACT_TEXT(device)},
      {"mode", "mode", FACT_TEXT(mode),
       .meaning = mode && strstr(mode, "nVHE") ? "each switch between guest and host is dearer than with VHE" : NULL},
      {"mode_asked_for", "kvm-arm.mode", FACT_TEXT(host->kvm_mode), .meaning = "as the kernel's command line asks for"},
      {"log_readable", "kernel's log", FACT_BOOL(host->kernel_log_readable), .otherwise = "what KVM wrote to it cannot be seen"},
  };

  doctor_add(doctor, "kvm", true, rows, G_N_ELEMENTS(rows));
}

/* Interrupt controllers; PSCI's and the address space's numbers, and what they allow. */
static void find_guests(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  bool known = doctor_kvm_answers(doctor);
  unsigned gic = doctor_gic(doctor);
  g_autofree char *bits = g_strdup_printf("%u bits", kvm->ipa_bits);
  g_autofree char *psci = kvm->psci_version ? g_strdup_printf("%u.%u", kvm->psci_version >> 16, kvm->psci_version & 0xffff) : NULL;
  const Finding rows[] = {
      {"gicv2", "GICv2", FACT_BOOL(kvm->gic_v2), .meaning = gic == 2 ? "what guests get: 8 vCPUs at most, messages by GICv2m" : NULL},
      {"gicv3", "GICv3", FACT_BOOL(kvm->gic_v3), .meaning = gic == 3 ? "what guests get" : NULL},
      {"its", "ITS", FACT_BOOL(kvm->its), .meaning = "PCI devices interrupt by messages"},
      {"gicv5", "GICv5", FACT_BOOL(kvm->gic_v5), .meaning = "guests of eret do not use it"},
      {"max_cpus", "vCPUs", FACT_NUMBER(true, doctor_max_cpus(doctor)), .meaning = gic == 2 ? "a GICv2 serves no more" : NULL},
      {"address_bits", "physical addresses", FACT_NUMBER(true, kvm->ipa_bits), .text = bits},
      {"max_memory", "memory", FACT_SIZE(true, known ? doctor_max_memory(doctor) : 0), .meaning = "as far as addresses reach"},
      {"psci", "PSCI", FACT_TEXT(psci)},
  };

  doctor_add(doctor, "guests", known, rows, G_N_ELEMENTS(rows));
}

static void find_cpu_features(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  g_autoptr(GArray) lengths = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GString) bits = g_string_new(NULL);

  for (unsigned i = 0; i < 32; i++) {
    uint64_t length = (i + 1) * 128u;
    if (!(kvm->sve_lengths >> i & 1))
      continue;
    g_string_append_printf(bits, "%s%u", bits->len ? ", " : "", (unsigned)length);
    g_array_append_val(lengths, length);
  }
  g_string_append(bits, bits->len ? " bits" : "");
  const Finding rows[] = {
      {"sve", "SVE", FACT_BOOL(kvm->sve), .meaning = "guests have it; --cpu host,sve=off",
       .otherwise = "programs built for SVE do not run in guests"},
      {"sve_lengths", "its vectors", FACT_NUMBERS(lengths), .text = bits->str},
      {"pauth", "pointer authentication", FACT_BOOL(kvm->pauth), .meaning = "guests have it; --cpu host,pauth=off"},
      {"mte", "memory tagging (MTE)", FACT_BOOL(kvm->mte), .meaning = "with --cpu host,mte=on"},
      {"pmu", "performance counters", FACT_BOOL(kvm->pmu), .meaning = "perf in guests; --cpu host,pmu=off",
       .otherwise = "no perf in guests"},
      {"pmu_strict", "choice of the counters' CPU", FACT_BOOL(kvm->pmu_strict)},
      {"aarch32", "32-bit guests", FACT_BOOL(kvm->aarch32), .meaning = "guests of eret start in 64 bits; their programs may be of 32"},
      {"el2", "nested virtualisation", FACT_BOOL(kvm->el2), .meaning = "with --nested",
       .otherwise = "guests have no EL2, and no KVM of their own"},
      {"el2_e2h0", "nested, for nVHE guests", FACT_BOOL(kvm->el2_e2h0), .meaning = "with --nested=e2h0"},
      {"steal_time", "stolen time", FACT_BOOL(kvm->steal_time), .meaning = "guests show it as st"},
      {"ptp", "host clock (PTP)", FACT_BOOL(kvm->ptp), .meaning = "guests' /dev/ptp0"},
      {"breakpoints", "hardware breakpoints", FACT_NUMBER(true, kvm->breakpoints)},
      {"watchpoints", "watchpoints", FACT_NUMBER(true, kvm->watchpoints)},
  };
  doctor_add(doctor, "cpu_features", doctor_kvm_answers(doctor), rows, G_N_ELEMENTS(rows));
}

static void find_monitor_features(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  const Finding rows[] = {
      {"smccc_filter", "hypercall filter", FACT_BOOL(kvm->smccc_filter),
       .meaning = "HVC and SMC can be eret's: --psci user, --smccc, --hypercall",
       .otherwise = "guests call eret by the doorbell page alone; --psci user, --smccc and --hypercall need Linux 6.4"},
      {"system_suspend", "suspend to RAM", FACT_BOOL(kvm->system_suspend),
       .meaning = "guests can suspend, and wake up by their clock's alarm", .otherwise = "guests cannot suspend; it needs Linux 5.19"},
      {"nisv", "MMIO without syndrome", FACT_BOOL(kvm->nisv),
       .meaning = "eret carries out what the hardware does not decode: pairs, SIMD, atomics",
       .otherwise = "a guest that uses LDP or STP on a device is stopped"},
      {"counter_offset", "counter offset", FACT_BOOL(kvm->counter_offset)},
      {"writable_id_registers", "writable ID registers", FACT_BOOL(kvm->writable_id_regs), .meaning = "--cpu-template",
       .otherwise = "every guest sees the host's CPU; --cpu-template needs Linux 6.7"},
      {"writable_implementation", "writable MIDR", FACT_BOOL(kvm->writable_implementation)},
      {"guest_memfd", "guest_memfd", FACT_BOOL(kvm->guest_memfd)},
      {"read_only_memory", "read-only memory", FACT_BOOL(kvm->read_only_memory)},
      {"statistics", "KVM's statistics", FACT_BOOL(kvm->statistics), .meaning = "eret run --stats shows them",
       .otherwise = "eret run --stats has eret's own alone"},
      {"dirty_ring", "ring of written pages", FACT_SIZE(true, kvm->dirty_ring), .meaning = kvm->dirty_ring ? "at most" : NULL},
      {"dirty_ring_with_bitmap", "and a bitmap beside it", FACT_BOOL(kvm->dirty_ring_with_bitmap)},
  };

  doctor_add(doctor, "monitor_features", doctor_kvm_answers(doctor), rows, G_N_ELEMENTS(rows));
}

void doctor_find(Doctor *doctor) {
  find_machine(doctor);
  find_cpus(doctor);
  find_memory(doctor);
  find_limits(doctor);
  find_sandbox(doctor);
  find_programs(doctor);
  doctor_find_network(doctor);
  doctor_find_shares(doctor);
  doctor_find_disks(doctor);
  doctor_find_images(doctor);
  find_kvm(doctor);
  find_guests(doctor);
  find_cpu_features(doctor);
  find_monitor_features(doctor);
}
