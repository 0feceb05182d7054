/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls a service outside eret (docs/hypercall-server.c at 0xc2000000: adds x1 and x2), twice, and says how that went.
 */
#include "bare.inc"

#define ADD 0xc2000000

.macro add_and_tell
    ldr     x0, =ADD
    mov     x1, #20
    mov     x2, #22
    hvc     #0
    cmp     x0, #0
    b.ne    4f
    cmp     x1, #42
    b.ne    5f
    print   right
    b       6f
4:  print   refused
    b       6f
5:  print   wrong
6:
.endm

guest_start
    add_and_tell
    add_and_tell
    print   alive
    power_off

right:
    .asciz  "peer: 42\n"
refused:
    .asciz  "peer: error\n"
wrong:
    .asciz  "peer: wrong\n"
alive:
    .asciz  "alive\n"
