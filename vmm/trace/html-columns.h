/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for the page: columns of unsigned integers one behind the other, each as narrow as its largest number allows,
 * little-endian, aligned to its own width, so that the page can lay a typed array over it. As a whole they go into the
 * page compressed (RFC 1950) and in base64.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdint.h>

/* Where a column lies: at byte `offset`, of `size` bytes a number (1, 2, 4, 8). */
typedef struct {
  guint offset, size;
} Column;

/* Appends the N VALUES to BLOB. */
Column column_add(GByteArray *blob, const uint64_t *values, guint n);
/* The same for a GArray of uint64_t, as a member NAME of the page's directory: [offset, size, count]. */
void column_write(JsonBuilder *builder, GByteArray *blob, const char *name, const GArray *values);
/* What stands in the page for BLOB. Free with g_free. */
char *column_encode(const GByteArray *blob);
