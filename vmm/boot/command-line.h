/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's command line, read as Linux reads it (lib/cmdline.c next_arg, kernel/params.c parse_args): words are
 * separated by white space outside of double quotes, a word is NAME or NAME=VALUE, dashes and underscores in a name are
 * the same, and what follows a word "--" is for init.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Bytes: arch/arm64/include/uapi/asm/setup.h, COMMAND_LINE_SIZE less the NUL. The kernel cuts off what is longer, and
 * says nothing.
 */
#define COMMAND_LINE_MAX 2047

/* Whether the kernel finds a parameter NAME, with or without a value. */
bool command_line_has(const char *line, const char *name);

/*
 * Adds WORD (NAME or NAME=VALUE) for eret, unless the user has said something about NAME. It goes in front: there no
 * "--" precedes it, no quote is open, and of two words that contradict each other the kernel takes the user's, which is
 * the later one.
 */
void command_line_add(char **line, const char *word);

/* Puts WORDS in front in any case: there may be several of a name, each of which counts. */
void command_line_put(char **line, const char *words);

/*
 * Whether the kernel takes all of LINE, of which USER_LENGTH bytes are the user's. If not, *WHY says by how much it is
 * too long.
 */
bool command_line_fits(const char *line, size_t user_length, char **why);
