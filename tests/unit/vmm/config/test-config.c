/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options: every flag, every mistake, several at once, the checks of the whole, sizes, nearest names.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/fw-cfg.h"
#include "tests/unit/directory.h"
#include "vmm/base/nearest.h"
#include "vmm/config/config.h"
#include "vmm/options/option.h"

#define DISK_PARTS "ro, cow, direct, format, backing, nbd, block-size, discard, lock, queues, iops, bps, serial, bootindex"

#define ARGUMENTS_MAX 48
#define NET_FD        7 /* handed in, as if by who starts eret */

static Config *parse_list(GError **error, bool *help, va_list list, const char *first) {
  char *arguments[ARGUMENTS_MAX];
  int count = 0;
  for (const char *argument = first; argument; argument = va_arg(list, const char *)) {
    g_assert_cmpint(count, <, ARGUMENTS_MAX);
    arguments[count++] = (char *)argument;
  }
  return config_parse(count, arguments, help, error);
}

static G_GNUC_NULL_TERMINATED Config *parse(const char *first, ...) {
  va_list list;
  g_autoptr(GError) error = NULL;
  bool help;
  va_start(list, first);
  Config *config = parse_list(&error, &help, list, first);
  va_end(list);
  g_assert_no_error(error);
  g_assert_nonnull(config);
  g_assert_false(help);
  return config;
}

/* The message must be exactly WANTED. */
static G_GNUC_NULL_TERMINATED void refuse(const char *wanted, const char *first, ...) {
  va_list list;
  g_autoptr(GError) error = NULL;
  bool help;
  va_start(list, first);
  g_autoptr(Config) config = parse_list(&error, &help, list, first);
  va_end(list);
  g_assert_null(config);
  g_assert_error(error, OPTION_ERROR, OPTION_ERROR_INVALID);
  g_assert_cmpstr(error->message, ==, wanted);
}

static const DiskConfig *disk(const Config *config, guint index) {
  g_assert_cmpuint(index, <, config->disks->len);
  return config->disks->pdata[index];
}

static void test_defaults(void) {
  g_autoptr(Config) config = parse("--dry-run", NULL);
  g_assert_null(config->kernel);
  g_assert_cmpint(config->kernel_format, ==, KERNEL_FORMAT_AUTO);
  g_assert_null(config->initrd);
  g_assert_cmpstr(config->append, ==, "");
  g_assert_cmpuint(config->cpus, ==, 1);
  g_assert_cmpuint(config->memory, ==, 512 << 20);
  g_assert_cmpuint(config->disks->len, ==, 0);
  g_assert_cmpint(config->console, ==, CONSOLE_PL011);
  g_assert_cmpint(config->transport, ==, TRANSPORT_PCI);
  g_assert_false(config->rng);
  g_assert_cmpint(config->gic, ==, GIC_AUTO);
  g_assert_true(config->defaults);
  g_assert_true(config->reboot);
  g_assert_cmpuint(config->grace, ==, 10);
  g_assert_cmpint(config->power_button, ==, POWER_BUTTON_AUTO);
  g_assert_null(config->dump_fdt);
  g_assert_null(config->dump_acpi);
  g_assert_cmpint(config->tables, ==, TABLES_FDT);
  g_assert_cmpint(config->watchdog, ==, WATCHDOG_NONE);
  g_assert_false(config->pvpanic);
  g_assert_false(config->vmclock);
  g_assert_cmpuint(config->vmgenid->len, ==, 0);
  g_assert_true(config->dry_run);
}

static void test_every_option(void) {
  g_autoptr(Config) config = parse("--kernel", "Image", "--kernel-format=raw", "--initrd", "initrd", "--append", "console=ttyAMA0 -- -x",
                                   "--cpus", "4", "--memory=4G", "--disk", "a.img", "--disk=b.img,ro,format=raw,serial=two",
                                   "--console=virtio", "--transport", "mmio", "--rng", "--gic", "3", "--no-defaults", "--no-reboot",
                                   "--grace=0", "--power-button=both", "--dump-fdt", "out.dtb", "--tables=both", "--dump-acpi", "out.acpi",
                                   "--watchdog=fail", "--pvpanic", "--vmclock", "--vmgenid", "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87", NULL);
  g_assert_cmpstr(config->kernel, ==, "Image");
  g_assert_cmpint(config->kernel_format, ==, KERNEL_FORMAT_RAW);
  g_assert_cmpstr(config->initrd, ==, "initrd");
  g_assert_cmpstr(config->append, ==, "console=ttyAMA0 -- -x");
  g_assert_cmpuint(config->cpus, ==, 4);
  g_assert_cmpuint(config->memory, ==, 4ull << 30);
  g_assert_cmpuint(config->disks->len, ==, 2);
  g_assert_cmpstr(disk(config, 0)->path, ==, "a.img");
  g_assert_false(disk(config, 0)->image.read_only);
  g_assert_null(disk(config, 0)->device.serial);
  g_assert_cmpstr(disk(config, 1)->path, ==, "b.img");
  g_assert_true(disk(config, 1)->image.read_only);
  g_assert_cmpint(disk(config, 0)->image.format, ==, DISK_IMAGE_FORMAT_AUTO);
  g_assert_cmpint(disk(config, 1)->image.format, ==, DISK_IMAGE_FORMAT_RAW);
  g_assert_cmpstr(disk(config, 1)->device.serial, ==, "two");
  g_assert_cmpint(config->console, ==, CONSOLE_VIRTIO);
  g_assert_cmpint(config->transport, ==, TRANSPORT_MMIO);
  g_assert_true(config->rng);
  g_assert_cmpint(config->gic, ==, GIC_V3);
  g_assert_false(config->defaults);
  g_assert_false(config->reboot);
  g_assert_cmpuint(config->grace, ==, 0);
  g_assert_cmpint(config->power_button, ==, POWER_BUTTON_BOTH);
  g_assert_cmpstr(config->dump_fdt, ==, "out.dtb");
  g_assert_cmpstr(config->dump_acpi, ==, "out.acpi");
  g_assert_cmpint(config->tables, ==, TABLES_BOTH);
  g_assert_cmpint(config->watchdog, ==, WATCHDOG_FAIL);
  g_assert_true(config->pvpanic);
  g_assert_true(config->vmclock);
  g_assert_cmpstr(((const VmGenIdConfig *)config->vmgenid->pdata[0])->guid, ==, "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");
  g_assert_false(config->dry_run);
}

/* A file of SIZE bytes in DIRECTORY; what is in it is of no matter. */
static char *make_file(const char *directory, const char *name, off_t size) {
  char *path = g_build_filename(directory, name, NULL);

  g_assert_true(g_file_set_contents(path, "", 0, NULL));
  g_assert_cmpint(truncate(path, size), ==, 0);
  return path;
}

static void test_firmware(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *code = make_file(directory, "code", 1000000), *other = make_file(directory, "other", 1);
  g_autofree char *vars = make_file(directory, "vars", 0x40000), *large = make_file(directory, "large", (64 << 20) + 1);
  g_autofree char *new_vars = g_build_filename(directory, "new", NULL);
  g_autofree char *with_vars = g_strconcat(code, ",vars=", vars, NULL), *with_new = g_strconcat(code, ",vars=", new_vars, NULL);
  g_autofree char *with_itself = g_strconcat(vars, ",vars=", vars, NULL), *with_other = g_strconcat(code, ",vars=", other, NULL);

  g_autoptr(Config) config = parse("--firmware", other, "--firmware", with_vars, NULL); /* no kernel needed; the last one counts */
  g_assert_true(config_boots(config));
  g_assert_cmpuint(config->firmware->len, ==, 1);
  const FirmwareConfig *firmware = config->firmware->pdata[0];
  g_assert_cmpstr(firmware->path, ==, code);
  g_assert_cmpstr(firmware->vars, ==, vars);
  g_autoptr(Config) to_be_made = parse("--firmware", with_new, NULL);
  g_assert_cmpstr(((const FirmwareConfig *)to_be_made->firmware->pdata[0])->vars, ==, new_vars);
  g_assert_false(g_file_test(new_vars, G_FILE_TEST_EXISTS)); /* that is for a machine to do */

  g_autofree char *too_large =
      g_strdup_printf("--firmware %s: firmware '%s' has 67108865 bytes: the flash has room for 1 to 67108864", large, large);
  g_autofree char *wrong_size = g_strdup_printf(
      "--firmware %s: the file of variables '%s' has 1 bytes: it must be a multiple of 256 KiB, up to 64 MiB", with_other, other);
  g_autofree char *clash =
      g_strdup_printf("--firmware %s: '%s' is also the file of --firmware %s, which would be overwritten: name another file", with_itself,
                      vars, with_itself);
  refuse("--firmware /nonexistent: cannot open '/nonexistent': No such file or directory", "--firmware", "/nonexistent", NULL);
  refuse(too_large, "--firmware", large, NULL);
  refuse(wrong_size, "--firmware", with_other, NULL);
  refuse(clash, "--firmware", with_itself, NULL);
  g_autofree char *nowhere = g_strconcat(code, ",vars=/nonexistent/v", NULL), *in_file = g_strconcat(code, ",vars=", other, "/v", NULL);
  g_autofree char *no_directory = g_strdup_printf("--firmware %s: cannot make '/nonexistent/v': No such file or directory", nowhere);
  g_autofree char *no_such = g_strdup_printf("--firmware %s: cannot open the file of variables '%s/v': Not a directory", in_file, other);
  refuse(no_directory, "--firmware", nowhere, NULL);
  refuse(no_such, "--firmware", in_file, NULL);
  refuse("--kernel-format: firmware is handed the file as it is, whatever its format", "--firmware", code, "--kernel", other,
         "--kernel-format", "raw", NULL);
  refuse("--boot-module Image: firmware hands no modules on: leave out --firmware", "--firmware", code, "--kernel", other, "--boot-module",
         "Image", NULL);
  directory_free(directory);
}

/* What a file of variables would begin with, where one has to be made. */
static void test_firmware_template(void) {
  g_autofree char *directory = directory_new(), *code = make_file(directory, "X_CODE.fd", 1);
  g_autofree char *template = make_file(directory, "X_VARS.fd", (64 << 20) + 0x40000), *there = make_file(directory, "there", 0x40000);
  g_autofree char *new = g_strdup_printf("%s,vars=%s/new", code, directory), *old = g_strdup_printf("%s,vars=%s", code, there);
  g_autofree char *large = g_strdup_printf("--firmware %s: the template of variables '%s' has 67371008 bytes: it must be a multiple of "
                                           "256 KiB, up to 64 MiB",
                                           new, template);
  g_autofree char *no_file = g_strdup_printf("--firmware %s: the template of variables '%s' is not a regular file", new, template);

  refuse(large, "--firmware", new, NULL);
  g_autoptr(Config) not_needed = parse("--firmware", old, NULL);
  g_assert_nonnull(not_needed);
  g_assert_cmpint(unlink(template), ==, 0);
  g_assert_cmpint(mkfifo(template, 0600), ==, 0);
  refuse(no_file, "--firmware", new, NULL);
  g_assert_cmpint(unlink(template), ==, 0);
  g_assert_cmpint(mkdir(template, 0700), ==, 0);
  refuse(no_file, "--firmware", new, NULL);
  g_assert_cmpint(rmdir(template), ==, 0);
  g_assert_cmpint(truncate(there, 0x40000), ==, 0);
  g_assert_cmpint(rename(there, template), ==, 0);
  g_autoptr(Config) good = parse("--firmware", new, NULL);
  g_assert_nonnull(good);
  directory_free(directory);
}

/* Where a socket is to be, and something else is. */
static void test_socket_places(void) {
  refuse("--net unix=/nonexistent/w: unix: cannot make '/nonexistent/w': No such file or directory", "--dry-run", "--net",
         "unix=/nonexistent/w", NULL);
  refuse("--net unix=a.img/w: unix: cannot make 'a.img/w': Not a directory", "--dry-run", "--net", "unix=a.img/w", NULL);
  refuse("--net unix=a.img: unix: 'a.img' is there already, and is no socket", "--dry-run", "--net", "unix=a.img", NULL);
  refuse("--vsock auto,unix=/: unix: the name of a socket is needed", "--dry-run", "--vsock", "auto,unix=/", NULL);
  refuse("--vsock auto,unix=/nonexistent/v: unix: cannot make '/nonexistent/v': No such file or directory", "--dry-run", "--vsock",
         "auto,unix=/nonexistent/v", NULL);
  refuse("--vsock auto,unix=a.img: unix: 'a.img' is there already, and is no socket", "--dry-run", "--vsock", "auto,unix=a.img", NULL);
  refuse("--device vhost-user=/,type=rng: vhost-user: '/' is there already, and is no socket", "--dry-run", "--device",
         "vhost-user=/,type=rng", NULL);
  refuse("--device vhost-user=x,type=fs: vhost-user: 'x' is the socket of another device, too: each has one of its own", "--dry-run",
         "--device", "vhost-user=x,type=rng", "--device", "vhost-user=x,type=fs", NULL);
  g_autoptr(Config) later = parse("--dry-run", "--device", "vhost-user=/nonexistent/x,type=rng", NULL); /* who serves it may make it yet */
  g_assert_nonnull(later);
  close(NET_FD);
  close(NET_FD + 1);
  refuse("--net fd=7: fd: descriptor 7 is not open", "--dry-run", "--net", "fd=7", NULL);
  g_assert_cmpint(dup2(STDERR_FILENO, NET_FD), ==, NET_FD);
  refuse("--net fd=7,queues=2: fd: descriptor 8 is not open", "--dry-run", "--net", "fd=7,queues=2", NULL);
}

/* In a description a file is relative to it, and the word stays one. */
static void test_firmware_word(void) {
  g_autofree char *directory = directory_new(), *description = g_build_filename(directory, "vm.json", NULL);
  g_autofree char *code = make_file(directory, "auto", 1);

  directory_write(directory, "vm.json", "{\"firmware\": [{\"file\": \"./auto\", \"vars\": \"vars\"}]}");
  g_autoptr(Config) config = parse("--config", description, NULL);
  const FirmwareConfig *firmware = config->firmware->pdata[0];
  g_assert_cmpstr(firmware->path, !=, "auto");
  g_assert_true(g_file_test(firmware->path, G_FILE_TEST_IS_REGULAR));
  g_assert_true(g_path_is_absolute(firmware->vars));
  directory_write(directory, "vm.json", "{\"firmware\": [{\"file\": \"auto\"}]}");
  char *argv[] = {(char *)"--config", description};
  g_autoptr(GError) error = NULL;
  bool help;
  g_autoptr(Config) found = config_parse(2, argv, &help, &error);
  if (found) /* as this host has it */
    g_assert_true(g_str_has_prefix(((const FirmwareConfig *)found->firmware->pdata[0])->path, "/usr/"));
  else
    g_assert_true(g_str_has_suffix(error->message, "the host has no firmware that eret knows: install one of Debian's packages "
                                                   "qemu-efi-aarch64 (UEFI) and u-boot-qemu (U-Boot), or name a file"));
  directory_free(directory);
}

static TablesKind tables_of(const char *first, const char *value, const char *second, const char *more) {
  g_autoptr(Config) config = parse("--kernel", "Image", first, value, second, more, NULL);
  return config->tables;
}

/* Firmware has both, but where there is something that only a tree tells of. */
static void test_tables(void) {
  g_autofree char *directory = directory_new(), *code = make_file(directory, "code", 1);

  g_assert_cmpint(tables_of("--rng", NULL, NULL, NULL), ==, TABLES_FDT);
  g_assert_cmpint(tables_of("--tables", "acpi", NULL, NULL), ==, TABLES_ACPI);
  g_assert_cmpint(tables_of("--firmware", code, NULL, NULL), ==, TABLES_BOTH);
  g_assert_cmpint(tables_of("--firmware", code, "--tables=auto", NULL), ==, TABLES_BOTH);
  g_assert_cmpint(tables_of("--firmware", code, "--tables=fdt", NULL), ==, TABLES_FDT);
  g_assert_cmpint(tables_of("--firmware", code, "--tables=acpi", NULL), ==, TABLES_ACPI);
  g_assert_cmpint(tables_of("--firmware", code, "--watchdog", NULL), ==, TABLES_FDT);
  g_assert_cmpint(tables_of("--firmware", code, "--watchdog=none", NULL), ==, TABLES_BOTH);
  g_assert_cmpint(tables_of("--firmware", code, "--watchdog", "--tables=both"), ==, TABLES_BOTH);
  g_assert_cmpint(tables_of("--firmware", code, "--dtbo=a.img", NULL), ==, TABLES_FDT);
  directory_free(directory);
}

static char *note_of(const char *first, const char *value, const char *second, const char *more) {
  g_autoptr(Config) config = parse("--kernel", "Image", first, value, second, more, NULL);
  return config_note(config);
}

/* UEFI hands on ACPI tables alone where it has them: who asked for it is told what its kernel will not see. */
static void test_notes(void) {
  static const struct {
    const char *second, *more, *about;
  } cases[] = {
      {"--watchdog", NULL, NULL},
      {"--watchdog", "--tables=fdt", NULL},
      {"--rng", "--tables=both", NULL},
      {"--watchdog", "--tables=both", "--watchdog: "},
      {"--dtbo=a.img", "--tables=both", "--dtbo: "},
      {"--dtbo=a.img", "--tables=acpi", "--dtbo: "},
  };
  g_autofree char *directory = directory_new(), *code = make_file(directory, "code", 1);
  g_autofree char *without = note_of("--watchdog", "--dtbo=a.img", "--tables=both", NULL);

  g_assert_null(without);
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *note = note_of("--firmware", code, cases[i].second, cases[i].more);
    g_assert_true(cases[i].about ? note && g_str_has_prefix(note, cases[i].about) : !note);
  }
  g_autoptr(Config) both = parse("--firmware", code, "--tables", "both", "--watchdog", "--dtbo", "a.img", NULL);
  g_autofree char *note = config_note(both);
  g_assert_cmpstr(note, ==,
                  "--watchdog and --dtbo: only the device tree tells of this, and UEFI hands on ACPI alone where it has both: the kernel "
                  "that it starts does not see it; --tables fdt has it hand on the tree");
  refuse("--watchdog: ACPI has no name for this watchdog, and so the guest would not find it: --tables fdt has it", "--firmware", code,
         "--watchdog", "--tables", "acpi", NULL);
  directory_free(directory);
}

/* Which machine it is: what was said, or what follows from its name (RFC 9562, 5.5, of the namespace in the source). */
static void test_identity(void) {
  g_autoptr(Config) none = parse("--dry-run", NULL), named = parse("--dry-run", "--name", "web", NULL);
  g_autoptr(Config) other = parse("--dry-run", "--name", "web2", NULL);
  g_autoptr(Config) asked = parse("--dry-run", "--name", "web", "--uuid", "324E6EAF-d1d1-4bf6-bf41-b9bb6c91fb87", "--serial-number",
                                  "ds=nocloud;s=http://10.0.0.1/ x", NULL);
  g_autofree char *longest = g_strnfill(255, 'x');

  g_assert_null(none->uuid);
  g_assert_null(none->serial_number);
  g_assert_cmpstr(named->uuid, ==, "d7873df5-6a11-5e0e-bfb5-29f9ed05b8ca");
  g_assert_cmpstr(named->uuid, !=, other->uuid);
  g_assert_null(named->serial_number);
  g_assert_cmpstr(asked->uuid, ==, "324E6EAF-d1d1-4bf6-bf41-b9bb6c91fb87");
  g_assert_cmpstr(asked->serial_number, ==, "ds=nocloud;s=http://10.0.0.1/ x");
  config_free(parse("--dry-run", "--serial-number", longest, NULL));
  refuse("--uuid: '1234' is no UUID: 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 is one", "--dry-run", "--uuid", "1234", NULL);
  static const char *const unset[] = {"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-FFFF-ffff-ffffffffffff"};
  for (unsigned i = 0; i < G_N_ELEMENTS(unset); i++) {
    g_autofree char *wanted = g_strdup_printf("--uuid: '%s' tells the guest that there is none: leave out --uuid", unset[i]);
    refuse(wanted, "--dry-run", "--uuid", unset[i], NULL);
  }
  static const char *const wrong[] = {"a\nb", "\xc3\xa4", "\x1b[m"};
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
    refuse("--serial-number: letters, digits, blanks and other ASCII characters make one", "--dry-run", "--serial-number", wrong[i], NULL);
}

static void test_guest_state(void) {
  g_autoptr(Config) alone = parse("--dry-run", "--watchdog", "--vmgenid", "auto", NULL);
  g_assert_cmpint(alone->watchdog, ==, WATCHDOG_RESET);
  g_autoptr(Config) undone = parse("--dry-run", "--watchdog", "--no-watchdog", NULL);
  g_assert_cmpint(undone->watchdog, ==, WATCHDOG_NONE);
  refuse("--vmgenid 12: '12' is no GUID: 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 is one, or auto for a random one", "--dry-run", "--vmgenid",
         "12", NULL);
  refuse("--vmgenid auto: a machine has one generation ID: leave one of them out", "--dry-run", "--vmgenid", "auto", "--vmgenid", "auto",
         NULL);
  refuse("--watchdog: ACPI has no name for this watchdog, and so the guest would not find it: --tables fdt or both has it", "--dry-run",
         "--watchdog", "--tables", "acpi", NULL);
  config_free(parse("--dry-run", "--watchdog", "--tables", "both", NULL));
}

static const VsockConfig *vsock(const Config *config) {
  g_assert_cmpuint(config->vsock->len, ==, 1);
  return g_ptr_array_index(config->vsock, 0);
}

static void test_vsock(void) {
  g_autoptr(Config) number = parse("--dry-run", "--vsock", "4294967294,unix=a,,b", NULL);
  g_autoptr(Config) automatic = parse("--dry-run", "--vsock=auto,unix=vm.vsock", NULL);
  static const char *const wrong[] = {"0", "1", "2", "-1", "4294967295", "18446744073709551619", "x", "3x", "Auto"};

  g_assert_cmpuint(vsock(number)->guest_cid, ==, UINT32_MAX - 1);
  g_assert_cmpstr(vsock(number)->path, ==, "a,b");
  g_assert_cmpuint(vsock(automatic)->guest_cid, ==, 3);
  g_assert_cmpstr(vsock(automatic)->path, ==, "vm.vsock");
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_autofree char *option = g_strdup_printf("--vsock=%s,unix=p", wrong[i]);
    g_autofree char *wanted =
        g_strdup_printf("--vsock %s,unix=p: '%s' is no context ID of a guest: auto, or 3 to 4294967294", wrong[i], wrong[i]);
    refuse(wanted, "--dry-run", option, NULL);
  }
  g_autoptr(Config) kernels = parse("--dry-run", "--vsock", "7", NULL), free_one = parse("--dry-run", "--vsock", "auto", NULL);
  g_assert_cmpuint(vsock(kernels)->guest_cid, ==, 7);
  g_assert_null(vsock(kernels)->path);
  g_assert_cmpuint(vsock(free_one)->guest_cid, ==, 0);
  refuse("--vsock 2: '2' is no context ID of a guest: auto, or 3 to 4294967294", "--dry-run", "--vsock", "2", NULL);
  g_autofree char *longest = g_strnfill(96, 'n'), *longest_apart = g_strnfill(71, 'n'), *directories = g_strnfill(40, '/');
  g_autofree char *fits = g_strdup_printf("auto,unix=%s", longest), *exceeds = g_strdup_printf("auto,unix=%sn", longest);
  g_autofree char *fits_apart = g_strdup_printf("auto,unix=%s%s", directories, longest_apart);
  g_autofree char *exceeds_apart = g_strdup_printf("auto,unix=%s%sn", directories, longest_apart);
  g_autofree char *too_long =
      g_strdup_printf("--vsock %s: unix: the name is too long for sockets, one for each port: 97 bytes, and 96 are possible", exceeds);
  g_autofree char *too_long_apart = g_strdup_printf(
      "--vsock %s: unix: the name is too long for sockets, one for each port: 72 bytes, and 71 are possible", exceeds_apart);
  g_autoptr(Config) with_longest = parse("--dry-run", "--vsock", fits, NULL),
                    with_directories = parse("--dry-run", "--vsock", fits_apart, NULL);
  g_assert_cmpuint(strlen(vsock(with_longest)->path), ==, 96);
  g_assert_cmpuint(strlen(vsock(with_directories)->path), ==, 40 + 71);
  refuse(too_long, "--dry-run", "--vsock", exceeds, NULL);
  refuse(too_long_apart, "--dry-run", "--vsock", exceeds_apart, NULL);
  refuse("--vsock auto,unix=a/: unix: the name of a socket is needed", "--dry-run", "--vsock", "auto,unix=a/", NULL);
  refuse("--vsock 4,unix=b: a guest has one vsock device: leave one of them out", "--dry-run", "--vsock", "3,unix=a", "--vsock", "4,unix=b",
         NULL);
}

/* In a description a number is as good as its text. */
static void test_numbers(void) {
  g_assert_true(g_file_set_contents("numbers.json",
                                    "{ \"vsock\": { \"cid\": 4294967294 }, \"pin\": 0, \"cpu\": { \"model\": \"host\", \"sve-vl\": 256 },"
                                    "  \"device\": [{ \"vhost-user\": \"s\", \"type\": 4 }, { \"vhost-user\": \"t\", \"type\": \"30\" }] }",
                                    -1, NULL));
  g_autoptr(Config) config = parse("--dry-run", "--config", "numbers.json", NULL);

  g_assert_cmpint(g_remove("numbers.json"), ==, 0);
  g_assert_cmpuint(vsock(config)->guest_cid, ==, UINT32_MAX - 1);
  g_assert_cmpstr(config->pin, ==, "0");
  g_assert_cmpstr(config_cpu(config)->sve_lengths, ==, "256");
  g_assert_cmpstr(((const VhostUserDeviceConfig *)config->devices->pdata[0])->type, ==, "4");
  g_assert_cmpstr(((const VhostUserDeviceConfig *)config->devices->pdata[1])->type, ==, "30");
}

/* A public key: what is in front in base64, and ZEROS letters, which are the rest of its last field. */
static void write_key(const char *path, const char *type, unsigned zeros) {
  const char *head = strcmp(type, "ssh-rsa") == 0 ? "AAAAB3NzaC1yc2EAAAAAAAAC5wAA" : "AAAAC3NzaC1lZDI1NTE5AAAAI";
  g_autofree char *tail = g_strnfill(zeros, 'A'), *line = g_strdup_printf("%s %s%s me\n", type, head, tail);

  g_assert_true(g_file_set_contents(path, line, -1, NULL));
}

static void test_ssh(void) {
  write_key("key.pub", "ssh-ed25519", 43);
  g_setenv("XDG_RUNTIME_DIR", "/run/user/7", TRUE);
  g_autoptr(Config) config = parse("--dry-run", "--name", "web", "--ssh=key.pub", "--append", "quiet", NULL);
  g_assert_cmpstr(vsock(config)->path, ==, "/run/user/7/eret/web/vsock");
  g_assert_cmpuint(vsock(config)->guest_cid, ==, 3);
  g_assert_true(g_str_has_prefix(config->append, "systemd.set_credential_binary=ssh.authorized_keys.root:c3NoLWVkMjU1MTkg"));
  g_assert_true(g_str_has_suffix(config->append, "AAAA\" quiet"));
  g_assert_true(g_str_has_suffix(config->ssh_key->identity, "/key.pub"));
  /* What the user has said of vsock stays. */
  g_autoptr(Config) kernels = parse("--dry-run", "--name", "web", "--ssh=key.pub", "--vsock", "5", NULL);
  g_assert_cmpuint(vsock(kernels)->guest_cid, ==, 5);
  g_assert_null(vsock(kernels)->path);
  /* eret's own key is not made by a plan, which yet has room for it. */
  g_autoptr(Config) own = parse("--dry-run", "--name", "web", "--ssh", "--append", "quiet", NULL);
  g_assert_null(own->ssh_key);
  g_assert_cmpstr(own->append, ==, "quiet");
  g_autofree char *fits = g_strnfill(1743, 'x'), *longer = g_strnfill(1744, 'x');
  g_autoptr(Config) full = parse("--dry-run", "--name", "web", "--ssh", "--append", fits, NULL);
  refuse("--append: has 1744 bytes, and 2048 with what eret puts before them (systemd.set_credential_binary=ssh.authorized_keys.root:"
         "c3NoLWVkMjU1MTkgQUFBQUFBQ...); Linux takes 2047 and would cut off the end: 1 too many",
         "--dry-run", "--name", "web", "--ssh", "--append", longer, NULL);
  refuse("--ssh: 'eret ssh' finds a machine by its name: add --name NAME", "--dry-run", "--ssh", NULL);
  refuse("--ssh: cannot read 'none': No such file or directory", "--dry-run", "--name", "web", "--ssh=none", NULL);
  refuse("--ssh: 'Image' cannot be taken: it is no public key, such as ssh-keygen writes into a file whose name ends in .pub", "--dry-run",
         "--name", "web", "--ssh=Image", NULL);
  write_key("key.pub", "ssh-rsa", 988);
  g_autoptr(GError) error = NULL;
  bool help;
  const char *const words[] = {"--dry-run", "--name", "web", "--ssh=key.pub"};
  g_assert_null(config_parse(G_N_ELEMENTS(words), (char **)words, &help, &error));
  g_assert_nonnull(strstr(error->message, "\n--ssh: an Ed25519 key is shorter: ssh-keygen -t ed25519 makes one"));
  g_unsetenv("XDG_RUNTIME_DIR");
  g_unlink("key.pub");
}

static void test_fw_cfg(void) {
  g_autoptr(Config) config = parse("--dry-run", "--fw-cfg", "name=opt/a/b,string=x,,y", "--fw-cfg", "name=opt/c,file=a.img", "--fw-cfg",
                                   "name=opt/d,string=", NULL);
  const FwCfgConfig *first = config->fw_cfg->pdata[0], *second = config->fw_cfg->pdata[1], *third = config->fw_cfg->pdata[2];

  g_assert_cmpuint(config->fw_cfg->len, ==, 3);
  g_assert_cmpstr(first->name, ==, "opt/a/b");
  g_assert_cmpstr(first->text, ==, "x,y");
  g_assert_null(first->path);
  g_assert_cmpstr(second->path, ==, "a.img");
  g_assert_cmpstr(third->text, ==, "");
  refuse("--fw-cfg string=x: needs name=opt/NAME", "--dry-run", "--fw-cfg", "string=x", NULL);
  refuse("--fw-cfg name=opt/a: it is empty: give one of file=FILE and string=TEXT", "--dry-run", "--fw-cfg", "name=opt/a", NULL);
  refuse("--fw-cfg name=opt/a,string=,file=a.img: an item has one content: give one of file=FILE and string=TEXT", "--dry-run", "--fw-cfg",
         "name=opt/a,string=,file=a.img", NULL);
  refuse("--fw-cfg name=opt/a,file=none: cannot open 'none': No such file or directory", "--dry-run", "--fw-cfg", "name=opt/a,file=none",
         NULL);
  refuse("--fw-cfg name=opt/a,string=2: name: 'opt/a' is that of item number 1, too", "--dry-run", "--fw-cfg", "name=opt/a,string=1",
         "--fw-cfg", "name=opt/a,string=2", NULL);
  static const char *const wrong[] = {"etc/acpi/tables", "bootorder", "opt/", "opt", "opt/a b", "/opt/a", "opt/\xc3\xa4"};
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_autofree char *option = g_strdup_printf("name=%s,string=x", wrong[i]);
    g_autofree char *wanted = g_strdup_printf(
        "--fw-cfg %s: name: '%s': it has to be opt/, as other items are the machine's own, and behind it printable ASCII without blanks",
        option, wrong[i]);
    refuse(wanted, "--dry-run", "--fw-cfg", option, NULL);
  }
  g_autofree char *longest = g_strnfill(FW_CFG_NAME_MAX - 4, 'n');
  g_autofree char *fits = g_strdup_printf("name=opt/%s,string=x", longest), *exceeds = g_strdup_printf("name=opt/%sn,string=x", longest);
  g_autoptr(Config) with_longest = parse("--dry-run", "--fw-cfg", fits, NULL);
  g_assert_cmpuint(strlen(((const FwCfgConfig *)with_longest->fw_cfg->pdata[0])->name), ==, FW_CFG_NAME_MAX);
  g_autofree char *too_long = g_strdup_printf("--fw-cfg %s: name: has 56 bytes, at most 55 are possible", exceeds);
  refuse(too_long, "--dry-run", "--fw-cfg", exceeds, NULL);
}

static void test_modules(void) {
  g_autoptr(Config) config = parse("--kernel", "Image", "--boot-module", "a.img,type=kernel,args=a b,,c", "--boot-module", "b.img", NULL);
  const ModuleConfig *first = config->modules->pdata[0], *second = config->modules->pdata[1];

  g_assert_cmpuint(config->modules->len, ==, 2);
  g_assert_cmpstr(first->path, ==, "a.img");
  g_assert_cmpint(first->type, ==, MODULE_KERNEL);
  g_assert_cmpstr(first->args, ==, "a b,c");
  g_assert_cmpint(second->type, ==, MODULE_ANY);
  g_assert_null(second->args);
  refuse("--boot-module a.img: a module needs a kernel that starts it: add --kernel FILE", "--dry-run", "--boot-module", "a.img", NULL);
  refuse("--boot-module none: cannot open 'none': No such file or directory", "--kernel", "Image", "--boot-module", "none", NULL);
  refuse("--boot-module empty: 'empty' is empty", "--kernel", "Image", "--boot-module", "empty", NULL);
  refuse("--boot-module /proc/cpuinfo: '/proc/cpuinfo' " DESCRIPTOR_MADE_AS_READ, "--kernel", "Image", "--boot-module", "/proc/cpuinfo",
         NULL);
  refuse("--boot-module a.img,type=disk: type: 'disk' is none of kernel, ramdisk, device-tree, xsm", "--kernel", "Image", "--boot-module",
         "a.img,type=disk", NULL);
}

static void test_overlays(void) {
  g_autoptr(Config) config = parse("--dry-run", "--dtbo", "a.img", "--dtbo", "with,,comma.img", NULL);

  g_assert_cmpuint(config->overlays->len, ==, 2);
  g_assert_cmpstr(((const DtboConfig *)config->overlays->pdata[1])->path, ==, "with,comma.img");
  refuse("--dtbo a.img: with --tables acpi the guest has no device tree to lay it over: --tables both has one", "--dry-run", "--dtbo",
         "a.img", "--tables", "acpi", NULL);
  refuse("--dtbo a.img,x: unknown part 'x' (it has no parts; a comma within a value is written ,,)", "--dry-run", "--dtbo", "a.img,x",
         NULL);
  refuse("--dtbo directory: 'directory' is a directory, a file is wanted", "--dry-run", "--dtbo", "directory", NULL);
}

static void test_boot_index(void) {
  g_autoptr(Config) config = parse("--dry-run", "--disk", "a.img,bootindex=7", "--net", "user,bootindex=1", "--disk", "b.img", NULL);

  g_assert_cmpuint(disk(config, 0)->boot_index, ==, 7);
  g_assert_cmpuint(disk(config, 1)->boot_index, ==, 0);
  g_assert_cmpuint(((const NetConfig *)config->nets->pdata[0])->boot_index, ==, 1);
  refuse("--net user,bootindex=2: bootindex: place 2 in the boot order is taken twice", "--dry-run", "--disk", "a.img,bootindex=2", "--net",
         "user,bootindex=2", NULL);
  refuse("--device vhost-user=x,type=block,bootindex=7: bootindex: place 7 in the boot order is taken twice", "--dry-run", "--disk",
         "a.img,bootindex=7", "--device", "vhost-user=x,type=block,bootindex=7", NULL);
  refuse("--device vhost-user=x,type=rng,bootindex=1: bootindex: firmware does not boot from a device of this type", "--dry-run",
         "--device", "vhost-user=x,type=rng,bootindex=1", NULL);
  refuse("--device vhost-user=x,type=30,bootindex=1: bootindex: firmware does not boot from a device of this type", "--dry-run", "--device",
         "vhost-user=x,type=30,bootindex=1", NULL);
  refuse("--disk a.img,bootindex=0: bootindex: '0' is not a whole number from 1 to 2147483647", "--dry-run", "--disk", "a.img,bootindex=0",
         NULL);
}

static void test_device(void) {
  g_autoptr(Config) config =
      parse("--dry-run", "--device", "vhost-user=/run/rng.sock,type=rng", "--device=type=30,queues=64,vhost-user=with,,comma", NULL);
  const VhostUserDeviceConfig *first = config->devices->pdata[0], *second = config->devices->pdata[1];

  g_assert_cmpuint(config->devices->len, ==, 2);
  g_assert_cmpstr(first->path, ==, "/run/rng.sock");
  g_assert_cmpstr(first->type, ==, "rng");
  g_assert_cmpuint(first->queues, ==, 0);
  g_assert_cmpstr(second->path, ==, "with,comma");
  g_assert_cmpstr(second->type, ==, "30");
  g_assert_cmpuint(second->queues, ==, 64);
  g_assert_cmpuint(((const VhostUserDeviceConfig *)config->devices->pdata[0])->boot_index, ==, 0);
  refuse("--device type=rng: needs vhost-user=PATH: the socket of the process that is the device", "--dry-run", "--device", "type=rng",
         NULL);
  refuse("--device vhost-user=x,type=toaster: has a wrong type=TYPE, which is one of net, block, console, rng, scsi, gpu, input, vsock, "
         "sound, fs, scmi, i2c, gpio, or an ID from 1 to 63",
         "--dry-run", "--device", "vhost-user=x,type=toaster", NULL);
  refuse("--device vhost-user=x: needs type=TYPE, which is one of net, block, console, rng, scsi, gpu, input, vsock, sound, fs, scmi, i2c, "
         "gpio, or an ID from 1 to 63",
         "--dry-run", "--device", "vhost-user=x", NULL);
}

/* Both names of a boolean, and the last one counts. */
static void test_opposites(void) {
  g_autoptr(Config) config = parse("--dry-run", "--no-reboot", "--reboot", "--rng", "--no-rng", "--no-defaults", "--defaults", NULL);
  g_assert_true(config->reboot && config->defaults && !config->rng && config->dry_run);
  g_autoptr(Config) other = parse("--kernel=Image", "--cpus=8", "--cpus=2", "--dry-run", "--no-dry-run", "--append=a", "--append=", NULL);
  g_assert_cmpuint(other->cpus, ==, 2);
  g_assert_cmpstr(other->append, ==, "");
  g_assert_false(other->dry_run);
}

/* A value that may be left out follows behind an equals sign only: what stands next is an argument of its own. */
static void test_stats(void) {
  g_autoptr(Config) none = parse("--dry-run", NULL);
  g_assert_null(none->stats);
  g_assert_null(none->record);
  g_assert_cmpuint(none->record_limit, ==, 1 << 30);
  g_autoptr(Config) alone = parse("--stats", "--dry-run", NULL);
  g_assert_cmpstr(alone->stats, ==, CONFIG_STATS_STDERR);
  g_autoptr(Config) file = parse("--dry-run", "--stats=a.json", "--record", "x.rec", "--record-limit", "8M", NULL);
  g_assert_cmpstr(file->stats, ==, "a.json");
  g_assert_cmpstr(file->record, ==, "x.rec");
  g_assert_cmpuint(file->record_limit, ==, 8 << 20);
  refuse("unexpected argument 'a.json'; did you mean --config a.json?", "--dry-run", "--stats", "a.json", NULL);
  refuse("--stats: must not be empty", "--dry-run", "--stats=", NULL);
}

static void test_end_of_options(void) {
  g_autoptr(Config) config = parse("--dry-run", "--", NULL);
  g_assert_true(config->dry_run);
  refuse("unexpected argument '--cpus': everything but a disk image is given by an option, such as --kernel FILE", "--dry-run", "--",
         "--cpus", NULL);
}

static void test_help(void) {
  static const char *const flags[] = {"--help", "-h"};
  for (guint i = 0; i < G_N_ELEMENTS(flags); i++) {
    char *arguments[] = {(char *)"--nonsense", (char *)flags[i], NULL};
    g_autoptr(GError) error = NULL;
    bool help = false;
    g_assert_null(config_parse(2, arguments, &help, &error));
    g_assert_true(help);
    g_assert_no_error(error);
  }
}

static void test_cpu(void) {
  g_autoptr(Config) plain = parse("--dry-run", NULL);
  g_assert_cmpint(config_cpu(plain)->pmu, ==, CPU_AUTO);
  g_assert_null(config_cpu(plain)->sve_lengths);
  g_assert_null(plain->cpu_fields);
  g_autoptr(Config) config = parse("--dry-run", "--cpu", "host,pmu=off,sve=on,sve-vl=128:256,mte=auto", NULL);
  g_assert_cmpint(config_cpu(config)->pmu, ==, CPU_OFF);
  g_assert_cmpint(config_cpu(config)->sve, ==, CPU_ON);
  g_assert_cmpint(config_cpu(config)->pauth, ==, CPU_AUTO);
  g_assert_cmpint(config_cpu(config)->mte, ==, CPU_AUTO);
  g_assert_cmpstr(config_cpu(config)->sve_lengths, ==, "128:256");
  g_autoptr(Config) last = parse("--dry-run", "--cpu", "host,pmu=off", "--cpu=host,mte=on", NULL);
  g_assert_cmpint(config_cpu(last)->pmu, ==, CPU_AUTO);
  g_assert_cmpint(config_cpu(last)->mte, ==, CPU_ON);
  refuse("--cpu cortex: 'cortex' is not host, the only choice", "--dry-run", "--cpu", "cortex", NULL);
  refuse("--cpu host,pmu,sve=yes: pmu: needs a value: pmu=on|off|auto\n--cpu host,pmu,sve=yes: sve: 'yes' is none of auto, on, off",
         "--dry-run", "--cpu", "host,pmu,sve=yes", NULL);
  refuse("--cpu host,sve-vl=100: sve-vl: '100' is no vector length: a multiple of 128 from 128 to 2048 bits, several separated by colons",
         "--dry-run", "--cpu", "host,sve-vl=100", NULL);
  refuse("--cpu host,sve=off,sve-vl=128: sve-vl has no meaning with sve=off", "--dry-run", "--cpu", "host,sve=off,sve-vl=128", NULL);
  refuse("--cpu-template: cannot read 'missing.json': No such file or directory", "--dry-run", "--cpu-template", "missing.json", NULL);
}

static void test_nested(void) {
  g_autoptr(Config) nested = parse("--dry-run", "--nested", NULL);
  g_autoptr(Config) by_cpu = parse("--dry-run", "--cpu", "host,el2=on", NULL);
  g_autoptr(Config) without = parse("--dry-run", NULL);

  g_assert_cmpint(config_cpu(nested)->el2, ==, CPU_ON);
  g_assert_cmpint(config_cpu(by_cpu)->el2, ==, CPU_ON);
  g_assert_cmpint(config_cpu(without)->el2, ==, CPU_AUTO);
  g_assert_false(config_cpu(nested)->el2_e2h0);
  refuse("--nested: EL2 contradicts --cpu host,el2=off", "--dry-run", "--nested", "--cpu", "host,el2=off", NULL);
  refuse("--ipa-bits: 32 bits are too few: this machine needs 36 bits of guest physical address", "--dry-run", "--ipa-bits", "32", NULL);
  refuse("--nested: off contradicts --cpu host,el2=on", "--dry-run", "--nested=off", "--cpu", "host,el2=on", NULL);
  refuse("--nested: off contradicts --cpu host,el2=on", "--dry-run", "--cpu", "host,el2=on", "--no-nested", NULL);
  g_autoptr(Config) e2h0 = parse("--dry-run", "--nested=e2h0", NULL);
  g_assert_cmpint(config_cpu(e2h0)->el2, ==, CPU_ON);
  g_assert_true(config_cpu(e2h0)->el2_e2h0);
  g_autoptr(Config) vhe = parse("--dry-run", "--nested=e2h0", "--nested=vhe", NULL);
  g_assert_cmpint(config_cpu(vhe)->el2, ==, CPU_ON);
  g_assert_false(config_cpu(vhe)->el2_e2h0);
  g_autoptr(Config) undone = parse("--dry-run", "--nested=e2h0", "--no-nested", NULL);
  g_assert_cmpint(config_cpu(undone)->el2, ==, CPU_AUTO);
  g_assert_false(config_cpu(undone)->el2_e2h0);
  refuse("--nested: 'e2h' is none of off, vhe, e2h0; did you mean e2h0?", "--dry-run", "--nested=e2h", NULL);
  refuse("--no-nested: takes no value: it is --no-nested or left out", "--dry-run", "--no-nested=vhe", NULL);
  refuse("--nested: EL2 contradicts --cpu host,el2=off", "--dry-run", "--nested=e2h0", "--cpu", "host,el2=off", NULL);
  refuse("--gic: a guest with EL2 needs GIC version 3", "--dry-run", "--nested", "--gic", "2", NULL);
  refuse("--pin: '3-1' is neither a CPU nor a range of them, such as 0-3; or say auto", "--dry-run", "--pin", "3-1", NULL);
}

static void test_unknown(void) {
  refuse("unknown option --cups; did you mean --cpus?", "--dry-run", "--cups", "2", NULL);
  refuse("unknown option --cups; did you mean --cpus?", "--dry-run", "--cups=2", NULL);
  refuse("unknown option --kernal; did you mean --kernel?", "--dry-run", "--kernal", "Image", NULL);
  refuse("unknown option --gci; did you mean --gic?", "--dry-run", "--gci", "3", NULL);
  refuse("unknown option --mem; did you mean --memory?", "--dry-run", "--mem", "1G", NULL);
  refuse("unknown option --no-reboots; did you mean --no-reboot?", "--dry-run", "--no-reboots", NULL);
  refuse("unknown option --dump_fdt; did you mean --dump-fdt?", "--dry-run", "--dump_fdt", "x", NULL);
  refuse("unknown option --dryrun; did you mean --dry-run?", "--dryrun", NULL);
  refuse("unknown option -smp; did you mean --cpus?", "--dry-run", "-smp", "4", NULL);
  refuse("unknown option -m; did you mean --memory?", "--dry-run", "-m", "1G", NULL);
  refuse("unknown option --drive; did you mean --disk?", "--dry-run", "--drive", "a.img", NULL);
  refuse("unknown option --frobnicate", "--dry-run", "--frobnicate", "x", NULL);
  refuse("unknown option --netdev: a network card is --net user, --net tap=NAME, or on a socket: --net unix=PATH", "--dry-run", "--netdev",
         "user", NULL);
  refuse("unknown option -nographic: there is no display: the terminal is the guest's console", "--dry-run", "-nographic", NULL);
  refuse("unknown option --no-cpus", "--dry-run", "--no-cpus", NULL);
  refuse("unknown option --kern; did you mean --kernel?", "--dry-run", "--kern", "Image", NULL); /* no abbreviations */
  refuse("--version belongs to eret itself: eret --version", "--dry-run", "--version", NULL);
  g_autofree char *endless = g_strnfill(100000, 'x');
  g_autofree char *flag = g_strconcat("--", endless, NULL), *message = g_strconcat("unknown option --", endless, NULL);
  refuse(message, "--dry-run", flag, NULL);
}

static void test_positional(void) {
  static const struct {
    const char *argument, *option;
  } cases[] = {
      {"Image", "kernel"},     {"build/Image.gz", "kernel"}, {"vmlinuz-6.12", "kernel"},
      {"hello.elf", "kernel"}, {"initrd.img", "initrd"},     {"root.cpio.gz", "initrd"},
      {"vm.json", "config"},   {"console=hvc0", "append"},   {"root=/dev/vda1", "append"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *message =
        g_strdup_printf("unexpected argument '%s'; did you mean --%s %s?", cases[i].argument, cases[i].option, cases[i].argument);
    refuse(message, "--dry-run", cases[i].argument, NULL);
  }
  /* An image of a container has a name that no file has. */
  static const char *const names[] = {"oci:layout:x", "docker-archive:a.img", "oci-archive:Image", "docker://a.example/b=c"};
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *message = g_strdup_printf("unexpected argument '%s'; did you mean --image %s?", names[i], names[i]);
    refuse(message, "--dry-run", names[i], NULL);
  }
  refuse("unexpected argument 'id.pub'; did you mean --ssh=id.pub?", "--dry-run", "--name", "a", "--ssh", "id.pub", NULL);
  /* There is one system; what else may be a disk is told how it is one. */
  static const char *const images[] = {"disk.qcow2", "a/disk.qcow", "disk.vmdk", "disk.vhdx", "disk.vhd", "disk.vdi"};
  for (guint i = 0; i < G_N_ELEMENTS(images); i++) {
    g_autofree char *message =
        g_strdup_printf("unexpected argument '%s'; did you mean --disk %s,format=%s?\nmissing.img: cannot open 'missing.img': No "
                        "such file or directory",
                        images[i], images[i], strrchr(images[i], '.') + 1);
    refuse(message, "--dry-run", "--firmware", "Image", "--net", "none", "missing.img", images[i], NULL);
  }
  refuse("unexpected argument '-': everything but a disk image is given by an option, such as --kernel FILE", "--dry-run", "-", NULL);
  refuse("unexpected argument '': everything but a disk image is given by an option, such as --kernel FILE", "--dry-run", "", NULL);
}

static void test_values(void) {
  refuse("--cpus: needs a value", "--dry-run", "--cpus", NULL);
  refuse("--cpus: needs a value", "--cpus", "--dry-run", NULL);
  refuse("--append: needs a value", "--dry-run", "--append", "--", NULL);
  refuse("--rng: takes no value: it is --rng or left out", "--dry-run", "--rng=1", NULL);
  refuse("--no-reboot: takes no value: it is --no-reboot or left out", "--dry-run", "--no-reboot=yes", NULL);
  static const char *const numbers[] = {"0", "513", "x", "", "-1", "+1", " 1", "1 ", "1.0", "0x2", "4294967297", "99999999999999999999"};
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    g_autofree char *flag = g_strconcat("--cpus=", numbers[i], NULL);
    g_autofree char *message = g_strdup_printf("--cpus: '%s' is not a whole number from 1 to 512", numbers[i]);
    refuse(message, "--dry-run", flag, NULL);
  }
  g_autoptr(Config) most = parse("--dry-run", "--cpus", "512", NULL);
  g_assert_cmpuint(most->cpus, ==, 512);
  refuse("--grace: '86401' is not a whole number from 0 to 86400", "--dry-run", "--grace", "86401", NULL);
  refuse("--gic: '4' is none of auto, 2, 3", "--dry-run", "--gic", "4", NULL);
  refuse("--gic: 'Auto' is none of auto, 2, 3; did you mean auto?", "--dry-run", "--gic", "Auto", NULL);
  refuse("--console: 'pl01' is none of pl011, virtio; did you mean pl011?", "--dry-run", "--console", "pl01", NULL);
  refuse("--transport: 'mimo' is none of pci, mmio; did you mean mmio?", "--dry-run", "--transport", "mimo", NULL);
  refuse("--kernel-format: 'elf' is none of auto, raw", "--dry-run", "--kernel-format", "elf", NULL);
  refuse("--kernel: must not be empty", "--dry-run", "--kernel", "", NULL);
  refuse("--dump-fdt: must not be empty", "--dry-run", "--dump-fdt=", NULL);
  g_autofree char *longest = g_strnfill(2047, 'a'), *longer = g_strnfill(2048, 'a');
  g_autoptr(Config) append = parse("--dry-run", "--append", longest, NULL);
  g_assert_cmpstr(append->append, ==, longest);
  g_autoptr(Config) console = parse("--dry-run", "--console", "virtio", "--append", "x -- console=ttyS0", NULL);
  g_assert_cmpstr(console->append, ==, "console=hvc0 x -- console=ttyS0");
  refuse("--append: has 2047 bytes, and 2060 with what eret puts before them (console=hvc0); Linux takes 2047 and would cut off the end: "
         "13 too "
         "many",
         "--dry-run", "--console", "virtio", "--append", longest, NULL);
  refuse("--append: has 2048 bytes, at most 2047 are possible", "--dry-run", "--append", longer, NULL);
}

static void test_memory(void) {
  static const struct {
    const char *text;
    guint64 size;
  } good[] = {{"16M", 16 << 20}, {"16777216", 16 << 20}, {"18MiB", 18 << 20}, {"65536k", 64 << 20}, {"4T", 4ull << 40}};
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(Config) config = parse("--dry-run", "--memory", good[i].text, NULL);
    g_assert_cmpuint(config->memory, ==, good[i].size);
  }
  refuse("--memory: '33M' is not a multiple of 2M, as 32M and 34M are", "--dry-run", "--memory", "33M", NULL);
  refuse("--memory: '16777217' is not a multiple of 2M, as 16M and 18M are", "--dry-run", "--memory", "16777217", NULL);
  refuse("--memory: '14M' is too little, 16M to 4T is possible", "--dry-run", "--memory", "14M", NULL);
  refuse("--memory: '512' is too little, 16M to 4T is possible; without a unit it counts bytes: 512M?", "--dry-run", "--memory", "512",
         NULL);
  refuse("--memory: '5T' is too much, 16M to 4T is possible", "--dry-run", "--memory", "5T", NULL);
  refuse("--memory: '1.5G' has a fraction: write 1536M, not 1.5G", "--dry-run", "--memory", "1.5G", NULL);
  refuse("--memory: '' is empty", "--dry-run", "--memory", "", NULL);
}

static void test_sizes(void) {
  static const struct {
    const char *text;
    guint64 size;
  } good[] = {
      {"0", 0},
      {"1", 1},
      {"1B", 1},
      {"1K", 1024},
      {"1k", 1024},
      {"1KiB", 1024},
      {"1kib", 1024},
      {"1KB", 1024},
      {"3M", 3 << 20},
      {"3MB", 3 << 20},
      {"7G", 7ull << 30},
      {"2T", 2ull << 40},
      {"007M", 7 << 20},
      {"18446744073709551615", G_MAXUINT64},
      {"16777215T", 16777215ull << 40},
  };
  static const struct {
    const char *text, *why;
  } bad[] = {
      {"", "is empty"},
      {"M", "does not start with a digit"},
      {"-1M", "does not start with a digit"},
      {"+1", "does not start with a digit"},
      {" 1", "does not start with a digit"},
      {"1.5G", "has a fraction: write 1536M, not 1.5G"},
      {"1,5G", "has a fraction: write 1536M, not 1.5G"},
      {"1P", "has an unknown unit: K, M, G and T are known"},
      {"1 M", "has an unknown unit: K, M, G and T are known"},
      {"1Mx", "has an unknown unit: K, M, G and T are known"},
      {"1MM", "has an unknown unit: K, M, G and T are known"},
      {"1iB", "has an unknown unit: K, M, G and T are known"},
      {"0x10", "has an unknown unit: K, M, G and T are known"},
      {"18446744073709551616", "is too large"},
      {"16777216T", "is too large"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
    const char *why = NULL;
    guint64 size = 4711;
    g_assert_true(size_parse(good[i].text, &size, &why));
    g_assert_cmpuint(size, ==, good[i].size);
  }
  for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
    const char *why = NULL;
    guint64 size = 4711;
    g_assert_false(size_parse(bad[i].text, &size, &why));
    g_assert_cmpstr(why, ==, bad[i].why);
    g_assert_cmpuint(size, ==, 4711);
  }
  static const struct {
    guint64 size;
    const char *text;
  } printed[] = {{0, "0"}, {1023, "1023"}, {1024, "1K"}, {1536 << 20, "1536M"}, {4ull << 40, "4T"}, {4ull << 50, "4096T"}};
  for (guint i = 0; i < G_N_ELEMENTS(printed); i++) {
    g_autofree char *text = size_format(printed[i].size);
    g_assert_cmpstr(text, ==, printed[i].text);
  }
}

static void test_disks(void) {
  g_autoptr(Config) config = parse("--dry-run", "--disk", "with,,comma.img,ro=on,serial=a,,b=c", "--disk", "b.img,ro=off", NULL);
  g_assert_cmpstr(disk(config, 0)->path, ==, "with,comma.img");
  g_assert_true(disk(config, 0)->image.read_only);
  g_assert_cmpstr(disk(config, 0)->device.serial, ==, "a,b=c");
  g_assert_false(disk(config, 1)->image.read_only);
  g_autoptr(Config) longest = parse("--dry-run", "--disk", "a.img,serial=01234567890123456789", NULL);
  g_assert_cmpstr(disk(longest, 0)->device.serial, ==, "01234567890123456789");

  refuse("--disk a.img,serial=012345678901234567890: serial: has 21 bytes, at most 20 are possible", "--dry-run", "--disk",
         "a.img,serial=012345678901234567890", NULL);
  refuse("--disk a.img,foo: unknown part 'foo' (known: " DISK_PARTS "; a comma within a value is written ,,)", "--dry-run", "--disk",
         "a.img,foo", NULL);
  refuse("--disk a.img,serail=x: unknown part 'serail'; did you mean serial? (known: " DISK_PARTS "; a comma within a value is written ,,)",
         "--dry-run", "--disk", "a.img,serail=x", NULL);
  refuse("--disk a.img,file=x: unknown part 'file' (known: " DISK_PARTS "; a comma within a value is written ,,)", "--dry-run", "--disk",
         "a.img,file=x", NULL);
  refuse("--disk a.img,: unknown part '' (known: " DISK_PARTS "; a comma within a value is written ,,)", "--dry-run", "--disk", "a.img,",
         NULL);
  refuse("--disk a.img,serial: serial: needs a value: serial=TEXT", "--dry-run", "--disk", "a.img,serial", NULL);
  refuse("--disk a.img,serial=: serial: must not be empty", "--dry-run", "--disk", "a.img,serial=", NULL);
  refuse("--disk a.img,ro=maybe: ro: 'maybe' is neither on nor off", "--dry-run", "--disk", "a.img,ro=maybe", NULL);
  refuse("--disk a.img,ro,ro: ro: given twice", "--dry-run", "--disk", "a.img,ro,ro", NULL);
  refuse("--disk ,ro: must not be empty", "--dry-run", "--disk", ",ro", NULL);
}

static void test_nets(void) {
  g_autoptr(Config) config =
      parse("--dry-run", "--net", "tap=tap0,queues=4,mac=02:00:00:12:34:aF,mtu=9000", "--net", "fd=7", "--net", "unix=net.sock", NULL);
  const NetConfig *net = config->nets->pdata[0];

  g_assert_cmpuint(config->nets->len, ==, 3);
  g_assert_cmpstr(net->tap, ==, "tap0");
  g_assert_cmpuint(net->queues, ==, 4);
  g_assert_cmpstr(net->mac, ==, "02:00:00:12:34:aF");
  g_assert_cmpuint(net->mtu, ==, 9000);
  net = config->nets->pdata[1];
  g_assert_cmpuint(net->fd, ==, 7);
  g_assert_null(net->tap);
  net = config->nets->pdata[2];
  g_assert_cmpstr(net->unix_path, ==, "net.sock");

  refuse("--net queues=2: it is not said where the card is connected: give one of user, tap=NAME, fd=N and unix=PATH", "--dry-run", "--net",
         "queues=2", NULL);
  refuse("--net tap=a,fd=7: a card has one place where it is connected: give one of user, tap=NAME, fd=N and unix=PATH", "--dry-run",
         "--net", "tap=a,fd=7", NULL);
  refuse("--net unix=a,queues=2: queues: a socket has one queue each way", "--dry-run", "--net", "unix=a,queues=2", NULL);
  refuse("--net unix=a,vhost=on: vhost: the host's kernel serves taps, and no sockets", "--dry-run", "--net", "unix=a,vhost=on", NULL);
  refuse("--net tap=a,vhost=maybe: vhost: 'maybe' is none of auto, on, off", "--dry-run", "--net", "tap=a,vhost=maybe", NULL);
  refuse("--net tap=a,fd=1: fd: '1' is not a whole number from 3 to 1048576", "--dry-run", "--net", "tap=a,fd=1", NULL);
  refuse("--net tap=a,queues=9: queues: '9' is not a whole number from 1 to 8", "--dry-run", "--net", "tap=a,queues=9", NULL);
  refuse("--net tap=a,mtu=67: mtu: '67' is not a whole number from 68 to 65535", "--dry-run", "--net", "tap=a,mtu=67", NULL);
  static const char *const wrong[] = {"02:00:00:12:34",    "02:00:00:12:34:56:78", "02-00-00-12-34-56", "02:00:00:12:34:5g",
                                      "00:00:00:00:00:00", "01:00:00:12:34:56",    "ff:ff:ff:ff:ff:ff", "2:0:0:12:34:56"};
  for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_autofree char *value = g_strdup_printf("tap=a,mac=%s", wrong[i]);
    g_autofree char *message =
        g_strdup_printf("--net %s: mac: '%s' is not the address of a card, such as 02:00:00:12:34:56", value, wrong[i]);
    refuse(message, "--dry-run", "--net", value, NULL);
  }
  refuse("--net tap=b,mac=02:00:00:00:00:0A: mac: '02:00:00:00:00:0A' is that of card number 1, too", "--dry-run", "--net",
         "tap=a,mac=02:00:00:00:00:0a", "--net", "tap=b,mac=02:00:00:00:00:0A", NULL);
}

static void test_shares(void) {
  g_autoptr(Config) config =
      parse("--dry-run", "--kernel", "Image", "--share", "/,tag=all,ro,at=/mnt/all,cache=never,xattr", "--share",
            "directory,uid-map=0:1000:1,uid-map=1:100000:65536,gid-map=same", "--share", "directory,at=/x", "--append", "quiet", NULL);
  const ShareConfig *share = config->shares->pdata[0];

  g_assert_cmpuint(config->shares->len, ==, 3);
  g_assert_cmpstr(share->path, ==, "/");
  g_assert_cmpstr(share->tag, ==, "all");
  g_assert_cmpstr(share->at, ==, "/mnt/all");
  g_assert_cmpint(share->cache, ==, SHARE_CACHE_NEVER);
  g_assert_true(share->read_only && share->xattr);
  share = config->shares->pdata[1];
  g_assert_cmpstr(share->tag, ==, "share1");
  g_assert_true(!share->read_only && !share->xattr && !share->at);
  g_assert_cmpuint(share->uid_map->len, ==, 2);
  g_assert_cmpstr(share->gid_map->pdata[0], ==, "same");
  /* A guest with systemd mounts them. */
  g_assert_cmpstr(config->append, ==, "systemd.mount-extra=share2:/x:virtiofs systemd.mount-extra=all:/mnt/all:virtiofs:ro quiet");
  static const struct {
    const char *value, *why;
  } wrong[] = {
      {"none", "cannot share 'none': No such file or directory"},
      {"Image", "cannot share 'Image': Not a directory"},
      {"~/x", "cannot share '~/x': No such file or directory (the shell left the ~ as it is)"},
      {"directory,tag=-x", "tag: '-x': letters, digits, '.', '_' and '-' make a tag, of which the first is a letter or digit"},
      {"directory,tag=a b", "tag: 'a b': letters, digits, '.', '_' and '-' make a tag, of which the first is a letter or digit"},
      {"directory,tag=abcdefghijklmnopqrstuvwxyz01234567890", "tag: has 37 bytes, at most 36 are possible"},
      {"directory,at=x", "at: 'x' must be an absolute path in the guest"},
      {"directory,at=/", "at: '/' is the guest's own: name another place"},
      {"directory,at=//", "at: '//' is the guest's own: name another place"},
      {"directory,at=//dev/.", "at: '//dev/.' is the guest's own: name another place"},
      {"directory,at=/x/../proc", "at: '/x/../proc' is the guest's own: name another place"},
      {"directory,at=/x", "at: a guest is told by its kernel's command line, and there is none without --kernel: mount it there yourself"},
      {"directory,at=/a b",
       "at: '/a b': a guest is told by its kernel's command line, where it can have neither blanks, colons nor quotes"},
      {"directory,cache=no", "cache: 'no' is none of auto, always, metadata, never"},
      {"directory,uid-map=x", "uid-map: 'x' is neither auto, same, squash nor GUEST:HOST:COUNT, of numbers below 4294967295"},
      {"directory,gid-map=0:0:2,gid-map=1:5:1", "gid-map: '1:5:1' has IDs of the guest that another range has, too"},
      {"directory,format=raw",
       "unknown part 'format' (known: tag, ro, at, cache, xattr, uid-map, gid-map; a comma within a value is written ,,)"},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
    g_autofree char *message = g_strdup_printf("--share %s: %s", wrong[i].value, wrong[i].why);
    refuse(message, "--dry-run", "--share", wrong[i].value, NULL);
  }
  refuse("--share directory,tag=share0: tag: 'share0' is that of directory number 1, too", "--dry-run", "--share", "directory", "--share",
         "directory,tag=share0", NULL);
  refuse("--share directory,at=/x\\u000by: at: '/x\\u000by' has control characters: name another place", "--dry-run", "--kernel", "Image",
         "--share", "directory,at=/x\vy", NULL);
  refuse("--share directory,at=/\\u007f: at: '/\\u007f' has control characters: name another place", "--dry-run", "--kernel", "Image",
         "--share", "directory,at=/\177", NULL);
  refuse("--share directory,at=//a/./b/: at: '//a/./b/' is where directory number 1 is mounted, too: name another place", "--dry-run",
         "--kernel", "Image", "--share", "directory,at=/a/b", "--share", "directory,at=//a/./b/", "--share", "directory,at=/a", NULL);
}

static void test_user_networks(void) {
  g_autoptr(Config) config = parse("--dry-run", "--net", "user,forward=2222:22,mac=02:00:00:12:34:56,forward=[::1]:53:5353/udp,restrict",
                                   "--net", "user", "--net", "tap=a", NULL);
  const NetConfig *net = config->nets->pdata[0], *plain = config->nets->pdata[1];

  g_assert_true(net->user && net->restricted && net->framed);
  g_assert_cmpuint(net->forwards->len, ==, 2);
  g_assert_cmpstr(net->forwards->pdata[0], ==, "2222:22");
  g_assert_cmpstr(net->forwards->pdata[1], ==, "[::1]:53:5353/udp");
  g_assert_cmpstr(net->mac, ==, "02:00:00:12:34:56");
  g_assert_true(plain->user && !plain->restricted && !plain->framed);
  g_assert_cmpuint(plain->forwards->len, ==, 0);
  g_assert_false(((const NetConfig *)config->nets->pdata[2])->user);

  /* The same port is another one by UDP, and at another address. */
  g_autoptr(Config) apart =
      parse("--dry-run", "--net", "user,forward=53:53,forward=53:53/udp,forward=127.0.0.1:80:80,forward=127.0.0.2:80:80", NULL);
  refuse("--net user,unix=a: a card has one place where it is connected: give one of user, tap=NAME, fd=N and unix=PATH", "--dry-run",
         "--net", "user,unix=a", NULL);
  refuse("--net user,queues=2: queues: a user network has one queue each way", "--dry-run", "--net", "user,queues=2", NULL);
  refuse("--net user,vhost=on: vhost: the host's kernel serves taps, and no user networks", "--dry-run", "--net", "user,vhost=on", NULL);
  refuse("--net tap=a,restrict: restrict is for a user network: --net user", "--dry-run", "--net", "tap=a,restrict", NULL);
  refuse("--net tap=a,forward=1:1: forward is for a user network: --net user", "--dry-run", "--net", "tap=a,forward=1:1", NULL);
  refuse("--net user,user: user: given twice", "--dry-run", "--net", "user,user", NULL);
  refuse("--net user,forward: forward: needs a value: forward=[ADDRESS:]HOSTPORT:GUESTPORT[/udp]", "--dry-run", "--net", "user,forward",
         NULL);
  refuse("--net user,forward=22,forward=1:1,forward=::1:1:1: forward: '22': it is [ADDRESS:]HOSTPORT:GUESTPORT[/udp], with ports from 1 "
         "to 65535\n--net user,forward=22,forward=1:1,forward=::1:1:1: forward: '::1:1:1': what stands before the ports is no IP address; "
         "one with colons is written in brackets",
         "--dry-run", "--net", "user,forward=22,forward=1:1,forward=::1:1:1", NULL);
  refuse("--net user,forward=127.0.0.1:22:22: forward: TCP port 22 of the host is forwarded twice", "--dry-run", "--net",
         "user,forward=22:2222", "--net", "user,forward=127.0.0.1:22:22", NULL);
}

/* What a helper serves: of other formats, and on a network. */
static void test_served_disks(void) {
  static const struct {
    const char *word;
    DiskImageFormat format;
  } formats[] = {
      {"raw", DISK_IMAGE_FORMAT_RAW},   {"qcow2", DISK_IMAGE_FORMAT_QCOW2},
      {"qcow", DISK_IMAGE_FORMAT_QCOW}, {"qed", DISK_IMAGE_FORMAT_QED},
      {"vmdk", DISK_IMAGE_FORMAT_VMDK}, {"vhdx", DISK_IMAGE_FORMAT_VHDX},
      {"vhd", DISK_IMAGE_FORMAT_VHD},   {"vpc", DISK_IMAGE_FORMAT_VHD},
      {"vdi", DISK_IMAGE_FORMAT_VDI},   {"parallels", DISK_IMAGE_FORMAT_PARALLELS},
  };

  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    g_autofree char *value = g_strconcat("a.img,format=", formats[i].word, NULL);
    g_autoptr(Config) config = parse("--dry-run", "--disk", value, NULL);
    g_assert_cmpint(disk(config, 0)->image.format, ==, formats[i].format);
    g_assert_true(disk_is_served(disk(config, 0)) == (i > 0));
  }
  g_autoptr(Config) backed = parse("--dry-run", "--disk", "a.img,format=qcow2,backing=b.img,backing=with,,comma.img,cow", NULL);
  g_assert_cmpuint(disk(backed, 0)->backing->len, ==, 2);
  g_assert_cmpstr(disk(backed, 0)->backing->pdata[1], ==, "with,comma.img");
  g_autoptr(Config) nbd = parse("--dry-run", "--disk", "nbd=nbd+unix:///x?socket=/s,,t,ro", "--disk", "./a.img", NULL);
  g_assert_null(disk(nbd, 0)->path);
  g_assert_cmpstr(disk(nbd, 0)->nbd, ==, "nbd+unix:///x?socket=/s,t");
  g_assert_true(disk(nbd, 0)->image.read_only && disk_is_served(disk(nbd, 0)));

  refuse("--disk nbd=x: nbd: 'x': it is no URI: nbd://HOST[:PORT][/EXPORT] is one, and nbd+unix:///[EXPORT]?socket=PATH", "--dry-run",
         "--disk", "nbd=x", NULL);
  refuse("--disk nbd=: nbd: must not be empty", "--dry-run", "--disk", "nbd=", NULL);
  refuse("--disk a.img,nbd=nbd://h: a disk has one place: FILE, or nbd=URI", "--dry-run", "--disk", "a.img,nbd=nbd://h", NULL);
  refuse("--disk nbd=nbd://h,nbd=nbd://h: nbd: given twice", "--dry-run", "--disk", "nbd=nbd://h,nbd=nbd://h", NULL);
  refuse(
      "--disk a.img,backing=b.img: backing: an image of format raw is backed by no other: those of format qcow2, vmdk, qcow and qed can be",
      "--dry-run", "--disk", "a.img,backing=b.img", NULL);
  refuse("--disk a.img,format=qcow2,backing=none: backing: cannot open 'none': No such file or directory", "--dry-run", "--disk",
         "a.img,format=qcow2,backing=none", NULL);
  refuse("--disk a.img,format=vdi,serial=x: serial: qemu-storage-daemon, which serves it, has none for a disk: raw files alone have one",
         "--dry-run", "--disk", "a.img,format=vdi,serial=x", NULL);
  refuse("--disk nbd=nbd://h,ro,cow: ro and cow contradict each other: nothing is written to a read-only disk", "--dry-run", "--disk",
         "nbd=nbd://h,ro,cow", NULL);
  refuse("--record: 'b.img' is also the file of --disk a.img,format=qed,backing=b.img, which would be overwritten: name another file",
         "--dry-run", "--disk", "a.img,format=qed,backing=b.img", "--record", "b.img", NULL);
}

static void test_same_disk(void) {
  g_autoptr(Config) config = parse("--dry-run", "--disk", "a.img,ro", "--disk", "a.img,ro", NULL);
  g_assert_cmpuint(config->disks->len, ==, 2);
  g_autoptr(Config) kept = parse("--dry-run", "--disk", "a.img,ro", "--disk", "a.img,cow", "--disk", "a.img,cow", NULL);
  g_assert_true(disk(kept, 1)->image.cow);
  refuse("--disk ./a.img: './a.img' is the same disk as 'a.img' (number 1) and not read-only in both: add ro or cow to both", "--dry-run",
         "--disk", "a.img", "--disk", "./a.img", NULL);
  refuse("--disk a.img,ro: 'a.img' is the same disk as 'link.img' (number 2) and not read-only in both: add ro or cow to both", "--dry-run",
         "--disk", "b.img", "--disk", "link.img", "--disk", "a.img,ro", NULL);
  refuse("--disk a.img: 'a.img' is the same disk as 'a.img' (number 1) and not read-only in both: add ro or cow to both", "--dry-run",
         "--disk", "a.img,cow", "--disk", "a.img", NULL);
  refuse("--disk a.img,ro,cow: ro and cow contradict each other: nothing is written to a read-only disk", "--dry-run", "--disk",
         "a.img,ro,cow", NULL);
}

static void test_disk_limits(void) {
  g_autoptr(Config) config = parse("--dry-run", "--disk", "a.img", "--disk", "b.img,iops=300,bps=10M", NULL);

  g_assert_cmpuint(disk(config, 0)->device.iops, ==, 0);
  g_assert_cmpuint(disk(config, 0)->device.bps, ==, 0);
  g_assert_cmpuint(disk(config, 1)->device.iops, ==, 300);
  g_assert_cmpuint(disk(config, 1)->device.bps, ==, 10 << 20);
  refuse("--disk a.img,bps=100: bps: '100' is too little, 1K to 16G is possible; without a unit it counts bytes: 100M?", "--dry-run",
         "--disk", "a.img,bps=100", NULL);
  refuse("--disk a.img,iops=0: iops: '0' is not a whole number from 1 to 4294967295", "--dry-run", "--disk", "a.img,iops=0", NULL);
}

/* A queue for each CPU, unless there are many, or it is said how many. */
static void test_disk_queues(void) {
  static const struct {
    const char *cpus, *disk;
    unsigned queues;
  } cases[] = {{"1", "a.img", 1},         {"2", "a.img", 2}, {"4", "a.img", 4}, {"64", "a.img", 4}, {"2", "a.img,queues=16", 16},
               {"8", "a.img,queues=1", 1}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Config) config = parse("--dry-run", "--cpus", cases[i].cpus, "--disk", cases[i].disk, NULL);
    g_assert_cmpuint(disk(config, 0)->device.queues, ==, cases[i].queues);
  }
  refuse("--disk a.img,queues=17: queues: '17' is not a whole number from 1 to 16", "--dry-run", "--disk", "a.img,queues=17", NULL);
}

static void test_named_files(void) {
  static const char *const inputs[][2] = {
      {"--kernel", "Image"}, {"--initrd", "initrd"}, {"--config", "empty.json"}, {"--cpu-template", "t.json"}};

  g_assert_true(g_file_set_contents("empty.json", "{}", -1, NULL));
  g_assert_true(g_file_set_contents("t.json", "{\"registers\": {}}", -1, NULL));
  for (unsigned i = 0; i < G_N_ELEMENTS(inputs); i++) {
    const char *option = inputs[i][0], *path = inputs[i][1];
    g_autofree char *wanted =
        g_strdup_printf("--dump-fdt: '%s' is also the file of %s, which would be overwritten: name another file", path, option);
    if (strcmp(option, "--kernel") == 0)
      refuse(wanted, "--dump-fdt", path, option, path, NULL);
    else
      refuse(wanted, "--kernel", "Image", "--dump-fdt", path, option, path, NULL);
  }
  refuse("--record: 'link.img' is also the file of --disk a.img,ro ('a.img'), which would be overwritten: name another file", "--dry-run",
         "--disk", "a.img,ro", "--record", "link.img", NULL);
  refuse("--record: 'new' is also the file of --stats: name another file", "--dry-run", "--stats=new", "--record", "new", NULL);
  g_autoptr(Config) config = parse("--dry-run", "--disk", "a.img", "--stats", "--dump-fdt", "/dev/null", "--record", "/dev/null", NULL);
  g_unlink("t.json");
  g_unlink("empty.json");
}

static void test_files(void) {
  refuse("--kernel: cannot open 'missing': No such file or directory", "--kernel", "missing", NULL);
  refuse("--kernel: cannot open '~/Image': No such file or directory (the shell left the ~ as it is)", "--kernel=~/Image", NULL);
  refuse("--kernel: 'directory' is a directory, a file is wanted", "--kernel", "directory", NULL);
  refuse("--kernel: 'fifo' is not a regular file", "--kernel", "fifo", NULL);
  refuse("--kernel: cannot open 'Image/x': Not a directory", "--kernel", "Image/x", NULL);
  refuse("--initrd: cannot open 'missing': No such file or directory", "--kernel", "Image", "--initrd", "missing", NULL);
  refuse("--kernel: 'empty' is empty", "--kernel", "empty", NULL);
  refuse("--initrd: 'empty' is empty", "--kernel", "Image", "--initrd", "empty", NULL);
  refuse("--kernel: '/proc/cpuinfo' " DESCRIPTOR_MADE_AS_READ, "--kernel", "/proc/cpuinfo", NULL);
  refuse("--firmware /proc/cpuinfo: '/proc/cpuinfo' " DESCRIPTOR_MADE_AS_READ, "--firmware", "/proc/cpuinfo", NULL);
  refuse("--disk missing,ro: cannot open 'missing': No such file or directory", "--dry-run", "--disk", "missing,ro", NULL);
  refuse("--disk directory: 'directory' is a directory, a file is wanted", "--dry-run", "--disk", "directory", NULL);
  refuse("--disk /dev/null: '/dev/null' is not a regular file or block device", "--dry-run", "--disk", "/dev/null", NULL);
  refuse("--config: cannot read 'missing': No such file or directory", "--config", "missing", NULL);
}

static void test_permissions(void) {
  if (geteuid() == 0) {
    g_test_skip("root may read and write everything");
    return;
  }
  g_assert_cmpint(g_chmod("b.img", 0444), ==, 0);
  refuse("--disk b.img: cannot write 'b.img': Permission denied; a read-only disk has ro, one that leaves it as it is cow", "--dry-run",
         "--disk", "b.img", NULL);
  config_free(parse("--dry-run", "--disk", "b.img,ro", NULL));
  config_free(parse("--dry-run", "--disk", "b.img,cow", NULL));
  g_assert_cmpint(g_chmod("b.img", 0), ==, 0);
  refuse("--disk b.img,ro: cannot read 'b.img': Permission denied", "--dry-run", "--disk", "b.img,ro", NULL);
  g_assert_cmpint(g_chmod("b.img", 0644), ==, 0);
}

static void test_combinations(void) {
  refuse("no kernel given: add --kernel FILE, or name a disk image with a system on it", NULL, NULL);
  refuse("no kernel given: add --kernel FILE, or name a disk image with a system on it", "--cpus", "2", NULL);
  refuse("--initrd: an initrd needs a kernel: add --kernel FILE", "--initrd", "initrd", NULL);
  refuse("--initrd: an initrd needs a kernel: add --kernel FILE", "--initrd", "initrd", "--dry-run", NULL);
  refuse("--cpus: 9 CPUs need GIC version 3: version 2 serves at most 8", "--dry-run", "--cpus", "9", "--gic", "2", NULL);
  config_free(parse("--dry-run", "--cpus", "8", "--gic", "2", NULL));
  config_free(parse("--dump-fdt", "x.dtb", NULL));
  config_free(parse("--dump-acpi", "x.acpi", NULL));
}

static void test_many_mistakes(void) {
  refuse("unknown option --cups; did you mean --cpus?\n"
         "unexpected argument 'Image'; did you mean --kernel Image?\n"
         "--rng: takes no value: it is --rng or left out\n"
         "--grace: needs a value\n"
         "--gic: '4' is none of auto, 2, 3\n"
         "--memory: '33M' is not a multiple of 2M, as 32M and 34M are\n"
         "--kernel: cannot open 'missing': No such file or directory\n"
         "--disk nowhere: cannot open 'nowhere': No such file or directory",
         "--cups", "2", "--kernel=missing", "Image", "--rng=3", "--gic", "4", "--memory", "33M", "--disk", "nowhere", "--grace", NULL);
}

/* What is missing only because it could not be understood is not missed as well. */
static void test_said_once(void) {
  static const struct {
    const char *words, *wanted; /* words are separated by "|" */
  } cases[] = {
      {"--kernel|", "--kernel: must not be empty"},
      {"--kernel", "--kernel: needs a value"},
      {"--kernl|Image", "unknown option --kernl; did you mean --kernel?"},
      {"--kernel Image", "'--kernel Image' is one word: a value is a word of its own, or stands behind an equals sign: --kernel=Image"},
      {"Image", "unexpected argument 'Image'; did you mean --kernel Image?"},
      {"--firmware|Image|--net|none|disk.img", "disk.img: cannot open 'disk.img': No such file or directory"},
      {"--dmup-fdt|x", "unknown option --dmup-fdt; did you mean --dump-fdt?"},
      {"--dry-run|--detach|--name|", "--name: must not be empty"},
      {"--dry-run|--detach|--name|.",
       "--name: '.': letters, digits, '.', '_' and '-' make a name, of which the first is a letter or digit"},
      {"--dry-run|--net|tap=", "--net tap=: tap: must not be empty"},
      {"--dry-run|--net|fd=1", "--net fd=1: fd: '1' is not a whole number from 3 to 1048576"},
      {"--dry-run|--net|user=maybe,forward=1:1", "--net user=maybe,forward=1:1: user: 'maybe' is neither on nor off"},
      {"--dry-run|--net|restrict",
       "--net restrict: it is not said where the card is connected: give one of user, tap=NAME, fd=N and unix=PATH"},
      {"--dry-run|--net|user,forward=1:1,forward=1:2,forward=1:3",
       "--net user,forward=1:1,forward=1:2,forward=1:3: forward: TCP port 1 of the host is forwarded twice\n"
       "--net user,forward=1:1,forward=1:2,forward=1:3: forward: TCP port 1 of the host is forwarded twice"},
      {"--dry-run|--device|vhost-user=,type=net", "--device vhost-user=,type=net: vhost-user: must not be empty"},
      {"--dry-run|--device|vhost-user=a,type=", "--device vhost-user=a,type=: type: must not be empty"},
      {"--dry-run|--dtbo|,", "--dtbo ,: must not be empty"},
      {"--dry-run|--disk|,", "--disk ,: must not be empty"},
      {"--dry-run|--firmware|,", "--firmware ,: must not be empty"},
      {"--dry-run|--vsock|,", "--vsock ,: must not be empty"},
      {"--dry-run|--fw-cfg|", "--fw-cfg : unknown part '' (known: name, file, string; a comma within a value is written ,,)"},
      {"--dry-run|--fw-cfg|,", "--fw-cfg ,: unknown part '' (known: name, file, string; a comma within a value is written ,,)"},
      {"--dry-run|--fw-cfg|name=opt/a,file=", "--fw-cfg name=opt/a,file=: file: must not be empty"},
      {"--dry-run|--fw-cfg|name=,string=x", "--fw-cfg name=,string=x: name: must not be empty"},
      {"--dry-run|--record|-", "--record: standard output is the guest's; a file is wanted, or /dev/fd/N"},
      {"--dry-run|--record|/dev/stdout", "--record: standard output is the guest's; a file is wanted, or /dev/fd/N"},
  };

  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(GStrv) words = g_strsplit(cases[i].words, "|", -1);
    g_autoptr(GError) error = NULL;
    bool help;
    g_assert_null(config_parse((int)g_strv_length(words), words, &help, &error));
    g_assert_cmpstr(error->message, ==, cases[i].wanted);
  }
  /* A source that comes later says it anew. */
  refuse("vm.json:1: net.tap: wants a string, not a number\n"
         "--net mtu=1500: it is not said where the card is connected: give one of user, tap=NAME, fd=N and unix=PATH",
         "--dry-run", "--config", "vm.json", "--net", "mtu=1500", NULL);
}

/* Each that is too many is told once, and not of each that it is like. */
static void test_many_devices(void) {
  enum { N = 2000 };
  g_autoptr(GString) text = g_string_new("{ \"disk\": [\"a.img,ro\"");
  g_autoptr(GError) error = NULL;
  char *words[] = {(char *)"--dry-run", (char *)"--config", (char *)"many.json"};
  bool help;

  for (unsigned i = 1; i < N; i++)
    g_string_append(text, ",\"a.img\"");
  g_string_append(text, "], \"net\": [\"fd=7\"");
  for (unsigned i = 1; i < N; i++)
    g_string_append(text, ",\"fd=7,mac=02:00:00:00:00:01\"");
  g_string_append(text, "] }");
  g_assert_true(g_file_set_contents("many.json", text->str, -1, NULL));
  g_assert_null(config_parse(G_N_ELEMENTS(words), words, &help, &error));
  g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, N - 1 + N - 1 + N - 2 + 1);
  g_assert_cmpstr(lines[0], ==,
                  "many.json:1: disk[1]: 'a.img' is the same disk as 'a.img' (number 1) and not read-only in both: add ro or cow to both");
  g_assert_cmpstr(lines[N - 1], ==, "many.json:1: net[1]: fd: descriptor 7 is one of card number 1, too");
  g_assert_cmpstr(lines[N], ==, "many.json:1: net[2]: fd: descriptor 7 is one of card number 1, too");
  g_assert_cmpstr(lines[N + 1], ==, "many.json:1: net[2]: mac: '02:00:00:00:00:01' is that of card number 2, too");
}

/* As many mistakes as an option has parts: what is said of each does not grow with their number. */
static void test_many_parts(void) {
  enum { N = 3000, LINE_MAX_ = 400 };
  static const struct {
    const char *option, *value, *part, *first;
  } cases[] = {
      {"--cpu", "host", ",sve=on", "sve: given twice"},
      {"--disk", "a.img", ",ro", "ro: given twice"},
      {"--net", "user", ",forward=x", "forward: 'x': "},
      {"--net", "user", ",forward=1:22", "forward: TCP port 1 of the host is forwarded twice"},
      {"--net", "user", ",x", "unknown part 'x'"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GString) value = g_string_new(cases[i].value);
    g_autoptr(GError) error = NULL;
    bool help;
    for (unsigned n = 0; n < N; n++)
      g_string_append(value, cases[i].part);
    char *words[] = {(char *)"--dry-run", (char *)cases[i].option, value->str};
    g_assert_null(config_parse(G_N_ELEMENTS(words), words, &help, &error));
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    g_autofree char *begins = g_strdup_printf("%s %s%s", cases[i].option, cases[i].value, cases[i].part);
    g_assert_cmpuint(g_strv_length(lines), >=, N - 1);
    g_assert_true(g_str_has_prefix(lines[0], begins));
    g_assert_nonnull(strstr(lines[0], cases[i].first));
    g_assert_cmpuint(strlen(error->message), <, N * LINE_MAX_);
  }
}

static void test_nearest(void) {
  static const char *const names[] = {"kernel", "kernel-format", "cpus", "gic", "ro", "x", NULL};
  static const struct {
    const char *wanted, *found;
  } cases[] = {
      {"kernel", "kernel"},
      {"KERNEL", "kernel"},
      {"kenrel", "kernel"},
      {"kernl", "kernel"},
      {"kernell", "kernel"},
      {"kxrnxl", "kernel"},
      {"kxxnxl", NULL},
      {"kernel_format", "kernel-format"},
      {"kernel-f", "kernel-format"},
      {"gcc", "gic"},
      {"cp", "cpus"},
      {"", NULL},
      {"z", NULL},
      {"zzzzzz", NULL},
      {"readonly", "ro"},
      {"smp", "cpus"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
    g_assert_cmpstr(nearest_name(cases[i].wanted, names), ==, cases[i].found);
}

/* Arguments made of pieces that mean something, at random: a configuration or an error, never both, never neither. */
static void test_random(void) {
  static const char *const pieces[] = {"--cpus", "--cpus=", "2",        "--disk",    "a.img", ",ro",     ",,",       "--memory",
                                       "64M",    "--",      "-",        "--no-",     "rng",   "=",       "--kernel", "Image",
                                       "",       "--gic",   "--append", "--dry-run", "\xff",  "--config"};
  g_autoptr(GRand) random = g_rand_new_with_seed(7);
  guint accepted = 0;
  for (guint round = 0; round < 5000; round++) {
    g_autoptr(GPtrArray) arguments = g_ptr_array_new_with_free_func(g_free);
    for (guint n = g_rand_int_range(random, 0, 6); n > 0; n--) {
      const char *a = pieces[g_rand_int_range(random, 0, G_N_ELEMENTS(pieces))];
      const char *b = g_rand_boolean(random) ? pieces[g_rand_int_range(random, 0, G_N_ELEMENTS(pieces))] : "";
      g_ptr_array_add(arguments, g_strconcat(a, b, NULL));
    }
    g_autoptr(GError) error = NULL;
    bool help;
    g_autoptr(Config) config = config_parse(arguments->len, (char **)arguments->pdata, &help, &error);
    g_assert_true((config == NULL) == (error != NULL));
    accepted += config != NULL;
  }
  g_assert_cmpuint(accepted, >, 10);
}

static void make_files(void) {
  static const char *const files[] = {"Image", "initrd", "a.img", "b.img", "with,comma.img"};
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    g_assert_true(g_file_set_contents(files[i], "contents", -1, NULL));
  g_assert_true(g_file_set_contents("empty", "", 0, NULL));
  g_assert_true(g_file_set_contents("vm.json", "{ \"net\": { \"tap\": 5 } }", -1, NULL));
  g_assert_cmpint(g_mkdir("directory", 0700), ==, 0);
  g_assert_cmpint(mkfifo("fifo", 0600), ==, 0);
  g_assert_cmpint(symlink("a.img", "link.img"), ==, 0);
}

static void remove_files(void) {
  static const char *const files[] = {"Image",     "initrd", "a.img",    "b.img",   "with,comma.img", "empty",
                                      "directory", "fifo",   "link.img", "vm.json", "many.json"};
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    g_assert_cmpint(g_remove(files[i]), ==, 0);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_setenv("XDG_DATA_HOME", "/nowhere", TRUE); /* where no key is, before GLib has looked */
  g_test_init(&argc, &argv, NULL);
  dup2(STDERR_FILENO, NET_FD);
  /* A directory of its own, with a few files. */
  g_autofree char *source_directory = g_get_current_dir();
  g_autofree char *work_directory = g_dir_make_tmp("eret-config-XXXXXX", NULL);
  g_assert_cmpint(g_chdir(work_directory), ==, 0);
  make_files();
  g_test_add_func("/config/defaults", test_defaults);
  g_test_add_func("/config/every-option", test_every_option);
  g_test_add_func("/config/firmware", test_firmware);
  g_test_add_func("/config/firmware-template", test_firmware_template);
  g_test_add_func("/config/socket-places", test_socket_places);
  g_test_add_func("/config/firmware-word", test_firmware_word);
  g_test_add_func("/config/guest-state", test_guest_state);
  g_test_add_func("/config/vsock", test_vsock);
  g_test_add_func("/config/numbers", test_numbers);
  g_test_add_func("/config/ssh", test_ssh);
  g_test_add_func("/config/fw-cfg", test_fw_cfg);
  g_test_add_func("/config/tables", test_tables);
  g_test_add_func("/config/notes", test_notes);
  g_test_add_func("/config/identity", test_identity);
  g_test_add_func("/config/modules", test_modules);
  g_test_add_func("/config/overlays", test_overlays);
  g_test_add_func("/config/boot-index", test_boot_index);
  g_test_add_func("/config/device", test_device);
  g_test_add_func("/config/opposites", test_opposites);
  g_test_add_func("/config/stats", test_stats);
  g_test_add_func("/config/end-of-options", test_end_of_options);
  g_test_add_func("/config/help", test_help);
  g_test_add_func("/config/unknown", test_unknown);
  g_test_add_func("/config/positional", test_positional);
  g_test_add_func("/config/values", test_values);
  g_test_add_func("/config/memory", test_memory);
  g_test_add_func("/config/sizes", test_sizes);
  g_test_add_func("/config/disks", test_disks);
  g_test_add_func("/config/nets", test_nets);
  g_test_add_func("/config/user-networks", test_user_networks);
  g_test_add_func("/config/shares", test_shares);
  g_test_add_func("/config/served-disks", test_served_disks);
  g_test_add_func("/config/same-disk", test_same_disk);
  g_test_add_func("/config/disk-limits", test_disk_limits);
  g_test_add_func("/config/disk-queues", test_disk_queues);
  g_test_add_func("/config/named-files", test_named_files);
  g_test_add_func("/config/files", test_files);
  g_test_add_func("/config/permissions", test_permissions);
  g_test_add_func("/config/combinations", test_combinations);
  g_test_add_func("/config/cpu", test_cpu);
  g_test_add_func("/config/nested", test_nested);
  g_test_add_func("/config/many-mistakes", test_many_mistakes);
  g_test_add_func("/config/said-once", test_said_once);
  g_test_add_func("/config/many-parts", test_many_parts);
  g_test_add_func("/config/many-devices", test_many_devices);
  g_test_add_func("/config/nearest", test_nearest);
  g_test_add_func("/config/random", test_random);
  int result = g_test_run();
  remove_files();
  g_assert_cmpint(g_chdir(source_directory), ==, 0);
  g_assert_cmpint(g_rmdir(work_directory), ==, 0);
  return result;
}
