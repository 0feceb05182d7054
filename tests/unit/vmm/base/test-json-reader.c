/* SPDX-License-Identifier: Apache-2.0 */
/* What is JSON, and what only looks like it: tables of both. */
#include <glib/gstdio.h>
#include <locale.h>
#include <string.h>

#include "vmm/base/json-reader.h"
#include "vmm/base/json-writer.h"

#define DEPTH 4

static const JsonLimits limits = {.what = "sample", .size_max = 1u << 20, .depth_max = DEPTH};

static JsonDocument *parse(const char *text, gssize size, GError **error) {
  /* A copy that ends where the text does, so that reading on is seen. */
  gsize length = size < 0 ? strlen(text) : (gsize)size;
  g_autofree char *copy = g_malloc(MAX(length, 1));

  memcpy(copy, text, length);
  return json_document_parse(copy, length, &limits, error);
}

/* Read, and printed again without white space. */
static void test_accepted(void) {
  static const struct {
    const char *text, *printed;
  } cases[] = {
      {"0", "0"},
      {"-0", "-0.0"},
      {" \t\r\n7 \t\r\n", "7"},
      {"-12", "-12"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"0.5", "0.5"},
      {"-0.25", "-0.25"},
      {"1.0", "1.0"},
      {"1e3", "1000.0"},
      {"1E+3", "1000.0"},
      {"25e-1", "2.5"},
      {"1e-999", "0.0"},
      {"true", "true"},
      {"false", "false"},
      {"null", "null"},
      {"\"\"", "\"\""},
      {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
      {"\"\\u0041\\u00e4\\u20AC\"", "\"A\u00e4\u20ac\""},
      {"\"\\ud83d\\uDE00\"", "\"\U0001f600\""},
      {"\"\u00e4 \U0001f600 // [{'\"", "\"\u00e4 \U0001f600 // [{'\""},
      {"\"\\u007f\\u0085\"", "\"\\u007f\\u0085\""},
      {"[]", "[]"},
      {"{}", "{}"},
      {"[ 1 , [ ] , { } ]", "[1,[],{}]"},
      {"[[[[1]]]]", "[[[[1]]]]"},
      {"[[[[1]]],[[[2]]]]", "[[[[1]]],[[[2]]]]"},
      {"{\"a\":{\"a\":1},\"b\":{\"a\":2},\"\":3}", "{\"a\" : {\"a\" : 1},\"b\" : {\"a\" : 2},\"\" : 3}"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonDocument) document = parse(cases[i].text, -1, &error);
    g_assert_no_error(error);
    g_autofree char *printed = json_print(json_document_root(document));
    g_autoptr(GRegex) space = g_regex_new("\n *", 0, 0, NULL);
    g_autofree char *dense = g_regex_replace_literal(space, printed, -1, 0, "", 0, NULL);
    g_assert_cmpstr(dense, ==, cases[i].printed);
  }
}

static void test_refused(void) {
  static const struct {
    const char *text, *message;
  } cases[] = {
      /* Numbers. */
      {"01", "1:1: '01' is no number of JSON"},
      {"-01", "1:1: '-01' is no number of JSON"},
      {"00", "1:1: '00' is no number of JSON"},
      {"0x10", "1:1: '0x10' is no number of JSON"},
      {"+1", "1:1: '+1' is no number of JSON"},
      {".5", "1:1: '.5' is no number of JSON"},
      {"1.", "1:1: '1.' is no number of JSON"},
      {"1.e3", "1:1: '1.e3' is no number of JSON"},
      {"1e", "1:1: '1e' is no number of JSON"},
      {"1e+", "1:1: '1e+' is no number of JSON"},
      {"1e5.0", "1:1: '1e5.0' is no number of JSON"},
      {"-", "1:1: '-' is no number of JSON"},
      {"--1", "1:1: '--1' is no number of JSON"},
      {"1_000", "1:2: the document ends here, and '_000' follows"},
      {"-Infinity", "1:1: '-Infinity' is no number of JSON"},
      {"NaN", "1:1: a value is wanted, not 'NaN'"},
      {"Infinity", "1:1: a value is wanted, not 'Infinity'"},
      {"{\"a\": [1, 9223372036854775808]}",
       "1:11: a[1]: 9223372036854775808 is out of range: whole numbers go from -9223372036854775808 to 9223372036854775807"},
      {"{\"cpus\": 99999999999999999999}",
       "1:10: cpus: 99999999999999999999 is out of range: whole numbers go from -9223372036854775808 to 9223372036854775807"},
      {"1e999", "1:1: 1e999 is out of range"},
      {"-1e999", "1:1: -1e999 is out of range"},
      /* Words. */
      {"True", "1:1: a value is wanted, not 'True'"},
      {"truely", "1:1: a value is wanted, not 'truely'"},
      {"nul", "1:1: a value is wanted, not 'nul'"},
      {"undefined", "1:1: a value is wanted, not 'undefined'"},
      {"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "1:1: a value is wanted, not 'abcdefghijklmnopqrstuvwxyzabcdefghijklmn'"},
      /* One document. */
      {"{} {}", "1:4: the document ends here, and '{' follows"},
      {"[1]]", "1:4: the document ends here, and ']' follows"},
      {"1 2", "1:3: the document ends here, and '2' follows"},
      {"{}\n\nx", "3:1: the document ends here, and 'x' follows"},
      /* Commas, colons, brackets. */
      {"[1,]", "1:4: [1]: a value is wanted, not ']'"},
      {"[,1]", "1:2: [0]: a value is wanted, not ','"},
      {"[1 2]", "1:4: a comma or ] is wanted, not '2'"},
      {"[1", "1:3: the text ends where a comma or ] is wanted"},
      {"[", "1:2: [0]: the text ends where a value is wanted"},
      {"[1}", "1:3: a comma or ] is wanted, not '}'"},
      {"{\"a\":1,}", "1:8: a key in double quotes is wanted, not '}'"},
      {"{\"a\" 1}", "1:6: a: a colon is wanted, not '1'"},
      {"{\"a\":}", "1:6: a: a value is wanted, not '}'"},
      {"{\"a\"", "1:5: a: the text ends where a colon is wanted"},
      {"{\"a\":1", "1:7: the text ends where a comma or } is wanted"},
      {"{a:1}", "1:2: a key in double quotes is wanted, not 'a'"},
      {"{1:1}", "1:2: a key in double quotes is wanted, not '1'"},
      /* What other notations have. */
      {"{\n  // a comment\n}", "2:3: comments and single quotes are not part of JSON"},
      {"[1, /* a comment */ 2]", "1:5: [1]: comments and single quotes are not part of JSON"},
      {"[1 # a comment\n]", "1:4: comments and single quotes are not part of JSON"},
      {"{'a': 1}", "1:2: comments and single quotes are not part of JSON"},
      {"\xef\xbb\xbf{}", "1:1: a byte order mark is not part of JSON"},
      {"[1,\xc2\xa0"
       "2]",
       "1:4: [1]: a value is wanted, not '\xc2\xa0'"},
      {"[1,\f2]", "1:4: [1]: a value is wanted, not '\\u000c'"},
      /* Texts. */
      {"\"a", "1:1: this text has no end"},
      {"\"a\\", "1:3: \\  is no escape of JSON"},
      {"\"a\nb\"", "1:3: a control character (0x0a) in a text: it is written \\u000a, or the text lacks its end"},
      {"\"\t\"", "1:2: a control character (0x09) in a text: it is written \\u0009"},
      {"\"\\x41\"", "1:2: \\x is no escape of JSON"},
      {"\"\\'\"", "1:2: \\' is no escape of JSON"},
      {"\"\\u12\"", "1:2: \\u is followed by four hexadecimal digits"},
      {"\"\\u12g4\"", "1:2: \\u is followed by four hexadecimal digits"},
      {"\"\\u", "1:2: \\u is followed by four hexadecimal digits"},
      {"\"\\u0000\"", "1:2: \\u0000: a text cannot hold a NUL"},
      {"{\"a\\u0000b\": 1}", "1:4: \\u0000: a text cannot hold a NUL"},
      {"\"\\ud83d\"", "1:2: \\ud83d is half a character, and the other half is not there"},
      {"\"\\ud83dx\"", "1:2: \\ud83d is half a character, and the other half is not there"},
      {"\"\\ud83d\\ud83d\"", "1:2: \\ud83d is half a character, and the other half is not there"},
      {"\"\\ude00\\ud83d\"", "1:2: \\ude00 is half a character, and the other half is not there"},
      {"\"\u00e4\u00e4\\q\"", "1:4: \\q is no escape of JSON"}, /* columns are characters */
      {"\"\xff\"", "1:2: this is not UTF-8"},
      {"[\n\"\xc3\"]", "2:2: this is not UTF-8"},
      {"\"\xed\xa0\x80\"", "1:2: this is not UTF-8"}, /* a surrogate */
      {"\"\xc0\x80\"", "1:2: this is not UTF-8"},     /* a NUL in two bytes */
      /* Keys. */
      {"{\"a\": 1, \"a\": 2}", "1:10: a: given twice, first in line 1"},
      {"{\"a\": 1, \"\\u0061\": 2}", "1:10: a: given twice, first in line 1"},
      {"{\"disk\": [{}, {\n\"file\": 1,\n\n\"file\": 2}]}", "4:1: disk[1].file: given twice, first in line 2"},
      {"{\"a\\u001b[31m\": x}", "1:17: a\\u001b[31m: a value is wanted, not 'x'"},
      {"{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\": x}",
       "1:84: abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefgh...: a value is wanted, not 'x'"},
      /* Depth: just beyond. */
      {"[[[[[1]]]]]", "1:5: [0][0][0][0]: nested too deeply for a sample: 4 levels are possible"},
      {"{\"a\":[{\"b\":[{}]}]}", "1:13: a[0].b[0]: nested too deeply for a sample: 4 levels are possible"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonDocument) document = parse(cases[i].text, -1, &error);
    if (!document && g_error_matches(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_INVALID) &&
        strcmp(error->message, cases[i].message) == 0)
      continue;
    g_printerr("%s\n  %s\n  %s\n", cases[i].text, cases[i].message, error ? error->message : "accepted");
    g_test_fail();
  }
}

static void test_nul(void) {
  static const char *const texts[] = {"\0", "1\0", "\"a\0b\"", "{}\0"};
  static const gsize sizes[] = {1, 2, 5, 3};

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(parse(texts[i], (gssize)sizes[i], &error));
    g_assert_nonnull(strstr(error->message, "a NUL is not part of JSON"));
  }
}

static void test_empty(void) {
  static const char *const texts[] = {"", " ", "\n\n"};

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(parse(texts[i], -1, &error));
    g_assert_error(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_EMPTY);
  }
}

/* Cut off anywhere, a document is none, and nothing is read beyond. */
static void test_cut(void) {
  static const char text[] = "{\"a\": [1, -2.5e+3, true, null, \"\\u00e4\\ud83d\\ude00 \u00e4\"], \"b\": {\"c\": false}}";

  for (gsize size = 0; size < strlen(text); size++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(parse(text, (gssize)size, &error));
    g_assert_nonnull(error);
  }
  g_autoptr(JsonDocument) whole = parse(text, -1, NULL);
  g_assert_nonnull(whole);
}

/* Whatever it reads it says the same of when it is written and read again; whatever it does not read it says why. */
static void test_mutated(void) {
  static const char text[] =
      "{\"a\": [1, -2.5e+3, true, null, \"\\u00e4\\ud83d\\ude00 \u00e4\"], \"b\": {\"c\": false, \"\": []}, \"d\": 18}";
  static const char bytes[] = "{}[]\",:\\u0019dDeE.+-/ \n\t'#tfnx\xc3\xa4\xff";

  for (unsigned round = 0; round < 20000; round++) {
    g_autofree char *mutated = g_strdup(text);
    for (int n = g_test_rand_int_range(1, 4); n > 0; n--)
      mutated[g_test_rand_int_range(0, (gint32)strlen(text))] = bytes[g_test_rand_int_range(0, sizeof bytes - 1)];
    g_autoptr(GError) error = NULL;
    g_autoptr(JsonDocument) document = parse(mutated, -1, &error);
    g_assert_true((document == NULL) == (error != NULL));
    if (!document)
      continue;
    g_autofree char *printed = json_print(json_document_root(document));
    g_autoptr(JsonDocument) again = parse(printed, -1, &error);
    g_assert_no_error(error);
    g_assert_true(json_node_equal(json_document_root(document), json_document_root(again)));
  }
}

static void test_lines(void) {
  g_autoptr(JsonDocument) document = parse("\n{ \"a\":\n\n1, \"b\"\n: [\n2,\n\n3] }", -1, NULL);
  JsonObject *object = json_node_get_object(json_document_root(document));
  JsonArray *array = json_object_get_array_member(object, "b");

  g_assert_cmpuint(json_document_line(document, json_document_root(document)), ==, 2);
  g_assert_cmpuint(json_document_line(document, json_object_get_member(object, "a")), ==, 2);
  g_assert_cmpuint(json_document_line(document, json_object_get_member(object, "b")), ==, 4);
  g_assert_cmpuint(json_document_line(document, json_array_get_element(array, 0)), ==, 6);
  g_assert_cmpuint(json_document_line(document, json_array_get_element(array, 1)), ==, 8);
}

static void test_files(void) {
  g_autofree char *path = NULL, *large = g_strnfill((1u << 20) + 1, ' ');
  g_autoptr(GError) error = NULL;

  g_close(g_file_open_tmp("eret-json-XXXXXX", &path, NULL), NULL);
  large[0] = '1';
  g_assert_true(g_file_set_contents(path, large, 1u << 20, NULL));
  g_autoptr(JsonDocument) fits = json_document_read(path, &limits, &error);
  g_assert_no_error(error);
  g_assert_cmpint(json_node_get_int(json_document_root(fits)), ==, 1);
  g_assert_true(g_file_set_contents(path, large, (1u << 20) + 1, NULL));
  g_assert_null(json_document_read(path, &limits, &error));
  g_assert_error(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_FILE);
  g_assert_cmpstr(error->message, ==, "larger than 1 MiB: this is no sample");
  g_clear_error(&error);
  g_assert_null(json_document_read("/dev/zero", &limits, &error));
  g_assert_error(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_FILE);
  g_clear_error(&error);
  g_unlink(path);
  g_assert_null(json_document_read(path, &limits, &error));
  g_assert_cmpstr(error->message, ==, "No such file or directory");
  g_clear_error(&error);
  g_assert_null(json_document_read("/", &limits, &error));
  g_assert_cmpstr(error->message, ==, "Is a directory");
}

/* What we write we read. */
static void test_numbers_written(void) {
  static const struct {
    double number;
    const char *text;
  } cases[] = {
      {6.1, "6.1\n"},
      {0.1 + 0.2, "0.30000000000000004\n"},
      {1.0 / 3, "0.3333333333333333\n"},
      {2, "2.0\n"},
      {-0.5, "-0.5\n"},
      {12.345678901, "12.345678901\n"},
      {1e300, "1e+300\n"},
      {5e-324, "5e-324\n"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(JsonNode) node = json_node_init_double(json_node_alloc(), cases[i].number);
    g_autofree char *text = json_print(node);
    g_autoptr(JsonDocument) document = parse(text, -1, NULL);
    if (i < 7)
      g_assert_cmpstr(text, ==, cases[i].text);
    g_assert_true(json_node_get_double(json_document_root(document)) == cases[i].number);
  }
  g_autoptr(JsonNode) infinite = json_node_init_double(json_node_alloc(), G_MAXDOUBLE * 2);
  g_autofree char *null = json_print(infinite);
  g_assert_cmpstr(null, ==, "null\n");
}

static void test_tree_written(void) {
  static const char text[] = "{\n  \"a\" : [\n    1,\n    {\n      \"b\" : \"\\u001b\\\"\\n\"\n    },\n    []\n  ],\n  \"c\" : {}\n}\n";
  g_autoptr(JsonDocument) document = parse(text, -1, NULL);
  g_autofree char *again = json_print(json_document_root(document));

  g_assert_cmpstr(again, ==, text);
}

/* In memory a value takes more than in its text, and an object much more: so their number is bounded. */
static void test_many(void) {
  static const struct {
    const char *value;
    unsigned weight;
  } cases[] = {{"1", 1}, {"\"\"", 1}, {"[]", 4}, {"{}", 4}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
    for (unsigned many = 0; many < 2; many++) {
      g_autoptr(GString) text = g_string_new("[");
      g_autoptr(GError) error = NULL;
      unsigned n = many ? (1u << 17) / cases[i].weight + 1 : (1u << 17) / cases[i].weight - 4;
      for (unsigned k = 0; k < n; k++)
        g_string_append_printf(text, "%s%s", k ? "," : "", cases[i].value);
      g_string_append_c(text, ']');
      g_autoptr(JsonDocument) document = json_document_parse(text->str, text->len, &limits, &error);
      g_assert_cmpint(document == NULL, ==, many == 1);
      if (many)
        g_assert_true(g_str_has_suffix(error->message, ": more values than a sample can have"));
    }
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/json/accepted", test_accepted);
  g_test_add_func("/json/refused", test_refused);
  g_test_add_func("/json/nul", test_nul);
  g_test_add_func("/json/empty", test_empty);
  g_test_add_func("/json/cut", test_cut);
  g_test_add_func("/json/mutated", test_mutated);
  g_test_add_func("/json/lines", test_lines);
  g_test_add_func("/json/files", test_files);
  g_test_add_func("/json/many", test_many);
  g_test_add_func("/json/written/numbers", test_numbers_written);
  g_test_add_func("/json/written/tree", test_tree_written);
  return g_test_run();
}
