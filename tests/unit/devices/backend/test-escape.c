/* SPDX-License-Identifier: Apache-2.0 */
/* The escape key: devices/backend/escape.c. */
#include "devices/backend/escape.h"

#include <glib.h>
#include <string.h>

#define A "\001"

static const struct {
  const char *typed, *passed, *commands; /* one letter a command */
} cases[] = {
    {"", "", ""},
    {"hello\r", "hello\r", ""},
    {"\003\032\004\034\177", "\003\032\004\034\177", ""}, /* Ctrl-C, Ctrl-Z, Ctrl-D ... are the guest's */
    {"xha", "xha", ""},
    {A, "", ""},
    {A A, A, ""},
    {A "a", A, ""},
    {A "x", "", "x"},
    {A "h", "", "h"},
    {A "X", A "X", ""},
    {A "b", A "b", ""},
    {A A "x", A "x", ""},
    {A A A "x", A, "x"},
    {A "b" A "x", A "b", "x"},
    {"1" A "h2" A "h3" A "x4", "1234", "hhx"},
    {A "\377", A "\377", ""},
};

static void test_cases(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GString) passed = g_string_new(NULL);
    g_autoptr(GString) commands = g_string_new(NULL);
    Escape escape = {0};

    for (const char *typed = cases[i].typed; *typed; typed++) {
      uint8_t to[ESCAPE_MAX_OUTPUT];
      unsigned n = 99;
      EscapeCommand command = escape_byte(&escape, (uint8_t)*typed, to, &n);

      g_assert_cmpuint(n, <=, ESCAPE_MAX_OUTPUT);
      g_string_append_len(passed, (const char *)to, n);
      if (command != ESCAPE_NONE)
        g_string_append_c(commands, command == ESCAPE_QUIT ? 'x' : 'h');
    }
    g_assert_cmpstr(passed->str, ==, cases[i].passed);
    g_assert_cmpstr(commands->str, ==, cases[i].commands);
  }
}

static void test_nul_passes(void) {
  Escape escape = {0};
  uint8_t to[ESCAPE_MAX_OUTPUT] = {7, 7};
  unsigned n;

  g_assert_cmpint(escape_byte(&escape, 0, to, &n), ==, ESCAPE_NONE);
  g_assert_cmpuint(n, ==, 1);
  g_assert_cmpuint(to[0], ==, 0);
}

/* Every key after Ctrl-A either commands or arrives with what is right before it. */
static void test_all_keys(void) {
  for (unsigned key = 0; key < 256; key++) {
    Escape escape = {.pending = true};
    uint8_t to[ESCAPE_MAX_OUTPUT];
    unsigned n;
    EscapeCommand command = escape_byte(&escape, (uint8_t)key, to, &n);

    g_assert_false(escape.pending);
    g_assert_cmpuint(n, ==, key == 'x' || key == 'h' ? 0 : key == 'a' || key == ESCAPE_KEY ? 1 : 2);
    g_assert_cmpint(command, ==, key == 'x' ? ESCAPE_QUIT : key == 'h' ? ESCAPE_HELP : ESCAPE_NONE);
    if (n == 2)
      g_assert_cmpuint(to[1], ==, key);
    if (n)
      g_assert_cmpuint(to[0], ==, ESCAPE_KEY);
  }
}

/* In a machine that is another process's, d leaves, and x does not end it. */
static void test_attached(void) {
  for (unsigned key = 0; key < 256; key++) {
    Escape escape = {.attached = true, .pending = true};
    uint8_t to[ESCAPE_MAX_OUTPUT];
    unsigned n;
    EscapeCommand command = escape_byte(&escape, (uint8_t)key, to, &n);

    g_assert_false(escape.pending);
    g_assert_cmpint(command, ==, key == 'd' ? ESCAPE_DETACH : key == 'x' || key == 'h' ? ESCAPE_HELP : ESCAPE_NONE);
    g_assert_cmpuint(n, ==, key == 'd' || key == 'x' || key == 'h' ? 0 : key == 'a' || key == ESCAPE_KEY ? 1 : 2);
  }
  g_assert_nonnull(strstr(escape_help_attached, "Ctrl-A d"));
}

static void test_help_names_the_keys(void) {
  g_assert_nonnull(strstr(escape_help, "Ctrl-A x"));
  g_assert_nonnull(strstr(escape_help, "Ctrl-A h"));
  g_assert_nonnull(strstr(escape_help, "Ctrl-A Ctrl-A"));
  for (const char *line = escape_help; (line = strchr(line, '\n')); line++)
    g_assert_cmpint(line[-1], ==, '\r');
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/escape/cases", test_cases);
  g_test_add_func("/escape/nul-passes", test_nul_passes);
  g_test_add_func("/escape/all-keys", test_all_keys);
  g_test_add_func("/escape/attached", test_attached);
  g_test_add_func("/escape/help-names-the-keys", test_help_names_the_keys);
  return g_test_run();
}
