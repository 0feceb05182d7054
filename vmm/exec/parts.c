/* SPDX-License-Identifier: Apache-2.0 */
/* Names in the guest are those that guest-images/init/ knows. */
#include "vmm/exec/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/exec/defaults.h"
#include "vmm/exec/initramfs.h"
#include "vmm/exec/modules.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define NEW_ROOT     "/newroot"
#define ROOT_INPUT   "/eret/in"

#define COPY_OUT_ENTRIES_MAX (1u << 20)

/* init-image.S */
extern const char init_image[];
extern const gsize init_image_size;

static void add_text(Initramfs *initramfs, const char *path, const char *text) {
  g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
  initramfs_add_bytes(initramfs, path, 0644, INITRAMFS_SYSTEM, bytes);
}

/* The least that programs look for. */
static bool add_small_system(Initramfs *initramfs, const ExecOptions *options, GError **error) {
  static const char *const directories[] = {"/etc", "/root", "/var", "/mnt", "/usr/bin", "/sbin", "/lib"};
  g_autoptr(MappedFile) busybox = busybox_open(options->busybox, error);

  if (!busybox)
    return false;
  for (unsigned i = 0; i < G_N_ELEMENTS(directories); i++)
    initramfs_add_directory(initramfs, directories[i], 0755);
  initramfs_add_mapped(initramfs, "/bin/busybox", 0755, INITRAMFS_SYSTEM, busybox);
  add_text(initramfs, "/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n");
  add_text(initramfs, "/etc/group", "root:x:0:\nnogroup:x:65534:\n");
  add_text(initramfs, "/etc/hosts", "127.0.0.1 localhost\n");
  return true;
}

/* Where the N-th of the user's files goes; into a root of the user's init takes it: a path may have links there. */
static char *input_path(const ExecOptions *options, unsigned n) {
  const ExecCopy *copy = g_ptr_array_index(options->copy_in, n);

  return options->rootfs ? g_strdup_printf(ROOT_INPUT "/%u", n) : g_strdup(copy->destination);
}

static bool add_copy(Initramfs *initramfs, const ExecCopy *copy, const char *path, GError **error) {
  if (initramfs_add_tree(initramfs, copy->source, path, INITRAMFS_FILES, error))
    return true;
  g_prefix_error(error, "--copy-in: ");
  return false;
}

/* Whether one of the user's files is in the way of another: in an initramfs of nothing else. */
static bool check_copies(const ExecOptions *options, GError **error) {
  g_autoptr(Initramfs) alone = initramfs_new();

  for (unsigned i = 0; i < options->copy_in->len; i++) {
    const ExecCopy *copy = g_ptr_array_index(options->copy_in, i);
    if (!add_copy(alone, copy, copy->destination, error))
      return false;
  }
  return true;
}

static bool add_files(Initramfs *initramfs, const ExecOptions *options, GError **error) {
  if (options->rootfs && !check_copies(options, error))
    return false; /* each has a place of its own below */
  if (options->rootfs && !options->rootfs_is_image && !initramfs_add_tree(initramfs, options->rootfs, NEW_ROOT, INITRAMFS_SYSTEM, error)) {
    g_prefix_error(error, "--rootfs: ");
    return false;
  }
  for (unsigned i = 0; i < options->copy_in->len; i++) {
    g_autofree char *path = input_path(options, i);
    if (!add_copy(initramfs, g_ptr_array_index(options->copy_in, i), path, error))
      return false;
  }
  return true;
}

/* The root. */

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
static const char *file_system_type(const char *path, GError **error) {
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

/* Modules. */

static bool add_modules(Initramfs *initramfs, const ExecOptions *options, const char *root_type, GError **error) {
  const Config *config = options->config;
  g_autoptr(GPtrArray) names = g_ptr_array_new_null_terminated(1, NULL, true);
  g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);

  if (!options->modules)
    return true; /* then none was asked for: exec_options_parse has looked, as it has for those that are missing */
  g_ptr_array_add(names, (char *)(config->transport == TRANSPORT_PCI ? "virtio_pci" : "virtio_mmio"));
  g_ptr_array_add(names, (char *)"virtio_console");
  if (config->disks->len)
    g_ptr_array_add(names, (char *)"virtio_blk");
  if (config->nets->len)
    g_ptr_array_add(names, (char *)"virtio_net");
  if (config->rng)
    g_ptr_array_add(names, (char *)"virtio_rng");
  if (config->vsock->len)
    g_ptr_array_add(names, (char *)"vmw_vsock_virtio_transport");
  if (config->shares->len)
    g_ptr_array_add(names, (char *)"virtiofs");
  if (root_type) {
    g_ptr_array_add(names, (char *)root_type);
    g_ptr_array_add(names, (char *)"overlay");
  }
  for (unsigned i = 0; i < options->module->len; i++)
    g_ptr_array_add(names, g_ptr_array_index(options->module, i));
  if (!initramfs_add_modules(initramfs, options->modules, (const char *const *)names->pdata, missing, error))
    return false;
  for (unsigned i = 0; i < missing->len; i++)
    g_debug("%s has no module %s", options->modules, (const char *)g_ptr_array_index(missing, i));
  return true;
}

/* The specification: records "key=value", each ended by a NUL. */

static void add_record(GByteArray *spec, const char *key, const char *value) {
  g_byte_array_append(spec, (const guint8 *)key, (guint)strlen(key));
  g_byte_array_append(spec, (const guint8 *)"=", 1);
  g_byte_array_append(spec, (const guint8 *)value, (guint)strlen(value) + 1);
}

static void add_environment(GByteArray *spec, const ExecOptions *options) {
  static const struct {
    const char *name, *variable;
  } defaults[] = {{"PATH", "PATH=" DEFAULT_PATH}, {"HOME", "HOME=/root"}, {"TERM", "TERM=dumb"}};

  for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++)
    if (!g_environ_getenv((char **)options->env->pdata, defaults[i].name))
      add_record(spec, "env", defaults[i].variable);
  for (unsigned i = 0; i < options->env->len; i++)
    add_record(spec, "env", g_ptr_array_index(options->env, i));
}

/* The name that Linux gives to the virtio disk N, from 0: vda, ... vdz, vdaa, ... (drivers/block/virtio_blk.c). */
static char *disk_name(unsigned n) {
  GString *name = g_string_new(NULL);

  for (n++; n; n = (n - 1) / 26)
    g_string_prepend_c(name, (char)('a' + (n - 1) % 26));
  g_string_prepend(name, "/dev/vd");
  return g_string_free(name, FALSE);
}

/* Device types: virtio 1.2, section 5. */
static void add_drivers(GByteArray *spec, const Config *config) {
  if (config->disks->len)
    add_record(spec, "driver", "2 virtio_blk");
  if (config->nets->len)
    add_record(spec, "driver", "1 virtio_net");
  if (config->rng)
    add_record(spec, "driver", "4 virtio_rng");
  if (config->vsock->len)
    add_record(spec, "driver", "19 vmw_vsock_virtio_transport");
  if (config->shares->len)
    add_record(spec, "driver", "26 virtiofs");
}

/* "ro TAG PLACE". */
static void add_shares(GByteArray *spec, const Config *config) {
  for (unsigned i = 0; i < config->shares->len; i++) {
    const ShareConfig *share = config->shares->pdata[i];
    g_autofree char *words = share->at ? g_strdup_printf("%s %s %s", share->read_only ? "ro" : "rw", share->tag, share->at) : NULL;
    if (words)
      add_record(spec, "share", words);
  }
}

static void add_spec(Initramfs *initramfs, const ExecOptions *options, const char *root_type) {
  g_autoptr(GByteArray) spec = g_byte_array_new();
  g_autofree char *root_disk = disk_name(MAX(options->config->disks->len, 1) - 1); /* the image is the last of the disks */

  add_record(spec, "version", "1");
  for (unsigned i = 0; i + 1 < options->command->len; i++)
    add_record(spec, "arg", g_ptr_array_index(options->command, i));
  add_environment(spec, options);
  if (options->cwd)
    add_record(spec, "cwd", options->cwd);
  for (unsigned i = 0; i < options->copy_out->len; i++)
    add_record(spec, "copy-out", ((const ExecCopy *)g_ptr_array_index(options->copy_out, i))->source);
  for (unsigned i = 0; options->rootfs && i < options->copy_in->len; i++)
    add_record(spec, "copy-in", ((const ExecCopy *)g_ptr_array_index(options->copy_in, i))->destination);
  add_drivers(spec, options->config);
  for (unsigned i = 0; i < options->config->nets->len; i++)
    add_record(spec, "net", "dhcp");
  add_shares(spec, options->config);
  if (options->rootfs)
    add_record(spec, "root", options->rootfs_is_image ? root_disk : NEW_ROOT);
  if (root_type)
    add_record(spec, "root-type", root_type);
  g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(g_steal_pointer(&spec));
  initramfs_add_bytes(initramfs, "/eret/spec", 0600, INITRAMFS_OWN, bytes);
}

GBytes *exec_make_initramfs(const ExecOptions *options, uint64_t *files, GError **error) {
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GBytes) init = g_bytes_new_static(init_image, init_image_size);
  const char *root_type = NULL;

  if (options->rootfs && options->rootfs_is_image) {
    root_type = file_system_type(options->rootfs, error);
    if (!root_type)
      return NULL;
  }
  initramfs_add_bytes(initramfs, "/init", 0755, INITRAMFS_OWN, init);
  add_spec(initramfs, options, root_type);
  initramfs_add_directory(initramfs, "/eret/modules", 0755);
  if (!add_modules(initramfs, options, root_type, error) || (!options->rootfs && !add_small_system(initramfs, options, error)) ||
      !add_files(initramfs, options, error))
    return NULL;
  return initramfs_build(initramfs, files, error);
}

CopyOut *exec_copy_out_new(const ExecOptions *options, GError **error) {
  const CopyOutLimits limits = {.bytes = options->copy_out_limit, .entries = COPY_OUT_ENTRIES_MAX};
  g_autoptr(GPtrArray) destinations = g_ptr_array_new_null_terminated(1, NULL, true);

  for (unsigned i = 0; i < options->copy_out->len; i++)
    g_ptr_array_add(destinations, ((const ExecCopy *)g_ptr_array_index(options->copy_out, i))->destination);
  return copy_out_new((const char *const *)destinations->pdata, &limits, error);
}
