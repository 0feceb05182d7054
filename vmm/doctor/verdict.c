/* SPDX-License-Identifier: Apache-2.0 */
/* Whether guests run on this host; if not, which of the known causes it is, and what cures it. */
#include "vmm/doctor/verdict.h"

#include <errno.h>
#include <string.h>

#include "vmm/config/board.h"

/* FORMAT is the reason's. CURE may be NULL. */
static void G_GNUC_PRINTF(4, 5) judge(Doctor *doctor, const char *cause, const char *cure, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  doctor->reason = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  doctor->cause = cause;
  doctor->cure = g_strdup(cure);
}

static bool log_says(const HostFacts *host, const char *text) {
  for (unsigned i = 0; i < host->kvm_log->len; i++)
    if (strstr(g_ptr_array_index(host->kvm_log, i), text))
      return true;
  return false;
}

/* Who could have entered Linux at EL1, by what the machine calls itself: what is to be done is different with each. */
static const struct {
  const char *name, *cure;
} platforms[] = {
    {"Apple",
     "Give the virtual machine nested virtualisation: a Mac with M3 or later, macOS 15 or later, and a VMM that asks for it (Lima: "
     "nestedVirtualization: true)."},
    {"QEMU", "Start QEMU with -machine virt,virtualization=on; under an accelerator that takes a host whose KVM or HVF can nest."},
    {"linux,dummy-virt",
     "In QEMU, start it with -machine virt,virtualization=on; under an accelerator that takes a host whose KVM or HVF can nest."},
    {"Amazon", "ARM64 instances have no nested virtualisation: take a bare-metal one, of a type that ends in .metal."},
    {"Google", "ARM64 instances have no nested virtualisation: take a bare-metal one."},
    {"Microsoft",
     "ARM64 machines of Hyper-V and Azure have no nested virtualisation: use the hardware itself, or another cloud's bare metal."},
    {"VMware", "VMware offers no nested virtualisation on ARM64: use the hardware itself, or a hypervisor that can nest."},
    {"Parallels", "Parallels offers no nested virtualisation to Linux on ARM64: use a VMM that asks macOS for it, on M3 or later (Lima: "
                  "nestedVirtualization: true)."},
    {"Oracle", "ARM64 virtual machines there have no nested virtualisation: take a bare-metal one."},
};

static char *cure_el1(const HostFacts *host) {
  for (unsigned i = 0; i < G_N_ELEMENTS(platforms); i++)
    if ((host->model && strstr(host->model, platforms[i].name)) || (host->vendor && strstr(host->vendor, platforms[i].name)))
      return g_strdup(platforms[i].cure);
  if (host->hypervisor)
    return g_strdup_printf("Linux runs under a hypervisor (%s): turn on nested virtualisation there, or run eret on the hardware itself.",
                           host->hypervisor);
  return g_strdup(
      "In a virtual machine, turn on nested virtualisation in the one outside; on a board, update its firmware (TF-A, U-Boot) to one that "
      "enters Linux at EL2.");
}

static bool entered_at_el1(const HostFacts *host) {
  enum { VIRTUAL_TIMER = 27 };
  if (host->started_at_level)
    return host->started_at_level == 1;
  return log_says(host, "HYP mode not available") || host->timer_intid == VIRTUAL_TIMER ||
         (!host->timer_intid && g_strcmp0(host->psci_conduit, "hvc") == 0);
}

/* KVM is not there, or does not answer. */
static void judge_not_started(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autofree char *at_el1 = entered_at_el1(host) ? cure_el1(host) : NULL;

  if (host->config_kvm == KERNEL_CONFIG_OFF)
    judge(doctor, "not-in-kernel",
          "Install a kernel that has it: Debian's and all usual distributions' do; or build yours with CONFIG_VIRTUALIZATION=y and "
          "CONFIG_KVM=y.",
          "this kernel was built without KVM (CONFIG_KVM)");
  else if (g_strcmp0(host->kvm_mode, "none") == 0)
    judge(doctor, "turned-off", "Take kvm-arm.mode=none off the command line and reboot.",
          "the kernel's command line turns KVM off (kvm-arm.mode=none)");
  else if (log_says(host, "NV support requires GICv3") || (g_strcmp0(host->kvm_mode, "nested") == 0 && g_strcmp0(host->gic, "GICv2") == 0))
    judge(doctor, "nested-needs-gicv3", "Take kvm-arm.mode=nested off the command line and reboot: KVM works without it.",
          "the command line asks for nested virtualisation (kvm-arm.mode=nested), which needs a GICv3; this machine has a GICv2, and KVM "
          "gave up altogether (\"NV support requires GICv3\")");
  else if (at_el1)
    judge(doctor, "entered-at-el1", at_el1, "Linux was entered at EL1, and KVM needs EL2");
  else if (host->kvm_log->len)
    judge(doctor, "not-started", "`sudo dmesg | grep -i kvm` has the rest.", "KVM did not start; the last it said is \"%s\"",
          (const char *)g_ptr_array_index(host->kvm_log, host->kvm_log->len - 1));
  else
    judge(doctor, "not-started",
          "`sudo dmesg | grep -iE 'kvm|started at EL'` says why; most often Linux was entered at EL1 and not at EL2: in a virtual machine "
          "turn on nested virtualisation in the one outside, on a board update its firmware.",
          "KVM did not start on this kernel, and why cannot be seen without its log");
}

static void judge_no_node(Doctor *doctor) {
  const HostFacts *host = doctor->host;

  if (!host->kvm_registered)
    judge_not_started(doctor);
  else if (host->container)
    judge(doctor, "not-in-container", "Start the container with --device /dev/kvm.",
          "the kernel has KVM, but /dev/kvm was not given to this container (%s)", host->container);
  else
    judge(doctor, "no-device-node",
          "In a container or chroot, hand the host's in (--device /dev/kvm); else make it: sudo mknod -m 660 /dev/kvm c 10 232 && sudo "
          "chgrp kvm /dev/kvm.",
          "the kernel has KVM, but there is no /dev/kvm");
}

/* Groups who can write to it: then membership is what is missing. */
static void judge_permission(Doctor *doctor) {
  enum { GROUP_READ_WRITE = 060 };
  const HostFacts *host = doctor->host;
  const char *group = host->kvm_group ? host->kvm_group : "kvm";
  bool by_group = (host->kvm_node_mode & GROUP_READ_WRITE) == GROUP_READ_WRITE && strcmp(group, "root") != 0;
  g_autofree char *cure = NULL;

  if (host->process.root)
    cure = g_strdup("root is refused too, so it is not the file's mode: a container's device rules or a security module; start the "
                    "container with --device /dev/kvm.");
  else if (!by_group)
    cure = g_strdup("Give the device to a group: sudo groupadd -rf kvm && sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm && sudo "
                    "usermod -aG kvm $USER, then log in again; or run eret as root.");
  else if (host->user_in_group)
    cure = g_strdup_printf("%s is in the group %s already, but this session is older than that: log in again, or `newgrp %s`.",
                           host->process.user, group, group);
  else
    cure = g_strdup_printf("Add yourself to the group that may: sudo usermod -aG %s %s, then log in again; or run eret as root.", group,
                           host->process.user ? host->process.user : "$USER");
  judge(doctor, "permission-denied", cure, "%s may not use /dev/kvm: permission denied",
        host->process.user ? host->process.user : "this user");
}

static void judge_closed(Doctor *doctor) {
  int reason = doctor->kvm->open_error;

  switch (reason) {
  case ENOENT:
    judge_no_node(doctor);
    break;
  case EACCES:
  case EPERM:
    judge_permission(doctor);
    break;
  case ENODEV:
  case ENXIO:
    judge_not_started(doctor);
    break;
  case EBUSY:
    judge(doctor, "busy", "End the other hypervisor: `sudo fuser -v /dev/kvm` and `lsmod` show whose it is.",
          "somebody else holds the processor's virtualisation: /dev/kvm is busy");
    break;
  case EMFILE:
  case ENFILE:
    judge(doctor, "no-descriptors", "Raise the limit: ulimit -n 1024.", "there is no file descriptor left for /dev/kvm");
    break;
  default:
    judge(doctor, "cannot-open", "`sudo dmesg | grep -i kvm` may say more.", "/dev/kvm cannot be opened: %s", g_strerror(reason));
  }
}

static const char *vm_cure(int reason) {
  if (reason == EBUSY)
    return "End the other hypervisor that uses the processor.";
  if (reason == ENOMEM || reason == EMFILE)
    return "Free memory and descriptors, or raise the limits of this process (`ulimit -a`, its control group).";
  return "`sudo dmesg | grep -i kvm` may say more.";
}

static void judge_open(Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;

  if (!kvm->api_known)
    judge(doctor, "not-kvm",
          "Under emulation of a single program (qemu-user) there is none; else `ls -l /dev/kvm` shows whether it is device 10, 232.",
          "/dev/kvm does not answer as KVM does");
  else if (kvm->vm_error)
    judge(doctor, "no-vm", vm_cure(kvm->vm_error), "KVM makes no virtual machine: %s", g_strerror(kvm->vm_error));
  else if (kvm->vcpu_error)
    judge(doctor, "no-vcpu", vm_cure(kvm->vcpu_error), "KVM makes no virtual CPU: %s", g_strerror(kvm->vcpu_error));
  else if (!doctor_gic(doctor))
    judge(doctor, "no-gic",
          "The machine's own lacks virtualisation support, or its firmware does not describe it: a firmware update may help.",
          "KVM offers no interrupt controller to guests: neither a GICv2 nor a GICv3 with ITS");
  else
    doctor->guests = true;
}

static void judge_runs(Doctor *doctor) {
  g_autofree char *memory = doctor_size(doctor_max_memory(doctor));
  g_autofree char *mode = doctor_kvm_mode(doctor);
  unsigned cpus = doctor_max_cpus(doctor);

  judge(doctor, "ok", NULL, "up to %u vCPU%s and %s of memory each, %s%s%s", cpus, cpus == 1 ? "" : "s", memory,
        doctor_gic(doctor) == 3 ? "GICv3 with ITS" : "GICv2", mode ? ", KVM in mode " : "", mode ? mode : "");
}

void doctor_judge(Doctor *doctor) {
  if (!doctor->kvm->built)
    judge(doctor, "not-arm64", "`make run` in eret's source tree boots a guest here all the same, inside an emulated ARM64 host.",
          "this is eret for %s, and guests need an ARM64 machine with KVM",
          doctor->host->process.machine ? doctor->host->process.machine : "of another kind");
  else if (doctor->kvm->open_error)
    judge_closed(doctor);
  else
    judge_open(doctor);
  if (doctor->guests)
    judge_runs(doctor);
}
