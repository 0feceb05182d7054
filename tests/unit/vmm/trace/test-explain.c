/* SPDX-License-Identifier: Apache-2.0 */
/* Recordings as sentences: vmm/trace/explain.c. Times are stripped: they are always the last part of a line. */
#include <string.h>

#include "tests/unit/vmm/trace/switches-fixture.h"

static char *explain(Fixture *fixture) {
  g_autoptr(GRegex) times = g_regex_new(", [0-9.]+ (ns|us|ms|s)$", G_REGEX_MULTILINE, 0, NULL);
  GString *text = g_string_new(NULL);

  recording_finish(fixture->recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(fixture->recording);
  trace_explain(text, switches, NULL);
  char *stripped = g_regex_replace_literal(times, text->str, (gssize)text->len, 0, "", 0, NULL);
  g_string_free(text, true);
  return stripped;
}

static const char all[] =
    "vcpu0 #0 HVC #0 at 0xffff800080012344: x0=0xc4000003 PSCI CPU_ON -> EL2 (EC 0x16 HVC64) -> answered by KVM -> ERET to EL1\n"
    "vcpu0 #1 data abort at 0xffff800080012344: write of 4 bytes 0x41 to 0x9000000 (uart@9000000 UARTDR) -> EL2 (EC 0x24 DABT_LOW) -> "
    "KVM_EXIT_MMIO -> eret: uart@9000000 -> ERET to EL1\n"
    "vcpu0 #2 data abort at 0xffff800080012344: read of 4 bytes from 0x9000018 (uart@9000000 UARTFR) -> EL2 (EC 0x24 DABT_LOW) -> "
    "KVM_EXIT_MMIO -> eret: uart@9000000 gives 0x90 -> ERET to EL1\n"
    "vcpu0 #3 data abort at 0xffff800080012344: read of 4 bytes from 0x8000004 (gic-distributor+0x4) -> EL2 (EC 0x24 DABT_LOW) -> "
    "answered by KVM with 0x3780007 -> ERET to EL1\n"
    "vcpu0 #4 data abort at 0xffff800080012344: write of memory at 0x41234568 (virtual 0xffff000001234568), stage 2 translation fault, "
    "level 3 -> EL2 (EC 0x24 DABT_LOW) -> KVM maps the page -> ERET to EL1\n"
    "vcpu0 #5 MSR ICC_SGI1R_EL1 at 0xffff800080012344: system register write -> EL2 (EC 0x18 SYS64) -> emulated by KVM -> ERET to EL1\n"
    "vcpu0 #6 WFI at 0xffff800080012344: nothing to do until an interrupt -> EL2 (EC 0x01 WFx) -> KVM waits for an interrupt -> ERET to "
    "EL1\n"
    "vcpu0 #7 IRQ at 0xffff800080012344: a physical interrupt, the host's -> EL2 -> the host takes the interrupt -> ERET to EL1\n"
    "vcpu0 #8 IRQ at 0xffff800080012344: a physical interrupt, the host's -> EL2 -> KVM_RUN is interrupted by a signal -> eret -> ERET to "
    "EL1\n"
    "  * vcpu0: KVM_RUN returns without a world switch: a signal\n"
    "vcpu0 #9 HVC #7 at 0xffff800080012344: x0=0xc6000100 eret_write -> EL2 (EC 0x16 HVC64) -> KVM_EXIT_HYPERCALL -> eret: eret_write, "
    "x0=0x1234 -> "
    "ERET to EL1\n"
    "vcpu0 #10 SMC at 0xffff800080012344: x0=0xc6000100 eret_write -> EL2 (EC 0x17 SMC64) -> KVM_EXIT_HYPERCALL -> eret: eret_write, "
    "x0=0x1234 -> "
    "ERET to EL1\n"
    "  * phase: vm-created\n"
    "  * doorbell: virtio-blk 0 queue 1, rung 2 times\n"
    "  * request: virtio-blk 0 read of 4096 bytes done\n"
    "  * interrupt: virtio-blk 0 raises SPI 3\n"
    "  * GIC: INTID 35 (SPI 3) pending for vcpu0\n"
    "  * timer: INTID 27 (virtual timer) of vcpu0 fires\n"
    "  * mark: 42 ?[2Jowned\xef\xbf\xbd\n";

/* Line by line: so that a difference is seen at once. */
static void assert_lines(const char *text, const char *expected) {
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1), wanted = g_strsplit(expected, "\n", -1);
  for (guint i = 0; lines[i] && wanted[i]; i++)
    g_assert_cmpstr(lines[i], ==, wanted[i]);
  g_assert_cmpuint(g_strv_length(lines), ==, g_strv_length(wanted));
}

static void test_everything(void) {
  Fixture fixture;
  fixture_init(&fixture);
  everything(&fixture);
  g_autofree char *text = explain(&fixture);
  assert_lines(text, all);
  fixture_clear(&fixture);
}

static void test_time_is_last(void) {
  Fixture fixture;
  g_autoptr(GString) line = g_string_new(NULL);
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  hvc_by_kvm(&fixture, 0);
  recording_finish(fixture.recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(fixture.recording);
  trace_explain_switch(line, switches, &g_array_index(switches->switches, TraceSwitch, 0), NULL);
  g_assert_true(g_str_has_suffix(line->str, " -> ERET to EL1, 2.00 us"));
  fixture_clear(&fixture);
}

static void test_eret_alone(void) {
  Fixture fixture;
  TraceRecord hypercall = {.kind = TRACE_ERET_RETURN, .a = KVM_EXIT_HYPERCALL, .b = 100, .c = 0xc6000100, .d = 0x1234};
  TraceRecord interrupted = {.kind = TRACE_ERET_RETURN, .flags = TRACE_RETURN_FAILED, .a = EINTR, .b = 100};
  TraceRecord last = {.kind = TRACE_ERET_RETURN, .a = KVM_EXIT_SYSTEM_EVENT};
  fixture_init(&fixture);
  uart_write(&fixture, 0, false);
  add_eret(&fixture, &hypercall, "eret_write", NULL);
  add_eret(&fixture, &interrupted, NULL, NULL);
  add_eret(&fixture, &last, NULL, NULL);
  g_autofree char *text = explain(&fixture);
  assert_lines(
      text,
      "vcpu0 #0 device access: write of 4 bytes 0x41 to 0x9000000 (uart@9000000 UARTDR) -> KVM_EXIT_MMIO -> eret: uart@9000000 -> ERET "
      "to the guest\n"
      "vcpu0 #1 HVC: x0=0xc6000100 eret_write -> KVM_EXIT_HYPERCALL -> eret: eret_write, x0=0x1234 -> ERET to the guest\n"
      "vcpu0 #2 exit -> KVM_RUN is interrupted by a signal -> eret -> ERET to the guest\n"
      "vcpu0 #3 exit -> KVM_EXIT_SYSTEM_EVENT -> eret -> no return is recorded\n");
  fixture_clear(&fixture);
}

static void test_others(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, 0x400000);
  add(&fixture, 0, TRACE_KVM_EXIT, 0x400000, 0, 0, 0); /* where no level can be told */
  enter(&fixture, 0, 0x400000);
  add(&fixture, 0, TRACE_KVM_EXIT, UINT64_C(0xaaaab0001000), 1, 0, 0);
  enter(&fixture, 0, UINT64_C(0xaaaab0001000));
  trap(&fixture, 0, 0x40080010, 0x07);
  enter(&fixture, 0, 0x40080010);
  add(&fixture, 0, TRACE_KVM_EXIT, 0x40080010, 3, 0, 0);
  enter(&fixture, 0, 0x40080010);
  trap(&fixture, 0, 0x40080010, 0x17); /* an SMC that KVM answers: nobody tells its function */
  enter(&fixture, 0, 0x40080014);
  trap(&fixture, 0, 0x40080010, 0x24);
  user_exit(&fixture, 0, 0, EFAULT);
  g_autofree char *text = explain(&fixture);
  assert_lines(
      text, "vcpu0 #0 IRQ at 0x400000: a physical interrupt, the host's -> EL2 -> the host takes the interrupt -> ERET to the guest\n"
            "vcpu0 #1 SError at 0xaaaab0001000: a system error -> EL2 -> handled by KVM -> ERET to EL0\n"
            "vcpu0 #2 exception at 0x40080010: SVE, SIMD or floating point, access trapped -> EL2 (EC 0x07 FP_ASIMD) -> handled by KVM -> "
            "ERET to "
            "EL1\n"
            "vcpu0 #3 illegal exception return at 0x40080010: the guest's state was no legal one -> EL2 -> handled by KVM -> ERET to EL1\n"
            "vcpu0 #4 SMC at 0x40080010: the function is not recorded -> EL2 (EC 0x17 SMC64) -> answered by KVM -> ERET to EL1\n"
            "vcpu0 #5 data abort at 0x40080010: an access that no memory is mapped for -> EL2 (EC 0x24 DABT_LOW) -> KVM_RUN fails: Bad "
            "address -> "
            "eret -> no return is recorded\n");
  fixture_clear(&fixture);
}

static void test_devices(void) {
  Fixture fixture;
  fixture_init(&fixture);
  TraceRecord event = {.kind = TRACE_ERET_EVENT, .vcpu = TRACE_NO_VCPU, .a = 1};
  TraceRecord traffic = {.kind = TRACE_ERET_TRAFFIC, .vcpu = TRACE_NO_VCPU, .a = 10, .b = 600, .c = 3, .d = 180};
  TraceRecord silent = {.kind = TRACE_ERET_TRAFFIC, .vcpu = TRACE_NO_VCPU, .flags = TRACE_TRAFFIC_UNKNOWN};
  add_eret(&fixture, &event, "virtio-net0", "dropped: link down");
  add_eret(&fixture, &traffic, "virtio-net0", "/dev/vhost-net");
  add_eret(&fixture, &silent, "virtio-vsock0", "/dev/vhost-vsock");
  g_autofree char *text = explain(&fixture);
  assert_lines(text, "  * event: virtio-net0 queue 1, dropped: link down\n"
                     "  * traffic: virtio-net0, served by /dev/vhost-net: received 10 packets (600 bytes), sent 3 (180 bytes)\n"
                     "  * traffic: virtio-vsock0, served by /dev/vhost-vsock, which does not tell\n");
  fixture_clear(&fixture);
}

/* Where the machine's map has no memory, KVM maps none; where the map is not recorded, nobody can tell. */
static void test_nowhere(void) {
  for (unsigned with_map = 0; with_map < 2; with_map++) {
    Fixture fixture;
    fixture_init(&fixture);
    if (with_map)
      recording_add_region(fixture.recording, "RAM", 0x40000000, 0x8000000);
    enter(&fixture, 0, 0x200);
    lost_fetch(&fixture, 0, 0x200);
    trap(&fixture, 0, 0x40080000, 0x20);
    add(&fixture, 0, TRACE_KVM_GUEST_FAULT, 0x40080000, ESR(0x20, 0x06), 0x40080000, 0x40080000);
    enter(&fixture, 0, 0x40080000);
    trap(&fixture, 0, 0x40080000, 0x24);
    add(&fixture, 0, TRACE_KVM_GUEST_FAULT, 0x40080000, ESR(0x24, 0x86), 0x1000, 0x9000000); /* a table in the UART */
    enter(&fixture, 0, 0x40080000);
    g_autofree char *text = explain(&fixture);
    assert_lines(
        text,
        with_map
            ? "vcpu0 #0 instruction abort at 0x200: fetch where no memory is, at 0x200 (virtual 0x200), stage 2 translation fault, level 2 "
              "-> "
              "EL2 (EC 0x20 IABT_LOW) -> KVM injects an abort -> ERET to the guest\n"
              "vcpu0 #1 instruction abort at 0x40080000: fetch of memory at 0x40080000 (virtual 0x40080000), stage 2 translation fault, "
              "level 2 -> EL2 (EC 0x20 IABT_LOW) -> KVM maps the page -> ERET to EL1\n"
              "vcpu0 #2 data abort at 0x40080000: page table walk where no memory is, at 0x9000000 (virtual 0x1000), stage 2 translation "
              "fault, level 2 -> EL2 (EC 0x24 DABT_LOW) -> KVM injects an abort -> ERET to EL1\n"
            : "vcpu0 #0 instruction abort at 0x200: fetch of memory at 0x200 (virtual 0x200), stage 2 translation fault, level 2 -> EL2 "
              "(EC 0x20 IABT_LOW) -> KVM maps the page -> ERET to the guest\n"
              "vcpu0 #1 instruction abort at 0x40080000: fetch of memory at 0x40080000 (virtual 0x40080000), stage 2 translation fault, "
              "level 2 -> EL2 (EC 0x20 IABT_LOW) -> KVM maps the page -> ERET to EL1\n"
              "vcpu0 #2 data abort at 0x40080000: page table walk of memory at 0x9000000 (virtual 0x1000), stage 2 translation fault, "
              "level 2 -> EL2 (EC 0x24 DABT_LOW) -> KVM maps the page -> ERET to EL1\n");
    fixture_clear(&fixture);
  }
}

/* Nothing from a guest reaches a terminal as it is. */
static void test_hostile(void) {
  for (unsigned seed = 10; seed < 13; seed++) {
    Fixture fixture;
    fixture_init(&fixture);
    add_hostile(&fixture, seed, 100000);
    g_autofree char *text = explain(&fixture);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    for (const char *c = text; *c; c++)
      g_assert_true((unsigned char)*c >= ' ' || *c == '\n');
    fixture_clear(&fixture);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/explain/everything", test_everything);
  g_test_add_func("/explain/time-is-last", test_time_is_last);
  g_test_add_func("/explain/eret-alone", test_eret_alone);
  g_test_add_func("/explain/others", test_others);
  g_test_add_func("/explain/devices", test_devices);
  g_test_add_func("/explain/nowhere", test_nowhere);
  g_test_add_func("/explain/hostile", test_hostile);
  return g_test_run();
}
