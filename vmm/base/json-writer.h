/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON that we write. As json-glib does it, but for fractions, which have the fewest digits that read back the same
 * number (6.1, not 6.0999999999999996), and for control characters of all kinds, which are escaped, since people read
 * such files in terminals. No lock: pure function.
 */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdint.h>

/* ROOT as a text of lines, indented. Infinities, and what is no number, become null. Free with g_free. */
char *json_print(JsonNode *root);

/* An object with one member, NAME, which is TEXT. */
JsonNode *json_of_text(const char *name, const char *text);

/* A member of the object that is open: TEXT, made valid UTF-8. NULL: nothing. */
void json_add_text(JsonBuilder *builder, const char *name, const char *text);
/* The same, a whole number. */
void json_add_number(JsonBuilder *builder, const char *name, int64_t value);
