/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks for guests: which kinds this host offers, and how one that is missing can be had. A kind is "usable" where
 * it is there and this user may have it, "unusable" where it is there but not for this user, and "missing".
 */
#include <string.h>

#include "vmm/doctor/verdict.h"

static const char *state_of(const HostNode *node) {
  if (!node->there)
    return "missing";
  return node->usable ? "usable" : "unusable";
}

/* Of what its node is only one half: who may open it may not make a device. */
static const char *tap_state(const HostNetwork *network) {
  bool usable = network->tun.usable && (network->net_admin || network->taps->len);
  return usable ? "usable" : network->tun.there ? "unusable" : "missing";
}

static const char *macvtap_state(const HostNetwork *network) {
  static const char *const without[] = {
      [HOST_DRIVER_UNKNOWN] = NULL,
      [HOST_DRIVER_MISSING] = "missing",
      [HOST_DRIVER_LOADABLE] = "unusable",
      [HOST_DRIVER_LOADED] = "unusable",
  };
  return network->macvtaps->len ? "usable" : without[network->macvtap];
}

static const char *const passt_modes[] = {
    [HOST_PASST_UNKNOWN] = NULL,
    [HOST_PASST_NONE] = "missing",
    [HOST_PASST_STREAM] = "stream",
    [HOST_PASST_VHOST_USER] = "vhost-user",
};
static const char *const passt_meanings[] = {
    [HOST_PASST_UNKNOWN] = NULL,
    [HOST_PASST_NONE] = "no network without root",
    [HOST_PASST_STREAM] = "a network without root; packets go through eret: this one has no vhost-user",
    [HOST_PASST_VHOST_USER] = "a network without root, straight between passt and the guest",
};

static char *join(const GPtrArray *names) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < names->len; i++)
    g_string_append_printf(text, "%s%s", i ? ", " : "", (const char *)g_ptr_array_index(names, i));
  return g_string_free(text, FALSE);
}

static const char *meaning_of_tap(const HostNetwork *network) {
  if (!network->tun.usable)
    return "no --net tap=";
  if (network->taps->len)
    return network->net_admin ? "--net tap=NAME takes any" : "--net tap=NAME takes this user's";
  return network->net_admin ? "none is there yet: ip tuntap add tap0 mode tap" : "none is this user's";
}

void doctor_find_network(Doctor *doctor) {
  const HostNetwork *network = &doctor->host->network;
  g_autofree char *taps = join(network->taps), *macvtaps = join(network->macvtaps);
  HostPasst passt = doctor->host->process.passt;
  const Finding rows[] = {
      {"tap", "tap", FACT_TEXT(tap_state(network)), .meaning = meaning_of_tap(network)},
      {"taps", "taps to be used", FACT_TEXT(network->taps->len ? taps : NULL)},
      {"vhost_net", "vhost-net", FACT_TEXT(state_of(&network->vhost_net)),
       .meaning =
           network->vhost_net.usable ? "the kernel moves a tap's packets: --net tap=NAME,vhost=on" : "a tap's packets go through eret"},
      {"macvtap", "macvtap", FACT_TEXT(macvtap_state(network)),
       .meaning = network->macvtaps->len ? "opened by the shell: --net fd=3 3<>/dev/tapN" : NULL},
      {"macvtaps", "macvtaps to be used", FACT_TEXT(network->macvtaps->len ? macvtaps : NULL)},
      {"passt", "passt", FACT_TEXT(passt_modes[passt]), .meaning = passt_meanings[passt]},
      {"vhost_vsock", "vhost-vsock", FACT_TEXT(state_of(&network->vhost_vsock)),
       .meaning = network->vhost_vsock.usable ? "the kernel serves sockets between guest and host" : "sockets with unix= need none"},
      {"kvm_group", "user in the group kvm", .kind = network->kvm_group_known ? VALUE_BOOL : VALUE_UNKNOWN, .number = network->kvm_member,
       .meaning = "which usually owns /dev/kvm, vhost-net and vhost-vsock",
       .otherwise = doctor->host->process.root ? "and need not be: it is root" : "which usually owns /dev/kvm, vhost-net and vhost-vsock"},
  };

  doctor_add(doctor, "network", true, rows, G_N_ELEMENTS(rows));
}

/* Advice. */

/* A node and its driver, by their names. */
typedef struct {
  const char *key, *path, *module, *option, *what_for;
} Kind;

static void advise_missing(Doctor *doctor, const Kind *kind, const HostNode *node) {
  const char *container = doctor->host->container;

  if (container)
    doctor_add_advice(doctor, kind->key, "for %s: hand %s in to this container (--device %s); on its host the module is %s.",
                      kind->what_for, kind->path, kind->path, kind->module);
  else if (node->driver == HOST_DRIVER_MISSING)
    doctor_add_advice(doctor, kind->key, "for %s: a kernel with %s, which this one was built without (%s).", kind->what_for, kind->module,
                      kind->option);
  else if (node->driver == HOST_DRIVER_LOADED)
    doctor_add_advice(doctor, kind->key, "for %s: the module %s is loaded, but there is no %s: sudo udevadm trigger makes it.",
                      kind->what_for, kind->module, kind->path);
  else
    doctor_add_advice(doctor, kind->key, "for %s: sudo modprobe %s (at each boot: echo %s | sudo tee /etc/modules-load.d/%s.conf).",
                      kind->what_for, kind->module, kind->module, kind->key);
}

static void advise_refused(Doctor *doctor, const Kind *kind, const HostNode *node) {
  enum { GROUP_READ_WRITE = 060 };
  const HostProcess *process = &doctor->host->process;
  bool by_group = (node->mode & GROUP_READ_WRITE) == GROUP_READ_WRITE && strcmp(node->group, "root") != 0;

  if (process->root)
    doctor_add_advice(doctor, kind->key, "for %s: root may not open %s: a container's device rules or a security module; --device %s.",
                      kind->what_for, kind->path, kind->path);
  else if (by_group && node->member)
    doctor_add_advice(doctor, kind->key, "for %s: %s is in the group %s, but this session is older than that: log in again, or newgrp %s.",
                      kind->what_for, process->user, node->group, node->group);
  else if (by_group)
    doctor_add_advice(doctor, kind->key, "for %s: sudo usermod -aG %s %s, then log in again; %s is that group's.", kind->what_for,
                      node->group, process->user ? process->user : "$USER", kind->path);
  else if (node->driver == HOST_DRIVER_LOADABLE)
    doctor_add_advice(doctor, kind->key, "for %s: sudo modprobe %s; %s becomes the group kvm's then, which one must be in.", kind->what_for,
                      kind->module, kind->path);
  else
    doctor_add_advice(doctor, kind->key, "for %s: sudo chgrp kvm %s && sudo chmod 660 %s, and be in that group.", kind->what_for,
                      kind->path, kind->path);
}

static void advise_node(Doctor *doctor, const Kind *kind, const HostNode *node) {
  if (!node->there)
    advise_missing(doctor, kind, node);
  else if (!node->usable)
    advise_refused(doctor, kind, node);
}

static void advise_taps(Doctor *doctor) {
  const HostNetwork *network = &doctor->host->network;
  const char *user = doctor->host->process.user;

  if (network->tun.usable && !network->net_admin && !network->taps->len)
    doctor_add_advice(doctor, "tap",
                      "for a guest on a tap, root makes one for this user: sudo ip tuntap add tap0 mode tap user %s && sudo ip link set "
                      "tap0 up (and master br0, to be on a bridge).",
                      user ? user : "$USER");
  if (network->macvtap == HOST_DRIVER_MISSING)
    doctor_add_advice(doctor, "macvtap", "for a guest on the host's own network card: a kernel with macvtap (CONFIG_MACVTAP).");
  else if (!network->macvtaps->len)
    doctor_add_advice(doctor, "macvtap",
                      "for a guest on the host's own network card: sudo ip link add link eth0 name macvtap0 type macvtap, sudo ip link set "
                      "macvtap0 up, and /dev/tapN, N from /sys/class/net/macvtap0/ifindex, be this user's (sudo chown).");
}

void doctor_advise_network(Doctor *doctor) {
  const HostNetwork *network = &doctor->host->network;
  const HostProcess *process = &doctor->host->process;
  const struct {
    Kind kind;
    const HostNode *node;
  } nodes[] = {
      {{"tap", "/dev/net/tun", "tun", "CONFIG_TUN", "taps"}, &network->tun},
      {{"vhost-net", "/dev/vhost-net", "vhost_net", "CONFIG_VHOST_NET", "a faster network on a tap"}, &network->vhost_net},
      {{"vhost-vsock", "/dev/vhost-vsock", "vhost_vsock", "CONFIG_VHOST_VSOCK", "sockets by the kernel"}, &network->vhost_vsock},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(nodes); i++)
    advise_node(doctor, &nodes[i].kind, nodes[i].node);
  advise_taps(doctor);
  if (process->passt == HOST_PASST_NONE)
    doctor_add_advice(doctor, "passt", "%s.", process->passt_problem);
  if (process->passt == HOST_PASST_STREAM)
    doctor_add_advice(doctor, "passt", "a faster network without root: a passt of 2025 or later, which has vhost-user (Debian 13).");
}
