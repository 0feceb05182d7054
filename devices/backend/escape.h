/* SPDX-License-Identifier: Apache-2.0 */
/* The escape key of a raw terminal: Ctrl-A, and what the key after it means. See escape.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ESCAPE_KEY        0x01 /* Ctrl-A */
#define ESCAPE_MAX_OUTPUT 2    /* bytes for the guest that one byte from the user can release */

typedef enum { ESCAPE_NONE, ESCAPE_QUIT, ESCAPE_DETACH, ESCAPE_HELP } EscapeCommand;

typedef struct {
  bool attached; /* the machine is another process's: d leaves it, and x does not end it */
  bool pending;  /* the last byte was the escape key */
} Escape;

/* Takes one byte from the user: what it commands, and the N bytes in TO that are for the guest. */
EscapeCommand escape_byte(Escape *escape, uint8_t byte, uint8_t to[ESCAPE_MAX_OUTPUT], unsigned *n);

/* What the keys do, with line ends for a terminal in raw mode. */
extern const char escape_help[], escape_help_attached[];
