/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests' and users' text for reports: valid UTF-8, nothing that moves a terminal's cursor, nothing that XML 1.0
 * forbids. Pure functions, no lock.
 */
#pragma once

#include <glib.h>

/*
 * One line: line ends and tabs become spaces, other control characters '?', invalid bytes U+FFFD; none at the ends.
 * NULL: NULL. Free with g_free.
 */
char *report_line(const char *text);
/* The same for several lines: keeps their ends (CR LF becomes LF), and drops those at the end of the text. */
char *report_lines(const char *text);
/* "suite/case" as a line: the suite's name is that of a file. Free with g_free. */
char *report_name(const char *suite, const char *name);
/* SECONDS with three digits after a point, whatever the locale. */
void report_seconds(GString *out, double seconds);
