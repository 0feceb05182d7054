/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a stub to the function that it stands for, at the first call: w17 is the stub's number. The arguments are kept
 * over lazy_resolve. Procedure Call Standard for the Arm 64-bit Architecture (IHI 0055), 6.1: x0-x7, x8 and v0-v7 are
 * the caller's, x16 and x17 are for veneers like this.
 */

	.text
	.globl	lazy_trampoline
	.type	lazy_trampoline, %function
lazy_trampoline:
	paciasp
	stp	x29, x30, [sp, #-224]!
	mov	x29, sp
	stp	x0, x1, [sp, #16]
	stp	x2, x3, [sp, #32]
	stp	x4, x5, [sp, #48]
	stp	x6, x7, [sp, #64]
	str	x8, [sp, #80]
	stp	q0, q1, [sp, #96]
	stp	q2, q3, [sp, #128]
	stp	q4, q5, [sp, #160]
	stp	q6, q7, [sp, #192]
	mov	w0, w17
	bl	lazy_resolve
	mov	x16, x0
	ldp	x0, x1, [sp, #16]
	ldp	x2, x3, [sp, #32]
	ldp	x4, x5, [sp, #48]
	ldp	x6, x7, [sp, #64]
	ldr	x8, [sp, #80]
	ldp	q0, q1, [sp, #96]
	ldp	q2, q3, [sp, #128]
	ldp	q4, q5, [sp, #160]
	ldp	q6, q7, [sp, #192]
	ldp	x29, x30, [sp], #224
	autiasp
	br	x16
	.size	lazy_trampoline, . - lazy_trampoline

#include "vmm/lazy/notes.inc"
