/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A card's passt, from one to the next. The first is waited for, so that what is wrong with it (a port that is taken)
 * is known before there is a machine. When one ends, the log says how, and nothing else happens until the card asks for
 * another, which it does when its guest resets it. A guest may do that in a loop, so there is one start a second at
 * most.
 *
 * Programs are started and ended on the main thread. Lock: what the card's threads see too is below `lock`.
 */
#include "vmm/helpers/user-network.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/helpers/passt.h"

#define READY_MS          30000 /* an emulated host is slow */
#define BETWEEN_STARTS_US G_USEC_PER_SEC

typedef struct {
  UserNetworks base;
  Passt *passt;
} PasstNetworks;

typedef struct {
  UserNetwork base;
  const Passt *passt;
  char *card;
  GPtrArray *forwards; /* of PasstForward */
  uint16_t *udp_ports;
  HelperProcess *process; /* NULL: it has ended */
  gint64 started;         /* monotonic time */

  GMutex lock;
  int fd; /* a connection that was not taken; -1 */
  bool running;
  bool wanted;   /* the next is, once this one has ended */
  guint pending; /* the source that starts it; 0: none */
} PasstNetwork;

static void ended(void *opaque, const char *how);

/* With the lock, or before anybody else knows of it. */
static void drop_connection(PasstNetwork *network) {
  eventfd_t ignored;

  if (network->fd < 0)
    return;
  close(network->fd);
  network->fd = -1;
  eventfd_read(network->base.event_fd, &ignored);
}

static bool start(PasstNetwork *network, GError **error) {
  int fd;

  network->started = g_get_monotonic_time();
  network->process = passt_start(network->passt, network->forwards, network->base.vhost_user, ended, network, &fd, error);
  if (!network->process)
    return false;
  g_mutex_lock(&network->lock);
  network->fd = fd;
  network->running = true;
  eventfd_write(network->base.event_fd, 1);
  g_mutex_unlock(&network->lock);
  return true;
}

static gboolean start_next(gpointer data) {
  PasstNetwork *network = data;
  g_autoptr(GError) error = NULL;

  g_mutex_lock(&network->lock);
  network->pending = 0;
  g_mutex_unlock(&network->lock);
  if (start(network, &error))
    g_message("%s: passt was started again", network->card);
  else
    g_message("%s: %s; it is tried again when the guest resets its network card", network->card, error->message);
  return G_SOURCE_REMOVE;
}

/* With the lock. */
static void plan_next(PasstNetwork *network) {
  gint64 left = network->started + BETWEEN_STARTS_US - g_get_monotonic_time();
  g_autoptr(GSource) source = g_timeout_source_new(left > 0 ? (guint)(left / 1000) + 1 : 0);

  network->wanted = false;
  g_source_set_callback(source, start_next, network, NULL);
  network->pending = g_source_attach(source, NULL);
}

static void ended(void *opaque, const char *how) {
  PasstNetwork *network = opaque;

  g_message("%s: passt %s; there is no network until the guest resets its network card, or reboots", network->card, how);
  g_clear_pointer(&network->process, helper_process_free);
  g_mutex_lock(&network->lock);
  network->running = false;
  drop_connection(network);
  if (network->wanted)
    plan_next(network);
  g_mutex_unlock(&network->lock);
}

/* The card's side. */

static int take(UserNetwork *base) {
  PasstNetwork *network = (PasstNetwork *)base;
  eventfd_t ignored;

  g_mutex_lock(&network->lock);
  int fd = network->fd;
  network->fd = -1;
  if (fd >= 0)
    eventfd_read(base->event_fd, &ignored);
  g_mutex_unlock(&network->lock);
  return fd;
}

static void renew(UserNetwork *base) {
  PasstNetwork *network = (PasstNetwork *)base;

  g_mutex_lock(&network->lock);
  if (network->running && network->fd < 0)
    network->wanted = true; /* it ends, as its connection has, and that is not known yet */
  else if (!network->running && !network->pending)
    plan_next(network);
  g_mutex_unlock(&network->lock);
}

/* Life. */

static void network_free(UserNetwork *base) {
  PasstNetwork *network = (PasstNetwork *)base;

  g_clear_handle_id(&network->pending, g_source_remove);
  drop_connection(network);
  helper_process_free(network->process);
  if (base->event_fd >= 0)
    close(base->event_fd);
  g_ptr_array_unref(network->forwards);
  g_mutex_clear(&network->lock);
  g_free(network->udp_ports);
  g_free(network->card);
  g_free(network);
}

static bool add_forwards(PasstNetwork *network, const GPtrArray *texts, GError **error) {
  unsigned n = texts ? texts->len : 0;

  network->udp_ports = g_new0(uint16_t, n + 1);
  for (unsigned i = 0; i < n; i++) {
    PasstForward *forward = g_new0(PasstForward, 1);
    const char *text = g_ptr_array_index(texts, i), *why;

    g_ptr_array_add(network->forwards, forward);
    if (!passt_parse_forward(text, forward, &why)) {
      g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "'%s' cannot be forwarded: %s", text, why);
      return false;
    }
    if (forward->udp)
      network->udp_ports[network->base.n_udp_ports++] = forward->guest_port;
  }
  network->base.udp_ports = network->udp_ports;
  return true;
}

static UserNetwork *start_network(UserNetworks *networks, const UserNetworkWish *wish, GError **error) {
  static const UserNetworkOps ops = {.take = take, .renew = renew, .free = network_free};
  PasstNetwork *network = g_new0(PasstNetwork, 1);
  g_autoptr(UserNetwork) owned = &network->base;

  *network = (PasstNetwork){
      .base =
          {
              .ops = &ops,
              .name = "passt",
              .vhost_user = wish->vhost_user && networks->vhost_user,
              .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
          },
      .passt = ((PasstNetworks *)networks)->passt,
      .card = g_strdup(wish->card),
      .forwards = g_ptr_array_new_with_free_func(passt_forward_free),
      .fd = -1,
  };
  g_mutex_init(&network->lock);
  if (network->base.event_fd < 0) {
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s: cannot make an event descriptor", wish->card);
    return NULL;
  }
  if (!add_forwards(network, wish->forwards, error) || !start(network, error) || !helper_process_wait(network->process, READY_MS, error)) {
    g_prefix_error(error, "%s: ", wish->card);
    return NULL;
  }
  return g_steal_pointer(&owned);
}

UserNetworks *passt_networks_new(GError **error) {
  g_autoptr(Passt) passt = passt_find(error);

  if (!passt)
    return NULL;
  PasstNetworks *networks = g_new0(PasstNetworks, 1);
  *networks = (PasstNetworks){.base = {passt->vhost_user, start_network}};
  networks->passt = g_steal_pointer(&passt);
  return &networks->base;
}

void passt_networks_free(UserNetworks *networks) {
  if (!networks)
    return;
  passt_free(((PasstNetworks *)networks)->passt);
  g_free(networks);
}
