/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program goes from call to call in the table's order. Each has a block: is it this call? Then one rule after the
 * other, each of which has an answer, and behind the last a trap. A jump reaches 255 instructions; a block has less,
 * and the next begins behind it.
 */
#include "vmm/cage/filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <unistd.h>

#ifdef __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE AUDIT_ARCH_X86_64
#endif
#define X32_BIT 0x40000000 /* x86's third set of numbers: arch/x86/include/uapi/asm/unistd.h */

#define JUMP_MAX 255

static void add(GArray *program, struct sock_filter instruction) {
  g_array_append_val(program, instruction);
}

static void load(GArray *program, size_t offset) {
  add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The next instruction where it is so, else SKIP instructions further. */
static void expect(GArray *program, uint16_t comparison, uint32_t value, unsigned skip) {
  g_assert(skip <= JUMP_MAX);
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, 0, (uint8_t)skip));
}

static void expect_not(GArray *program, uint16_t comparison, uint32_t value, unsigned skip) {
  g_assert(skip <= JUMP_MAX);
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, (uint8_t)skip, 0));
}

static void finish(GArray *program, uint32_t action) {
  add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static size_t argument_low(unsigned argument) {
  return offsetof(struct seccomp_data, args) + sizeof(uint64_t) * argument + (G_BYTE_ORDER == G_BIG_ENDIAN ? 4 : 0);
}

static size_t argument_high(unsigned argument) {
  return argument_low(argument) ^ 4;
}

/* Each ends with an instruction that answers, and otherwise goes on behind it. */
static void add_rule(GArray *program, const CageRule *rule) {
  switch (rule->test) {
  case CAGE_ANY:
    break;
  case CAGE_EQUAL:
    load(program, argument_low(rule->argument));
    expect(program, BPF_JEQ, rule->value, 1);
    break;
  case CAGE_EQUAL_LONG:
    load(program, argument_high(rule->argument));
    expect(program, BPF_JEQ, 0, 3);
    load(program, argument_low(rule->argument));
    expect(program, BPF_JEQ, rule->value, 1);
    break;
  case CAGE_WITHOUT:
    load(program, argument_low(rule->argument));
    expect_not(program, BPF_JSET, rule->value, 1);
    break;
  case CAGE_OWN:
    load(program, argument_low(rule->argument));
    expect(program, BPF_JEQ, (uint32_t)getpid(), 1);
    break;
  case CAGE_WITH:
    load(program, argument_low(rule->argument));
    add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, rule->value));
    expect(program, BPF_JEQ, rule->value, 1);
    break;
  }
  finish(program, rule->fails ? SECCOMP_RET_ERRNO | (uint32_t)rule->fails : SECCOMP_RET_ALLOW);
}

/*
 * The rules of the call that the table has at FIRST, for THREADS: a block, or nothing. Returns where the next call is.
 */
static unsigned add_call(GArray *program, unsigned first, unsigned threads) {
  g_autoptr(GArray) block = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
  unsigned i = first;

  for (; i < cage_rules_count && cage_rules[i].number == cage_rules[first].number; i++)
    if (cage_rules[i].threads & threads)
      add_rule(block, &cage_rules[i]);
  if (block->len == 0)
    return i;
  finish(block, SECCOMP_RET_TRAP);
  expect(program, BPF_JEQ, (uint32_t)cage_rules[first].number, block->len);
  g_array_append_vals(program, block->data, block->len);
  return i;
}

static void add_pass(GArray *program, uint64_t pass) {
  size_t at = offsetof(struct seccomp_data, instruction_pointer), low = G_BYTE_ORDER == G_BIG_ENDIAN ? 4 : 0;

  load(program, at + low);
  expect(program, BPF_JEQ, (uint32_t)pass, 3);
  load(program, at + (low ^ 4));
  expect(program, BPF_JEQ, (uint32_t)(pass >> 32), 1);
  finish(program, SECCOMP_RET_ALLOW);
}

GArray *cage_filter_new(unsigned threads, uint64_t pass) {
  GArray *program = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));

  load(program, offsetof(struct seccomp_data, arch));
  expect_not(program, BPF_JEQ, ARCHITECTURE, 1);
  finish(program, SECCOMP_RET_KILL_PROCESS);
  if (pass)
    add_pass(program, pass);
  load(program, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
  expect(program, BPF_JGE, X32_BIT, 1);
  finish(program, SECCOMP_RET_KILL_PROCESS);
#endif
  for (unsigned next = 0; next < cage_rules_count;)
    next = add_call(program, next, threads);
  finish(program, SECCOMP_RET_TRAP);
  return program;
}
