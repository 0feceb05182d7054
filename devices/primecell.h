/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What PrimeCell peripherals have in common: identification registers in the last 32 bytes of their 4 KiB, a byte in
 * each word.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "devices/register-page.h"

#define PRIMECELL_ID_FIRST 0xfe0 /* PeriphID0 .. PeriphID3, then PCellID0 .. PCellID3 */
#define PRIMECELL_ID_LAST  0xffc
#define PRIMECELL_SIZE     0x1000

/* With this property Linux does not read the registers. Binding: arm/primecell.yaml. */
#define PRIMECELL_PERIPHID "arm,primecell-periphid"

/*
 * PCELL_ID is 0xb105f00d for every PrimeCell. PERIPH_ID: part number 11:0, designer 19:12 (0x41, Arm), revision 23:20.
 */
static inline uint32_t primecell_id(uint32_t periph_id, uint64_t offset) {
  unsigned index = (unsigned)(offset - PRIMECELL_ID_FIRST) / 4;
  return (index < 4 ? periph_id : 0xb105f00du) >> (8 * (index % 4)) & 0xff;
}

/* They never change: stored once. */
static inline void primecell_store_ids(RegisterPage *page, uint32_t periph_id) {
  for (uint64_t offset = PRIMECELL_ID_FIRST; offset <= PRIMECELL_ID_LAST; offset += 4)
    register_page_set(page, offset, 4, primecell_id(periph_id, offset));
}

static inline bool primecell_is_id(uint64_t offset) {
  return offset >= PRIMECELL_ID_FIRST && offset <= PRIMECELL_ID_LAST && offset % 4 == 0;
}
