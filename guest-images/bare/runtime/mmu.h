/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flat identity map, so that memory is memory: cached, with exclusives that work. Arm ARM, chapter D8 "The AArch64
 * Virtual Memory System Architecture".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * All RAM once more, this much higher, open to EL0. What EL0 may write, EL1 cannot execute (D8.4.1, "Data accesses
 * permissions"), so a program at EL0 needs its own view of the same memory.
 */
#define USER_WINDOW (UINT64_C(32) << 30)

/* Reads RAM's place from the device tree. Called with the MMU off, by start.S. */
void mmu_build(const void *fdt);

/* Is something mapped at this address? */
bool mmu_is_mapped(uint64_t address);
/* Maps the block around ADDRESS, below USER_WINDOW, as device memory; for CPUs that have not looked there yet. */
void mmu_map_device(uint64_t address);
/* Maps the block around ADDRESS once more, as memory, and returns where ADDRESS is there. Once. */
uint64_t mmu_map_as_memory(uint64_t address);

/*
 * Pages of 4 KiB, with permissions, in a window of their own of up to MMU_WINDOW_PAGES. mmu_window: where it is; 0
 * where this CPU has no pages of 4 KiB. Page PAGE of it shows ADDRESS, as memory, once: it has not been looked at
 * before. Nobody executes there.
 */
#define MMU_WINDOW_PAGES 16
#define MMU_PAGE_SIZE    4096
typedef enum {
  MMU_FOR_EL0 = 1 << 0, /* and for EL1, but with PSTATE.PAN */
  MMU_READ_ONLY = 1 << 1
} MmuAccess;
uint64_t mmu_window(void);
void mmu_map_page(unsigned page, uint64_t address, unsigned access);
