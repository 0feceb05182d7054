/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of a machine's options (vmm/options/option.h). A new option is a line here and a field in config.h;
 * docs/eret.1 and the completion are held against it by a test.
 */
#include "vmm/config/config.h"

#include <string.h>

#include "vmm/boot/command-line.h"
#include "vmm/boot/firmware.h"
#include "vmm/boot/kernel.h"
#include "vmm/control/runtime-directory.h"
#include "vmm/hypercall/peer.h"

#define CPUS_MAX          512                 /* what any ARM64 kernel's KVM takes; the host may take fewer */
#define MEMORY_STEP       (UINT64_C(2) << 20) /* a huge page, and the boot protocol's alignment */
#define RECORD_LIMIT_MIN  (UINT64_C(1) << 20)
#define RECORD_LIMIT_MAX  (UINT64_C(1) << 40)
#define NET_FD_MAX        (1u << 20)
#define DISK_BPS_MIN      1024
#define BOOT_INDEX_MAX    INT32_MAX
#define SERIAL_NUMBER_MAX 255   /* SMBIOS has no limit; who reads it may have one */
#define GRACE_MAX         86400 /* a day */

/* One format has a name of Microsoft's and one of QEMU's. */
static const OptionChoice disk_formats[] = {
    {"auto", DISK_IMAGE_FORMAT_AUTO}, {"raw", DISK_IMAGE_FORMAT_RAW},   {"qcow2", DISK_IMAGE_FORMAT_QCOW2},
    {"vmdk", DISK_IMAGE_FORMAT_VMDK}, {"vhdx", DISK_IMAGE_FORMAT_VHDX}, {"vhd", DISK_IMAGE_FORMAT_VHD},
    {"vpc", DISK_IMAGE_FORMAT_VHD},   {"vdi", DISK_IMAGE_FORMAT_VDI},   {"parallels", DISK_IMAGE_FORMAT_PARALLELS},
    {"qcow", DISK_IMAGE_FORMAT_QCOW}, {"qed", DISK_IMAGE_FORMAT_QED},   {NULL, 0},
};

static const OptionChoice disk_block_sizes[] = {{"auto", 0}, {"512", 512}, {"4096", 4096}, {NULL, 0}};
static const OptionChoice disk_locks[] = {{"on", DISK_LOCK_ON}, {"off", DISK_LOCK_OFF}, {NULL, 0}};
static const OptionChoice disk_discards[] = {{"on", DISK_DISCARD_ON}, {"off", DISK_DISCARD_OFF}, {NULL, 0}};

static const Option disk_options[] = {
    OPTION("file", PATH, DiskConfig, path, "FILE", NULL),
    OPTION("ro", BOOLEAN, DiskConfig, image.read_only, NULL, NULL),
    OPTION("cow", BOOLEAN, DiskConfig, image.cow, NULL, NULL),
    OPTION("direct", BOOLEAN, DiskConfig, image.direct, NULL, NULL),
    OPTION("format", CHOICE, DiskConfig, image.format, "FORMAT", NULL, .choices = disk_formats),
    OPTION("backing", TEXTS, DiskConfig, backing, "FILE", NULL, .paths = true),
    OPTION("nbd", STRING, DiskConfig, nbd, "URI", NULL, .instead = true),
    OPTION("block-size", CHOICE, DiskConfig, image.block_size, "512|4096", NULL, .choices = disk_block_sizes),
    OPTION("discard", CHOICE, DiskConfig, device.discard, "on|off", NULL, .choices = disk_discards),
    OPTION("lock", CHOICE, DiskConfig, image.lock, "on|off", NULL, .choices = disk_locks),
    OPTION("queues", NUMBER, DiskConfig, device.queues, "N", NULL, .min = 1, .max = VIRTIO_BLK_QUEUES_MAX),
    OPTION("iops", NUMBER, DiskConfig, device.iops, "N", NULL, .min = 1, .max = UINT32_MAX),
    OPTION("bps", SIZE, DiskConfig, device.bps, "SIZE", NULL, .min = DISK_BPS_MIN, .max = RATE_LIMIT_MAX),
    OPTION("serial", STRING, DiskConfig, device.serial, "TEXT", NULL, .max = VIRTIO_BLK_SERIAL_MAX),
    OPTION("bootindex", NUMBER, DiskConfig, boot_index, "N", NULL, .min = 1, .max = BOOT_INDEX_MAX),
    {.name = NULL},
};

static const OptionElement disk_element = {.options = disk_options, .first_unnamed = true, .size = sizeof(DiskConfig)};

static const OptionChoice share_caches[] = {{"auto", SHARE_CACHE_AUTO},
                                            {"always", SHARE_CACHE_ALWAYS},
                                            {"metadata", SHARE_CACHE_METADATA},
                                            {"never", SHARE_CACHE_NEVER},
                                            {NULL, 0}};

static const Option rootfs_options[] = {
    OPTION("path", PATH, RootfsConfig, path, "DIR|IMAGE", NULL),
    OPTION("rw", BOOLEAN, RootfsConfig, writable, NULL, NULL),
    OPTION("copy", BOOLEAN, RootfsConfig, packed, NULL, NULL),
    OPTION("cache", CHOICE, RootfsConfig, cache, NULL, NULL, .choices = share_caches),
    {.name = NULL},
};

static const OptionElement rootfs_element = {.options = rootfs_options, .first_unnamed = true, .size = sizeof(RootfsConfig)};

static const Option firmware_options[] = {
    OPTION("file", PATH, FirmwareConfig, path, "FILE|auto", NULL, .word = FIRMWARE_AUTO),
    OPTION("vars", PATH, FirmwareConfig, vars, "FILE", NULL, .written = true),
    {.name = NULL},
};

static const OptionElement firmware_element = {.options = firmware_options, .first_unnamed = true, .size = sizeof(FirmwareConfig)};

static const Option vsock_options[] = {
    OPTION("cid", STRING, VsockConfig, cid, "CID|auto", NULL, .number_too = true, .examples = "auto"),
    OPTION("unix", PATH, VsockConfig, path, "PATH", NULL),
    {.name = NULL},
};

static const OptionElement vsock_element = {.options = vsock_options, .first_unnamed = true, .size = sizeof(VsockConfig)};

static const Option device_options[] = {
    OPTION("vhost-user", PATH, VhostUserDeviceConfig, path, "PATH", NULL),
    OPTION("type", STRING, VhostUserDeviceConfig, type, "TYPE", NULL, .number_too = true,
           .examples = "net block console rng scsi gpu input vsock sound fs scmi i2c gpio"),
    OPTION("queues", NUMBER, VhostUserDeviceConfig, queues, "N", NULL, .min = 1, .max = VHOST_USER_QUEUES_MAX),
    OPTION("bootindex", NUMBER, VhostUserDeviceConfig, boot_index, "N", NULL, .min = 1, .max = BOOT_INDEX_MAX),
    {.name = NULL},
};

static const OptionElement device_element = {.options = device_options, .size = sizeof(VhostUserDeviceConfig)};
static const OptionChoice net_vhosts[] = {{"auto", NET_VHOST_AUTO}, {"on", NET_VHOST_ON}, {"off", NET_VHOST_OFF}, {NULL, 0}};

static const Option net_options[] = {
    OPTION("tap", STRING, NetConfig, tap, "NAME", NULL),
    OPTION("fd", NUMBER, NetConfig, fd, "N", NULL, .min = 3, .max = NET_FD_MAX),
    OPTION("unix", PATH, NetConfig, unix_path, "PATH", NULL),
    OPTION("user", BOOLEAN, NetConfig, user, NULL, NULL),
    OPTION("none", BOOLEAN, NetConfig, none, NULL, NULL),
    OPTION("forward", TEXTS, NetConfig, forwards, "[ADDRESS:]HOSTPORT:GUESTPORT[/udp]", NULL),
    OPTION("restrict", BOOLEAN, NetConfig, restricted, NULL, NULL),
    OPTION("queues", NUMBER, NetConfig, queues, "N", NULL, .min = 1, .max = NET_PAIRS_MAX),
    OPTION("mac", STRING, NetConfig, mac, "ADDRESS", NULL),
    OPTION("mtu", NUMBER, NetConfig, mtu, "BYTES", NULL, .min = NET_MTU_MIN, .max = UINT16_MAX),
    OPTION("vhost", CHOICE, NetConfig, vhost, "on|off|auto", NULL, .choices = net_vhosts),
    OPTION("bootindex", NUMBER, NetConfig, boot_index, "N", NULL, .min = 1, .max = BOOT_INDEX_MAX),
    {.name = NULL},
};

static const OptionElement net_element = {.options = net_options, .size = sizeof(NetConfig)};

static const Option share_options[] = {
    OPTION("dir", PATH, ShareConfig, path, "DIR", NULL),
    OPTION("tag", STRING, ShareConfig, tag, "NAME", NULL, .max = SHARE_TAG_MAX),
    OPTION("ro", BOOLEAN, ShareConfig, read_only, NULL, NULL),
    OPTION("at", STRING, ShareConfig, at, "/MOUNT", NULL),
    OPTION("cache", CHOICE, ShareConfig, cache, NULL, NULL, .choices = share_caches),
    OPTION("xattr", BOOLEAN, ShareConfig, xattr, NULL, NULL),
    OPTION("uid-map", TEXTS, ShareConfig, uid_map, "auto|same|squash|GUEST:HOST:COUNT", NULL, .examples = "auto same squash"),
    OPTION("gid-map", TEXTS, ShareConfig, gid_map, "auto|same|squash|GUEST:HOST:COUNT", NULL, .examples = "auto same squash"),
    {.name = NULL},
};

static const OptionElement share_element = {.options = share_options, .first_unnamed = true, .size = sizeof(ShareConfig)};

static const OptionChoice cpu_models[] = {{"host", CPU_HOST}, {NULL, 0}};
static const OptionChoice cpu_choices[] = {{"auto", CPU_AUTO}, {"on", CPU_ON}, {"off", CPU_OFF}, {NULL, 0}};

static const Option cloud_init_options[] = {
    OPTION("user-data", PATH, CloudInitConfig, parts[SEED_USER_DATA], "FILE", NULL),
    OPTION("meta-data", PATH, CloudInitConfig, parts[SEED_META_DATA], "FILE", NULL),
    OPTION("vendor-data", PATH, CloudInitConfig, parts[SEED_VENDOR_DATA], "FILE", NULL),
    OPTION("network-config", PATH, CloudInitConfig, parts[SEED_NETWORK_CONFIG], "FILE", NULL),
    {.name = NULL},
};

static const OptionElement cloud_init_element = {.options = cloud_init_options, .size = sizeof(CloudInitConfig)};

static const Option ssh_key_options[] = {
    OPTION("file", PATH, SshKeyConfig, path, "FILE", NULL),
    {.name = NULL},
};

static const OptionElement ssh_key_element = {.options = ssh_key_options, .first_unnamed = true, .size = sizeof(SshKeyConfig)};

static const Option fw_cfg_options[] = {
    OPTION("name", STRING, FwCfgConfig, name, "opt/NAME", NULL),
    OPTION("file", PATH, FwCfgConfig, path, "FILE", NULL),
    OPTION("string", STRING, FwCfgConfig, text, "TEXT", NULL, .may_be_empty = true),
    {.name = NULL},
};

static const OptionElement fw_cfg_element = {.options = fw_cfg_options, .size = sizeof(FwCfgConfig)};

static const OptionChoice module_types[] = {
    {"kernel", MODULE_KERNEL}, {"ramdisk", MODULE_RAMDISK}, {"device-tree", MODULE_DEVICE_TREE}, {"xsm", MODULE_XSM}, {NULL, 0}};

static const Option module_options[] = {
    OPTION("file", PATH, ModuleConfig, path, "FILE", NULL),
    OPTION("type", CHOICE, ModuleConfig, type, NULL, NULL, .choices = module_types),
    OPTION("args", STRING, ModuleConfig, args, "TEXT", NULL, .max = COMMAND_LINE_MAX),
    {.name = NULL},
};

static const OptionElement module_element = {.options = module_options, .first_unnamed = true, .size = sizeof(ModuleConfig)};

static const Option dtbo_options[] = {
    OPTION("file", PATH, DtboConfig, path, "FILE", NULL),
    {.name = NULL},
};

static const OptionElement dtbo_element = {.options = dtbo_options, .first_unnamed = true, .size = sizeof(DtboConfig)};

static const Option cpu_options[] = {
    OPTION("model", CHOICE, CpuConfig, model, NULL, NULL, .choices = cpu_models),
    OPTION("sve", CHOICE, CpuConfig, sve, "on|off|auto", NULL, .choices = cpu_choices),
    OPTION("sve-vl", STRING, CpuConfig, sve_lengths, "BITS[:BITS...]", NULL, .number_too = true),
    OPTION("pauth", CHOICE, CpuConfig, pauth, "on|off|auto", NULL, .choices = cpu_choices),
    OPTION("pmu", CHOICE, CpuConfig, pmu, "on|off|auto", NULL, .choices = cpu_choices),
    OPTION("steal-time", CHOICE, CpuConfig, steal_time, "on|off|auto", NULL, .choices = cpu_choices),
    OPTION("mte", CHOICE, CpuConfig, mte, "on|off|auto", NULL, .choices = cpu_choices),
    OPTION("el2", CHOICE, CpuConfig, el2, "on|off|auto", NULL, .choices = cpu_choices),
    {.name = NULL},
};

static const OptionElement cpu_element = {.options = cpu_options, .first_unnamed = true, .size = sizeof(CpuConfig)};

static const Option smccc_options[] = {
    OPTION("rule", STRING, SmcccConfig, rule, "ACTION=RANGE", NULL),
    {.name = NULL},
};

static const OptionElement smccc_element = {.options = smccc_options, .first_unnamed = true, .size = sizeof(SmcccConfig)};

static char *place_socket(const char *text, OptionPlace *place, void *opaque) {
  static const char socket[] = "=unix:";
  const char *found = strchr(text, '='), *path = found && g_str_has_prefix(found, socket) ? found + strlen(socket) : "";
  g_autofree char *placed = *path ? place(opaque, path, (gsize)(path - text)) : NULL;

  return placed ? g_strdup_printf("%.*s%s", (int)(path - text), text, placed) : g_strdup(text);
}

static const Option hypercall_options[] = {
    OPTION("service", STRING, HypercallConfig, service, "RANGE=unix:PATH", NULL, .placed = place_socket),
    OPTION("timeout", NUMBER, HypercallConfig, timeout, "MS", NULL, .min = 1, .max = HYPERCALL_PEER_TIMEOUT_MAX),
    {.name = NULL},
};

static const OptionElement hypercall_element = {.options = hypercall_options, .first_unnamed = true, .size = sizeof(HypercallConfig)};

static char *place_image(const char *text, OptionPlace *place, void *opaque) {
  size_t length;
  const char *found = image_name_find_path(text, &length);

  if (!found)
    return g_strdup(text);
  g_autofree char *path = g_strndup(found, length), *placed = place(opaque, path, (gsize)(found - text));
  return strchr(placed, ':') ? NULL : g_strdup_printf("%.*s%s%s", (int)(found - text), text, placed, found + length);
}

/* With IMAGE_NAME_FORMS. */
#define IMAGE_NAME_TRANSPORTS "oci: oci-archive: docker-archive: docker://"

static const OptionChoice kernel_formats[] = {{"auto", KERNEL_FORMAT_AUTO}, {"raw", KERNEL_FORMAT_RAW}, {NULL, 0}};
static const OptionChoice consoles[] = {{"pl011", CONSOLE_PL011}, {"virtio", CONSOLE_VIRTIO}, {NULL, 0}};
static const OptionChoice transports[] = {{"pci", TRANSPORT_PCI}, {"mmio", TRANSPORT_MMIO}, {NULL, 0}};
static const OptionChoice nesteds[] = {{"off", NESTED_OFF}, {"vhe", NESTED_VHE}, {"e2h0", NESTED_E2H0}, {NULL, 0}};
static const OptionChoice power_buttons[] = {{"auto", POWER_BUTTON_AUTO}, {"gpio", POWER_BUTTON_GPIO}, {"virtio", POWER_BUTTON_VIRTIO},
                                             {"both", POWER_BUTTON_BOTH}, {"none", POWER_BUTTON_NONE}, {NULL, 0}};
static const OptionChoice tables[] = {{"auto", TABLES_AUTO}, {"fdt", TABLES_FDT}, {"acpi", TABLES_ACPI}, {"both", TABLES_BOTH}, {NULL, 0}};
static const OptionChoice watchdogs[] = {
    {"none", WATCHDOG_NONE}, {"reset", WATCHDOG_RESET}, {"poweroff", WATCHDOG_POWER_OFF}, {"fail", WATCHDOG_FAIL}, {NULL, 0}};

static const Option vmgenid_options[] = {
    OPTION("guid", STRING, VmGenIdConfig, guid, "GUID|auto", NULL, .examples = "auto"),
    {.name = NULL},
};

static const OptionElement vmgenid_element = {.options = vmgenid_options, .first_unnamed = true, .size = sizeof(VmGenIdConfig)};

static const OptionChoice exits[] = {{"lean", EXITS_LEAN}, {"all", EXITS_ALL}, {NULL, 0}};
static const OptionChoice sandboxes[] = {
    {"on", SANDBOX_ON}, {"off", SANDBOX_OFF}, {"require", SANDBOX_REQUIRE}, {"log", SANDBOX_LOG}, {NULL, 0}};
static const OptionChoice pscis[] = {{"kernel", PSCI_BY_KERNEL}, {"user", PSCI_BY_ERET}, {NULL, 0}};
static const OptionChoice gics[] = {{"auto", GIC_AUTO}, {"2", GIC_V2}, {"3", GIC_V3}, {NULL, 0}};

/* Of `eret run` and of `eret cpu dump`. */
#define CPU_ROWS                                                                                                                           \
  OPTION("cpu", LIST, Config, cpu, "host[,FEATURE=on|off|auto]...[,sve-vl=BITS[:BITS...]]",                                                \
         "What the CPUs can do: what the host's can, and of the optional features those that are on. FEATURE: sve, pauth, pmu, "           \
         "steal-time (auto: on where the host has it), mte, el2 (auto: off); sve-vl: lengths of SVE vectors.",                             \
         .element = &cpu_element, .last_counts = true),                                                                                    \
  {                                                                                                                                        \
    .name = "cpu-template", .kind = OPTION_PATH, .offset = offsetof(Config, cpu_template), .argument = "FILE",                             \
    .help = "Take features away from the guest's ID registers, as a JSON file says; 'eret cpu' makes such files."                          \
  }

const Option config_options[] = {
    OPTION("kernel", PATH, Config, kernel, "FILE",
           "Kernel: arm64 Image, also compressed (gzip, zstd, lz4) or as EFI vmlinuz.efi; or an AArch64 ELF executable.",
           .group = "What to boot"),
    OPTION("kernel-format", CHOICE, Config, kernel_format, NULL,
           "raw: a flat binary, loaded 512 KiB above the start of memory and entered at its first byte (default: auto).",
           .choices = kernel_formats),
    OPTION("firmware", LIST, Config, firmware, "FILE|auto[,vars=FILE]",
           "Start in firmware, such as UEFI or U-Boot, which lies in flash and finds what to boot on the disks. auto: the first that the "
           "host has, of Debian's packages qemu-efi-aarch64 and u-boot-qemu. vars: where its variables last; a file that is not there is "
           "made (default: they are gone with the machine).",
           .element = &firmware_element, .last_counts = true),
    OPTION("system", LIST, Config, system, "IMAGE[,PART=VALUE]...",
           "The first disk, with a system on it, such as a cloud image; IMAGE alone, without the flag, is the same. PART and VALUE: as of "
           "--disk (ro, cow, direct, format, backing, nbd, block-size, discard, lock, queues, iops, bps, serial, bootindex). Its format "
           "is the one that its name and its content agree on. Unless something else is said there are firmware (--firmware auto; not "
           "with --kernel), a network (--net user, where the host has passt) and 1G of memory, and what the guest writes is gone with "
           "the machine.",
           .element = &disk_element, .examples = OPTION_EXAMPLE_FILES, .last_counts = true,
           .not_in_suite = "a case runs a command in a guest of its own"),
    OPTION("persist", BOOLEAN, Config, persist, NULL, "What the guest writes to the system's disk is written into IMAGE.",
           .not_in_suite = "a case has no system of its own"),
    OPTION("initrd", PATH, Config, initrd, "FILE", "Initial RAM disk (initramfs), handed to the kernel as it is."),
    OPTION("rootfs", LIST, Config, rootfs, "DIR|IMAGE[,rw][,copy][,cache=MODE]",
           "The guest's root: a directory, by virtio-fs as the host's virtiofsd serves it (where there is none: packed into memory), or an "
           "image of a file system. Nothing of it is changed: what the guest writes is gone with it. rw: it is written into the directory. "
           "copy: packed into memory in any case. cache=auto|always|metadata|never: what the guest keeps of a directory's files, as of "
           "--share.",
           .element = &rootfs_element, .examples = OPTION_EXAMPLE_FILES, .last_counts = true),
    OPTION("image", STRING, Config, image, "IMAGE",
           "A container image, whose root is the guest's, and whose entry point runs in it: " IMAGE_NAME_FORMS
           ". It is read by skopeo, unpacked by umoci, and kept in $XDG_CACHE_HOME/eret/images. Nothing of it is changed. Words behind -- "
           "stand in place of its command.",
           .placed = place_image, .examples = IMAGE_NAME_TRANSPORTS),
    OPTION("entrypoint", STRING, Config, entrypoint, "PROGRAM",
           "Run this in place of the image's entry point and its command, with the words behind --.", .may_be_empty = true),
    OPTION("append", STRING, Config, append, "TEXT", "The kernel's command line.", .may_be_empty = true, .max = COMMAND_LINE_MAX),
    OPTION("boot-module", LIST, Config, modules, "FILE[,type=TYPE][,args=TEXT]",
           "A file for a kernel that is a hypervisor, such as Xen, to start a guest of its own from; repeatable. TYPE: kernel, ramdisk, "
           "device-tree or xsm (default: by their order). args: the command line of what is started.",
           .element = &module_element, .examples = OPTION_EXAMPLE_FILES),
    OPTION("dtbo", LIST, Config, overlays, "FILE",
           "Add a device-tree overlay to the machine's tree; repeatable. 'dtc -@ -O dtb' makes FILE of source.", .element = &dtbo_element,
           .examples = OPTION_EXAMPLE_FILES),
    OPTION("fw-cfg", LIST, Config, fw_cfg, "name=opt/NAME,file=FILE|string=TEXT",
           "An item in the firmware configuration device of QEMU's virt machine, of FILE's contents or TEXT; repeatable. Firmware and "
           "Linux (/sys/firmware/qemu_fw_cfg) find it by its name.",
           .element = &fw_cfg_element),

    OPTION("ssh-key", LIST, Config, ssh_keys, "FILE",
           "Let in by ssh whoever has this key, as the image's user, such as debian; by cloud-init in the guest. FILE: a public key, or a "
           "private one with the public one beside it, in FILE.pub; repeatable.",
           .group = "What cloud-init in the guest is told", .element = &ssh_key_element, .examples = OPTION_EXAMPLE_FILES,
           .not_in_suite = "the guest of a case has no cloud-init"),
    OPTION("password", PATH, Config, password, "FILE|-",
           "The image's user gets a password, for the console: the first line of FILE, or - for one that is asked for, or read from "
           "standard input where that is no terminal.",
           .not_in_suite = "the guest of a case has no cloud-init"),
    OPTION("cloud-init", LIST, Config, cloud_init, "PART=FILE[,PART=FILE]...",
           "Files for cloud-init as they are; repeatable. PART: user-data, meta-data, vendor-data, network-config.",
           .element = &cloud_init_element, .not_in_suite = "the guest of a case has no cloud-init"),

    OPTION("cpus", NUMBER, Config, cpus, "N", "Number of virtual CPUs, 1 to 512 or what the host allows (default: 1).", .group = "Machine",
           .examples = "1 2 4 8", .min = 1, .max = CPUS_MAX),
    CPU_ROWS,
    OPTION("memory", SIZE, Config, memory, "SIZE", "Memory, 16M to 4T, a multiple of 2M (default: 512M; of a system: 1G).",
           .examples = "256M 512M 1G 2G 4G", .min = BOOT_MEMORY_MIN, .max = BOOT_MEMORY_MAX, .step = MEMORY_STEP),
    OPTION("gic", CHOICE, Config, gic, NULL, "Version of the interrupt controller; auto: 3 where the host has it (default: auto).",
           .choices = gics),
    OPTION("tables", CHOICE, Config, tables, NULL,
           "What tells the guest of its machine: a device tree, ACPI tables (with SMBIOS, and the EFI tables that lead to them), or both, "
           "of which the kernel takes the device tree, or with acpi=on on its command line ACPI, and UEFI hands on ACPI; auto: both with "
           "firmware, unless --watchdog or --dtbo needs the device tree, else fdt (default: auto).",
           .choices = tables),
    OPTION("uuid", STRING, Config, uuid, "UUID",
           "By what the guest knows which machine it is: SMBIOS tells it, and the device tree (default: derived from --name; without a "
           "name none)."),
    OPTION("serial-number", STRING, Config, serial_number, "TEXT",
           "The machine's serial number, which is told there too; at most 255 characters (default: none).", .max = SERIAL_NUMBER_MAX),
    OPTION("defaults", BOOLEAN, Config, defaults, NULL, "Leave out console, clock, GPIO and PCI unless another option needs them.",
           .on_by_default = true),

    OPTION("disk", LIST, Config, disks, "FILE|nbd=URI[,ro|cow][,PART=VALUE]...",
           "A virtio disk on an image, a block device or an NBD server's export; repeatable. ro: read-only. cow: what is written is kept "
           "elsewhere, in the environment's TMPDIR or /var/tmp, and gone with the machine; FILE stays as it is. direct: past the host's "
           "page cache. format=raw: the file's bytes as they are, also where they are those of another image format, which is else "
           "refused; format=qcow2, vmdk, vhdx, vhd, vdi, parallels, qcow or qed: what is in such an image, by qemu-storage-daemon. "
           "backing=FILE, repeatable: which files it may be backed by. block-size=4096: of a disk with such sectors. discard=off: what the "
           "guest discards stays allocated. lock=off: others may use it at the same time. queues=N: each served by a thread of its own "
           "(default: one for each CPU, at most 4). iops=N, bps=SIZE: how many requests it takes a second, and how much it reads and "
           "writes. serial: at most 20 bytes, of a raw image. bootindex: its place in the order in which firmware boots, 1 being the "
           "first. A comma in FILE is written ,,.",
           .group = "Devices", .element = &disk_element),
    OPTION("share", LIST, Config, shares, "DIR[,tag=NAME][,ro][,at=/MOUNT][,PART=VALUE]...",
           "Give the guest a directory of the host's, by virtio-fs, as the host's virtiofsd serves it; repeatable. tag: by which the guest "
           "mounts it (mount -t virtiofs NAME /mnt; default: share0, share1 ...). ro: it cannot change anything there. at: where it is "
           "mounted by itself, by eret exec, or by systemd 254 or newer. cache=auto|always|metadata|never: what the guest keeps of files. "
           "xattr: extended attributes, too. uid-map, gid-map: who the guest's users are here: same, squash (one), GUEST:HOST:COUNT, "
           "repeatable, or auto (root: same; another user is root there).",
           .element = &share_element, .examples = OPTION_EXAMPLE_FILES),
    OPTION("device", LIST, Config, devices, "vhost-user=PATH,type=TYPE[,queues=N][,bootindex=N]",
           "A virtio device that another process is, which listens on the socket PATH for vhost-user; repeatable. TYPE: what it is (net, "
           "block, console, rng, scsi, gpu, input, vsock, sound, fs, scmi, i2c, gpio), or the ID of its type. queues: how many it has, "
           "where it does not say so itself. bootindex: as of a disk, where it is a block, scsi, net or fs. It sees all of the guest's "
           "memory.",
           .element = &device_element),
    OPTION("net", LIST, Config, nets, "user|tap=NAME|fd=N|unix=PATH|none[,PART=VALUE]...",
           "A virtio network card; repeatable. user: by passt, without root; with forward=[ADDRESS:]HOSTPORT:GUESTPORT[/udp], repeatable, "
           "for ports of the host that lead to the guest, and restrict, where the guest may answer and not begin. Or on the tap device "
           "NAME, on a tap that is open as descriptor N, or on the socket PATH, where it meets another machine's that names the same one. "
           "none: no card. "
           "queues=N: pairs, for as many CPUs (default: 1). mac=ADDRESS. mtu=BYTES. vhost=on|off|auto: whether the host's kernel moves the "
           "frames (default: auto, where it can). bootindex=N: as of a disk.",
           .element = &net_element),
    OPTION("console", CHOICE, Config, console, NULL, "Device behind the terminal (default: pl011; with --no-defaults: none).",
           .choices = consoles),
    OPTION("transport", CHOICE, Config, transport, NULL, "How the guest reaches virtio devices (default: pci).", .choices = transports),
    OPTION("rng", BOOLEAN, Config, rng, NULL, "Add a virtio source of random numbers."),
    OPTION("vsock", LIST, Config, vsock, "CID|auto[,unix=PATH]",
           "Add a virtio socket device: stream sockets between guest and host, without a network. CID: the guest's address, 3 or more "
           "(auto: one that is free). The host's ends are AF_VSOCK sockets of its kernel; or with unix local ones: whoever connects to "
           "PATH and writes 'CONNECT PORT' reaches that port of the guest; the guest reaches whoever listens on PATH_PORT, by CID 2.",
           .element = &vsock_element),
    OPTION(
        "watchdog", CHOICE, Config, watchdog, NULL,
        "Add a watchdog (SP805), and say what is done with a guest that has not served it: reset it, power the machine off, or end it as "
        "failed (default: none; alone: reset). It has a place in the device tree alone.",
        .choices = watchdogs, .alone = "reset"),
    OPTION("pvpanic", BOOLEAN, Config, pvpanic, NULL,
           "Add a device by which the guest's kernel tells that it panicked, which ends the machine as failed, unless another kernel takes "
           "over."),
    OPTION("vmgenid", LIST, Config, vmgenid, "GUID|auto",
           "Add a generation ID, by which the guest knows whether it is the machine that it was; auto: a random one.",
           .element = &vmgenid_element),
    OPTION("vmclock", BOOLEAN, Config, vmclock, NULL,
           "Add a page that tells the guest when its clock stood still, as in a paused machine."),
    OPTION("nested", CHOICE, Config, nested, NULL,
           "Give the guest EL2, so that it can run guests of its own. e2h0: one without the Virtualization Host Extensions, for "
           "hypervisors that do not know them (default: off; alone: vhe).",
           .choices = nesteds, .alone = "vhe"),
    OPTION("ipa-bits", NUMBER, Config, ipa_bits, "N", "Bits of guest physical address (default: as few as the machine needs).", .min = 32,
           .max = 52),
    OPTION("exits", CHOICE, Config, exits, NULL,
           "Whether accesses to devices that need nobody leave the guest: lean lets it load and store by itself (default), all has each "
           "one exit, to be seen.",
           .choices = exits),
    OPTION("sandbox", CHOICE, Config, sandbox, NULL,
           "The cage around a running machine, an empty root directory, no network, filters of system calls: on: as far as the host gives "
           "it (default); require: or the machine does not run; log: calls are carried out, and missing rules said; off: none.",
           .choices = sandboxes),
    OPTION("pin", STRING, Config, pin, "auto|LIST",
           "Host CPUs to run on: auto keeps to one kind where there are big and little ones, 0-3,8 gives each vCPU one (default: any).",
           .examples = "auto", .number_too = true),
    OPTION("scratch", BOOLEAN, Config, scratch, NULL,
           "Add a page of registers that hold what is written to them, for measuring and trying out accesses to devices."),

    OPTION("psci", CHOICE, Config, psci, NULL, "Who answers the guest's PSCI calls: KVM, or eret itself (default: kernel).",
           .group = "Hypercalls", .choices = pscis),
    OPTION("smccc", LIST, Config, smccc, "ACTION=RANGE",
           "Who answers a range of HVC and SMC functions; repeatable. ACTION: deny, forward (to eret) or kernel. RANGE: 0xFIRST-0xLAST, "
           "0xFIRST+COUNT, 0xID, trng, psci, pvtime, vendor-hyp or ptp.",
           .examples = "deny=trng deny=psci deny=pvtime deny=vendor-hyp deny=ptp forward=trng forward=psci forward=pvtime "
                       "forward=vendor-hyp forward=ptp kernel=trng kernel=psci kernel=pvtime kernel=vendor-hyp kernel=ptp",
           .element = &smccc_element),
    OPTION("hypercall", LIST, Config, hypercalls, "RANGE=unix:PATH[,timeout=MS]",
           "Send calls in RANGE to the server behind a local socket; repeatable. A call that takes longer than timeout (default: 1000 ms) "
           "gets an error.",
           .element = &hypercall_element),

    OPTION("reboot", BOOLEAN, Config, reboot, NULL, "End with exit code 3 when the guest reboots, instead of rebooting it.",
           .group = "Life and death", .on_by_default = true),
    OPTION("grace", NUMBER, Config, grace, "SECONDS",
           "Time for the guest to power off after its power button was pressed by SIGTERM or SIGINT (default: 10).", .max = GRACE_MAX),

    OPTION("power-button", CHOICE, Config, power_button, NULL,
           "The button that this presses: a key on a GPIO line, a virtio keyboard, or both; auto: gpio, and both where there is a disk "
           "(default: auto).",
           .choices = power_buttons),

    OPTION("name", STRING, Config, name, "NAME",
           "Name the machine, for 'eret ps', 'eret attach NAME' and 'eret stop NAME'. Its sockets are in $XDG_RUNTIME_DIR/eret/NAME.",
           .max = RUNTIME_NAME_MAX, .not_in_suite = "cases run beside one another"),
    OPTION("detach", BOOLEAN, Config, detach, NULL, "Return when the machine runs, and let it go on without this terminal. Needs --name.",
           .not_in_suite = "a case is over when its machine is"),
    OPTION("ssh", PATH, Config, ssh, "KEY",
           "Let 'eret ssh NAME' in, without a network: where the guest has systemd 256 or newer and sshd, this listens on its vsock. "
           "Adds --vsock, with a socket beside the machine's others, unless there is one, and hands systemd a public key on the kernel's "
           "command line. KEY: a file with it, or with the private one beside it (default: a key for all guests, which eret makes once). "
           "Needs --name.",
           .alone = CONFIG_SSH_OWN_KEY, .not_in_suite = "nobody logs in to a case"),

    OPTION("stats", PATH, Config, stats, "FILE",
           "At the end, and on SIGUSR1, print what the machine needed of eret and of KVM: exits by cause, devices, the boot's steps. Into "
           "FILE; as JSON when it ends in .json (default: standard error).",
           .group = "World switches", .alone = CONFIG_STATS_STDERR, .written = true),
    OPTION("record", PATH, Config, record, "FILE",
           "Write every world switch to FILE, for 'eret trace': KVM's tracepoints (these need root) and eret's own events.",
           .written = true),
    OPTION("record-limit", SIZE, Config, record_limit, "SIZE", "End the recording when FILE has this size (default: 1G).",
           .examples = "64M 256M 1G 4G", .min = RECORD_LIMIT_MIN, .max = RECORD_LIMIT_MAX, .step = RECORD_LIMIT_MIN),

    {.name = "config",
     .kind = OPTION_SOURCE,
     .group = "This program",
     .argument = "FILE",
     .help = "Read options from a JSON file: an object whose keys are the names of flags without dashes, such as {\"cpus\": 2, \"disk\": "
             "[\"a.img\"], \"reboot\": false}. Paths in it are relative to its directory. Flags win."},
    OPTION("dump-fdt", PATH, Config, dump_fdt, "FILE", "Write the guest's device tree to FILE.", .written = true,
           .not_in_suite = "nothing would run; eret run --dump-fdt writes it"),
    OPTION(
        "dump-acpi", PATH, Config, dump_acpi, "FILE",
        "Write the guest's ACPI tables to FILE, as acpidump does: 'acpixtract -a FILE' takes it apart, 'iasl -d' reads what comes of it.",
        .written = true, .not_in_suite = "nothing would run; eret run --dump-acpi writes them"),
    OPTION("dry-run", BOOLEAN, Config, dry_run, NULL,
           "Check everything, print the machine's addresses, interrupts and devices, and end. Needs no KVM.",
           .not_in_suite = "nothing would run; eret test --list tells the mistakes of a suite"),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const Option config_cpu_options[] = {CPU_ROWS, OPTION_HELP_ROW, {.name = NULL}};

const OptionSet config_option_set = {
    .command = "run",
    .usage =
        "Usage: eret run [OPTION]... IMAGE\n"
        "       eret run --kernel FILE [OPTION]...\n"
        "       eret run --firmware FILE [OPTION]...\n"
        "       eret run --image IMAGE [OPTION]... [-- WORD...]\n"
        "Boot what is on a disk image, a kernel, or firmware, in a virtual machine on KVM; with --image, run what a container image has. "
        "The terminal is the guest's console; Ctrl-A x ends the machine, "
        "Ctrl-A h lists "
        "the keys.",
    .closing = CONFIG_HELP_CLOSING,
    .tables = {config_options},
    .command_follows = true,
    .operand = "system",
    .takes_operand = config_takes_operand,
    .explain_stray = config_explain_stray,
    .explain_absent = config_explain_absent,
};
