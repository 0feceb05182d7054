/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel files: opens one, finds out what it is, unpacks it where it is packed, and has the format's own file parse it.
 *
 * The order of recognition: what wraps a kernel first (compressions, EFI zboot), once and not nested; then what is one
 * (Image, ELF). The file is mapped, not read: an Image that is not compressed is copied once, into the guest (copy.c).
 * Whoever uses what was made of the file asks the mapping then whether it is still the same (mapped-file.h).
 */
#define _GNU_SOURCE /* memmem */
#include "vmm/boot/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

#include "vmm/boot/decompress.h"
#include "vmm/boot/kernel-formats.h"

#define WANTED                                                                                                                             \
  "an arm64 Linux kernel is wanted (Image, also compressed with gzip, zstd or lz4, or an EFI vmlinuz.efi), or an AArch64 ELF executable; " \
  "a flat binary needs --kernel-format raw"
#define SMALLEST_KERNEL 64 /* the header of an Image and that of an ELF64 file have this size */

G_DEFINE_QUARK(eret_kernel_error, kernel_error)

KernelImage *kernel_image_new(const char *description, GBytes *contents) {
  KernelImage *image = g_new0(KernelImage, 1);
  image->description = description;
  image->contents = g_bytes_ref(contents);
  image->segments = g_array_new(false, true, sizeof(KernelSegment));
  return image;
}

void kernel_image_free(KernelImage *image) {
  if (!image)
    return;
  g_array_unref(image->segments);
  g_bytes_unref(image->contents);
  g_free(image);
}

void kernel_image_add_segment(KernelImage *image, uint64_t address, const uint8_t *data, uint64_t size, uint64_t memory_size) {
  KernelSegment segment = {.address = address, .data = data, .size = size, .memory_size = memory_size};
  g_array_append_val(image->segments, segment);
}

static KernelImage *parse_raw(GBytes *contents) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);
  KernelImage *image = kernel_image_new("flat binary", contents);
  image->relocatable = true;
  image->text_offset = KERNEL_TEXT_OFFSET;
  image->alignment = KERNEL_BASE_ALIGNMENT;
  image->image_size = size;
  image->entry = KERNEL_TEXT_OFFSET;
  kernel_image_add_segment(image, KERNEL_TEXT_OFFSET, data, size, size);
  return image;
}

/* PACKING: NULL, or what CONTENTS were unpacked from. */
static KernelImage *parse_bare(GBytes *contents, const char *packing, GError **error) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);
  if (kernel_is_linux_image(data, size))
    return kernel_parse_linux_image(contents, error);
  if (kernel_is_elf(data, size))
    return kernel_parse_elf(contents, error);
  const char *identity = kernel_identify(data, size);
  if (packing)
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "it is %s, packed with %s; " WANTED, identity, packing);
  else if (size < SMALLEST_KERNEL)
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
                "it is %s of %" G_GSIZE_FORMAT " bytes, and a kernel's header alone has %d: truncated? " WANTED, identity, size,
                SMALLEST_KERNEL);
  else
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "it is %s; " WANTED, identity);
  return NULL;
}

/* Sets *PACKING to NULL and returns CONTENTS where they are not packed as a whole. */
static GBytes *decompress(GBytes *contents, const char **packing, GError **error) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);
  *packing = NULL;
  Compression compression = decompress_detect(data, size);
  if (compression == COMPRESSION_NONE)
    return g_bytes_ref(contents);
  *packing = decompress_name(compression);
  return decompress_bytes(compression, data, size, DECOMPRESS_MAX, error);
}

/* The same, with zboot for one more packing. */
static GBytes *unpack(GBytes *contents, const char **packing, GError **error) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);

  return kernel_is_zboot(data, size) ? kernel_unpack_zboot(contents, packing, error) : decompress(contents, packing, error);
}

KernelImage *kernel_image_parse(GBytes *contents, KernelFormat format, GError **error) {
  if (g_bytes_get_size(contents) == 0) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT, "it is empty");
    return NULL;
  }
  if (format == KERNEL_FORMAT_RAW)
    return parse_raw(contents);
  const char *packing;
  g_autoptr(GBytes) unpacked = unpack(contents, &packing, error);
  if (!unpacked)
    return NULL;
  KernelImage *image = parse_bare(unpacked, packing, error);
  if (image && packing) {
    g_autofree char *description = g_strdup_printf("%s, %s", image->description, packing);
    image->description = g_intern_string(description);
  }
  return image;
}

#define RELEASE_MAX 64 /* Linux: include/uapi/linux/utsname.h, __NEW_UTS_LEN */

char *kernel_image_release(const KernelImage *image) {
  static const char banner[] = "Linux version ";
  gsize size;
  const char *data = g_bytes_get_data(image->contents, &size), *end = data + size;

  /* The format string of /proc/version has the same beginning, and no digit behind it. */
  for (const char *at = data; (at = memmem(at, (gsize)(end - at), banner, strlen(banner)));) {
    gsize length = 0;
    at += strlen(banner);
    while (length <= RELEASE_MAX && at + length < end && (g_ascii_isalnum(at[length]) || strchr(".-+_~", at[length])) && at[length])
      length++;
    if (length && length <= RELEASE_MAX && g_ascii_isdigit(*at) && at + length < end && at[length] == ' ')
      return g_strndup(at, length);
  }
  return NULL;
}

static bool check_type(int fd, GError **error) {
  struct stat status;

  if (fstat(fd, &status) < 0)
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_READ, "cannot be examined: %s", g_strerror(errno));
  else if (S_ISDIR(status.st_mode))
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "it is a directory; " WANTED);
  else if (!S_ISREG(status.st_mode))
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "it is not a regular file; " WANTED);
  else
    return true;
  return false;
}

static MappedFile *map_file(const char *path, GError **error) {
  /* O_NONBLOCK: a FIFO must lead to an error, not to waiting for its writer. */
  int fd = g_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  g_autoptr(GError) failure = NULL;

  if (fd < 0) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_READ, "cannot be opened: %s", g_strerror(errno));
    return NULL;
  }
  if (!check_type(fd, error)) {
    g_close(fd, NULL);
    return NULL;
  }
  MappedFile *file = mapped_file_new_take_fd(fd, path, MAPPED_FILE_KEPT, &failure);
  if (!file)
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_READ, "cannot be read: %s", failure->message);
  return file;
}

MappedFile *kernel_file_open(const char *path, GError **error) {
  MappedFile *file = map_file(path, error);

  if (!file)
    g_prefix_error(error, "kernel file %s: ", path);
  return file;
}

/* FAILURE is why something of FILE could not be used. */
static void report(const MappedFile *file, const char *path, GError *failure, GError **error) {
  g_prefix_error(&failure, "kernel file %s: ", path);
  mapped_file_blame(file, &failure);
  g_propagate_error(error, failure);
}

GBytes *kernel_file_unpack(MappedFile *file, const char *path, GError **error) {
  g_autoptr(GBytes) contents = mapped_file_bytes(file);
  GError *failure = NULL;
  const char *packing;
  GBytes *unpacked = decompress(contents, &packing, &failure);

  if (!unpacked)
    report(file, path, failure, error);
  return unpacked;
}

KernelImage *kernel_image_read(MappedFile *file, const char *path, KernelFormat format, GError **error) {
  g_autoptr(GBytes) contents = mapped_file_bytes(file);
  GError *failure = NULL;
  KernelImage *image = kernel_image_parse(contents, format, &failure);

  if (!image)
    report(file, path, failure, error);
  return image;
}
