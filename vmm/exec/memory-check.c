/* SPDX-License-Identifier: Apache-2.0 */
/* A lower bound: what passes here may still be too much, but what fails is. */
#include "vmm/exec/memory-check.h"

#define MIB         UINT64_C(0x100000)
#define KERNEL_NEED (64 * MIB) /* that a kernel wants for itself beside its image, roughly: for the advice alone */

static uint64_t mebibytes(uint64_t size) {
  return size / MIB + (size % MIB != 0);
}

bool exec_check_memory(uint64_t memory, uint64_t initramfs, uint64_t kernel, GError **error) {
  uint64_t least, size = 128;
  bool too_much = __builtin_mul_overflow(initramfs, 2, &least) || __builtin_add_overflow(least, kernel, &least);

  if (!too_much && least <= memory)
    return true;
  if (too_much)
    least = UINT64_MAX;
  while (size < mebibytes(least) + KERNEL_NEED / MIB)
    size *= 2;
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
              "what goes into the guest has %" G_GUINT64_FORMAT
              " MiB, which its kernel keeps twice while it unpacks them: they do not fit into "
              "its memory of %" G_GUINT64_FORMAT " MiB; try --memory %" G_GUINT64_FORMAT "M, or an image with --rootfs",
              mebibytes(initramfs), mebibytes(memory), size);
  return false;
}
