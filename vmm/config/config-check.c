/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one value alone does not tell: whether the files are there, and whether the values go together. Run last, on
 * what flags and description files have left, and to settle what they left open; what depends on the host (KVM, its
 * GIC, its memory) is checked by whoever asks the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/backend/vsock-hybrid.h"
#include "vmm/base/output-file.h"
#include "vmm/boot/command-line.h"
#include "vmm/config/board.h"
#include "vmm/config/config-check.h"
#include "vmm/control/known-machine.h"
#include "vmm/control/runtime-directory.h"
#include "vmm/control/ssh-key.h"
#include "vmm/cpu/features.h"
#include "vmm/cpu/pin.h"
#include "vmm/hypercall/plan.h"

bool config_check_file(OptionDraft *draft, const char *where, const char *path, bool block, struct stat *status) {
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

bool config_check_filled_file(OptionDraft *draft, const char *where, const char *path) {
  struct stat status;

  if (!config_check_file(draft, where, path, false, &status))
    return false;
  if (status.st_size != 0)
    return true;
  int fd = descriptor_open(path, O_RDONLY);
  bool made_as_read = fd >= 0 && descriptor_is_made_as_read(fd);
  if (fd >= 0)
    close(fd);
  option_mistake(draft, where, "'%s' %s", path, made_as_read ? DESCRIPTOR_MADE_AS_READ : "is empty");
  return false;
}

bool config_check_directory(const char *path, GError **error) {
  g_autofree char *directory = g_path_get_dirname(path);
  g_autofree char *inside = g_build_filename(directory, ".", NULL); /* of what is no directory it is ENOTDIR */

  if (faccessat(AT_FDCWD, inside, W_OK | X_OK, AT_EACCESS) == 0)
    return true;
  int reason = errno;
  g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(reason), "cannot make '%s': %s", path, g_strerror(reason));
  return false;
}

void config_check_socket(OptionDraft *draft, const char *where, const char *key, const char *path, bool made) {
  struct sockaddr_un address;

  if (strlen(path) >= sizeof address.sun_path)
    option_mistake(draft, where, "%s: the path is too long for a socket: %zu bytes, and %zu are possible", key, strlen(path),
                   sizeof address.sun_path - 1);
  else
    config_check_socket_place(draft, where, key, path, made);
}

void config_check_socket_place(OptionDraft *draft, const char *where, const char *key, const char *path, bool made) {
  g_autoptr(GError) error = NULL;
  struct stat status;

  if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
    option_mistake(draft, where, "%s: '%s' is there already, and is no socket", key, path);
  else if (made && lstat(path, &status) < 0 && !config_check_directory(path, &error))
    option_mistake(draft, where, "%s: %s", key, error->message);
}

static void check_boot_files(OptionDraft *draft, const Config *config) {
  if (config->kernel)
    config_check_filled_file(draft, option_where(draft, "kernel", -1), config->kernel);
  if (config->initrd)
    config_check_filled_file(draft, option_where(draft, "initrd", -1), config->initrd);

  /* Where a description could not be read, the kernel may be in there; and nobody asks twice for it. */
  if (config->kernel || draft->incomplete || option_has_failed(draft, "kernel", -1))
    return;
  if (config->initrd)
    option_mistake(draft, option_where(draft, "initrd", -1), "an initrd needs a kernel: add --kernel FILE");
  else if (config->image && !config_has_firmware(config))
    option_mistake(draft, option_where(draft, "image", -1),
                   "no kernel given, and there is none for ARM64 in /boot: install one (Debian: apt install linux-image-arm64), or add "
                   "--kernel FILE");
  else if (config->needs_kernel)
    option_mistake(draft, NULL, "no kernel given: add --kernel FILE%s", config_has_firmware(config) ? ", which the firmware starts" : "");
  else if (!config_boots(config) && !config_plans_only(config) && !draft->operand_lost && !option_has_failed(draft, "dry-run", -1) &&
           !option_has_failed(draft, "dump-fdt", -1) && !option_has_failed(draft, "dump-acpi", -1) &&
           !option_has_failed(draft, "firmware", 0))
    option_mistake(draft, NULL, "no kernel given: add --kernel FILE, or name a disk image with a system on it");
}

static void check_dumps(OptionDraft *draft, const Config *config) {
  if (output_file_is_stdout(config->dump_fdt) && output_file_is_stdout(config->dump_acpi))
    option_mistake(draft, option_where(draft, "dump-acpi", -1), "one of --dump-fdt and --dump-acpi can go to standard output, not both");
}

static void check_vsock(OptionDraft *draft, const Config *config) {
  for (unsigned i = 0; i < config->vsock->len; i++) {
    VsockConfig *vsock = config->vsock->pdata[i];
    const char *where = option_where(draft, "vsock", (int)i);
    g_autofree char *why = NULL;
    if (vsock->cid && !virtio_vsock_parse_cid(vsock->cid, !vsock->path, &vsock->guest_cid, &why))
      option_mistake(draft, where, "%s", why);
    g_autofree char *unfit = vsock->path && !vsock->later ? vsock_hybrid_explain_path(vsock->path) : NULL;
    if (unfit)
      option_mistake(draft, where, "unix: %s", unfit);
    else if (vsock->path && !vsock->later)
      config_check_socket_place(draft, where, "unix", vsock->path, true);
    if (i == 1)
      option_mistake(draft, where, "a guest has one vsock device: leave one of them out");
  }
}

static void check_vmgenid(OptionDraft *draft, const Config *config) {
  for (unsigned i = 0; i < config->vmgenid->len; i++) {
    const VmGenIdConfig *vmgenid = config->vmgenid->pdata[i];
    const char *where = option_where(draft, "vmgenid", (int)i);
    if (vmgenid->guid && !vmgenid_is_valid(vmgenid->guid))
      option_mistake(draft, where, "'%s' is no GUID: 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 is one, or auto for a random one", vmgenid->guid);
    if (i == 1)
      option_mistake(draft, where, "a machine has one generation ID: leave one of them out");
  }
}

/*
 * Firmware is given both, as QEMU's `virt` gives it, and hands on what it likes (config-note.c). What only a tree can
 * tell of was asked for to be told.
 */
static void settle_tables(Config *config) {
  if (config->tables == TABLES_AUTO)
    config->tables = config_has_firmware(config) && !config_needs_tree(config) ? TABLES_BOTH : TABLES_FDT;
}

static void check_watchdog(OptionDraft *draft, const Config *config) {
  if (config->watchdog != WATCHDOG_NONE && config->tables == TABLES_ACPI)
    option_mistake(draft, option_where(draft, "watchdog", -1),
                   "ACPI has no name for this watchdog, and so the guest would not find it: --tables fdt%s has it",
                   config_has_firmware(config) ? "" : " or both");
}

static void check_devices(OptionDraft *draft, const Config *config) {
  g_autoptr(GHashTable) sockets = g_hash_table_new(g_str_hash, g_str_equal);

  for (unsigned i = 0; i < config->devices->len; i++) {
    const VhostUserDeviceConfig *device = config->devices->pdata[i];
    const char *where = option_where(draft, "device", (int)i);
    g_autofree char *types = vhost_user_type_names();

    if (device->path)
      config_check_socket(draft, where, "vhost-user", device->path, false);
    if (device->path && !g_hash_table_add(sockets, device->path))
      option_mistake(draft, where, "vhost-user: '%s' is the socket of another device, too: each has one of its own", device->path);
    bool failed = option_has_failed(draft, "device", (int)i);
    if (!device->path && !failed)
      option_mistake(draft, where, "needs vhost-user=PATH: the socket of the process that is the device");
    if (device->type ? !vhost_user_type_id(device->type) : !failed)
      option_mistake(draft, where, "%s type=TYPE, which is one of %s, or an ID from 1 to %d", device->type ? "has a wrong" : "needs", types,
                     VHOST_USER_TYPE_ID_MAX);
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
  option_keep_last(config->cpu, option_find(config_options, "cpu")->element);
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

/* Where its vsock listens that nobody asked for: it is found by the machine's name. */
static void add_vsock(OptionDraft *draft, Config *config, const char *where) {
  g_autoptr(GError) error = NULL;
  g_autofree char *base = runtime_directory_base(&error);

  if (!base) {
    option_mistake(draft, where, "%s", error->message);
    return;
  }
  VsockConfig *vsock = option_add_element(draft, config, option_find(config_options, "vsock"), where);
  vsock->cid = g_strdup("auto");
  vsock->path = g_build_filename(base, config->name, MACHINE_VSOCK, NULL);
  vsock->later = true;
}

/* eret's own key may not have been made yet: that is for a run, and not for a plan. */
static void check_ssh(OptionDraft *draft, Config *config) {
  const char *where = option_where(draft, "ssh", -1);
  g_autoptr(GError) error = NULL;

  if (!config->ssh)
    return;
  bool own = strcmp(config->ssh, CONFIG_SSH_OWN_KEY) == 0;
  SshKey *key = own ? ssh_key_find_own(&error) : ssh_key_read(config->ssh, &error);
  if (key)
    config_take_ssh_key(config, key);
  else if (error)
    option_mistake(draft, where, "%s", error->message);
  if (!config->name && !option_has_failed(draft, "name", -1))
    option_mistake(draft, where, "'eret ssh' finds a machine by its name: add --name NAME");
  if (config->name && config->vsock->len == 0 && runtime_name_is_valid(config->name))
    add_vsock(draft, config, where);
}

/* Whether a key that is still to be made has room, too. */
static void check_command_line(OptionDraft *draft, const Config *config, size_t user_length) {
  g_autofree char *line = g_strdup(config->append), *why = NULL;

  if (config->ssh && !config->ssh_key) {
    g_autofree char *words = ssh_key_credentials(SSH_KEY_OWN_LINE);
    command_line_put(&line, words);
  }
  if (command_line_fits(line, user_length, &why))
    return;
  option_mistake(draft, option_where(draft, "append", -1), "%s", why);
  if (config->ssh_key && !g_str_has_prefix(config->ssh_key->line, "ssh-ed25519 "))
    option_mistake(draft, option_where(draft, "ssh", -1), "an Ed25519 key is shorter: ssh-keygen -t ed25519 makes one");
}

/* A virtio console is not found through stdout-path: Linux must be told, unless the user names consoles. */
static void settle_command_line(OptionDraft *draft, Config *config) {
  size_t user_length = strlen(config->append);

  if (config->console == CONSOLE_VIRTIO)
    command_line_add(&config->append, "console=hvc0");
  config_tell_root(config);
  config_tell_mounts(config);
  check_ssh(draft, config);
  check_command_line(draft, config, user_length);
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

static void check_record(OptionDraft *draft, const Config *config) {
  if (output_file_is_stdout(config->record))
    option_mistake(draft, option_where(draft, "record", -1), "standard output is the guest's; a file is wanted, or /dev/fd/N");
}

static void check_name(OptionDraft *draft, const Config *config) {
  if (config->name && !runtime_name_is_valid(config->name))
    option_mistake(draft, option_where(draft, "name", -1),
                   "'%s': letters, digits, '.', '_' and '-' make a name, of which the first is a letter or digit", config->name);
  if (config->detach && !config->name && !option_has_failed(draft, "name", -1))
    option_mistake(draft, option_where(draft, "detach", -1), "nothing could find the machine again: add --name NAME");
}

void config_check(OptionDraft *draft, Config *config) {
  if (config->console == CONSOLE_AUTO)
    config->console = config->defaults ? CONSOLE_PL011 : CONSOLE_NONE;
  config_check_system(draft, config);
  settle_tables(config);
  config_check_image(draft, config);
  config_check_seed(draft, config);
  config_check_rootfs(draft, config);
  config_check_shares(draft, config);
  settle_command_line(draft, config);
  check_boot_files(draft, config);
  check_dumps(draft, config);
  config_check_firmware(draft, config);
  check_cpu(draft, config);
  config_check_disks(draft, config);
  config_check_given(draft, config);
  check_vsock(draft, config);
  check_vmgenid(draft, config);
  check_watchdog(draft, config);
  config_check_identity(draft, config);
  check_devices(draft, config);
  config_check_nets(draft, config);
  option_name_files(draft, config->named);
  check_hypercalls(draft, config);
  check_pin(draft, config);
  check_board(draft, config);
  check_record(draft, config);
  check_name(draft, config);
}
