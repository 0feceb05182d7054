/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one door to guest memory. The table of regions: whatever is added to whatever good table, it stays good, so it is
 * after any number of calls. A slice: of any address and size, from any good table, it is the bytes of one region that
 * the guest has there; and it is NULL only where no region has them all.
 *
 * bounds: 4 regions, which is all there can be, anywhere, of up to 2^47 bytes; any slice; copies of up to 16 bytes
 * cbmc: --unwind 6 --unwindset memcpy.0:17
 * fault: devices/guest-memory.c s#size <= region->size - offset#size <= region->size#
 * fault: devices/guest-memory.c s#offset < region->size \&\& ##
 * fault: devices/guest-memory.c s#if (size == 0)$#if (false)#
 * fault: devices/guest-memory.c s#n_regions == GUEST#n_regions > GUEST#
 * fault: devices/guest-memory.c s#size - 1, &last#size, \&last#
 * fault: devices/guest-memory.c s#region->base <= last#region->base < last#
 */
#include "devices/guest-memory.c"
#include "tests/prove/prove.h"

#define COPY_MAX 16

static uint64_t last_of(const GuestMemoryRegion *region) {
  return region->base + (region->size - 1);
}

static bool is_good(const GuestMemory *memory) {
  if (memory->n_regions > GUEST_MEMORY_MAX_REGIONS)
    return false;
  for (unsigned i = 0; i < memory->n_regions; i++) {
    const GuestMemoryRegion *region = &memory->regions[i];
    if (region->size == 0 || last_of(region) < region->base)
      return false;
    for (unsigned k = 0; k < i; k++)
      if (memory->regions[k].base <= last_of(region) && region->base <= last_of(&memory->regions[k]))
        return false;
  }
  return true;
}

static void prove_table(void) {
  GuestMemory memory, before;
  uint64_t base = any_u64(), size = any_u64();

  assume(is_good(&memory));
  before = memory;
  bool added = guest_memory_add(&memory, base, size, NULL);
  prove(is_good(&memory));
  prove(memory.n_regions == before.n_regions + added);
  prove(!added || (memory.regions[before.n_regions].base == base && memory.regions[before.n_regions].size == size));

  /* Nothing that would be good is refused. */
  if (!added && before.n_regions < GUEST_MEMORY_MAX_REGIONS) {
    before.regions[before.n_regions++] = (GuestMemoryRegion){.base = base, .size = size};
    prove(!is_good(&before));
  }
}

/* Whether its regions overlap does not matter here, only that none wraps round. */
static GuestMemory any_memory(void) {
  GuestMemory memory;

  assume(memory.n_regions <= GUEST_MEMORY_MAX_REGIONS);
  for (unsigned i = 0; i < GUEST_MEMORY_MAX_REGIONS; i++) {
    assume(memory.regions[i].size > 0 && memory.regions[i].size <= MEMORY_MAX && last_of(&memory.regions[i]) >= memory.regions[i].base);
    memory.regions[i].host = malloc(memory.regions[i].size);
  }
  return memory;
}

static void prove_slice(void) {
  GuestMemory memory = any_memory();
  uint64_t address = any_u64(), size = any_u64();
  const uint8_t *slice = guest_memory_slice(&memory, address, size);
  unsigned i = any_unsigned(); /* any region */

  assume(i < memory.n_regions);
  const GuestMemoryRegion *region = &memory.regions[i];
  uint64_t offset = address - region->base, room = region->size - offset;
  if (slice && same_object(slice, region->host))
    prove(offset_in_object(slice) == offset && offset < region->size && size > 0 && size <= room);
  else
    prove(slice || size == 0 || address < region->base || offset >= region->size || size > room);
}

/* That the copies stay inside is what CBMC sees to by itself. */
static void prove_copies(void) {
  GuestMemory memory = any_memory();
  uint64_t address = any_u64();
  size_t size = any_u64();
  uint8_t bytes[COPY_MAX];

  assume(size <= COPY_MAX);
  const uint8_t *slice = guest_memory_slice(&memory, address, size);
  prove(guest_memory_read(&memory, address, bytes, size) == (slice != NULL));
  prove(guest_memory_write(&memory, address, bytes, size) == (slice != NULL));
}

int main(void) {
  prove_table();
  prove_slice();
  prove_copies();
}
