/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What networks for guests are made of: the device nodes of the kernel's drivers and who may open them, the drivers
 * themselves, and network devices that somebody has made. Linux: Documentation/networking/tuntap.rst; sysfs of
 * drivers/net/tun.c (tun_flags, owner) and drivers/net/macvtap.c (macvtap/tapN); proc(5), CapEff; modules.dep(5).
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/doctor/host-facts.h"

#define CAP_NET_ADMIN_BIT 12
#define TUN_FLAG_TAP      2 /* IFF_TAP */
#define NETWORK_DEVICES   "sys/class/net"

/* Drivers. */

/* "kernel/drivers/net/tun.ko.xz: ..." */
static bool lists(const char *text, const char *module) {
  g_autofree char *file = g_strdup_printf("/%s.ko", module);
  return text && strstr(text, file);
}

typedef struct {
  char *modules, *builtin; /* the kernel's lists; NULL: not there */
} ModuleLists;

static char *read_list(const HostFacts *facts, const char *root, const char *name) {
  g_autofree char *path = g_build_filename("lib/modules", facts->kernel ? facts->kernel : "", name, NULL);
  return host_read_text(root, path);
}

static HostDriver read_driver(const ModuleLists *modules, const char *root, const char *module) {
  g_autofree char *path = g_build_filename(root, "sys/module", module, NULL);

  if (g_file_test(path, G_FILE_TEST_IS_DIR) || lists(modules->builtin, module))
    return HOST_DRIVER_LOADED;
  if (!modules->modules)
    return HOST_DRIVER_UNKNOWN;
  return lists(modules->modules, module) ? HOST_DRIVER_LOADABLE : HOST_DRIVER_MISSING;
}

/* Nodes. */

static void read_node(const HostFacts *facts, const char *root, const char *name, HostNode *node) {
  g_autofree char *path = g_build_filename(root, "dev", name, NULL);
  struct stat status;

  node->there = stat(path, &status) == 0;
  if (!node->there)
    return;
  node->usable = access(path, R_OK | W_OK) == 0;
  node->mode = status.st_mode & 07777;
  node->group = host_group_name(facts, root, status.st_gid, &node->member);
}

/* "CapEff:\t000001ffffffffff" */
static bool has_net_admin(const char *root) {
  g_autofree char *text = host_read_text(root, "proc/self/status");
  const char *line = text ? strstr(text, "CapEff:") : NULL;

  return line && (g_ascii_strtoull(line + strlen("CapEff:"), NULL, 16) >> CAP_NET_ADMIN_BIT & 1);
}

static void read_kvm_group(HostFacts *facts, const char *root) {
  g_autofree char *text = host_read_text(root, "etc/group");
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

  for (char **line = lines; *line; line++) {
    g_auto(GStrv) parts = g_strsplit(*line, ":", 4);
    if (g_strv_length(parts) != 4 || strcmp(parts[0], "kvm") != 0)
      continue;
    g_auto(GStrv) members = g_strsplit(parts[3], ",", -1);
    facts->network.kvm_group_known = true;
    facts->network.kvm_member = facts->process.user && g_strv_contains((const char *const *)members, facts->process.user);
  }
}

/* Devices that there are. */

static uint64_t device_number(const char *root, const char *device, const char *file, uint64_t fallback) {
  g_autofree char *path = g_build_filename(NETWORK_DEVICES, device, file, NULL);
  return host_read_number(root, path, fallback);
}

/* Its flags are "0x1002". A tap may be opened by its owner, and by who may make one. */
static bool is_own_tap(const HostFacts *facts, const char *root, const char *device) {
  g_autofree char *path = g_build_filename(NETWORK_DEVICES, device, "tun_flags", NULL);
  g_autofree char *flags = host_read_text(root, path);

  if (!flags || !(g_ascii_strtoull(flags, NULL, 16) & TUN_FLAG_TAP))
    return false;
  return facts->network.net_admin || device_number(root, device, "owner", UINT64_MAX) == facts->process.uid;
}

/* Behind it there is /dev/tapN, with the number of the network device. */
static bool is_own_macvtap(const char *root, const char *device) {
  g_autofree char *directory = g_build_filename(root, NETWORK_DEVICES, device, "macvtap", NULL);
  g_autofree char *node = g_strdup_printf("%s/dev/tap%" G_GUINT64_FORMAT, root, device_number(root, device, "ifindex", 0));

  return g_file_test(directory, G_FILE_TEST_IS_DIR) && access(node, R_OK | W_OK) == 0;
}

static int compare_names(gconstpointer a, gconstpointer b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_devices(HostFacts *facts, const char *root) {
  HostNetwork *network = &facts->network;
  g_autofree char *path = g_build_filename(root, NETWORK_DEVICES, NULL);
  g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);

  network->taps = g_ptr_array_new_with_free_func(g_free);
  network->macvtaps = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; directory && (name = g_dir_read_name(directory));) {
    if (is_own_tap(facts, root, name))
      g_ptr_array_add(network->taps, g_strdup(name));
    if (is_own_macvtap(root, name))
      g_ptr_array_add(network->macvtaps, g_strdup(name));
  }
  g_ptr_array_sort(network->taps, compare_names);
  g_ptr_array_sort(network->macvtaps, compare_names);
}

void host_network_read(HostFacts *facts, const char *root) {
  HostNetwork *network = &facts->network;
  g_autofree char *modules = read_list(facts, root, "modules.dep"), *builtin = read_list(facts, root, "modules.builtin");
  const ModuleLists lists = {modules, builtin};
  const struct {
    const char *node, *module;
    HostNode *to;
  } nodes[] = {
      {"net/tun", "tun", &network->tun},
      {"vhost-net", "vhost_net", &network->vhost_net},
      {"vhost-vsock", "vhost_vsock", &network->vhost_vsock},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(nodes); i++) {
    read_node(facts, root, nodes[i].node, nodes[i].to);
    nodes[i].to->driver = read_driver(&lists, root, nodes[i].module);
  }
  network->macvtap = read_driver(&lists, root, "macvtap");
  network->net_admin = has_net_admin(root);
  read_kvm_group(facts, root);
  read_devices(facts, root);
}

void host_network_clear(HostNetwork *network) {
  g_free(network->tun.group);
  g_free(network->vhost_net.group);
  g_free(network->vhost_vsock.group);
  g_ptr_array_unref(network->taps);
  g_ptr_array_unref(network->macvtaps);
}
