/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of options, on a command of its own: every way to give a flag, what is no flag, forms of a command, kinds
 * that no machine's option has. vmm/options/parse.c, value.c
 */
#include "vmm/options/option.h"

#include <string.h>

#include "tests/unit/directory.h"

typedef struct {
  bool loud, coloured;
  unsigned jobs;
  char *in, *out;
  GPtrArray *tags;
  unsigned sum; /* of all --add */
} Record;

enum { MAKE = 1, JOIN = 2 };

static char *parse_add(void *field, const char *text) {
  if (strlen(text) != 1 || !g_ascii_isdigit(*text))
    return g_strdup("wants a digit");
  *(unsigned *)field += (unsigned)(*text - '0');
  return NULL;
}

static const Option options[] = {
    OPTION("loud", FLAG, Record, loud, NULL, "Say more.", .group = "First"),
    OPTION("colour", BOOLEAN, Record, coloured, NULL, "Colours.", .on_by_default = true),
    OPTION("jobs", NUMBER, Record, jobs, "N", "At a time.", .letter = 'j', .min = 1, .max = 8, .forms = MAKE, .group = "Second"),
    OPTION("in", PATH, Record, in, "FILE", "Read FILE."),
    OPTION("out", PATH, Record, out, "FILE", "Write FILE.", .letter = 'o', .written = true),
    OPTION("tag", TEXTS, Record, tags, "TAG", "A tag.", .forms = JOIN),
    OPTION("add", PARSED, Record, sum, "DIGIT", "Add it.", .parse = parse_add, .repeatable = true),
    OPTION_HELP_ROW,
    {.name = NULL},
};

static char *explain_stray(const char *operand, const char **meant) {
  *meant = "in";
  return g_strdup_printf("; write it as --in %s", operand);
}

static const char *explain_absent(const char *name) {
  return strcmp(name, "net") == 0 ? "there is no net" : NULL;
}

static const OptionSet make = {
    .command = "make",
    .usage = "Usage: make\n       make join",
    .closing = "The end.",
    .tables = {options},
    .form = MAKE,
    .other_form = "join has it",
    .operands_max = 1,
    .explain_stray = explain_stray,
    .explain_absent = explain_absent,
};

static const OptionSet join = {
    .command = "make join",
    .usage = "Usage: make join",
    .tables = {options},
    .form = JOIN,
    .other_form = "make has it",
    .command_follows = true,
};

static const OptionSet pass = {
    .command = "make pass",
    .usage = "Usage: make pass",
    .tables = {options},
    .form = MAKE,
    .operands_max = 1,
    .rest_follows = true,
};

typedef struct {
  Record record;
  void *records[1];
  OptionDraft *draft;
} Reading;

/* WORDS are separated by spaces. */
static Reading *read_words(const OptionSet *set, const char *words, char ***argv) {
  Reading *reading = g_new0(Reading, 1);

  option_record_init(options, &reading->record);
  reading->record.coloured = true;
  reading->records[0] = &reading->record;
  *argv = g_strsplit(words, " ", -1);
  for (char **word = *argv; *word; word++)
    g_strdelimit(*word, "~", ' '); /* a blank within a word */
  reading->draft = option_read(set, reading->records, (int)g_strv_length(*argv), *argv);
  return reading;
}

static void free_reading(Reading *reading) {
  option_draft_free(reading->draft);
  option_record_clear(options, &reading->record);
  g_free(reading);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reading, free_reading)

static void test_flags(void) {
  static const char *const four[] = {"-j4", "-j 4", "-j=4", "--jobs 4", "--jobs=4", "-j 2 -j 4"};

  for (unsigned i = 0; i < G_N_ELEMENTS(four); i++) {
    g_auto(GStrv) argv = NULL;
    g_autoptr(Reading) reading = read_words(&make, four[i], &argv);
    g_assert_cmpstr(reading->draft->mistakes->str, ==, "");
    g_assert_cmpuint(reading->record.jobs, ==, 4);
  }
  g_auto(GStrv) argv = NULL;
  g_autoptr(Reading) all = read_words(&make, "--loud --no-colour -oa --add 1 x --add=2 --in - --out --unknown", &argv);
  g_assert_cmpstr(all->draft->mistakes->str, ==, "");
  g_assert_true(all->record.loud && !all->record.coloured);
  g_assert_cmpuint(all->record.sum, ==, 3);
  g_assert_cmpstr(all->record.in, ==, "-");
  g_assert_cmpstr(all->record.out, ==, "--unknown"); /* no option: a name like others */
  g_assert_cmpuint(all->draft->operands->len, ==, 1);
  g_assert_cmpstr(g_ptr_array_index(all->draft->operands, 0), ==, "x");
  g_assert_true(option_is_given(all->draft, "loud") && !option_is_given(all->draft, "jobs"));
}

static void test_command(void) {
  g_auto(GStrv) argv = NULL;
  g_autoptr(Reading) reading = read_words(&join, "--tag a --tag=b -- ls --tag --", &argv);

  g_assert_cmpstr(reading->draft->mistakes->str, ==, "");
  g_assert_cmpuint(reading->record.tags->len, ==, 2);
  g_assert_cmpuint(reading->draft->operands->len, ==, 0);
  g_assert_cmpuint(reading->draft->command->len, ==, 3);
  g_assert_cmpstr(g_ptr_array_index(reading->draft->command, 2), ==, "--");
}

/* Behind the first operand nothing is looked at, not even what asks for help. */
static void test_rest(void) {
  g_auto(GStrv) argv = NULL;
  g_autoptr(Reading) reading = read_words(&pass, "--loud -j 4 -- there --jobs 5 -- -h --unknown", &argv);

  g_assert_cmpstr(reading->draft->mistakes->str, ==, "");
  g_assert_true(reading->record.loud && !reading->draft->help);
  g_assert_cmpuint(reading->record.jobs, ==, 4);
  g_assert_cmpuint(reading->draft->operands->len, ==, 6);
  g_assert_cmpstr(g_ptr_array_index(reading->draft->operands, 0), ==, "there");
  g_assert_cmpstr(g_ptr_array_index(reading->draft->operands, 3), ==, "--");
  g_assert_cmpstr(g_ptr_array_index(reading->draft->operands, 5), ==, "--unknown");
}

static void test_help(void) {
  static const char *const words[] = {"--help", "-h", "--jobs 99 --nonsense -h", "--jobs --help"};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    g_auto(GStrv) argv = NULL;
    g_autoptr(Reading) reading = read_words(&make, words[i], &argv);
    g_assert_true(reading->draft->help);
    g_assert_cmpuint(reading->record.jobs, ==, 0);
  }
  g_autofree char *help = option_help(&make), *other = option_help(&join);
  g_assert_cmpstr(help, ==,
                  "Usage: make\n"
                  "       make join\n"
                  "\nFirst:\n"
                  "  --loud                Say more.\n"
                  "  --no-colour           Colours.\n"
                  "\nSecond:\n"
                  "  -j, --jobs N          At a time.\n"
                  "  --in FILE             Read FILE.\n"
                  "  -o, --out FILE        Write FILE.\n"
                  "  --add DIGIT           Add it.\n"
                  "  --help                This text.\n"
                  "\nThe end.\n");
  g_assert_null(strstr(other, "--jobs"));
  g_assert_nonnull(strstr(other, "\nSecond:\n  --in FILE"));
}

static void test_mistakes(void) {
  static const struct {
    const OptionSet *set;
    const char *words, *said;
  } cases[] = {
      {&make, "--jobs 9", "--jobs: '9' is not a whole number from 1 to 8"},
      {&make, "-j", "--jobs: needs a value"},
      {&make, "-j --loud", "--jobs: needs a value"},
      {&make, "--in=", "--in: must not be empty"},
      {&make, "--loud=1", "--loud: takes no value"},
      {&make, "--no-loud", "unknown option --no-loud"},
      {&make, "--colour=1", "--colour: takes no value: it is --colour or left out"},
      {&make, "-hx", "unknown option -hx"},
      {&make, "--job 4", "unknown option --job; did you mean --jobs?"},
      {&join, "--job 4", "unknown option --job"},
      {&join, "-j 4", "--jobs: make has it"},
      {&make, "--tag x", "--tag: join has it"},
      {&join, "--tag=", "--tag: must not be empty"},
      {&make, "--add 1 --add 22", "--add 22: wants a digit"},
      {&make, "a b", "unexpected argument 'b'; write it as --in b"},
      {&make, "-- a --loud", "unexpected argument '--loud'; write it as --in --loud"},
      {&join, "a", "unexpected argument 'a'"},
      {&make, "--jobs~4", "'--jobs 4' is one word: a value is a word of its own, or stands behind an equals sign: --jobs=4"},
      {&make, "--net x", "unknown option --net: there is no net"},
      {&make, "--version", "--version belongs to eret itself: eret --version"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(GStrv) argv = NULL;
    g_autoptr(Reading) reading = read_words(cases[i].set, cases[i].words, &argv);
    g_autoptr(GError) error = NULL;
    g_assert_false(option_is_good(reading->draft, &error));
    g_assert_error(error, OPTION_ERROR, OPTION_ERROR_INVALID);
    g_assert_cmpstr(error->message, ==, cases[i].said);
  }
}

/* What was said and not understood is known by name, so that nobody misses it as well. */
static void test_failed(void) {
  static const struct {
    const char *words, *failed;
    bool operand_lost;
  } cases[] = {
      {"--jobs 9", "jobs", true},  {"--jobs=9", "jobs", false}, {"-j9", "jobs", false}, {"-j", "jobs", false},   {"--job 4", "jobs", true},
      {"--jobs~4", "jobs", false}, {"--in=", "in", false},      {"a b", "in", true},    {"--zzz b", NULL, true}, {"--zzz=b", NULL, false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(GStrv) argv = NULL;
    g_autoptr(Reading) reading = read_words(&make, cases[i].words, &argv);
    for (const Option *option = options; option->name; option++)
      g_assert_true(option_has_failed(reading->draft, option->name, -1) == (g_strcmp0(option->name, cases[i].failed) == 0));
    g_assert_true(reading->draft->operand_lost == cases[i].operand_lost);
  }
}

/* What is written is no file that is read, wherever it stands in the table and on the command line. */
static void test_files(void) {
  g_autofree char *directory = directory_new(), *words = g_strdup_printf("--out %s/a --in %s/a", directory, directory);
  g_autofree char *said =
      g_strdup_printf("--out: '%s/a' is also the file of --in, which would be overwritten: name another file", directory);
  g_auto(GStrv) argv = NULL;
  g_autoptr(NamedFiles) named = named_files_new();

  directory_write(directory, "a", "");
  g_autoptr(Reading) reading = read_words(&make, words, &argv);
  option_name_files(reading->draft, named);
  g_assert_cmpstr(reading->draft->mistakes->str, ==, said);
  directory_free(directory);
}

static void count(void *opaque, const Option *option, int argument, const char *value) {
  g_string_append_printf(opaque, "%s%s%s@%d ", option->name, value ? "=" : "", value ? value : "", argument);
}

static void test_each(void) {
  char *argv[] = {(char *)"--jobs=x", (char *)"--loud",      (char *)"--nonsense", (char *)"--no-colour",
                  (char *)"-h",       (char *)"--loud=loud", (char *)"-j",         (char *)"2"};
  g_autoptr(GString) names = g_string_new(NULL);
  g_autofree char *mistakes = option_each(&make, G_N_ELEMENTS(argv), argv, count, names);

  g_assert_cmpstr(names->str, ==, "jobs=x@0 loud@1 colour@3 help@4 loud=loud@5 jobs=2@7 ");
  g_assert_cmpstr(mistakes, ==, "unknown option --nonsense\n--loud: takes no value");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/options/flags", test_flags);
  g_test_add_func("/options/command", test_command);
  g_test_add_func("/options/rest", test_rest);
  g_test_add_func("/options/help", test_help);
  g_test_add_func("/options/mistakes", test_mistakes);
  g_test_add_func("/options/failed", test_failed);
  g_test_add_func("/options/files", test_files);
  g_test_add_func("/options/each", test_each);
  return g_test_run();
}
