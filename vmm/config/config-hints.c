/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody may have meant who wrote no option, or one that only others have. Pure, but that it looks for files. */
#include <string.h>
#include <unistd.h>

#include "vmm/config/config.h"

/*
 * What an argument without a flag looks like: the last part of its path, or all of it where the pattern has a slash or
 * an equals sign. The first match counts.
 */
static const struct {
  const char *pattern, *option;
} guesses[] = {
    {"*.json", "config"},  {"*initr*", "initrd"},  {"*.cpio*", "initrd"}, {"*.img", "disk"},   {"*.raw", "disk"},  {"*.ext4", "disk"},
    {"*.iso", "disk"},     {"/dev/*", "disk"},     {"*.qcow*", "disk"},   {"*.vmdk", "disk"},  {"*.vhd*", "disk"}, {"*.vdi", "disk"},
    {"*Image*", "kernel"}, {"*vmlinu*", "kernel"}, {"*.elf", "kernel"},   {"*.efi", "kernel"}, {"*.pub", "ssh"},   {"*=*", "append"},
};

/* What other monitors have, and eret has not, or not as an option. */
static const struct {
  const char *names, *text;
} absent[] = {
    {" pass-ssh-key ", "--ssh=KEY lets 'eret ssh' in, --ssh-key FILE by cloud-init whoever has the key"},
    {" vhost-vsock guest-cid ", "--vsock CID gives the guest sockets to the host"},
    {" netdev nic network tap ", "a network card is --net user, --net tap=NAME, or on a socket: --net unix=PATH"},
    {" fs fsdev virtfs shared-dir 9p virtiofs ", "a directory of the host's is --share DIR"},
    {" user-data meta-data vendor-data network-config cloudinit seed ", "files for cloud-init are --cloud-init user-data=FILE"},
    {" root-password passwd ", "a password of the image's user is --password FILE, or --password - to be asked for it"},
    {" bios pflash uefi ", "firmware is --firmware FILE, or --firmware auto"},
    {" smbios ", "what SMBIOS says of the machine is --uuid UUID and --serial-number TEXT"},
    {" display nographic vga vnc spice ", "there is no display: the terminal is the guest's console"},
    {" accel enable-kvm kvm ", "it is always KVM that runs the guest"},
    {" machine M ", "there is one kind of machine; --dry-run prints it"},
    {" balloon ", "there is no balloon device yet"},
    {" acpi no-acpi ", "--tables acpi describes the machine by ACPI, --tables fdt by a device tree"},
    {" monitor qmp gdb s S ", "a machine cannot be controlled or debugged by another program yet"},
};

const char *config_explain_absent(const char *name) {
  g_autofree char *word = g_strdup_printf(" %s ", name);

  for (unsigned i = 0; i < G_N_ELEMENTS(absent); i++)
    if (strstr(absent[i].names, word))
      return absent[i].text;
  return NULL;
}

/* Of an image that is named after its format: ",format=qcow2"; else "". Free with g_free. */
static char *format_by_name(const char *argument) {
  const char *dot = strrchr(argument, '.');

  for (DiskImageFormat format = DISK_IMAGE_FORMAT_RAW + 1; dot && format <= DISK_IMAGE_FORMAT_PARALLELS; format++)
    if (strcmp(disk_image_format_name(format), dot + 1) == 0)
      return g_strconcat(",format=", dot + 1, NULL);
  return g_strdup("");
}

/* ARGUMENT as the value of OPTION: where it is a file's name, and no text with parts, its commas are doubled. */
static char *write_value(const Option *option, const char *argument) {
  g_autofree char *first = option_first_part(argument);
  bool has_parts = strcmp(first, argument) != 0 && access(argument, F_OK) < 0 && access(first, F_OK) == 0;

  return option->kind == OPTION_LIST && !has_parts ? option_double_commas(argument) : g_strdup(argument);
}

static char *suggest(const char *argument, const char *meant) {
  const Option *option = option_find(config_options, meant);
  g_autofree char *format = format_by_name(argument), *value = write_value(option, argument);

  /* Of an option that can stand alone, a value follows behind = only. */
  return g_strdup_printf("; did you mean --%s%s%s%s?", meant, option->alone ? "=" : " ", value, format);
}

static bool is_image_name(const char *argument) {
  g_autofree char *why = NULL;
  g_autoptr(ImageName) name = image_name_parse(argument, &why);

  return name;
}

char *config_guess_stray(const char *argument, const char **meant) {
  g_autofree char *name = g_path_get_basename(argument);
  const char *guess = is_image_name(argument) ? "image" : NULL;

  for (unsigned i = 0; i < G_N_ELEMENTS(guesses) && !guess; i++)
    if (g_pattern_match_simple(guesses[i].pattern, strpbrk(guesses[i].pattern, "/=") ? argument : name))
      guess = guesses[i].option;
  if (!guess)
    return NULL;
  *meant = guess;
  return suggest(argument, guess);
}

char *config_explain_stray(const char *argument, const char **meant) {
  char *guess = config_guess_stray(argument, meant);

  return guess ? guess : g_strdup(": everything but a disk image is given by an option, such as --kernel FILE");
}

/*
 * An image that is there, or something whose name says that it is one: then it is told that it is not there. What has
 * the name of another option's value is no image, whether it is there or not.
 */
bool config_takes_operand(const char *argument) {
  g_autofree char *path = option_first_part(argument);
  const char *meant = NULL;
  g_autofree char *guess = config_guess_stray(path, &meant);

  if (option_is_instead(option_find(config_options, "system")->element, argument))
    return true;
  return meant ? strcmp(meant, "disk") == 0 : access(path, F_OK) == 0;
}
