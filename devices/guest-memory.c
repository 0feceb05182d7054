/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to guest memory; see guest-memory.h. No lock: regions are fixed while the guest runs, and its bytes are
 * its own.
 */
#include "devices/guest-memory.h"

#include <string.h>

bool guest_memory_add_shared(GuestMemory *memory, uint64_t base, uint64_t size, void *host, int fd, uint64_t offset) {
  uint64_t last;

  if (memory->n_regions == GUEST_MEMORY_MAX_REGIONS || size == 0 || __builtin_add_overflow(base, size - 1, &last))
    return false;
  for (unsigned i = 0; i < memory->n_regions; i++) {
    const GuestMemoryRegion *region = &memory->regions[i];
    if (base <= region->base + (region->size - 1) && region->base <= last)
      return false;
  }
  memory->regions[memory->n_regions++] = (GuestMemoryRegion){base, size, host, fd, offset};
  return true;
}

bool guest_memory_add(GuestMemory *memory, uint64_t base, uint64_t size, void *host) {
  return guest_memory_add_shared(memory, base, size, host, -1, 0);
}

void *guest_memory_slice(const GuestMemory *memory, uint64_t address, uint64_t size) {
  if (size == 0)
    return NULL;
  for (unsigned i = 0; i < memory->n_regions; i++) {
    const GuestMemoryRegion *region = &memory->regions[i];
    uint64_t offset = address - region->base; /* huge where address lies below */
    if (offset < region->size && size <= region->size - offset)
      return region->host + offset;
  }
  return NULL;
}

bool guest_memory_read(const GuestMemory *memory, uint64_t address, void *to, size_t size) {
  const void *from = guest_memory_slice(memory, address, size);

  if (!from)
    return false;
  memcpy(to, from, size);
  return true;
}

bool guest_memory_write(const GuestMemory *memory, uint64_t address, const void *from, size_t size) {
  void *to = guest_memory_slice(memory, address, size);

  if (!to)
    return false;
  memcpy(to, from, size);
  return true;
}
