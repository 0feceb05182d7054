/* Opening, planning and loading what the guest boots. No lock: used while no vCPU runs. */
#include "vmm/boot/boot.h"

#include <string.h>
#include <sys/random.h>

#include "vmm/boot/copy.h"

static GBytes *map_file(const char *path, GError **error) {
  g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
  return file ? g_mapped_file_get_bytes(file) : NULL;
}

bool boot_files_open(BootFiles *files, const Config *config, GBytes *initrd, GError **error) {
  *files = (BootFiles){NULL, NULL};
  if (config->kernel) {
    files->kernel = kernel_image_load(config->kernel, config->kernel_format, error);
    if (!files->kernel)
      return false;
  }
  if (initrd) {
    files->initrd = g_bytes_ref(initrd);
  } else if (config->initrd) {
    files->initrd = map_file(config->initrd, error);
    if (!files->initrd) {
      g_prefix_error(error, "initrd: ");
      boot_files_close(files);
      return false;
    }
  }
  return true;
}

void boot_files_close(BootFiles *files) {
  g_clear_pointer(&files->kernel, kernel_image_free);
  g_clear_pointer(&files->initrd, g_bytes_unref);
}

GBytes *boot_plan(const BootFiles *files, const Platform *platform, const BootSeed *seed, BootPlacement *placement, GError **error) {
  uint64_t initrd_size = files->initrd ? g_bytes_get_size(files->initrd) : 0;
  const AddressRange *ram = &platform->board->ram;

  *placement = (BootPlacement){0};
  if (files->kernel) {
    /* The tree's size does not depend on the addresses in it: one with any addresses tells how much room it needs. */
    BootPlacement any = {.initrd_start = ram->base, .initrd_size = initrd_size};
    g_autoptr(GBytes) sample = platform_describe(platform, &any, seed, error);
    if (!sample || !boot_place(files->kernel, ram->base, ram->size, initrd_size, g_bytes_get_size(sample), placement, error))
      return NULL;
  }
  return platform_describe(platform, placement, seed, error);
}

static bool load(const GuestMemory *memory, const char *what, uint64_t address, const void *data, uint64_t size, GError **error) {
  if (size == 0)
    return true;
  void *to = guest_memory_slice(memory, address, size);
  if (to) {
    copy_large(to, data, size);
    return true;
  }
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT, "%s lies outside memory: 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT " bytes",
              what, address, size);
  return false;
}

bool boot_load(const BootFiles *files, const BootPlacement *placement, GBytes *fdt, const GuestMemory *memory, GError **error) {
  const KernelImage *kernel = files->kernel;

  for (unsigned i = 0; i < kernel->segments->len; i++) {
    const KernelSegment *segment = &g_array_index(kernel->segments, KernelSegment, i);
    uint64_t base = kernel->relocatable ? placement->kernel_base : 0;
    if (!load(memory, "the kernel", base + segment->address, segment->data, segment->size, error))
      return false;
  }
  if (files->initrd &&
      !load(memory, "the initrd", placement->initrd_start, g_bytes_get_data(files->initrd, NULL), placement->initrd_size, error))
    return false;
  return load(memory, "the device tree", placement->fdt_start, g_bytes_get_data(fdt, NULL), g_bytes_get_size(fdt), error);
}

void boot_seed_init(BootSeed *seed) {
  if (getrandom(seed, sizeof *seed, GRND_NONBLOCK) != sizeof *seed)
    memset(seed, 0, sizeof *seed); /* a host this early after its own boot has nothing to give; the tree then leaves the seeds out */
}
