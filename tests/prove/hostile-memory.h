/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory as an adversary has it: at each load it holds anything, also where it has been loaded from before. To be
 * included before the source that is to meet it.
 *
 * guest_memory_slice is what prove-guest-memory.c proves it to be: NULL, or as many bytes as were asked for; here each
 * is an object of its own, so that a load or store that is not inside is a fault. All objects from malloc are the
 * guest's.
 */
#pragma once

#include <string.h>

#include "devices/guest-memory.h"
#include "tests/prove/prove.h"

#define is_hostile(pointer) __CPROVER_DYNAMIC_OBJECT(pointer)

void *guest_memory_slice(const GuestMemory *memory, uint64_t address, uint64_t size) {
  if (size == 0 || size > MEMORY_MAX || any_bool())
    return NULL;
  return malloc(size);
}

/* As memcpy, but what comes from the guest is anything, and what it gets is of no concern. */
static void *hostile_copy(void *to, const void *from, size_t size) {
  prove(may_read(from, size) && may_write(to, size));
  if (is_hostile(to))
    return to;
  if (is_hostile(from))
    __CPROVER_havoc_slice(to, size);
  else
    for (size_t i = 0; i < size; i++)
      ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}

static uint16_t hostile_load16(const uint16_t *at) {
  prove(is_hostile(at) && may_read(at, sizeof *at));
  return any_u16();
}

static void hostile_store16(uint16_t *at, uint16_t value) {
  prove(is_hostile(at) && may_write(at, sizeof *at));
}

#define memcpy                             hostile_copy
#define __atomic_load_n(at, order)         hostile_load16(at)
#define __atomic_store_n(at, value, order) hostile_store16(at, value)
