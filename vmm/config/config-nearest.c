/* SPDX-License-Identifier: Apache-2.0 */
/* Which option somebody probably meant by one that is not known, and why there is none where others have one. */
#include <string.h>

#include "vmm/base/nearest.h"
#include "vmm/config/config-option.h"

/* What other monitors have, and eret has not, or not as an option. */
static const struct {
  const char *names, *text;
} absent[] = {
    {" net netdev nic network tap ", "there are no network devices yet"},
    {" vsock ", "there is no vsock device yet"},
    {" fs fsdev virtfs share shared-dir 9p virtiofs ", "there are no shared directories yet; eret exec copies files in and out"},
    {" bios firmware pflash uefi ", "eret starts kernels, not firmware"},
    {" display nographic vga vnc spice ", "there is no display: the terminal is the guest's console"},
    {" accel enable-kvm kvm ", "it is always KVM that runs the guest"},
    {" machine M ", "there is one kind of machine; --dry-run prints it"},
    {" balloon ", "there is no balloon device yet"},
    {" monitor qmp gdb s S ", "a machine cannot be controlled or debugged by another program yet"},
};

const char *absent_option(const char *name) {
  g_autofree char *word = g_strdup_printf(" %s ", name);

  for (unsigned i = 0; i < G_N_ELEMENTS(absent); i++)
    if (strstr(absent[i].names, word))
      return absent[i].text;
  return NULL;
}

char *nearest_option(const ConfigOption *options, const char *wanted, const char *prefix, const ConfigOption **found) {
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const ConfigOption *option = options; option->name; option++) {
    g_ptr_array_add(names, g_strdup(option->name));
    if (option_can_be_negated(option) && options == config_options)
      g_ptr_array_add(names, g_strconcat("no-", option->name, NULL));
  }
  g_ptr_array_add(names, NULL);
  const char *name = nearest_name(wanted, (const char *const *)names->pdata);
  if (found)
    *found = name ? option_find(options, g_str_has_prefix(name, "no-") ? name + 3 : name) : NULL;
  return name ? g_strdup_printf("; did you mean %s%s?", prefix, name) : g_strdup("");
}
