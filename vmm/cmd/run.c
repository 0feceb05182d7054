/* SPDX-License-Identifier: Apache-2.0 */
/* `eret run`: one machine, from flags to exit status. */
#include <stdio.h>
#include <string.h>

#include "vmm/base/output-file.h"
#include "vmm/boot/boot.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/config.h"
#include "vmm/machine.h"
#include "vmm/platform-null.h"
#include "vmm/platform.h"

static const char usage[] = "Usage: eret run --kernel FILE [OPTION]...\n"
                            "Boot a kernel in a virtual machine on KVM. The terminal is the guest's console;\n"
                            "Ctrl-A x ends the machine, Ctrl-A h lists the keys.\n\n";

static int print_error(const GError *error, int status) {
  complain(error->message);
  return status;
}

static bool write_fdt(const char *path, GBytes *fdt, GError **error) {
  gsize size;
  const char *data = g_bytes_get_data(fdt, &size);
  g_autoptr(OutputFile) file = output_file_open(path, error);
  if (file && output_file_write(file, data, size, error))
    return true;
  g_prefix_error(error, "--dump-fdt: ");
  return false;
}

static void print_placement(FILE *out, const BootFiles *files, const BootPlacement *placement) {
  fprintf(out, "boot\n  0x%010" G_GINT64_MODIFIER "x  %s, %" G_GUINT64_FORMAT " KiB, entered at 0x%" G_GINT64_MODIFIER "x\n",
          placement->kernel_start, files->kernel->description, placement->kernel_size / 1024, placement->entry);
  fprintf(out, "  0x%010" G_GINT64_MODIFIER "x  device tree, %" G_GUINT64_FORMAT " bytes\n", placement->fdt_start, placement->fdt_size);
  if (placement->fdt_copy_start)
    fprintf(out, "  0x%010" G_GINT64_MODIFIER "x  the same once more\n", placement->fdt_copy_start);
  if (placement->initrd_size)
    fprintf(out, "  0x%010" G_GINT64_MODIFIER "x  initrd, %" G_GUINT64_FORMAT " KiB\n", placement->initrd_start,
            placement->initrd_size / 1024);
}

/* Plans without KVM: prints the board, writes the device tree. What `auto` leaves open is taken as the best case. */
static bool plan(const Config *config, GError **error) {
  g_autoptr(Board) board = board_new(config, config->gic == GIC_AUTO ? GIC_V3 : config->gic, error);
  g_auto(NullHost) host = NULL_HOST_INIT;
  g_autoptr(Platform) platform = NULL;
  g_autoptr(GBytes) fdt = NULL;
  BootPlacement placement;
  BootFiles files;
  BootSeed seed;

  if (!board || !boot_files_open(&files, config, NULL, error))
    return false;
  null_host_init(&host);
  null_host_set_cpu(&host, config_cpu(config));
  boot_seed_init(&seed);
  platform = platform_new(board, &host.host, error);
  if (platform)
    fdt = boot_plan(&files, platform, &seed, &placement, error);
  if (fdt && config->dry_run) {
    g_autofree char *text = board_print(board);
    FILE *out = output_file_is_stdout(config->dump_fdt) ? stderr : stdout;
    fputs(text, out);
    if (files.kernel)
      print_placement(out, &files, &placement);
  }
  boot_files_close(&files);
  return fdt && (!config->dump_fdt || write_fdt(config->dump_fdt, fdt, error));
}

static int run(const Config *config) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Machine) machine = machine_new(config, NULL, &error);

  if (!machine)
    return print_error(error, g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM) ? EXIT_NO_KVM : EXIT_HOST);
  MachineEnd end = machine_run(machine, &error);
  int code = machine_exit_code(machine), good = machine_lost_reports(machine) ? EXIT_HOST : EXIT_OK;
  g_clear_pointer(&machine, machine_free); /* the terminal is the user's again before anything is printed */
  switch (end) {
  case MACHINE_POWERED_OFF:
    return good;
  case MACHINE_RESET:
    return EXIT_GUEST_RESET;
  case MACHINE_EXITED:
    return code == EXIT_OK ? good : code;
  case MACHINE_STOPPED:
    return EXIT_STOPPED;
  case MACHINE_FAILED:
    break;
  }
  return print_error(error, g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_GUEST) ? EXIT_GUEST_ERROR : EXIT_HOST);
}

int cmd_run(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  bool help = false;

  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], "--version") == 0)
      return cmd_version(0, NULL);
  g_autoptr(Config) config = config_parse(argc, argv, &help, &error);

  if (help) {
    g_autofree char *options = config_help();
    printf("%s%s", usage, options);
    return EXIT_OK;
  }
  if (!config) {
    print_error(error, EXIT_USAGE);
    fputs("Try 'eret run --help'.\n", stderr);
    return EXIT_USAGE;
  }
  if ((config->dry_run || config->dump_fdt) && !plan(config, &error))
    return print_error(error, EXIT_HOST);
  if (config->dry_run || !config->kernel)
    return EXIT_OK;
  return run(config);
}
