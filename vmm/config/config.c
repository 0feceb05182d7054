/* SPDX-License-Identifier: Apache-2.0 */
/* What the user asked for, as an object: what is so without options, and what they come to. */
#include "vmm/config/config.h"

#include "vmm/boot/command-line.h"

#define MEMORY_DEFAULT       (UINT64_C(512) << 20)
#define RECORD_LIMIT_DEFAULT (UINT64_C(1) << 30)
#define GRACE_DEFAULT        10

Config *config_new(void) {
  Config *config = g_new0(Config, 1);

  option_record_init(config_options, config);
  config->append = g_strdup("");
  config->command = g_ptr_array_new_null_terminated(1, g_free, true);
  config->cpus = 1;
  config->memory = MEMORY_DEFAULT;
  config->defaults = true;
  config->reboot = true;
  config->record_limit = RECORD_LIMIT_DEFAULT;
  config->grace = GRACE_DEFAULT;
  config->named = named_files_new();
  config->notes = g_ptr_array_new_with_free_func(g_free);
  config->seed_content.name = CONFIG_SEED_NAME;
  return config;
}

bool config_plans_only(const Config *config) {
  return config->dry_run || config->dump_fdt || config->dump_acpi;
}

bool config_boots(const Config *config) {
  return config->kernel || config_has_firmware(config);
}

bool config_has_firmware(const Config *config) {
  return config->firmware->len > 0;
}

bool config_makes_initrd(const Config *config) {
  return config->root != ROOT_NONE && !config->initrd;
}

const CpuConfig *config_cpu(const Config *config) {
  return g_ptr_array_index(config->cpu, 0);
}

void config_free(Config *config) {
  if (!config)
    return;
  option_record_clear(config_options, config);
  g_ptr_array_unref(config->command);
  cpu_template_free(config->cpu_fields);
  ssh_key_free(config->ssh_key);
  named_files_free(config->named);
  cloud_seed_free(config->seed);
  g_clear_pointer(&config->seed_content.bytes, g_bytes_unref);
  g_ptr_array_unref(config->notes);
  g_free(config);
}

void config_take_ssh_key(Config *config, SshKey *key) {
  g_autofree char *words = ssh_key_credentials(key->line);

  command_line_put(&config->append, words);
  config->ssh_key = key;
}

const char *config_not_in_suite(const Config *config, const char **why) {
  for (const Option *option = config_options; option->name; option++) {
    const void *field = (const char *)config + option->offset;
    bool is_set = option->kind == OPTION_BOOLEAN ? *(const bool *)field
                  : option->kind == OPTION_LIST  ? (*(GPtrArray *const *)field)->len > 0
                                                 : option->kind == OPTION_PATH && *(char *const *)field;
    if (!option->not_in_suite || !is_set)
      continue;
    *why = option->not_in_suite;
    return option->name;
  }
  return NULL;
}

/* What the program on the console says is not to be lost among what the kernel says, unless that is asked for. */
static void keep_quiet(Config *config) {
  static const char *const volumes[] = {"quiet", "loglevel", "debug", "ignore_loglevel"};

  for (unsigned i = 0; i < G_N_ELEMENTS(volumes); i++)
    if (command_line_has(config->append, volumes[i]))
      return;
  command_line_add(&config->append, "quiet");
}

Config *config_parse(int argc, char **argv, bool *help, GError **error) {
  g_autoptr(Config) config = config_new();
  void *const records[] = {config};
  g_autoptr(OptionDraft) draft = option_read(&config_option_set, records, argc, argv);
  *help = draft->help;
  if (*help)
    return NULL;
  for (unsigned i = 0; i < draft->command->len; i++)
    g_ptr_array_add(config->command, g_strdup(draft->command->pdata[i]));
  if (config->image)
    keep_quiet(config);
  config_check(draft, config);
  return option_is_good(draft, error) ? g_steal_pointer(&config) : NULL;
}
