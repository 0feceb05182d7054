/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings that look like a boot of Linux, of any length, the same each time: for the tests of the page. */
#pragma once

#include <glib.h>

#include "tests/unit/vmm/trace/make-recording.h"
#include "vmm/arm/kvm-abi.h"

#define BOOT_BEGINS   UINT64_C(5000000000)
#define BOOT_PC       UINT64_C(0xffff800080010000)
#define BOOT_UART     "uart@9000000"
#define BOOT_EC_WFX   0x01
#define BOOT_EC_HVC64 0x16
#define BOOT_EC_SYS64 0x18
#define BOOT_EC_DABT  0x24
#define BOOT_ESR(ec)  ((uint64_t)(ec) << 26 | 1u << 25)

typedef struct {
  Recording *recording;
  GRand *random;
  uint64_t now;
  unsigned vcpu;
  bool kernel; /* with KVM's events */
} SyntheticBoot;

static inline uint64_t boot_ns(SyntheticBoot *boot, double least, double most) {
  return (uint64_t)g_rand_double_range(boot->random, least, most);
}

static inline void boot_record(SyntheticBoot *boot, TraceRecord record, const char *name, const char *detail) {
  record.time = boot->now;
  record.vcpu = record.kind < TRACE_ERET_DOORBELL ? (uint16_t)boot->vcpu : TRACE_NO_VCPU;
  record.name = recording_text(boot->recording, name);
  record.detail = recording_text(boot->recording, detail);
  if (boot->kernel || record.kind >= TRACE_ERET_RETURN)
    recording_add(boot->recording, &record);
}

static inline void boot_kvm(SyntheticBoot *boot, TraceKind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  boot_record(boot, (TraceRecord){.kind = (uint16_t)kind, .a = a, .b = b, .c = c, .d = d}, "", "");
  boot->now += boot_ns(boot, 150, 400);
}

static inline void boot_uart(SyntheticBoot *boot, uint64_t pc) {
  uint64_t user = boot_ns(boot, 900, 4000);
  TraceRecord back = {.kind = TRACE_ERET_RETURN, .flags = TRACE_RETURN_WRITE | 4 << 8, .a = KVM_EXIT_MMIO, .b = user, .c = 0x9000000};

  boot_kvm(boot, TRACE_KVM_EXIT, pc, 2, BOOT_EC_DABT, 0);
  back.d = 32 + boot_ns(boot, 0, 90);
  boot_kvm(boot, TRACE_KVM_GUEST_FAULT, pc, BOOT_ESR(BOOT_EC_DABT) | 0x01830047, UINT64_C(0xffff80008123a000), 0x9000000);
  boot_kvm(boot, TRACE_KVM_MMIO, 0x9000000, back.d, 4, TRACE_MMIO_WRITE);
  boot_kvm(boot, TRACE_KVM_USERSPACE_EXIT, KVM_EXIT_MMIO, 0, 0, 0);
  boot_record(boot, back, BOOT_UART, "UARTDR");
  boot->now += user + boot_ns(boot, 200, 500);
}

static inline void boot_hypercall(SyntheticBoot *boot, uint64_t pc) {
  boot_kvm(boot, TRACE_KVM_EXIT, pc + 4, 2, BOOT_EC_HVC64, 0);
  boot_kvm(boot, TRACE_KVM_HVC, pc + 4, 0xc4000003, 0, 0);
}

static inline void boot_system_register(SyntheticBoot *boot, uint64_t pc) {
  boot_kvm(boot, TRACE_KVM_EXIT, pc, 2, BOOT_EC_SYS64, 0);
  boot_kvm(boot, TRACE_KVM_HANDLE_SYS_REG, BOOT_ESR(BOOT_EC_SYS64) | 0x3a3016, 0, 0, 0);
}

static inline void boot_memory(SyntheticBoot *boot, uint64_t pc) {
  uint64_t page = boot_ns(boot, 0, 60000) << 12;

  boot_kvm(boot, TRACE_KVM_EXIT, pc, 2, BOOT_EC_DABT, 0);
  boot_kvm(boot, TRACE_KVM_GUEST_FAULT, pc, BOOT_ESR(BOOT_EC_DABT) | 0x47, UINT64_C(0xffff000000000000) + page, 0x40000000 + page);
  boot->now += boot_ns(boot, 1500, 9000);
}

static inline void boot_wait(SyntheticBoot *boot, uint64_t pc) {
  uint64_t asleep = boot_ns(boot, 20e3, 900e3);

  boot_kvm(boot, TRACE_KVM_EXIT, pc, 2, BOOT_EC_WFX, 0);
  boot_kvm(boot, TRACE_KVM_WFX, pc, 0, 0, 0);
  boot->now += asleep;
  boot_kvm(boot, TRACE_KVM_WAKEUP, asleep, 1, 0, 0);
}

static inline void boot_interrupt(SyntheticBoot *boot, uint64_t pc) {
  boot_kvm(boot, TRACE_KVM_EXIT, pc, 0, 0, 0);
  boot->now += boot_ns(boot, 400, 2500);
}

static inline void boot_disk(SyntheticBoot *boot, uint64_t pc) {
  static const char *const what[] = {"read", "read", "read", "write", "flush"};
  uint64_t took = boot_ns(boot, 30e3, 300e3), before = boot->now;

  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_DOORBELL, .a = 0, .b = 1}, "virtio-blk@0a000000", "");
  boot->now = before + took;
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_REQUEST, .a = took - 2000, .b = 4096 * boot_ns(boot, 1, 32)}, "virtio-blk@0a000000",
              what[g_rand_int_range(boot->random, 0, G_N_ELEMENTS(what))]);
  boot->now += 800;
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_INTERRUPT, .a = 40}, "virtio-blk@0a000000", "");
  boot->now = before;
  boot_interrupt(boot, pc);
}

/*
 * One switch, of a kind that fits to how far the boot is (0 to 1): early mostly memory and the console, later the disk
 * and sleep.
 */
static inline void boot_switch(SyntheticBoot *boot, double progress) {
  static const struct {
    void (*make)(SyntheticBoot *boot, uint64_t pc);
    double early, late, guest_ns;
  } kinds[] = {
      {boot_memory, 40, 6, 9e3},    {boot_uart, 30, 8, 5e3},        {boot_system_register, 5, 25, 30e3},
      {boot_hypercall, 4, 2, 12e3}, {boot_interrupt, 10, 25, 60e3}, {boot_disk, 0, 10, 45e3},
      {boot_wait, 0, 22, 40e3},
  };
  double weights = 0, pick, chance = g_rand_double(boot->random);
  unsigned kind = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
    weights += kinds[i].early * (1 - progress) + kinds[i].late * progress;
  pick = chance * weights;
  for (; kind + 1 < G_N_ELEMENTS(kinds); kind++) {
    pick -= kinds[kind].early * (1 - progress) + kinds[kind].late * progress;
    if (pick < 0)
      break;
  }
  uint64_t pc = BOOT_PC + 4 * boot_ns(boot, 0, 40 + 30 * kind);
  boot_kvm(boot, TRACE_KVM_ENTRY, pc, 0, 0, 0);
  boot->now += boot_ns(boot, 0.2 * kinds[kind].guest_ns, 2 * kinds[kind].guest_ns);
  kinds[kind].make(boot, pc);
}

/* A card whose frames eret moves, one whose frames the host's kernel does, and one of whom nobody counts. */
static inline void boot_network(SyntheticBoot *boot) {
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_DOORBELL, .a = 1, .b = 3}, "virtio-net0", "");
  for (unsigned i = 0; i < 3; i++)
    boot_record(boot, (TraceRecord){.kind = TRACE_ERET_REQUEST, .a = 900, .b = 1500, .c = i == 2, .d = 1}, "virtio-net0", "send");
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_EVENT, .a = 1}, "virtio-net0", "dropped: bad header");
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_EVENT, .a = 1}, "virtio-net0", "dropped: bad header");
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_TRAFFIC, .a = 1, .b = 2, .c = 3, .d = 4}, "virtio-net1", "/dev/vhost-net");
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_TRAFFIC, .a = 12345, .b = 18517500, .c = 7, .d = 420}, "virtio-net1",
              "/dev/vhost-net");
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_TRAFFIC, .flags = TRACE_TRAFFIC_UNKNOWN}, "virtio-net2", "passt");
}

static inline void boot_phases(SyntheticBoot *boot, uint64_t ends) {
  static const struct {
    const char *name;
    double ms;
  } before[] = {{"process-start", 0},    {"options-read", 1.1},   {"devices-made", 4.2},
                {"kvm-objects-made", 6}, {"kernel-loaded", 19.8}, {"first-instruction", 20}};
  static const char *const after[] = {"first-exit", "first-output", "init", "ready", "guest-end", "ended"};
  static const double parts[] = {0.02, 0.05, 0.6, 0.85, 0.99, 1};
  uint64_t begins = boot->now;

  for (unsigned i = 0; i < G_N_ELEMENTS(before); i++) {
    boot->now = begins - 20 * 1000000 + (uint64_t)(before[i].ms * 1e6);
    boot_record(boot, (TraceRecord){.kind = TRACE_ERET_PHASE}, before[i].name, "");
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(after); i++) {
    boot->now = begins + (uint64_t)((double)(ends - begins) * parts[i]);
    boot_record(boot, (TraceRecord){.kind = TRACE_ERET_PHASE}, after[i], "");
  }
  boot->now = begins + (ends - begins) / 3;
  boot_record(boot, (TraceRecord){.kind = TRACE_ERET_MARK, .a = 1}, "drivers loaded", "");
}

/* N_SWITCHES on N_VCPUS. KERNEL: with KVM's events. Add what else is wanted, then recording_finish. */
static inline Recording *synthetic_boot(unsigned n_vcpus, unsigned n_switches, bool kernel) {
  SyntheticBoot boot = {.recording = recording_new(), .random = g_rand_new_with_seed(1), .kernel = kernel};
  uint64_t ends = 0;

  recording_set_fact(boot.recording, "eret", "0.1");
  recording_set_fact(boot.recording, "kernel", "6.12.107+deb13-arm64");
  recording_set_fact(boot.recording, "guest-kernel", "7.3.4-arm64");
  recording_set_fact(boot.recording, "cpus", "2");
  recording_set_fact(boot.recording, "memory", "1 GiB");
  recording_set_fact(boot.recording, "gic", "3");
  recording_set_fact(boot.recording, "page-size", "4096");
  recording_set_fact(boot.recording, "command",
                     "eret run --kernel Image --initrd initramfs.cpio --disk root.img --cpus 2 --record boot.eret");
  recording_set_fact(boot.recording, "kvm-events", kernel ? "yes" : "permission denied; run as root");
  recording_add_region(boot.recording, BOOT_UART, 0x9000000, 0x1000);
  for (boot.vcpu = 0; boot.vcpu < n_vcpus; boot.vcpu++) {
    unsigned n = n_switches / n_vcpus;
    boot.now = BOOT_BEGINS + (uint64_t)boot.vcpu * 3000000;
    for (unsigned i = 0; i < n; i++)
      boot_switch(&boot, (double)i / n);
    boot_kvm(&boot, TRACE_KVM_ENTRY, BOOT_PC, 0, 0, 0);
    ends = MAX(ends, boot.now);
  }
  boot.now = BOOT_BEGINS;
  boot_phases(&boot, ends);
  boot.now = ends;
  boot_network(&boot);
  g_rand_free(boot.random);
  return boot.recording;
}
