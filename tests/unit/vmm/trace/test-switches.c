/* SPDX-License-Identifier: Apache-2.0 */
/* World switches made of records: vmm/trace/switches.c. */
#include "tests/unit/vmm/trace/switches-fixture.h"

static TraceSwitches *switches_of(Fixture *fixture) {
  recording_finish(fixture->recording);
  return trace_switches_new(fixture->recording);
}

static const TraceSwitch *nth(const TraceSwitches *switches, guint i) {
  g_assert_cmpuint(i, <, switches->switches->len);
  return &g_array_index(switches->switches, TraceSwitch, i);
}

static void assert_class(const TraceSwitches *switches, guint i, const char *expected) {
  g_autofree char *name = trace_switch_class(switches, nth(switches, i));
  g_assert_cmpstr(name, ==, expected);
}

static uint64_t count_exits(const Recording *recording) {
  uint64_t n = 0;
  for (guint i = 0; i < recording->records->len; i++)
    n += g_array_index(recording->records, TraceRecord, i).kind == TRACE_KVM_EXIT;
  return n;
}

static void test_everything(void) {
  static const char *const classes[] = {"HVC64",
                                        "DABT_LOW uart@9000000 UARTDR write",
                                        "DABT_LOW uart@9000000 UARTFR read",
                                        "DABT_LOW gic-distributor read",
                                        "DABT_LOW memory",
                                        "SYS64 ICC_SGI1R_EL1 write",
                                        "WFI",
                                        "IRQ",
                                        "IRQ",
                                        "HVC64",
                                        "SMC64"};
  Fixture fixture;
  fixture_init(&fixture);
  everything(&fixture);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_true(switches->has_kernel);
  g_assert_cmpuint(switches->n_vcpus, ==, 1);
  g_assert_cmpuint(switches->begins, ==, FIXTURE_BEGIN);
  g_assert_cmpuint(switches->ends, ==, fixture.now - 1000);
  g_assert_cmpuint(switches->switches->len, ==, G_N_ELEMENTS(classes));
  g_assert_cmpuint(switches->switches->len, ==, count_exits(fixture.recording));
  for (guint i = 0; i < G_N_ELEMENTS(classes); i++) {
    assert_class(switches, i, classes[i]);
    g_assert_cmpuint(nth(switches, i)->number, ==, i);
    g_assert_cmpuint(nth(switches, i)->entered, <, nth(switches, i)->left);
    g_assert_cmpuint(nth(switches, i)->left, <, nth(switches, i)->returned);
    if (i)
      g_assert_cmpuint(nth(switches, i)->entered, ==, nth(switches, i - 1)->returned);
  }
  g_assert_cmpuint(switches->unpaired, ==, 1); /* the second signal */
  fixture_clear(&fixture);
}

static void test_hypercalls(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  hvc_by_kvm(&fixture, 0);
  hypercall_by_eret(&fixture, 0, false);
  hypercall_by_eret(&fixture, 0, true);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  const TraceSwitch *one = nth(switches, 0);
  g_assert_cmphex(one->function, ==, 0xc4000003);
  g_assert_true(one->has_function && !one->has_value && !one->smc);
  g_assert_cmphex(one->pc, ==, PC + 4);
  g_assert_cmphex(trace_switch_pc(one), ==, PC);
  g_assert_cmpuint(trace_switch_cost(one), ==, 2000);
  g_assert_cmpuint(trace_switch_kernel_ns(one), ==, 2000);
  g_assert_cmpuint(one->user_from, ==, 0);
  one = nth(switches, 1);
  g_assert_cmpuint(one->immediate, ==, 7);
  g_assert_cmpstr(one->service, ==, "eret_write");
  g_assert_true(one->has_value && !one->smc);
  g_assert_cmpuint(one->exit_reason, ==, KVM_EXIT_HYPERCALL);
  one = nth(switches, 2);
  g_assert_true(one->smc && one->has_function);
  g_assert_cmphex(one->function, ==, 0xc6000100);
  g_assert_cmphex(trace_switch_pc(one), ==, PC);
  fixture_clear(&fixture);
}

static void test_mmio(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  uart_write(&fixture, 0, true);
  uart_read(&fixture, 0);
  gic_read(&fixture, 0);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  const TraceSwitch *one = nth(switches, 0);
  g_assert_true(one->write && one->has_value && one->has_esr);
  g_assert_cmphex(one->ipa, ==, 0x9000000);
  g_assert_cmphex(one->value, ==, 0x41);
  g_assert_cmpuint(one->size, ==, 4);
  g_assert_cmpuint(one->exit_reason, ==, KVM_EXIT_MMIO);
  g_assert_cmpuint(one->user_from, ==, one->left + 4000); /* when KVM_RUN returned */
  g_assert_cmpuint(one->user_to, ==, one->user_from + 500);
  g_assert_cmpuint(one->user_ns, ==, 500);
  g_assert_cmpuint(trace_switch_kernel_ns(one), ==, trace_switch_cost(one) - 500);
  one = nth(switches, 1);
  g_assert_true(!one->write && one->has_value);
  g_assert_cmphex(one->ipa, ==, 0x9000018);
  g_assert_cmphex(one->value, ==, 0x90);
  g_assert_cmpstr(one->reg, ==, "UARTFR");
  one = nth(switches, 2);
  g_assert_cmpuint(one->user_from, ==, 0);
  g_assert_cmphex(one->value, ==, 0x3780007);
  g_assert_cmpstr(trace_switch_device(switches, one), ==, "gic-distributor");
  fixture_clear(&fixture);
}

static void test_faults_and_registers(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  memory_fault(&fixture, 0);
  sgi(&fixture, 0);
  trap(&fixture, 0, PC, 0x20);
  add(&fixture, 0, TRACE_KVM_GUEST_FAULT, PC, ESR(0x20, 0x07 | 1 << 10), 0x123, 0x41000000);
  enter(&fixture, 0, PC);
  trap(&fixture, 0, PC, 0x24);
  add(&fixture, 0, TRACE_KVM_ACCESS_FAULT, 0x42000000, 0, 0, 0);
  enter(&fixture, 0, PC);
  trap(&fixture, 0, PC, 0x07);
  enter(&fixture, 0, PC);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmphex(nth(switches, 0)->ipa, ==, 0x41234568); /* page and offset of the virtual address */
  g_assert_cmphex(nth(switches, 0)->far, ==, UINT64_C(0xffff000001234568));
  g_assert_cmphex(nth(switches, 1)->sysreg, ==, SYSREG(3, 0, 12, 11, 5));
  g_assert_true(nth(switches, 1)->write);
  g_assert_cmphex(nth(switches, 2)->far, ==, 0); /* FnV */
  g_assert_cmphex(nth(switches, 2)->ipa, ==, 0x41000000);
  assert_class(switches, 2, "IABT_LOW memory");
  g_assert_cmphex(nth(switches, 3)->ipa, ==, 0x42000000);
  assert_class(switches, 4, "EC 0x07 FP_ASIMD");
  fixture_clear(&fixture);
}

/* Waiting is nobody's work. */
static void test_waiting(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  wfi(&fixture, 0, 5000000);
  trap(&fixture, 0, PC + 4, 0x16);
  add(&fixture, 0, TRACE_KVM_HVC, PC + 4, 0x84000002, 0, 0); /* PSCI CPU_OFF */
  fixture.now += 1000000000;
  enter(&fixture, 0, 0x40000000);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(nth(switches, 0)->waited, ==, 5000000);
  g_assert_cmpuint(trace_switch_cost(nth(switches, 0)), ==, 5003000);
  g_assert_cmpuint(trace_switch_kernel_ns(nth(switches, 0)), ==, 3000);
  g_assert_cmpuint(trace_switch_kernel_ns(nth(switches, 1)), ==, 0);
  g_assert_cmpuint(nth(switches, 1)->waited, ==, trace_switch_cost(nth(switches, 1)));
  fixture_clear(&fixture);
}

static void test_signals(void) {
  Fixture fixture;
  fixture_init(&fixture);
  user_exit(&fixture, 0, KVM_EXIT_INTR, EINTR); /* before the guest has run at all */
  enter(&fixture, 0, PC);
  signalled(&fixture, 0);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(switches->switches->len, ==, 1);
  g_assert_cmpuint(switches->unpaired, ==, 2);
  g_assert_cmpint(nth(switches, 0)->run_error, ==, EINTR);
  g_assert_cmpuint(nth(switches, 0)->user_ns, ==, 200);
  g_assert_cmpuint(nth(switches, 0)->user_to, ==, nth(switches, 0)->user_from + 2100);
  fixture_clear(&fixture);
}

/* The signal came on top of an access: what the switch was about stays. */
static void test_signal_after_mmio(void) {
  Fixture fixture;
  TraceRecord back = {.kind = TRACE_ERET_RETURN, .flags = TRACE_RETURN_FAILED, .a = EINTR, .b = 100};
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  uart_write(&fixture, 0, true);
  g_array_set_size(fixture.recording->records, fixture.recording->records->len - 1); /* the entry */
  user_exit(&fixture, 0, KVM_EXIT_MMIO, EINTR); /* immediate_exit leaves the reason of the time before */
  add_eret(&fixture, &back, NULL, NULL);
  enter(&fixture, 0, PC + 4);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(switches->switches->len, ==, 1);
  g_assert_cmpint(nth(switches, 0)->run_error, ==, 0);
  g_assert_cmpuint(nth(switches, 0)->exit_reason, ==, KVM_EXIT_MMIO);
  g_assert_cmpuint(nth(switches, 0)->user_ns, ==, 600);
  fixture_clear(&fixture);
}

static void test_eret_alone(void) {
  Fixture fixture;
  TraceRecord hypercall = {.kind = TRACE_ERET_RETURN, .a = KVM_EXIT_HYPERCALL, .b = 100, .c = 0xc6000100};
  TraceRecord interrupted = {.kind = TRACE_ERET_RETURN, .flags = TRACE_RETURN_FAILED, .a = EINTR, .b = 100};
  TraceRecord last = {.kind = TRACE_ERET_RETURN, .a = KVM_EXIT_SYSTEM_EVENT};
  fixture_init(&fixture);
  uart_write(&fixture, 0, false);
  add_eret(&fixture, &hypercall, "eret_write", NULL);
  add_eret(&fixture, &interrupted, NULL, NULL);
  add_eret(&fixture, &last, NULL, NULL);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_false(switches->has_kernel);
  g_assert_cmpuint(switches->switches->len, ==, 4);
  assert_class(switches, 0, "MMIO uart@9000000 UARTDR write");
  assert_class(switches, 1, "hypercall eret_write");
  assert_class(switches, 2, "signal");
  assert_class(switches, 3, "KVM_EXIT_SYSTEM_EVENT");
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint(nth(switches, i)->cause, ==, SWITCH_UNKNOWN);
  g_assert_cmpuint(trace_switch_cost(nth(switches, 0)), ==, 500);
  g_assert_cmpuint(nth(switches, 0)->entered, ==, 0);
  g_assert_cmpuint(nth(switches, 1)->entered, ==, nth(switches, 0)->returned);
  g_assert_cmpuint(nth(switches, 3)->user_to, ==, 0);
  g_assert_cmpuint(nth(switches, 3)->returned, ==, 0);
  fixture_clear(&fixture);
}

static void test_begins_and_ends_anywhere(void) {
  Fixture fixture;
  fixture_init(&fixture);
  add(&fixture, 0, TRACE_KVM_HVC, PC, 0x84000000, 0, 0); /* its exit was before the recording */
  enter(&fixture, 0, PC);
  hvc_by_kvm(&fixture, 0);
  trap(&fixture, 1, PC, 0x18); /* its entry was before the recording */
  enter(&fixture, 1, PC + 4);
  trap(&fixture, 0, PC, 0x24);
  user_exit(&fixture, 0, KVM_EXIT_MMIO, 0);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(switches->n_vcpus, ==, 2);
  g_assert_cmpuint(switches->switches->len, ==, 3);
  g_assert_cmphex(nth(switches, 0)->function, ==, 0xc4000003);
  g_assert_cmpuint(nth(switches, 1)->vcpu, ==, 1);
  g_assert_cmpuint(nth(switches, 1)->entered, ==, 0);
  assert_class(switches, 1, "SYS64");
  g_assert_cmpuint(nth(switches, 2)->returned, ==, 0);
  g_assert_cmpuint(nth(switches, 2)->user_to, ==, 0);
  g_assert_cmpuint(nth(switches, 2)->user_from, !=, 0);
  g_assert_cmpuint(trace_switch_cost(nth(switches, 2)), ==, 0);
  fixture_clear(&fixture);
}

static void test_loss(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  hvc_by_kvm(&fixture, 0);
  trap(&fixture, 0, PC, 0x24);
  fixture.now += 5000000000;
  add(&fixture, TRACE_NO_VCPU, TRACE_LOST, 1000, TRACE_SOURCE_KERNEL, 0, 0);
  enter(&fixture, 0, PC + 4); /* not of that exit */
  fixture.now += 5000000000;
  trap(&fixture, 0, PC, 0x24); /* nor this of that entry: noticed later */
  fixture.now += 5000000000;
  enter(&fixture, 0, PC + 4); /* nor this of that exit */
  add(&fixture, TRACE_NO_VCPU, TRACE_LOST, 1000, TRACE_SOURCE_KERNEL, 0, 0);
  uart_write(&fixture, 0, true);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(switches->switches->len, ==, count_exits(fixture.recording));
  g_assert_cmpuint(trace_switch_cost(nth(switches, 0)), ==, 2000);
  g_assert_cmpuint(nth(switches, 1)->returned, ==, 0);
  g_assert_cmpuint(nth(switches, 2)->entered, ==, 0);
  g_assert_cmpuint(nth(switches, 2)->returned, ==, 0);
  g_assert_cmpuint(nth(switches, 3)->entered, ==, 0);
  g_assert_cmpuint(trace_switch_cost(nth(switches, 3)), ==, 5000);
  fixture_clear(&fixture);
}

/* Where something is lost but not said at the place: what does not fit together is not put together. */
static void test_loss_elsewhere(void) {
  Fixture fixture;
  TraceRecord back = {.kind = TRACE_ERET_RETURN, .flags = 4 << 8, .a = KVM_EXIT_MMIO, .b = 500, .c = 0x9000018};
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  add(&fixture, 0, TRACE_KVM_EXIT, PC, 0, 0, 0);
  add_eret(&fixture, &back, UART, "UARTFR"); /* of a later exit, which is missing */
  enter(&fixture, 0, PC + 4);
  add_eret(&fixture, &back, UART, "UARTFR"); /* so the guest was left meanwhile */
  trap(&fixture, 0, PC, 0x16);
  enter(&fixture, 0, 0xaaaa0000); /* the guest was not left there */
  uart_write(&fixture, 0, true);
  add(&fixture, TRACE_NO_VCPU, TRACE_LOST, 1000, TRACE_SOURCE_KERNEL, 0, 0);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(switches->switches->len, ==, 3);
  assert_class(switches, 0, "IRQ");
  g_assert_cmpuint(nth(switches, 0)->returned, ==, 0);
  g_assert_cmpuint(nth(switches, 1)->entered, ==, 0);
  g_assert_cmpuint(nth(switches, 1)->returned, ==, 0);
  fixture_clear(&fixture);
}

/* What eret loses makes its own part unknown, not KVM's. */
static void test_loss_of_eret(void) {
  Fixture fixture;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  trap(&fixture, 0, PC, 0x24);
  user_exit(&fixture, 0, KVM_EXIT_MMIO, 0);
  add(&fixture, TRACE_NO_VCPU, TRACE_LOST, 1, TRACE_SOURCE_ERET, 0, 0);
  enter(&fixture, 0, PC + 4);
  g_autoptr(TraceSwitches) switches = switches_of(&fixture);

  g_assert_cmpuint(trace_switch_cost(nth(switches, 0)), ==, 3000);
  g_assert_cmpuint(nth(switches, 0)->user_ns, ==, 2000);
  g_assert_cmpuint(nth(switches, 0)->user_to, ==, nth(switches, 0)->returned);
  fixture_clear(&fixture);
}

static void test_nothing(void) {
  g_autoptr(Recording) recording = recording_new();
  recording_finish(recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(recording);
  g_assert_cmpuint(switches->switches->len, ==, 0);
  g_assert_cmpuint(switches->n_vcpus, ==, 0);
  trace_switches_free(NULL);
}

static void test_hostile(void) {
  for (unsigned seed = 0; seed < 4; seed++) {
    Fixture fixture;
    fixture_init(&fixture);
    add_hostile(&fixture, seed, 100000);
    g_autoptr(TraceSwitches) switches = switches_of(&fixture);
    g_assert_cmpuint(switches->switches->len, <=, count_exits(fixture.recording));
    for (guint i = 0; i < switches->switches->len; i++) {
      const TraceSwitch *one = nth(switches, i);
      g_autofree char *name = trace_switch_class(switches, one);
      g_assert_nonnull(name);
      g_assert_cmpuint(one->vcpu, <, switches->n_vcpus);
      g_assert_cmpuint(one->entered, <=, one->left);
      g_assert_true(!one->returned || one->returned >= one->left);
      g_assert_true(!one->returned || trace_switch_kernel_ns(one) + one->user_ns + one->waited == trace_switch_cost(one));
      if (i)
        g_assert_cmpuint(nth(switches, i - 1)->left, <=, one->left);
    }
    fixture_clear(&fixture);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/switches/everything", test_everything);
  g_test_add_func("/switches/hypercalls", test_hypercalls);
  g_test_add_func("/switches/mmio", test_mmio);
  g_test_add_func("/switches/faults-and-registers", test_faults_and_registers);
  g_test_add_func("/switches/waiting", test_waiting);
  g_test_add_func("/switches/signals", test_signals);
  g_test_add_func("/switches/signal-after-mmio", test_signal_after_mmio);
  g_test_add_func("/switches/eret-alone", test_eret_alone);
  g_test_add_func("/switches/begins-and-ends-anywhere", test_begins_and_ends_anywhere);
  g_test_add_func("/switches/loss", test_loss);
  g_test_add_func("/switches/loss-elsewhere", test_loss_elsewhere);
  g_test_add_func("/switches/loss-of-eret", test_loss_of_eret);
  g_test_add_func("/switches/nothing", test_nothing);
  g_test_add_func("/switches/hostile", test_hostile);
  return g_test_run();
}
