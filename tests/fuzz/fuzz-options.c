/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options and description files, from the text to the machine's plan and what its guest is told: vmm/options/,
 * vmm/config/, fdt/. The first line is the flags, what follows is a description file, "%" among the flags its name.
 */
#include "tests/fuzz/fuzz.h"

#include <libfdt.h>

#include "vmm/exec/options.h"
#include "vmm/machine/platform-null.h"
#include "vmm/suite/options.h"

#define WORDS_MAX 64

/* Trees and tables of a machine without a guest. */
static void describe(Platform *platform, const Config *config) {
  static const BootSeed seed = {.kaslr = 1};
  BootPlacement placement = {.kernel_start = 0x40000000, .kernel_size = 4096};
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) fdt = platform_describe(platform, &placement, &seed, &error);
  PlatformTableFile files[PLATFORM_TABLE_FILES];

  g_assert_true(!fdt == !!error);
  if (fdt)
    g_assert_cmpint(fdt_check_full(g_bytes_get_data(fdt, NULL), g_bytes_get_size(fdt)), ==, 0);
  platform_table_files(platform, files);
  for (unsigned i = 0; i < PLATFORM_TABLE_FILES; i++)
    g_bytes_unref(files[i].bytes);
  g_free(platform_dump_acpi(platform));
  g_free(config_note(config));
}

static void plan(Config *config) {
  NullWiring wiring;
  g_autoptr(GError) error = NULL;
  g_autoptr(Board) board = board_new(config, config->gic == GIC_AUTO ? GIC_V3 : config->gic, &error);

  g_assert_true(!board == !!error);
  if (!board)
    return;
  g_free(board_print(board, config->append));
  g_free(board_boot_order(board));
  null_wiring_init(&wiring);
  null_wiring_set_cpu(&wiring, config_cpu(config));
  Platform *platform = platform_new(board, &wiring.wiring, &error);
  g_assert_true(!platform == !!error);
  if (platform)
    describe(platform, config);
  platform_free(platform);
  null_wiring_clear(&wiring);
}

static void read_machine(char **argv) {
  g_autoptr(GError) error = NULL;
  bool help = false;
  g_autoptr(Config) config = config_parse((int)g_strv_length(argv), argv, &help, &error);

  g_assert_true(help || !config == !!error);
  if (config)
    plan(config);
}

static void read_others(char **argv) {
  g_autoptr(GError) error = NULL, other = NULL;
  bool help = false;
  g_autoptr(ExecOptions) exec = exec_options_parse((int)g_strv_length(argv), argv, &help, &error);
  g_autoptr(TestOptions) test = test_options_parse((int)g_strv_length(argv), argv, &other);

  g_assert_true(help || !exec == !!error);
  g_assert_true(!test == !!other);
}

/* Words that would have it wait for somebody, or read what is not the input's. */
static bool is_harmless(const char *word) {
  static const char *const others[] = {"/dev/", "/proc/", "-password", "image", "auto"};

  for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
    if (strstr(word, others[i]))
      return false;
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  g_autofree char *flags = fuzz_line(&input);
  g_auto(GStrv) words = g_strsplit(flags, " ", WORDS_MAX);
  g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
  FuzzFile file;

  fuzz_file_init(&file, input.at, input.left);
  g_ptr_array_add(argv, g_strdup("--dry-run"));
  for (char **word = words; *word; word++)
    if (is_harmless(*word)) {
      g_autoptr(GString) text = g_string_new(*word);
      g_string_replace(text, "%", file.path, 1);
      g_ptr_array_add(argv, g_strdup(text->str));
    }
  g_ptr_array_add(argv, NULL);
  read_machine((char **)argv->pdata);
  read_others((char **)argv->pdata);
  fuzz_file_clear(&file);
  return 0;
}
