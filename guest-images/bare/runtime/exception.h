/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the CPU says when it takes an exception to EL1: Arm ARM, D1.3 "Exceptions", and the registers ELR_EL1, SPSR_EL1,
 * ESR_EL1, FAR_EL1.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* As start.S lays it on the stack. Whatever a handler changes is what ERET restores. */
typedef struct {
  uint64_t x[31];
  uint64_t elr;  /* where ERET goes */
  uint64_t spsr; /* the PSTATE it restores: M, in 3:0, says the exception level */
  uint64_t esr;  /* why */
  uint64_t far;  /* which address, for aborts */
} ExceptionFrame;

/* The vector table's 16 entries: four kinds for each of four origins. */
typedef enum { VECTOR_SYNCHRONOUS, VECTOR_IRQ, VECTOR_FIQ, VECTOR_SERROR } VectorKind;
typedef enum { VECTOR_EL1_SP0, VECTOR_EL1, VECTOR_EL0, VECTOR_EL0_AARCH32 } VectorOrigin;
#define VECTOR_KIND(vector)   ((VectorKind)((vector) % 4))
#define VECTOR_ORIGIN(vector) ((VectorOrigin)((vector) / 4))
#define VECTOR_OFFSET(vector) ((vector)*0x80)

/* ESR_ELx: EC, the class; ISS, the rest. */
#define ESR_EC(esr)   ((unsigned)((esr) >> 26 & 0x3f))
#define ESR_ISS(esr)  ((unsigned)((esr)&0x1ffffff))
#define ESR_DFSC(esr) ((unsigned)((esr)&0x3f)) /* of an abort: the fault status code */

typedef enum {
  EC_UNKNOWN = 0x00, /* an undefined instruction, above all */
  EC_SIMD = 0x07,    /* SIMD and floating point, where they are off */
  EC_SVC = 0x15,
  EC_HVC = 0x16,
  EC_SMC = 0x17,
  EC_SYSREG = 0x18, /* MSR, MRS or a system instruction, trapped */
  EC_INSTRUCTION_ABORT_EL0 = 0x20,
  EC_INSTRUCTION_ABORT = 0x21,
  EC_DATA_ABORT_EL0 = 0x24,
  EC_DATA_ABORT = 0x25,
  EC_BRK = 0x3c,
} ExceptionClass;

#define DFSC_EXTERNAL_ABORT 0x10 /* synchronous, not on a table walk */

/* SPSR_EL1.M */
#define SPSR_EL0T        0x0
#define SPSR_EL1H        0x5
#define SPSR_MASK_ALL    0x3c0 /* D, A, I, F */
#define SPSR_MODE(spsr)  ((unsigned)((spsr)&15))
#define INSTRUCTION_SIZE 4

/*
 * Takes every synchronous exception. True: handled, and FRAME says where to go on (ELR of a fault is the instruction
 * that caused it). NULL, or false: the guest fails, with everything the frame says. All CPUs share it.
 */
typedef bool (*SyncHandler)(ExceptionFrame *frame, unsigned vector);
SyncHandler exception_set_sync_handler(SyncHandler handler); /* returns the one before */

/* Called with interrupt number INTID, acknowledged; the runtime ends it afterwards. */
typedef void (*IrqHandler)(unsigned intid);
void exception_set_irq_handler(IrqHandler handler);

/* From start.S. */
void exception_handle(ExceptionFrame *frame, unsigned vector);
