/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user asked for, from flags and a JSON description, checked as a whole: every mistake is reported at once. No
 * KVM, no device: pure data. The option table in config.c is the one place that names the options.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/flash/flash.h"
#include "devices/share.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/net.h"
#include "devices/virtio/vhost-user.h"
#include "devices/virtio/vsock.h"
#include "devices/vmgenid.h"
#include "vmm/base/named-files.h"
#include "vmm/boot/kernel.h"
#include "vmm/cage/sandbox.h"
#include "vmm/control/ssh-key.h"
#include "vmm/cpu/features.h"
#include "vmm/helpers/image-store.h"
#include "vmm/hypercall/plan.h"
#include "vmm/options/option.h"
#include "vmm/seed/cloud-seed.h"

/* CONSOLE_AUTO is what nobody chose; a checked Config has another. */
typedef enum { CONSOLE_AUTO, CONSOLE_NONE, CONSOLE_PL011, CONSOLE_VIRTIO } ConsoleKind;
typedef enum { GIC_AUTO = 0, GIC_V2 = 2, GIC_V3 = 3 } GicVersion;
typedef enum { TRANSPORT_PCI, TRANSPORT_MMIO } TransportKind;

/*
 * What tells the guest of its machine: a device tree, ACPI with SMBIOS, or both, of which its kernel or its firmware
 * chooses. TABLES_AUTO is what nobody chose; a checked Config has another.
 */
typedef enum { TABLES_AUTO, TABLES_FDT, TABLES_ACPI, TABLES_BOTH } TablesKind;

/* Accesses that need nobody do not leave the guest, or all do. */
typedef enum { EXITS_LEAN, EXITS_ALL } ExitsKind;

/* Which power buttons there are. AUTO: on a GPIO line, and where there is a disk by virtio too. */
typedef enum { POWER_BUTTON_AUTO, POWER_BUTTON_NONE, POWER_BUTTON_GPIO, POWER_BUTTON_VIRTIO, POWER_BUTTON_BOTH } PowerButton;

/*
 * EL2 for the guest. E2H0: one without FEAT_VHE, for hypervisors that were written before it (HCR_EL2.E2H is 0 and
 * stays so).
 */
typedef enum { NESTED_OFF, NESTED_VHE, NESTED_E2H0 } NestedKind;

/* What is asked of the guest's root. */
typedef struct {
  char *path;    /* of a directory, or of an image of a file system */
  bool writable; /* a directory's: what the guest writes is here */
  bool packed;   /* a directory's: it is copied into memory, though it could be shared */
  ShareCache cache;
  bool of_image; /* a directory's: it is made of a container image, and PATH is NULL until then */
} RootfsConfig;

/* What it has come to: nothing, a disk, the last one; a directory that is shared; one in the initramfs. */
typedef enum { ROOT_NONE, ROOT_IMAGE, ROOT_SHARED, ROOT_PACKED } RootKind;

#define CONFIG_ROOT_TAG "rootfs" /* of the directory that is shared */

/* What comes of a guest that has not served its watchdog; NONE: it has none. */
typedef enum { WATCHDOG_NONE, WATCHDOG_RESET, WATCHDOG_POWER_OFF, WATCHDOG_FAIL } WatchdogAction;

#define CONFIG_STATS_STDERR "-"
#define CONFIG_SSH_OWN_KEY  "-"

typedef struct {
  char *path;
} DtboConfig;

typedef enum { MODULE_ANY, MODULE_KERNEL, MODULE_RAMDISK, MODULE_DEVICE_TREE, MODULE_XSM } ModuleType;

/* What a hypervisor starts its domains from. */
typedef struct {
  char *path;
  ModuleType type;
  char *args; /* NULL: none */
} ModuleConfig;

/* An item for the guest's firmware: a file's contents, or a text. */
typedef struct {
  char *name; /* begins with FW_CFG_USER_PREFIX */
  char *path; /* NULL: it is TEXT */
  char *text;
} FwCfgConfig;

#define FW_CFG_USER_PREFIX "opt/" /* QEMU, docs/specs/fw_cfg.rst: what is not the machine's own */

/* What cloud-init in the guest is told: files of the user's. NULL: none. */
typedef struct {
  char *parts[SEED_PARTS];
} CloudInitConfig;

typedef struct {
  char *path;
} SshKeyConfig;

/* What is told, among the disks. */
#define CONFIG_SEED_NAME      "what cloud-init is told"
#define CONFIG_PASSWORD_ASKED "-"

typedef struct {
  char *kernel; /* NULL: none given (an error for a run without firmware, not where nothing runs: config_plans_only) */
  KernelFormat kernel_format;
  GPtrArray *firmware;     /* of FirmwareConfig, one at most in a checked Config; its path is that of a file */
  char *initrd;            /* NULL: none */
  GPtrArray *rootfs;       /* of RootfsConfig, one at most in a checked Config */
  RootKind root;           /* of a checked Config */
  char *image;             /* of a container, whose root is the guest's: config_take_image settles where that is; NULL: none */
  char *entrypoint;        /* in place of the image's; "": none; NULL: the image's */
  char *append;            /* the kernel's command line, with what the machine needs in it; never NULL */
  unsigned cpus;           /* at least 1 */
  GPtrArray *cpu;          /* of CpuConfig: one, in a checked Config */
  char *cpu_template;      /* NULL: none */
  CpuTemplate *cpu_fields; /* what is in it */
  uint64_t memory;         /* bytes, a multiple of 2 MiB */
  GPtrArray *fw_cfg;       /* of FwCfgConfig */
  GPtrArray *modules;      /* of ModuleConfig */
  GPtrArray *overlays;     /* of DtboConfig */
  GPtrArray *system;       /* of DiskConfig, one at most; of a checked Config it is the first of the disks instead */
  bool persist;            /* what the guest writes to that is written */
  GPtrArray *disks;        /* of DiskConfig */
  GPtrArray *vsock;        /* of VsockConfig, one at most */
  GPtrArray *devices;      /* of VhostUserDeviceConfig */
  GPtrArray *nets;         /* of NetConfig, of a checked Config without those that are none */
  GPtrArray *shares;       /* of ShareConfig, each with a tag in a checked Config */
  ConsoleKind console;
  bool ports;              /* a virtio console with named ports; no option of its own: eret exec asks for it */
  TransportKind transport; /* of every virtio device */
  TablesKind tables;
  ExitsKind exits;
  SandboxMode sandbox;
  bool rng;
  bool scratch;
  WatchdogAction watchdog;
  bool pvpanic;
  GPtrArray *vmgenid; /* of VmGenIdConfig, one at most */
  bool vmclock;
  NestedKind nested; /* VHE: the same as --cpu host,el2=on */
  char *pin;         /* NULL: vCPUs run on any CPU */
  unsigned ipa_bits; /* 0: as few as the board needs */
  GicVersion gic;
  PsciChoice psci;       /* who answers PSCI calls */
  GPtrArray *smccc;      /* of SmcccConfig */
  GPtrArray *hypercalls; /* of HypercallConfig */
  bool defaults;         /* false: --no-defaults: no console, clock, GPIO, PCI unless another option needs it */
  bool reboot;           /* false: --no-reboot */
  bool needs_kernel;     /* firmware alone will not do; no option of its own: eret exec says so */
  bool own_root;         /* it is this machine's own root, too large for memory; no option of its own: eret exec says so */
  GPtrArray *command;    /* of char *, NULL beyond its length: what stands behind --; of eret run */
  bool own_init;         /* the guest's first process is eret's, which mounts what is shared; no option of its own, either */
  PowerButton power_button;
  unsigned grace;      /* seconds between power button and power-off */
  char *name;          /* NULL: none */
  char *uuid;          /* of the machine, as text in either case; NULL: it has none */
  char *serial_number; /* of the machine, in printable ASCII; NULL: it has none */
  bool detach;
  GPtrArray *cloud_init;    /* of CloudInitConfig, of which one at most has each part in a checked Config */
  GPtrArray *ssh_keys;      /* of SshKeyConfig */
  char *password;           /* NULL: none; CONFIG_PASSWORD_ASKED, or a file */
  CloudSeed *seed;          /* what these come to; NULL: cloud-init is told nothing */
  DiskContent seed_content; /* of the disk that it is on, the last; without bytes in a plan */
  char *ssh;                /* NULL: no; CONFIG_SSH_OWN_KEY, or the file of a key */
  SshKey *ssh_key;          /* what is in it; NULL: there is none, or eret's own has not been made yet */
  char *stats;              /* NULL: no; CONFIG_STATS_STDERR, or a file */
  char *record;             /* NULL: no */
  uint64_t record_limit;    /* bytes */
  char *dump_fdt;           /* NULL: no */
  char *dump_acpi;          /* NULL: no */
  bool dry_run;
  GPtrArray *notes;  /* of char *: what was settled, and may be a surprise */
  NamedFiles *named; /* what the options name, for who has options of his own */
} Config;

/* Whether the machine is to be planned and shown, and not to run. */
bool config_plans_only(const Config *config);
/* What a machine starts: a kernel, firmware, or both. False: neither, so that there is a plan alone. */
bool config_boots(const Config *config);
/* Whether it starts in firmware, which is handed the kernel where there is one. */
bool config_has_firmware(const Config *config);
/* Whether the guest has an initramfs that eret makes, for its root. */
bool config_makes_initrd(const Config *config);
/* The CPU of a checked Config. */
const CpuConfig *config_cpu(const Config *config);

/* Whether it has what only a device tree can tell the guest's kernel of. */
bool config_needs_tree(const Config *config);
/*
 * What is no mistake of a checked CONFIG, and may be none of what was wanted: lines for the user. NULL: nothing. Free
 * with g_free.
 */
char *config_note(const Config *config);

/* What is so without options. */
Config *config_new(void);
void config_free(Config *config); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Config, config_free)

/*
 * Reads ARGV (what follows `eret run`) and, where --config is among it, the JSON file; flags win over the file. On
 * failure NULL and one error whose message holds every mistake found, a line each, of flags, JSON and their
 * combination: what is wrong, where (flag, or file and key), what would be right (the nearest known key or the allowed
 * values). --help sets *HELP and returns NULL without an error.
 */
Config *config_parse(int argc, char **argv, bool *help, GError **error);
/* Checks the whole, which DRAFT has read into CONFIG, and settles what was left open; mistakes are DRAFT's. */
void config_check(OptionDraft *draft, Config *config);
/*
 * Looks at the image that CONFIG has, unpacks it where that has not been done, and makes it the guest's root. What is
 * to run in it is its configuration's to say. WAITING: see image-tools.h.
 */
ImageConfig *config_take_image(Config *config, ImageWaiting *waiting, GError **error);
/* Gives the guest KEY, which becomes the configuration's. */
void config_take_ssh_key(Config *config, SshKey *key);
/* An option that is set, by a flag or a description file, and that no case can have; NULL: none. */
const char *config_not_in_suite(const Config *config, const char **why);

/* The record of these tables is a Config; the second has what the CPU is made of. */
extern const Option config_options[], config_cpu_options[];
/* `eret run`. */
extern const OptionSet config_option_set;
/* For the set of another command that has this table. */
#define CONFIG_HELP_CLOSING                                                                                                                \
  "A flag without a value can be undone: --no-rng, --reboot. Where a flag is given twice, the last one counts; those that are repeatable " \
  "add up. "                                                                                                                               \
  "Sizes are 512M, 4G or bytes."
/* Whether ARGUMENT, which stands without a flag, is meant to be the system's disk. */
bool config_takes_operand(const char *argument);
char *config_explain_stray(const char *argument, const char **meant);
/* The same of what looks like the value of an option; NULL: it looks like none. */
char *config_guess_stray(const char *argument, const char **meant);
const char *config_explain_absent(const char *name);
