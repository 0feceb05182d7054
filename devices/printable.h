/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest, a file or a peer says, made fit for terminals, logs and reports. The one place that decides which
 * characters people get to see. Pure functions, no lock.
 *
 * Not shown as they are: control characters (U+0000 to U+001F, U+007F to U+009F), which move a terminal's cursor and
 * more; line and paragraph separators; and format characters, among them all that turn the direction of writing, so
 * that a line shows what it says. Invalid UTF-8, which a raw byte 0x80 to 0x9f is, and noncharacters become U+FFFD.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Whether C is shown as it is. Line feeds and tabs are not: where they may stay, that is for the caller to say. */
bool printable_char(gunichar c);

/*
 * SIZE bytes at TEXT, or all of it if SIZE is -1, with '?' for each character that is not shown. At most three times as
 * long as TEXT. Free with g_free.
 */
char *printable(const char *text, gssize size);      /* keeps line feeds and tabs */
char *printable_line(const char *text, gssize size); /* keeps neither: each is a space */

/*
 * For names and messages, in which it matters what was meant: "\u001b", "\U000e0001" for characters, "\xff" for bytes
 * that are no UTF-8, as GLib's own log writes them. At most six times as long as TEXT. Free with g_free.
 */
char *printable_escaped(const char *text, gssize size);      /* keeps line feeds and tabs */
char *printable_line_escaped(const char *text, gssize size); /* escapes them, too */

/*
 * TEXT, of which at most about MAX bytes are left: where it is longer, "..." stands for what is left out between its
 * beginning and its end, where messages say what is wrong. No character of UTF-8 is parted. Free with g_free.
 */
char *printable_cut(const char *text, gsize max);

/* JSON, a document of it, as ASCII escapes where a string in it has characters that are not shown: it says the same
 * to a program. Free with g_free. */
char *printable_json(const char *json);
