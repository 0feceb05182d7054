/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the dynamic linker enters the program, in place of the C library's own start files and the compiler's: Debian
 * 12's have no BTI instructions, with which the whole program would go without. `_start` gets in x0 what is to be
 * called at exit, and argc, argv and environment on the stack. Constructors, of .init_array, are __libc_start_main's to
 * call. System V ABI for the Arm 64-bit Architecture (IHI 0056), process initialization.
 */

	.text
	.globl	_start
	.type	_start, %function
_start:
	.cfi_startproc
	.cfi_undefined x30
	bti	jc
	mov	x29, #0
	mov	x30, #0
	mov	x5, x0
	ldr	x1, [sp]
	add	x2, sp, #8
	mov	x6, sp
	adrp	x0, main
	add	x0, x0, :lo12:main
	mov	x3, #0
	mov	x4, #0
	bl	__libc_start_main
	bl	abort
	.cfi_endproc
	.size	_start, . - _start

#include "vmm/lazy/notes.inc"
