/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways on which an access of the guest does not have to visit userspace: interfaces the machine implements on KVM and a
 * test with an array. A shortcut changes when, or whether, a device hears of an access, and never what the guest sees:
 * the device offers one only where it can keep that promise. Every call is allowed from any thread, with or without the
 * device's lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
  DEFER_UNTIL_NEXT, /* until any other access comes, however long that takes: for writes that change nothing anyone can see before */
  DEFER_BRIEFLY,    /* and no longer than some milliseconds; ends by itself when writes cease to come */
} DeferFor;

typedef struct Shortcuts Shortcuts;
struct Shortcuts {
  size_t page_size; /* of the host, bytes */
  /*
   * From now on guest reads in SIZE bytes at ADDRESS are loads from BYTES; writes come as before. All three are
   * multiples of page_size, else, and where something is mapped already, or the host cannot: false, and reads come to
   * the device.
   */
  bool (*map)(Shortcuts *shortcuts, uint64_t address, size_t size, const void *bytes);
  void (*unmap)(Shortcuts *shortcuts, uint64_t address); /* takes what is not mapped */
  /*
   * From now on writes that lie within SIZE bytes at ADDRESS may be deferred, but come in order, and before every
   * access that comes after them. May be repeated.
   */
  void (*defer)(Shortcuts *shortcuts, uint64_t address, unsigned size, DeferFor how_long);
  /* From now on they come at once; those that are on their way still come. Takes what is not deferred. */
  void (*undefer)(Shortcuts *shortcuts, uint64_t address);
  /* Whether the write that the calling thread carries out had been deferred. */
  bool (*is_catching_up)(Shortcuts *shortcuts);
};
