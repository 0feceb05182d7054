/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a device with LDP. Such an access traps to EL2 without the syndrome that says which register and size
 * (ESR_EL2.ISV is 0), so KVM cannot emulate it: eret fetches the instruction and carries it out. The flag register says
 * that the transmitter is empty.
 */
#include "bare.inc"

/* Arm DDI 0183, 3.3.3 */
#define UARTFR      0x18
#define UARTFR_TXFE 7

guest_start
    print   before
    ldr     x3, =PL011_BASE
    ldp     w4, w5, [x3, #UARTFR]
    tbz     w4, #UARTFR_TXFE, 4f
    print   after
4:
    power_off

before:
    .asciz  "reading a pair from a device\n"
after:
    .asciz  "the flags came with it\n"
