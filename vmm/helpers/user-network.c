/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A card's passt. The first is waited for, so that what is wrong with it (a port that is taken) is known before there
 * is a machine.
 *
 * No lock: main thread.
 */
#include "vmm/helpers/user-network.h"

#include <unistd.h>

#include "vmm/helpers/kept-helper.h"
#include "vmm/helpers/passt.h"

typedef struct {
  UserNetworks base;
  Passt *passt;
} PasstNetworks;

/* What each passt of a card is started with. */
typedef struct {
  const Passt *passt;
  GPtrArray *forwards; /* of PasstForward */
  bool vhost_user;
} Start;

static HelperProcess *start(void *opaque, bool first, HelperEnded *ended, void *kept, int *fd, GError **error) {
  const Start *with = opaque;

  if (first && !passt_check_ports(with->forwards, error))
    return NULL;
  HelperProcess *process = passt_start(with->passt, with->forwards, with->vhost_user, ended, kept, fd, error);

  return process && first && !helper_process_wait(process, -1, HELPER_READY_MS, error) ? helper_process_give_up(process, fd) : process;
}

static void free_start(void *opaque) {
  Start *with = opaque;

  g_ptr_array_unref(with->forwards);
  g_free(with);
}

static bool add_forwards(UserNetwork *network, GPtrArray *forwards, const GPtrArray *texts, GError **error) {
  unsigned n = texts ? texts->len : 0;

  network->udp_ports = g_new0(uint16_t, n + 1);
  for (unsigned i = 0; i < n; i++) {
    PasstForward *forward = g_new0(PasstForward, 1);
    const char *text = g_ptr_array_index(texts, i), *why;

    g_ptr_array_add(forwards, forward);
    if (!passt_parse_forward(text, forward, &why)) {
      g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "'%s' cannot be forwarded: %s", text, why);
      return false;
    }
    if (forward->udp)
      network->udp_ports[network->n_udp_ports++] = forward->guest_port;
  }
  return true;
}

static UserNetwork *start_network(UserNetworks *networks, const UserNetworkWish *wish, GError **error) {
  g_autoptr(UserNetwork) network = g_new0(UserNetwork, 1);
  Start *with = g_new0(Start, 1);
  const KeptHelperConfig config = {
      .name = "passt",
      .device = wish->card,
      .what = "network card",
      .lack = "there is no network",
      .start = start,
      .free_opaque = free_start,
      .opaque = with,
  };

  network->vhost_user = wish->vhost_user && networks->vhost_user;
  *with = (Start){
      .passt = ((PasstNetworks *)networks)->passt,
      .forwards = g_ptr_array_new_with_free_func(passt_forward_free),
      .vhost_user = network->vhost_user,
  };
  if (!add_forwards(network, with->forwards, wish->forwards, error)) {
    g_prefix_error(error, "%s: ", wish->card);
    free_start(with);
    return NULL;
  }
  network->helper = kept_helper_new(&config, error);
  return network->helper ? g_steal_pointer(&network) : NULL;
}

UserNetworks *passt_networks_new(Broker *broker, GError **error) {
  g_autoptr(Passt) passt = passt_find(error);

  if (!passt)
    return NULL;
  passt->broker = broker;
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
