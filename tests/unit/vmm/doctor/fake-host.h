/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts for the tests of vmm/doctor/: trees of /proc and /sys, and what KVM would say on them. Tests only. */
#pragma once

#include "tests/unit/directory.h"
#include "vmm/doctor/verdict.h"

/* An ARM64 process of an ordinary user. Nothing of it is to be freed. */
static inline HostProcess fake_process(void) {
  return (HostProcess){.machine = (char *)"aarch64", .user = (char *)"ann", .path = (char *)"/opt/bin", .uid = 1000, .page_size = 4096};
}

/* A KVM as in Linux 6.12 on a VHE host with GICv3. */
static inline KvmFacts fake_kvm(void) {
  return (KvmFacts){.built = true,
                    .api_version = 12,
                    .api_known = true,
                    .ipa_bits = 48,
                    .max_cpus = 512,
                    .gic_v3 = true,
                    .its = true,
                    .smccc_filter = true,
                    .psci_version = 0x10001,
                    .pmu = true,
                    .nisv = true,
                    .counter_offset = true,
                    .writable_id_regs = true,
                    .dirty_ring = 1 << 20,
                    .statistics = true,
                    .breakpoints = 6,
                    .watchpoints = 4};
}

static inline KvmFacts fake_no_kvm(int open_error) {
  return (KvmFacts){.built = true, .open_error = open_error, .api_version = -1};
}

/* The lines of /proc/interrupts that tell the interrupt controller and the host's own timer. */
static inline void fake_interrupts(const char *root, const char *chip, unsigned timer) {
  g_autofree char *text = g_strdup_printf("           CPU0       CPU1       \n"
                                          " 11:        512        733     %s  %u Level     arch_timer\n"
                                          " 12:          0          0     %s  27 Level     kvm guest vtimer\n"
                                          " 14:         20          0     %s  33 Level     uart-pl011\n"
                                          "IPI0:        91         74       Rescheduling interrupts\n",
                                          chip, timer, chip, chip);
  directory_write(root, "proc/interrupts", text);
}

/* CPUs FIRST to LAST have this MIDR_EL1. */
static inline void fake_cpus(const char *root, unsigned first, unsigned last, const char *midr) {
  for (unsigned cpu = first; cpu <= last; cpu++) {
    g_autofree char *path = g_strdup_printf("sys/devices/system/cpu/cpu%u/regs/identification/midr_el1", cpu);
    g_autofree char *line = g_strconcat(midr, "\n", NULL);
    directory_write(root, path, line);
  }
}

/* What every host has. */
static inline char *fake_host(const char *kernel) {
  char *root = directory_new();
  g_autofree char *release = g_strconcat(kernel, "\n", NULL);

  directory_write(root, "proc/sys/kernel/osrelease", release);
  directory_write(root, "proc/meminfo", "MemTotal:        8388608 kB\nMemFree:          100000 kB\nMemAvailable:    4194304 kB\n");
  directory_write(root, "proc/self/limits",
                  "Limit                     Soft Limit           Hard Limit           Units     \n"
                  "Max open files            1024                 1048576              files     \n"
                  "Max locked memory         unlimited            unlimited            bytes     \n");
  directory_write(root, "proc/self/cgroup", "0::/\n");
  directory_write(root, "proc/misc", "183 hw_random\n232 kvm\n");
  directory_write(root, "etc/group", "root:x:0:\nkvm:x:106:bob\n");
  directory_write(root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  directory_write(root, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n");
  return root;
}

/* The host is not to be looked at afterwards but through the returned facts. */
static inline HostFacts *fake_read(char *root_taken, const HostProcess *process) {
  HostProcess own = *process;

  own.machine = g_strdup(process->machine);
  own.user = g_strdup(process->user);
  own.path = g_strdup(process->path);
  own.passt_problem = g_strdup(process->passt_problem);
  own.virtiofsd.version = g_strdup(process->virtiofsd.version);
  own.virtiofsd.problem = g_strdup(process->virtiofsd.problem);
  own.storage_daemon = g_strdup(process->storage_daemon);
  own.storage_daemon_problem = g_strdup(process->storage_daemon_problem);
  own.images.skopeo = g_strdup(process->images.skopeo);
  own.images.umoci = g_strdup(process->images.umoci);
  own.images.problem = g_strdup(process->images.problem);
  HostFacts *facts = host_facts_read(root_taken, own);
  directory_free(root_taken);
  g_free(root_taken);
  return facts;
}
