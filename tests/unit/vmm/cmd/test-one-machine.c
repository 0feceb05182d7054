/* SPDX-License-Identifier: Apache-2.0 */
/* The commands for one machine with a name: vmm/cmd/one-machine.c. */
#include "vmm/cmd/one-machine.h"

#include "tests/unit/vmm/cmd/listen.h"
#include "vmm/cmd/command.h"

typedef struct {
  unsigned wait;
} Record;

static const Option options[] = {
    OPTION("wait", NUMBER, Record, wait, "SECONDS", "How long.", .max = 60, .unit = "seconds"),
    OPTION_HELP_ROW,
    {.name = NULL},
};

static const OptionSet set = {
    .command = "visit",
    .usage = "Usage: eret visit NAME",
    .tables = {options},
    .operands_max = 1,
    .explain_stray = one_machine_explain_stray,
};

static const char *words[3]; /* of the command line; ended by NULL */
static const char *name;
static int status;

static void read_words(void) {
  static Record record;
  void *const records[] = {&record};
  g_autoptr(OptionDraft) draft = option_read(&set, records, (int)g_strv_length((char **)words), (char **)words);

  name = one_machine_of(draft, &status);
}

static char *said(const char *first, const char *second) {
  words[0] = first;
  words[1] = first ? second : NULL;
  status = -1;
  return listen_to(read_words);
}

static void test_name(void) {
  g_autofree char *text = said("a", NULL);

  g_assert_cmpstr(text, ==, "");
  g_assert_cmpstr(name, ==, "a");
  g_assert_cmpint(status, ==, -1);
}

static void test_none(void) {
  g_autofree char *text = said(NULL, NULL);

  g_assert_cmpstr(text, ==, "eret: which machine? eret visit NAME; 'eret ps' lists them\nTry 'eret visit --help'.\n");
  g_assert_null(name);
  g_assert_cmpint(status, ==, EXIT_USAGE);
}

static void test_two(void) {
  g_autofree char *text = said("a", "b");

  g_assert_cmpstr(text, ==, "eret: unexpected argument 'b': one machine at a time\nTry 'eret visit --help'.\n");
  g_assert_null(name);
  g_assert_cmpint(status, ==, EXIT_USAGE);
}

/* The name may be what stands behind an option that there is not. */
static void test_unknown_option(void) {
  g_autofree char *text = said("--nonsense", "a");

  g_assert_cmpstr(text, ==, "eret: unknown option --nonsense\nTry 'eret visit --help'.\n");
  g_assert_null(name);
}

/* Nor is it missing where it was taken for a value. */
static void test_value(void) {
  g_autofree char *text = said("--wait", "a");

  g_assert_cmpstr(text, ==, "eret: --wait: 'a' is not a whole number of seconds from 0 to 60\nTry 'eret visit --help'.\n");
  g_assert_null(name);
  g_assert_cmpint(status, ==, EXIT_USAGE);
}

/* One that could not be a value is. */
static void test_value_and_none(void) {
  g_autofree char *text = said("--wait=a", NULL);

  g_assert_cmpstr(
      text, ==,
      "eret: --wait: 'a' is not a whole number of seconds from 0 to 60\neret: which machine? eret visit NAME; 'eret ps' lists them\n"
      "Try 'eret visit --help'.\n");
}

static void stop_and_attach(void) {
  static char *nothing[] = {NULL};

  g_assert_cmpint(cmd_stop(0, nothing), ==, EXIT_USAGE);
  g_assert_cmpint(cmd_attach(0, nothing), ==, EXIT_USAGE);
}

static void test_commands(void) {
  g_autofree char *text = listen_to(stop_and_attach);

  g_assert_cmpstr(text, ==,
                  "eret: which machine? eret stop NAME; 'eret ps' lists them\nTry 'eret stop --help'.\n"
                  "eret: which machine? eret attach NAME; 'eret ps' lists them\nTry 'eret attach --help'.\n");
}

int main(int argc, char *argv[]) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/one-machine/name", test_name);
  g_test_add_func("/one-machine/none", test_none);
  g_test_add_func("/one-machine/two", test_two);
  g_test_add_func("/one-machine/unknown-option", test_unknown_option);
  g_test_add_func("/one-machine/value", test_value);
  g_test_add_func("/one-machine/value-and-none", test_value_and_none);
  g_test_add_func("/one-machine/commands", test_commands);
  return g_test_run();
}
