/* SPDX-License-Identifier: Apache-2.0 */
/* One table; the values are checked as they are read. */
#include "vmm/suite/options.h"

#include <stdio.h>
#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/base/nearest.h"
#include "vmm/base/output-file.h"
#include "vmm/config/config-option.h"

G_DEFINE_QUARK(eret_test_options_error, test_options_error)

#define JOBS_MAX   1024
#define REPEAT_MAX 100000
#define SHARDS_MAX 100000

static const char help_text[] = "Usage: eret test [OPTION]... SUITE...\n"
                                "       eret test merge [OPTION]... RESULT.json...\n"
                                "Run suites of tests, each a boot of a virtual machine. eret-suite(5) describes suites.\n"
                                "The second form joins the results of shards into one report, and its status is that of\n"
                                "the whole; it takes --allow-flaky, --tap, --junit, --json and --github.\n\n"
                                "Which:\n"
                                "  --list                Print the cases and run none.\n"
                                "  --filter RE           Only the cases whose suite/name this regular expression finds.\n"
                                "  --tag TAG             Only cases that have this tag; repeatable: any of them.\n"
                                "  --skip-tag TAG        No cases that have this tag; repeatable.\n"
                                "  --shard I/N           The I-th of N parts, for N machines to share the work; N is\n"
                                "                        100000 at most.\n"
                                "  --define NAME=VALUE   What ${NAME} is in suites; repeatable (default: the environment).\n"
                                "How:\n"
                                "  -j N                  Run N at a time (default: as many as there are processors for).\n"
                                "                        Memory limits them in any case.\n"
                                "  --repeat N            Run each N times; those that differ are shown as flaky.\n"
                                "  --allow-flaky         A case that passed at least once counts as passed.\n"
                                "  --fail-fast           Start nothing more after the first failure.\n"
                                "  --keep-going          Run everything (default).\n"
                                "  --require-kvm         Fail where KVM cannot be used, instead of skipping everything.\n"
                                "Results:\n"
                                "  --tap                 TAP version 13 on standard output.\n"
                                "  --junit FILE          Write JUnit XML.\n"
                                "  --json FILE           Write JSON, for programs and for merge.\n"
                                "  --github              Annotations for GitHub Actions (default under GITHUB_ACTIONS).\n"
                                "  --logs DIR            Keep a log of each case, and what it wrote, in DIR.\n\n"
                                "Status: 0 all passed, 1 some did not, 2 a mistake in a suite or an option, 4 interrupted,\n"
                                "77 no KVM: everything was skipped.\n";

const char *test_options_help(void) {
  return help_text;
}

typedef enum { FLAG, TEXT, NUMBER, LIST, SHARD, DEFINE } OptionType;

static const struct {
  const char *name;
  OptionType type;
  size_t offset;
  unsigned max;
  bool merge; /* it means something to merge too */
} table[] = {
    {"list", FLAG, offsetof(TestOptions, list), 0, false},
    {"filter", TEXT, offsetof(TestOptions, filter), 0, false},
    {"tag", LIST, offsetof(TestOptions, tags), 0, false},
    {"skip-tag", LIST, offsetof(TestOptions, skip_tags), 0, false},
    {"shard", SHARD, 0, 0, false},
    {"define", DEFINE, 0, 0, false},
    {"jobs", NUMBER, offsetof(TestOptions, jobs), JOBS_MAX, false},
    {"repeat", NUMBER, offsetof(TestOptions, repeat), REPEAT_MAX, false},
    {"allow-flaky", FLAG, offsetof(TestOptions, allow_flaky), 0, true},
    {"fail-fast", FLAG, offsetof(TestOptions, fail_fast), 0, false},
    {"keep-going", FLAG, offsetof(TestOptions, keep_going), 0, false},
    {"require-kvm", FLAG, offsetof(TestOptions, require_kvm), 0, false},
    {"tap", FLAG, offsetof(TestOptions, tap), 0, true},
    {"junit", TEXT, offsetof(TestOptions, junit), 0, true},
    {"json", TEXT, offsetof(TestOptions, json), 0, true},
    {"github", FLAG, offsetof(TestOptions, github), 0, true},
    {"logs", TEXT, offsetof(TestOptions, logs), 0, false},
    {"help", FLAG, offsetof(TestOptions, help), 0, true},
};

/* "2/4" */
static void set_shard(TestOptions *options, const char *text, GString *mistakes) {
  g_auto(GStrv) parts = g_strsplit(text, "/", 2);
  guint64 index, n;

  if (!parts[0] || !parts[1] || !g_ascii_string_to_unsigned(parts[1], 10, 1, G_MAXUINT64, &n, NULL) ||
      !g_ascii_string_to_unsigned(parts[0], 10, 1, n, &index, NULL)) {
    mistake(mistakes, "--shard: '%s' is not I/N with I from 1 to N, such as 2/4", text);
  } else if (n > SHARDS_MAX) {
    mistake(mistakes, "--shard: '%s': there can be %u parts at most", text, SHARDS_MAX);
  } else {
    options->shard = (unsigned)index;
    options->shards = (unsigned)n;
  }
}

static bool parse_define(TestOptions *options, const char *text) {
  const char *equals = strchr(text, '=');

  if (!equals || equals == text)
    return false;
  g_hash_table_replace(options->defines, g_strndup(text, (gsize)(equals - text)), g_strdup(equals + 1));
  return true;
}

static void set(TestOptions *options, unsigned index, const char *value, GString *mistakes) {
  void *field = (char *)options + table[index].offset;
  guint64 number;

  switch (table[index].type) {
  case FLAG:
    *(bool *)field = true;
    break;
  case TEXT:
    g_free(*(char **)field);
    *(char **)field = g_strdup(value);
    break;
  case NUMBER:
    if (g_ascii_string_to_unsigned(value, 10, 1, table[index].max, &number, NULL))
      *(unsigned *)field = (unsigned)number;
    else
      mistake(mistakes, "--%s: '%s' is not a number from 1 to %u", table[index].name, value, table[index].max);
    break;
  case LIST:
    g_ptr_array_add(*(GPtrArray **)field, g_strdup(value));
    break;
  case SHARD:
    set_shard(options, value, mistakes);
    break;
  case DEFINE:
    if (!parse_define(options, value))
      mistake(mistakes, "--define: '%s' is not NAME=VALUE", value);
    break;
  }
}

static int find(const char *name) {
  for (int i = 0; i < (int)G_N_ELEMENTS(table); i++)
    if (strcmp(table[i].name, name) == 0)
      return i;
  return -1;
}

static void unknown(const char *flag, GString *mistakes) {
  const char *names[G_N_ELEMENTS(table) + 1] = {NULL};

  for (unsigned i = 0; i < G_N_ELEMENTS(table); i++)
    names[i] = table[i].name;
  const char *nearest = nearest_name(flag + strspn(flag, "-"), names);
  if (nearest)
    mistake(mistakes, "unknown option %s; did you mean --%s?", flag, nearest);
  else
    mistake(mistakes, "unknown option %s", flag);
}

/* -j 4, -j4, --jobs 4, --jobs=4. Moves *I to the value. */
static void take_flag(TestOptions *options, int argc, char **argv, int *i, GString *mistakes) {
  const char *argument = argv[*i], *equals = strchr(argument, '=');
  bool jobs = argument[1] == 'j';
  g_autofree char *flag = equals ? g_strndup(argument, (gsize)(equals - argument)) : g_strdup(argument);
  int index = jobs ? find("jobs") : strcmp(flag, "-h") == 0 ? find("help") : g_str_has_prefix(flag, "--") ? find(flag + 2) : -1;
  const char *value = jobs && argument[2] ? argument + 2 : equals ? equals + 1 : NULL;

  if (index < 0) {
    unknown(flag, mistakes);
    return;
  }
  if (options->merge && !table[index].merge)
    mistake(mistakes, "--%s: it is for running tests, and merge runs none", table[index].name);
  if (table[index].type == FLAG && value) {
    mistake(mistakes, "--%s: takes no value", table[index].name);
    return;
  }
  if (table[index].type != FLAG && !value && *i + 1 < argc)
    value = argv[++*i];
  if (table[index].type != FLAG && !value)
    mistake(mistakes, "--%s: needs a value", table[index].name);
  else
    set(options, (unsigned)index, value, mistakes);
}

static TestOptions *new_options(void) {
  TestOptions *options = g_new0(TestOptions, 1);

  options->files = g_ptr_array_new_with_free_func(g_free);
  options->tags = g_ptr_array_new_with_free_func(g_free);
  options->skip_tags = g_ptr_array_new_with_free_func(g_free);
  options->defines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  options->repeat = options->shard = options->shards = 1;
  options->github = g_strcmp0(g_getenv("GITHUB_ACTIONS"), "true") == 0;
  return options;
}

void test_options_free(TestOptions *options) {
  if (!options)
    return;
  g_ptr_array_unref(options->files);
  g_ptr_array_unref(options->tags);
  g_ptr_array_unref(options->skip_tags);
  g_hash_table_unref(options->defines);
  g_free(options->filter);
  g_free(options->junit);
  g_free(options->json);
  g_free(options->logs);
  g_free(options);
}

TestOptions *test_options_parse(int argc, char **argv, GError **error) {
  g_autoptr(TestOptions) options = new_options();
  GString *mistakes = g_string_new(NULL);
  bool flags = true;

  for (int i = 0; i < argc; i++) {
    if (flags && strcmp(argv[i], "--") == 0)
      flags = false;
    else if (flags && argv[i][0] == '-' && argv[i][1])
      take_flag(options, argc, argv, &i, mistakes);
    else if (i == 0 && strcmp(argv[i], "merge") == 0)
      options->merge = true;
    else
      g_ptr_array_add(options->files, g_strdup(argv[i]));
  }
  if (!options->help && options->files->len == 0)
    mistake(mistakes, options->merge ? "no results given: they are what --json wrote" : "no suite given");
  if (options->tap + output_file_is_stdout(options->junit) + output_file_is_stdout(options->json) > 1)
    mistake(mistakes, "--tap, --junit and --json: only one of them can go to standard output");
  if (options->fail_fast && options->keep_going)
    mistake(mistakes, "--fail-fast and --keep-going exclude each other");
  g_ptr_array_add(options->files, NULL);
  g_autofree char *text = g_string_free(mistakes, FALSE);
  if (!*text)
    return g_steal_pointer(&options);
  g_set_error_literal(error, TEST_OPTIONS_ERROR, TEST_OPTIONS_ERROR_INVALID, text);
  return NULL;
}
