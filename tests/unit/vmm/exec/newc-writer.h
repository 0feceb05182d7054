/* SPDX-License-Identifier: Apache-2.0 */
/* Writes cpio "newc" as guest-images/init/copy-out.c does, and as it does not. Tests only. */
#pragma once

#include <glib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  const char *path;
  unsigned type;        /* S_IFREG ... */
  const char *contents; /* or target */
} Entry;

static inline void newc_pad(GByteArray *bytes) {
  while (bytes->len % 4)
    g_byte_array_append(bytes, (const guint8 *)"", 1);
}

/* Every number as it is given. */
static inline void newc_put_raw(GByteArray *bytes, const char *name, unsigned name_size, unsigned mode, unsigned nlink, unsigned size,
                                const char *contents, unsigned contents_size) {
  g_autofree char *header = g_strdup_printf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1u, mode, 0u, 0u, nlink, 0u, size,
                                            0u, 0u, 0u, 0u, name_size, 0u);

  g_byte_array_append(bytes, (const guint8 *)header, (guint)strlen(header));
  g_byte_array_append(bytes, (const guint8 *)name, (guint)strlen(name) + 1);
  newc_pad(bytes);
  g_byte_array_append(bytes, (const guint8 *)contents, contents_size);
  newc_pad(bytes);
}

static inline void newc_put(GByteArray *bytes, const Entry *entry) {
  unsigned size = (unsigned)strlen(entry->contents);

  newc_put_raw(bytes, entry->path, (unsigned)strlen(entry->path) + 1, entry->type | 04755, 1, size, entry->contents, size);
}

static inline void newc_end(GByteArray *bytes) {
  newc_put_raw(bytes, "TRAILER!!!", 11, 0, 1, 0, "", 0);
}

static inline GByteArray *newc_archive(const Entry *entries, unsigned n) {
  GByteArray *bytes = g_byte_array_new();

  for (unsigned i = 0; i < n; i++)
    newc_put(bytes, &entries[i]);
  newc_end(bytes);
  return bytes;
}
