/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processor, as C sees it: system registers, barriers, plain device accesses, the counter. The registers and their
 * fields are in the Arm Architecture Reference Manual for A-profile (DDI 0487), chapter D23 "AArch64 System Register
 * Descriptions" (D24 since issue K).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"

#define read_sysreg(name)                                                                                                                  \
  ({                                                                                                                                       \
    uint64_t value_;                                                                                                                       \
    asm volatile("mrs %0, " #name : "=r"(value_) : : "memory");                                                                            \
    value_;                                                                                                                                \
  })
#define write_sysreg(name, value) asm volatile("msr " #name ", %0" : : "r"((uint64_t)(value)) : "memory")

/* A change to a system register is only sure to count for instructions behind an ISB. */
static inline void isb(void) {
  asm volatile("isb" : : : "memory");
}

/* All accesses before are done, for everybody, devices included, before anything after begins. */
static inline void dsb(void) {
  asm volatile("dsb sy" : : : "memory");
}

/* Sleeps until an interrupt is pending, also a masked one. It may wake for no reason: always in a loop. */
static inline void wait_for_interrupt(void) {
  asm volatile("dsb sy\n\twfi" : : : "memory");
}

/* PSTATE.I: with it set, an IRQ stays pending. */
static inline void irq_unmask(void) {
  asm volatile("msr daifclr, #2\n\tisb" : : : "memory");
}

static inline void irq_mask(void) {
  asm volatile("msr daifset, #2" : : : "memory");
}

/*
 * Device registers: one plain LDR or STR each, which a volatile pointer does not promise. For a pair of registers at
 * once, or a pointer stepped in the same instruction, the CPU leaves the hypervisor without a syndrome (ESR_EL2.ISV is
 * 0), and few hypervisors go on from there.
 */
static inline uint8_t mmio_read8(uint64_t address) {
  uint32_t value;
  asm volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return (uint8_t)value;
}

static inline uint16_t mmio_read16(uint64_t address) {
  uint32_t value;
  asm volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return (uint16_t)value;
}

static inline uint32_t mmio_read32(uint64_t address) {
  uint32_t value;
  asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
}

static inline uint64_t mmio_read64(uint64_t address) {
  uint64_t value;
  asm volatile("ldr %0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
}

static inline void mmio_write8(uint64_t address, uint8_t value) {
  asm volatile("strb %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void mmio_write16(uint64_t address, uint16_t value) {
  asm volatile("strh %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void mmio_write32(uint64_t address, uint32_t value) {
  asm volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

static inline void mmio_write64(uint64_t address, uint64_t value) {
  asm volatile("str %0, [%1]" : : "r"(value), "r"(address) : "memory");
}

/* The virtual counter. Without the ISB it could be read early, among the instructions it is meant to time. */
static inline uint64_t counter(void) {
  isb();
  return read_sysreg(cntvct_el0);
}

/* Ticks a second. */
static inline uint64_t counter_frequency(void) {
  return read_sysreg(cntfrq_el0);
}

/* This CPU's number: its place in the device tree, kept by start.S in a register that is the system's to use. */
static inline unsigned cpu_index(void) {
  return (unsigned)read_sysreg(tpidr_el1);
}

/* MPIDR_EL1's affinity fields, Aff3 in 39:32 and Aff2 to Aff0 in 23:0: the CPU's name to PSCI and GIC. */
#define MPIDR_AFFINITY 0xff00ffffffull

/*
 * Counting with exclusives: LDAXR reads and watches the address; STLXR writes only if nobody else wrote there since,
 * and says whether it did. A and L (acquire, release) keep other accesses from moving across. The compiler's own
 * __atomic functions, which the locks use, become the same loop. Needs the MMU: exclusives are only promised for
 * normal, cacheable memory (Arm ARM, B2.12 "Synchronization and semaphores").
 */
static inline uint64_t atomic_add(volatile uint64_t *address, uint64_t addend) {
  uint64_t value;
  uint32_t failed;

  asm volatile("1: ldaxr %0, [%2]\n\t"
               "add %0, %0, %3\n\t"
               "stlxr %w1, %0, [%2]\n\t"
               "cbnz %w1, 1b"
               : "=&r"(value), "=&r"(failed)
               : "r"(address), "r"(addend)
               : "memory");
  return value;
}

static inline uint64_t atomic_load(const volatile uint64_t *address) {
  return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

static inline void atomic_store(volatile uint64_t *address, uint64_t value) {
  __atomic_store_n(address, value, __ATOMIC_RELEASE);
}
