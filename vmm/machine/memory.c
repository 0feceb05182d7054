/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest RAM: private anonymous memory, or a memfd where somebody else must see it. Linux: madvise(2), memfd_create(2),
 * fallocate(2). A page of a memfd is not given back by unmapping it, but by a hole. No lock: changed while no vCPU
 * runs.
 */
#define _GNU_SOURCE /* memfd_create, fallocate */
#include "vmm/machine/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/machine/machine.h"

#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

static const GuestRam NO_RAM = {.fd = -1};

static bool fail(uint64_t size, GError **error) {
  g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST,
              "the host cannot provide %" G_GUINT64_FORMAT
              " MiB of guest memory: %s; use less --memory, or raise this process's limit (ulimit -v)",
              size >> 20, g_strerror(errno));
  return false;
}

bool guest_ram_init(GuestRam *ram, uint64_t size, GError **error) {
  /* One huge page more than asked for, to cut an aligned part out of it. */
  uint8_t *area = mmap(NULL, size + HUGE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  *ram = NO_RAM;
  if (area == MAP_FAILED)
    return fail(size, error);
  uint64_t skip = -(uintptr_t)area & (HUGE_PAGE_SIZE - 1);
  if (skip)
    munmap(area, skip);
  munmap(area + skip + size, HUGE_PAGE_SIZE - skip);
  *ram = (GuestRam){area + skip, size, -1};
  madvise(ram->host, size, MADV_HUGEPAGE); /* a wish: a kernel without them works too */
  madvise(ram->host, size, MADV_DONTDUMP);
  madvise(ram->host, size, MADV_DONTFORK); /* a copy would have every page copied that either writes */
  return true;
}

/* Who has the descriptor could otherwise end this process, by making the file shorter than what is mapped. */
static bool make_file(int fd, uint64_t size) {
  return fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

bool guest_ram_init_shared(GuestRam *ram, uint64_t size, GError **error) {
  if (!guest_ram_init(ram, size, error))
    return false;
  ram->fd = memfd_create("eret-guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  /* In the place of what is there, which is aligned. */
  if (!make_file(ram->fd, size) || mmap(ram->host, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, ram->fd, 0) == MAP_FAILED) {
    fail(size, error);
    guest_ram_clear(ram);
    return false;
  }
  madvise(ram->host, size, MADV_HUGEPAGE);
  madvise(ram->host, size, MADV_DONTDUMP);
  madvise(ram->host, size, MADV_DONTFORK);
  return true;
}

void guest_ram_discard(GuestRam *ram) {
  if (!ram->host)
    return;
  if (ram->fd >= 0)
    fallocate(ram->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)ram->size);
  else
    madvise(ram->host, ram->size, MADV_DONTNEED);
}

void guest_ram_clear(GuestRam *ram) {
  if (ram->host) {
    munmap(ram->host, ram->size);
    if (ram->fd >= 0)
      close(ram->fd);
  }
  *ram = NO_RAM;
}
