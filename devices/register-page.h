/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device's registers read, kept in memory: the device stores each value when it changes, and answers reads from
 * here. So long as no read has a side effect the page may be open: then the guest loads from it and does not come to
 * the device at all. Both ways read the same bytes.
 *
 * Locks: the device's; a store is of single-copy atomicity.
 */
#pragma once

#include "devices/shortcuts.h"

typedef struct {
  uint8_t *bytes; /* aligned to the host's pages */
  size_t size;
  Shortcuts *shortcuts; /* NULL: not connected */
  uint64_t address;     /* guest physical, when connected */
  bool mapped;
} RegisterPage;

/* SIZE is rounded up to the host's pages; all bytes are zero. */
void register_page_init(RegisterPage *page, size_t size);
/* The same of memory that there is: BYTES, a mapping of SIZE bytes, whole pages, is the page's from now on. */
void register_page_init_at(RegisterPage *page, uint8_t *bytes, size_t size);
void register_page_clear(RegisterPage *page);
/* Says where the guest finds it. It is closed. */
void register_page_connect(RegisterPage *page, Shortcuts *shortcuts, uint64_t address);
/* Guest reads need no exit any more, or do again. Nothing happens before connect, nor where it is so already. */
void register_page_open(RegisterPage *page);
void register_page_close(RegisterPage *page);

/* SIZE is 1, 2, 4 or 8, OFFSET a multiple of it. */
void register_page_set(RegisterPage *page, size_t offset, unsigned size, uint64_t value);
uint64_t register_page_get(const RegisterPage *page, size_t offset, unsigned size);

/*
 * Makes what has been stored in memory visible to a guest that reads it as device memory, which on CPUs without
 * FEAT_S2FWB goes past the caches (Arm ARM B2.12, mismatched memory attributes; D7.5.5 for DC CVAC).
 */
void register_page_publish(const void *bytes, size_t size);
