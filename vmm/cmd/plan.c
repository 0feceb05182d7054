/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a machine: its board, where the boot's files go, its device tree. */
#include "vmm/cmd/plan.h"

#include <stdio.h>
#include <string.h>

#include "fdt/fdt-nodes.h"
#include "vmm/base/output-file.h"
#include "vmm/machine/boot.h"
#include "vmm/machine/platform-null.h"
#include "vmm/machine/platform.h"

#define KIB 1024

static bool write_dump(const char *option, const char *path, const void *data, size_t size, GError **error) {
  g_autoptr(OutputFile) file = output_file_open(path, error);
  if (file && output_file_write(file, data, size, error))
    return true;
  g_prefix_error(error, "%s: ", option);
  return false;
}

static bool write_dumps(const Config *config, GBytes *fdt, const char *acpi, GError **error) {
  gsize size;
  const void *data = g_bytes_get_data(fdt, &size);

  return (!config->dump_fdt || write_dump("--dump-fdt", config->dump_fdt, data, size, error)) &&
         (!config->dump_acpi || write_dump("--dump-acpi", config->dump_acpi, acpi, strlen(acpi), error));
}

/* In KiB, and in bytes what is less than one. Free with g_free. */
static char *size_text(uint64_t bytes) {
  return bytes < KIB ? g_strdup_printf("%" G_GUINT64_FORMAT " bytes", bytes) : g_strdup_printf("%" G_GUINT64_FORMAT " KiB", bytes / KIB);
}

static void print_part(FILE *out, uint64_t start, const char *what, uint64_t size) {
  g_autofree char *text = size_text(size);

  fprintf(out, "  0x%010" G_GINT64_MODIFIER "x  %s, %s\n", start, what, text);
}

static void print_placement(FILE *out, const BootFiles *files, const BootPlacement *placement) {
  g_autofree char *kernel_size = size_text(placement->kernel_size);

  if (files->kernel)
    fprintf(out, "boot\n  0x%010" G_GINT64_MODIFIER "x  %s, %s, entered at 0x%" G_GINT64_MODIFIER "x\n", placement->kernel_start,
            files->kernel->description, kernel_size, placement->entry);
  else
    fprintf(out, "boot\n  0x%010" G_GINT64_MODIFIER "x  firmware, in flash\n", placement->entry);
  fprintf(out, "  0x%010" G_GINT64_MODIFIER "x  device tree, %" G_GUINT64_FORMAT " bytes\n", placement->fdt_start, placement->fdt_size);
  if (placement->fdt_copy_start)
    fprintf(out, "  0x%010" G_GINT64_MODIFIER "x  the same once more\n", placement->fdt_copy_start);
  if (placement->tables_size)
    print_part(out, placement->tables_start, "ACPI and SMBIOS tables", placement->tables_size);
  if (placement->initrd_size)
    print_part(out, placement->initrd_start, "initrd", placement->initrd_size);
  for (unsigned i = 0; i < placement->n_modules; i++) {
    const ModuleConfig *module = files->config->modules->pdata[i];
    g_autofree char *name = g_strconcat("module ", module->path, NULL);
    print_part(out, placement->modules[i].start, name, placement->modules[i].size);
  }
}

/* Firmware hands on to a kernel what it was given for it, and all else is in the tree. Free with g_free. */
static char *bootargs_of(const Config *config, GBytes *fdt) {
  return config_has_firmware(config) && config->kernel ? g_strdup(config->append) : fdt_bootargs(fdt);
}

/* What `auto` leaves open is taken as the best case. */
bool plan(const Config *config, GBytes *initrd, GError **error) {
  g_autoptr(Board) board = board_new(config, config->gic == GIC_AUTO ? GIC_V3 : config->gic, error);
  g_auto(NullWiring) wiring = NULL_WIRING_INIT;
  g_autoptr(Platform) platform = NULL;
  g_autoptr(GBytes) fdt = NULL;
  g_autofree char *acpi = NULL;
  BootPlacement placement;
  BootFiles files;
  BootSeed seed;

  if (!board || !boot_files_open(&files, config, initrd, error))
    return false;
  null_wiring_init(&wiring);
  null_wiring_set_cpu(&wiring, config_cpu(config));
  boot_seed_init(&seed);
  platform = platform_new(board, &wiring.wiring, error);
  if (platform)
    fdt = boot_plan(&files, platform, &seed, &placement, error);
  if (fdt && config->dry_run) {
    g_autofree char *bootargs = bootargs_of(config, fdt), *text = board_print(board, bootargs);
    FILE *out = output_file_is_stdout(config->dump_fdt) || output_file_is_stdout(config->dump_acpi) ? stderr : stdout;
    fputs(text, out);
    if (config_boots(config))
      print_placement(out, &files, &placement);
  }
  boot_files_close(&files);
  if (platform && config->dump_acpi)
    acpi = platform_dump_acpi(platform);
  return fdt && write_dumps(config, fdt, acpi, error);
}
