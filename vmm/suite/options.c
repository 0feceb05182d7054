/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/suite/options.h"

#include <string.h>

#include "vmm/base/output-file.h"

#define JOBS_MAX   1024
#define REPEAT_MAX 100000
#define SHARDS_MAX 100000

/* "2/4" */
static char *parse_shard(void *field, const char *text) {
  TestShard *shard = field;
  g_auto(GStrv) parts = g_strsplit(text, "/", 2);
  guint64 index, n;

  if (!parts[0] || !parts[1] || !g_ascii_string_to_unsigned(parts[1], 10, 1, G_MAXUINT64, &n, NULL) ||
      !g_ascii_string_to_unsigned(parts[0], 10, 1, n, &index, NULL))
    return g_strdup_printf("'%s' is not I/N with I from 1 to N, such as 2/4", text);
  if (n > SHARDS_MAX)
    return g_strdup_printf("'%s': there can be %u parts at most", text, SHARDS_MAX);
  *shard = (TestShard){(unsigned)index, (unsigned)n};
  return NULL;
}

static char *parse_define(void *field, const char *text) {
  const char *equals = strchr(text, '=');

  if (!equals || equals == text)
    return g_strdup("wants NAME=VALUE");
  g_hash_table_replace(*(GHashTable **)field, g_strndup(text, (gsize)(equals - text)), g_strdup(equals + 1));
  return NULL;
}

enum { RUN = 1, MERGE = 2 };

static const Option options_table[] = {
    OPTION("list", FLAG, TestOptions, list, NULL, "Print the cases and run none.", .group = "Which", .forms = RUN),
    OPTION("filter", STRING, TestOptions, filter, "RE", "Only the cases whose suite/name this regular expression finds.",
           .may_be_empty = true, .forms = RUN),
    OPTION("tag", TEXTS, TestOptions, tags, "TAG", "Only cases that have this tag; repeatable: any of them.", .forms = RUN),
    OPTION("skip-tag", TEXTS, TestOptions, skip_tags, "TAG", "No cases that have this tag; repeatable.", .forms = RUN),
    OPTION("shard", PARSED, TestOptions, shard, "I/N", "The I-th of N parts, for N machines to share the work; N is 100000 at most.",
           .parse = parse_shard, .forms = RUN),
    OPTION("define", PARSED, TestOptions, defines, "NAME=VALUE", "What ${NAME} is in suites; repeatable (default: the environment).",
           .parse = parse_define, .repeatable = true, .forms = RUN),
    OPTION("jobs", NUMBER, TestOptions, jobs, "N",
           "Run N at a time (default: as many as there are processors for). Memory limits them in any case.", .letter = 'j', .group = "How",
           .min = 1, .max = JOBS_MAX, .forms = RUN),
    OPTION("repeat", NUMBER, TestOptions, repeat, "N", "Run each N times; those that differ are shown as flaky.", .min = 1,
           .max = REPEAT_MAX, .forms = RUN),
    OPTION("allow-flaky", FLAG, TestOptions, allow_flaky, NULL, "A case that passed at least once counts as passed."),
    OPTION("fail-fast", FLAG, TestOptions, fail_fast, NULL, "Start nothing more after the first failure.", .forms = RUN),
    OPTION("keep-going", FLAG, TestOptions, keep_going, NULL, "Run everything (default).", .forms = RUN),
    OPTION("require-kvm", FLAG, TestOptions, require_kvm, NULL, "Fail where KVM cannot be used, instead of skipping everything.",
           .forms = RUN),
    OPTION("tap", FLAG, TestOptions, tap, NULL, "TAP version 13 on standard output.", .group = "Results"),
    OPTION("junit", PATH, TestOptions, junit, "FILE", "Write JUnit XML.", .written = true),
    OPTION("json", PATH, TestOptions, json, "FILE", "Write JSON, for programs and for merge.", .written = true),
    OPTION("github", FLAG, TestOptions, github, NULL, "Annotations for GitHub Actions (default under GITHUB_ACTIONS)."),
    OPTION("logs", PATH, TestOptions, logs, "DIR", "Keep a log of each case, and what it wrote, in DIR.", .written = true, .forms = RUN),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet test_option_set = {
    .command = "test",
    .usage = "Usage: eret test [OPTION]... SUITE...\n"
             "       eret test merge [OPTION]... RESULT.json...\n"
             "Run suites of tests, each a boot of a virtual machine. eret-suite(5) describes suites. The second form joins the results of "
             "shards into one report; 'eret test merge --help' has its options.",
    .closing =
        "Status: 0 all passed, 1 some did not, 2 a mistake in a suite or an option, 4 interrupted, 77 no KVM: everything was skipped.",
    .tables = {options_table},
    .form = RUN,
    .operands_max = G_MAXUINT,
};

const OptionSet test_merge_option_set = {
    .command = "test merge",
    .usage = "Usage: eret test merge [OPTION]... RESULT.json...\n"
             "Join the results of shards, which 'eret test --json' wrote, into one report. The status is that of the whole.",
    .tables = {options_table},
    .form = MERGE,
    .other_form = "it is for running tests, and merge runs none",
    .operands_max = G_MAXUINT,
};

static TestOptions *new_options(void) {
  TestOptions *options = g_new0(TestOptions, 1);

  option_record_init(options_table, options);
  options->files = g_ptr_array_new_with_free_func(g_free);
  options->defines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  options->repeat = options->shard.index = options->shard.n = 1;
  options->github = g_strcmp0(g_getenv("GITHUB_ACTIONS"), "true") == 0;
  return options;
}

void test_options_free(TestOptions *options) {
  if (!options)
    return;
  option_record_clear(options_table, options);
  g_ptr_array_unref(options->files);
  g_hash_table_unref(options->defines);
  g_free(options);
}

TestOptions *test_options_parse(int argc, char **argv, GError **error) {
  g_autoptr(TestOptions) options = new_options();
  void *const records[] = {options};

  options->merge = argc > 0 && strcmp(argv[0], "merge") == 0;
  const OptionSet *set = options->merge ? &test_merge_option_set : &test_option_set;
  g_autoptr(OptionDraft) draft = option_read(set, records, argc - options->merge, argv + options->merge);
  options->help = draft->help;
  if (options->help)
    return g_steal_pointer(&options);
  for (unsigned i = 0; i < draft->operands->len; i++)
    g_ptr_array_add(options->files, g_strdup(g_ptr_array_index(draft->operands, i)));
  if (options->files->len == 0 && !draft->operand_lost)
    option_mistake(draft, NULL, options->merge ? "no results given: they are what --json wrote" : "no suite given");
  if (options->tap + output_file_is_stdout(options->junit) + output_file_is_stdout(options->json) > 1)
    option_mistake(draft, NULL, "--tap, --junit and --json: only one of them can go to standard output");
  if (options->fail_fast && options->keep_going)
    option_mistake(draft, NULL, "--fail-fast and --keep-going exclude each other");
  g_ptr_array_add(options->files, NULL);
  return option_is_good(draft, error) ? g_steal_pointer(&options) : NULL;
}
