/* SPDX-License-Identifier: Apache-2.0 */
/* Facts from files: each file, as it is, missing, or odd. */
#include <locale.h>
#include <zlib.h>

#include "tests/unit/vmm/doctor/fake-host.h"

static void test_empty(void) {
  HostProcess process = fake_process();
  g_autoptr(HostFacts) facts = fake_read(directory_new(), &process);

  g_assert_cmpstr(facts->process.machine, ==, "aarch64");
  g_assert_null(facts->kernel);
  g_assert_null(facts->gic);
  g_assert_null(facts->thp);
  g_assert_cmpuint(facts->online_cpus, ==, 0);
  g_assert_cmpuint(facts->clusters->len, ==, 0);
  g_assert_false(facts->kvm_node);
  g_assert_false(facts->kvm_registered);
  g_assert_cmpint(facts->config_kvm, ==, KERNEL_CONFIG_UNKNOWN);
  g_assert_true(facts->memlock == HOST_UNLIMITED && facts->cgroup_memory == HOST_UNLIMITED && facts->cgroup_pids == HOST_UNLIMITED);
}

static void test_machine(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.95+deb13-arm64");
  directory_write(root, "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0");
  directory_write(root, "proc/device-tree/psci/method", "smc");
  directory_write(root, "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
  directory_write(root, "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
  directory_write(root, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpstr(facts->kernel, ==, "6.12.95+deb13-arm64");
  g_assert_cmpstr(facts->model, ==, "Raspberry Pi 5 Model B Rev 1.0");
  g_assert_cmpstr(facts->psci_conduit, ==, "smc");
  g_assert_cmpuint(facts->memory_total, ==, UINT64_C(8) << 30);
  g_assert_cmpuint(facts->memory_available, ==, UINT64_C(4) << 30);
  g_assert_cmpstr(facts->thp, ==, "madvise");
  g_assert_cmpuint(facts->thp_size, ==, 2u << 20);
  g_assert_cmpuint(facts->huge_pages->len, ==, 2);
  const HostHugePages *small = g_ptr_array_index(facts->huge_pages, 0), *large = g_ptr_array_index(facts->huge_pages, 1);
  g_assert_cmpuint(small->size, ==, 2u << 20);
  g_assert_cmpuint(large->size, ==, 1u << 30);
  g_assert_cmpuint(large->total, ==, 2);
  g_assert_cmpuint(large->free, ==, 1);
  g_assert_true(facts->kvm_registered);
}

static void test_firmware(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  directory_write(root, "usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "unpadded");
  directory_write(root, "usr/lib/u-boot/qemu_arm/u-boot.bin", "of 32 bits");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpstr(facts->uefi->path, ==, "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd");
  g_assert_cmpstr(facts->uefi->package, ==, "qemu-efi-aarch64");
  g_assert_null(facts->u_boot);

  char *other = fake_host("6.12.0");
  directory_write(other, "usr/share/AAVMF/AAVMF_CODE.fd", "padded");
  directory_write(other, "usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "unpadded");
  directory_write(other, "usr/lib/u-boot/qemu_arm64/u-boot.bin", "");
  g_autoptr(HostFacts) both = fake_read(other, &process);
  g_assert_cmpstr(both->uefi->path, ==, "/usr/share/AAVMF/AAVMF_CODE.fd");
  g_assert_cmpstr(both->u_boot->package, ==, "u-boot-qemu");
}

static void test_clusters(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  fake_cpus(root, 0, 3, "0x00000000410fd034");
  fake_cpus(root, 4, 5, "0x00000000410fd082");
  fake_cpus(root, 6, 6, "0x00000000411fd034"); /* another revision of the first kind */
  fake_cpus(root, 7, 8, "0x00000000990f1230");
  directory_write(root, "sys/devices/system/cpu/cpu5/online", "0\n");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpuint(facts->online_cpus, ==, 8);
  g_assert_cmpuint(facts->clusters->len, ==, 3);
  static const struct {
    const char *name, *cpus;
    unsigned count;
  } wanted[] = {{"Cortex-A53", "0-3,6", 5}, {"Cortex-A72", "4", 1}, {"implementer 0x99 part 0x123", "7-8", 2}};
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
    const HostCluster *cluster = g_ptr_array_index(facts->clusters, i);
    g_assert_cmpstr(cluster->name, ==, wanted[i].name);
    g_assert_cmpstr(cluster->cpus, ==, wanted[i].cpus);
    g_assert_cmpuint(cluster->count, ==, wanted[i].count);
  }
}

static void test_kvm(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  fake_interrupts(root, "GICv3", 26);
  directory_write(root, "proc/cmdline", "root=/dev/vda1 kvm-arm.mode=nested quiet\n");
  directory_write(root, "dev/kmsg",
                  "6,20,0,-;CPU: All CPU(s) started at EL2\n SUBSYSTEM=cpu\n"
                  "6,339,5140900,-;kvm [1]: VHE+NV2 mode initialized successfully\n6,340,5,-;other\n");
  directory_write(root, "boot/config-6.12.0", "CONFIG_ARM64=y\nCONFIG_KVM=y\n");
  directory_write(root, "dev/kvm", "");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpstr(facts->gic, ==, "GICv3");
  g_assert_cmpuint(facts->timer_intid, ==, 26);
  g_assert_cmpstr(facts->kvm_mode, ==, "nested");
  g_assert_true(facts->kernel_log_readable);
  g_assert_cmpuint(facts->started_at_level, ==, 2);
  g_assert_cmpuint(facts->kvm_log->len, ==, 1);
  g_assert_cmpint(facts->config_kvm, ==, KERNEL_CONFIG_ON);
  g_assert_true(facts->kvm_node);
}

static void test_packed_config(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  g_autofree char *path = g_build_filename(root, "proc", "config.gz", NULL);
  gzFile file = gzopen(path, "wb");
  gzputs(file, "CONFIG_ARM64=y\n# CONFIG_KVM is not set\n");
  gzclose(file);
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpint(facts->config_kvm, ==, KERNEL_CONFIG_OFF);
}

static void test_limits(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  directory_write(root, "proc/self/cgroup", "1:name=systemd:/\n0::/user.slice/one.scope\n");
  directory_write(root, "sys/fs/cgroup/user.slice/memory.max", "268435456\n");
  directory_write(root, "sys/fs/cgroup/user.slice/one.scope/memory.max", "max\n");
  directory_write(root, "sys/fs/cgroup/user.slice/one.scope/cpu.max", "150000 100000\n");
  directory_write(root, "sys/fs/cgroup/user.slice/cpu.max", "max 100000\n");
  directory_write(root, "sys/fs/cgroup/pids.max", "20\n");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpuint(facts->nofile, ==, 1024);
  g_assert_true(facts->memlock == HOST_UNLIMITED);
  g_assert_cmpuint(facts->cgroup_memory, ==, 256u << 20);
  g_assert_cmpuint(facts->cgroup_pids, ==, 20);
  g_assert_cmpfloat(facts->cgroup_cpus, ==, 1.5);
}

static void test_programs(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  static const char *const files[] = {"opt/bin/passt", "usr/libexec/virtiofsd", "usr/bin/qemu-storage-daemon"};
  for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *path = g_build_filename(root, files[i], NULL);
    directory_write(root, files[i], "");
    g_chmod(path, i < 2 ? 0755 : 0644);
  }
  directory_write(root, "sys/kernel/tracing/events/kvm/kvm_exit/id", "1\n");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_cmpstr(g_hash_table_lookup(facts->programs, "passt"), ==, "/opt/bin/passt");
  g_assert_cmpstr(g_hash_table_lookup(facts->programs, "virtiofsd"), ==, "/usr/libexec/virtiofsd");
  g_assert_null(g_hash_table_lookup(facts->programs, "qemu-storage-daemon")); /* not executable */
  g_assert_true(facts->tracefs);
}

/* Sizes and numbers that no kernel writes. */
static void test_network(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  directory_write(root, "dev/net/tun", "");
  directory_write(root, "dev/tap7", "");
  directory_write(root, "etc/group", "kvm:x:106:bob,ann\n");
  directory_write(root, "lib/modules/6.12.0/modules.dep", "kernel/drivers/vhost/vhost_net.ko.xz: kernel/drivers/vhost/vhost.ko.xz\n");
  directory_write(root, "lib/modules/6.12.0/modules.builtin", "kernel/drivers/net/tun.ko\n");
  directory_write(root, "sys/module/macvtap/refcnt", "1\n");
  directory_write(root, "sys/class/net/tap0/tun_flags", "0x1002\n");
  directory_write(root, "sys/class/net/tap0/owner", "1000\n");
  directory_write(root, "sys/class/net/tap1/tun_flags", "0x1002\n");
  directory_write(root, "sys/class/net/tap1/owner", "1001\n");
  directory_write(root, "sys/class/net/tun0/tun_flags", "0x1001\n"); /* packets, not frames */
  directory_write(root, "sys/class/net/tun0/owner", "1000\n");
  directory_write(root, "sys/class/net/macvtap0/macvtap/tap7/dev", "");
  directory_write(root, "sys/class/net/macvtap0/ifindex", "7\n");
  directory_write(root, "sys/class/net/macvtap1/macvtap/tap8/dev", "");
  directory_write(root, "sys/class/net/macvtap1/ifindex", "8\n"); /* without a node */
  directory_write(root, "proc/self/status", "Name:\teret\nCapEff:\t0000000000000fff\n");
  g_autoptr(HostFacts) facts = fake_read(root, &process);
  const HostNetwork *network = &facts->network;

  g_assert_true(network->tun.there && network->tun.usable);
  g_assert_cmpint(network->tun.driver, ==, HOST_DRIVER_LOADED);
  g_assert_false(network->vhost_net.there || network->vhost_net.usable);
  g_assert_cmpint(network->vhost_net.driver, ==, HOST_DRIVER_LOADABLE);
  g_assert_cmpint(network->vhost_vsock.driver, ==, HOST_DRIVER_MISSING);
  g_assert_cmpint(network->macvtap, ==, HOST_DRIVER_LOADED);
  g_assert_false(network->net_admin); /* bit 12 is the next one */
  g_assert_true(network->kvm_group_known && network->kvm_member);
  g_assert_cmpuint(network->taps->len, ==, 1);
  g_assert_cmpstr(g_ptr_array_index(network->taps, 0), ==, "tap0");
  g_assert_cmpuint(network->macvtaps->len, ==, 1);
  g_assert_cmpstr(g_ptr_array_index(network->macvtaps, 0), ==, "macvtap0");
}

static void test_network_admin(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  directory_write(root, "sys/class/net/tap1/tun_flags", "0x1002\n");
  directory_write(root, "sys/class/net/tap1/owner", "-1\n");
  directory_write(root, "proc/self/status", "CapEff:\t0000000000001000\n");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_true(facts->network.net_admin);
  g_assert_cmpuint(facts->network.taps->len, ==, 1);
  g_assert_cmpint(facts->network.macvtap, ==, HOST_DRIVER_UNKNOWN); /* there is no list of modules */
  g_assert_true(facts->network.kvm_group_known);
  g_assert_false(facts->network.kvm_member);
}

static void test_odd(void) {
  HostProcess process = fake_process();
  char *root = fake_host("");
  directory_write(root, "proc/interrupts", "  1: 2\n 11: 99999999999999999999 GICv3\n:::\n");
  directory_write(root, "proc/meminfo", "MemTotal:");
  directory_write(root, "proc/self/limits", "Max open files");
  directory_write(root, "proc/self/cgroup", "0::/../../x\n0");
  directory_write(root, "sys/kernel/mm/transparent_hugepage/enabled", "always [madvise");
  directory_write(root, "dev/kmsg", ";\nkvm");
  fake_cpus(root, 0, 0, "zero");
  g_autoptr(HostFacts) facts = fake_read(root, &process);

  g_assert_null(facts->kernel);
  g_assert_null(facts->thp);
  g_assert_cmpuint(facts->memory_total, ==, 0);
  g_assert_true(facts->nofile == HOST_UNLIMITED);
  g_assert_cmpuint(facts->online_cpus, ==, 1);
  g_assert_cmpuint(facts->clusters->len, ==, 0);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/doctor/host-facts/empty", test_empty);
  g_test_add_func("/doctor/host-facts/machine", test_machine);
  g_test_add_func("/doctor/host-facts/clusters", test_clusters);
  g_test_add_func("/doctor/host-facts/firmware", test_firmware);
  g_test_add_func("/doctor/host-facts/kvm", test_kvm);
  g_test_add_func("/doctor/host-facts/packed-config", test_packed_config);
  g_test_add_func("/doctor/host-facts/limits", test_limits);
  g_test_add_func("/doctor/host-facts/programs", test_programs);
  g_test_add_func("/doctor/host-facts/network", test_network);
  g_test_add_func("/doctor/host-facts/network/admin", test_network_admin);
  g_test_add_func("/doctor/host-facts/odd", test_odd);
  return g_test_run();
}
