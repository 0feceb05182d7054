/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a proof is written with; CBMC's own names are named here alone.
 *
 * A proof includes the source that it is about, so that it sees its static functions, and has a main that takes any
 * values (any_...), narrows them down to what may come (assume), calls, and says what holds then (prove). Its head
 * says what it is about, and in lines of their own
 *
 *   bounds: what holds up to which size; everything else is proved for all values
 *   cbmc: options of its own, above all --unwind: after as many turns a loop must be over, which is proved, too
 *   fault: FILE s#RIGHT#WRONG#     a change that makes the source wrong, and that the proof must notice
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define assume(condition) __CPROVER_assume(condition)
#define prove(condition)  __CPROVER_assert(condition, #condition)

/* Whether all of the SIZE bytes at POINTER may be read, or written: of what size they are is CBMC's to know. */
#define may_read(pointer, size)  __CPROVER_r_ok(pointer, size)
#define may_write(pointer, size) __CPROVER_w_ok(pointer, size)
#define same_object(one, other)  __CPROVER_same_object(one, other)
/* From its first byte to POINTER. */
#define offset_in_object(pointer) ((uint64_t)__CPROVER_POINTER_OFFSET(pointer))

/* Any value: they have no bodies. */
bool __VERIFIER_nondet_bool(void);
unsigned __VERIFIER_nondet_unsigned(void);
uint16_t __VERIFIER_nondet_u16(void);
uint64_t __VERIFIER_nondet_u64(void);
#define any_bool()     __VERIFIER_nondet_bool()
#define any_unsigned() __VERIFIER_nondet_unsigned()
#define any_u16()      __VERIFIER_nondet_u16()
#define any_u64()      __VERIFIER_nondet_u64()

/* More than any process has: addresses of 47 bits, on x86-64. */
#define MEMORY_MAX (UINT64_C(1) << 47)

/* SIZE bytes of any content. */
void *malloc(size_t size);
