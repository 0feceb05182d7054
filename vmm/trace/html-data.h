/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page is told of a recording, packed for page/data.js.
 *
 * Columns of unsigned integers one behind the other in a blob, each as narrow as its largest number allows,
 * little-endian, aligned to its own width, so that the page can lay a typed array over it. As a whole they go into the
 * page compressed (RFC 1950) and in base64.
 *
 * Lines of text, taken apart: what differs between lines of the same sort are their numbers, and those go into columns.
 * The page puts the same lines together again, byte for byte, so that the wording is nowhere but in
 * trace_explain_switch.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* Appends VALUES, of uint64_t, to BLOB; a member NAME of the page's directory says where: [offset, size, count]. */
void column_write(JsonBuilder *builder, GByteArray *blob, const char *name, const GArray *values);
/* What stands in the page for BLOB. Free with g_free. */
char *column_encode(const GByteArray *blob);

typedef struct Lines Lines;

Lines *lines_new(void);
void lines_free(Lines *lines); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lines, lines_free)

/* Takes the next line in; returns the number of its template. */
guint lines_add(Lines *lines, const char *line);
/*
 * An array of templates. Each is an array whose elements are, alternately, a text and a number: [format, offset, size],
 * where format is 2 * digits + (1 for hexadecimal); with digits 0 a number has no leading zeros, else so many digits at
 * least. The column has a number for each line of the template, in the order in which they came.
 */
void lines_write(const Lines *lines, JsonBuilder *builder, GByteArray *blob);
