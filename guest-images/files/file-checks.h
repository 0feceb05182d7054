/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a file system: see file-checks.c. */
#pragma once

#include <stdbool.h>

extern unsigned wrong; /* how many things have been said to be */
void complain(const char *what, const char *why);

/* A new file, which is open; -1: it cannot be made, or was there. */
int make_file(const char *name, const char *text);
/* Whether a file is exactly that, of at most 63 bytes. */
bool is_text(const char *name, const char *text);

/* Status: 0 where nothing is wrong. */
int check_calls(const char *directory);
/* Each file in a directory of the directory PATH, by whoever it was made: how many there are, and can be opened. */
int check_walk(const char *path);
