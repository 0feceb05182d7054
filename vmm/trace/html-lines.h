/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of text for the page, taken apart: what differs between lines of the same sort are their numbers, and those go
 * into columns. The page puts the same lines together again, byte for byte, so that the wording is nowhere but in
 * trace_explain_switch.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

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
