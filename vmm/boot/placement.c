/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where kernel, device tree and initial RAM disk go: from the start of RAM upwards, so that the least memory is enough and what is left is
 * one piece. Linux: Documentation/arch/arm64/booting.rst, "Setup the device tree" and "Call the kernel image". Bare-metal programs follow no
 * protocol; their device tree goes to the very start of RAM where they leave it free, the convention of QEMU's `virt` machine, so that
 * nothing of ours lies in the memory behind the program that it takes for its stack and heap.
 */
#include "vmm/boot/kernel-formats.h"

#define FDT_ALIGNMENT    0x200000             /* in one 2 MiB block: booting.rst, "Setup the device tree" */
#define INITRD_ALIGNMENT 0x10000              /* the largest page size: the guest frees it by pages */
#define WINDOW_ALIGNMENT (UINT64_C(1) << 30)  /* booting.rst: kernel and initrd within a 1 GiB aligned window ... */
#define WINDOW_SIZE      (UINT64_C(32) << 30) /* ... of up to 32 GiB */
#define MEMORY_MIN       0x1000000            /* the least that --memory takes */

/* Rounds up. False: beyond 64 bits. */
static bool align_up(uint64_t *value, uint64_t alignment) {
  if (__builtin_add_overflow(*value, alignment - 1, value))
    return false;
  *value -= *value % alignment;
  return true;
}

/* Takes SIZE bytes at *TOP, aligned; moves *TOP behind them. Nothing is taken, and START is 0, where SIZE is 0. */
static bool take(uint64_t *top, uint64_t alignment, uint64_t size, uint64_t *start) {
  *start = 0;
  if (size == 0)
    return true;
  if (!align_up(top, alignment))
    return false;
  *start = *top;
  return !__builtin_add_overflow(*top, size, top);
}

/* The next power of two, or above 1 GiB the next full GiB: a size people would write. */
static char *suggest_memory(uint64_t needed) {
  uint64_t size = MEMORY_MIN;
  while (size < needed && size < WINDOW_ALIGNMENT)
    size *= 2;
  if (size < needed)
    return g_strdup_printf("--memory %" G_GUINT64_FORMAT "G", (needed - 1) / WINDOW_ALIGNMENT + 1);
  return size < WINDOW_ALIGNMENT ? g_strdup_printf("--memory %" G_GUINT64_FORMAT "M", size >> 20) : g_strdup("--memory 1G");
}

static bool fail_memory(uint64_t end, uint64_t ram_base, uint64_t ram_size, const BootPlacement *placement, GError **error) {
  uint64_t needed = end - ram_base;
  g_autofree char *suggestion = suggest_memory(needed);
  g_autofree char *needs =
      placement->initrd_size ? g_strdup_printf(" and its initrd (%" G_GUINT64_FORMAT " MiB) need", (placement->initrd_size + 0xfffff) >> 20)
                             : g_strdup(" needs");
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT,
              "the kernel%s at least %" G_GUINT64_FORMAT " MiB of memory, the machine has %" G_GUINT64_FORMAT " MiB; try %s", needs,
              needed / 0x100000 + (needed % 0x100000 != 0), ram_size >> 20, suggestion);
  return false;
}

static bool fail_nonsense(GError **error) {
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT, "kernel and initrd do not fit into any memory");
  return false;
}

bool boot_place_kernel(const KernelImage *image, uint64_t ram_base, BootPlacement *placement, GError **error) {
  if (image->relocatable) {
    uint64_t base = ram_base;
    if (!align_up(&base, image->alignment) || __builtin_add_overflow(base, image->text_offset, &placement->kernel_start))
      return fail_nonsense(error);
    placement->kernel_base = base;
    placement->entry = base + image->entry;
  } else {
    placement->kernel_start = UINT64_MAX;
    for (unsigned i = 0; i < image->segments->len; i++)
      placement->kernel_start = MIN(placement->kernel_start, g_array_index(image->segments, KernelSegment, i).address);
    placement->entry = image->entry;
  }
  placement->kernel_size = image->image_size;
  if (placement->kernel_start >= ram_base)
    return true;
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT,
              "the program is linked to 0x%" G_GINT64_MODIFIER "x, below the start of memory: link it to 0x%" G_GINT64_MODIFIER
              "x or higher",
              placement->kernel_start, ram_base + KERNEL_TEXT_OFFSET);
  return false;
}

bool boot_place(const KernelImage *image, uint64_t ram_base, uint64_t ram_size, uint64_t initrd_size, uint64_t fdt_size,
                BootPlacement *placement, GError **error) {
  BootPlacement result = {.initrd_size = initrd_size, .fdt_size = fdt_size};
  if (fdt_size > BOOT_FDT_MAX) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT, "the device tree has %" G_GUINT64_FORMAT " bytes, the boot protocol allows %d",
                fdt_size, BOOT_FDT_MAX);
    return false;
  }
  if (!boot_place_kernel(image, ram_base, &result, error))
    return false;
  uint64_t top;
  if (__builtin_add_overflow(result.kernel_start, result.kernel_size, &top))
    return fail_nonsense(error);

  bool fdt_first = !image->linux_image && ram_base % FDT_ALIGNMENT == 0 && result.kernel_start - ram_base >= fdt_size;
  if (fdt_first)
    result.fdt_start = fdt_size ? ram_base : 0;
  else if (!take(&top, FDT_ALIGNMENT, fdt_size, &result.fdt_start))
    return fail_nonsense(error);
  if (!take(&top, INITRD_ALIGNMENT, initrd_size, &result.initrd_start))
    return fail_nonsense(error);

  uint64_t window = result.kernel_start - result.kernel_start % WINDOW_ALIGNMENT;
  if (initrd_size && top - window > WINDOW_SIZE) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT,
                "the initrd has %" G_GUINT64_FORMAT " MiB, more than the boot protocol can place (32 GiB with the kernel)",
                initrd_size >> 20);
    return false;
  }
  if (top - ram_base > ram_size)
    return fail_memory(top, ram_base, ram_size, &result, error);
  *placement = result;
  return true;
}
