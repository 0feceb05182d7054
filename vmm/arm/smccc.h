/* SPDX-License-Identifier: Apache-2.0 */
/* Function identifiers and answers of the SMC Calling Convention (Arm DEN 0028), and eret's own: docs/hypercalls.md. */
#pragma once

#include <stdint.h>

/* Function identifier, DEN 0028, 2.5: a 32-bit call passes its arguments and takes its results in W registers. */
#define HYPERCALL_FUNCTION_64BIT (1u << 30)

/*
 * Standard answers: DEN 0028, 7.1 "Unknown function identifier", and eret's own errors. All in x0, sign-extended to 64
 * bits, also for a 32-bit call: the upper half of its result means nothing, and callers exist that look at all of it.
 */
#define HYPERCALL_SUCCESS           INT64_C(0)
#define HYPERCALL_NOT_SUPPORTED     INT64_C(-1)
#define HYPERCALL_INVALID_PARAMETER INT64_C(-3)
#define HYPERCALL_TIMED_OUT         INT64_C(-4) /* a service outside the process did not answer in time */
#define HYPERCALL_NO_PEER           INT64_C(-5) /* a service outside the process is gone, or answered nonsense */

/*
 * eret's own range within Vendor Specific Hypervisor Service, SMC64/HVC64, fast calls (owner 6). KVM uses 0x0000 ..
 * 0x007f and 0xff00 .. 0xffff of it.
 */
#define ERET_FUNCTION_FIRST 0xc6004500u
#define ERET_FUNCTION_LAST  0xc60045ffu

typedef enum {
  ERET_FUNCTION_VERSION =
      ERET_FUNCTION_FIRST, /* -> x0 0, x1 version (major << 16 | minor), x2 bits of the functions 0 .. 63 offered, x3 "eret" */
  ERET_FUNCTION_WRITE,     /* x1 length 1 .. 128, x2 .. x17 the bytes, low address in low bits -> x0 0 */
  ERET_FUNCTION_MARK,      /* x1 number, x2 length of name 0 .. 112, x3 .. x16 its bytes -> x0 0 */
  ERET_FUNCTION_READY,     /* -> x0 0 */
  ERET_FUNCTION_EXIT,      /* x1 code 0 .. 255: does not return; a code out of range -> x0 INVALID_PARAMETER */
  ERET_FUNCTION_TIME,      /* -> x0 0, x1 host's CLOCK_MONOTONIC, x2 CLOCK_REALTIME, nanoseconds */
  ERET_FUNCTION_NOP,       /* -> x0 0 */
} EretFunction;
