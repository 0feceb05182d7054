/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt(1): a guest's network by the sockets of an ordinary process, without root and without a device on the host.
 * What the installed one can is asked of itself, as versions have no numbers to go by: vhost-user is in those since
 * 2025, the stream of frames in all.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/helpers/helper-process.h"

typedef struct {
  char *program; /* its path */
  bool vhost_user;
  Broker *broker; /* as in HelperConfig */
} Passt;

typedef struct {
  char *address; /* of the host, to listen at; NULL: any */
  uint16_t host_port, guest_port;
  bool udp;
} PasstForward;

/* Finds it in PATH and asks it, which takes some milliseconds. NULL: it is not there, or does not answer: the error. */
Passt *passt_find(GError **error);
void passt_free(Passt *passt); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Passt, passt_free)

/* Whether the host's ports of FORWARDS (as below) are free: where some are not, passt would do without those. */
bool passt_check_ports(const GPtrArray *forwards, GError **error);
/*
 * Starts it with FORWARDS (of PasstForward, or NULL), serving vhost-user or a stream on its end of the socket pair. FD
 * and ENDED as in helper_process_start; it tells when it is ready.
 */
HelperProcess *passt_start(const Passt *passt, const GPtrArray *forwards, bool vhost_user, HelperEnded *ended, void *opaque, int *fd,
                           GError **error);

/* "[ADDRESS:]HOSTPORT:GUESTPORT[/udp|/tcp]"; an IPv6 address in brackets. False: *WHY, a constant, says why not. */
bool passt_parse_forward(const char *text, PasstForward *forward, const char **why);
void passt_forward_free(gpointer forward);
/* The arguments behind its path, for tests. */
GPtrArray *passt_arguments(const Passt *passt, const GPtrArray *forwards, bool vhost_user);
