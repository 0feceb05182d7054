/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the guest are those that guest-images/init/ knows. */
#include "vmm/exec/root-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/config/layout.h"
#include "vmm/exec/defaults.h"
#include "vmm/exec/device-parts.h"
#include "vmm/exec/init-image.h"
#include "vmm/exec/modules.h"

#define NEW_ROOT "/newroot"

static const RootfsConfig *root_of(const Config *config) {
  return config->rootfs->pdata[0];
}

/* Magic numbers: Linux, include/uapi/linux/magic.h, and each file system's own superblock. */
static const struct {
  const char *type;
  uint64_t offset;
  const char *magic;
  unsigned size;
} file_systems[] = {
    {"ext4", 0x438, "\x53\xef", 2}, {"squashfs", 0, "hsqs", 4},        {"erofs", 1024, "\xe2\xe1\xf5\xe0", 4},
    {"xfs", 0, "XFSB", 4},          {"btrfs", 0x10040, "_BHRfS_M", 8},
};

/* The name under which Linux mounts the file system that is in the image PATH ("ext4"). */
static const char *type_of_image(const char *path, GError **error) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe has no magic either */
  char bytes[8];
  const char *type = NULL;

  if (fd < 0) {
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE, "--rootfs: '%s' cannot be read: %s", path, g_strerror(errno));
    return NULL;
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(file_systems) && !type; i++)
    if (pread(fd, bytes, file_systems[i].size, (off_t)file_systems[i].offset) == (ssize_t)file_systems[i].size &&
        memcmp(bytes, file_systems[i].magic, file_systems[i].size) == 0)
      type = file_systems[i].type;
  close(fd);
  if (!type)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                "--rootfs: '%s' is neither a directory nor an image of ext4, squashfs, erofs, xfs or btrfs; an image with partitions has "
                "to be taken apart first",
                path);
  return type;
}

bool root_parts_find_type(const Config *config, const char **type, GError **error) {
  *type = config->root == ROOT_SHARED ? "virtiofs" : NULL;
  if (config->root == ROOT_IMAGE)
    *type = type_of_image(root_of(config)->path, error);
  return *type || config->root != ROOT_IMAGE;
}

void root_parts_add_modules(GPtrArray *names, const Config *config, const char *type) {
  g_ptr_array_add(names, (char *)(config->transport == TRANSPORT_PCI ? "virtio_pci" : "virtio_mmio"));
  if (config->root == ROOT_IMAGE)
    g_ptr_array_add(names, (char *)"virtio_blk");
  if (type)
    g_ptr_array_add(names, (char *)type);
  if (type && !root_of(config)->writable)
    g_ptr_array_add(names, (char *)"overlay");
}

/* The name that Linux gives to the virtio disk N, from 0: vda, ... vdz, vdaa, ... (drivers/block/virtio_blk.c). */
static char *disk_name(unsigned n) {
  GString *name = g_string_new(NULL);

  for (n++; n; n = (n - 1) / 26)
    g_string_prepend_c(name, (char)('a' + (n - 1) % 26));
  g_string_prepend(name, "/dev/vd");
  return g_string_free(name, FALSE);
}

void root_parts_add_records(GByteArray *spec, const Config *config, const char *type) {
  g_autofree char *last_disk = disk_name(MAX(config->disks->len, 1) - 1);
  const char *const places[] = {[ROOT_NONE] = NULL, [ROOT_IMAGE] = last_disk, [ROOT_SHARED] = CONFIG_ROOT_TAG, [ROOT_PACKED] = NEW_ROOT};

  if (config->root == ROOT_NONE)
    return;
  spec_add(spec, "root", places[config->root]);
  if (type)
    spec_add(spec, "root-type", type);
  if (root_of(config)->writable)
    spec_add(spec, "root-mode", "rw");
}

bool root_parts_add_tree(Initramfs *initramfs, const Config *config, GError **error) {
  if (config->root != ROOT_PACKED || initramfs_add_tree(initramfs, root_of(config)->path, NEW_ROOT, INITRAMFS_SYSTEM, error))
    return true;
  g_prefix_error(error, "--%s: ", root_of(config)->of_image ? "image" : "rootfs");
  return false;
}

bool root_parts_put_modules(Initramfs *initramfs, const char *directory, const GPtrArray *names, GError **error) {
  g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);

  initramfs_add_directory(initramfs, "/eret/modules", 0755);
  if (directory && !initramfs_add_modules(initramfs, directory, (const char *const *)names->pdata, missing, error))
    return false;
  for (unsigned i = 0; i < missing->len; i++)
    g_debug("%s has no module %s", directory, (const char *)g_ptr_array_index(missing, i));
  return true;
}

/* Device types: virtio 1.2, section 5. */
static void add_driver(GByteArray *spec, const Config *config) {
  if (config->root == ROOT_IMAGE)
    device_parts_add_driver(spec, 2);
  if (config->root == ROOT_SHARED)
    device_parts_add_driver(spec, 26);
}

/* The root's own first process, or PROGRAM on the console, whose status is told at the doorbell. */
static void add_what_runs(GByteArray *spec, GPtrArray *names, const Config *config, const Program *program) {
  g_autofree char *door = g_strdup_printf("0x%x", LAYOUT_DOORBELL);
  const char *terminal = g_getenv("TERM");

  if (!program) {
    spec_add(spec, "boot", "1");
    add_driver(spec, config);
    return;
  }
  spec_add(spec, "console", config->defaults ? door : "");
  program_add_records(spec, program, terminal && *terminal ? terminal : "vt220");
  device_parts_add_records(spec, config);
  device_parts_add_modules(names, config);
}

GBytes *root_make_initramfs(const Config *config, const Program *program, uint64_t *files, GError **error) {
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GByteArray) spec = g_byte_array_new();
  g_autoptr(GPtrArray) names = g_ptr_array_new_null_terminated(1, NULL, true);
  g_autofree char *modules = default_modules(config->kernel);
  g_autoptr(GBytes) init = init_image_bytes();
  const char *type;

  if (!root_parts_find_type(config, &type, error))
    return NULL;
  root_parts_add_modules(names, config, type);
  spec_add(spec, "version", "1");
  add_what_runs(spec, names, config, program);
  root_parts_add_records(spec, config, type);
  g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(g_steal_pointer(&spec));
  initramfs_add_bytes(initramfs, "/init", 0755, INITRAMFS_OWN, init);
  initramfs_add_bytes(initramfs, "/eret/spec", 0600, INITRAMFS_OWN, bytes);
  if (!root_parts_put_modules(initramfs, modules, names, error) || !root_parts_add_tree(initramfs, config, error))
    return NULL;
  return initramfs_build(initramfs, files, error);
}
