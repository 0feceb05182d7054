/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a stub to the function that it stands for, at the first call: w17 is the stub's number. The arguments are kept
 * over lazy_resolve. Procedure Call Standard for the Arm 64-bit Architecture (IHI 0055), 6.1: x0-x7, x8 and v0-v7 are
 * the caller's, x16 and x17 are for veneers like this.
 */

/* All of them, to their places on the stack or from there. */
	.macro	arguments two, one
	\two	x0, x1, [sp, #16]
	\two	x2, x3, [sp, #32]
	\two	x4, x5, [sp, #48]
	\two	x6, x7, [sp, #64]
	\one	x8, [sp, #80]
	\two	q0, q1, [sp, #96]
	\two	q2, q3, [sp, #128]
	\two	q4, q5, [sp, #160]
	\two	q6, q7, [sp, #192]
	.endm

	.text
	.globl	lazy_trampoline
	.type	lazy_trampoline, %function
lazy_trampoline:
	paciasp
	stp	x29, x30, [sp, #-224]!
	mov	x29, sp
	arguments stp, str
	mov	w0, w17
	bl	lazy_resolve
	mov	x16, x0
	arguments ldp, ldr
	ldp	x29, x30, [sp], #224
	autiasp
	br	x16
	.size	lazy_trampoline, . - lazy_trampoline

#include "vmm/lazy/notes.inc"
