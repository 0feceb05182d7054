/* SPDX-License-Identifier: Apache-2.0 */
/* Whole hosts: what the doctor makes of each, and that each cause has its cure. */
#include <errno.h>
#include <locale.h>

#include "tests/unit/vmm/doctor/fake-host.h"

typedef struct {
  HostFacts *host;
  KvmFacts kvm;
  Doctor *doctor;
} Patient;

static void examine(Patient *patient, char *root_taken, const HostProcess *process, KvmFacts kvm) {
  patient->host = fake_read(root_taken, process);
  patient->kvm = kvm;
  patient->doctor = doctor_new(patient->host, &patient->kvm);
}

static void let_go(Patient *patient) {
  doctor_free(patient->doctor);
  host_facts_free(patient->host);
}

/* The finding, or NULL. */
static const Finding *find(const Doctor *doctor, const char *group, const char *key) {
  for (unsigned i = 0; i < doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(doctor->findings, i);
    if (strcmp(finding->group, group) == 0 && strcmp(finding->key, key) == 0)
      return finding;
  }
  return NULL;
}

static bool advises(const Doctor *doctor, const char *key) {
  for (unsigned i = 0; i < doctor->advice->len; i++)
    if (strcmp(((const Advice *)g_ptr_array_index(doctor->advice, i))->key, key) == 0)
      return true;
  return false;
}

static void assert_like(const char *text, const char *pattern) {
  g_assert_nonnull(text);
  if (!g_regex_match_simple(pattern, text, 0, 0))
    g_error("'%s' is not like '%s'", text, pattern);
}

static void assert_refused(const Patient *patient, const char *cause, const char *reason, const char *cure) {
  g_assert_false(patient->doctor->guests);
  g_assert_cmpstr(patient->doctor->cause, ==, cause);
  assert_like(patient->doctor->reason, reason);
  assert_like(patient->doctor->cure, cure);
  g_assert_true(g_str_has_suffix(patient->doctor->cure, ".") && !g_str_has_suffix(patient->doctor->reason, "."));
}

static void assert_shows(const Patient *patient, const char *group, const char *key, const char *text) {
  const Finding *finding = find(patient->doctor, group, key);
  g_assert_nonnull(finding);
  g_assert_cmpstr(finding->text, ==, text);
}

static void test_x86(void) {
  HostProcess process = fake_process();
  Patient patient;
  process.machine = (char *)"x86_64";
  examine(&patient, fake_host("6.1.0-amd64"), &process, (KvmFacts){.built = false});
  assert_refused(&patient, "not-arm64", "x86_64.*ARM64", "make run");
  g_assert_cmpint(find(patient.doctor, "guests", "gicv3")->kind, ==, VALUE_UNKNOWN);
  let_go(&patient);
}

/* A server: VHE, GICv3, all is well. */
static void test_server(void) {
  HostProcess process = fake_process();
  Patient patient;
  char *root = fake_host("6.12.95");
  fake_interrupts(root, "GICv3", 26);
  fake_cpus(root, 0, 15, "0x413fd0c1");
  directory_write(root, "dev/kvm", "");
  examine(&patient, root, &process, fake_kvm());
  g_assert_true(patient.doctor->guests);
  g_assert_cmpstr(patient.doctor->cause, ==, "ok");
  assert_like(patient.doctor->reason, "^up to 512 vCPUs and 4 TiB of memory each, GICv3 with ITS, KVM in mode VHE$");
  g_assert_null(patient.doctor->cure);
  assert_shows(&patient, "guests", "psci", "1.1");
  assert_shows(&patient, "guests", "address_bits", "48 bits");
  assert_shows(&patient, "cpu", "kinds", "16 x Neoverse-N1 (0-15)");
  g_assert_true(advises(patient.doctor, "nested"));
  g_assert_false(advises(patient.doctor, "one-kind-of-cpu"));
  g_assert_false(advises(patient.doctor, "smccc-filter"));
  let_go(&patient);
}

/* 16 KiB pages, 36 bits, no GICv2, two kinds of CPU. */
static void test_apple(void) {
  HostProcess process = fake_process();
  Patient patient;
  KvmFacts kvm = fake_kvm();
  char *root = fake_host("6.16.0-asahi");
  process.page_size = 16384;
  kvm.ipa_bits = 36;
  directory_write(root, "proc/device-tree/model", "Apple MacBook Air (M1, 2020)");
  fake_cpus(root, 0, 3, "0x611f0221");
  fake_cpus(root, 4, 7, "0x611f0231");
  examine(&patient, root, &process, kvm);
  g_assert_true(patient.doctor->guests);
  assert_shows(&patient, "guests", "max_memory", "54 GiB");
  assert_shows(&patient, "host", "page_size", "16 KiB");
  assert_shows(&patient, "guests", "gicv2", "no");
  g_assert_true(advises(patient.doctor, "one-kind-of-cpu"));
  let_go(&patient);
}

/* Raspberry Pi 4: GICv2, nVHE, Debian 12's kernel. */
static void test_gicv2(void) {
  HostProcess process = fake_process();
  Patient patient;
  KvmFacts kvm = fake_kvm();
  char *root = fake_host("6.1.0-44-arm64");
  kvm.gic_v2 = true;
  kvm.gic_v3 = kvm.its = kvm.smccc_filter = false;
  kvm.ipa_bits = 44;
  fake_interrupts(root, "GICv2", 30);
  examine(&patient, root, &process, kvm);
  g_assert_true(patient.doctor->guests);
  assert_like(patient.doctor->reason, "^up to 8 vCPUs and .* of memory each, GICv2, KVM in mode nVHE$");
  assert_like(find(patient.doctor, "guests", "gicv2")->meaning, "8 vCPUs at most");
  g_assert_true(advises(patient.doctor, "smccc-filter"));
  g_assert_false(advises(patient.doctor, "nested"));
  let_go(&patient);
}

static void test_nested(void) {
  HostProcess process = fake_process();
  Patient patient;
  KvmFacts kvm = fake_kvm();
  char *root = fake_host("7.3.4");
  kvm.el2 = kvm.el2_e2h0 = true;
  directory_write(root, "proc/cmdline", "kvm-arm.mode=nested");
  fake_interrupts(root, "GICv3", 26);
  examine(&patient, root, &process, kvm);
  assert_shows(&patient, "kvm", "mode", "VHE+NV2");
  assert_shows(&patient, "cpu_features", "el2", "yes");
  g_assert_false(advises(patient.doctor, "nested"));
  let_go(&patient);

  root = fake_host("7.3.4"); /* asked for, but the CPU cannot */
  directory_write(root, "proc/cmdline", "kvm-arm.mode=nested");
  fake_interrupts(root, "GICv3", 28);
  examine(&patient, root, &process, fake_kvm());
  assert_shows(&patient, "kvm", "mode", "VHE");
  g_assert_true(advises(patient.doctor, "nested"));
  let_go(&patient);
}

/* A virtual machine of macOS with nesting: KVM works, and that is the last level. */
static void test_apple_guest(void) {
  HostProcess process = fake_process();
  Patient patient;
  KvmFacts kvm = fake_kvm();
  char *root = fake_host("6.18.0");
  kvm.ipa_bits = 36;
  fake_interrupts(root, "GICv3", 30);
  directory_write(root, "sys/class/dmi/id/sys_vendor", "Apple Inc.\n");
  directory_write(root, "sys/class/dmi/id/product_name", "Apple Virtualization Generic Platform\n");
  examine(&patient, root, &process, kvm);
  g_assert_true(patient.doctor->guests);
  assert_shows(&patient, "kvm", "mode", "nVHE");
  g_assert_true(advises(patient.doctor, "nested"));
  let_go(&patient);
}

static void test_protected(void) {
  HostProcess process = fake_process();
  Patient patient;
  char *root = fake_host("7.3.4");
  directory_write(root, "dev/kmsg", "6,1,1,-;kvm [1]: Protected hVHE mode initialized successfully\n");
  examine(&patient, root, &process, fake_kvm());
  assert_shows(&patient, "kvm", "mode", "protected hVHE");
  let_go(&patient);
}

/* No KVM at all: why, from whatever can be read. */
static void test_not_started(void) {
  static const struct {
    const char *file, *text, *cause, *reason, *cure;
  } cases[] = {
      {"dev/kmsg", "6,1,1,-;CPU: All CPU(s) started at EL1\n6,2,2,-;kvm [1]: HYP mode not available\n", "entered-at-el1", "EL1", "nested"},
      {"proc/interrupts", " 11:   5   6   GICv3  27 Level     arch_timer\n", "entered-at-el1", "EL1", "firmware"},
      {"proc/device-tree/psci/method", "hvc", "entered-at-el1", "EL1", "outside"},
      {"proc/cmdline", "quiet kvm-arm.mode=none", "turned-off", "kvm-arm.mode=none", "command line"},
      {"boot/config-6.12.0", "CONFIG_ARM64=y\n# CONFIG_KVM is not set\n", "not-in-kernel", "CONFIG_KVM", "Debian"},
      {"dev/kmsg", "3,1,1,-;kvm [1]: NV support requires GICv3, giving up\n", "nested-needs-gicv3", "GICv2", "mode=nested off"},
      {"dev/kmsg", "3,1,1,-;kvm [1]: error initializing Hyp mode: -12\n", "not-started", "Hyp mode: -12", "dmesg"},
      {"proc/version", "nothing to go by", "not-started", "cannot be seen", "dmesg"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    HostProcess process = fake_process();
    Patient patient;
    char *root = fake_host("6.12.0");
    directory_write(root, "proc/misc", "183 hw_random\n");
    directory_write(root, cases[i].file, cases[i].text);
    examine(&patient, root, &process, fake_no_kvm(ENOENT));
    assert_refused(&patient, cases[i].cause, cases[i].reason, cases[i].cure);
    let_go(&patient);
  }
}

/* Without the kernel's log, the command line and the interrupts tell. */
static void test_nested_on_gicv2(void) {
  HostProcess process = fake_process();
  Patient patient;
  char *root = fake_host("7.3.4");
  directory_write(root, "proc/misc", "\n");
  directory_write(root, "proc/cmdline", "kvm-arm.mode=nested");
  fake_interrupts(root, "GICv2", 30);
  examine(&patient, root, &process, fake_no_kvm(ENOENT));
  assert_refused(&patient, "nested-needs-gicv3", "GICv2", "reboot");
  let_go(&patient);
}

/* The same finding, but what is to be done is the platform's. */
static void test_el1_platforms(void) {
  static const struct {
    const char *vendor, *product, *cure;
  } cases[] = {
      {"Apple Inc.", "Apple Virtualization Generic Platform", "M3"},
      {"Amazon EC2", "c7g.large", "\\.metal"},
      {"QEMU", "KVM Virtual Machine", "virtualization=on"},
      {"Microsoft Corporation", "Virtual Machine", "Azure"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    HostProcess process = fake_process();
    Patient patient;
    char *root = fake_host("6.12.0");
    directory_write(root, "proc/misc", "\n");
    fake_interrupts(root, "GICv3", 27);
    directory_write(root, "sys/class/dmi/id/sys_vendor", cases[i].vendor);
    directory_write(root, "sys/class/dmi/id/product_name", cases[i].product);
    examine(&patient, root, &process, fake_no_kvm(ENOENT));
    assert_refused(&patient, "entered-at-el1", "EL1", cases[i].cure);
    let_go(&patient);
  }
}

static void test_no_node(void) {
  HostProcess process = fake_process();
  Patient patient;
  examine(&patient, fake_host("6.12.0"), &process, fake_no_kvm(ENOENT));
  assert_refused(&patient, "no-device-node", "kernel has KVM", "mknod");
  let_go(&patient);

  char *root = fake_host("6.12.0");
  directory_write(root, "run/.containerenv", "");
  examine(&patient, root, &process, fake_no_kvm(ENOENT));
  assert_refused(&patient, "not-in-container", "podman", "--device /dev/kvm");
  let_go(&patient);
}

/* A device of group GROUP with MODE, refused to the user. */
static void refuse(Patient *patient, const char *group, int mode, const HostProcess *process) {
  char *root = fake_host("6.12.0");
  g_autofree char *node = g_build_filename(root, "dev", "kvm", NULL);
  GStatBuf status;

  directory_write(root, "dev/kvm", "");
  g_assert_cmpint(g_chmod(node, mode), ==, 0);
  g_assert_cmpint(g_stat(node, &status), ==, 0);
  g_autofree char *groups = g_strdup_printf("other:x:%u:ann\n%s\n", status.st_gid + 1, group);
  g_autofree char *number = g_strdup_printf("%u", status.st_gid);
  g_auto(GStrv) parts = g_strsplit(groups, "GID", 2);
  g_autofree char *text = g_strjoinv(number, parts);
  directory_write(root, "etc/group", text);
  examine(patient, root, process, fake_no_kvm(EACCES));
}

static void test_permission(void) {
  HostProcess process = fake_process();
  Patient patient;
  refuse(&patient, "kvm:x:GID:bob", 0660, &process);
  assert_refused(&patient, "permission-denied", "ann .*permission denied", "usermod -aG kvm ann");
  let_go(&patient);
  refuse(&patient, "virt:x:GID:bob,ann", 0660, &process);
  assert_refused(&patient, "permission-denied", "permission denied", "newgrp virt");
  let_go(&patient);
  refuse(&patient, "kvm:x:GID:bob", 0600, &process);
  assert_refused(&patient, "permission-denied", "permission denied", "chmod 660");
  let_go(&patient);
  process.root = true;
  refuse(&patient, "kvm:x:GID:bob", 0660, &process);
  assert_refused(&patient, "permission-denied", "permission denied", "security module");
  let_go(&patient);
}

static void test_other_refusals(void) {
  HostProcess process = fake_process();
  Patient patient;
  static const struct {
    int open_error, vm_error, vcpu_error;
    bool not_kvm;
    const char *cause;
  } cases[] = {
      {.open_error = EBUSY, .cause = "busy"},         {.open_error = EMFILE, .cause = "no-descriptors"},
      {.open_error = EIO, .cause = "cannot-open"},    {.not_kvm = true, .cause = "not-kvm"},
      {.vm_error = ENOMEM, .cause = "no-vm"},         {.vcpu_error = EINVAL, .cause = "no-vcpu"},
      {.open_error = ENODEV, .cause = "not-started"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    KvmFacts kvm = fake_kvm();
    kvm.open_error = cases[i].open_error;
    kvm.vm_error = cases[i].vm_error;
    kvm.vcpu_error = cases[i].vcpu_error;
    kvm.api_known = !cases[i].not_kvm;
    examine(&patient, fake_host("6.12.0"), &process, kvm);
    assert_refused(&patient, cases[i].cause, ".", ".");
    let_go(&patient);
  }
  KvmFacts kvm = fake_kvm();
  kvm.its = false;
  examine(&patient, fake_host("6.12.0"), &process, kvm);
  assert_refused(&patient, "no-gic", "GIC", "firmware");
  let_go(&patient);
}

static void test_big_little(void) {
  HostProcess process = fake_process();
  Patient patient;
  char *root = fake_host("6.12.0");
  fake_cpus(root, 0, 3, "0x410fd034");
  fake_cpus(root, 4, 5, "0x410fd082");
  examine(&patient, root, &process, fake_kvm());
  assert_shows(&patient, "cpu", "kinds", "4 x Cortex-A53 (0-3), 2 x Cortex-A72 (4-5)");
  const Advice *found = NULL;
  for (unsigned i = 0; i < patient.doctor->advice->len; i++) {
    const Advice *advice = g_ptr_array_index(patient.doctor->advice, i);
    if (strcmp(advice->key, "one-kind-of-cpu") == 0)
      found = advice;
  }
  g_assert_nonnull(found);
  assert_like(found->text, "taskset -c 0-3 .*taskset -c 4-5 ");
  let_go(&patient);
}

static void test_tight(void) {
  HostProcess process = fake_process();
  Patient patient;
  char *root = fake_host("6.12.0");
  directory_write(root, "sys/fs/cgroup/memory.max", "268435456\n");
  directory_write(root, "sys/fs/cgroup/cpu.max", "50000 100000\n");
  directory_write(root, "sys/fs/cgroup/pids.max", "10\n");
  directory_write(root, "sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  directory_write(root, "proc/self/limits", "Max open files            64        64      files\n");
  examine(&patient, root, &process, fake_kvm());
  static const char *const wanted[] = {"group-memory", "group-cpus",  "group-tasks", "huge-pages",
                                       "open-files",   "tracepoints", "firmware",    "busybox"};
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    g_assert_true(advises(patient.doctor, wanted[i]));
  let_go(&patient);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/doctor/verdict/x86", test_x86);
  g_test_add_func("/doctor/verdict/server", test_server);
  g_test_add_func("/doctor/verdict/apple", test_apple);
  g_test_add_func("/doctor/verdict/gicv2", test_gicv2);
  g_test_add_func("/doctor/verdict/nested", test_nested);
  g_test_add_func("/doctor/verdict/apple-guest", test_apple_guest);
  g_test_add_func("/doctor/verdict/protected", test_protected);
  g_test_add_func("/doctor/verdict/not-started", test_not_started);
  g_test_add_func("/doctor/verdict/nested-on-gicv2", test_nested_on_gicv2);
  g_test_add_func("/doctor/verdict/el1-platforms", test_el1_platforms);
  g_test_add_func("/doctor/verdict/no-node", test_no_node);
  g_test_add_func("/doctor/verdict/permission", test_permission);
  g_test_add_func("/doctor/verdict/other-refusals", test_other_refusals);
  g_test_add_func("/doctor/verdict/big-little", test_big_little);
  g_test_add_func("/doctor/verdict/tight", test_tight);
  return g_test_run();
}
