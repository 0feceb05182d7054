/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Touches an address at which there is no device: reads give zeros of every width, writes do nothing, the guest lives
 * on.
 */
#include "bare.inc"

#define NOTHING_THERE 0x0b000000

guest_start
    ldr     x3, =NOTHING_THERE
    mov     x4, #-1
    strb    w4, [x3]
    strh    w4, [x3, #2]
    str     w4, [x3, #4]
    str     x4, [x3, #8]
    ldr     x5, [x3]
    ldr     w6, [x3, #4]
    ldrh    w7, [x3, #2]
    ldrb    w8, [x3]
    orr     x5, x5, x6
    orr     x5, x5, x7
    orr     x5, x5, x8
    cbnz    x5, something
    print   zeros
    power_off
something:
    print   no_zeros
    power_off

zeros:
    .asciz  "reads give zeros\n"
no_zeros:
    .asciz  "reads give something\n"
