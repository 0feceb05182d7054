/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that both C and assembly need. */
#pragma once

#define MAX_CPUS   120 /* their GICv3 redistributors fit below the UART; every further one stays off */
#define STACK_SIZE 8192

#define FRAME_SIZE 288 /* of an ExceptionFrame on the stack, a multiple of 16: the CPU insists for SP */

/*
 * Memory attributes, MAIR_EL1: Attr0 Device-nGnRE, Attr1 normal memory, write-back, allocating. Blocks of the
 * translation table refer to them by number.
 */
#define MAIR_VALUE  0xff04
#define MAIR_DEVICE 0
#define MAIR_NORMAL 1

#define MMU_TABLE_SIZE 16384 /* bytes; see mmu.c */
