/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to guest memory: bounds- and overflow-checked slices of the regions that back the guest's RAM.
 * Built before the first vCPU runs, then only read; no lock. The guest may change the bytes at any time from another
 * vCPU, so whatever decides something is copied first (guest_memory_read) and looked at afterwards.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_MEMORY_MAX_REGIONS 4

typedef struct {
  uint64_t base; /* guest physical address */
  uint64_t size; /* bytes */
  uint8_t *host; /* where it is mapped in this process */
  int fd;        /* what others map to have it too, from fd_offset on; -1: it is this process's alone */
  uint64_t fd_offset;
} GuestMemoryRegion;

typedef struct {
  unsigned n_regions;
  GuestMemoryRegion regions[GUEST_MEMORY_MAX_REGIONS];
} GuestMemory;

/* Adds a region; false when full, empty, wrapping round or overlapping. */
bool guest_memory_add(GuestMemory *memory, uint64_t base, uint64_t size, void *host);
/* The same of one that others may map: HOST is a shared mapping of FD, which stays the caller's, from OFFSET on. */
bool guest_memory_add_shared(GuestMemory *memory, uint64_t base, uint64_t size, void *host, int fd, uint64_t offset);

/* The SIZE bytes at ADDRESS, or NULL unless all of them lie in one region. SIZE 0 is NULL. */
void *guest_memory_slice(const GuestMemory *memory, uint64_t address, uint64_t size);

/* Copies out or in; false, with nothing copied, where guest_memory_slice would be NULL. */
bool guest_memory_read(const GuestMemory *memory, uint64_t address, void *to, size_t size);
bool guest_memory_write(const GuestMemory *memory, uint64_t address, const void *from, size_t size);
