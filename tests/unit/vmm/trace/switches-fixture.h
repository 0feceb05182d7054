/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings made in memory, for the tests of what is made of them. */
#pragma once

#include <errno.h>
#include <glib.h>

#include "tests/unit/vmm/trace/make-recording.h"
#include "vmm/arm/kvm-abi.h"
#include "vmm/arm/sysreg.h"
#include "vmm/trace/report.h"

#define ESR(ec, iss)  ((uint64_t)(ec) << 26 | 1u << 25 | (iss))
#define PC            UINT64_C(0xffff800080012344)
#define ESR_WRITE_4   ESR(0x24, 0x01830047) /* ISV, four bytes, x3, WnR, translation fault level 3 */
#define ESR_READ_4    ESR(0x24, 0x01830007)
#define ESR_SGI1R     ESR(0x18, 0x3a3016) /* MSR ICC_SGI1R_EL1 (3, 0, 12, 11, 5), x0 */
#define MARK_TEXT     "\x1b[2Jowned\xff"
#define UART          "uart@9000000"
#define FIXTURE_BEGIN 1000000

typedef struct {
  Recording *recording;
  uint64_t now;
} Fixture;

static inline void fixture_init(Fixture *fixture) {
  fixture->recording = recording_new();
  fixture->now = FIXTURE_BEGIN;
  recording_set_fact(fixture->recording, "eret", "0.1");
  recording_set_fact(fixture->recording, "kvm-events", "yes");
  recording_add_region(fixture->recording, "gic-distributor", 0x8000000, 0x10000);
  recording_add_region(fixture->recording, UART, 0x9000000, 0x1000);
}

static inline void fixture_clear(Fixture *fixture) {
  recording_free(fixture->recording);
}

/* Each record is a microsecond after the one before. */
static inline void add(Fixture *fixture, unsigned vcpu, TraceKind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  TraceRecord record = {.time = fixture->now, .kind = (uint16_t)kind, .vcpu = (uint16_t)vcpu, .a = a, .b = b, .c = c, .d = d};
  recording_add(fixture->recording, &record);
  fixture->now += 1000;
}

static inline void add_eret(Fixture *fixture, const TraceRecord *template, const char *name, const char *detail) {
  TraceRecord record = *template;
  record.time = fixture->now;
  record.name = recording_text(fixture->recording, name);
  record.detail = recording_text(fixture->recording, detail);
  recording_add(fixture->recording, &record);
  fixture->now += 1000;
}

static inline void enter(Fixture *fixture, unsigned vcpu, uint64_t pc) {
  add(fixture, vcpu, TRACE_KVM_ENTRY, pc, 0, 0, 0);
}

static inline void trap(Fixture *fixture, unsigned vcpu, uint64_t pc, unsigned ec) {
  add(fixture, vcpu, TRACE_KVM_EXIT, pc, 2, ec, 0);
}

/* An exit and what KVM tells of it, up to the next entry. Each begins outside of the guest or in it. */

static inline void hvc_by_kvm(Fixture *fixture, unsigned vcpu) {
  trap(fixture, vcpu, PC + 4, 0x16);
  add(fixture, vcpu, TRACE_KVM_HVC, PC + 4, 0xc4000003, 0, 0);
  enter(fixture, vcpu, PC + 4);
}

static inline void user_exit(Fixture *fixture, unsigned vcpu, uint64_t reason, int error) {
  add(fixture, vcpu, TRACE_KVM_USERSPACE_EXIT, reason, (uint64_t)error, 0, 0);
}

static inline void uart_write(Fixture *fixture, unsigned vcpu, bool kernel) {
  TraceRecord back = {.kind = TRACE_ERET_RETURN,
                      .vcpu = (uint16_t)vcpu,
                      .flags = TRACE_RETURN_WRITE | 4 << 8,
                      .a = KVM_EXIT_MMIO,
                      .b = 500,
                      .c = 0x9000000,
                      .d = 0x41};
  if (kernel) {
    trap(fixture, vcpu, PC, 0x24);
    add(fixture, vcpu, TRACE_KVM_GUEST_FAULT, PC, ESR_WRITE_4, UINT64_C(0xffff80008123a000), 0x9000000);
    add(fixture, vcpu, TRACE_KVM_MMIO, 0x9000000, 0x41, 4, TRACE_MMIO_WRITE);
    user_exit(fixture, vcpu, KVM_EXIT_MMIO, 0);
  }
  add_eret(fixture, &back, UART, "UARTDR");
  if (kernel)
    enter(fixture, vcpu, PC + 4);
}

static inline void uart_read(Fixture *fixture, unsigned vcpu) {
  TraceRecord back = {
      .kind = TRACE_ERET_RETURN, .vcpu = (uint16_t)vcpu, .flags = 4 << 8, .a = KVM_EXIT_MMIO, .b = 500, .c = 0x9000018, .d = 0x90};
  trap(fixture, vcpu, PC, 0x24);
  add(fixture, vcpu, TRACE_KVM_GUEST_FAULT, PC, ESR_READ_4, UINT64_C(0xffff80008123a018), 0x9000000);
  add(fixture, vcpu, TRACE_KVM_MMIO, 0x9000018, 0, 4, TRACE_MMIO_READ_UNSATISFIED);
  user_exit(fixture, vcpu, KVM_EXIT_MMIO, 0);
  add_eret(fixture, &back, UART, "UARTFR");
  add(fixture, vcpu, TRACE_KVM_MMIO, 0x9000018, 0x90, 4, TRACE_MMIO_READ);
  enter(fixture, vcpu, PC + 4);
}

static inline void gic_read(Fixture *fixture, unsigned vcpu) {
  trap(fixture, vcpu, PC, 0x24);
  add(fixture, vcpu, TRACE_KVM_GUEST_FAULT, PC, ESR_READ_4, UINT64_C(0xffff800081240004), 0x8000000);
  add(fixture, vcpu, TRACE_KVM_MMIO, 0x8000004, 0, 4, TRACE_MMIO_READ_UNSATISFIED);
  add(fixture, vcpu, TRACE_KVM_MMIO, 0x8000004, 0x3780007, 4, TRACE_MMIO_READ);
  enter(fixture, vcpu, PC + 4);
}

static inline void memory_fault(Fixture *fixture, unsigned vcpu) {
  trap(fixture, vcpu, PC, 0x24);
  add(fixture, vcpu, TRACE_KVM_GUEST_FAULT, PC, ESR_WRITE_4, UINT64_C(0xffff000001234568), 0x41234000);
  enter(fixture, vcpu, PC);
}

static inline void sgi(Fixture *fixture, unsigned vcpu) {
  trap(fixture, vcpu, PC, 0x18);
  add(fixture, vcpu, TRACE_KVM_HANDLE_SYS_REG, ESR_SGI1R, 0, 0, 0);
  add(fixture, vcpu, TRACE_KVM_SYS_ACCESS, PC, SYSREG(3, 0, 12, 11, 5), 1, 0);
  enter(fixture, vcpu, PC + 4);
}

static inline void wfi(Fixture *fixture, unsigned vcpu, uint64_t ns) {
  trap(fixture, vcpu, PC, 0x01);
  add(fixture, vcpu, TRACE_KVM_WFX, PC, 0, 0, 0);
  fixture->now += ns;
  add(fixture, vcpu, TRACE_KVM_WAKEUP, ns, 1, 0, 0);
  enter(fixture, vcpu, PC + 4);
}

static inline void irq(Fixture *fixture, unsigned vcpu) {
  add(fixture, vcpu, TRACE_KVM_EXIT, PC, 0, 0, 0);
  enter(fixture, vcpu, PC);
}

/* An interrupt of the host and then a signal, which eret looks at before it calls KVM_RUN again; it does so twice. */
static inline void signalled(Fixture *fixture, unsigned vcpu) {
  TraceRecord back = {.kind = TRACE_ERET_RETURN, .vcpu = (uint16_t)vcpu, .flags = TRACE_RETURN_FAILED, .a = EINTR, .b = 100};
  add(fixture, vcpu, TRACE_KVM_EXIT, PC, 0, 0, 0);
  for (int i = 0; i < 2; i++) {
    user_exit(fixture, vcpu, KVM_EXIT_INTR, EINTR);
    add_eret(fixture, &back, NULL, NULL);
  }
  enter(fixture, vcpu, PC);
}

static inline void hypercall_by_eret(Fixture *fixture, unsigned vcpu, bool smc) {
  TraceRecord back = {.kind = TRACE_ERET_RETURN,
                      .vcpu = (uint16_t)vcpu,
                      .flags = smc ? TRACE_RETURN_SMC : 0,
                      .a = KVM_EXIT_HYPERCALL,
                      .b = 300,
                      .c = 0xc6000100,
                      .d = 0x1234};
  trap(fixture, vcpu, smc ? PC : PC + 4, smc ? 0x17 : 0x16);
  if (!smc)
    add(fixture, vcpu, TRACE_KVM_HVC, PC + 4, 0xc6000100, 7, 0);
  user_exit(fixture, vcpu, KVM_EXIT_HYPERCALL, 0);
  add_eret(fixture, &back, "eret_write", NULL);
  enter(fixture, vcpu, PC + 4);
}

/* Events beside the switches. */
static inline void device_events(Fixture *fixture) {
  TraceRecord request = {.kind = TRACE_ERET_REQUEST, .vcpu = TRACE_NO_VCPU, .a = 2500, .b = 4096};
  TraceRecord doorbell = {.kind = TRACE_ERET_DOORBELL, .vcpu = TRACE_NO_VCPU, .a = 1, .b = 2};
  TraceRecord interrupt = {.kind = TRACE_ERET_INTERRUPT, .vcpu = TRACE_NO_VCPU, .a = 3};
  TraceRecord phase = {.kind = TRACE_ERET_PHASE, .vcpu = TRACE_NO_VCPU};
  TraceRecord mark = {.kind = TRACE_ERET_MARK, .vcpu = 0, .a = 42};
  add_eret(fixture, &phase, "vm-created", NULL);
  add_eret(fixture, &doorbell, "virtio-blk 0", NULL);
  add_eret(fixture, &request, "virtio-blk 0", "read");
  add_eret(fixture, &interrupt, "virtio-blk 0", NULL);
  add(fixture, 0, TRACE_KVM_IRQ_PENDING, 35, 1, 0, 0);
  add(fixture, 0, TRACE_KVM_TIMER_IRQ, 27, 1, 0, 0);
  add_eret(fixture, &mark, MARK_TEXT, NULL);
}

/*
 * An instruction fetch from where nothing is, as KVM tells it: it injects an abort, and the guest comes back to do the
 * same.
 */
static inline void lost_fetch(Fixture *fixture, unsigned vcpu, uint64_t pc) {
  trap(fixture, vcpu, pc, 0x20);
  add(fixture, vcpu, TRACE_KVM_GUEST_FAULT, pc, ESR(0x20, 0x06), pc, pc);
  enter(fixture, vcpu, pc);
}

/* One of each. */
static inline void everything(Fixture *fixture) {
  enter(fixture, 0, PC);
  hvc_by_kvm(fixture, 0);
  uart_write(fixture, 0, true);
  uart_read(fixture, 0);
  gic_read(fixture, 0);
  memory_fault(fixture, 0);
  sgi(fixture, 0);
  wfi(fixture, 0, 3000000);
  irq(fixture, 0);
  signalled(fixture, 0);
  hypercall_by_eret(fixture, 0, false);
  hypercall_by_eret(fixture, 0, true);
  device_events(fixture);
}

/* Records that no kernel made: every field of any value, but often one that means something. */
static inline void add_random(Fixture *fixture, GRand *rand, unsigned n) {
  static const uint64_t interesting[] = {0,    1,    2,  3,  4,    6,    10,         0x16,      0x17,      0x18,
                                         0x20, 0x24, 63, 64, 4095, 4096, UINT32_MAX, INT64_MAX, UINT64_MAX};
  for (unsigned i = 0; i < n; i++) {
    uint64_t fields[4];
    for (unsigned f = 0; f < 4; f++)
      fields[f] = g_rand_int_range(rand, 0, 3) ? interesting[g_rand_int_range(rand, 0, G_N_ELEMENTS(interesting))]
                                               : (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
    TraceRecord record = {
        .time = g_rand_int_range(rand, 0, 50) ? fixture->now : (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand),
        .kind = (uint16_t)g_rand_int_range(rand, 0, g_rand_int_range(rand, 0, 20) ? 70 : 65536),
        .vcpu = (uint16_t)g_rand_int_range(rand, 0, g_rand_int_range(rand, 0, 20) ? 3 : 65536),
        .flags = g_rand_int(rand),
        .name = (TraceString)g_rand_int_range(rand, 0, 8),
        .detail = g_rand_int_range(rand, 0, 8) ? (TraceString)g_rand_int_range(rand, 0, 8) : g_rand_int(rand),
        .a = fields[0],
        .b = fields[1],
        .c = fields[2],
        .d = fields[3],
    };
    recording_add(fixture->recording, &record);
    fixture->now += (uint64_t)g_rand_int_range(rand, 0, 5000);
  }
}

static inline void add_hostile(Fixture *fixture, unsigned seed, unsigned n) {
  g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
  recording_text(fixture->recording, MARK_TEXT);
  recording_text(fixture->recording, "%s%n\"\\</script>");
  add_random(fixture, rand, n);
}
