/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a CPU finds at address 0 where a bare-metal guest is firmware: it copies the guest, which lies 4 KiB behind in
 * the flash, to its place in memory and goes there. MMU off, x0 is 0. The guest is as large as the header of its flat
 * binary says (Linux: Documentation/arch/arm64/booting.rst, image_size), BSS included; what is behind it in the flash
 * comes along.
 */
#define IMAGE_AT   0x1000
#define IMAGE_SIZE 16 /* in the header */
#define IMAGE_TO   0x40080000 /* guest.ld */

    .text
    .global _start
_start:
    adr     x1, _start
    add     x1, x1, #IMAGE_AT
    ldr     x2, [x1, #IMAGE_SIZE]
    add     x2, x2, x1
    ldr     x3, =IMAGE_TO
    mov     x4, x3
1:  ldr     x5, [x1], #8
    str     x5, [x3], #8
    cmp     x1, x2
    b.lo    1b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    br      x4
