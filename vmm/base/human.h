/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and foreign texts in reports for people. */
#pragma once

#include <glib.h>
#include <stdint.h>

/* By value, so that it can stand in a printf: human_time(ns).text. */
typedef struct {
  char text[32];
} HumanText;

HumanText human_time(uint64_t ns);     /* three digits: "812 ns", "3.14 us", "42.0 ms", "1.23 s" */
HumanText human_size(uint64_t bytes);  /* "512 bytes", "4.0 KiB", "1.5 GiB" */
HumanText human_count(uint64_t count); /* "1,234,567" */
/* PART of WHOLE, "12.3 %"; "-" of nothing. */
HumanText human_share(uint64_t part, uint64_t whole);

/*
 * TEXT as one line that a terminal can be shown: it may be the guest's. Control characters become '?', what is no UTF-8
 * is marked. NULL is "".
 */
void human_append_text(GString *out, const char *text);
/* The same with texts among others, put together as printf does. */
void human_append_printf(GString *out, const char *format, ...) G_GNUC_PRINTF(2, 3);
