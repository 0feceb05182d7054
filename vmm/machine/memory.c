/* SPDX-License-Identifier: Apache-2.0 */
/* Guest RAM as private anonymous memory. Linux: madvise(2). No lock: changed while no vCPU runs. */
#include "vmm/machine/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "vmm/machine/machine.h"

#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

bool guest_ram_init(GuestRam *ram, uint64_t size, GError **error) {
  /* One huge page more than asked for, to cut an aligned part out of it. */
  uint8_t *area = mmap(NULL, size + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  *ram = (GuestRam){NULL, 0};
  if (area == MAP_FAILED) {
    g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST,
                "the host cannot provide %" G_GUINT64_FORMAT
                " MiB of guest memory: %s; use less --memory, or raise this process's limit (ulimit -v)",
                size >> 20, g_strerror(errno));
    return false;
  }
  uint64_t skip = -(uintptr_t)area & (HUGE_PAGE_SIZE - 1);
  if (skip)
    munmap(area, skip);
  munmap(area + skip + size, HUGE_PAGE_SIZE - skip);
  *ram = (GuestRam){area + skip, size};
  madvise(ram->host, size, MADV_HUGEPAGE); /* a wish: a kernel without them works too */
  madvise(ram->host, size, MADV_DONTDUMP);
  return true;
}

void guest_ram_discard(GuestRam *ram) {
  madvise(ram->host, ram->size, MADV_DONTNEED);
}

void guest_ram_clear(GuestRam *ram) {
  if (ram->host)
    munmap(ram->host, ram->size);
  *ram = (GuestRam){NULL, 0};
}
