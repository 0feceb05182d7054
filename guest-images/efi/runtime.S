/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What eret knows of the runtime services, at their beginning: where each is, from there, and where it writes the
 * address of the PL031's registers. vmm/boot/efi-runtime.c is the other side.
 */
        .section .head, "ax"
        .globl runtime_clock
        .hidden runtime_clock
        .balign 8
head:
        .quad runtime_get_time - head
        .quad runtime_set_time - head
        .quad runtime_unsupported - head
runtime_clock:
        .quad 0
