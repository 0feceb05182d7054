/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk with the system, and what comes with it. What format an image has is told by its name and by its mark, which
 * have to agree: a guest can write any mark on a raw disk of its own, and names no file of the host's; and what a file
 * of another format holds instead of a disk is told by its mark, with what to do. Who says format= is believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "vmm/boot/firmware.h"
#include "vmm/config/config-check.h"
#include "vmm/helpers/passt.h"

#define SYSTEM_MEMORY (UINT64_C(1) << 30)
#define HEADER_SIZE   0x8800 /* as far as the mark of an ISO image */

/* What is no disk. %s: the file; %,: the same as part of a value that has others. */
static const struct {
  size_t offset;
  const char *mark;
  size_t size;
  const char *advice;
} others[] = {
    {0,
     "\xfd"
     "7zXZ\0",
     6, "is compressed (xz): 'xz -dk %s' unpacks it"},
    {0, "\x1f\x8b", 2, "is compressed (gzip): 'gzip -dk %s' unpacks it; a kernel is given by --kernel"},
    {0, "\x28\xb5\x2f\xfd", 4, "is compressed (zstd): 'zstd -dk %s' unpacks it; a kernel is given by --kernel"},
    {0, "\x04\x22\x4d\x18", 4, "is compressed (lz4): 'lz4 -dk %s' unpacks it; a kernel is given by --kernel"},
    {0, "BZh", 3, "is compressed (bzip2): 'bzip2 -dk %s' unpacks it"},
    {0, "PK\3\4", 4, "is a zip archive: 'unzip %s' unpacks it"},
    {0, "070701", 6, "is a cpio archive, such as an initramfs: --initrd %s, with --kernel FILE"},
    {0,
     "\x7f"
     "ELF",
     4, "is a program, and no disk image: a kernel is given by --kernel %s"},
    {0x38, "ARM\x64", 4, "is a kernel, and no disk image: --kernel %s"},
    {0x4, "zimg", 4, "is a kernel, and no disk image: --kernel %s"},
    {0, "hsqs", 4, "is a squashfs file system, without what boots it: --rootfs %,, with --kernel FILE"},
    {0x8001, "CD001", 5,
     "is an image of a CD (ISO 9660), such as an installer: ',format=raw' boots it; what is installed goes to a disk of its own, --disk"},
};

#define TAR_MARK        "ustar" /* POSIX, pax: ustar Interchange Format */
#define TAR_MARK_OFFSET 257

static bool has_mark(const char *header, size_t size, size_t offset, const char *mark, size_t mark_size) {
  return size >= offset + mark_size && memcmp(header + offset, mark, mark_size) == 0;
}

/* Free with g_free. */
static char *fill_in(const char *advice, const char *path) {
  const char *blank = strchr(advice, '%');
  g_autofree char *word = blank && blank[1] == ',' ? option_double_commas(path) : g_strdup(path);

  return blank ? g_strdup_printf("%.*s%s%s", (int)(blank - advice), advice, word, blank + 2) : g_strdup(advice);
}

/* What a file is that is no disk; NULL: one does not see that it is anything else. Free with g_free. */
static char *explain_other(const char *header, size_t size, const char *path) {
  for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
    if (!has_mark(header, size, others[i].offset, others[i].mark, others[i].size))
      continue;
    return fill_in(others[i].advice, path);
  }
  if (!has_mark(header, size, TAR_MARK_OFFSET, TAR_MARK, strlen(TAR_MARK)))
    return NULL;
  return g_strdup_printf("is an archive: a container's image is --image docker-archive:%s, or --image oci-archive:%s", path, path);
}

/* UEFI, 5.2.1: a disk with a GPT has a protective record in its first sector, too; this is how both end. */
static bool has_partitions(const char *header, size_t size) {
  return has_mark(header, size, 510, "\x55\xaa", 2);
}

/* Whether the file is named after FORMAT: "a.qcow2". One format has two names. */
static bool is_named_after(const char *path, DiskImageFormat format) {
  const char *dot = strrchr(path, '.');
  const char *name = disk_image_format_name(format), *other = disk_image_format_driver(format);

  return dot && !strchr(dot, '/') && (g_ascii_strcasecmp(dot + 1, name) == 0 || g_ascii_strcasecmp(dot + 1, other) == 0);
}

/* The format by which a file is named, and which is not raw; AUTO: by none. */
static DiskImageFormat format_of_name(const char *path) {
  for (DiskImageFormat format = DISK_IMAGE_FORMAT_RAW + 1; format <= DISK_IMAGE_FORMAT_PARALLELS; format++)
    if (is_named_after(path, format))
      return format;
  return DISK_IMAGE_FORMAT_AUTO;
}

/* The first bytes of PATH, a regular file or block device; -1: it cannot be read, which is told elsewhere. */
static ssize_t read_header(const char *path, char *header) {
  int fd = descriptor_open(path, O_RDONLY);
  ssize_t size = fd >= 0 ? pread(fd, header, HEADER_SIZE, 0) : -1;

  if (fd >= 0)
    close(fd);
  return size;
}

static void settle_format(OptionDraft *draft, const Config *config, DiskConfig *disk, const char *where) {
  g_autofree char *header = g_malloc(HEADER_SIZE);
  ssize_t size = read_header(disk->path, header);
  if (size <= 0)
    return;
  DiskImageFormat marked = disk_image_format_of(header, (size_t)size), named = format_of_name(disk->path);
  g_autofree char *other = explain_other(header, (size_t)size, disk->path);

  if (marked != DISK_IMAGE_FORMAT_AUTO && is_named_after(disk->path, marked))
    disk->image.format = marked;
  else if (marked != DISK_IMAGE_FORMAT_AUTO)
    option_mistake(draft, where,
                   "'%s' is a %s image by its content, and not by its name, as one has that a guest wrote into a raw image: ',format=%s' "
                   "gives the guest the disk that is in it, ',format=raw' the file's bytes as they are",
                   disk->path, disk_image_format_name(marked), disk_image_format_name(marked));
  else if (other)
    option_mistake(draft, where, "'%s' %s", disk->path, other);
  else if (named != DISK_IMAGE_FORMAT_AUTO)
    option_mistake(draft, where, "'%s' is a %s image by its name, and not by its content: ',format=raw' gives the guest the file's bytes",
                   disk->path, disk_image_format_name(named));
  else if (!config->kernel && !has_partitions(header, (size_t)size))
    option_mistake(draft, where, "'%s' is no disk image that boots: it has no partitions; ',format=raw' takes it all the same", disk->path);
}

static void check_file(OptionDraft *draft, const Config *config, DiskConfig *disk, const char *where) {
  struct stat status;

  if (stat(disk->path, &status) < 0) /* told among the disks */
    return;
  if (S_ISDIR(status.st_mode)) {
    g_autofree char *word = option_double_commas(disk->path);
    option_mistake(draft, where, "'%s' is a directory, and no disk image: as a guest's root it is --rootfs %s, with --kernel FILE",
                   disk->path, word);
    g_clear_pointer(&disk->path, g_free); /* that is enough to be said of it */
  } else if ((S_ISREG(status.st_mode) || S_ISBLK(status.st_mode)) && disk->image.format == DISK_IMAGE_FORMAT_AUTO)
    settle_format(draft, config, disk, where);
}

/* What the guest writes goes elsewhere, unless it is to stay, or nothing is written. */
static void settle_writes(OptionDraft *draft, Config *config, DiskConfig *disk) {
  const char *where = option_where(draft, "persist", -1);

  if (config->persist && (disk->image.read_only || disk->image.cow))
    option_mistake(draft, where, "%s of the image contradicts it: leave out one of them", disk->image.read_only ? "ro" : "cow");
  if (config->persist || disk->image.read_only || disk->image.cow)
    return;
  disk->image.cow = true;
  config_note_that(config, "'%s' stays as it is, and what the guest writes is gone with it; --persist writes it there",
                   disk->nbd    ? disk->nbd
                   : disk->path ? disk->path
                                : "");
}

static void add_firmware(OptionDraft *draft, Config *config, const char *where) {
  const Option *option = option_find(config_options, "firmware");

  if (config->kernel || config->firmware->len || draft->incomplete || option_has_failed(draft, "kernel", -1) ||
      option_has_failed(draft, "firmware", 0))
    return;
  FirmwareConfig *firmware = option_add_element(draft, config, option, where);
  firmware->path = g_strdup(FIRMWARE_AUTO);
}

static void add_network(OptionDraft *draft, Config *config, const char *where) {
  g_autoptr(GError) error = NULL;

  if (config->nets->len || draft->incomplete)
    return;
  g_autoptr(Passt) passt = passt_find(&error);
  if (passt)
    ((NetConfig *)option_add_element(draft, config, option_find(config_options, "net"), where))->user = true;
  else
    config_note_that(config, "the guest has no network: %s; --net none says that it needs none", error->message);
}

/* Of eret exec it is told elsewhere that it has no such options. */
void config_check_system(OptionDraft *draft, Config *config) {
  const Option *option = option_find(config_options, "system"), *disks = option_find(config_options, "disk");
  GPtrArray *all = config->system;

  if (config->needs_kernel)
    return;
  if (config->persist && all->len == 0 && !draft->incomplete && !draft->operand_lost)
    option_mistake(draft, option_where(draft, "persist", -1),
                   "it is for the image that is named without a flag, or by --system; what is written to a --disk stays in any case");
  if (all->len == 0)
    return;
  g_autofree char *where = g_strdup(option_where(draft, "system", (int)all->len - 1));
  bool failed = option_has_failed(draft, "system", (int)all->len - 1);
  option_keep_last(all, option->element);
  DiskConfig *disk = g_ptr_array_steal_index(all, 0);
  option_put_first(draft, config, disks, where, disk);
  if (failed)
    option_set_failed(draft, "disk", 0);
  if (disk->path)
    check_file(draft, config, disk, where);
  settle_writes(draft, config, disk);
  if (!option_is_given(draft, "memory"))
    config->memory = SYSTEM_MEMORY;
  add_firmware(draft, config, where);
  add_network(draft, config, where);
}
