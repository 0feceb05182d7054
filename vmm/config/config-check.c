/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one value alone does not tell: whether the files are there, and whether the values go together. Run last, on
 * what flags and description files have left, and to settle what they left open; what depends on the host (KVM, its
 * GIC, its memory) is checked by whoever asks the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot/command-line.h"
#include "vmm/config/board.h"
#include "vmm/config/config-option.h"
#include "vmm/cpu/features.h"
#include "vmm/cpu/pin.h"
#include "vmm/hypercall/plan.h"

#define GICV2_CPUS_MAX 8 /* Arm IHI 0048, 1.1: a GICv2 has up to eight CPU interfaces */

/* Fills in STATUS. BLOCK: a block device will do as well. */
static bool check_file(ConfigDraft *draft, const char *where, const char *path, bool block, struct stat *status) {
  if (stat(path, status) < 0) {
    int reason = errno;
    bool tilde = reason == ENOENT && g_str_has_prefix(path, "~/");
    config_mistake(draft, where, "cannot open '%s': %s%s", path, g_strerror(reason), tilde ? " (the shell left the ~ as it is)" : "");
    return false;
  }
  if (S_ISDIR(status->st_mode)) {
    config_mistake(draft, where, "'%s' is a directory, a file is wanted", path);
    return false;
  }
  if (!S_ISREG(status->st_mode) && !(block && S_ISBLK(status->st_mode))) {
    config_mistake(draft, where, "'%s' is not a regular file%s", path, block ? " or block device" : "");
    return false;
  }
  if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
    config_mistake(draft, where, "cannot read '%s': %s", path, g_strerror(errno));
    return false;
  }
  return true;
}

static void check_boot_files(ConfigDraft *draft) {
  const Config *config = draft->config;
  struct stat status;
  if (config->kernel)
    check_file(draft, config_where(draft, "kernel", -1), config->kernel, false, &status);
  if (config->initrd && check_file(draft, config_where(draft, "initrd", -1), config->initrd, false, &status) && status.st_size == 0)
    config_mistake(draft, config_where(draft, "initrd", -1), "'%s' is empty", config->initrd);

  /* Where a description could not be read, the kernel may be in there. */
  if (config->kernel || draft->incomplete)
    return;
  if (config->initrd)
    config_mistake(draft, config_where(draft, "initrd", -1), "an initrd needs a kernel: add --kernel FILE");
  else if (!config->dry_run && !config->dump_fdt)
    config_mistake(draft, NULL, "no kernel given: add --kernel FILE");
}

static bool same_file(const struct stat *a, const struct stat *b) {
  if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
    return a->st_rdev == b->st_rdev;
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Two disks on one file that either of them writes would destroy what is on it. */
static void check_shared_disk(ConfigDraft *draft, const struct stat *statuses, unsigned index) {
  const DiskConfig *disk = draft->config->disks->pdata[index];
  for (unsigned i = 0; i < index; i++) {
    const DiskConfig *other = draft->config->disks->pdata[i];
    if (!statuses[i].st_mode || !same_file(&statuses[i], &statuses[index]) || (disk->read_only && other->read_only))
      continue;
    config_mistake(draft, config_where(draft, "disk", index),
                   "'%s' is the same disk as '%s' (number %u) and not read-only in both: add ro to both", disk->path, other->path, i + 1);
    return;
  }
}

static void check_disks(ConfigDraft *draft) {
  const GPtrArray *disks = draft->config->disks;
  g_autofree struct stat *statuses = g_new0(struct stat, disks->len + 1);
  for (unsigned i = 0; i < disks->len; i++) {
    const DiskConfig *disk = disks->pdata[i];
    const char *where = config_where(draft, "disk", i);
    /* Without a path: already reported. */
    if (!disk->path || !check_file(draft, where, disk->path, true, &statuses[i])) {
      statuses[i].st_mode = 0;
      continue;
    }
    if (!disk->read_only && faccessat(AT_FDCWD, disk->path, W_OK, AT_EACCESS) < 0)
      config_mistake(draft, where, "cannot write '%s': %s; a read-only disk has ro", disk->path, g_strerror(errno));
    check_shared_disk(draft, statuses, i);
  }
}

static void add_lines(ConfigDraft *draft, const char *where, const char *message) {
  g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
  for (unsigned i = 0; lines[i]; i++)
    config_mistake(draft, where, "%s", lines[i]);
}

static void check_sve(ConfigDraft *draft, const CpuConfig *cpu, unsigned index) {
  const char *where = config_where(draft, "cpu", (int)index);
  g_autofree char *why = NULL;
  CpuSveLengths lengths;
  if (cpu->sve_lengths && !cpu_sve_parse(cpu->sve_lengths, &lengths, &why))
    config_mistake(draft, where, "sve-vl: %s", why);
  else if (cpu->sve_lengths && cpu->sve == CPU_OFF)
    config_mistake(draft, where, "sve-vl has no meaning with sve=off");
}

/* EL2 by whichever of its two names. */
static void check_nested(ConfigDraft *draft, CpuConfig *cpu) {
  Config *config = draft->config;

  if (config->nested ? cpu->el2 == CPU_OFF : cpu->el2 == CPU_ON && config_is_given(draft, "nested"))
    config_mistake(draft, config_where(draft, "nested", -1), "%s contradicts --cpu host,el2=%s", config->nested ? "EL2" : "off",
                   config->nested ? "off" : "on");
  else if (config->nested)
    cpu->el2 = CPU_ON;
  cpu->el2_e2h0 = config->nested == NESTED_E2H0;
  if (cpu->el2 == CPU_ON && config->gic == GIC_V2)
    config_mistake(draft, config_where(draft, "gic", -1), "a guest with EL2 needs GIC version 3");
}

/* Of several --cpu, the last one counts, as with options that are no list. */
static void check_cpu(ConfigDraft *draft) {
  Config *config = draft->config;
  g_autoptr(GError) error = NULL;
  if (config->cpu->len == 0)
    g_ptr_array_add(config->cpu, g_new0(CpuConfig, 1));
  for (unsigned i = 0; i < config->cpu->len; i++)
    check_sve(draft, config->cpu->pdata[i], i);
  if (config->cpu->len > 1)
    g_ptr_array_remove_range(config->cpu, 0, config->cpu->len - 1);
  check_nested(draft, config->cpu->pdata[0]);
  if (!config->cpu_template)
    return;
  config->cpu_fields = cpu_template_load(config->cpu_template, &error);
  if (!config->cpu_fields)
    add_lines(draft, config_where(draft, "cpu-template", -1), error->message);
}

static const char *option_where(const void *opaque, const char *option, int index) {
  return config_where(opaque, option, index);
}

static void check_hypercalls(ConfigDraft *draft) {
  g_autoptr(GError) error = NULL;
  const HypercallRequest request = {draft->config->psci, draft->config->hypercalls, draft->config->smccc, option_where, draft};
  g_autoptr(GArray) plan = hypercall_plan(&request, &error);

  if (plan)
    return;
  add_lines(draft, NULL, error->message);
}

static void check_pin(ConfigDraft *draft) {
  g_autoptr(GError) error = NULL;

  if (draft->config->pin && !pin_is_valid(draft->config->pin, &error))
    config_mistake(draft, config_where(draft, "pin", -1), "%s", error->message);
}

/* A virtio console is not found through stdout-path: Linux must be told, unless the user names consoles. */
static void settle_command_line(ConfigDraft *draft) {
  Config *config = draft->config;
  size_t user_length = strlen(config->append);
  g_autofree char *why = NULL;

  if (config->console == CONSOLE_VIRTIO)
    command_line_add(&config->append, "console=hvc0");
  if (!command_line_fits(config->append, user_length, &why))
    config_mistake(draft, config_where(draft, "append", -1), "%s", why);
}

/* Whether there can be such a machine at all. Where the GIC is left open, the one that allows for more is taken. */
static void check_board(ConfigDraft *draft) {
  const Config *config = draft->config;
  g_autoptr(GError) error = NULL;

  if (config->gic == GIC_V2 && config->cpus > GICV2_CPUS_MAX) {
    config_mistake(draft, config_where(draft, "cpus", -1), "%u CPUs need GIC version 3: version 2 serves at most %d", config->cpus,
                   GICV2_CPUS_MAX);
    return;
  }
  g_autoptr(Board) board = board_new(config, config->gic == GIC_AUTO ? GIC_V3 : config->gic, &error);
  if (!board)
    config_mistake(draft, g_error_matches(error, BOARD_ERROR, BOARD_ERROR_ADDRESSES) ? config_where(draft, "ipa-bits", -1) : NULL, "%s",
                   error->message);
}

/* Of RECORD, the Config or an element of a list, the file that OPTION names. */
static void name_file(ConfigDraft *draft, const void *record, const ConfigOption *option, const char *where, GString *mistakes) {
  const char *path = *(char *const *)((const char *)record + option->offset);

  if (!option->written)
    named_files_read(draft->config->named, where, path, mistakes);
  else if (!option->alone || g_strcmp0(path, option->alone) != 0) /* which is a standard stream */
    named_files_write(draft->config->named, where, path, mistakes);
}

static void name_files_of_list(ConfigDraft *draft, const ConfigOption *list, GString *mistakes) {
  const GPtrArray *elements = *(GPtrArray *const *)((const char *)draft->config + list->offset);

  for (unsigned i = 0; i < elements->len; i++)
    for (const ConfigOption *option = list->element->options; option->name; option++)
      if (option->kind == OPTION_PATH)
        name_file(draft, elements->pdata[i], option, config_where(draft, list->name, (int)i), mistakes);
}

/* Nothing that one option names is to be overwritten for another. */
static void check_named_files(ConfigDraft *draft) {
  g_autoptr(GString) mistakes = g_string_new(NULL);

  for (unsigned i = 0; i < draft->descriptions->len; i++)
    named_files_read(draft->config->named, "--config", draft->descriptions->pdata[i], mistakes);
  for (const ConfigOption *option = config_options; option->name; option++) {
    if (option->kind == OPTION_PATH)
      name_file(draft, draft->config, option, config_where(draft, option->name, -1), mistakes);
    else if (option->kind == OPTION_LIST)
      name_files_of_list(draft, option, mistakes);
  }
  if (mistakes->len)
    add_lines(draft, NULL, mistakes->str);
}

void config_check(ConfigDraft *draft) {
  Config *config = draft->config;
  if (config->console == CONSOLE_AUTO)
    config->console = config->defaults ? CONSOLE_PL011 : CONSOLE_NONE;
  settle_command_line(draft);
  check_boot_files(draft);
  check_cpu(draft);
  check_disks(draft);
  check_named_files(draft);
  check_hypercalls(draft);
  check_pin(draft);
  check_board(draft);
}
