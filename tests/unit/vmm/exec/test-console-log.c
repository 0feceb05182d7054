/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's console, kept in a file and in the last lines: vmm/exec/console-log.c. */
#include "vmm/exec/console-log.h"

#include <locale.h>
#include <string.h>

#include "tests/unit/directory.h"

#define MS 1000000u /* nanoseconds */

static void write_text(ConsoleLog *log, const char *text, uint64_t ns) {
  console_log_write(log, text, strlen(text), ns);
}

static void assert_tail(const ConsoleLog *log, const char *wanted) {
  g_autofree char *tail = console_log_tail(log);
  g_assert_cmpstr(tail, ==, wanted);
}

static void test_tail(void) {
  g_autoptr(ConsoleLog) log = console_log_new(NULL, CONSOLE_LOG_MAX, 3, 0, NULL);

  assert_tail(log, "");
  write_text(log, "one\r\ntw", 0);
  assert_tail(log, "  one\n  tw\n");
  write_text(log, "o\n\nfour\nfi", 0);
  assert_tail(log, "  two\n  \n  four\n  fi\n");
  write_text(log, "ve \x1b[31m\xff\n", 0);
  g_autofree char *tail = console_log_tail(log);
  g_assert_true(g_str_has_prefix(tail, "  \n  four\n  five "));
  g_assert_null(strchr(tail, '\x1b'));
  g_assert_true(g_utf8_validate(tail, -1, NULL));
}

/* A guest that never ends its line does not fill the memory. */
static void test_endless_line(void) {
  g_autoptr(ConsoleLog) log = console_log_new(NULL, CONSOLE_LOG_MAX, 2, 0, NULL);
  g_autofree char *block = g_strnfill(65536, 'x');

  for (unsigned i = 0; i < 16; i++)
    write_text(log, block, 0);
  g_autofree char *tail = console_log_tail(log);
  g_assert_cmpuint(strlen(tail), <=, 3 * 4100);
}

/* The file has the guest's bytes, and the time at which each line began. */
static void test_file(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *path = g_build_filename(directory, "log", NULL);
  g_autofree char *text = NULL;
  ConsoleLog *log = console_log_new(path, CONSOLE_LOG_MAX, 2, 1000 * MS, NULL);

  write_text(log, "be", 1500 * MS);
  write_text(log, "gins\xff\nsecond\r\n", 2000 * MS);
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpstr(text, ==, "[    0.500000] begins\xff\n[    1.000000] second\n"); /* for who follows it */
  write_text(log, "no end", 123456789 * (uint64_t)MS);
  console_log_free(log);
  g_autofree char *all = NULL;
  g_assert_true(g_file_get_contents(path, &all, NULL, NULL));
  g_assert_true(g_str_has_suffix(all, "\n[123455.789000] no end\n"));
  directory_free(directory);
}

static void test_no_file(void) {
  g_autoptr(GError) error = NULL;

  g_assert_null(console_log_new("/no/such/directory/log", CONSOLE_LOG_MAX, 2, 0, &error));
  g_assert_true(g_str_has_prefix(error->message, "--console-log: cannot write '/no/such/directory/log'"));
}

/* It is told when it happens, once, and at the end; the last lines are kept all the same. */
static void test_full(void) {
  g_autoptr(ConsoleLog) log = console_log_new("/dev/full", CONSOLE_LOG_MAX, 2, 0, NULL);
  g_autoptr(ConsoleLog) none = console_log_new(NULL, CONSOLE_LOG_MAX, 2, 0, NULL);

  g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "--console-log: '/dev/full' cannot be written any more: *");
  write_text(log, "one\n", 0);
  g_test_assert_expected_messages();
  write_text(log, "two\n", 0);
  assert_tail(log, "  one\n  two\n");
  g_assert_false(console_log_finish(log));
  g_assert_true(console_log_finish(none));
}

/* A guest that never stops talking does not fill the disk; its last lines are there all the same. */
static void test_endless_file(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *path = g_build_filename(directory, "log", NULL);
  g_autofree char *text = NULL;
  g_autoptr(ConsoleLog) log = console_log_new(path, 1000, 2, 0, NULL);

  g_test_expect_message("eret", G_LOG_LEVEL_WARNING, "*is full*");
  for (unsigned i = 0; i < 1000; i++)
    write_text(log, "the same again\n", 0);
  write_text(log, "the last\n", 0);
  g_test_assert_expected_messages();
  g_assert_true(console_log_finish(log));
  assert_tail(log, "  the same again\n  the last\n");
  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_assert_cmpuint(strlen(text), <, 1100);
  g_assert_true(g_str_has_suffix(text, "] the same again\n(the rest is left out: this file is full)\n"));
  directory_free(directory);
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/console-log/tail", test_tail);
  g_test_add_func("/console-log/endless-line", test_endless_line);
  g_test_add_func("/console-log/file", test_file);
  g_test_add_func("/console-log/full", test_full);
  g_test_add_func("/console-log/no-file", test_no_file);
  g_test_add_func("/console-log/endless-file", test_endless_file);
  return g_test_run();
}
