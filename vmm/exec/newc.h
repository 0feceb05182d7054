/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the subset of cpio's "newc" format that guest-images/init/copy-out.c writes (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst), from a file. The archive is a hostile guest's: every
 * number is checked against what is there, and reading takes time linear in the archive and memory for one name. No
 * lock: one thread.
 */
#pragma once

#include <glib.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define NEWC_HEADER_SIZE 110

/* An archive, the first SIZE bytes of the caller's FD, and how far it has been read: at first 0. */
typedef struct {
  int fd;
  uint64_t size, next;
  char buffer[NEWC_HEADER_SIZE + PATH_MAX]; /* header and name of the last entry */
} NewcReader;

typedef struct {
  const char *name; /* neither empty nor longer than PATH_MAX with its end; the reader's, until it reads on */
  unsigned mode;    /* type and permissions, as in st_mode */
  uint32_t size;    /* of the contents, which are there whole */
  uint64_t offset;  /* in the file, of the contents */
} NewcEntry;

typedef enum {
  NEWC_ENTRY,
  NEWC_END,    /* the trailer, and nothing behind it */
  NEWC_BROKEN, /* *WHY says how, and is static; nothing more can be read */
} NewcResult;

NewcResult newc_read(NewcReader *reader, NewcEntry *entry, const char **why);
