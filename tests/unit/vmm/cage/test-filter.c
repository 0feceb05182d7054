/* SPDX-License-Identifier: Apache-2.0 */
/* Filters, run here instruction by instruction: what they let through is what the table says, and nothing else. */
#define _GNU_SOURCE /* CLONE_THREAD */
#include "vmm/cage/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"

#ifdef __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE AUDIT_ARCH_X86_64
#endif

/* The main thread's is everybody's, and comes last. */
#define MAIN     (CAGE_MAIN | CAGE_VCPU | CAGE_DEVICE)
#define MAIN_ALL (MAIN | CAGE_MORE_OF_VCPUS | CAGE_MORE_OF_DEVICES | CAGE_MORE_OF_MAIN)
static const unsigned kinds[] = {CAGE_VCPU, CAGE_VCPU | CAGE_MORE_OF_VCPUS, CAGE_DEVICE, CAGE_DEVICE | CAGE_MORE_OF_DEVICES, MAIN,
                                 MAIN_ALL};

/* What a filter uses of the kernel's machine (BSD's bpf(4)). */
static uint32_t run(const GArray *program, const struct seccomp_data *data) {
  uint32_t accumulator = 0;

  for (unsigned pc = 0; pc < program->len; pc++) {
    const struct sock_filter *at = &g_array_index(program, struct sock_filter, pc);
    bool is = false;

    switch (at->code) {
    case BPF_LD | BPF_W | BPF_ABS:
      g_assert_cmpuint(at->k, <=, sizeof *data - sizeof accumulator);
      memcpy(&accumulator, (const char *)data + at->k, sizeof accumulator);
      continue;
    case BPF_ALU | BPF_AND | BPF_K:
      accumulator &= at->k;
      continue;
    case BPF_RET | BPF_K:
      return at->k;
    case BPF_JMP | BPF_JEQ | BPF_K:
      is = accumulator == at->k;
      break;
    case BPF_JMP | BPF_JGE | BPF_K:
      is = accumulator >= at->k;
      break;
    case BPF_JMP | BPF_JSET | BPF_K:
      is = accumulator & at->k;
      break;
    default:
      g_assert_not_reached();
    }
    pc += is ? at->jt : at->jf;
  }
  g_assert_not_reached(); /* the kernel refuses a program whose end can be run into */
}

static struct seccomp_data call(int number) {
  return (struct seccomp_data){.nr = number, .arch = ARCHITECTURE};
}

static uint32_t ask(unsigned threads, const struct seccomp_data *data) {
  g_autoptr(GArray) program = cage_filter_new(threads, 0);

  return run(program, data);
}

static bool is_met(const CageRule *rule, const struct seccomp_data *data) {
  uint64_t argument = data->args[rule->argument];
  uint32_t low = (uint32_t)argument;

  switch (rule->test) {
  case CAGE_ANY:
    return true;
  case CAGE_EQUAL:
    return low == rule->value;
  case CAGE_EQUAL_LONG:
    return argument == rule->value;
  case CAGE_WITHOUT:
    return (low & rule->value) == 0;
  case CAGE_OWN:
    return low == (uint32_t)getpid();
  case CAGE_WITH:
    return (low & rule->value) == rule->value;
  }
  return false;
}

static uint32_t expected(unsigned threads, const struct seccomp_data *data) {
  for (unsigned i = 0; i < cage_rules_count; i++) {
    const CageRule *rule = &cage_rules[i];
    if (rule->number == data->nr && (rule->threads & threads) && is_met(rule, data))
      return rule->fails ? SECCOMP_RET_ERRNO | (uint32_t)rule->fails : SECCOMP_RET_ALLOW;
  }
  return SECCOMP_RET_TRAP;
}

/* Each call of the table, with arguments at the edges of each of its rules. */
static void for_all_calls(void (*look)(const struct seccomp_data *data)) {
  for (unsigned i = 0; i < cage_rules_count; i++) {
    const CageRule *rule = &cage_rules[i];
    const uint64_t around[] = {rule->value,
                               0,
                               UINT64_MAX,
                               rule->value ^ 0x40000000u,
                               rule->value & (rule->value - 1),
                               rule->value | UINT64_C(1) << 32,
                               rule->value + UINT64_C(1),
                               (uint64_t)getpid()};

    for (unsigned j = 0; j < G_N_ELEMENTS(around); j++) {
      struct seccomp_data data = call(rule->number);

      data.args[rule->argument] = around[j];
      look(&data);
    }
  }
}

static void is_as_expected(const struct seccomp_data *data) {
  for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
    g_assert_cmphex(ask(kinds[kind], data), ==, expected(kinds[kind], data));
}

static void test_rules(void) {
  for_all_calls(is_as_expected);
}

/* Threads that the main thread makes go by its filter, too. */
static void is_main_threads(const struct seccomp_data *data) {
  const unsigned more[] = {0, CAGE_CALLS, CAGE_FLASH, CAGE_MEETINGS, CAGE_VSOCK};

  for (unsigned i = 0; i < G_N_ELEMENTS(more); i++)
    for (unsigned kind = CAGE_VCPU; kind <= CAGE_DEVICE; kind <<= 1)
      if (ask(kind | more[i], data) == SECCOMP_RET_ALLOW)
        g_assert_cmphex(ask(MAIN | more[i], data), ==, SECCOMP_RET_ALLOW);
}

static void test_main(void) {
  for_all_calls(is_main_threads);
}

/* Whatever the table has no rule for. */
static void test_others(void) {
  for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
    for (int number = 0; number < 600; number++) {
      const struct seccomp_data data = call(number);
      bool has_rule = false;

      for (unsigned i = 0; i < cage_rules_count; i++)
        has_rule |= cage_rules[i].number == number && (cage_rules[i].threads & kinds[kind]);
      if (!has_rule)
        g_assert_cmphex(ask(kinds[kind], &data), ==, SECCOMP_RET_TRAP);
    }
}

/* Whoever it is: starts, looks at or becomes anything, mounts, maps code; a machine is the main thread's to make. */
static void test_break_in(void) {
  static const int never[] = {SYS_openat2,          SYS_execve,         SYS_execveat,    SYS_ptrace, SYS_kill, SYS_mount,
                              SYS_pidfd_open,       SYS_unshare,        SYS_setns,       SYS_setuid, SYS_bpf,  SYS_chroot,
                              SYS_process_vm_readv, SYS_linkat,         SYS_init_module, SYS_keyctl, SYS_dup3, SYS_mknodat,
                              SYS_perf_event_open,  SYS_io_uring_setup, SYS_userfaultfd};

  for (unsigned kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
    for (unsigned i = 0; i < G_N_ELEMENTS(never); i++) {
      const struct seccomp_data data = call(never[i]);
      g_assert_cmphex(ask(kinds[kind], &data), ==, SECCOMP_RET_TRAP);
    }
    struct seccomp_data make = call(SYS_ioctl), map = call(SYS_mmap), child = call(SYS_clone), internet = call(SYS_socket),
                        file = call(SYS_openat);
    make.args[1] = KVM_CREATE_VM;
    map.args[2] = PROT_READ | PROT_EXEC;
    child.args[0] = CLONE_VM | CLONE_VFORK;
    internet.args[0] = AF_INET;
    file.args[2] = O_WRONLY | O_CREAT;
    struct seccomp_data signal = call(SYS_tgkill), owner = call(SYS_fcntl);
    signal.args[0] = (uint64_t)getpid() + 1;
    owner.args[1] = F_SETOWN;
    g_assert_cmphex(ask(kinds[kind], &signal), ==, SECCOMP_RET_TRAP);
    g_assert_cmphex(ask(kinds[kind], &owner), ==, SECCOMP_RET_TRAP);
    g_assert_cmphex(ask(kinds[kind], &make), ==, kinds[kind] & CAGE_MAIN ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    g_assert_cmphex(ask(kinds[kind], &map), ==, SECCOMP_RET_TRAP);
    g_assert_cmphex(ask(kinds[kind], &child), ==, SECCOMP_RET_TRAP);
    g_assert_cmphex(ask(kinds[kind], &internet), ==, SECCOMP_RET_TRAP);
    g_assert_cmphex(ask(kinds[kind], &file), ==, kinds[kind] & CAGE_FILES ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
  }
}

/* Without what only some machines have, none opens or makes anything in the file system. */
static void test_no_names(void) {
  static const int never[] = {SYS_openat, SYS_unlinkat, SYS_bind, SYS_listen, SYS_newfstatat, SYS_mkdirat, SYS_renameat, SYS_symlinkat};
  static const unsigned usual[] = {CAGE_VCPU, CAGE_DEVICE, MAIN};

  for (unsigned kind = 0; kind < G_N_ELEMENTS(usual); kind++)
    for (unsigned i = 0; i < G_N_ELEMENTS(never); i++) {
      const struct seccomp_data data = call(never[i]);
      g_assert_cmphex(ask(usual[kind], &data), ==, SECCOMP_RET_TRAP);
    }
}

/* Calls of another architecture have other numbers. */
static void test_architecture(void) {
  struct seccomp_data data = call(SYS_futex);

  data.arch = AUDIT_ARCH_ARM;
  g_assert_cmphex(ask(CAGE_VCPU, &data), ==, SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
  data = call(SYS_futex | 0x40000000);
  g_assert_cmphex(ask(CAGE_VCPU, &data), ==, SECCOMP_RET_KILL_PROCESS);
#endif
}

static void test_pass(void) {
  const uint64_t address = UINT64_C(0x123456789abc);
  g_autoptr(GArray) program = cage_filter_new(CAGE_VCPU, address);
  struct seccomp_data data = call(SYS_openat);

  data.instruction_pointer = address;
  g_assert_cmphex(run(program, &data), ==, SECCOMP_RET_ALLOW);
  data.instruction_pointer = address ^ (UINT64_C(1) << 40);
  g_assert_cmphex(run(program, &data), ==, SECCOMP_RET_TRAP);
  data.instruction_pointer = address + 4;
  g_assert_cmphex(run(program, &data), ==, SECCOMP_RET_TRAP);
  data.nr = SYS_futex;
  g_assert_cmphex(run(program, &data), ==, SECCOMP_RET_ALLOW);
}

/* Each call's rules stand together, and each says why; what vCPUs do most is what is looked at first. */
static void test_table(void) {
  for (unsigned i = 0; i < cage_rules_count; i++) {
    const CageRule *rule = &cage_rules[i];

    g_assert_true(rule->threads && rule->why && *rule->why && rule->argument < 6);
    for (unsigned j = 0; j + 1 < i; j++)
      g_assert_true(cage_rules[j].number != rule->number || cage_rules[i - 1].number == rule->number);
  }
  g_assert_cmpint(cage_rules[0].number, ==, SYS_ioctl);
  g_assert_cmphex(cage_rules[0].value, ==, KVM_RUN);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/filter/rules", test_rules);
  g_test_add_func("/filter/main", test_main);
  g_test_add_func("/filter/others", test_others);
  g_test_add_func("/filter/break-in", test_break_in);
  g_test_add_func("/filter/no-names", test_no_names);
  g_test_add_func("/filter/architecture", test_architecture);
  g_test_add_func("/filter/pass", test_pass);
  g_test_add_func("/filter/table", test_table);
  return g_test_run();
}
