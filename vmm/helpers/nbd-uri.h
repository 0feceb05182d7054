/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a network block device is, as its users write it: the NBD URI specification of the NetworkBlockDevice project
 * (doc/uri.md): nbd://HOST[:PORT][/EXPORT], nbd+unix:///[EXPORT]?socket=PATH. No lock: pure functions.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  char *host, *port; /* of a server that TCP leads to; NULL: it is a local socket */
  char *socket;      /* its path */
  char *export_name; /* never NULL; "" is the server's default */
} NbdAddress;

/* NULL: *WHY, a constant, says why not. */
NbdAddress *nbd_uri_parse(const char *uri, const char **why);
void nbd_address_free(NbdAddress *address); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NbdAddress, nbd_address_free)
