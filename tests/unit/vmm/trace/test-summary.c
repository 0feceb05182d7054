/* SPDX-License-Identifier: Apache-2.0 */
/* The page about a recording: vmm/trace/summary.c; numbers for people: vmm/base/human.c. */
#include <string.h>

#include "tests/unit/vmm/trace/switches-fixture.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/base/human.h"

static char *summarize(Fixture *fixture) {
  GString *text = g_string_new(NULL);
  recording_finish(fixture->recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(fixture->recording);
  trace_summary(text, switches, NULL);
  return g_string_free(text, false);
}

/* Is there a line with these words, whatever the space between them? */
static void assert_line(const char *text, const char *wanted) {
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_autoptr(GRegex) space = g_regex_new(" +", 0, 0, NULL);
  for (guint i = 0; lines[i]; i++) {
    g_autofree char *line = g_regex_replace_literal(space, g_strstrip(lines[i]), -1, 0, " ", 0, NULL);
    if (strcmp(line, wanted) == 0)
      return;
  }
  g_error("no line '%s' in:\n%s", wanted, text);
}

static void test_human(void) {
  static const struct {
    uint64_t ns;
    const char *text;
  } times[] = {{0, "0 ns"},
               {999, "999 ns"},
               {1000, "1.00 us"},
               {3141, "3.14 us"},
               {9994, "9.99 us"},
               {9996, "10.0 us"},
               {99960, "100 us"},
               {999499, "999 us"},
               {999500, "1.00 ms"},
               {4200000, "4.20 ms"},
               {1230000000, "1.23 s"},
               {UINT64_C(86400000000000), "86400 s"},
               {UINT64_MAX, "18446744074 s"}};
  for (unsigned i = 0; i < G_N_ELEMENTS(times); i++)
    g_assert_cmpstr(human_time(times[i].ns).text, ==, times[i].text);
  g_assert_cmpstr(human_count(0).text, ==, "0");
  g_assert_cmpstr(human_count(999).text, ==, "999");
  g_assert_cmpstr(human_count(1000).text, ==, "1,000");
  g_assert_cmpstr(human_count(1234567).text, ==, "1,234,567");
  g_assert_cmpstr(human_count(UINT64_MAX).text, ==, "18,446,744,073,709,551,615");
  g_assert_cmpstr(human_share(1, 3).text, ==, "33.3 %");
  g_assert_cmpstr(human_share(1, 0).text, ==, "-");
  g_autoptr(GString) text = g_string_new(NULL);
  human_append_text(text, "a\x1b[1mb\n\xc2\x9b\xe2\x80\xae\xc3\xa9");
  human_append_text(text, NULL);
  g_assert_cmpstr(text->str, ==, "a?[1mb???\xc3\xa9");
}

static void test_names(void) {
  g_assert_cmpstr(exit_reason_name(KVM_EXIT_MMIO), ==, "KVM_EXIT_MMIO");
  g_assert_cmpstr(exit_reason_name(24), ==, "KVM_EXIT_SYSTEM_EVENT");
  g_assert_cmpstr(exit_reason_name(39), ==, "KVM_EXIT_MEMORY_FAULT");
  g_assert_null(exit_reason_name(13));
  g_assert_null(exit_reason_name(UINT64_MAX));
  g_assert_cmpstr(system_event_name(1), ==, "SHUTDOWN");
  g_assert_null(system_event_name(0));
  g_assert_null(system_event_name(UINT64_MAX));
  g_autofree char *unknown = exit_reason_describe(99);
  g_assert_cmpstr(unknown, ==, "exit reason 99");
}

/* Each queue of a device, what happened to it, and what others count of queues that they serve. */
static void test_devices(void) {
  Fixture fixture;
  fixture_init(&fixture);
  TraceRecord doorbell = {.kind = TRACE_ERET_DOORBELL, .vcpu = TRACE_NO_VCPU, .a = 1, .b = 2};
  TraceRecord interrupt = {.kind = TRACE_ERET_INTERRUPT, .vcpu = TRACE_NO_VCPU, .b = 1};
  TraceRecord request = {.kind = TRACE_ERET_REQUEST, .vcpu = TRACE_NO_VCPU, .a = 2500, .b = 60, .d = 1};
  TraceRecord failed = {.kind = TRACE_ERET_REQUEST, .vcpu = TRACE_NO_VCPU, .b = 60, .c = 1, .d = 1};
  TraceRecord event = {.kind = TRACE_ERET_EVENT, .vcpu = TRACE_NO_VCPU, .a = 1};
  TraceRecord early = {.kind = TRACE_ERET_TRAFFIC, .vcpu = TRACE_NO_VCPU, .a = 1, .b = 2, .c = 3, .d = 4};
  TraceRecord late = {.kind = TRACE_ERET_TRAFFIC, .vcpu = TRACE_NO_VCPU, .a = 10, .b = 2048, .c = 30, .d = 40};
  TraceRecord silent = {.kind = TRACE_ERET_TRAFFIC, .vcpu = TRACE_NO_VCPU, .flags = TRACE_TRAFFIC_UNKNOWN};
  add_eret(&fixture, &doorbell, "virtio-net0", NULL);
  add_eret(&fixture, &interrupt, "virtio-net0", NULL);
  for (unsigned i = 0; i < 3; i++)
    add_eret(&fixture, &request, "virtio-net0", "transmit");
  add_eret(&fixture, &failed, "virtio-net0", "transmit");
  add_eret(&fixture, &event, "virtio-net0", "dropped: bad\x1b header");
  add_eret(&fixture, &event, "virtio-net0", "dropped: bad\x1b header");
  add_eret(&fixture, &early, "virtio-net1", "/dev/vhost-net");
  add_eret(&fixture, &silent, "vhost-user0", "/run/rng.sock");
  add_eret(&fixture, &late, "virtio-net1", "/dev/vhost-net");
  for (unsigned i = 0; i < 300; i++) {
    request.d = UINT64_MAX - i;
    doorbell.a = i;
    add_eret(&fixture, &request, "strange", "transmit");
    add_eret(&fixture, &doorbell, "strange", NULL);
  }
  g_autofree char *text = summarize(&fixture);

  assert_line(text, "2 1 4 1 180 bytes virtio-net0 queue 1");
  assert_line(text, "2 virtio-net0: dropped: bad? header");
  assert_line(text, "virtio-net1, served by /dev/vhost-net: received 10 packets (2.0 KiB), sent 30 (40 bytes)");
  assert_line(text, "vhost-user0, served by /run/rng.sock, which does not tell");
  assert_line(text, "and 202 more"); /* 300 queues, and one beyond all; 100 are shown */
  g_assert_null(strstr(text, "received 1 packets"));
  fixture_clear(&fixture);
}

static void test_everything(void) {
  Fixture fixture;
  fixture_init(&fixture);
  recording_set_fact(fixture.recording, "cpus", "1");
  recording_set_fact(fixture.recording, "memory", "512M");
  recording_set_fact(fixture.recording, "kernel", "6.12.0\x1b[2J");
  everything(&fixture);
  g_autofree char *text = summarize(&fixture);
  g_test_message("%s", text);

  assert_line(text, "machine vCPUs: 1, memory: 512M");
  assert_line(text, "host kernel 6.12.0?[2J");
  assert_line(text, "recorded 3.06 ms, 57 records, 11 switches, 1 vCPU");
  assert_line(text, "lost nothing");
  assert_line(text, "1 3.00 ms 3.00 ms 3.00 ms 3.00 ms 98.8 % WFI");
  assert_line(text, "2 6.00 us 3.00 us 2.00 us 4.00 us 0.2 % HVC64");
  assert_line(text, "1 5.00 us 5.00 us 5.00 us 5.00 us 0.2 % DABT_LOW uart@9000000 UARTDR write");
  assert_line(text, "7 0xffff800080012344 DABT_LOW uart@9000000 UARTDR write");
  assert_line(text, "vcpu0 0.4 % 1.2 % 98.4 % 0.1 % of 3.05 ms");
  assert_line(text, "all 0.4 % 1.2 % 98.4 % 0.1 % of 3.05 ms");
  assert_line(text, "1 2.00 us 0xc4000003 PSCI CPU_ON");
  assert_line(text, "kvm_entry 12");
  assert_line(text, "kvm_exit 11");
  assert_line(text, "kvm_exit:IRQ 2");
  assert_line(text, "kvm_exit:0x16:HVC64 2");
  assert_line(text, "kvm_exit:0x24:DABT_LOW 4");
  assert_line(text, "kvm_userspace_exit 6");
  assert_line(text, "kvm_userspace_exit:KVM_EXIT_MMIO 2");
  assert_line(text, "kvm_userspace_exit:KVM_EXIT_HYPERCALL 2");
  assert_line(text, "kvm_userspace_exit:KVM_EXIT_INTR 2");
  assert_line(text, "3.05 ms vm-created");
  assert_line(text, "3.06 ms mark 42 ?[2Jowned\xef\xbf\xbd");
  fixture_clear(&fixture);
}

static void test_eret_alone(void) {
  Fixture fixture;
  fixture_init(&fixture);
  recording_set_fact(fixture.recording, "kvm-events", "no permission");
  recording_set_fact(fixture.recording, "sandbox", "partial (Landlock)");
  uart_write(&fixture, 0, false);
  uart_write(&fixture, 0, false);
  g_autofree char *text = summarize(&fixture);
  assert_line(text, "sandbox partial (Landlock)");
  assert_line(text, "KVM's events not recorded (no permission): a switch here is a return of KVM_RUN, and its time is userspace's alone");
  assert_line(text, "2 1.00 us 500 ns 500 ns 500 ns 100.0 % MMIO uart@9000000 UARTDR write");
  assert_line(text, "vcpu0 33.3 % 66.7 % of 1.50 us");
  assert_line(text, "kvm_exit 0");
  fixture_clear(&fixture);
}

static void test_losses(void) {
  Fixture fixture;
  fixture_init(&fixture);
  add(&fixture, TRACE_NO_VCPU, TRACE_LOST, 1200, TRACE_SOURCE_KERNEL, 0, 0);
  add(&fixture, TRACE_NO_VCPU, TRACE_LOST, 34, TRACE_SOURCE_KERNEL, 0, 0);
  fixture.recording->lost[TRACE_SOURCE_FILE] = 7;
  fixture.recording->truncated = true;
  g_autofree char *text = summarize(&fixture);
  assert_line(text, "lost 1,234 records in KVM's buffers, 7 records at the file's limit");
  assert_line(text, "cut off the file ends without its end mark: the recorder was killed, or the disk was full");
  fixture_clear(&fixture);
}

static void test_marks_are_bounded(void) {
  Fixture fixture;
  TraceRecord mark = {.kind = TRACE_ERET_MARK};
  fixture_init(&fixture);
  for (unsigned i = 0; i < 1101; i++)
    add_eret(&fixture, &mark, "x", NULL);
  g_autofree char *text = summarize(&fixture);
  assert_line(text, "and 1,001 more");
  fixture_clear(&fixture);
}

static void test_nothing(void) {
  Fixture fixture;
  fixture_init(&fixture);
  g_autofree char *text = summarize(&fixture);
  assert_line(text, "recorded 0 ns, 0 records, 0 switches, 0 vCPUs");
  fixture_clear(&fixture);
}

static void test_hostile(void) {
  for (unsigned seed = 20; seed < 23; seed++) {
    Fixture fixture;
    fixture_init(&fixture);
    add_hostile(&fixture, seed, 100000);
    g_autofree char *text = summarize(&fixture);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_null(strchr(text, '\x1b'));
    fixture_clear(&fixture);
  }
}

static char *summarize_loop(unsigned faults, bool goes_on, bool with_map) {
  Fixture fixture;
  fixture_init(&fixture);
  if (with_map)
    recording_add_region(fixture.recording, "RAM", 0x40000000, 0x8000000);
  enter(&fixture, 1, 0x200);
  hvc_by_kvm(&fixture, 1);
  for (unsigned i = 0; i < faults; i++) {
    lost_fetch(&fixture, 1, 0x200);
    if (i % 5 == 0)
      irq(&fixture, 1); /* the host's business */
  }
  if (goes_on)
    hvc_by_kvm(&fixture, 1);
  char *text = summarize(&fixture);
  fixture_clear(&fixture);
  return text;
}

/* A guest that is stuck in faults is named, and no other one. */
static void test_faults_for_ever(void) {
  g_autofree char *stuck = summarize_loop(1234, false, true);
  g_autofree char *few = summarize_loop(10, false, true), *left = summarize_loop(1234, true, true),
                  *unknown = summarize_loop(1234, false, false);

  assert_line(stuck, "stuck vcpu1 faults for ever at 0x200: no memory at IPA 0x200, 1,234 times");
  g_assert_nonnull(strstr(stuck, "IABT_LOW no memory"));
  g_assert_null(strstr(few, "for ever"));
  g_assert_null(strstr(left, "for ever"));
  g_assert_null(strstr(unknown, "for ever"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/summary/devices", test_devices);
  g_test_add_func("/summary/human", test_human);
  g_test_add_func("/summary/names", test_names);
  g_test_add_func("/summary/everything", test_everything);
  g_test_add_func("/summary/eret-alone", test_eret_alone);
  g_test_add_func("/summary/faults-for-ever", test_faults_for_ever);
  g_test_add_func("/summary/losses", test_losses);
  g_test_add_func("/summary/marks-are-bounded", test_marks_are_bounded);
  g_test_add_func("/summary/nothing", test_nothing);
  g_test_add_func("/summary/hostile", test_hostile);
  return g_test_run();
}
