/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state machine of the escape key. Ctrl-A is held back until the key after it: x and h are for us, Ctrl-A and a
 * release one Ctrl-A, and any other key is no command, so that both go to the guest. The key is the one that users of
 * other monitors know. Where the machine is another process's, d leaves it.
 *
 * Locks: none; the state is its owner's.
 */
#include "devices/backend/escape.h"

const char escape_help[] = "\r\n"
                           "Ctrl-A x       end the machine\r\n"
                           "Ctrl-A h       this help\r\n"
                           "Ctrl-A Ctrl-A  send Ctrl-A to the guest (Ctrl-A a as well)\r\n";

const char escape_help_attached[] = "\r\n"
                                    "Ctrl-A d       leave the machine, which goes on ('eret stop' ends it)\r\n"
                                    "Ctrl-A h       this help\r\n"
                                    "Ctrl-A Ctrl-A  send Ctrl-A to the guest (Ctrl-A a as well)\r\n";

EscapeCommand escape_byte(Escape *escape, uint8_t byte, uint8_t to[ESCAPE_MAX_OUTPUT], unsigned *n) {
  *n = 0;
  if (!escape->pending) {
    escape->pending = byte == ESCAPE_KEY;
    if (!escape->pending)
      to[(*n)++] = byte;
    return ESCAPE_NONE;
  }
  escape->pending = false;
  if (escape->attached && byte == 'd')
    return ESCAPE_DETACH;
  switch (byte) {
  case 'x':
    return escape->attached ? ESCAPE_HELP : ESCAPE_QUIT;
  case 'h':
    return ESCAPE_HELP;
  case 'a':
  case ESCAPE_KEY:
    to[(*n)++] = ESCAPE_KEY;
    return ESCAPE_NONE;
  default:
    to[(*n)++] = ESCAPE_KEY;
    to[(*n)++] = byte;
    return ESCAPE_NONE;
  }
}
