/* SPDX-License-Identifier: Apache-2.0 */
#include "user.h"

#include "mmu.h"

/*
 * user_enter(ENTRY, STACK, ARGUMENT): to EL0 by ERET. user_return: where SVC #USER_LEAVE comes back, at EL1, on the
 * stack as it was. What C keeps in x19 to x30 waits there meanwhile.
 */
void user_enter(uint64_t entry, uint64_t stack, uint64_t argument);
void user_return(void);
asm(".global user_enter, user_return\n"
    "user_enter:\n"
    "  stp x29, x30, [sp, #-96]!\n"
    "  stp x19, x20, [sp, #16]\n"
    "  stp x21, x22, [sp, #32]\n"
    "  stp x23, x24, [sp, #48]\n"
    "  stp x25, x26, [sp, #64]\n"
    "  stp x27, x28, [sp, #80]\n"
    "  msr elr_el1, x0\n"
    "  msr sp_el0, x1\n"
    "  mov x0, x2\n"
    "  mov x2, #0x3c0\n" /* SPSR_MASK_ALL | SPSR_EL0T */
    "  msr spsr_el1, x2\n"
    "  eret\n"
    "user_return:\n"
    "  ldp x27, x28, [sp, #80]\n"
    "  ldp x25, x26, [sp, #64]\n"
    "  ldp x23, x24, [sp, #48]\n"
    "  ldp x21, x22, [sp, #32]\n"
    "  ldp x19, x20, [sp, #16]\n"
    "  ldp x29, x30, [sp], #96\n"
    "  ret\n");

void user_run(void (*program)(void), uint64_t argument) {
  static uint8_t stack[1024] __attribute__((aligned(16)));
  user_enter(USER_WINDOW + (uint64_t)program, USER_WINDOW + (uint64_t)(stack + sizeof stack), argument);
}

bool user_left(ExceptionFrame *frame) {
  if (ESR_EC(frame->esr) != EC_SVC || ESR_ISS(frame->esr) != USER_LEAVE)
    return false;
  frame->elr = (uint64_t)user_return;
  frame->spsr = SPSR_EL1H | SPSR_MASK_ALL;
  return true;
}
