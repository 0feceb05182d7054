/* SPDX-License-Identifier: Apache-2.0 */
/* What is missing, and how it could be had. Only what somebody can do something about. */
#include <stdlib.h>
#include <string.h>

#include "vmm/doctor/verdict.h"

#define NOFILE_ENOUGH 256          /* a machine with 16 vCPUs and 16 devices takes about 150 */
#define GUEST_MEMORY  (512u << 20) /* --memory's default */

void doctor_add_advice(Doctor *doctor, const char *key, const char *format, ...) {
  Advice *advice = g_new0(Advice, 1);
  va_list arguments;

  advice->key = key;
  va_start(arguments, format);
  advice->text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_ptr_array_add(doctor->advice, advice);
}

/* Whether the kernel is at least this one, by its release "6.12.95+deb12". */
static bool kernel_is(const HostFacts *host, unsigned long major, unsigned long minor) {
  char *end = NULL;
  unsigned long first = host->kernel ? strtoul(host->kernel, &end, 10) : 0;
  unsigned long second = end && *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

  return first > major || (first == major && second >= minor);
}

/* What one can do about KVM itself, where it works. */
static void advise_kvm(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  const KvmFacts *kvm = doctor->kvm;
  g_autofree char *mode = doctor_kvm_mode(doctor);

  if (!kvm->smccc_filter && kernel_is(host, 6, 4))
    doctor_add_advice(
        doctor, "smccc-filter",
        "hypercalls cannot be forwarded although the kernel is new enough: this KVM was built or patched without its filter.");
  else if (!kvm->smccc_filter)
    doctor_add_advice(doctor, "smccc-filter",
                      "for --psci user, --smccc and --hypercall: a host kernel from Linux 6.4 on (Debian 12: bookworm-backports).");
  if (!kvm->el2 && host->model && strstr(host->model, "Apple Virtualization")) {
    doctor_add_advice(
        doctor, "nested",
        "macOS gives virtual machines one level below themselves: guests here run, but have no KVM of their own, whatever is set up.");
    return;
  }
  if (kvm->el2 || !kvm->gic_v3 || (mode && strcmp(mode, "VHE") != 0))
    return;
  if (g_strcmp0(host->kvm_mode, "nested") == 0 && kernel_is(host, 6, 16))
    doctor_add_advice(
        doctor, "nested",
        "kvm-arm.mode=nested is on the command line without effect: the CPU lacks FEAT_NV2, or the machine outside does not pass it on.");
  else if (!host->kvm_mode)
    doctor_add_advice(
        doctor, "nested",
        "for virtual machines within guests: Linux 6.16 or later on the host%s, booted with kvm-arm.mode=nested, on a CPU with FEAT_NV2.",
        kernel_is(host, 6, 16) ? " (it is)" : "");
}

static void advise_cpus(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autoptr(GString) commands = g_string_new(NULL);

  if (host->clusters->len < 2)
    return;
  for (unsigned i = 0; i < host->clusters->len; i++) {
    const HostCluster *cluster = g_ptr_array_index(host->clusters, i);
    g_string_append_printf(commands, "%s`taskset -c %s eret run ...` (%s)", i ? " or " : "", cluster->cpus, cluster->name);
  }
  doctor_add_advice(doctor, "one-kind-of-cpu",
                    "the CPUs are of %u kinds, and a vCPU that moves between them sees another CPU: run a guest on one kind, %s.",
                    host->clusters->len, commands->str);
}

static void advise_host(Doctor *doctor) {
  enum { TASKS_ENOUGH = 32 };
  const HostFacts *host = doctor->host;
  g_autofree char *limit = doctor_size(host->cgroup_memory);

  if (g_strcmp0(host->thp, "never") == 0)
    doctor_add_advice(doctor, "huge-pages",
                      "guests are faster with transparent huge pages: echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
  if (host->cgroup_memory != HOST_UNLIMITED && host->cgroup_memory < 2ull * GUEST_MEMORY)
    doctor_add_advice(doctor, "group-memory",
                      "the control group allows %s: give guests less with --memory, or raise memory.max (containers: --memory).", limit);
  if (host->nofile < NOFILE_ENOUGH)
    doctor_add_advice(doctor, "open-files", "%u open files are few for a machine with several CPUs and devices: ulimit -n 1024.",
                      (unsigned)host->nofile);
  if (host->cgroup_pids < TASKS_ENOUGH)
    doctor_add_advice(doctor, "group-tasks",
                      "the control group allows %u tasks, and a machine takes one a vCPU and virtio device: raise pids.max.",
                      (unsigned)host->cgroup_pids);
  if (host->cgroup_cpus > 0 && host->cgroup_cpus < 1)
    doctor_add_advice(
        doctor, "group-cpus",
        "the control group allows %.2g CPUs: a guest stands still for the rest of each period. Raise cpu.max (containers: --cpus).",
        host->cgroup_cpus);
  if (!host->tracefs && doctor->guests)
    doctor_add_advice(doctor, "tracepoints", "for the kernel's side of eret run --record: %s",
                      host->process.root ? "mount -t tracefs nodev /sys/kernel/tracing"
                                         : "run it as root, with tracefs mounted on /sys/kernel/tracing.");
  if (!host->uefi && !host->u_boot && doctor->guests) {
    g_autofree char *packages = firmware_packages();
    doctor_add_advice(doctor, "firmware",
                      "for disks that boot by themselves, with eret run --firmware auto: firmware, of Debian's packages %s.", packages);
  }
  if (!g_hash_table_contains(host->programs, "busybox") && doctor->guests)
    doctor_add_advice(
        doctor, "busybox",
        "eret exec puts busybox into its guests: install a static one (Debian: busybox-static), or use --busybox or --rootfs.");
}

void doctor_advise(Doctor *doctor) {
  if (doctor->guests) {
    advise_kvm(doctor);
    advise_cpus(doctor);
    doctor_advise_network(doctor);
    doctor_advise_shares(doctor);
    doctor_advise_disks(doctor);
    doctor_advise_images(doctor);
  }
  advise_host(doctor);
}
