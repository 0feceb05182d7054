/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From power-on to C, and every exception's way to C and back.
 *
 * Entry follows the arm64 boot protocol (Linux: Documentation/arch/arm64/booting.rst): at EL1 or EL2, MMU off,
 * interrupts masked, x0 the address of the device tree. The flat binary begins with the protocol's header, so any
 * loader of Linux kernels takes it.
 *
 * Until the MMU is on, memory is device memory to the CPU: no caches, no exclusives, no unaligned accesses. What is
 * written so is not sure to be seen through the cache afterwards; so only two things cross that line, the translation
 * table and its TCR, and they are pushed out of the cache by hand.
 */

#include "layout.h"

/* CurrentEL.EL, bits 3:2 */
#define CURRENT_EL2 (2 << 2)

/* SPSR_EL2: D, A, I, F masked, to EL1 with its own stack pointer (EL1h): Arm ARM, "SPSR_EL2" */
#define SPSR_EL1H_MASKED 0x3c5

/* HCR_EL2.RW: EL1 is AArch64. All else 0: nothing is trapped, there is no stage 2. */
#define HCR_RW (1 << 31)

/* CNTHCTL_EL2: counter and timer are EL1's to use. Bits 1:0 without, bits 11:10 with HCR_EL2.E2H. */
#define CNTHCTL_EL1_USES 0xc03

/* ICC_SRE_EL2: SRE, Enable: GICv3's system registers exist, and EL1 may use them. */
#define ICC_SRE_EL2_ENABLE 9

/*
 * SCTLR_EL1: bits that are 1 by definition, or whose 1 means "as ever" (LSMAOE 29, nTLSMD 28, SPAN 23, EIS 22, TSCXT
 * 20, nTWE 18, nTWI 16, EOS 11)
 */
#define SCTLR_ONES 0x30d50800
#define SCTLR_M    (1 << 0)  /* MMU */
#define SCTLR_C    (1 << 2)  /* data cache */
#define SCTLR_I    (1 << 12) /* instruction cache */

#define ESR_EC_SHIFT 26
#define EC_HVC64     0x16

.macro load_constant register, value
    movz    \register, #((\value) & 0xffff)
    movk    \register, #(((\value) >> 16) & 0xffff), lsl #16
.endm

    .section .text.start, "ax"
    .global _start
_start:
    b       primary                 /* code0 */
    .long   0                       /* code1 */
    .quad   0x80000                 /* text_offset, from a 2 MiB boundary: see guest.ld */
    .quad   __image_size            /* BSS included */
    .quad   0                       /* flags: little-endian, page size unspecified, near the start of RAM */
    .quad   0, 0, 0
    .ascii  "ARM\x64"               /* magic */
    .long   0

/* The boot CPU. x19: device tree, x20: exception level at entry, for runtime_main. */
primary:
    mov     x19, x0
    mrs     x20, CurrentEL
    bl      drop_to_el1
    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
1:  cmp     x1, x2
    b.hs    2f
    stp     xzr, xzr, [x1], #16
    b       1b
2:  mov     x21, #0                 /* CPU 0 */
    bl      set_up_stack
    mov     x0, x19
    bl      mmu_build
    bl      mmu_on
    bl      set_up_stack            /* what is on it was written without the cache: begin anew */
    mov     x0, x19
    lsr     x1, x20, #2
    bl      runtime_main
    b       stop

/* Every other CPU, from PSCI's CPU_ON. x0, the context argument: the CPU's number in bits 15:0, anything above. */
    .global secondary_entry
secondary_entry:
    mov     x20, x0
    and     x21, x0, #0xffff
    bl      drop_to_el1
    bl      mmu_on
    bl      set_up_stack
    mov     x0, x20
    bl      runtime_secondary
stop:
    wfi
    b       stop

/* x21: the CPU's number. The stack of CPU n ends where that of CPU n + 1 begins; they grow downwards. */
set_up_stack:
    msr     tpidr_el1, x21
    adrp    x1, stacks
    add     x1, x1, :lo12:stacks
    add     x2, x21, #1
    mov     x3, #STACK_SIZE
    madd    x1, x2, x3, x1
    mov     sp, x1
    ret

/* Returns at EL1, whence it was called at EL1 or EL2. Changes x1. */
drop_to_el1:
    mrs     x1, CurrentEL
    cmp     x1, #CURRENT_EL2
    b.ne    at_el1
    mov     x1, #HCR_RW
    msr     hcr_el2, x1
    isb
    load_constant x1, CNTHCTL_EL1_USES
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr        /* virtual time is physical time */
    msr     hstr_el2, xzr
    mrs     x1, midr_el1            /* EL1 sees this CPU's own names */
    msr     vpidr_el2, x1
    mrs     x1, mpidr_el1
    msr     vmpidr_el2, x1
    mrs     x1, id_aa64pfr0_el1
    ubfx    x1, x1, #24, #4         /* ID_AA64PFR0_EL1.GIC: 0, no system registers */
    cbz     x1, 1f
    mov     x1, #ICC_SRE_EL2_ENABLE
    msr     s3_4_c12_c9_5, x1       /* ICC_SRE_EL2 */
    isb
1:  adrp    x1, el2_vectors
    add     x1, x1, :lo12:el2_vectors
    msr     vbar_el2, x1
    mov     x1, #SPSR_EL1H_MASKED
    msr     spsr_el2, x1
    msr     elr_el2, x30
    eret                            /* this is it: the instruction the monitor is named after */
at_el1:
    ret

/*
 * MMU on, with the table of mmu.c; the same for every CPU. Uses registers alone: a stack written so far would not be
 * readable through the cache. Changes x1, x2.
 */
mmu_on:
    load_constant x1, SCTLR_ONES
    msr     sctlr_el1, x1           /* a known state, MMU still off */
    isb
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    mov     x1, #MAIR_VALUE
    msr     mair_el1, x1
    adrp    x2, mmu_tables
    add     x2, x2, :lo12:mmu_tables
    msr     ttbr0_el1, x2
    add     x2, x2, #MMU_TABLE_SIZE
    ldr     x1, [x2]                /* mmu_tables.tcr */
    msr     tcr_el1, x1
    tlbi    vmalle1                 /* nothing of anyone's older translations */
    ic      iallu
    dsb     nsh
    isb
    mrs     x1, sctlr_el1
    load_constant x2, (SCTLR_M | SCTLR_C | SCTLR_I)
    orr     x1, x1, x2
    msr     sctlr_el1, x1
    isb                             /* the next instruction is fetched through the table: at the same address */
    ret

/*
 * The vector table of EL1: 4 groups (from EL1 with SP_EL0; from EL1 with SP_EL1; from EL0, AArch64; from EL0, AArch32)
 * of 4 kinds (synchronous, IRQ, FIQ, SError), 128 bytes each: Arm ARM, D1.3.1 "Exception vectors". Each saves all
 * registers as an ExceptionFrame (exception.h) on SP_EL1's stack and goes on in common code with the entry's number.
 */
.macro vector number
    .balign 128
    sub     sp, sp, #FRAME_SIZE
    stp     x0, x1, [sp]
    mov     x1, #\number
    b       exception_common
.endm

    .text
    .balign 2048
vectors:
    .set    number, 0
    .rept   16
    vector  number
    .set    number, number + 1
    .endr

exception_common:
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x19, [sp, #144]
    stp     x20, x21, [sp, #160]
    stp     x22, x23, [sp, #176]
    stp     x24, x25, [sp, #192]
    stp     x26, x27, [sp, #208]
    stp     x28, x29, [sp, #224]
    mrs     x2, elr_el1
    stp     x30, x2, [sp, #240]
    mrs     x2, spsr_el1
    mrs     x3, esr_el1
    stp     x2, x3, [sp, #256]
    mrs     x2, far_el1
    str     x2, [sp, #272]
    mov     x0, sp
    bl      exception_handle        /* may change the frame: what it says is where ERET goes */
    ldp     x30, x2, [sp, #240]
    ldr     x3, [sp, #256]
    msr     elr_el1, x2
    msr     spsr_el1, x3
    ldp     x28, x29, [sp, #224]
    ldp     x26, x27, [sp, #208]
    ldp     x24, x25, [sp, #192]
    ldp     x22, x23, [sp, #176]
    ldp     x20, x21, [sp, #160]
    ldp     x18, x19, [sp, #144]
    ldp     x16, x17, [sp, #128]
    ldp     x14, x15, [sp, #112]
    ldp     x12, x13, [sp, #96]
    ldp     x10, x11, [sp, #80]
    ldp     x8, x9, [sp, #64]
    ldp     x6, x7, [sp, #48]
    ldp     x4, x5, [sp, #32]
    ldp     x2, x3, [sp, #16]
    ldp     x0, x1, [sp], #FRAME_SIZE
    eret

/*
 * For a guest that was started at EL2: its own EL2, the smallest there can be. It answers every HVC with NOT_SUPPORTED
 * and ERET; nothing else can come. The scratch register is TPIDR_EL2.
 */
    .balign 2048
el2_vectors:
    .skip   0x400                   /* entry 8: synchronous, from a lower EL in AArch64 */
    msr     tpidr_el2, x1
    mrs     x1, esr_el2
    lsr     x1, x1, #ESR_EC_SHIFT
    cmp     x1, #EC_HVC64           /* changes flags; ERET restores them */
    mrs     x1, tpidr_el2
    b.ne    stop
    mov     x0, #-1
    eret

    .bss
    .balign 16
stacks:
    .skip   MAX_CPUS * STACK_SIZE
