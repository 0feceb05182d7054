/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries out a decoded load or store on registers and memory that are handed in: general and SIMD registers,
 * write-back, sign extension, structures, atomics, exclusives. Arm ARM (DDI 0487), C6 and C7. Where the guest's pieces
 * lie is found for all of them before the first is touched, so an instruction is done or has had no effect. No lock:
 * one vCPU's thread.
 *
 * The instruction may be another than the one that the hardware reported, as it is fetched again, and another CPU may
 * have written there. So it is held against the report; what does not fit is not carried out.
 */
#pragma once

#include "vmm/arm/load-store.h"
#include "vmm/arm/translate.h"

/*
 * What a load-exclusive has claimed. A store-exclusive to the same place succeeds, once. Other CPUs are not looked at:
 * what a device holds is its own matter.
 */
typedef struct {
  bool armed;
  uint64_t address;
  unsigned size; /* bytes */
} A64Monitor;

typedef struct {
  uint64_t lanes[2]; /* low half first */
} A64Vector;

typedef struct {
  /* General register 0 to 30; 31 is the stack pointer of the current exception level. */
  uint64_t (*get_x)(void *opaque, unsigned n);
  void (*set_x)(void *opaque, unsigned n, uint64_t value);
  A64Vector (*get_v)(void *opaque, unsigned n);
  void (*set_v)(void *opaque, unsigned n, A64Vector value); /* and zeros what is above */
  /*
   * A virtual address into a physical one; false: nothing is there, or nothing that grants all of RIGHTS (A64Rights).
   * UNPRIVILEGED: to EL0.
   */
  bool (*translate)(void *opaque, uint64_t virtual, unsigned rights, bool unprivileged, uint64_t *physical);
  /* Whether the byte is one of RAM. */
  bool (*is_ram)(void *opaque, uint64_t physical);
  /* SIZE: 1, 2, 4, 8 bytes. */
  uint64_t (*read)(void *opaque, uint64_t physical, unsigned size);
  void (*write)(void *opaque, uint64_t physical, unsigned size, uint64_t value);
} A64Ops;

typedef struct {
  const A64Ops *ops;
  void *opaque;
  uint64_t pc;         /* of the instruction */
  bool big_endian;     /* data accesses are */
  unsigned zero_block; /* bytes that DC ZVA zeros: DCZID_EL0.BS */
  A64Monitor *monitor;
  uint64_t reported;   /* the physical address at which the hardware did not go on, */
  bool reported_write; /* and what it was about to do there */
} A64Machine;

/* All but the first: nothing has happened. */
typedef enum {
  A64_DONE,
  A64_NOT_GRANTED, /* a piece of it lies where nothing is mapped, or nothing that allows it */
  A64_NOT_IT,      /* it does not do what was reported */
  A64_IN_RAM       /* a piece of it lies in RAM, which is the CPU's to do: other CPUs and memory attributes count there */
} A64Outcome;

/* The PC is the caller's. */
A64Outcome a64_execute(const A64Machine *machine, const A64Access *access);
