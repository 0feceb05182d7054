/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where kernel, device tree and initial RAM disk go.
 *
 * Linux says in its header all the memory that it needs. Everything lies from the start of RAM upwards, so that the
 * least memory is enough and what is left is one piece: Documentation/arch/arm64/booting.rst, "Setup the device tree"
 * and "Call the kernel image".
 *
 * Bare-metal programs follow no protocol, and a flat binary does not even say how much memory it zeroes for itself.
 * Behind the program lie its stack and heap, or the stack grows downwards from its first byte. So tree and initial RAM
 * disk go far away from it, half of RAM or 128 MiB above the start of RAM; register x0 points there. Firmware looks for
 * the tree at the start of RAM without asking x0, the convention of QEMU's `virt` machine, and finds a copy there,
 * where the program leaves room for it.
 */
#include "vmm/boot/kernel-formats.h"

#define FDT_ALIGNMENT    0x200000 /* in one 2 MiB block: booting.rst, "Setup the device tree" */
#define INITRD_ALIGNMENT 0x10000  /* the largest page size: the guest frees it by pages */
#define MODULE_ALIGNMENT INITRD_ALIGNMENT
#define WINDOW_ALIGNMENT (UINT64_C(1) << 30)  /* booting.rst: kernel and initrd within a 1 GiB aligned window ... */
#define WINDOW_SIZE      (UINT64_C(32) << 30) /* ... of up to 32 GiB */
#define PROGRAM_ROOM     0x8000000            /* 128 MiB: what a bare-metal program may take from the start of RAM, unless RAM is small */

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

/* What to do: the next power of two, or above 1 GiB the next full GiB, is a size people would write. */
static char *suggest_memory(uint64_t needed) {
  uint64_t size = BOOT_MEMORY_MIN;
  if (needed > BOOT_MEMORY_MAX)
    return g_strdup_printf("no machine has so much: --memory takes at most %" G_GUINT64_FORMAT "T", BOOT_MEMORY_MAX >> 40);
  while (size < needed && size < WINDOW_ALIGNMENT)
    size *= 2;
  if (size < needed)
    return g_strdup_printf("try --memory %" G_GUINT64_FORMAT "G", (needed - 1) / WINDOW_ALIGNMENT + 1);
  return size < WINDOW_ALIGNMENT ? g_strdup_printf("try --memory %" G_GUINT64_FORMAT "M", size >> 20) : g_strdup("try --memory 1G");
}

static bool fail_memory(uint64_t end, uint64_t ram_base, uint64_t ram_size, const BootPlacement *placement, GError **error) {
  uint64_t needed = end - ram_base;
  g_autofree char *suggestion = suggest_memory(needed);
  g_autofree char *needs =
      placement->initrd_size ? g_strdup_printf(" and its initrd (%" G_GUINT64_FORMAT " MiB) need", (placement->initrd_size + 0xfffff) >> 20)
                             : g_strdup(" needs");
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT,
              "the kernel%s at least %" G_GUINT64_FORMAT " MiB of memory, the machine has %" G_GUINT64_FORMAT " MiB; %s", needs,
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

/* Tree, then initrd, from TOP upwards; TOP moves behind them. False: beyond 64 bits. */
static bool place_behind(BootPlacement *placement, uint64_t *top) {
  return take(top, FDT_ALIGNMENT, placement->fdt_size, &placement->fdt_start) &&
         take(top, INITRD_ALIGNMENT, placement->initrd_size, &placement->initrd_start);
}

typedef struct {
  uint64_t start, end;
} Gap;

/*
 * A place for SIZE bytes, aligned as the tree has to be, in the memory that the program's file leaves free: the first
 * one from WANTED upwards, and where none is large enough the last one below it, which is the farthest from the
 * program's end. False: there is none.
 */
static bool find_room(const Gap *gaps, unsigned n_gaps, uint64_t wanted, uint64_t size, uint64_t *start) {
  for (unsigned i = 0; i < n_gaps; i++) {
    *start = MAX(gaps[i].start, wanted);
    if (align_up(start, FDT_ALIGNMENT) && *start <= gaps[i].end && gaps[i].end - *start >= size)
      return true;
  }
  for (unsigned left = n_gaps; left > 0; left--) {
    const Gap *gap = &gaps[left - 1];
    if (gap->end < size)
      continue;
    *start = gap->end - size;
    *start -= *start % FDT_ALIGNMENT;
    if (*start >= gap->start)
      return true;
  }
  return false;
}

/*
 * Tree and initrd for a bare-metal program, which ends at TOP; TOP becomes the end of the memory that all of it needs
 * at least. Where that is more than there is, the caller says so. False: beyond 64 bits.
 */
static bool place_apart(BootPlacement *placement, uint64_t ram_base, uint64_t ram_size, uint64_t *top) {
  const uint64_t program_end = *top;
  BootPlacement sizes = *placement;
  uint64_t ram_end, start, size = 0;

  if (__builtin_add_overflow(ram_base, ram_size, &ram_end) || !place_behind(&sizes, &size))
    return false;
  const Gap gaps[] = {{ram_base, placement->kernel_start}, {program_end, ram_end}};
  if (program_end > ram_end || !find_room(gaps, G_N_ELEMENTS(gaps), ram_base + MIN(ram_size / 2, PROGRAM_ROOM), size, &start))
    return find_room(gaps, 1, ram_base, size, &start) || place_behind(placement, top);
  if (start != ram_base && ram_base % FDT_ALIGNMENT == 0 && placement->kernel_start - ram_base >= placement->fdt_size)
    placement->fdt_copy_start = ram_base;
  return place_behind(placement, &start);
}

static bool check_fdt_size(uint64_t fdt_size, GError **error) {
  if (fdt_size > BOOT_FDT_MAX)
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT, "the device tree has %" G_GUINT64_FORMAT " bytes, the boot protocol allows %d",
                fdt_size, BOOT_FDT_MAX);
  return fdt_size <= BOOT_FDT_MAX;
}

bool boot_place_firmware(uint64_t entry, uint64_t ram_base, uint64_t ram_size, uint64_t fdt_size, BootPlacement *placement,
                         GError **error) {
  BootPlacement result = {.entry = entry, .fdt_start = ram_base, .fdt_size = fdt_size};

  if (!check_fdt_size(fdt_size, error))
    return false;
  if (fdt_size > ram_size)
    return fail_nonsense(error);
  *placement = result;
  return true;
}

bool boot_place(const KernelImage *image, uint64_t ram_base, uint64_t ram_size, uint64_t initrd_size, uint64_t fdt_size,
                BootPlacement *placement, GError **error) {
  BootPlacement result = {.initrd_size = initrd_size, .fdt_size = fdt_size};
  if (!check_fdt_size(fdt_size, error) || !boot_place_kernel(image, ram_base, &result, error))
    return false;
  uint64_t top;
  if (__builtin_add_overflow(result.kernel_start, result.kernel_size, &top))
    return fail_nonsense(error);

  if (image->linux_image ? !place_behind(&result, &top) : !place_apart(&result, ram_base, ram_size, &top))
    return fail_nonsense(error);

  uint64_t window = result.kernel_start - result.kernel_start % WINDOW_ALIGNMENT;
  if (image->linux_image && initrd_size && top - window > WINDOW_SIZE) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT,
                "the initrd has %" G_GUINT64_FORMAT " MiB, more than the boot protocol can place (32 GiB with the kernel)",
                initrd_size >> 20);
    return false;
  }
  if (top - ram_base > ram_size)
    return fail_memory(top, ram_base, ram_size, &result, error);
  result.x0 = result.fdt_start;
  *placement = result;
  return true;
}

bool boot_place_tables(BootPlacement *placement, uint64_t ram_base, uint64_t ram_size, uint64_t size, uint64_t alignment, GError **error) {
  uint64_t top = placement->kernel_start + placement->kernel_size;

  top = MAX(top, placement->fdt_start + placement->fdt_size);
  for (unsigned i = 0; i < placement->n_modules; i++)
    top = MAX(top, placement->modules[i].start + placement->modules[i].size);
  top = MAX(top, placement->initrd_start + placement->initrd_size);
  if (!take(&top, alignment, size, &placement->tables_start))
    return fail_nonsense(error);
  placement->tables_size = size;
  return top - ram_base <= ram_size || fail_memory(top, ram_base, ram_size, placement, error);
}

bool boot_place_modules(BootPlacement *placement, uint64_t ram_base, uint64_t ram_size, BootModule *modules, unsigned n, GError **error) {
  uint64_t top = MAX(placement->fdt_start + placement->fdt_size, placement->initrd_start + placement->initrd_size);

  top = MAX(top, placement->kernel_start + placement->kernel_size);
  for (unsigned i = 0; i < n; i++)
    if (!take(&top, MODULE_ALIGNMENT, modules[i].size, &modules[i].start))
      return fail_nonsense(error);
  if (top - ram_base > ram_size) {
    g_autofree char *suggestion = suggest_memory(top - ram_base);
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT,
                "the kernel and its modules need at least %" G_GUINT64_FORMAT " MiB of memory, the machine has %" G_GUINT64_FORMAT
                " MiB; %s",
                (top - ram_base + 0xfffff) >> 20, ram_size >> 20, suggestion);
    return false;
  }
  placement->modules = modules;
  placement->n_modules = n;
  return true;
}
