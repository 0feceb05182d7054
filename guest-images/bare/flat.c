/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that needs more memory than its file has bytes, as a flat binary cannot tell its loader: `eret run --kernel
 * flat.Image --kernel-format raw --initrd FILE`, where FILE holds the line "eret" over and over. It zeroes 16 MiB
 * before it looks at anything, fills all memory from there to where the device tree lies, as stacks and heaps would,
 * and then finds tree and initial RAM disk whole.
 */
#include "fdt.h"
#include "guest.h"
#include "text.h"

const char *const guest_name = "flat";

#define ZEROED_SIZE  0x1000000
#define RAM_COPY     0x40000000 /* where firmware looks for the tree */
#define FDT_SIZE     4          /* offset of totalsize: Devicetree Specification v0.4, 5.2 */
#define FILL         0xa5a5a5a5a5a5a5a5ull
#define INITRD_TEXT  "eret\n"
#define INITRD_BYTES (sizeof INITRD_TEXT - 1)

extern uint8_t __bss_end[];
static volatile uint8_t zeroed[ZEROED_SIZE];

static uint64_t chosen_address(const char *name) {
  FdtNode chosen = fdt_find_name(machine.fdt, "chosen");
  uint32_t size = 0;

  if (!fdt_property(machine.fdt, chosen, name, &size))
    return 0;
  uint64_t first = fdt_cell(machine.fdt, chosen, name, 0, 0);
  return size > 4 ? first << 32 | fdt_cell(machine.fdt, chosen, name, 1, 0) : first;
}

static uint32_t tree_size(const uint8_t *fdt) {
  return (uint32_t)fdt[FDT_SIZE] << 24 | (uint32_t)fdt[FDT_SIZE + 1] << 16 | (uint32_t)fdt[FDT_SIZE + 2] << 8 | fdt[FDT_SIZE + 3];
}

/* The two were the same when the loader wrote them; memory between is all ours by now. */
static bool copies_agree(const uint8_t *fdt) {
  const uint8_t *copy = (const uint8_t *)RAM_COPY;

  for (uint32_t i = 0; i < tree_size(fdt); i++)
    if (fdt[i] != copy[i])
      return false;
  return true;
}

static bool initrd_is_whole(uint64_t start, uint64_t end) {
  for (uint64_t at = start; at < end; at++)
    if (*(const uint8_t *)at != (uint8_t)INITRD_TEXT[(at - start) % INITRD_BYTES])
      return false;
  return end > start;
}

void guest_main(void) {
  uint64_t tree = (uint64_t)machine.fdt, start = chosen_address("linux,initrd-start"), end = chosen_address("linux,initrd-end");

  check(zeroed[0] == 0 && zeroed[ZEROED_SIZE - 1] == 0, "%u MiB are zeroed", ZEROED_SIZE >> 20);
  check(tree >= (uint64_t)__bss_end && tree != RAM_COPY, "the tree lies behind all that, at 0x%lx", tree);
  uint64_t room = tree < start ? tree : start;
  for (volatile uint64_t *at = (volatile uint64_t *)(((uint64_t)__bss_end + 7) & ~7ull); (uint64_t)(at + 1) <= room; at++)
    *at = FILL;
  check(room - (uint64_t)__bss_end >= ZEROED_SIZE / 2, "%lu MiB behind the program are its own", (room - (uint64_t)__bss_end) >> 20);
  check(fdt_is_valid((const void *)RAM_COPY) && copies_agree(machine.fdt), "the tree is whole, and so is its copy at the start of RAM");
  check(initrd_is_whole(start, end), "the initial RAM disk of %lu bytes is whole", end - start);
}
