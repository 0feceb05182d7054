/* SPDX-License-Identifier: Apache-2.0 */
/* Shortcuts that remember what a device has asked for, and show the guest's side of it. Tests only; one thread. */
#pragma once

#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "devices/shortcuts.h"

typedef struct {
  uint64_t address;
  size_t size;
  const uint8_t *bytes; /* NULL: deferred writes */
  DeferFor how_long;
} FakeShortcut;

typedef struct {
  Shortcuts shortcuts;
  FakeShortcut entries[64];
  unsigned n;
  unsigned maps;    /* so far */
  bool catching_up; /* what comes now had been deferred */
} FakeShortcuts;

static inline FakeShortcut *fake_shortcut_at(FakeShortcuts *fake, uint64_t address, bool mapped) {
  for (unsigned i = 0; i < fake->n; i++)
    if (address - fake->entries[i].address < fake->entries[i].size && (fake->entries[i].bytes != NULL) == mapped)
      return &fake->entries[i];
  return NULL;
}

static inline void fake_shortcut_remove(FakeShortcuts *fake, uint64_t address, bool mapped) {
  FakeShortcut *entry = fake_shortcut_at(fake, address, mapped);

  if (entry)
    *entry = fake->entries[--fake->n];
}

static inline bool fake_shortcuts_map(Shortcuts *shortcuts, uint64_t address, size_t size, const void *bytes) {
  FakeShortcuts *fake = (FakeShortcuts *)shortcuts;

  g_assert_cmpuint(fake->n, <, G_N_ELEMENTS(fake->entries));
  g_assert_null(fake_shortcut_at(fake, address, true));
  if ((address | size | (uintptr_t)bytes) % shortcuts->page_size)
    return false;
  fake->maps++;
  fake->entries[fake->n++] = (FakeShortcut){.address = address, .size = size, .bytes = bytes};
  return true;
}

static inline void fake_shortcuts_unmap(Shortcuts *shortcuts, uint64_t address) {
  fake_shortcut_remove((FakeShortcuts *)shortcuts, address, true);
}

static inline void fake_shortcuts_defer(Shortcuts *shortcuts, uint64_t address, unsigned size, DeferFor how_long) {
  FakeShortcuts *fake = (FakeShortcuts *)shortcuts;

  g_assert_cmpuint(fake->n, <, G_N_ELEMENTS(fake->entries));
  fake_shortcut_remove(fake, address, false);
  fake->entries[fake->n++] = (FakeShortcut){.address = address, .size = size, .how_long = how_long};
}

static inline void fake_shortcuts_undefer(Shortcuts *shortcuts, uint64_t address) {
  fake_shortcut_remove((FakeShortcuts *)shortcuts, address, false);
}

static inline bool fake_shortcuts_is_catching_up(Shortcuts *shortcuts) {
  return ((FakeShortcuts *)shortcuts)->catching_up;
}

static inline void fake_shortcuts_init(FakeShortcuts *fake) {
  *fake = (FakeShortcuts){.shortcuts = {
                              .page_size = (size_t)sysconf(_SC_PAGESIZE),
                              .map = fake_shortcuts_map,
                              .unmap = fake_shortcuts_unmap,
                              .defer = fake_shortcuts_defer,
                              .undefer = fake_shortcuts_undefer,
                              .is_catching_up = fake_shortcuts_is_catching_up,
                          }};
}

/* Whether a guest reads ADDRESS by itself, and the SIZE bytes that it reads then. */
static inline bool fake_shortcuts_read(FakeShortcuts *fake, uint64_t address, unsigned size, uint64_t *value) {
  const FakeShortcut *entry = fake_shortcut_at(fake, address, true);

  *value = 0;
  if (entry)
    memcpy(value, entry->bytes + (address - entry->address), size);
  return entry != NULL;
}

/* Whether all of a write of SIZE bytes at ADDRESS may be deferred. */
static inline bool fake_shortcuts_is_deferred(FakeShortcuts *fake, uint64_t address, unsigned size) {
  const FakeShortcut *entry = fake_shortcut_at(fake, address, false);

  return entry && address + size <= entry->address + entry->size;
}
