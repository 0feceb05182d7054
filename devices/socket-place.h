/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a Unix socket lies: the directory is opened once, and the socket is found in it by its name from then on. A
 * process that has given its root directory away finds it as before (vmm/cage/root.h), and the directory's path may be
 * longer than an address can be. Linux: unix(7), proc(5) "/proc/PID/fd".
 *
 * No lock: a place does not change.
 */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

typedef struct {
  int directory; /* -1: it could not be opened */
  char *name;
} SocketPlace;

#define SOCKET_PLACE_NONE ((SocketPlace){.directory = -1})

/*
 * The address, for connect(2) and bind(2), of the socket NAME in the directory that is open as DIRECTORY. False with
 * errno (ENAMETOOLONG): it has none.
 */
bool socket_address_in(int directory, const char *name, struct sockaddr_un *address);
/* Of PATH: links are followed, also where PATH itself is one. False with errno: there is no such directory. */
bool socket_place_open(SocketPlace *place, const char *path);
void socket_place_close(SocketPlace *place);
/* As socket_address_in. */
bool socket_place_address(const SocketPlace *place, struct sockaddr_un *address);
/* A new stream socket that does not block, connected there; -1 with errno. It waits for nobody. */
int socket_place_connect(const SocketPlace *place);
