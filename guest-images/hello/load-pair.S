/* Reads a device with LDP. Such an access traps to EL2 without the syndrome that says which register and size (ESR_EL2.ISV is 0), so KVM
 * cannot emulate it, and neither can eret: the machine ends with an explanation. */
#include "bare.inc"

guest_start
    print   before
    ldr     x3, =PL011_BASE
    ldp     w4, w5, [x3]
    print   after
    power_off

before:
    .asciz  "reading a pair from a device\n"
after:
    .asciz  "still alive, which should not be\n"
