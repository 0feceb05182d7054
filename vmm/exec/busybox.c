/* SPDX-License-Identifier: Apache-2.0 */
/* Finding busybox: a static program for ARM64 (gABI; ELF for the Arm 64-bit Architecture, IHI 0056). */
#include "vmm/exec/busybox.h"

#include <string.h>

#include "vmm/base/little-endian.h"
#include "vmm/base/own-files.h"
#include "vmm/exec/initramfs.h"

static bool is_arm64_elf(GBytes *bytes) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);

  /* gABI: e_ident, ELFCLASS64, e_machine EM_AARCH64 (183). */
  return size > 64 && memcmp(data, "\177ELF\002\001", 6) == 0 && data[18] == 183 && data[19] == 0;
}

/* gABI: a PT_INTERP (3) among the program headers names the dynamic linker, which the guest does not have. */
static bool is_static(GBytes *bytes) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(bytes, &size);
  uint64_t at = le64(data + 32), entry_size = le16(data + 54), n = le16(data + 56);

  if (at > size || n * entry_size > size - at)
    return false;
  for (; n && entry_size >= 4; n--, at += entry_size)
    if (le32(data + at) == 3)
      return false;
  return true;
}

static MappedFile *load(const char *path, GError **error) {
  g_autoptr(MappedFile) file = mapped_file_open(path, MAPPED_FILE_READ_ONCE, error);
  g_autoptr(GBytes) bytes = file ? mapped_file_bytes(file) : NULL;

  bool is_program = bytes && is_arm64_elf(bytes);
  if (is_program && is_static(bytes))
    return g_steal_pointer(&file);
  if (bytes)
    g_set_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                is_program ? "'%s' is not linked statically: it would not start in the guest" : "'%s' is not a program for ARM64", path);
  else
    g_prefix_error(error, "'%s' cannot be read: ", path);
  return NULL;
}

/* What was asked for, what came with eret, what Debian's busybox-static installs. */
MappedFile *busybox_open(const char *named, GError **error) {
  static const char *const systems[] = {"/bin", "/usr/bin"};
  g_auto(GStrv) own = own_directories();
  unsigned n_own = g_strv_length(own);

  if (named)
    return load(named, error);
  for (unsigned i = 0; i < n_own + G_N_ELEMENTS(systems); i++) {
    g_autofree char *path = g_build_filename(i < n_own ? own[i] : systems[i - n_own], "busybox", NULL);
    MappedFile *file = load(path, NULL);
    if (file)
      return file;
  }
  g_set_error_literal(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE,
                      "there is no busybox for ARM64: install busybox-static, name one with --busybox, or give the guest a --rootfs");
  return NULL;
}
