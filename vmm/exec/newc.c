/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A header is thirteen numbers of eight hexadecimal digits behind the magic; name and contents follow, each padded to
 * four bytes.
 */
#include "vmm/exec/newc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAGIC      "070701"
#define MAGIC_SIZE 6
#define DIGITS     8
#define TRAILER    "TRAILER!!!"

/* Of the numbers. Those that are not here say nothing about what belongs on a host: owners, times, devices. */
enum { FIELD_MODE = 1, FIELD_NLINK = 4, FIELD_FILESIZE = 6, FIELD_NAMESIZE = 11, N_FIELDS = 13 };
G_STATIC_ASSERT(MAGIC_SIZE + N_FIELDS * DIGITS == NEWC_HEADER_SIZE);

static bool parse_fields(const char *header, uint32_t fields[N_FIELDS]) {
  if (memcmp(header, MAGIC, MAGIC_SIZE) != 0)
    return false;
  for (unsigned i = 0; i < N_FIELDS; i++) {
    fields[i] = 0;
    for (unsigned j = 0; j < DIGITS; j++) {
      int digit = g_ascii_xdigit_value(header[MAGIC_SIZE + i * DIGITS + j]);
      if (digit < 0)
        return false;
      fields[i] = fields[i] << 4 | (unsigned)digit;
    }
  }
  return true;
}

/* As much as there is of SIZE bytes. */
static size_t read_at(int fd, char *buffer, size_t size, uint64_t offset) {
  size_t have = 0;

  while (have < size) {
    ssize_t got = pread(fd, buffer + have, size - have, (off_t)(offset + have));
    if (got == 0 || (got < 0 && errno != EINTR))
      break;
    have += (size_t)MAX(got, 0);
  }
  return have;
}

static NewcResult broken(const char **why, const char *text) {
  *why = text;
  return NEWC_BROKEN;
}

static uint64_t padded(uint64_t size) {
  return (size + 3) & ~UINT64_C(3);
}

NewcResult newc_read(NewcReader *reader, NewcEntry *entry, const char **why) {
  static const char cut[] = "it breaks off";
  uint32_t fields[N_FIELDS];
  size_t have = read_at(reader->fd, reader->buffer, MIN(sizeof reader->buffer, reader->size - reader->next), reader->next);

  if (have < NEWC_HEADER_SIZE)
    return broken(why, cut);
  if (!parse_fields(reader->buffer, fields))
    return broken(why, "there is no header where one should be");
  size_t name_size = fields[FIELD_NAMESIZE];
  if (name_size < 2 || name_size > PATH_MAX)
    return broken(why, "a name is longer than any path, or empty");
  if (have < NEWC_HEADER_SIZE + name_size)
    return broken(why, cut);
  *entry = (NewcEntry){.name = reader->buffer + NEWC_HEADER_SIZE, .mode = fields[FIELD_MODE], .size = fields[FIELD_FILESIZE]};
  if (strnlen(entry->name, name_size) != name_size - 1)
    return broken(why, "a name does not end where it should");
  if (fields[FIELD_NLINK] != 1)
    return broken(why, "there is a hard link in it");
  entry->offset = reader->next + padded(NEWC_HEADER_SIZE + name_size);
  uint64_t next = entry->offset + padded(entry->size);
  if (next > reader->size)
    return broken(why, cut);
  reader->next = next;
  if (strcmp(entry->name, TRAILER) != 0)
    return NEWC_ENTRY;
  return next == reader->size ? NEWC_END : broken(why, "something follows its end");
}
