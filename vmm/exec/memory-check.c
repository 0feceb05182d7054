/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lower bound: what passes here may still be too much, but what fails is. What the kernel reserves for itself beside
 * its image is not known, nor how much a file takes beside its contents.
 */
#include "vmm/exec/memory-check.h"

#include <sys/stat.h>

#include "vmm/boot/command-line.h"

#define MIB         UINT64_C(0x100000)
#define KERNEL_NEED (128 * MIB) /* that a kernel wants beside its image, roughly (CMA: 64 MiB): for the advice alone */

/*
 * Linux (init/do_mounts.c, init_rootfs; mm/shmem.c, shmem_default_max_blocks): to half of the memory, unless the user
 * has said something of the root. What that is to mean is left to the kernel.
 */
static bool is_limited(const char *append) {
  static const char *const words[] = {"root", "rootfstype", "initramfs_options"};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
    if (command_line_has(append, words[i]))
      return false;
  return true;
}

MemoryNeed exec_memory_need(GBytes *initramfs, uint64_t files, uint64_t kernel, const char *append) {
  return (MemoryNeed){.kernel = kernel, .archive = g_bytes_get_size(initramfs), .files = files, .limited = is_limited(append)};
}

/* The least memory, or false where no number is large enough. */
static bool least_memory(const MemoryNeed *need, uint64_t *least) {
  uint64_t unpacked = MAX(need->archive, need->files), limited, files = need->limited ? need->files : 0;
  bool fits = !__builtin_add_overflow(need->archive, need->kernel, least);

  /* Half of what the archive and the kernel leave has to do. */
  fits = fits && !__builtin_mul_overflow(files, 2, &limited);
  return fits && !__builtin_add_overflow(*least, MAX(unpacked, limited), least);
}

static uint64_t mebibytes(uint64_t size) {
  return size / MIB + (size % MIB != 0);
}

bool exec_check_memory(const MemoryNeed *need, uint64_t memory, GError **error) {
  uint64_t least, size = 128;

  if (!least_memory(need, &least))
    least = UINT64_MAX;
  else if (least <= memory)
    return true;
  while (size < mebibytes(least) + KERNEL_NEED / MIB)
    size *= 2;
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
              "what goes into the guest has %" G_GUINT64_FORMAT
              " MiB, which its kernel keeps twice while it unpacks them%s: they do not fit "
              "into its memory of %" G_GUINT64_FORMAT " MiB, and need more than %" G_GUINT64_FORMAT " MiB; try --memory %" G_GUINT64_FORMAT
              "M, or an image with --rootfs",
              mebibytes(need->archive), need->limited ? ", and not into more than half of what is left then" : "", mebibytes(memory),
              mebibytes(least), size);
  return false;
}

bool exec_check_config(const Config *config, GBytes *initramfs, uint64_t files, GError **error) {
  struct stat kernel;

  if (!config->kernel || stat(config->kernel, &kernel) < 0)
    return true;
  const MemoryNeed need = exec_memory_need(initramfs, files, (uint64_t)kernel.st_size, config->append);
  return exec_check_memory(&need, config->memory, error);
}
