/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A system call by an instruction of its own, which a filter can tell from all others, and the registers of one that
 * was trapped. Linux: syscall(2), "Architecture calling conventions".
 */
#pragma once

#include <stdint.h>
#include <ucontext.h>

typedef struct {
  int number;
  uint64_t arguments[6];
} RawCall;

/* Returns what the kernel does: -errno after a failure. Async-signal-safe. */
long raw_call(const RawCall *call);
/* The address behind that instruction: what a filter sees (seccomp_data, instruction_pointer). */
uint64_t raw_call_address(void);

/* What was asked for in CONTEXT, which a signal interrupted at a system call. */
RawCall raw_call_of(const ucontext_t *context);
/* What the interrupted code sees as the call's result. */
void raw_call_set_result(ucontext_t *context, long result);
