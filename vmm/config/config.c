/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option table, and the flags. Everything that an option is lies in the table: its flag, its key in a description
 * file, its field, the values it takes, its help. A new option is a line here and a field in config.h; docs/eret.1 and
 * the completion are held against it by a test.
 *
 * Order: the description files of --config as they come, then the flags, so that flags win; then the checks of the
 * whole. No step stops at a mistake: all are collected and come back as one error.
 */
#include "vmm/config/config.h"

#include <string.h>

#include "vmm/boot/command-line.h"
#include "vmm/config/config-option.h"
#include "vmm/hypercall/peer.h"

#define CPUS_MAX             512 /* what any ARM64 kernel's KVM takes; the host may take fewer */
#define MEMORY_DEFAULT       (UINT64_C(512) << 20)
#define MEMORY_MIN           (UINT64_C(16) << 20) /* below, no kernel of today unpacks its init */
#define MEMORY_MAX           (UINT64_C(4) << 40)  /* the host's IPA size ends earlier on most machines */
#define MEMORY_STEP          (UINT64_C(2) << 20)  /* a huge page, and the boot protocol's alignment */
#define RECORD_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define RECORD_LIMIT_MIN     (UINT64_C(1) << 20)
#define RECORD_LIMIT_MAX     (UINT64_C(1) << 40)
#define GRACE_DEFAULT        10
#define GRACE_MAX            86400 /* a day */
#define DISK_SERIAL_MAX      20    /* virtio 1.2, 5.2.6: VIRTIO_BLK_T_GET_ID */

G_DEFINE_QUARK(eret_config_error, config_error)

static void disk_config_free(void *opaque) {
  DiskConfig *disk = opaque;
  g_free(disk->path);
  g_free(disk->serial);
  g_free(disk);
}

static const OptionChoice disk_formats[] = {{"auto", DISK_IMAGE_FORMAT_AUTO}, {"raw", DISK_IMAGE_FORMAT_RAW}, {NULL, 0}};

static const ConfigOption disk_options[] = {
    {.name = "file", .kind = OPTION_PATH, .offset = offsetof(DiskConfig, path), .argument = "FILE"},
    {.name = "ro", .kind = OPTION_BOOLEAN, .offset = offsetof(DiskConfig, read_only)},
    {.name = "format", .kind = OPTION_CHOICE, .offset = offsetof(DiskConfig, format), .choices = disk_formats, .argument = "raw"},
    {.name = "serial", .kind = OPTION_STRING, .offset = offsetof(DiskConfig, serial), .argument = "TEXT", .max = DISK_SERIAL_MAX},
    {.name = NULL},
};

static const OptionElement disk_element = {
    .options = disk_options,
    .first_unnamed = true,
    .size = sizeof(DiskConfig),
};

static void cpu_config_free(void *opaque) {
  CpuConfig *cpu = opaque;
  g_free(cpu->sve_lengths);
  g_free(cpu);
}

static const OptionChoice cpu_models[] = {{"host", CPU_HOST}, {NULL, 0}};
static const OptionChoice cpu_choices[] = {{"auto", CPU_AUTO}, {"on", CPU_ON}, {"off", CPU_OFF}, {NULL, 0}};

static const ConfigOption cpu_options[] = {
    {.name = "model", .kind = OPTION_CHOICE, .offset = offsetof(CpuConfig, model), .choices = cpu_models},
    {.name = "sve", .kind = OPTION_CHOICE, .offset = offsetof(CpuConfig, sve), .choices = cpu_choices, .argument = "on|off|auto"},
    {.name = "sve-vl", .kind = OPTION_STRING, .offset = offsetof(CpuConfig, sve_lengths), .argument = "BITS[:BITS...]"},
    {.name = "pauth", .kind = OPTION_CHOICE, .offset = offsetof(CpuConfig, pauth), .choices = cpu_choices, .argument = "on|off|auto"},
    {.name = "pmu", .kind = OPTION_CHOICE, .offset = offsetof(CpuConfig, pmu), .choices = cpu_choices, .argument = "on|off|auto"},
    {.name = "steal-time",
     .kind = OPTION_CHOICE,
     .offset = offsetof(CpuConfig, steal_time),
     .choices = cpu_choices,
     .argument = "on|off|auto"},
    {.name = "mte", .kind = OPTION_CHOICE, .offset = offsetof(CpuConfig, mte), .choices = cpu_choices, .argument = "on|off|auto"},
    {.name = "el2", .kind = OPTION_CHOICE, .offset = offsetof(CpuConfig, el2), .choices = cpu_choices, .argument = "on|off|auto"},
    {.name = NULL},
};

static const OptionElement cpu_element = {
    .options = cpu_options,
    .first_unnamed = true,
    .size = sizeof(CpuConfig),
};

static void smccc_config_free(void *opaque) {
  SmcccConfig *smccc = opaque;
  g_free(smccc->rule);
  g_free(smccc);
}

static const ConfigOption smccc_options[] = {
    {.name = "rule", .kind = OPTION_STRING, .offset = offsetof(SmcccConfig, rule), .argument = "ACTION=RANGE"},
    {.name = NULL},
};

static const OptionElement smccc_element = {
    .options = smccc_options,
    .first_unnamed = true,
    .size = sizeof(SmcccConfig),
};

static void hypercall_config_free(void *opaque) {
  HypercallConfig *hypercall = opaque;
  g_free(hypercall->service);
  g_free(hypercall);
}

static const ConfigOption hypercall_options[] = {
    {.name = "service", .kind = OPTION_STRING, .offset = offsetof(HypercallConfig, service), .argument = "RANGE=unix:PATH"},
    {.name = "timeout",
     .kind = OPTION_NUMBER,
     .offset = offsetof(HypercallConfig, timeout),
     .argument = "MS",
     .min = 1,
     .max = HYPERCALL_PEER_TIMEOUT_MAX},
    {.name = NULL},
};

static const OptionElement hypercall_element = {
    .options = hypercall_options,
    .first_unnamed = true,
    .size = sizeof(HypercallConfig),
};

static const OptionChoice kernel_formats[] = {{"auto", KERNEL_FORMAT_AUTO}, {"raw", KERNEL_FORMAT_RAW}, {NULL, 0}};
static const OptionChoice consoles[] = {{"pl011", CONSOLE_PL011}, {"virtio", CONSOLE_VIRTIO}, {NULL, 0}};
static const OptionChoice transports[] = {{"pci", TRANSPORT_PCI}, {"mmio", TRANSPORT_MMIO}, {NULL, 0}};
static const OptionChoice nesteds[] = {{"off", NESTED_OFF}, {"vhe", NESTED_VHE}, {"e2h0", NESTED_E2H0}, {NULL, 0}};
static const OptionChoice power_buttons[] = {{"auto", POWER_BUTTON_AUTO}, {"gpio", POWER_BUTTON_GPIO}, {"virtio", POWER_BUTTON_VIRTIO},
                                             {"both", POWER_BUTTON_BOTH}, {"none", POWER_BUTTON_NONE}, {NULL, 0}};
static const OptionChoice exits[] = {{"lean", EXITS_LEAN}, {"all", EXITS_ALL}, {NULL, 0}};
static const OptionChoice pscis[] = {{"kernel", PSCI_BY_KERNEL}, {"user", PSCI_BY_ERET}, {NULL, 0}};
static const OptionChoice gics[] = {{"auto", GIC_AUTO}, {"2", GIC_V2}, {"3", GIC_V3}, {NULL, 0}};

const ConfigOption config_options[] = {
    {.name = "kernel",
     .kind = OPTION_PATH,
     .offset = offsetof(Config, kernel),
     .group = "What to boot",
     .argument = "FILE",
     .help = "Kernel: arm64 Image, also compressed (gzip, zstd, lz4) or as EFI vmlinuz.efi; or an AArch64 ELF executable."},
    {.name = "kernel-format",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, kernel_format),
     .choices = kernel_formats,
     .help = "raw: a flat binary, loaded 512 KiB above the start of memory and entered at its first byte (default: auto)."},
    {.name = "initrd",
     .kind = OPTION_PATH,
     .offset = offsetof(Config, initrd),
     .argument = "FILE",
     .help = "Initial RAM disk (initramfs), handed to the kernel as it is."},
    {.name = "append",
     .kind = OPTION_STRING,
     .offset = offsetof(Config, append),
     .argument = "TEXT",
     .may_be_empty = true,
     .max = COMMAND_LINE_MAX,
     .help = "The kernel's command line."},

    {.name = "cpus",
     .kind = OPTION_NUMBER,
     .offset = offsetof(Config, cpus),
     .group = "Machine",
     .argument = "N",
     .min = 1,
     .max = CPUS_MAX,
     .help = "Number of virtual CPUs, 1 to 512 or what the host allows (default: 1)."},
    {.name = "cpu",
     .kind = OPTION_LIST,
     .offset = offsetof(Config, cpu),
     .argument = "host[,FEATURE=on|off|auto]...",
     .element = &cpu_element,
     .help = "What the CPUs can do: what the host's can, and of the optional features those that are on. FEATURE: sve, pauth, pmu, "
             "steal-time (auto: on where the host has it), mte (auto: off); sve-vl=BITS[:BITS...]: lengths of SVE vectors."},
    {.name = "cpu-template",
     .kind = OPTION_PATH,
     .offset = offsetof(Config, cpu_template),
     .argument = "FILE",
     .help = "Take features away from the guest's ID registers, as a JSON file says; 'eret cpu' makes such files."},
    {.name = "memory",
     .kind = OPTION_SIZE,
     .offset = offsetof(Config, memory),
     .argument = "SIZE",
     .min = MEMORY_MIN,
     .max = MEMORY_MAX,
     .step = MEMORY_STEP,
     .help = "Memory, 16M to 4T, a multiple of 2M (default: 512M)."},
    {.name = "gic",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, gic),
     .choices = gics,
     .help = "Version of the interrupt controller; auto: 3 where the host has it (default: auto)."},
    {.name = "defaults",
     .kind = OPTION_BOOLEAN,
     .offset = offsetof(Config, defaults),
     .on_by_default = true,
     .help = "Leave out console, clock, GPIO and PCI unless another option needs them."},

    {.name = "disk",
     .kind = OPTION_LIST,
     .offset = offsetof(Config, disks),
     .group = "Devices",
     .argument = "FILE[,ro][,format=raw][,serial=TEXT]",
     .element = &disk_element,
     .help = "A virtio disk on a raw image or block device; repeatable. ro: read-only. format=raw: the file's bytes as they are, also "
             "where they "
             "are those of another image format, which is else refused. serial: at most 20 bytes. A comma in FILE is written ,,."},
    {.name = "console",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, console),
     .choices = consoles,
     .help = "Device behind the terminal (default: pl011; with --no-defaults: none)."},
    {.name = "transport",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, transport),
     .choices = transports,
     .help = "How the guest reaches virtio devices (default: pci)."},
    {.name = "rng", .kind = OPTION_BOOLEAN, .offset = offsetof(Config, rng), .help = "Add a virtio source of random numbers."},
    {.name = "nested",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, nested),
     .choices = nesteds,
     .alone = "vhe",
     .help =
         "Give the guest EL2, so that it can run guests of its own. e2h0: one without the Virtualization Host Extensions, for hypervisors "
         "that do not know them (default: off; alone: vhe)."},
    {.name = "ipa-bits",
     .kind = OPTION_NUMBER,
     .offset = offsetof(Config, ipa_bits),
     .argument = "N",
     .min = 32,
     .max = 52,
     .help = "Bits of guest physical address (default: as few as the machine needs)."},
    {.name = "exits",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, exits),
     .choices = exits,
     .help = "Whether accesses to devices that need nobody leave the guest: lean lets it load and store by itself (default), all has each "
             "one exit, to be seen."},
    {.name = "pin",
     .kind = OPTION_STRING,
     .offset = offsetof(Config, pin),
     .argument = "auto|LIST",
     .help = "Host CPUs to run on: auto keeps to one kind where there are big and little ones, 0-3,8 gives each vCPU one (default: any)."},
    {.name = "scratch",
     .kind = OPTION_BOOLEAN,
     .offset = offsetof(Config, scratch),
     .help = "Add a page of registers that hold what is written to them, for measuring and trying out accesses to devices."},

    {.name = "psci",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, psci),
     .group = "Hypercalls",
     .choices = pscis,
     .help = "Who answers the guest's PSCI calls: KVM, or eret itself (default: kernel)."},
    {.name = "smccc",
     .kind = OPTION_LIST,
     .offset = offsetof(Config, smccc),
     .argument = "ACTION=RANGE",
     .element = &smccc_element,
     .help = "Who answers a range of HVC and SMC functions; repeatable. ACTION: deny, forward (to eret) or kernel. RANGE: 0xFIRST-0xLAST, "
             "0xFIRST+COUNT, 0xID, trng, psci, pvtime, vendor-hyp or ptp."},
    {.name = "hypercall",
     .kind = OPTION_LIST,
     .offset = offsetof(Config, hypercalls),
     .argument = "RANGE=unix:PATH[,timeout=MS]",
     .element = &hypercall_element,
     .help =
         "Send calls in RANGE to the server behind a local socket; repeatable. A call that takes longer than timeout (default: 1000 ms) "
         "gets an error."},

    {.name = "reboot",
     .kind = OPTION_BOOLEAN,
     .offset = offsetof(Config, reboot),
     .group = "Life and death",
     .on_by_default = true,
     .help = "End with exit code 3 when the guest reboots, instead of rebooting it."},
    {.name = "grace",
     .kind = OPTION_NUMBER,
     .offset = offsetof(Config, grace),
     .argument = "SECONDS",
     .max = GRACE_MAX,
     .help = "Time for the guest to power off after its power button was pressed by SIGTERM or SIGINT (default: 10)."},

    {.name = "power-button",
     .kind = OPTION_CHOICE,
     .offset = offsetof(Config, power_button),
     .choices = power_buttons,
     .help = "The button that this presses: a key on a GPIO line, a virtio keyboard, or both; auto: gpio, and both where there is a disk "
             "(default: auto)."},

    {.name = "stats",
     .kind = OPTION_PATH,
     .offset = offsetof(Config, stats),
     .group = "World switches",
     .argument = "FILE",
     .alone = CONFIG_STATS_STDERR,
     .written = true,
     .help = "At the end, and on SIGUSR1, print what the machine needed of eret and of KVM: exits by cause, devices, the boot's steps. "
             "Into FILE; as "
             "JSON when it ends in .json (default: standard error)."},
    {.name = "record",
     .kind = OPTION_PATH,
     .offset = offsetof(Config, record),
     .argument = "FILE",
     .written = true,
     .help = "Write every world switch to FILE, for 'eret trace': KVM's tracepoints (these need root) and eret's own events."},
    {.name = "record-limit",
     .kind = OPTION_SIZE,
     .offset = offsetof(Config, record_limit),
     .argument = "SIZE",
     .min = RECORD_LIMIT_MIN,
     .max = RECORD_LIMIT_MAX,
     .step = RECORD_LIMIT_MIN,
     .help = "End the recording when FILE has this size (default: 1G)."},

    {.name = "config",
     .kind = OPTION_CONFIG,
     .group = "This program",
     .argument = "FILE",
     .help = "Read options from a JSON file: an object whose keys are the names of flags without dashes, such as {\"cpus\": 2, \"disk\": "
             "[\"a.img\"], \"reboot\": false}. Paths in it are relative to its directory. Flags win."},
    {.name = "dump-fdt",
     .kind = OPTION_PATH,
     .offset = offsetof(Config, dump_fdt),
     .argument = "FILE",
     .written = true,
     .help = "Write the guest's device tree to FILE.",
     .not_in_suite = "nothing would run; eret run --dump-fdt writes it"},
    {.name = "dry-run",
     .kind = OPTION_BOOLEAN,
     .offset = offsetof(Config, dry_run),
     .help = "Check everything, print the machine's addresses, interrupts and devices, and end. Needs no KVM.",
     .not_in_suite = "nothing would run; eret test --list tells the mistakes of a suite"},
    {.name = "help", .kind = OPTION_HELP, .help = "This text.", .not_in_suite = "nothing would run"},
    {.name = NULL},
};

/* What an argument without a flag looks like; without an option: an image to convert first. The first match counts. */
static const struct {
  const char *pattern, *option;
} guesses[] = {
    {"*.json", "config"}, {"*initr*", "initrd"}, {"*.cpio*", "initrd"}, {"*.img", "disk"},      {"*.raw", "disk"},   {"*.ext4", "disk"},
    {"*.iso", "disk"},    {"/dev/*", "disk"},    {"*Image*", "kernel"}, {"*vmlinu*", "kernel"}, {"*.elf", "kernel"}, {"*.efi", "kernel"},
    {"*.qcow*", NULL},    {"*.vmdk", NULL},      {"*.vhd*", NULL},      {"*.vdi", NULL},        {"*=*", "append"},
};

static Config *config_new(void) {
  Config *config = g_new0(Config, 1);
  config->append = g_strdup("");
  config->cpus = 1;
  config->memory = MEMORY_DEFAULT;
  config->cpu = g_ptr_array_new_with_free_func(cpu_config_free);
  config->disks = g_ptr_array_new_with_free_func(disk_config_free);
  config->smccc = g_ptr_array_new_with_free_func(smccc_config_free);
  config->hypercalls = g_ptr_array_new_with_free_func(hypercall_config_free);
  config->defaults = true;
  config->reboot = true;
  config->record_limit = RECORD_LIMIT_DEFAULT;
  config->grace = GRACE_DEFAULT;
  config->named = named_files_new();
  return config;
}

const CpuConfig *config_cpu(const Config *config) {
  return g_ptr_array_index(config->cpu, 0);
}

void config_free(Config *config) {
  if (!config)
    return;
  g_free(config->kernel);
  g_free(config->initrd);
  g_free(config->append);
  g_free(config->pin);
  g_ptr_array_unref(config->cpu);
  g_free(config->cpu_template);
  cpu_template_free(config->cpu_fields);
  g_ptr_array_unref(config->disks);
  g_ptr_array_unref(config->smccc);
  g_ptr_array_unref(config->hypercalls);
  g_free(config->stats);
  g_free(config->record);
  g_free(config->dump_fdt);
  named_files_free(config->named);
  g_free(config);
}

/* A flag as it was given, taken apart. */
typedef struct {
  const ConfigOption *option;
  const char *value; /* NULL for booleans, and where it may be left out */
  bool negated;
} Flag;

static const ConfigOption *find_flag(const char *name, bool *negated) {
  const ConfigOption *option = option_find(config_options, name);
  *negated = false;
  if (option || !g_str_has_prefix(name, "no-"))
    return option;
  option = option_find(config_options, name + strlen("no-"));
  *negated = true;
  return option && option_can_be_negated(option) ? option : NULL;
}

static bool is_flag(const char *argument) {
  if (!g_str_has_prefix(argument, "--"))
    return false;
  g_autofree char *name = g_strndup(argument + 2, strcspn(argument + 2, "="));
  bool negated;
  return !*name || find_flag(name, &negated);
}

static void add_stray(ConfigDraft *draft, const char *argument) {
  for (unsigned i = 0; i < G_N_ELEMENTS(guesses); i++) {
    if (!g_pattern_match_simple(guesses[i].pattern, argument))
      continue;
    if (guesses[i].option)
      config_mistake(draft, NULL, "unexpected argument '%s'; did you mean --%s %s?", argument, guesses[i].option, argument);
    else
      config_mistake(draft, NULL,
                     "unexpected argument '%s'; a disk is a raw image: 'qemu-img convert -O raw %s NEW' makes NEW of it, for --disk NEW",
                     argument, argument);
    return;
  }
  config_mistake(draft, NULL, "unexpected argument '%s': everything is given by an option, such as --kernel FILE", argument);
}

/* Returns whether the argument behind it probably belongs to it. */
static bool add_unknown(ConfigDraft *draft, const char *argument) {
  g_autofree char *flag = g_strndup(argument, strcspn(argument, "="));
  const char *name = flag + strspn(flag, "-");
  if (!strcmp(name, "version")) {
    config_mistake(draft, NULL, "--version belongs to eret itself: eret --version");
    return false;
  }
  const ConfigOption *meant;
  if (absent_option(name)) {
    config_mistake(draft, NULL, "unknown option %s: %s", flag, absent_option(name));
    return !strchr(argument, '=');
  }
  g_autofree char *nearest = nearest_option(config_options, name, "--", &meant);
  config_mistake(draft, NULL, "unknown option %s%s", flag, nearest);
  return !strchr(argument, '=') && !(meant && option_can_be_negated(meant));
}

/* Reads the flag at ARGV[*I]; moves *I to the last argument that belongs to it. */
static void read_flag(ConfigDraft *draft, int argc, char **argv, int *i, GArray *flags) {
  const char *argument = argv[*i], *equals = strchr(argument, '=');
  g_autofree char *where = equals ? g_strndup(argument, equals - argument) : g_strdup(argument);
  Flag flag = {0};
  bool value_follows = *i + 1 < argc && !is_flag(argv[*i + 1]);
  if (g_str_has_prefix(where, "--"))
    flag.option = find_flag(where + strlen("--"), &flag.negated);
  if (!flag.option) {
    if (add_unknown(draft, argument) && value_follows && argv[*i + 1][0] != '-')
      ++*i;
    return;
  }
  if (flag.option->kind == OPTION_BOOLEAN || flag.option->kind == OPTION_HELP || flag.negated) {
    if (equals)
      config_mistake(draft, where, "takes no value: it is %s or left out", where);
  } else if (equals) {
    flag.value = equals + 1;
  } else if (flag.option->alone) {
    flag.value = NULL;
  } else if (value_follows) {
    flag.value = argv[++*i];
  } else {
    config_mistake(draft, where, "needs a value");
    return;
  }
  g_array_append_val(flags, flag);
}

static GArray *read_flags(ConfigDraft *draft, int argc, char **argv, bool *help) {
  GArray *flags = g_array_new(false, true, sizeof(Flag));
  bool ended = false;
  for (int i = 0; i < argc; i++) {
    if (ended || argv[i][0] != '-' || !argv[i][1])
      add_stray(draft, argv[i]);
    else if (!strcmp(argv[i], "--"))
      ended = true;
    else if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
      *help = true;
    else
      read_flag(draft, argc, argv, &i, flags);
  }
  return flags;
}

static void apply_flag(ConfigDraft *draft, const Flag *flag) {
  const ConfigOption *option = flag->option;
  g_autofree char *where = g_strconcat("--", option->name, NULL);
  if (option->kind == OPTION_CONFIG || option->kind == OPTION_HELP)
    return;
  if (option->kind == OPTION_LIST) {
    /* With its value: it may be one of many. */
    g_autofree char *which = g_strconcat(where, " ", flag->value, NULL);
    option_add_text(draft, option, which, NULL, flag->value);
    return;
  }
  if (option->kind == OPTION_BOOLEAN || flag->negated)
    option_set_boolean(draft->config, option, !flag->negated);
  else if (!option_set(draft, draft->config, option, where, NULL, flag->value ? flag->value : option->alone))
    return;
  config_set_where(draft, option->name, -1, where);
}

static void apply_flags(ConfigDraft *draft, const GArray *flags) {
  for (unsigned i = 0; i < flags->len; i++) {
    const Flag *flag = &g_array_index(flags, Flag, i);
    if (flag->option->kind != OPTION_CONFIG)
      continue;
    config_begin_source(draft);
    g_ptr_array_add(draft->descriptions, (char *)flag->value);
    config_json_load(draft, flag->value);
  }
  config_begin_source(draft);
  for (unsigned i = 0; i < flags->len; i++)
    apply_flag(draft, &g_array_index(flags, Flag, i));
}

void config_each_flag(int argc, char **argv, ConfigFlagFound found, void *opaque) {
  g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
  ConfigDraft draft = {.mistakes = mistakes};
  bool help = false;
  g_autoptr(GArray) flags = read_flags(&draft, argc, argv, &help);
  const ConfigOption *help_option = option_find(config_options, "help");

  for (unsigned i = 0; i < flags->len; i++) {
    const ConfigOption *option = g_array_index(flags, Flag, i).option;
    found(opaque, option->name, option->not_in_suite);
  }
  if (help)
    found(opaque, help_option->name, help_option->not_in_suite);
}

const char *config_not_in_suite(const Config *config, const char **why) {
  for (const ConfigOption *option = config_options; option->name; option++) {
    const void *field = (const char *)config + option->offset;
    bool is_set = option->kind == OPTION_BOOLEAN ? *(const bool *)field : option->kind == OPTION_PATH && *(char *const *)field;
    if (!option->not_in_suite || !is_set)
      continue;
    *why = option->not_in_suite;
    return option->name;
  }
  return NULL;
}

Config *config_parse(int argc, char **argv, bool *help, GError **error) {
  g_autoptr(Config) config = config_new();
  g_autoptr(GPtrArray) mistakes = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GHashTable) origins = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) listed = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GPtrArray) descriptions = g_ptr_array_new();
  ConfigDraft draft = {.config = config, .mistakes = mistakes, .origins = origins, .listed = listed, .descriptions = descriptions};
  *help = false;
  g_autoptr(GArray) flags = read_flags(&draft, argc, argv, help);
  if (*help)
    return NULL;
  apply_flags(&draft, flags);
  config_check(&draft);
  if (mistakes->len == 0)
    return g_steal_pointer(&config);
  g_ptr_array_add(mistakes, NULL);
  g_autofree char *message = g_strjoinv("\n", (char **)mistakes->pdata);
  g_set_error_literal(error, CONFIG_ERROR, CONFIG_ERROR_INVALID, message);
  return NULL;
}
