/* SPDX-License-Identifier: Apache-2.0 */
/* Guest RAM: memory of this process that backs it, aligned and advised for huge pages; others may be let into it. */
#pragma once

#include "devices/guest-memory.h"

typedef struct {
  uint8_t *host; /* NULL: none */
  uint64_t size; /* bytes */
  int fd;        /* of memory that others may map too, all of it; -1: it is this process's alone */
} GuestRam;

/*
 * SIZE bytes, all zero, none of them committed before they are touched. HOST is aligned to 2 MiB (as guest addresses of
 * RAM are), so that both page tables can use blocks. An error names the size and the host's limit.
 */
bool guest_ram_init(GuestRam *ram, uint64_t size, GError **error);
/*
 * The same as a file of no name, whose descriptor may be handed to others. Its size is sealed: nobody can take away
 * what is mapped here.
 */
bool guest_ram_init_shared(GuestRam *ram, uint64_t size, GError **error);
/* All zero again; gives the pages back to the host. */
void guest_ram_discard(GuestRam *ram);
void guest_ram_clear(GuestRam *ram);
