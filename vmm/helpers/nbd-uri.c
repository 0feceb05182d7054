/* SPDX-License-Identifier: Apache-2.0 */
/* GLib takes the URI apart and undoes its escapes (RFC 3986); here is what the parts mean. */
#include "vmm/helpers/nbd-uri.h"

#include <string.h>

#define PORT "10809" /* IANA: nbd */

void nbd_address_free(NbdAddress *address) {
  if (!address)
    return;
  g_free(address->host);
  g_free(address->port);
  g_free(address->socket);
  g_free(address->export_name);
  g_free(address);
}

static const struct {
  const char *scheme, *why; /* NULL: it is one */
  bool local;
} schemes[] = {
    {"nbd", NULL, false},
    {"nbd+unix", NULL, true},
    {"nbds", "servers that want TLS cannot be reached", false},
    {"nbds+unix", "servers that want TLS cannot be reached", false},
    {"nbd+vsock", "servers behind a vsock cannot be reached", false},
};

static bool check_scheme(const char *scheme, bool *local, const char **why) {
  *why = "it begins with nbd:// or nbd+unix://";
  for (unsigned i = 0; i < G_N_ELEMENTS(schemes); i++)
    if (strcmp(schemes[i].scheme, scheme) == 0) {
      *local = schemes[i].local;
      *why = schemes[i].why;
      return !*why;
    }
  return false;
}

static bool take_server(GUri *uri, NbdAddress *address, const char **why) {
  const char *host = g_uri_get_host(uri);
  int port = g_uri_get_port(uri);

  *why = "a server is a host: nbd://HOST, nbd://HOST:PORT/EXPORT";
  if (!host || !*host || port == 0)
    return false;
  *why = "behind the name there may be no ?parameters";
  if (g_uri_get_query(uri))
    return false;
  address->host = g_strdup(host);
  address->port = port > 0 ? g_strdup_printf("%d", port) : g_strdup(PORT);
  return true;
}

static bool take_socket(GUri *uri, NbdAddress *address, const char **why) {
  const char *host = g_uri_get_host(uri), *query = g_uri_get_query(uri);
  g_autoptr(GHashTable) parameters = query ? g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL) : NULL;
  const char *path = parameters ? g_hash_table_lookup(parameters, "socket") : NULL;

  *why = "a local server is a socket and no host: nbd+unix:///EXPORT?socket=PATH";
  if ((host && *host) || !path || !*path || g_hash_table_size(parameters) != 1)
    return false;
  *why = "the path of its socket begins with a slash";
  if (!g_path_is_absolute(path))
    return false;
  address->socket = g_strdup(path);
  return true;
}

NbdAddress *nbd_uri_parse(const char *text, const char **why) {
  g_autoptr(NbdAddress) address = g_new0(NbdAddress, 1);
  g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_QUERY, NULL);
  bool local;

  *why = "it is no URI: nbd://HOST[:PORT][/EXPORT] is one, and nbd+unix:///[EXPORT]?socket=PATH";
  if (!uri || !check_scheme(g_uri_get_scheme(uri), &local, why))
    return NULL;
  *why = "nobody logs in to such a server";
  if (g_uri_get_userinfo(uri) || g_uri_get_fragment(uri))
    return NULL;
  if (!(local ? take_socket : take_server)(uri, address, why))
    return NULL;
  const char *path = g_uri_get_path(uri);
  address->export_name = g_strdup(path + (*path == '/'));
  return g_steal_pointer(&address);
}
