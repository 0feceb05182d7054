/* SPDX-License-Identifier: Apache-2.0 */
/*
 * passt(1), by what its manual of 2023 and of 2025 has in common. It isolates itself: namespaces of its own, no file
 * system, a filter of system calls; as root it becomes nobody. So it is given an open socket and no path.
 *
 * It is told nothing of addresses: it gives the guest those of the host by DHCP, NDP and DHCPv6, with the host's name
 * servers.
 */
#include "vmm/helpers/passt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void passt_free(Passt *passt) {
  if (!passt)
    return;
  g_free(passt->program);
  g_free(passt);
}

static bool set_missing(GError **error, const char *why) {
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START,
              "the network of --net user is made by passt, %s; install it (Debian: apt install passt), or give the guest a tap device",
              why);
  return false;
}

/* Its help says what it knows. It goes to one of the two streams, depending on the version. */
static bool ask(Passt *passt, GError **error) {
  const char *const argv[] = {passt->program, "--help", NULL};
  g_autofree char *out = NULL, *errors = NULL;
  g_autoptr(GError) local = NULL;

  if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &errors, NULL, &local))
    return set_missing(error, local->message);
  if (!strstr(out, "--fd") && !strstr(errors, "--fd"))
    return set_missing(error, "and the one that is installed does not take an open socket (--fd)");
  passt->vhost_user = strstr(out, "--vhost-user") || strstr(errors, "--vhost-user");
  return true;
}

Passt *passt_find(GError **error) {
  g_autoptr(Passt) passt = g_new0(Passt, 1);

  passt->program = g_find_program_in_path("passt");
  if (!passt->program) {
    set_missing(error, "which is not installed");
    return NULL;
  }
  return ask(passt, error) ? g_steal_pointer(&passt) : NULL;
}

/* Which it says whenever it starts, or about a log that is not there. */
static bool is_noise(const char *line) {
  static const char *const parts[] = {"bytes to syslog",    "to nobody",          "AVX2",
                                      "No IPv6 nameserver", "No IPv4 nameserver", "Client connection closed"};

  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
    if (strstr(line, parts[i]))
      return true;
  return false;
}

static void add(GPtrArray *arguments, const char *text) {
  g_ptr_array_add(arguments, g_strdup(text));
}

GPtrArray *passt_arguments(const Passt *passt, const GPtrArray *forwards, bool vhost_user) {
  GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);

  add(arguments, passt->program);
  add(arguments, "--foreground");
  add(arguments, "--quiet");
  if (vhost_user)
    add(arguments, "--vhost-user");
  add(arguments, "--fd");
  g_ptr_array_add(arguments, g_strdup_printf("%d", HELPER_FD));
  /* Its number goes there when all is set up, and it has not left the file system yet. */
  add(arguments, "--pid");
  add(arguments, "/proc/self/fd/1");
  for (unsigned i = 0; forwards && i < forwards->len; i++) {
    const PasstForward *forward = g_ptr_array_index(forwards, i);
    add(arguments, forward->udp ? "--udp-ports" : "--tcp-ports");
    g_ptr_array_add(arguments, g_strdup_printf("%s%s%u:%u", forward->address ? forward->address : "", forward->address ? "/" : "",
                                               forward->host_port, forward->guest_port));
  }
  g_ptr_array_add(arguments, NULL);
  return arguments;
}

/* Whether the host's port can be had in FAMILY. Some versions say nothing where they cannot, but go without. */
static bool is_free(const PasstForward *forward, int family) {
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = g_htons(forward->host_port)};
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = g_htons(forward->host_port)};
  bool is_v4 = family == AF_INET;
  int yes = 1, fd = socket(family, (forward->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

  if (fd < 0) /* the host has no such family */
    return true;
  if (forward->address)
    inet_pton(family, forward->address, is_v4 ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr);
  if (!is_v4)
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
  if (!forward->udp) /* what was connected before, and lingers, is no hindrance */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  bool bound = bind(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, is_v4 ? sizeof v4 : sizeof v6) == 0 &&
               (forward->udp || listen(fd, 1) == 0);
  int code = errno;
  close(fd);
  errno = code;
  return bound || (!forward->address && code == EADDRNOTAVAIL);
}

static bool check_port(const PasstForward *forward, GError **error) {
  bool v4 = !forward->address || !strchr(forward->address, ':'), v6 = !forward->address || strchr(forward->address, ':');

  if ((!v4 || is_free(forward, AF_INET)) && (!v6 || is_free(forward, AF_INET6)))
    return true;
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s port %u of the host cannot be forwarded%s%s: %s", forward->udp ? "UDP" : "TCP",
              forward->host_port, forward->address ? ", at " : "", forward->address ? forward->address : "", g_strerror(errno));
  return false;
}

bool passt_check_ports(const GPtrArray *forwards, GError **error) {
  for (unsigned i = 0; forwards && i < forwards->len; i++)
    if (!check_port(g_ptr_array_index(forwards, i), error))
      return false;
  return true;
}

HelperProcess *passt_start(const Passt *passt, const GPtrArray *forwards, bool vhost_user, HelperEnded *ended, void *opaque, int *fd,
                           GError **error) {
  g_autoptr(GPtrArray) arguments = passt_arguments(passt, forwards, vhost_user);
  const HelperConfig config = {
      .name = "passt",
      .argv = (const char *const *)arguments->pdata,
      .is_noise = is_noise,
      .ended = ended,
      .opaque = opaque,
      .tells_ready = true,
      .broker = passt->broker,
  };

  return helper_process_start(&config, fd, error);
}

void passt_forward_free(gpointer data) {
  PasstForward *forward = data;

  if (!forward)
    return;
  g_free(forward->address);
  g_free(forward);
}

/* A decimal number and nothing else. */
static bool parse_port(const char *text, uint16_t *port) {
  guint64 value;

  if (!g_ascii_string_to_unsigned(text, 10, 1, UINT16_MAX, &value, NULL))
    return false;
  *port = (uint16_t)value;
  return true;
}

static bool is_address(const char *text) {
  struct in6_addr address;

  return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* Takes the address off the front of *TEXT; "[::1]:" or "127.0.0.1:". */
static bool take_address(char **text, char **address, const char **why) {
  char *end = **text == '[' ? strchr(*text, ']') : NULL;
  char *first = strchr(*text, ':');

  if (end && end[1] != ':') {
    *why = "behind the address in brackets a colon is missing";
    return false;
  }
  if (!end && (!first || !strchr(first + 1, ':')))
    return true;
  *address = end ? g_strndup(*text + 1, (gsize)(end - *text - 1)) : g_strndup(*text, (gsize)(first - *text));
  *text = (end ? end + 1 : first) + 1;
  *why = "what stands before the ports is no IP address; one with colons is written in brackets";
  return is_address(*address);
}

bool passt_parse_forward(const char *text, PasstForward *forward, const char **why) {
  g_autofree char *copy = g_strdup(text), *address = NULL;
  char *slash = strrchr(copy, '/'), *ports = copy;

  *forward = (PasstForward){.udp = slash && strcmp(slash, "/udp") == 0};
  *why = "behind the slash there may be udp or tcp";
  if (slash && !forward->udp && strcmp(slash, "/tcp") != 0)
    return false;
  if (slash)
    *slash = 0;
  if (!take_address(&ports, &address, why))
    return false;
  *why = "it is [ADDRESS:]HOSTPORT:GUESTPORT[/udp], with ports from 1 to 65535";
  char *colon = strchr(ports, ':');
  if (!colon)
    return false;
  *colon = 0;
  if (!parse_port(ports, &forward->host_port) || !parse_port(colon + 1, &forward->guest_port))
    return false;
  forward->address = g_steal_pointer(&address);
  return true;
}
