/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one value alone does not tell: whether the files are there, and whether the values go together. Run last, on
 * what flags and description files have left, and to settle what they left open; what depends on the host (KVM, its
 * GIC, its memory) is checked by whoever asks the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/boot/command-line.h"
#include "vmm/config/board.h"
#include "vmm/config/config.h"
#include "vmm/control/runtime-directory.h"
#include "vmm/cpu/features.h"
#include "vmm/cpu/pin.h"
#include "vmm/helpers/passt.h"
#include "vmm/hypercall/plan.h"

/* Fills in STATUS. BLOCK: a block device will do as well. */
static bool check_file(OptionDraft *draft, const char *where, const char *path, bool block, struct stat *status) {
  if (stat(path, status) < 0) {
    int reason = errno;
    bool tilde = reason == ENOENT && g_str_has_prefix(path, "~/");
    option_mistake(draft, where, "cannot open '%s': %s%s", path, g_strerror(reason), tilde ? " (the shell left the ~ as it is)" : "");
    return false;
  }
  if (S_ISDIR(status->st_mode)) {
    option_mistake(draft, where, "'%s' is a directory, a file is wanted", path);
    return false;
  }
  if (!S_ISREG(status->st_mode) && !(block && S_ISBLK(status->st_mode))) {
    option_mistake(draft, where, "'%s' is not a regular file%s", path, block ? " or block device" : "");
    return false;
  }
  if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
    option_mistake(draft, where, "cannot read '%s': %s", path, g_strerror(errno));
    return false;
  }
  return true;
}

static void check_boot_files(OptionDraft *draft, const Config *config) {
  struct stat status;
  if (config->kernel)
    check_file(draft, option_where(draft, "kernel", -1), config->kernel, false, &status);
  if (config->initrd && check_file(draft, option_where(draft, "initrd", -1), config->initrd, false, &status) && status.st_size == 0)
    option_mistake(draft, option_where(draft, "initrd", -1), "'%s' is empty", config->initrd);

  /* Where a description could not be read, the kernel may be in there. */
  if (config->kernel || draft->incomplete)
    return;
  if (config->initrd)
    option_mistake(draft, option_where(draft, "initrd", -1), "an initrd needs a kernel: add --kernel FILE");
  else if (!config->dry_run && !config->dump_fdt)
    option_mistake(draft, NULL, "no kernel given: add --kernel FILE");
}

static bool same_file(const struct stat *a, const struct stat *b) {
  if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
    return a->st_rdev == b->st_rdev;
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Two disks on one file that either of them writes would destroy what is on it. */
static void check_shared_disk(OptionDraft *draft, const Config *config, const struct stat *statuses, unsigned index) {
  const DiskConfig *disk = config->disks->pdata[index];
  for (unsigned i = 0; i < index; i++) {
    const DiskConfig *other = config->disks->pdata[i];
    if (!statuses[i].st_mode || !same_file(&statuses[i], &statuses[index]) || (disk->read_only && other->read_only))
      continue;
    option_mistake(draft, option_where(draft, "disk", index),
                   "'%s' is the same disk as '%s' (number %u) and not read-only in both: add ro to both", disk->path, other->path, i + 1);
    return;
  }
}

static void check_disks(OptionDraft *draft, const Config *config) {
  const GPtrArray *disks = config->disks;
  g_autofree struct stat *statuses = g_new0(struct stat, disks->len + 1);
  for (unsigned i = 0; i < disks->len; i++) {
    const DiskConfig *disk = disks->pdata[i];
    const char *where = option_where(draft, "disk", i);
    /* Without a path: already reported. */
    if (!disk->path || !check_file(draft, where, disk->path, true, &statuses[i])) {
      statuses[i].st_mode = 0;
      continue;
    }
    if (!disk->read_only && faccessat(AT_FDCWD, disk->path, W_OK, AT_EACCESS) < 0)
      option_mistake(draft, where, "cannot write '%s': %s; a read-only disk has ro", disk->path, g_strerror(errno));
    check_shared_disk(draft, config, statuses, i);
  }
}

static void check_vsock(OptionDraft *draft, const Config *config) {
  for (unsigned i = 0; i < config->vsock->len; i++) {
    VsockConfig *vsock = config->vsock->pdata[i];
    const char *where = option_where(draft, "vsock", (int)i);
    g_autofree char *why = NULL;
    if (vsock->cid && !virtio_vsock_parse_cid(vsock->cid, !vsock->path, &vsock->guest_cid, &why))
      option_mistake(draft, where, "%s", why);
    if (i == 1)
      option_mistake(draft, where, "a guest has one vsock device: leave one of them out");
  }
}

static void check_devices(OptionDraft *draft, const Config *config) {
  for (unsigned i = 0; i < config->devices->len; i++) {
    const VhostUserDeviceConfig *device = config->devices->pdata[i];
    const char *where = option_where(draft, "device", (int)i);
    g_autofree char *types = vhost_user_type_names();

    struct sockaddr_un address;
    if (device->path && strlen(device->path) >= sizeof address.sun_path)
      option_mistake(draft, where, "vhost-user: the path is too long for a socket: %zu bytes, and %zu are possible", strlen(device->path),
                     sizeof address.sun_path - 1);
    if (!device->path)
      option_mistake(draft, where, "needs vhost-user=PATH: the socket of the process that is the device");
    if (!device->type || !vhost_user_type_id(device->type))
      option_mistake(draft, where, "%s type=TYPE, which is one of %s, or an ID from 1 to %d", device->type ? "has a wrong" : "needs", types,
                     VHOST_USER_TYPE_ID_MAX);
  }
}

/* Whether both listen at the same place. */
static bool collide(const PasstForward *a, const PasstForward *b) {
  return a->udp == b->udp && a->host_port == b->host_port && (!a->address || !b->address || strcmp(a->address, b->address) == 0);
}

/* KNOWN: what was forwarded before, by other cards, too. */
static void check_forwards(OptionDraft *draft, const NetConfig *net, const char *where, GPtrArray *known) {
  for (unsigned i = 0; i < net->forwards->len; i++) {
    const char *text = net->forwards->pdata[i], *why;
    PasstForward *forward = g_new0(PasstForward, 1);

    if (!passt_parse_forward(text, forward, &why)) {
      option_mistake(draft, where, "forward: '%s': %s", text, why);
      passt_forward_free(forward);
      continue;
    }
    for (unsigned j = 0; j < known->len; j++)
      if (collide(forward, known->pdata[j])) {
        option_mistake(draft, where, "forward: %s port %u of the host is forwarded twice", forward->udp ? "UDP" : "TCP",
                       forward->host_port);
        break;
      }
    g_ptr_array_add(known, forward);
  }
}

/* What one of the places has, and the others have not. */
static void check_place(OptionDraft *draft, const NetConfig *net, const char *where) {
  bool is_tap = !net->unix_path && !net->user;

  if (!is_tap && net->queues > 1)
    option_mistake(draft, where, "queues: a %s has one queue each way", net->user ? "user network" : "socket");
  if (!is_tap && net->vhost == NET_VHOST_ON)
    option_mistake(draft, where, "vhost: the host's kernel serves taps, and no %s", net->user ? "user networks" : "sockets");
  if (!net->user && (net->forwards->len || net->restricted))
    option_mistake(draft, where, "%s is for a user network: --net user", net->restricted ? "restrict" : "forward");
}

/* What can be seen of a place without going there: the names that it can have, and that no two cards have one. */
static void check_names(OptionDraft *draft, const Config *config, unsigned index) {
  const NetConfig *net = config->nets->pdata[index];
  const char *where = option_where(draft, "net", (int)index);
  struct sockaddr_un address;

  if (net->tap &&
      (strlen(net->tap) >= IFNAMSIZ || strpbrk(net->tap, "/: \t\n") || strcmp(net->tap, ".") == 0 || strcmp(net->tap, "..") == 0))
    option_mistake(draft, where, "tap: '%s' is no name of a network device: 1 to %d characters, and no slash, colon or space among them",
                   net->tap, IFNAMSIZ - 1);
  if (net->unix_path && strlen(net->unix_path) >= sizeof address.sun_path)
    option_mistake(draft, where, "unix: the path is too long for a socket: %zu bytes, and %zu are possible", strlen(net->unix_path),
                   sizeof address.sun_path - 1);
  for (unsigned i = 0; i < index; i++) {
    const NetConfig *other = config->nets->pdata[i];
    if (net->tap && other->tap && strcmp(net->tap, other->tap) == 0)
      option_mistake(draft, where, "tap: '%s' is that of card number %u, too", net->tap, i + 1);
    if (net->fd && other->fd && net->fd < other->fd + MAX(other->queues, 1) && other->fd < net->fd + MAX(net->queues, 1))
      option_mistake(draft, where, "fd: descriptor %u is one of card number %u, too", MAX(net->fd, other->fd), i + 1);
  }
}

static void check_nets(OptionDraft *draft, const Config *config) {
  g_autoptr(GPtrArray) forwards = g_ptr_array_new_with_free_func(passt_forward_free);

  for (unsigned i = 0; i < config->nets->len; i++) {
    const NetConfig *net = config->nets->pdata[i];
    const char *where = option_where(draft, "net", (int)i);
    uint8_t mac[NET_MAC_SIZE];
    int places = (net->tap != NULL) + (net->fd != 0) + (net->unix_path != NULL) + net->user;

    if (places != 1)
      option_mistake(draft, where, "%s: give one of user, tap=NAME, fd=N and unix=PATH",
                     places ? "a card has one place where it is connected" : "it is not said where the card is connected");
    check_place(draft, net, where);
    check_names(draft, config, i);
    check_forwards(draft, net, where, forwards);
    if (net->mac && !virtio_net_parse_mac(net->mac, mac))
      option_mistake(draft, where, "mac: '%s' is not the address of a card, such as 02:00:00:12:34:56", net->mac);
    for (unsigned j = 0; j < i; j++) {
      const NetConfig *other = config->nets->pdata[j];
      if (net->mac && other->mac && g_ascii_strcasecmp(net->mac, other->mac) == 0)
        option_mistake(draft, where, "mac: '%s' is that of card number %u, too", net->mac, j + 1);
    }
  }
}

static void add_lines(OptionDraft *draft, const char *where, const char *message) {
  g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
  for (unsigned i = 0; lines[i]; i++)
    option_mistake(draft, where, "%s", lines[i]);
}

static void check_sve(OptionDraft *draft, const CpuConfig *cpu, unsigned index) {
  const char *where = option_where(draft, "cpu", (int)index);
  g_autofree char *why = NULL;
  CpuSveLengths lengths;
  if (cpu->sve_lengths && !cpu_sve_parse(cpu->sve_lengths, &lengths, &why))
    option_mistake(draft, where, "sve-vl: %s", why);
  else if (cpu->sve_lengths && cpu->sve == CPU_OFF)
    option_mistake(draft, where, "sve-vl has no meaning with sve=off");
}

/* EL2 by whichever of its two names. */
static void check_nested(OptionDraft *draft, const Config *config, CpuConfig *cpu) {

  if (config->nested ? cpu->el2 == CPU_OFF : cpu->el2 == CPU_ON && option_is_given(draft, "nested"))
    option_mistake(draft, option_where(draft, "nested", -1), "%s contradicts --cpu host,el2=%s", config->nested ? "EL2" : "off",
                   config->nested ? "off" : "on");
  else if (config->nested)
    cpu->el2 = CPU_ON;
  cpu->el2_e2h0 = config->nested == NESTED_E2H0;
  if (cpu->el2 == CPU_ON && config->gic == GIC_V2)
    option_mistake(draft, option_where(draft, "gic", -1), "a guest with EL2 needs GIC version 3");
}

/* Of several --cpu, the last one counts, as with options that are no list. */
static void check_cpu(OptionDraft *draft, Config *config) {
  g_autoptr(GError) error = NULL;
  if (config->cpu->len == 0)
    g_ptr_array_add(config->cpu, g_new0(CpuConfig, 1));
  for (unsigned i = 0; i < config->cpu->len; i++)
    check_sve(draft, config->cpu->pdata[i], i);
  if (config->cpu->len > 1)
    g_ptr_array_remove_range(config->cpu, 0, config->cpu->len - 1);
  check_nested(draft, config, config->cpu->pdata[0]);
  if (!config->cpu_template)
    return;
  config->cpu_fields = cpu_template_load(config->cpu_template, &error);
  if (!config->cpu_fields)
    add_lines(draft, option_where(draft, "cpu-template", -1), error->message);
}

static const char *where_of(const void *opaque, const char *option, int index) {
  return option_where(opaque, option, index);
}

static void check_hypercalls(OptionDraft *draft, const Config *config) {
  g_autoptr(GError) error = NULL;
  const HypercallRequest request = {config->psci, config->hypercalls, config->smccc, where_of, draft};
  g_autoptr(GArray) plan = hypercall_plan(&request, &error);

  if (plan)
    return;
  add_lines(draft, NULL, error->message);
}

static void check_pin(OptionDraft *draft, const Config *config) {
  g_autoptr(GError) error = NULL;

  if (config->pin && !pin_is_valid(config->pin, &error))
    option_mistake(draft, option_where(draft, "pin", -1), "%s", error->message);
}

/* A virtio console is not found through stdout-path: Linux must be told, unless the user names consoles. */
static void settle_command_line(OptionDraft *draft, Config *config) {
  size_t user_length = strlen(config->append);
  g_autofree char *why = NULL;

  if (config->console == CONSOLE_VIRTIO)
    command_line_add(&config->append, "console=hvc0");
  if (!command_line_fits(config->append, user_length, &why))
    option_mistake(draft, option_where(draft, "append", -1), "%s", why);
}

/* Whether there can be such a machine at all. Where the GIC is left open, the one that allows for more is taken. */
static void check_board(OptionDraft *draft, const Config *config) {
  g_autoptr(GError) error = NULL;

  if (config->gic == GIC_V2 && config->cpus > LAYOUT_GICV2_MAX_CPUS) {
    option_mistake(draft, option_where(draft, "cpus", -1), "%u CPUs need GIC version 3: version 2 serves at most %d", config->cpus,
                   LAYOUT_GICV2_MAX_CPUS);
    return;
  }
  g_autoptr(Board) board = board_new(config, config->gic == GIC_AUTO ? GIC_V3 : config->gic, &error);
  if (!board)
    option_mistake(draft, g_error_matches(error, BOARD_ERROR, BOARD_ERROR_ADDRESSES) ? option_where(draft, "ipa-bits", -1) : NULL, "%s",
                   error->message);
}

static void check_name(OptionDraft *draft, const Config *config) {
  if (config->name && !runtime_name_is_valid(config->name))
    option_mistake(draft, option_where(draft, "name", -1),
                   "'%s': letters, digits, '.', '_' and '-' make a name, of which the first is a letter or digit", config->name);
  if (config->detach && !config->name)
    option_mistake(draft, option_where(draft, "detach", -1), "nothing could find the machine again: add --name NAME");
}

void config_check(OptionDraft *draft, Config *config) {
  if (config->console == CONSOLE_AUTO)
    config->console = config->defaults ? CONSOLE_PL011 : CONSOLE_NONE;
  settle_command_line(draft, config);
  check_boot_files(draft, config);
  check_cpu(draft, config);
  check_disks(draft, config);
  check_vsock(draft, config);
  check_devices(draft, config);
  check_nets(draft, config);
  option_name_files(draft, config->named);
  check_hypercalls(draft, config);
  check_pin(draft, config);
  check_board(draft, config);
  check_name(draft, config);
}
