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

#define FDT_SIZE_GUESS 0x10000    /* of a tree that is not made yet */
#define OVERLAY_MAX    (4u << 20) /* more than any tree has: what is larger is told by size */

static bool read_kernel(BootFiles *files, GError **error) {
  files->kernel = kernel_image_read(files->kernel_file, files->config->kernel, files->config->kernel_format, error);
  return files->kernel != NULL;
}

/* What firmware is told of in 32 bits. */
static bool check_item(GBytes *bytes, const char *what, const char *path, GError **error) {
  if (g_bytes_get_size(bytes) <= FW_CFG_ITEM_MAX)
    return true;
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "%s %s: firmware cannot be handed more than 4 GiB", what, path);
  return false;
}

static bool open_kernel(BootFiles *files, GError **error) {
  const char *path = files->config->kernel;

  files->kernel_file = kernel_file_open(path, error);
  if (!files->kernel_file)
    return false;
  if (!config_has_firmware(files->config))
    return read_kernel(files, error);
  files->program = kernel_file_unpack(files->kernel_file, path, error);
  return files->program && check_item(files->program, "kernel file", path, error);
}

static bool open_initrd(BootFiles *files, GBytes *initrd, GError **error) {
  if (!initrd)
    files->initrd_file = mapped_file_open(files->config->initrd, MAPPED_FILE_KEPT, error);
  if (!initrd && !files->initrd_file) {
    g_prefix_error(error, "initrd %s: ", files->config->initrd);
    return false;
  }
  files->initrd = initrd ? g_bytes_ref(initrd) : mapped_file_bytes(files->initrd_file);
  return !config_has_firmware(files->config) || check_item(files->initrd, "initrd", files->config->initrd, error);
}

static void free_file(gpointer file) {
  mapped_file_free(file);
}

static bool open_modules(BootFiles *files, GError **error) {
  files->module_files = g_ptr_array_new_with_free_func(free_file);
  files->modules = g_array_new(FALSE, FALSE, sizeof(BootModule));
  for (unsigned i = 0; i < files->config->modules->len; i++) {
    const char *path = ((const ModuleConfig *)files->config->modules->pdata[i])->path;
    MappedFile *file = mapped_file_open(path, MAPPED_FILE_KEPT, error);
    if (!file) {
      g_prefix_error(error, "module %s: ", path);
      return false;
    }
    g_ptr_array_add(files->module_files, file);
    g_autoptr(GBytes) bytes = mapped_file_bytes(file);
    const BootModule module = {.size = g_bytes_get_size(bytes)};
    g_array_append_val(files->modules, module);
  }
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
  if (files->items && open_overlays(files, error) && open_modules(files, error) && (!config->kernel || open_kernel(files, error)) &&
      (!(initrd || config->initrd) || open_initrd(files, initrd, error)))
    return true;
  boot_files_close(files);
  return false;
}

void boot_files_close(BootFiles *files) {
  g_clear_pointer(&files->copy, copy_cancel);
  g_clear_pointer(&files->kernel, kernel_image_free);
  g_clear_pointer(&files->tables, g_bytes_unref);
  g_clear_pointer(&files->program, g_bytes_unref);
  g_clear_pointer(&files->kernel_file, mapped_file_free);
  g_clear_pointer(&files->initrd, g_bytes_unref);
  g_clear_pointer(&files->initrd_file, mapped_file_free);
  g_clear_pointer(&files->items, g_ptr_array_unref);
  g_clear_pointer(&files->overlays, g_ptr_array_unref);
  g_clear_pointer(&files->module_files, g_ptr_array_unref);
  g_clear_pointer(&files->modules, g_array_unref);
}

static bool unchanged(const MappedFile *file, const char *what, GError **error) {
  if (!file || mapped_file_check(file, error))
    return true;
  g_prefix_error(error, "%s ", what);
  return false;
}

/* A boot has to be of the same files as the one before, whole, and not of a mixture. */
static bool files_unchanged(const BootFiles *files, GError **error) {
  for (unsigned i = 0; i < files->module_files->len; i++)
    if (!unchanged(files->module_files->pdata[i], "module", error))
      return false;
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

  if (config_has_firmware(files->config))
    return files_unchanged(files, error);
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

static bool is_good(const void *file) {
  return mapped_file_check(file, NULL);
}

/* Firmware hands them on to what it boots, at addresses of its own. */
static void add_tables(GPtrArray *items, const Platform *platform) {
  PlatformTableFile tables[PLATFORM_TABLE_FILES];

  platform_table_files(platform, tables);
  for (unsigned i = 0; i < PLATFORM_TABLE_FILES; i++)
    fw_cfg_add_file(items, tables[i].name, tables[i].bytes)->step = DEVICE_STEP_TABLES;
}

void boot_set_items(const BootFiles *files, const Platform *platform) {
  Device *device = platform_find(platform, &fw_cfg_kind);

  if (!device)
    return;
  GPtrArray *items = items_new(platform->board, files->items);
  if (files->config->tables != TABLES_FDT)
    add_tables(items, platform);
  if (files->program)
    items_add_program(items, files->config->append, &(Item){files->program, is_good, files->kernel_file},
                      &(Item){files->initrd, files->initrd_file ? is_good : NULL, files->initrd_file});
  fw_cfg_set_items(device, items);
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

/* At ADDRESS, and PLACEMENT knows of them. */
static void make_tables(BootFiles *files, const Platform *platform, const AcpiWriter *acpi, uint64_t address, BootPlacement *placement) {
  Smbios smbios = platform_smbios(platform);
  EfiAddresses addresses;
  const BoardDevice *clock = board_find(platform->board, &pl031_kind);

  g_clear_pointer(&files->tables, g_bytes_unref);
  files->tables = efi_tables_new(acpi, &smbios, clock ? clock->slot.base : 0, address, &addresses);
  placement->tables_start = address;
  placement->tables_size = g_bytes_get_size(files->tables);
  placement->efi_system_table = addresses.system_table;
  placement->efi_map = addresses.map;
  placement->efi_map_size = addresses.map_size;
}

/*
 * All files, a tree of FDT_SIZE bytes, and the tables of ACPI, which may be NULL. A machine of neither kernel nor
 * firmware is a plan alone, whose tree lies nowhere.
 */
static bool place(BootFiles *files, const Platform *platform, const AcpiWriter *acpi, uint64_t fdt_size, BootPlacement *placement,
                  GError **error) {
  const BoardDevice *flash = board_find(platform->board, &flash_kind);
  uint64_t initrd_size = files->initrd ? g_bytes_get_size(files->initrd) : 0;
  const AddressRange *ram = &platform->board->ram;

  if (flash)
    return boot_place_firmware(flash->slot.base, ram->base, ram->size, fdt_size, placement, error);
  if (!files->kernel)
    return true;
  if (!boot_place(files->kernel, ram->base, ram->size, initrd_size, fdt_size, placement, error) ||
      !boot_place_modules(placement, ram->base, ram->size, (BootModule *)(void *)files->modules->data, files->modules->len, error))
    return false;
  if (!acpi)
    return true;
  if (!boot_place_tables(placement, ram->base, ram->size, g_bytes_get_size(files->tables), EFI_TABLES_ALIGNMENT, error))
    return false;
  make_tables(files, platform, acpi, placement->tables_start, placement);
  return true;
}

/* The first of several pieces that lie one behind the other. */
static uint64_t modules_start(const BootFiles *files) {
  return files->modules->len ? g_array_index(files->modules, BootModule, 0).start : 0;
}

/* FDT was made before its size was known, and so where all the rest lies. It is given up. */
static GBytes *move_to(GBytes *fdt, const BootPlacement *placement) {
  if (placement->tables_size)
    fdt = fdt_move_efi(fdt, placement->efi_system_table, placement->efi_map, placement->efi_map_size);
  if (placement->initrd_size)
    fdt = fdt_move_initrd(fdt, placement->initrd_start, placement->initrd_size);
  return fdt;
}

GBytes *boot_plan(BootFiles *files, const Platform *platform, const BootSeed *seed, BootPlacement *placement, GError **error) {
  enum { TRIES = 4 };
  const AddressRange *ram = &platform->board->ram;
  g_autoptr(AcpiWriter) acpi = NULL;
  /* Where the initrd goes depends on the tree's size, but not the other way round. */
  BootPlacement guess = {.initrd_start = ram->base, .initrd_size = files->kernel && files->initrd ? g_bytes_get_size(files->initrd) : 0};

  *placement = (BootPlacement){0};
  g_clear_pointer(&files->tables, g_bytes_unref);
  if (platform->board->config->tables != TABLES_FDT && !config_has_firmware(platform->board->config)) { /* firmware has them by fw_cfg */
    acpi = platform_describe_acpi(platform);
    make_tables(files, platform, acpi, ram->base, &guess);
  }
  /* Modules are nodes with addresses for names, whose lengths differ. */
  if (files->modules->len && !place(files, platform, acpi, FDT_SIZE_GUESS, &guess, error))
    return NULL;
  for (unsigned i = 0; i < TRIES; i++) {
    uint64_t guessed = modules_start(files);
    g_autoptr(GBytes) fdt = apply_overlays(files, platform_describe(platform, &guess, seed, error), error);
    if (!fdt || !place(files, platform, acpi, g_bytes_get_size(fdt), placement, error))
      return NULL;
    if (modules_start(files) == guessed)
      return move_to(g_steal_pointer(&fdt), placement);
    guess = *placement;
  }
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT, "no place is found for the modules");
  return NULL;
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

static bool load_modules(const BootFiles *files, const GuestMemory *memory, GError **error) {
  for (unsigned i = 0; i < files->modules->len; i++) {
    const BootModule *module = &g_array_index(files->modules, BootModule, i);
    g_autoptr(GBytes) bytes = mapped_file_bytes(files->module_files->pdata[i]);
    if (!load(memory, "a module", module->start, g_bytes_get_data(bytes, NULL), module->size, error))
      return false;
  }
  return true;
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
         load_modules(files, memory, error) && load_fdt(placement, fdt, memory, error) && load_tables(files, placement, memory, error) &&
         load_kernel(files, placement, memory, error) && files_unchanged(files, error);
}

void boot_files_let_go(BootFiles *files) {
  g_clear_pointer(&files->tables, g_bytes_unref);
  g_clear_pointer(&files->kernel, kernel_image_free);
  /* The files' pages stay in the host's cache without us. */
  if (files->kernel_file)
    mapped_file_let_go(files->kernel_file);
  for (unsigned i = 0; i < files->module_files->len; i++)
    mapped_file_let_go(files->module_files->pdata[i]);
  if (files->initrd_file)
    mapped_file_let_go(files->initrd_file);
  else if (!files->config->reboot)
    g_clear_pointer(&files->initrd, g_bytes_unref);
}

void boot_seed_init(BootSeed *seed) {
  if (getrandom(seed, sizeof *seed, GRND_NONBLOCK) != sizeof *seed)
    memset(seed, 0, sizeof *seed); /* a host this early after its own boot has nothing to give; the tree then leaves the seeds out */
}
