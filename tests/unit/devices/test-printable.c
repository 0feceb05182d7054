/* SPDX-License-Identifier: Apache-2.0 */
/* What terminals, logs and reports get to see of the text of others: devices/printable.c. */
#include "devices/printable.h"

#include <json-glib/json-glib.h>
#include <locale.h>
#include <string.h>

static const struct {
  const char *text;
  const char *lines, *line;           /* replaced */
  const char *escaped, *line_escaped; /* as GLib's log has them */
} cases[] = {
    {"", "", "", "", ""},
    {"plain", "plain", "plain", "plain", "plain"},
    {"a\tb\nc", "a\tb\nc", "a b c", "a\tb\nc", "a\\u0009b\\u000ac"},
    {"a\rb\r\n", "a?b?\n", "a?b? ", "a\\u000db\\u000d\n", "a\\u000db\\u000d\\u000a"},
    {"\x1b[2J\x07\x7f", "?[2J??", "?[2J??", "\\u001b[2J\\u0007\\u007f", "\\u001b[2J\\u0007\\u007f"},
    /* CSI of one byte, as UTF-8 and raw; NEL; the last of C1, and what comes after it. */
    {"\xc2\x9b"
     "2J",
     "?2J", "?2J", "\\u009b2J", "\\u009b2J"},
    {"\x9b"
     "2J",
     "\xef\xbf\xbd"
     "2J",
     "\xef\xbf\xbd"
     "2J",
     "\\x9b2J", "\\x9b2J"},
    {"\xc2\x85\xc2\x80\xc2\x9f\xc2\xa0", "???\xc2\xa0", "???\xc2\xa0", "\\u0085\\u0080\\u009f\xc2\xa0", "\\u0085\\u0080\\u009f\xc2\xa0"},
    /* Directions: RLO, PDF, LRI, PDI, LRM, ALM. */
    {"\xe2\x80\xae"
     "cod.exe",
     "?cod.exe", "?cod.exe", "\\u202ecod.exe", "\\u202ecod.exe"},
    {"\xe2\x80\xac\xe2\x81\xa6\xe2\x81\xa9\xe2\x80\x8e\xd8\x9c", "?????", "?????", "\\u202c\\u2066\\u2069\\u200e\\u061c",
     "\\u202c\\u2066\\u2069\\u200e\\u061c"},
    {"\xe2\x80\xa8\xe2\x80\xa9", "??", "??", "\\u2028\\u2029", "\\u2028\\u2029"},
    {"\xf3\xa0\x80\x81", "?", "?", "\\U000e0001", "\\U000e0001"},
    {"\xef\xbf\xbe", "\xef\xbf\xbd", "\xef\xbf\xbd", "\\ufffe", "\\ufffe"},
    /* What is no UTF-8: a byte alone, a cut character, a surrogate. */
    {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd", "\\xff\\xc3", "\\xff\\xc3"},
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},
    {"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80",
     "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80", "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80"},
};

static void test_forms(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *lines = printable(cases[i].text, -1);
    g_autofree char *line = printable_line(cases[i].text, (gssize)strlen(cases[i].text));
    g_autofree char *escaped = printable_escaped(cases[i].text, -1);
    g_autofree char *line_escaped = printable_line_escaped(cases[i].text, (gssize)strlen(cases[i].text));
    g_assert_cmpstr(lines, ==, cases[i].lines);
    g_assert_cmpstr(line, ==, cases[i].line);
    g_assert_cmpstr(escaped, ==, cases[i].escaped);
    g_assert_cmpstr(line_escaped, ==, cases[i].line_escaped);
  }
}

/* A size ends the text, and NULs do not. */
static void test_size(void) {
  g_autofree char *replaced = printable("a\0b\xc3\xa9", 4);
  g_autofree char *escaped = printable_escaped("a\0b\xc3\xa9", 4);
  g_autofree char *nothing = printable_escaped("abc", 0);

  g_assert_cmpstr(replaced, ==,
                  "a\xef\xbf\xbd"
                  "b\xef\xbf\xbd");
  g_assert_cmpstr(escaped, ==, "a\\x00b\\xc3");
  g_assert_cmpstr(nothing, ==, "");
}

/* Whatever it is: what comes out is UTF-8, has only what may be shown, and is as long as it is said to be at most. */
static void test_noise(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(11);
  char noise[64];

  for (unsigned round = 0; round < 20000; round++) {
    gssize size = g_rand_int_range(random, 0, sizeof noise);
    for (gssize i = 0; i < size; i++)
      noise[i] = (char)(g_rand_boolean(random) ? g_rand_int_range(random, 0x80, 0x100) : g_rand_int_range(random, 0, 0x80));
    g_autofree char *replaced = printable(noise, size);
    g_autofree char *escaped = printable_line_escaped(noise, size);
    g_assert_cmpuint(strlen(replaced), <=, 3 * (gsize)size);
    g_assert_cmpuint(strlen(escaped), <=, 6 * (gsize)size);
    g_assert_true(g_utf8_validate(replaced, -1, NULL) && g_utf8_validate(escaped, -1, NULL));
    for (const char *c = replaced; *c; c = g_utf8_next_char(c))
      g_assert_true(printable_char(g_utf8_get_char(c)) || strchr("\t\n", *c));
    for (const char *c = escaped; *c; c = g_utf8_next_char(c))
      g_assert_true(printable_char(g_utf8_get_char(c)));
  }
}

/* Whole characters, the beginning and the end; bytes that are no UTF-8 are parted somewhere. */
static void test_cut(void) {
  static const struct {
    const char *text;
    gsize max;
    const char *cut;
  } lengths[] = {
      {"", 0, ""},
      {"a", 0, "..."},
      {"abcdef", 6, "abcdef"},
      {"abcdefg", 6, "abcd...fg"},
      {"ab\xc3\xa4\xc3\xa4\xc3\xa4zz", 9, "ab\xc3\xa4\xc3\xa4...zz"},
      {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 11, "\xf0\x9f\x98\x80\xf0\x9f\x98\x80..."},
      {"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 9, "\x80\x80\x80..."},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
    g_autofree char *cut = printable_cut(lengths[i].text, lengths[i].max);
    g_assert_cmpstr(cut, ==, lengths[i].cut);
  }
}

/* A program that reads the JSON gets the same text. */
static void test_json(void) {
  static const char text[] = "\xc3\xa9 \xc2\x9b \x7f \xe2\x80\xae \xf3\xa0\x80\x81 \"\\";
  g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);
  g_autofree char *json = json_to_string(node, FALSE);
  g_autofree char *safe = printable_json(json);
  g_autoptr(JsonNode) again = json_from_string(safe, NULL);

  g_assert_cmpstr(safe, ==, "\"\xc3\xa9 \\u009b \\u007f \\u202e \\udb40\\udc01 \\\"\\\\\"");
  g_assert_cmpstr(json_node_get_string(again), ==, text);
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/printable/forms", test_forms);
  g_test_add_func("/printable/size", test_size);
  g_test_add_func("/printable/noise", test_noise);
  g_test_add_func("/printable/cut", test_cut);
  g_test_add_func("/printable/json", test_json);
  return g_test_run();
}
