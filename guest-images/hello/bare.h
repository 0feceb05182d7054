/* What the smallest guests share: three assembler macros. The machine starts them at EL1 with the MMU off, on one CPU. */

/* Where eret puts the PL011 (as QEMU's `virt` machine does). Its data register is at offset 0; eret never reports a full FIFO. */
#define PL011_BASE 0x09000000

/* PSCI, Arm DEN 0022: SYSTEM_OFF. */
#define PSCI_SYSTEM_OFF 0x84000008

/* The entry point. */
.macro guest_start
    .section .text.start, "ax"
    .global _start
_start:
.endm

/* print LABEL: a text that ends with a zero byte. Changes x0, x1, x2. */
.macro print label
    ldr     x0, =PL011_BASE
    adr     x1, \label
1:  ldrb    w2, [x1], #1
    cbz     w2, 2f
    str     w2, [x0]
    b       1b
2:
.endm

/* Does not return. */
.macro power_off
    ldr     x0, =PSCI_SYSTEM_OFF
    hvc     #0
3:  wfi
    b       3b
.endm
