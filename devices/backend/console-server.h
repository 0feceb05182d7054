/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A console that others may look at and type into while the machine runs: a listening socket beside the terminal, or in
 * its place. Whoever comes gets the last CONSOLE_SERVER_BACKLOG bytes of output, and then what follows. Any number up
 * to CONSOLE_SERVER_CLIENTS reads; one at a time writes. A client that reads slowly misses output, and neither the
 * guest nor another client waits for it.
 *
 * The protocol, of a stream socket: the client sends the line "console write" or "console read"; it is answered by the
 * line "write" or "read", as it may, or "busy", before the end; behind that line both directions are bytes of the
 * console.
 */
#pragma once

#include "devices/char-backend.h"

#define CONSOLE_SERVER_BACKLOG (64 * 1024)
#define CONSOLE_SERVER_CLIENTS 16

/*
 * TERMINAL (NULL: none) stays the caller's, outlives the server, and is what this one is connected to instead of the
 * front end; where there is one that somebody TYPES at, clients only read. LISTENER is a listening stream socket.
 * Uses the default GMainContext: main thread.
 */
CharBackend *console_server_new_take_fd(int listener, CharBackend *terminal, bool types);
