/* SPDX-License-Identifier: Apache-2.0 */
/* What became of a guest: vmm/exec/outcome.c with kernel-watch.c, on what arm64 kernels write. */
#include "vmm/exec/outcome.h"

#include <string.h>

#include "devices/printable.h"

#define S UINT64_C(1000000000)

static const GuestOutcomeConfig usual = {.boot_timeout_ns = 10 * S, .timeout_ns = 20 * S, .silence_ns = 1 * S, .ending_ns = 5 * S};

static const char sysrq_panic[] =
    "[    3.124004] sysrq: Trigger a crash\r\n"
    "[    3.124621] Kernel panic - not syncing: sysrq triggered crash\r\n"
    "[    3.125292] CPU: 0 UID: 0 PID: 61 Comm: sh Not tainted 6.12.95+deb12-cloud-arm64 #1  Debian 6.12.95-1~bpo12+1\r\n"
    "[    3.126327] Hardware name: eret (DT)\r\n"
    "[    3.126837] Call trace:\r\n"
    "[    3.127170]  dump_backtrace+0x98/0x118\r\n"
    "[    3.127674]  show_stack+0x20/0x38\r\n"
    "[    3.128121]  dump_stack_lvl+0x34/0x90\r\n"
    "[    3.128599]  dump_stack+0x18/0x28\r\n"
    "[    3.129051]  panic+0x3a8/0x418\r\n"
    "[    3.129481]  sysrq_reset_seq_param_set+0x0/0xb0\r\n"
    "[    3.130075]  __handle_sysrq+0xa8/0x1c8\r\n"
    "[    3.130569]  write_sysrq_trigger+0xc4/0x118\r\n"
    "[    3.131112]  proc_reg_write+0xa4/0x108\r\n"
    "[    3.131612]  vfs_write+0xd0/0x3d0\r\n"
    "[    3.132062]  ksys_write+0x74/0x110\r\n"
    "[    3.136001] SMP: stopping secondary CPUs\r\n";

static const char oops[] = "[   10.1] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000\n"
                           "[   10.1] Mem abort info:\n"
                           "[   10.1]   ESR = 0x0000000096000044\n"
                           "[   10.1] Internal error: Oops: 0000000096000044 [#1] SMP\n"
                           "[   10.1] Modules linked in: lkdtm\n"
                           "[   10.1] pc : lkdtm_NULL+0x14/0x20 [lkdtm]\n"
                           "[   10.1] lr : lkdtm_do_action+0x24/0x48 [lkdtm]\n"
                           "[   10.1] Call trace:\n"
                           "[   10.1]  lkdtm_NULL+0x14/0x20 [lkdtm] (P)\n"
                           "[   10.1]  direct_entry+0xd4/0x158 [lkdtm]\n"
                           "[   10.1]  full_proxy_write+0x64/0xa0\n"
                           "[   10.1] Code: 52800000 d503201f (b900001f) 14000002\n"
                           "[   10.1] ---[ end trace 0000000000000000 ]---\n";

static GuestOutcome *outcome_with(const GuestOutcomeConfig *config) {
  return guest_outcome_new(config, 1 * S);
}

static void console(GuestOutcome *outcome, const char *text, uint64_t ns) {
  guest_outcome_console(outcome, text, strlen(text), ns);
}

static void control(GuestOutcome *outcome, const char *text, uint64_t ns) {
  const ControlLine line = control_line_parse(text);
  guest_outcome_control(outcome, &line, ns);
}

static void assert_verdict(GuestOutcome *outcome, OutcomeKind kind, int status, const char *message) {
  g_assert_cmpstr(outcome_name(guest_outcome_verdict(outcome).kind), ==, outcome_name(kind));
  g_assert_cmpint(guest_outcome_verdict(outcome).exit_status, ==, status);
  g_assert_cmpstr(guest_outcome_verdict(outcome).message, ==, message);
}

static void test_command(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  console(outcome, "[    0.000000] Booting Linux\r\n", 2 * S);
  control(outcome, "hello 1", 3 * S);
  control(outcome, "started 57", 4 * S);
  g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, OUTCOME_RUNNING);
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 23 * S);
  control(outcome, "exit 7", 5 * S);
  g_assert_false(guest_outcome_verdict(outcome).final);          /* files may still come */
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 10 * S); /* but not for ever */
  control(outcome, "exit 0", 5 * S);                             /* the first counts */
  control(outcome, "done", 5 * S);
  g_assert_true(guest_outcome_verdict(outcome).final);
  guest_outcome_ended(outcome, GUEST_POWERED_OFF, 0, NULL, 6 * S);
  assert_verdict(outcome, OUTCOME_COMMAND, 7, NULL);
}

static void test_control(void) {
  static const struct {
    const char *line;
    OutcomeKind kind;
    int status;
    const char *message;
  } cases[] = {
      {"signal 9", OUTCOME_COMMAND, 137, NULL},
      {"signal 9 oom", OUTCOME_OUT_OF_MEMORY, 246, "the guest ran out of memory, and its kernel killed the command"},
      {"failed 2 foo: No such file or directory", OUTCOME_NOT_STARTED, 127, "the command cannot be run: foo: No such file or directory"},
      {"failed 13 foo: Permission denied", OUTCOME_NOT_STARTED, 126, "the command cannot be run: foo: Permission denied"},
      {"missing virtio_blk: there is no /dev/vda", OUTCOME_NO_DRIVER, 247, "a driver is missing: virtio_blk: there is no /dev/vda"},
      {"hello 2", OUTCOME_HOST_ERROR, 240, "the guest's init speaks version 2 of the protocol, and not 1"},
      {"exit 256", OUTCOME_RUNNING, 240, NULL},
      {"exit -1", OUTCOME_RUNNING, 240, NULL},
      {"exit", OUTCOME_RUNNING, 240, NULL},
      {"signal 128", OUTCOME_RUNNING, 240, NULL},
      {"failed", OUTCOME_RUNNING, 240, NULL},
      {"", OUTCOME_RUNNING, 240, NULL},
      {"exit 1x", OUTCOME_RUNNING, 240, NULL},
      {"exit  1", OUTCOME_RUNNING, 240, NULL},
      {"exit 4294967297", OUTCOME_RUNNING, 240, NULL},
      {"exit 99999999999999999999999999", OUTCOME_RUNNING, 240, NULL},
      {"signal 4294967305", OUTCOME_RUNNING, 240, NULL},
      {"failed 4294967298 foo", OUTCOME_RUNNING, 240, NULL},
      {"hello 4294967297", OUTCOME_RUNNING, 240, NULL},
      {"signal 9 oomph", OUTCOME_RUNNING, 240, NULL},
      {"\033[2J nonsense", OUTCOME_RUNNING, 240, NULL},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
    control(outcome, cases[i].line, 2 * S);
    assert_verdict(outcome, cases[i].kind, cases[i].status, cases[i].message);
  }
}

static void test_panic(void) {
  /* In pieces of every size. */
  for (size_t piece = 1; piece <= sizeof sysrq_panic; piece += piece < 8 ? 1 : 97) {
    g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
    control(outcome, "hello 1", 2 * S);
    for (size_t i = 0; i < strlen(sysrq_panic); i += piece)
      guest_outcome_console(outcome, sysrq_panic + i, MIN(piece, strlen(sysrq_panic) - i), 3 * S);
    g_assert_false(guest_outcome_verdict(outcome).final);
    g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 4 * S);
    guest_outcome_tick(outcome, 4 * S - 1);
    g_assert_false(guest_outcome_verdict(outcome).final);
    guest_outcome_tick(outcome, 4 * S);
    g_assert_true(guest_outcome_verdict(outcome).final);
    assert_verdict(outcome, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
    const char *trace = guest_outcome_verdict(outcome).trace;
    g_assert_true(g_str_has_prefix(trace, "[    3.124621] Kernel panic - not syncing: sysrq triggered crash\n"));
    g_assert_true(g_str_has_suffix(trace, "SMP: stopping secondary CPUs\n"));
    g_autofree char *fingerprint = kernel_trace_fingerprint(guest_outcome_verdict(outcome).trace);
    g_assert_cmpstr(fingerprint, ==, "sysrq_reset_seq_param_set < __handle_sysrq < write_sysrq_trigger < proc_reg_write < vfs_write");
  }
}

/* With panic=-1 the kernel resets the machine; without, it says that this is the end. */
static void test_panic_ends(void) {
  g_autoptr(GuestOutcome) reset = outcome_with(&usual);
  console(reset, sysrq_panic, 3 * S);
  guest_outcome_ended(reset, GUEST_RESET, 0, NULL, 3 * S);
  assert_verdict(reset, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
  g_assert_nonnull(strstr(guest_outcome_verdict(reset).trace, "stopping secondary"));

  g_autoptr(GuestOutcome) stays = outcome_with(&usual);
  console(stays, "[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n", 3 * S);
  console(stays, "[    1.0] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0) ]---\n", 3 * S);
  g_assert_true(guest_outcome_verdict(stays).final);
  assert_verdict(stays, OUTCOME_PANIC, 241, "guest panic: VFS: Unable to mount root fs on unknown-block(0,0)");
}

/* A kernel in panic that goes on talking for ever. */
static void test_panic_flood(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  console(outcome, sysrq_panic, 3 * S);
  for (unsigned i = 0; i < 400 && !guest_outcome_verdict(outcome).final; i++) {
    console(outcome, "[    4.0] again and again, and again\n", 3 * S + i * S / 10);
    guest_outcome_tick(outcome, 3 * S + i * S / 10);
  }
  g_assert_true(guest_outcome_verdict(outcome).final);
}

static void test_panic_over_result(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  control(outcome, "exit 0", 2 * S);
  console(outcome, sysrq_panic, 3 * S);
  guest_outcome_ended(outcome, GUEST_RESET, 0, NULL, 3 * S);
  assert_verdict(outcome, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
}

static void test_memory(void) {
  static const char *const texts[] = {
      "[ 1.0] Kernel panic - not syncing: System is deadlocked on memory\n",
      "[ 1.0] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled\n",
      "[ 1.0] Out of memory: Killed process 1 (init) total-vm:1kB\n[ 1.0] Kernel panic - not syncing: Attempted to kill init! "
      "exitcode=0x00000009\n",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
    console(outcome, texts[i], 2 * S);
    g_assert_cmpint(guest_outcome_verdict(outcome).exit_status, ==, 246);
    guest_outcome_tick(outcome, 3 * S);
    g_assert_true(guest_outcome_verdict(outcome).final);
  }
  g_autoptr(GuestOutcome) other = outcome_with(&usual);
  console(other,
          "[ 1.0] Out of memory: Killed process 12 (sh)\n[ 1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\n",
          2 * S);
  assert_verdict(other, OUTCOME_PANIC, 241, "guest panic: Attempted to kill init! exitcode=0x00000100");
}

/* What goes into the guest did not fit: init is not there, or only a part of what it needs. */
static void test_initramfs_too_large(void) {
  static const char *const texts[] = {
      "[    0.9] Initramfs unpacking failed: write error\n[    1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on "
      "unknown-block(0,0)\n",
      "[    0.9] rootfs image is not initramfs (write error); looks like an initrd\n",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
    console(outcome, texts[i], 2 * S);
    g_assert_true(guest_outcome_verdict(outcome).final);
    guest_outcome_ended(outcome, GUEST_STOPPED, 0, NULL, 3 * S);
    assert_verdict(outcome, OUTCOME_OUT_OF_MEMORY, 246,
                   "the guest ran out of memory: its kernel could not unpack all that goes into it; give it more with --memory");
  }

  GuestOutcomeConfig own = usual;
  own.boot_only = true;
  g_autoptr(GuestOutcome) others = outcome_with(&own); /* the user knows what should be in it */
  console(others, texts[1], 2 * S);
  g_assert_cmpint(guest_outcome_verdict(others).kind, ==, OUTCOME_RUNNING);
  g_autoptr(GuestOutcome) broken = outcome_with(&usual); /* for another reason */
  console(broken, "[    0.9] Initramfs unpacking failed: junk within compressed archive\n", 2 * S);
  g_assert_cmpint(guest_outcome_verdict(broken).kind, ==, OUTCOME_RUNNING);
  g_autoptr(GuestOutcome) late = outcome_with(&usual); /* says a log */
  control(late, "hello 1", 2 * S);
  console(late, texts[1], 2 * S);
  g_assert_cmpint(guest_outcome_verdict(late).kind, ==, OUTCOME_RUNNING);
}

static void test_oops(void) {
  GuestOutcomeConfig strict = usual;
  strict.fail_on_oops = true;
  g_autoptr(GuestOutcome) failing = outcome_with(&strict);
  console(failing, oops, 3 * S);
  assert_verdict(failing, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");
  guest_outcome_tick(failing, 4 * S);
  g_assert_true(guest_outcome_verdict(failing).final);
  g_autofree char *fingerprint = kernel_trace_fingerprint(guest_outcome_verdict(failing).trace);
  g_assert_cmpstr(fingerprint, ==, "lkdtm_NULL < direct_entry < full_proxy_write");
  g_assert_true(g_str_has_prefix(guest_outcome_verdict(failing).trace, "[   10.1] Unable to handle"));

  g_autoptr(GuestOutcome) counted = outcome_with(&usual);
  console(counted, oops, 3 * S);
  control(counted, "signal 11", 3 * S);
  control(counted, "done", 3 * S);
  assert_verdict(counted, OUTCOME_COMMAND, 139, NULL);
  const GArray *reports = guest_outcome_verdict(counted).reports;
  g_assert_cmpuint(reports->len, ==, 1);
  g_assert_cmpstr(g_array_index(reports, KernelReport, 0).kind, ==, "Oops");
  g_assert_nonnull(guest_outcome_verdict(counted).trace);

  g_autoptr(GuestOutcome) fatal = outcome_with(&strict);
  console(fatal, oops, 3 * S);
  console(fatal, "[   10.1] Kernel panic - not syncing: Oops: Fatal exception\n", 3 * S);
  assert_verdict(fatal, OUTCOME_PANIC, 241, "guest panic: Oops: Fatal exception");
  guest_outcome_ended(fatal, GUEST_RESET, 0, NULL, 3 * S);
  g_assert_nonnull(strstr(guest_outcome_verdict(fatal).trace, "lkdtm_NULL"));
  g_assert_nonnull(strstr(guest_outcome_verdict(fatal).trace, "Fatal exception"));
}

/* A warning has a trace too, and is none of these. */
static void test_warning(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  console(outcome,
          "[ 1.0] ------------[ cut here ]------------\n[ 1.0] WARNING: CPU: 0 PID: 1 at kernel/foo.c:12 foo+0x1/0x2\n"
          "[ 1.0] Call trace:\n[ 1.0]  foo+0x1/0x2\n[ 1.0] ---[ end trace 0000000000000000 ]---\n",
          2 * S);
  control(outcome, "exit 0", 3 * S);
  assert_verdict(outcome, OUTCOME_COMMAND, 0, NULL);
  g_assert_null(guest_outcome_verdict(outcome).trace);
}

/* What a program writes to the console is not the kernel's word. */
static void test_pretence(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  console(outcome, "[    0.000000] Linux version 6.12\nKernel panic - not syncing: says the program\n", 2 * S);
  g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, OUTCOME_RUNNING);
  g_autoptr(GuestOutcome) untimed = outcome_with(&usual);
  console(untimed, "Linux version 6.12\nKernel panic - not syncing: no times here\n", 2 * S);
  assert_verdict(untimed, OUTCOME_PANIC, 241, "guest panic: no times here");
}

static void test_ends(void) {
  static const struct {
    GuestEnd how;
    OutcomeKind kind;
    int status;
  } cases[] = {
      {GUEST_POWERED_OFF, OUTCOME_NO_RESULT, 248}, {GUEST_RESET, OUTCOME_RESET, 243},           {GUEST_EXITED, OUTCOME_COMMAND, 33},
      {GUEST_STOPPED_BY_USER, OUTCOME_STOPPED, 4}, {GUEST_HOST_ERROR, OUTCOME_HOST_ERROR, 240},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
    guest_outcome_ended(outcome, cases[i].how, 33, "broken", 2 * S);
    g_assert_true(guest_outcome_verdict(outcome).final);
    g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, cases[i].kind);
    g_assert_cmpint(guest_outcome_verdict(outcome).exit_status, ==, cases[i].status);
    control(outcome, "exit 0", 3 * S); /* too late */
    console(outcome, sysrq_panic, 3 * S);
    g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, cases[i].kind);
  }
}

static void test_no_port(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  console(outcome, "[    0.000000] Linux\neret-init: no control port: no virtio console\r\n[    9.9] reboot: Power down\r\n", 2 * S);
  guest_outcome_ended(outcome, GUEST_POWERED_OFF, 0, NULL, 3 * S);
  assert_verdict(outcome, OUTCOME_NO_DRIVER, 247, "a driver is missing: no virtio console");
}

static void test_timeouts(void) {
  g_autoptr(GuestOutcome) silent = outcome_with(&usual);
  g_assert_cmpuint(guest_outcome_deadline(silent), ==, 11 * S);
  guest_outcome_tick(silent, 11 * S);
  assert_verdict(silent, OUTCOME_BOOT_TIMEOUT, 244, "the kernel did not reach init within 10 s, and wrote nothing on its console");

  g_autoptr(GuestOutcome) stuck = outcome_with(&usual);
  console(stuck, "[    0.000000] Linux\n[ 0.1] the last word\n", 3 * S);
  guest_outcome_tick(stuck, 11 * S);
  assert_verdict(stuck, OUTCOME_BOOT_TIMEOUT, 244, "the kernel did not reach init within 10 s; its console was silent for the last 8 s");
  g_autofree char *progress = guest_outcome_progress(stuck);
  g_assert_cmpstr(progress, ==, "the kernel was booting; its last line: [ 0.1] the last word");

  g_autoptr(GuestOutcome) slow = outcome_with(&usual);
  control(slow, "hello 1", 5 * S);
  guest_outcome_tick(slow, 11 * S);
  g_assert_cmpint(guest_outcome_verdict(slow).kind, ==, OUTCOME_RUNNING);
  guest_outcome_tick(slow, 25 * S);
  assert_verdict(slow, OUTCOME_TIMEOUT, 245, "the command did not end within 20 s");

  const GuestOutcomeConfig none = {.silence_ns = S};
  g_autoptr(GuestOutcome) patient = outcome_with(&none);
  g_assert_cmpuint(guest_outcome_deadline(patient), ==, UINT64_MAX);
  control(patient, "hello 1", 5 * S);
  g_assert_cmpuint(guest_outcome_deadline(patient), ==, UINT64_MAX);
}

/*
 * The word on how the command ended is not the guest's end: it may be said and nothing follow, or go on for ever in
 * small pieces.
 */
static void test_stays_after_exit(void) {
  static const char late[] =
      "the command ended with status 0, but its guest did not come to an end within %u s, silent for the last %u s: its "
      "output or its files are not complete";
  const GuestOutcomeConfig no_limit = {.ending_ns = 5 * S};
  const GuestOutcomeConfig *configs[] = {&usual, &no_limit};

  for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(configs[i]);
    g_autofree char *message = g_strdup_printf(late, 8, 5);
    control(outcome, "hello 1", 2 * S);
    control(outcome, "started 7", 2 * S);
    guest_outcome_heard(outcome, 3 * S); /* the command's output says nothing of the end that has not begun */
    control(outcome, "exit 0", 4 * S);
    guest_outcome_heard(outcome, 7 * S);
    console(outcome, "[ 1.0] the kernel's console is no sign\n", 11 * S);
    g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 12 * S);
    guest_outcome_tick(outcome, 12 * S);
    g_assert_true(guest_outcome_verdict(outcome).final);
    assert_verdict(outcome, OUTCOME_TIMEOUT, 245, message);
  }

  g_autoptr(GuestOutcome) trickle = outcome_with(&usual);
  g_autofree char *message = g_strdup_printf(late, 18, 1);
  control(trickle, "hello 1", 2 * S);
  control(trickle, "exit 0", 4 * S);
  for (unsigned i = 4; i < 60 && !guest_outcome_verdict(trickle).final; i++) {
    guest_outcome_tick(trickle, i * S);
    guest_outcome_heard(trickle, i * S);
  }
  assert_verdict(trickle, OUTCOME_TIMEOUT, 245, message); /* at 22 s: 20 after init */

  g_autoptr(GuestOutcome) at_the_last_moment = outcome_with(&usual);
  control(at_the_last_moment, "hello 1", 2 * S);
  control(at_the_last_moment, "exit 0", 21 * S);
  g_assert_cmpuint(guest_outcome_deadline(at_the_last_moment), ==, 26 * S);

  g_autoptr(GuestOutcome) failed = outcome_with(&usual);
  control(failed, "failed 2 foo: No such file or directory", 2 * S);
  guest_outcome_tick(failed, 7 * S);
  g_assert_true(guest_outcome_verdict(failed).final);
  g_assert_cmpint(guest_outcome_verdict(failed).exit_status, ==, 127); /* graver than being late */

  g_autoptr(GuestOutcome) no_word = outcome_with(&no_limit);
  guest_outcome_ending(no_word, 2 * S);
  guest_outcome_tick(no_word, 7 * S);
  assert_verdict(no_word, OUTCOME_NO_RESULT, 248, "the guest's init came to its end without a result of the command");
}

/* Init's own work before the command is limited too. */
static void test_init_stays(void) {
  const GuestOutcomeConfig no_limit = {.boot_timeout_ns = 10 * S, .silence_ns = S};
  g_autoptr(GuestOutcome) outcome = outcome_with(&no_limit);

  control(outcome, "hello 1", 8 * S);
  guest_outcome_tick(outcome, 18 * S - 1);
  g_assert_false(guest_outcome_verdict(outcome).final);
  guest_outcome_tick(outcome, 18 * S);
  assert_verdict(outcome, OUTCOME_BOOT_TIMEOUT, 244, "the guest's init did not start the command within 10 s");

  g_autoptr(GuestOutcome) started = outcome_with(&no_limit);
  control(started, "hello 1", 8 * S);
  control(started, "started 5", 9 * S);
  g_assert_cmpuint(guest_outcome_deadline(started), ==, UINT64_MAX); /* as the user wants it */
}

/* While nobody reads what the guest has written, its clocks stand; those of a panic do not. */
static void test_stalled_reader(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  control(outcome, "hello 1", 2 * S);
  control(outcome, "started 5", 2 * S);
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 22 * S);
  guest_outcome_stall(outcome, true, 12 * S);
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, UINT64_MAX);
  guest_outcome_tick(outcome, 100 * S);
  g_assert_false(guest_outcome_verdict(outcome).final);
  guest_outcome_stall(outcome, false, 112 * S);
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 122 * S);

  guest_outcome_stall(outcome, true, 113 * S);
  control(outcome, "exit 0", 114 * S);
  guest_outcome_stall(outcome, false, 120 * S);
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 125 * S); /* the end began while they stood */
  guest_outcome_stall(outcome, true, 121 * S);
  console(outcome, sysrq_panic, 121 * S);
  guest_outcome_tick(outcome, 122 * S);
  assert_verdict(outcome, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
}

/* What is not the protocol's is ignored, and counted. */
static void test_strange_lines(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  g_assert_cmpuint(guest_outcome_verdict(outcome).strange_lines, ==, 0);
  g_assert_null(guest_outcome_verdict(outcome).first_strange);
  control(outcome, "hello 1", 2 * S);
  control(outcome, "warning network card 1: no answer", 2 * S); /* is no end, and not strange */
  g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, OUTCOME_RUNNING);
  control(outcome, "exit \033[31m7", 2 * S);
  control(outcome, "Exit 7", 2 * S);
  control(outcome, "exit 7", 2 * S);
  g_assert_cmpuint(guest_outcome_verdict(outcome).strange_lines, ==, 2);
  g_assert_cmpstr(guest_outcome_verdict(outcome).first_strange, ==, "exit ?[31m7");
  g_assert_cmpint(guest_outcome_verdict(outcome).exit_status, ==, 7);
}

static void test_boot_only(void) {
  GuestOutcomeConfig config = usual;
  config.boot_only = true;
  g_autoptr(GuestOutcome) outcome = outcome_with(&config);

  console(outcome, "[    0.5] Run /init as init process\n", 3 * S);
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 23 * S);
  guest_outcome_ended(outcome, GUEST_POWERED_OFF, 0, NULL, 4 * S);
  assert_verdict(outcome, OUTCOME_COMMAND, 0, NULL);

  config.boot_timeout_ns = 0; /* a quiet kernel does not say when init starts */
  g_autoptr(GuestOutcome) quiet = outcome_with(&config);
  g_assert_cmpuint(guest_outcome_deadline(quiet), ==, 21 * S);
  guest_outcome_tick(quiet, 21 * S);
  assert_verdict(quiet, OUTCOME_TIMEOUT, 245, "the guest did not end within 20 s");
}

/* A guest that could answer: what its console says is a suspicion until it is dead. */
static const GuestOutcomeConfig asking = {
    .boot_timeout_ns = 10 * S, .timeout_ns = 20 * S, .silence_ns = 1 * S, .answer_ns = 5 * S, .ending_ns = 5 * S};

static GuestOutcome *running_guest(const GuestOutcomeConfig *config) {
  GuestOutcome *outcome = outcome_with(config);

  control(outcome, "hello 1", 2 * S);
  control(outcome, "started 7", 2 * S);
  return outcome;
}

static void assert_asks_for(GuestOutcome *outcome, const char *question, uint64_t ns) {
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, ns);
  guest_outcome_tick(outcome, ns - 1);
  g_assert_null(guest_outcome_asks(outcome));
  guest_outcome_tick(outcome, ns);
  g_assert_false(guest_outcome_verdict(outcome).final);
  g_assert_cmpstr(guest_outcome_asks(outcome), ==, question);
  g_assert_null(guest_outcome_asks(outcome)); /* once */
  g_assert_cmpuint(guest_outcome_deadline(outcome), ==, ns + 5 * S);
}

static void assert_asks(GuestOutcome *outcome, uint64_t ns) {
  assert_asks_for(outcome, "ping", ns);
}

/* A line that only looks like a panic, replayed or logged: the guest answers, and goes on to its good end. */
static void test_suspicion_refuted(void) {
  static const char *const endings[] = {"", "[    3.2] ---[ end Kernel panic - not syncing: says a log ]---\n"};

  for (unsigned i = 0; i < G_N_ELEMENTS(endings); i++) {
    g_autoptr(GuestOutcome) outcome = running_guest(&asking);
    control(outcome, "pong", 2 * S); /* on its own account: says nothing */
    console(outcome, "[    3.1] Kernel panic - not syncing: says a log\n", 3 * S);
    guest_outcome_heard(outcome, 3 * S); /* may have been under way for long */
    if (*endings[i]) {
      console(outcome, endings[i], 3 * S); /* it need not be waited for */
      g_assert_nonnull(guest_outcome_asks(outcome));
    } else {
      assert_asks(outcome, 4 * S);
    }
    control(outcome, "pong", 5 * S);
    g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, OUTCOME_RUNNING);
    g_assert_null(guest_outcome_verdict(outcome).message);
    g_assert_null(guest_outcome_verdict(outcome).trace);
    control(outcome, "exit 5", 9 * S);
    control(outcome, "done", 9 * S);
    guest_outcome_ended(outcome, GUEST_POWERED_OFF, 0, NULL, 10 * S);
    assert_verdict(outcome, OUTCOME_COMMAND, 5, NULL);
  }

  /* So shortly before its end that it is not asked: but a kernel that panics does not power off. */
  g_autoptr(GuestOutcome) brief = running_guest(&asking);
  console(brief, "[    3.1] Kernel panic - not syncing: says a log\n", 3 * S);
  control(brief, "exit 0", 3 * S);
  control(brief, "done", 3 * S);
  guest_outcome_ended(brief, GUEST_POWERED_OFF, 0, NULL, 4 * S);
  assert_verdict(brief, OUTCOME_COMMAND, 0, NULL);
  g_assert_null(guest_outcome_verdict(brief).trace);

  /* An earlier oops keeps its trace. */
  g_autoptr(GuestOutcome) oopsed = running_guest(&asking);
  console(oopsed, oops, 3 * S);
  console(oopsed, "[   11.1] Kernel panic - not syncing: says a log\n", 3 * S);
  assert_asks(oopsed, 4 * S);
  control(oopsed, "pong", 4 * S);
  g_assert_true(g_str_has_suffix(guest_outcome_verdict(oopsed).trace, "---[ end trace 0000000000000000 ]---\n"));

  /* While files come, init does not listen. */
  g_autoptr(GuestOutcome) sending = running_guest(&asking);
  control(sending, "exit 0", 3 * S);
  console(sending, "[    3.1] Kernel panic - not syncing: says a log\n", 3 * S);
  assert_asks(sending, 4 * S);
  guest_outcome_files(sending, 5 * S);
  g_assert_cmpint(guest_outcome_verdict(sending).kind, ==, OUTCOME_COMMAND);
}

static void test_suspicion_confirmed(void) {
  g_autoptr(GuestOutcome) silent = running_guest(&asking);
  console(silent, sysrq_panic, 3 * S);
  assert_asks(silent, 4 * S);
  guest_outcome_heard(silent, 5 * S);
  guest_outcome_tick(silent, 9 * S);
  g_assert_true(guest_outcome_verdict(silent).final);
  assert_verdict(silent, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
  g_assert_true(guest_outcome_verdict(silent).was_dead);
  /* What is still on its way, or is said before it is ended, is no cause. */
  console(silent, "[ 9.0] Kernel panic - not syncing: another\n", 9 * S);
  assert_verdict(silent, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
  guest_outcome_ended(silent, GUEST_STOPPED, 0, NULL, 9 * S);
  assert_verdict(silent, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
  g_assert_nonnull(strstr(guest_outcome_verdict(silent).trace, "stopping secondary"));

  g_autoptr(GuestOutcome) reset = running_guest(&asking);
  console(reset, sysrq_panic, 3 * S);
  control(reset, "exit 0", 3 * S); /* was under way */
  guest_outcome_ended(reset, GUEST_RESET, 0, NULL, 3 * S);
  assert_verdict(reset, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");

  /* Nobody is there who could answer. */
  g_autoptr(GuestOutcome) early = outcome_with(&asking);
  console(early, "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n", 3 * S);
  guest_outcome_tick(early, 4 * S);
  g_assert_true(guest_outcome_verdict(early).final);
  g_assert_null(guest_outcome_asks(early));

  /* With its command's time over it is asked as well, so that a log line is no way round that. */
  g_autoptr(GuestOutcome) late = running_guest(&asking);
  for (unsigned i = 0; i < 100 && !guest_outcome_verdict(late).final; i++) {
    console(late, "[ 1.0] Kernel panic - not syncing: again and again\n", (3 + i) * S - S / 2);
    guest_outcome_tick(late, (3 + i) * S);
    if (guest_outcome_asks(late))
      control(late, "pong", (3 + i) * S);
  }
  assert_verdict(late, OUTCOME_TIMEOUT, 245, "the command did not end within 20 s");

  g_autoptr(GuestOutcome) over = outcome_with(&usual);
  guest_outcome_tick(over, 11 * S);
  g_assert_true(guest_outcome_verdict(over).final);
  console(over, sysrq_panic, 11 * S);
  g_assert_cmpint(guest_outcome_verdict(over).kind, ==, OUTCOME_BOOT_TIMEOUT);
  guest_outcome_ended(over, GUEST_STOPPED, 0, NULL, 11 * S);
  assert_verdict(over, OUTCOME_BOOT_TIMEOUT, 244, "the kernel did not reach init within 10 s, and wrote nothing on its console");

  /* One that panics when it is to power off. */
  g_autoptr(GuestOutcome) last = running_guest(&asking);
  control(last, "exit 0", 3 * S);
  control(last, "done", 3 * S);
  console(last, sysrq_panic, 3 * S);
  guest_outcome_ended(last, GUEST_STOPPED, 0, NULL, 13 * S);
  assert_verdict(last, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
}

/* A guest of the user's own cannot be asked: another word on its console is the sign. */
static void test_suspicion_boot_only(void) {
  GuestOutcomeConfig config = asking;
  config.boot_only = true;
  g_autoptr(GuestOutcome) lives = outcome_with(&config);
  console(lives, "[    0.5] Run /init as init process\n[ 3.1] Kernel panic - not syncing: says a log\n", 3 * S);
  guest_outcome_tick(lives, 4 * S);
  g_assert_null(guest_outcome_asks(lives));
  g_assert_false(guest_outcome_verdict(lives).final);
  console(lives, "login: ", 7 * S);
  g_assert_cmpint(guest_outcome_verdict(lives).kind, ==, OUTCOME_RUNNING);
  guest_outcome_ended(lives, GUEST_POWERED_OFF, 0, NULL, 8 * S);
  assert_verdict(lives, OUTCOME_COMMAND, 0, NULL);

  g_autoptr(GuestOutcome) dead = outcome_with(&config);
  console(dead, sysrq_panic, 3 * S);
  guest_outcome_tick(dead, 4 * S);
  guest_outcome_tick(dead, 9 * S);
  assert_verdict(dead, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
}

/* A guest whose oopses are failures, and whose init can tell whether its kernel knows of one. */
static GuestOutcome *strict_guest(void) {
  GuestOutcomeConfig strict = asking;

  strict.fail_on_oops = true;
  return running_guest(&strict);
}

static const char replayed[] = "[    3.1] Internal error: Oops: says a log\n";

static void assert_ends_well(GuestOutcome *outcome, uint64_t ns) {
  g_assert_true(guest_outcome_verdict(outcome).final);
  g_assert_true(guest_outcome_verdict(outcome).may_power_off);
  guest_outcome_ended(outcome, GUEST_POWERED_OFF, 0, NULL, ns);
  assert_verdict(outcome, OUTCOME_COMMAND, 0, NULL);
  g_assert_null(guest_outcome_verdict(outcome).trace);
}

/* The bit that an oops sets, and no other, tells one from text. */
static void test_oops_asked(void) {
  static const struct {
    const char *answer;
    bool oopsed;
  } cases[] = {{"taint 128", true}, {"taint 4736", true}, {"taint 4294967295", true},
               {"taint 0", false},  {"taint 512", false}, {"taint 4294967167", false}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GuestOutcome) outcome = strict_guest();
    control(outcome, "taint 128", 2 * S); /* on its own account: says nothing */
    console(outcome, oops, 3 * S);
    control(outcome, "taint 0", 3 * S);
    assert_asks_for(outcome, "taint", 4 * S);
    control(outcome, "pong", 5 * S); /* lives, but that is not what was asked */
    control(outcome, "taint 129x", 5 * S);
    g_assert_false(guest_outcome_verdict(outcome).final);
    control(outcome, cases[i].answer, 6 * S);
    if (cases[i].oopsed) {
      g_assert_true(guest_outcome_verdict(outcome).final);
      guest_outcome_ended(outcome, GUEST_STOPPED, 0, NULL, 6 * S);
      assert_verdict(outcome, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");
      g_assert_nonnull(strstr(guest_outcome_verdict(outcome).trace, "lkdtm_NULL"));
    } else {
      assert_verdict(outcome, OUTCOME_RUNNING, 240, NULL);
      g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 22 * S);
      control(outcome, "exit 0", 9 * S);
      control(outcome, "done", 9 * S);
      assert_ends_well(outcome, 10 * S);
    }
  }
}

/* Init listens neither while it sends files nor before it is done, and is not asked until then. */
static void test_oops_at_the_end(void) {
  for (unsigned asked = 0; asked < 2; asked++) {
    g_autoptr(GuestOutcome) outcome = strict_guest();
    console(outcome, replayed, 3 * S);
    if (asked)
      assert_asks_for(outcome, "taint", 4 * S);
    control(outcome, "exit 0", 5 * S);
    for (unsigned i = 6; i < 18; i++) {
      guest_outcome_tick(outcome, i * S);
      g_assert_null(guest_outcome_asks(outcome));
      guest_outcome_files(outcome, i * S);
    }
    control(outcome, "done", 18 * S);
    g_assert_false(guest_outcome_verdict(outcome).final);
    g_assert_false(guest_outcome_verdict(outcome).may_power_off);
    guest_outcome_tick(outcome, 18 * S);
    g_assert_cmpstr(guest_outcome_asks(outcome), ==, asked ? NULL : "taint"); /* the first answer is still to come */
    g_assert_cmpuint(guest_outcome_deadline(outcome), ==, 23 * S);
    control(outcome, "taint 0", 19 * S);
    assert_ends_well(outcome, 20 * S);
  }

  g_autoptr(GuestOutcome) real = strict_guest();
  console(real, oops, 3 * S);
  control(real, "signal 11", 3 * S);
  control(real, "done", 3 * S);
  assert_asks_for(real, "taint", 4 * S); /* when its trace is complete */
  control(real, "taint 128", 4 * S);
  g_assert_true(guest_outcome_verdict(real).final);
  g_assert_true(guest_outcome_verdict(real).may_power_off); /* with its disks in order */
  guest_outcome_ended(real, GUEST_POWERED_OFF, 0, NULL, 5 * S);
  assert_verdict(real, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");

  g_autoptr(GuestOutcome) stays = strict_guest(); /* it never is done */
  console(stays, oops, 3 * S);
  control(stays, "exit 0", 3 * S);
  g_assert_cmpuint(guest_outcome_deadline(stays), ==, 8 * S);
  guest_outcome_tick(stays, 8 * S);
  g_assert_true(guest_outcome_verdict(stays).final);
  g_assert_cmpint(guest_outcome_verdict(stays).kind, ==, OUTCOME_OOPS);
}

/* Without an answer the text counts. */
static void test_oops_unanswered(void) {
  g_autoptr(GuestOutcome) silent = strict_guest();
  console(silent, oops, 3 * S);
  assert_asks_for(silent, "taint", 4 * S);
  guest_outcome_heard(silent, 5 * S);
  control(silent, "pong", 8 * S);
  guest_outcome_tick(silent, 9 * S);
  g_assert_true(guest_outcome_verdict(silent).final);
  g_assert_false(guest_outcome_verdict(silent).may_power_off);
  assert_verdict(silent, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");

  static const GuestEnd ends[] = {GUEST_POWERED_OFF, GUEST_RESET, GUEST_EXITED};
  for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
    g_autoptr(GuestOutcome) ended = strict_guest();
    console(ended, oops, 3 * S);
    guest_outcome_ended(ended, ends[i], 0, NULL, 3 * S);
    assert_verdict(ended, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");
  }
  g_autoptr(GuestOutcome) stopped = strict_guest();
  console(stopped, oops, 3 * S);
  guest_outcome_ended(stopped, GUEST_STOPPED_BY_USER, 0, NULL, 3 * S);
  g_assert_cmpint(guest_outcome_verdict(stopped).kind, ==, OUTCOME_STOPPED);

  GuestOutcomeConfig strict = asking;
  strict.fail_on_oops = true;
  g_autoptr(GuestOutcome) early = outcome_with(&strict); /* init has not come yet */
  console(early, oops, 3 * S);
  guest_outcome_tick(early, 4 * S);
  g_assert_true(guest_outcome_verdict(early).final);
  g_assert_cmpint(guest_outcome_verdict(early).kind, ==, OUTCOME_OOPS);

  strict.boot_only = true;
  g_autoptr(GuestOutcome) own = outcome_with(&strict);
  console(own, "[    0.5] Run /init as init process\n", 2 * S);
  console(own, oops, 3 * S);
  guest_outcome_tick(own, 4 * S);
  g_assert_null(guest_outcome_asks(own));
  g_assert_true(guest_outcome_verdict(own).final);
  g_assert_cmpint(guest_outcome_verdict(own).kind, ==, OUTCOME_OOPS);
}

/* What came after the question is not in its answer. */
static void test_oops_behind_the_question(void) {
  for (unsigned oopsed = 0; oopsed < 2; oopsed++) {
    g_autoptr(GuestOutcome) outcome = strict_guest();
    console(outcome, replayed, 3 * S);
    assert_asks_for(outcome, "taint", 4 * S);
    console(outcome, oops, 5 * S);
    control(outcome, "taint 0", 5 * S);
    g_assert_cmpint(guest_outcome_verdict(outcome).kind, ==, OUTCOME_OOPS);
    assert_asks_for(outcome, "taint", 6 * S);
    control(outcome, oopsed ? "taint 128" : "taint 0", 7 * S);
    if (oopsed)
      assert_verdict(outcome, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");
    else
      assert_verdict(outcome, OUTCOME_RUNNING, 240, NULL);
  }

  /* Nor, for sure, the last of what came before it: its trace may not have been complete. */
  GuestOutcomeConfig patient = asking;
  patient.fail_on_oops = true;
  patient.timeout_ns = 100 * S;
  g_autoptr(GuestOutcome) busy = running_guest(&patient);
  console(busy, replayed, 3 * S);
  for (unsigned i = 4; i <= 33; i++)
    console(busy, "[    4.0] a kernel that has much to say\n", i * S - S / 2);
  console(busy, oops, 33 * S - 1);
  assert_asks_for(busy, "taint", 33 * S);
  control(busy, "taint 0", 33 * S);
  assert_asks_for(busy, "taint", 34 * S - 1);
  control(busy, "taint 128", 34 * S);
  assert_verdict(busy, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");

  /* Nor is a line that comes again and again a way round the command's time, or to be asked without end. */
  g_autoptr(GuestOutcome) flood = strict_guest();
  unsigned questions = 0;
  for (unsigned i = 0; i < 400 && !guest_outcome_verdict(flood).final; i++) {
    console(flood, replayed, 3 * S + i * S / 2);
    guest_outcome_tick(flood, 3 * S + i * S / 2);
    bool asks = guest_outcome_asks(flood) != NULL;
    questions += asks;
    console(flood, replayed, 3 * S + i * S / 2);
    if (asks)
      control(flood, "taint 0", 3 * S + i * S / 2);
  }
  g_assert_true(guest_outcome_verdict(flood).final);
  g_assert_cmpuint(questions, ==, 1);
}

/* The old log that is replayed has both; or the kernel died of its oops. */
static void test_oops_and_panic(void) {
  static const char panic[] = "[    3.2] Kernel panic - not syncing: Oops: Fatal exception\n";
  g_autoptr(GuestOutcome) both = strict_guest();
  console(both, oops, 3 * S);
  console(both, panic, 3 * S);
  assert_asks(both, 4 * S);
  control(both, "pong", 5 * S);
  g_assert_cmpint(guest_outcome_verdict(both).kind, ==, OUTCOME_OOPS);
  guest_outcome_tick(both, 5 * S);
  g_assert_cmpstr(guest_outcome_asks(both), ==, "taint");
  control(both, "taint 0", 5 * S);
  control(both, "exit 0", 6 * S);
  control(both, "done", 6 * S);
  assert_ends_well(both, 7 * S);

  g_autoptr(GuestOutcome) between = strict_guest(); /* the panic's line comes behind the question */
  console(between, oops, 3 * S);
  assert_asks_for(between, "taint", 4 * S);
  console(between, panic, 4 * S);
  control(between, "taint 128", 4 * S);
  assert_asks(between, 5 * S);
  control(between, "pong", 5 * S);
  guest_outcome_tick(between, 5 * S);
  g_assert_cmpstr(guest_outcome_asks(between), ==, "taint");
  control(between, "taint 128", 5 * S);
  assert_verdict(between, OUTCOME_OOPS, 242, "guest oops: Oops: 0000000096000044 [#1] SMP");

  g_autoptr(GuestOutcome) dead = strict_guest();
  console(dead, oops, 3 * S);
  console(dead, panic, 3 * S);
  assert_asks(dead, 4 * S);
  guest_outcome_tick(dead, 9 * S);
  assert_verdict(dead, OUTCOME_PANIC, 241, "guest panic: Oops: Fatal exception");
  g_assert_nonnull(strstr(guest_outcome_verdict(dead).trace, "lkdtm_NULL"));
}

/* A machine that the user has paused cannot answer, nor be silent. */
static void test_paused(void) {
  static const char *const lines[] = {"[    3.1] Kernel panic - not syncing: says a log\n", replayed};

  for (unsigned i = 0; i < 2 * G_N_ELEMENTS(lines); i++) {
    bool asked = i % 2;
    g_autoptr(GuestOutcome) outcome = strict_guest();
    console(outcome, lines[i / 2], 3 * S);
    if (asked)
      assert_asks_for(outcome, i / 2 ? "taint" : "ping", 4 * S);
    guest_outcome_pause(outcome, true, (asked ? 5 : 3) * S);
    guest_outcome_stall(outcome, true, (asked ? 5 : 3) * S);
    g_assert_cmpuint(guest_outcome_deadline(outcome), ==, UINT64_MAX);
    guest_outcome_tick(outcome, 60 * S);
    g_assert_false(guest_outcome_verdict(outcome).final);
    guest_outcome_pause(outcome, false, 60 * S);
    guest_outcome_stall(outcome, false, 60 * S);
    g_assert_cmpuint(guest_outcome_deadline(outcome), ==, (asked ? 64 : 61) * S);
  }
}

/* Whether a guest whose command takes too long is hung. */
static void test_late_and_dead(void) {
  g_autoptr(GuestOutcome) lives = running_guest(&asking);
  assert_asks(lives, 22 * S);
  control(lives, "pong", 22 * S);
  guest_outcome_tick(lives, 22 * S);
  assert_verdict(lives, OUTCOME_TIMEOUT, 245, "the command did not end within 20 s");
  g_assert_false(guest_outcome_verdict(lives).was_dead);

  g_autoptr(GuestOutcome) dead = running_guest(&asking);
  assert_asks(dead, 22 * S);
  guest_outcome_tick(dead, 27 * S);
  assert_verdict(dead, OUTCOME_TIMEOUT, 245,
                 "the command did not end within 20 s, and its guest gave no sign of life when it was asked for one");
  g_assert_true(guest_outcome_verdict(dead).was_dead);
}

/* The kernel's line begins where it may, behind what somebody else has not finished. */
static void test_unfinished_lines(void) {
  static const char *const befores[] = {
      "login: ",  "half a line ", "\033[1m\033[32m ok \033[m", "[ok] [ 7%] ", "progress 10%\rprogress 20%\r", "<6>", "[    2.0] sh: ",
      "\xff\xfe", "[ [ ["};
  g_autofree char *much = g_strnfill(100000, '[');

  for (unsigned i = 0; i <= G_N_ELEMENTS(befores); i++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
    console(outcome, "[    0.000000] Linux version 6.12\n", 2 * S);
    console(outcome, i < G_N_ELEMENTS(befores) ? befores[i] : much, 2 * S);
    console(outcome, sysrq_panic + strlen("[    3.124004] sysrq: Trigger a crash\r\n"), 3 * S);
    guest_outcome_ended(outcome, GUEST_RESET, 0, NULL, 3 * S);
    assert_verdict(outcome, OUTCOME_PANIC, 241, "guest panic: sysrq triggered crash");
  }

  g_autoptr(GuestOutcome) untimed = outcome_with(&usual);
  console(untimed, "login: \033[1mKernel panic - not syncing: no times here\n", 2 * S);
  assert_verdict(untimed, OUTCOME_PANIC, 241, "guest panic: no times here");
  g_autoptr(GuestOutcome) marked = outcome_with(&usual);
  console(marked, "x<0>[    3.124621][  T61@C1] Kernel panic - not syncing: with everything before it\n", 2 * S);
  assert_verdict(marked, OUTCOME_PANIC, 241, "guest panic: with everything before it");
}

/* The boot limit of a guest of the user's own does not hang on one line. */
static void test_boot_only_limit(void) {
  GuestOutcomeConfig config = usual;
  config.boot_only = true;
  g_autoptr(GuestOutcome) talks = outcome_with(&config);
  console(talks, "[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x411fd070]\n", 3 * S);
  guest_outcome_tick(talks, 11 * S);
  g_assert_cmpint(guest_outcome_verdict(talks).kind, ==, OUTCOME_BOOT_TIMEOUT);

  g_autoptr(GuestOutcome) silent = outcome_with(&config);
  guest_outcome_tick(silent, 11 * S);
  g_assert_cmpint(guest_outcome_verdict(silent).kind, ==, OUTCOME_BOOT_TIMEOUT);

  g_autoptr(GuestOutcome) keeps_news = outcome_with(&config); /* built with another level, say */
  console(keeps_news, "[    0.200000] a warning\nGUEST hello\n", 3 * S);
  guest_outcome_tick(keeps_news, 11 * S);
  g_assert_false(guest_outcome_verdict(keeps_news).final);
  guest_outcome_tick(keeps_news, 21 * S);
  assert_verdict(keeps_news, OUTCOME_TIMEOUT, 245, "the guest did not end within 20 s");

  static const struct {
    const char *line;
    bool news;
  } lines[] = {{"", true},
               {"console=hvc0 panic=-1", true},
               {"quiet", false},
               {"unquiet quiet=1", true},
               {"loglevel=3", false},
               {"loglevel=6", false},
               {"loglevel=7", true},
               {"quiet loglevel=8", true},
               {"loglevel=8 quiet", false},
               {"quiet debug", true},
               {"quiet ignore_loglevel", true},
               {"x -- quiet", true}};
  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
    g_assert_true(kernel_tells_news(lines[i].line) == lines[i].news);
}

static void test_reset_without_a_word(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);

  guest_outcome_ended(outcome, GUEST_RESET, 0, NULL, 2 * S);
  g_assert_cmpint(guest_outcome_verdict(outcome).exit_status, ==, 243);
  g_assert_nonnull(strstr(guest_outcome_verdict(outcome).message, "before there was anything on its console"));
  g_autoptr(GuestOutcome) quiet = running_guest(&usual); /* it came far, and had nothing to say */
  guest_outcome_ended(quiet, GUEST_RESET, 0, NULL, 2 * S);
  assert_verdict(quiet, OUTCOME_RESET, 243, "the guest was reset, without a panic of its kernel");
}

static void test_lines(void) {
  static const struct {
    const char *line, *text;
    bool timed;
  } cases[] = {
      {"[    1.234567] text", "text", true},
      {"[    1.234567][   T12] text", "text", true},
      {"<6>[    1.234567] [  C0] text", "text", true},
      {"[12345.678901]  indented", " indented", true},
      {"text", "text", false},
      {"[foo] text", "[foo] text", false},
      {"[1] text", "[1] text", false},
      {"", "", false},
      {"<", "<", false},
      {"<6", "<6", false},
      {"[", "[", false},
      {"[ 1.0]", "[ 1.0]", false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    bool timed;
    g_assert_cmpstr(kernel_line_text(cases[i].line, &timed), ==, cases[i].text);
    g_assert_true(timed == cases[i].timed);
  }
  g_assert_cmpstr(kernel_line_report("BUG: KASAN: slab-out-of-bounds in foo"), ==, "KASAN");
  g_assert_cmpstr(kernel_line_report("INFO: task sh:12 blocked for more than 120 seconds."), ==, "hung task");
  g_assert_cmpstr(kernel_line_report("rcu: INFO: rcu_sched self-detected stall on CPU"), ==, "RCU stall");
  g_assert_cmpstr(kernel_line_report("watchdog: BUG: soft lockup - CPU#0 stuck for 22s!"), ==, "soft lockup");
  g_assert_null(kernel_line_report("virtio_blk virtio1: [vda] 8 512-byte logical blocks"));
  g_autofree char *clean = printable("a\033[31mb\001\tc\xff", -1);
  g_assert_cmpstr(clean, ==, "a?[31mb?\tc\xef\xbf\xbd");
}

static void test_noise(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  static const char *const answers[] = {"hello 1", "pong", "started 1", "taint 0", "taint 128", "exit 0", "done"};
  GuestOutcomeConfig strict = asking;
  static const char *const words[] = {
      "\n",   "[ 1.0] ", "Kernel panic - not syncing: ", "Call trace:", " foo+0x1/0x2", "---[ end trace", "\r", "<6>", "Internal error: ",
      "\033", "\377"};

  strict.fail_on_oops = true;
  for (unsigned round = 0; round < 300; round++) {
    g_autoptr(GuestOutcome) outcome = outcome_with(round % 3 == 0 ? &usual : round % 3 == 1 ? &asking : &strict);
    for (unsigned i = 0; i < 200; i++) {
      if (i % 37 == 0)
        control(outcome, answers[g_rand_int_range(random, 0, G_N_ELEMENTS(answers))], i * S / 10);
      console(outcome, words[g_rand_int_range(random, 0, G_N_ELEMENTS(words))], i * S / 10);
      guest_outcome_tick(outcome, i * S / 10);
      guest_outcome_asks(outcome);
    }
    guest_outcome_ended(outcome, (GuestEnd)g_rand_int_range(random, 0, GUEST_HOST_ERROR + 1), 0, NULL, 30 * S);
    g_assert_true(guest_outcome_verdict(outcome).final);
    g_autofree char *fingerprint = kernel_trace_fingerprint(guest_outcome_verdict(outcome).trace);
    g_autofree char *progress = guest_outcome_progress(outcome);
    g_assert_nonnull(progress);
  }
}

/* A line without an end takes no memory without end. */
static void test_flood(void) {
  g_autoptr(GuestOutcome) outcome = outcome_with(&usual);
  g_autofree char *much = g_strnfill(1 << 20, 'x');

  for (unsigned i = 0; i < 50; i++)
    console(outcome, much, 2 * S);
  console(outcome, "\n[ 1.0] Kernel panic - not syncing: after all\n", 2 * S);
  for (unsigned i = 0; i < 10000; i++)
    console(outcome, "[ 1.0] and a trace of many lines, each longer than it needs to be, one after the other\n", 2 * S);
  guest_outcome_ended(outcome, GUEST_RESET, 0, NULL, 2 * S);
  g_assert_cmpuint(strlen(guest_outcome_verdict(outcome).trace), <, 70000);
  assert_verdict(outcome, OUTCOME_PANIC, 241, "guest panic: after all");
}

/* What is final stays. A word of another protocol is no suspicion; a line behind the last word is asked about. */
static void test_final(void) {
  g_autoptr(GuestOutcome) foreign = outcome_with(&usual);
  console(foreign, "Kernel panic - not syncing: text\n", 2 * S);
  control(foreign, "hello 2", 2 * S);
  g_assert_true(guest_outcome_verdict(foreign).final);
  assert_verdict(foreign, OUTCOME_HOST_ERROR, 240, "the guest's init speaks version 2 of the protocol, and not 1");
  guest_outcome_ended(foreign, GUEST_RESET, 0, NULL, 3 * S);
  assert_verdict(foreign, OUTCOME_HOST_ERROR, 240, "the guest's init speaks version 2 of the protocol, and not 1");

  GuestOutcomeConfig strict = usual;
  strict.fail_on_oops = true;
  g_autoptr(GuestOutcome) late = outcome_with(&strict);
  control(late, "hello 1", 2 * S);
  control(late, "exit 0", 2 * S);
  control(late, "done", 2 * S);
  g_assert_true(guest_outcome_verdict(late).final);
  console(late, oops, 3 * S);
  g_assert_false(guest_outcome_verdict(late).final);
  guest_outcome_ended(late, GUEST_STOPPED, 0, NULL, 3 * S);
  g_assert_true(guest_outcome_verdict(late).final);
  g_assert_cmpint(guest_outcome_verdict(late).kind, ==, OUTCOME_OOPS);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/outcome/command", test_command);
  g_test_add_func("/outcome/control", test_control);
  g_test_add_func("/outcome/final", test_final);
  g_test_add_func("/outcome/panic", test_panic);
  g_test_add_func("/outcome/panic-ends", test_panic_ends);
  g_test_add_func("/outcome/panic-flood", test_panic_flood);
  g_test_add_func("/outcome/panic-over-result", test_panic_over_result);
  g_test_add_func("/outcome/memory", test_memory);
  g_test_add_func("/outcome/initramfs-too-large", test_initramfs_too_large);
  g_test_add_func("/outcome/oops", test_oops);
  g_test_add_func("/outcome/warning", test_warning);
  g_test_add_func("/outcome/pretence", test_pretence);
  g_test_add_func("/outcome/ends", test_ends);
  g_test_add_func("/outcome/no-port", test_no_port);
  g_test_add_func("/outcome/timeouts", test_timeouts);
  g_test_add_func("/outcome/stays-after-exit", test_stays_after_exit);
  g_test_add_func("/outcome/init-stays", test_init_stays);
  g_test_add_func("/outcome/stalled-reader", test_stalled_reader);
  g_test_add_func("/outcome/paused", test_paused);
  g_test_add_func("/outcome/strange-lines", test_strange_lines);
  g_test_add_func("/outcome/boot-only", test_boot_only);
  g_test_add_func("/outcome/suspicion-refuted", test_suspicion_refuted);
  g_test_add_func("/outcome/suspicion-confirmed", test_suspicion_confirmed);
  g_test_add_func("/outcome/suspicion-boot-only", test_suspicion_boot_only);
  g_test_add_func("/outcome/oops-asked", test_oops_asked);
  g_test_add_func("/outcome/oops-at-the-end", test_oops_at_the_end);
  g_test_add_func("/outcome/oops-unanswered", test_oops_unanswered);
  g_test_add_func("/outcome/oops-behind-the-question", test_oops_behind_the_question);
  g_test_add_func("/outcome/oops-and-panic", test_oops_and_panic);
  g_test_add_func("/outcome/late-and-dead", test_late_and_dead);
  g_test_add_func("/outcome/unfinished-lines", test_unfinished_lines);
  g_test_add_func("/outcome/boot-only-limit", test_boot_only_limit);
  g_test_add_func("/outcome/reset-without-a-word", test_reset_without_a_word);
  g_test_add_func("/outcome/lines", test_lines);
  g_test_add_func("/outcome/noise", test_noise);
  g_test_add_func("/outcome/flood", test_flood);
  return g_test_run();
}
