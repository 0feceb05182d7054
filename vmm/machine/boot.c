/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, planning and loading what the guest boots. No lock: used while no vCPU runs. */
#include "vmm/machine/boot.h"

#include <string.h>
#include <sys/random.h>

#include "devices/fw-cfg.h"
#include "fdt/fdt-nodes.h"
#include "fdt/fdt-overlay.h"
#include "vmm/base/whole-file.h"
#include "vmm/boot/efi-tables.h"
#include "vmm/machine/items.h"

#define OVERLAY_MAX (4u << 20) /* more than any tree has: what is larger is told by size */

static bool read_kernel(BootFiles *files, GError **error) {
  files->kernel = kernel_image_read(files->kernel_file, files->config->kernel, files->config->kernel_format, error);
  return files->kernel != NULL;
}

static bool open_kernel(BootFiles *files, GError **error) {
  files->kernel_file = kernel_file_open(files->config->kernel, error);
  return files->kernel_file && read_kernel(files, error);
}

static bool open_initrd(BootFiles *files, GBytes *initrd, GError **error) {
  if (!initrd)
    files->initrd_file = mapped_file_open(files->config->initrd, MAPPED_FILE_KEPT, error);
  if (!initrd && !files->initrd_file) {
    g_prefix_error(error, "initrd %s: ", files->config->initrd);
    return false;
  }
  files->initrd = initrd ? g_bytes_ref(initrd) : mapped_file_bytes(files->initrd_file);
  return true;
}

static bool open_overlays(BootFiles *files, GError **error) {
  files->overlays = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  for (unsigned i = 0; i < files->config->overlays->len; i++) {
    const DtboConfig *overlay = files->config->overlays->pdata[i];
    gsize size;
    char *contents = whole_file_read(overlay->path, OVERLAY_MAX, "overlay", &size, error);
    if (!contents) {
      g_prefix_error(error, "device-tree overlay %s: ", overlay->path);
      return false;
    }
    g_ptr_array_add(files->overlays, g_bytes_new_take(contents, size));
  }
  return true;
}

bool boot_files_open(BootFiles *files, const Config *config, GBytes *initrd, GError **error) {
  *files = (BootFiles){.config = config, .items = items_read(config, error)};
  if (files->items && open_overlays(files, error) && (!config->kernel || open_kernel(files, error)) &&
      (!(initrd || config->initrd) || open_initrd(files, initrd, error)))
    return true;
  boot_files_close(files);
  return false;
}

void boot_files_close(BootFiles *files) {
  g_clear_pointer(&files->copy, copy_cancel);
  g_clear_pointer(&files->kernel, kernel_image_free);
  g_clear_pointer(&files->tables, g_bytes_unref);
  g_clear_pointer(&files->kernel_file, mapped_file_free);
  g_clear_pointer(&files->initrd, g_bytes_unref);
  g_clear_pointer(&files->initrd_file, mapped_file_free);
  g_clear_pointer(&files->items, g_ptr_array_unref);
  g_clear_pointer(&files->overlays, g_ptr_array_unref);
}

static bool unchanged(const MappedFile *file, const char *what, GError **error) {
  if (!file || mapped_file_check(file, error))
    return true;
  g_prefix_error(error, "%s ", what);
  return false;
}

/* A boot has to be of the same files as the one before, whole, and not of a mixture. */
static bool files_unchanged(const BootFiles *files, GError **error) {
  return unchanged(files->kernel_file, "kernel file", error) && unchanged(files->initrd_file, "initrd", error);
}

static const KernelSegment *largest_segment(const KernelImage *kernel) {
  const KernelSegment *largest = NULL;

  for (unsigned i = 0; i < kernel->segments->len; i++) {
    const KernelSegment *segment = &g_array_index(kernel->segments, KernelSegment, i);
    if (!largest || segment->size > largest->size)
      largest = segment;
  }
  return largest;
}

static uint64_t segment_address(const KernelImage *kernel, const BootPlacement *placement, const KernelSegment *segment) {
  return segment->address + (kernel->relocatable ? placement->kernel_base : 0);
}

bool boot_begin_load(BootFiles *files, uint64_t ram_base, const GuestMemory *memory, GError **error) {
  BootPlacement placement = {0};
  void *to;

  if (files->copy || !files->config->kernel)
    return true;
  if (!files->kernel && (!files_unchanged(files, error) || !read_kernel(files, error)))
    return false;
  if (!boot_place_kernel(files->kernel, ram_base, &placement, error))
    return false;
  files->copied = largest_segment(files->kernel);
  to = guest_memory_slice(memory, segment_address(files->kernel, &placement, files->copied), files->copied->size);
  if (to) /* or boot_place will say how much is missing */
    files->copy = copy_begin(to, files->copied->data, files->copied->size);
  return true;
}

static GBytes *make_tables(const AcpiWriter *acpi, const Platform *platform, uint64_t address, BootPlacement *placement) {
  Smbios smbios = platform_smbios(platform);
  EfiAddresses addresses;
  const BoardDevice *clock = board_find(platform->board, &pl031_kind);
  GBytes *tables = efi_tables_new(acpi, &smbios, clock ? clock->slot.base : 0, address, &addresses);

  placement->tables_start = address;
  placement->tables_size = g_bytes_get_size(tables);
  placement->efi_system_table = addresses.system_table;
  placement->efi_map = addresses.map;
  placement->efi_map_size = addresses.map_size;
  return tables;
}

/* All files and the tree, which has FDT_SIZE bytes, and tables of TABLES_SIZE; a machine that starts nothing is a plan alone. */
static bool place(const BootFiles *files, const Board *board, uint64_t fdt_size, uint64_t tables_size, BootPlacement *placement,
                  GError **error) {
  const AddressRange *ram = &board->ram;
  const BoardDevice *flash = board_find(board, &flash_kind);
  uint64_t initrd_size = files->initrd ? g_bytes_get_size(files->initrd) : 0;

  if (flash)
    return boot_place_firmware(flash->slot.base, ram->base, ram->size, fdt_size, placement, error);
  return !files->kernel || (boot_place(files->kernel, ram->base, ram->size, initrd_size, fdt_size, placement, error) &&
                            (!tables_size || boot_place_tables(placement, ram->base, ram->size, tables_size, EFI_TABLES_ALIGNMENT, error)));
}

void boot_set_items(const BootFiles *files, const Platform *platform) {
  Device *device = platform_find(platform, &fw_cfg_kind);

  if (device)
    fw_cfg_set_items(device, items_new(platform->board, files->items));
}

/* FDT is given up. */
static GBytes *apply_overlays(const BootFiles *files, GBytes *fdt, GError **error) {
  for (unsigned i = 0; fdt && i < files->overlays->len; i++) {
    g_autoptr(GBytes) before = fdt;
    fdt = fdt_overlay(before, files->overlays->pdata[i], error);
    if (!fdt)
      g_prefix_error(error, "device-tree overlay %s: ", ((const DtboConfig *)files->config->overlays->pdata[i])->path);
  }
  return fdt;
}

GBytes *boot_plan(BootFiles *files, const Platform *platform, const BootSeed *seed, BootPlacement *placement, GError **error) {
  g_autoptr(AcpiWriter) acpi = NULL;
  uint64_t initrd_size = files->initrd ? g_bytes_get_size(files->initrd) : 0;
  const AddressRange *ram = &platform->board->ram;
  /* Where initrd and tables go depends on the tree's size, but not the other way round. */
  BootPlacement any = {.initrd_start = ram->base, .initrd_size = files->kernel ? initrd_size : 0};

  *placement = (BootPlacement){0};
  g_clear_pointer(&files->tables, g_bytes_unref);
  if (platform->board->config->tables != TABLES_FDT && !board_find(platform->board, &flash_kind)) { /* firmware reads them itself */
    acpi = platform_describe_acpi(platform);
    files->tables = make_tables(acpi, platform, ram->base, &any);
  }
  g_autoptr(GBytes) fdt = apply_overlays(files, platform_describe(platform, &any, seed, error), error);
  if (!fdt || !place(files, platform->board, g_bytes_get_size(fdt), any.tables_size, placement, error))
    return NULL;
  if (placement->tables_size) {
    g_bytes_unref(files->tables);
    files->tables = make_tables(acpi, platform, placement->tables_start, placement);
    fdt = fdt_move_efi(g_steal_pointer(&fdt), placement->efi_system_table, placement->efi_map, placement->efi_map_size);
  }
  if (placement->initrd_size)
    return fdt_move_initrd(g_steal_pointer(&fdt), placement->initrd_start, placement->initrd_size);
  return g_steal_pointer(&fdt);
}

static bool load(const GuestMemory *memory, const char *what, uint64_t address, const void *data, uint64_t size, GError **error) {
  if (size == 0)
    return true;
  void *to = guest_memory_slice(memory, address, size);
  if (to) {
    copy_end(copy_begin(to, data, size));
    return true;
  }
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT, "%s lies outside memory: 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT " bytes",
              what, address, size);
  return false;
}

static bool load_fdt(const BootPlacement *placement, GBytes *fdt, const GuestMemory *memory, GError **error) {
  const void *data = g_bytes_get_data(fdt, NULL);
  uint64_t size = g_bytes_get_size(fdt);

  return load(memory, "the device tree", placement->fdt_start, data, size, error) &&
         (!placement->fdt_copy_start || load(memory, "the device tree's copy", placement->fdt_copy_start, data, size, error));
}

static bool load_tables(const BootFiles *files, const BootPlacement *placement, const GuestMemory *memory, GError **error) {
  return !placement->tables_size ||
         load(memory, "the ACPI tables", placement->tables_start, g_bytes_get_data(files->tables, NULL), placement->tables_size, error);
}

static bool load_kernel(BootFiles *files, const BootPlacement *placement, const GuestMemory *memory, GError **error) {
  const KernelImage *kernel = files->kernel;

  for (unsigned i = 0; kernel && i < kernel->segments->len; i++) {
    const KernelSegment *segment = &g_array_index(kernel->segments, KernelSegment, i);
    if (files->copy && segment == files->copied)
      copy_end(g_steal_pointer(&files->copy));
    else if (!load(memory, "the kernel", segment_address(kernel, placement, segment), segment->data, segment->size, error))
      return false;
  }
  return true;
}

bool boot_load(BootFiles *files, const BootPlacement *placement, GBytes *fdt, const GuestMemory *memory, GError **error) {
  /* The kernel last: others are at it. */
  return (!files->initrd ||
          load(memory, "the initrd", placement->initrd_start, g_bytes_get_data(files->initrd, NULL), placement->initrd_size, error)) &&
         load_fdt(placement, fdt, memory, error) && load_tables(files, placement, memory, error) &&
         load_kernel(files, placement, memory, error) && files_unchanged(files, error);
}

void boot_files_let_go(BootFiles *files) {
  g_clear_pointer(&files->tables, g_bytes_unref);
  g_clear_pointer(&files->kernel, kernel_image_free);
  /* The files' pages stay in the host's cache without us. */
  if (files->kernel_file)
    mapped_file_let_go(files->kernel_file);
  if (files->initrd_file)
    mapped_file_let_go(files->initrd_file);
  else if (!files->config->reboot)
    g_clear_pointer(&files->initrd, g_bytes_unref);
}

void boot_seed_init(BootSeed *seed) {
  if (getrandom(seed, sizeof *seed, GRND_NONBLOCK) != sizeof *seed)
    memset(seed, 0, sizeof *seed); /* a host this early after its own boot has nothing to give; the tree then leaves the seeds out */
}
