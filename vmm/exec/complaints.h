/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines about things that went wrong, in an order and a number that a hostile guest has a say in: each is kept once, so
 * many of them, and the others are counted. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  GPtrArray *lines; /* of char *, printable */
  unsigned max;
  unsigned others; /* that came when there were MAX */
} Complaints;

void complaints_init(Complaints *complaints, unsigned max);
void complaints_clear(Complaints *complaints);
/* False: it was there already, or there are MAX. What is not to be shown as it is comes escaped. */
bool complaints_add(Complaints *complaints, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The last line: how many there were beyond MAX, if any. */
void complaints_close(Complaints *complaints);
