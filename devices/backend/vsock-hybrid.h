/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a virtual machine's stream sockets without help of the host's kernel: local sockets, by the
 * protocol that clients of small virtual machines know.
 *
 * To a port of the guest: connect to PATH, write "CONNECT 1234\n", and read "OK 1073741824\n", which names the host's
 * port; what follows is the stream. From the guest to port 1234 of the host: somebody listens on PATH_1234.
 *
 * No lock: after vsock_hybrid_new it only reads what it has.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VsockHybrid VsockHybrid;

typedef enum {
  VSOCK_HYBRID_ERROR_PATH,   /* no path for sockets */
  VSOCK_HYBRID_ERROR_IN_USE, /* another process listens there */
  VSOCK_HYBRID_ERROR_LISTEN, /* the host refuses */
} VsockHybridError;
#define VSOCK_HYBRID_ERROR (vsock_hybrid_error_quark())
GQuark vsock_hybrid_error_quark(void);

/*
 * NULL: sockets can have PATH for a name; or why not, to be said behind it. The directory is not looked for. Free with
 * g_free.
 */
char *vsock_hybrid_explain_path(const char *path);
/* Listens on PATH. A socket of a process that is gone makes way; anything else that is there is an error. */
VsockHybrid *vsock_hybrid_new(const char *path, GError **error);
/* Takes NULL. PATH is gone afterwards, unless somebody else has put something there. */
void vsock_hybrid_free(VsockHybrid *hybrid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsockHybrid, vsock_hybrid_free)

/* Readable when somebody connects. Stays the hybrid's. */
int vsock_hybrid_fd(const VsockHybrid *hybrid);
/* The next who connects, or who listens for PORT: a descriptor that never waits, the caller's; or -1 with errno. */
int vsock_hybrid_accept(const VsockHybrid *hybrid);
int vsock_hybrid_connect(const VsockHybrid *hybrid, uint32_t port);

typedef enum { VSOCK_LINE_INCOMPLETE, VSOCK_LINE_GOOD, VSOCK_LINE_BAD } VsockLine;
/*
 * Reads who was accepted on FD: its first line when all of it has come, and nothing behind it. ENDED: no more will
 * come, so that what is there must be enough.
 */
VsockLine vsock_hybrid_read_line(int fd, bool ended, uint32_t *port);
/* The answer; false when it cannot be sent. */
bool vsock_hybrid_answer(int fd, uint32_t host_port);
