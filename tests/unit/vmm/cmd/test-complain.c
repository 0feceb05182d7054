/* SPDX-License-Identifier: Apache-2.0 */
/* What eret says on standard error, its log among it: vmm/cmd/complain.c. */
#include "vmm/cmd/complain.h"

#include <locale.h>
#include <string.h>

#include "tests/unit/vmm/cmd/listen.h"
#include "vmm/config/config.h"

static void complain_of_name(void) {
  complain("no file a\x1b]0;b\x07\xc2\x9b\x9b\xe2\x80\xae.c\neret: all is well");
}

static void test_complain(void) {
  g_autofree char *text = listen_to(complain_of_name);

  g_assert_cmpstr(text, ==, "eret: no file a\\u001b]0;b\\u0007\\u009b\\x9b\\u202e.c\\u000aeret: all is well\n");
}

static void complain_of_names(void) {
  complain_lines("no file \x1b\nno second");
}

static void test_lines(void) {
  g_autofree char *text = listen_to(complain_of_names);

  g_assert_cmpstr(text, ==, "eret: no file \\u001b\neret: no second\n");
}

static void complain_of_many(void) {
  g_autoptr(GString) lines = g_string_new("one");

  for (unsigned i = 1; i < COMPLAIN_LINES_MAX; i++)
    g_string_append(lines, "\none");
  complain_lines(lines->str);
  g_string_append(lines, "\nother\nother");
  complain_lines(lines->str);
}

/* Many mistakes: as many as somebody may read, and how many there are beside. */
static void test_many(void) {
  g_autofree char *text = listen_to(complain_of_many);
  g_autoptr(GString) wanted = g_string_new(NULL);

  for (unsigned i = 0; i < 2 * COMPLAIN_LINES_MAX; i++)
    g_string_append(wanted, "eret: one\n");
  g_string_append(wanted, "eret: and 2 more\n");
  g_assert_cmpstr(text, ==, wanted->str);
}

static void complain_of_long(void) {
  g_autoptr(GString) name = g_string_new("no machine '");

  for (unsigned i = 0; i < COMPLAIN_LINE_MAX; i++)
    g_string_append(name, "\xc3\xa4\xe2\x82\xac");
  g_string_append(name, "': none of its name");
  complain(name->str);
  complain_lines(name->str);
}

/* Long names: the beginning and the end, and no half character. */
static void test_long(void) {
  g_autofree char *text = listen_to(complain_of_long);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

  g_assert_cmpuint(g_strv_length(lines), ==, 3);
  for (unsigned i = 0; i < 2; i++) {
    g_assert_true(g_utf8_validate(lines[i], -1, NULL));
    g_assert_true(g_str_has_prefix(lines[i], "eret: no machine '\xc3\xa4"));
    g_assert_nonnull(strstr(lines[i], "..."));
    g_assert_true(g_str_has_suffix(lines[i], "': none of its name"));
    g_assert_cmpuint(strlen(lines[i]), <=, strlen("eret: ...") + COMPLAIN_LINE_MAX);
    g_assert_cmpuint(strlen(lines[i]), >, COMPLAIN_LINE_MAX);
  }
}

static void complain_of_errors(void) {
  g_autoptr(GError) file = g_error_new(G_FILE_ERROR, G_FILE_ERROR_NOENT, "cannot write '%s'", "a\nb");
  g_autoptr(GError) list = g_error_new(OPTION_ERROR, OPTION_ERROR_INVALID, "one\ntwo");

  g_assert_cmpint(complain_of(file, 1) + complain_of(list, 2), ==, 3);
}

/* A list of mistakes has a line for each; a name in another error has none of its own. */
static void test_errors(void) {
  g_autofree char *text = listen_to(complain_of_errors);

  g_assert_cmpstr(text, ==, "eret: cannot write 'a\\u000ab'\neret: one\neret: two\n");
}

static void log_name(void) {
  g_log_set_default_handler(complain_of_log, NULL);
  g_log(NULL, G_LOG_LEVEL_MESSAGE, "the link %s is left out", "\x1b[2J\r\xff");
  g_log(NULL, G_LOG_LEVEL_DEBUG, "not said");
  g_log_set_default_handler(g_log_default_handler, NULL);
}

/* As GLib's own writer, which it takes the place of. */
static void test_log(void) {
  g_autofree char *text = listen_to(log_name);

  g_assert_cmpstr(text, ==, "eret: the link \\u001b[2J\\u000d\\xff is left out\n");
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/complain/line", test_complain);
  g_test_add_func("/complain/lines", test_lines);
  g_test_add_func("/complain/many", test_many);
  g_test_add_func("/complain/long", test_long);
  g_test_add_func("/complain/errors", test_errors);
  g_test_add_func("/complain/log", test_log);
  return g_test_run();
}
