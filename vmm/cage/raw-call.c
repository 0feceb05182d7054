/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* REG_RAX */
#include "vmm/cage/raw-call.h"

/* long perform(const uint64_t arguments[6], long number), and the label behind its only system call. */
long raw_call_perform(const uint64_t *arguments, long number);
extern const char raw_call_end[];

#ifdef __aarch64__
__asm__(".pushsection .text\n"
        ".globl raw_call_perform, raw_call_end\n"
        ".hidden raw_call_perform, raw_call_end\n"
        ".type raw_call_perform, %function\n"
        "raw_call_perform:\n"
        "\thint #34\n" /* bti c */
        "\tmov x8, x1\n"
        "\tmov x9, x0\n"
        "\tldp x0, x1, [x9]\n"
        "\tldp x2, x3, [x9, #16]\n"
        "\tldp x4, x5, [x9, #32]\n"
        "\tsvc #0\n"
        "raw_call_end:\n"
        "\tret\n"
        ".size raw_call_perform, . - raw_call_perform\n"
        ".popsection\n");

RawCall raw_call_of(const ucontext_t *context) {
  RawCall call = {.number = (int)context->uc_mcontext.regs[8]};

  for (unsigned i = 0; i < 6; i++)
    call.arguments[i] = context->uc_mcontext.regs[i];
  return call;
}

void raw_call_set_result(ucontext_t *context, long result) {
  context->uc_mcontext.regs[0] = (uint64_t)result;
}
#else
__asm__(".pushsection .text\n"
        ".globl raw_call_perform, raw_call_end\n"
        ".hidden raw_call_perform, raw_call_end\n"
        ".type raw_call_perform, @function\n"
        "raw_call_perform:\n"
        "\tmov %rsi, %rax\n"
        "\tmov %rdi, %r11\n"
        "\tmov (%r11), %rdi\n"
        "\tmov 8(%r11), %rsi\n"
        "\tmov 16(%r11), %rdx\n"
        "\tmov 24(%r11), %r10\n"
        "\tmov 32(%r11), %r8\n"
        "\tmov 40(%r11), %r9\n"
        "\tsyscall\n"
        "raw_call_end:\n"
        "\tret\n"
        ".size raw_call_perform, . - raw_call_perform\n"
        ".popsection\n");

RawCall raw_call_of(const ucontext_t *context) {
  static const int registers[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
  RawCall call = {.number = (int)context->uc_mcontext.gregs[REG_RAX]};

  for (unsigned i = 0; i < 6; i++)
    call.arguments[i] = (uint64_t)context->uc_mcontext.gregs[registers[i]];
  return call;
}

void raw_call_set_result(ucontext_t *context, long result) {
  context->uc_mcontext.gregs[REG_RAX] = result;
}
#endif

long raw_call(const RawCall *call) {
  return raw_call_perform(call->arguments, call->number);
}

uint64_t raw_call_address(void) {
  return (uint64_t)(uintptr_t)raw_call_end;
}
