/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare-metal program for any monitor with the addresses of the `virt` machine: what a round trip costs, in ticks of
 * the guest's counter. Every line that it prints on the UART is a name and two hexadecimal numbers: how many rounds,
 * how many ticks they took; several lines of each kind, a batch each.
 *
 *   counter no round trip: the counter's ticks a second
 *   hvc     HVC that userspace answers: eret's no-op (docs/hypercalls.md). "none" where nobody does.
 *   read    the clock's RTCMR, which is a plain value
 *   write   the clock's RTCICR, of which there is nothing to clear
 *   doorbell  QueueNotify of the first virtio-mmio device, whether it is there or not
 *
 * The MMU stays off: all accesses are to device memory, and nothing is needed but one region of it.
 */

#define UART       0x09000000
#define UARTDR     0x00
#define RTC        0x09010000
#define RTCMR      0x04
#define RTCICR     0x1c
#define DOORBELL   0x0a000000
#define NOTIFY     0x50 /* QueueNotify: virtio specification, "MMIO Device Register Layout" */
#define ERET_NOP   0xc6004506
#define SYSTEM_OFF 0x84000008 /* PSCI, DEN 0022 */
#define STACK      0x40200000
#define BATCHES    8
#define WARM_UP    20

.macro load_constant register, value
    movz    \register, #((\value) & 0xffff)
    movk    \register, #(((\value) >> 16) & 0xffff), lsl #16
.endm

.macro one_hvc
    mov     x0, x26
    hvc     #0
.endm
.macro one_read
    ldr     w0, [x24, #RTCMR]
.endm
.macro one_write
    str     w20, [x24, #RTCICR]
.endm
.macro one_doorbell
    str     wzr, [x27, #NOTIFY]
.endm

/* x20: rounds, x23: batches left, x19: the first reading of the counter. ONCE, a macro, changes none of them. */
.macro measure name, once
    mov     x23, #BATCHES
1:  mov     x21, #WARM_UP
2:  \once
    subs    x21, x21, #1
    b.ne    2b
    mov     x21, x20
    isb
    mrs     x19, cntvct_el0
3:  \once
    subs    x21, x21, #1
    b.ne    3b
    isb
    mrs     x22, cntvct_el0
    sub     x22, x22, x19
    adr     x0, \name
    bl      print_string
    mov     x0, x20
    bl      print_number
    mov     x0, x22
    bl      print_number
    adr     x0, line_end
    bl      print_string
    subs    x23, x23, #1
    b.ne    1b
.endm

    .text
    .global _start
_start:
    b       start                   /* code0: Documentation/arch/arm64/booting.rst */
    .long   0                       /* code1 */
    .quad   0x80000                 /* text_offset */
    .quad   0x10000                 /* image_size */
    .quad   0                       /* flags */
    .quad   0, 0, 0
    .ascii  "ARM\x64"               /* magic */
    .long   0

start:
    load_constant x0, STACK
    mov     sp, x0
    load_constant x20, ROUNDS
    load_constant x24, RTC
    load_constant x25, UART
    load_constant x26, ERET_NOP
    load_constant x27, DOORBELL

    adr     x0, name_counter
    bl      print_string
    mov     x0, x20
    bl      print_number
    mrs     x0, cntfrq_el0
    bl      print_number
    adr     x0, line_end
    bl      print_string
    mov     x0, x26
    hvc     #0
    cbz     x0, 10f
    adr     x0, no_hvc
    bl      print_string
    b       11f
10: measure name_hvc, one_hvc
11: measure name_read, one_read
    measure name_write, one_write
    measure name_doorbell, one_doorbell

    load_constant x0, SYSTEM_OFF
    hvc     #0
5:  wfi
    b       5b

/* x0: a string */
print_string:
    ldrb    w1, [x0], #1
    cbz     w1, 6f
    str     w1, [x25, #UARTDR]
    b       print_string
6:  ret

/* x0: a number. A space, and its 16 digits. */
print_number:
    mov     w1, #' '
    str     w1, [x25, #UARTDR]
    mov     x2, #16
7:  ror     x0, x0, #60
    and     x1, x0, #15
    add     x3, x1, #'0'
    cmp     x1, #10
    add     x1, x1, #('a' - 10)
    csel    x1, x3, x1, lo
    str     w1, [x25, #UARTDR]
    subs    x2, x2, #1
    b.ne    7b
    ret

name_counter: .asciz "counter"
name_hvc:   .asciz "hvc"
name_read:  .asciz "read"
name_write: .asciz "write"
name_doorbell: .asciz "doorbell"
no_hvc:     .asciz "hvc none\n"
line_end:   .asciz "\n"
