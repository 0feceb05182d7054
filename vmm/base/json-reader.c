/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recursive reader, a function a rule of RFC 8259's grammar. Each returns false, or NULL, when it has set the error.
 * Texts of the file that go into messages are cut, and made printable.
 */
#include "vmm/base/json-reader.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/base/whole-file.h"

#define TOKEN_MAX     40 /* of a word or number in a message */
#define KEY_SHOWN_MAX 60

/*
 * What is read takes some 60 bytes a value, and an array or object some hundreds: "[{},{},{}" is not to become a
 * hundred times as large. In the documents that there are a value takes more than so many bytes of text.
 */
#define BYTES_A_VALUE    8
#define CONTAINER_WEIGHT 4 /* as many values */

G_DEFINE_QUARK(eret_json_document_error, json_document_error)

struct JsonDocument {
  JsonNode *root;
  GHashTable *lines; /* node -> line */
};

typedef struct {
  const char *start, *at, *end;
  const JsonLimits *limits;
  GHashTable *lines;
  GString *path;        /* "disk[1].file" */
  unsigned depth, line; /* line: of AT; between tokens only can one end */
  size_t weight;        /* of the values so far */
  GError **error;
} Reader;

static JsonNode *read_value(Reader *reader);

/* Messages. */

static void append_shown(GString *out, const char *text, gsize size) {
  g_autofree char *shown = printable_line_escaped(text, (gssize)MIN(size, KEY_SHOWN_MAX));

  g_string_append(out, shown);
  g_string_append(out, size > KEY_SHOWN_MAX ? "..." : "");
}

/* Characters, from 1. */
static unsigned column_at(const Reader *reader, const char *at) {
  unsigned column = 1;

  for (const char *c = at; c > reader->start && c[-1] != '\n'; c--)
    column += (c[-1] & 0xc0) != 0x80;
  return column;
}

static bool G_GNUC_PRINTF(3, 4) fail(Reader *reader, const char *at, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *what = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error(reader->error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_INVALID, "%u:%u: %s%s%s", reader->line, column_at(reader, at),
              reader->path->str, reader->path->len ? ": " : "", what);
  return false;
}

/* What stands at AT, up to what could not belong to it. Free with g_free. */
static char *token_at(const Reader *reader, const char *at) {
  GString *token = g_string_new(NULL);
  gsize size = 0;

  while (at + size < reader->end && size <= TOKEN_MAX && (g_ascii_isalnum(at[size]) || strchr("+-._", at[size] ? at[size] : ' ')))
    size++;
  if (size)
    append_shown(token, at, MIN(size, TOKEN_MAX));
  else if (at < reader->end)
    append_shown(token, at, MIN((gsize)(reader->end - at), (gsize)g_utf8_skip[(guchar)*at]));
  return g_string_free(token, FALSE);
}

static bool fail_unexpected(Reader *reader, const char *wanted) {
  g_autofree char *token = token_at(reader, reader->at);

  if (reader->at == reader->end)
    return fail(reader, reader->at, "the text ends where %s is wanted", wanted);
  if (strchr("/#'", *reader->at))
    return fail(reader, reader->at, "comments and single quotes are not part of JSON");
  return fail(reader, reader->at, "%s is wanted, not '%s'", wanted, token);
}

/* White space, and single characters. */

static void skip_space(Reader *reader) {
  for (; reader->at < reader->end && *reader->at && strchr(" \t\r\n", *reader->at); reader->at++)
    reader->line += *reader->at == '\n';
}

static bool next_is(const Reader *reader, char c) {
  return reader->at < reader->end && *reader->at == c;
}

static bool take(Reader *reader, char c) {
  if (!next_is(reader, c))
    return false;
  reader->at++;
  skip_space(reader);
  return true;
}

/* Strings. */

/* Four hexadecimal digits; -1: they are none. */
static int hex4(const Reader *reader, const char *at) {
  int value = 0;

  if (reader->end - at < 4)
    return -1;
  for (unsigned i = 0; i < 4; i++) {
    if (!g_ascii_isxdigit(at[i]))
      return -1;
    value = value * 16 + g_ascii_xdigit_value(at[i]);
  }
  return value;
}

/* "\uXXXX" at AT, or two of them that are one character. */
static bool read_unicode_escape(Reader *reader, GString *out) {
  const char *at = reader->at;
  int first = hex4(reader, at + 2), second = -1;

  if (first < 0)
    return fail(reader, at, "\\u is followed by four hexadecimal digits");
  if (first == 0)
    return fail(reader, at, "\\u0000: a text cannot hold a NUL");
  reader->at += 6;
  if (first < 0xd800 || first > 0xdfff) {
    g_string_append_unichar(out, (gunichar)first);
    return true;
  }
  if (first < 0xdc00 && reader->end - reader->at >= 6 && reader->at[0] == '\\' && reader->at[1] == 'u')
    second = hex4(reader, reader->at + 2);
  if (second < 0xdc00 || second > 0xdfff)
    return fail(reader, at, "\\u%04x is half a character, and the other half is not there", (unsigned)first);
  reader->at += 6;
  g_string_append_unichar(out, 0x10000 + ((gunichar)(first - 0xd800) << 10) + (gunichar)(second - 0xdc00));
  return true;
}

static bool read_escape(Reader *reader, GString *out) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  char name = reader->end - reader->at > 1 ? reader->at[1] : 0;
  const char *found = name ? strchr(names, name) : NULL;

  if (name == 'u')
    return read_unicode_escape(reader, out);
  if (!found)
    return fail(reader, reader->at, "\\%c is no escape of JSON", g_ascii_isgraph(name) ? name : ' ');
  g_string_append_c(out, values[found - names]);
  reader->at += 2;
  return true;
}

/* The text behind the quote at AT. Free with g_free. */
static char *read_string(Reader *reader) {
  g_autoptr(GString) out = g_string_new(NULL);
  const char *quote = reader->at++;

  while (reader->at < reader->end && *reader->at != '"') {
    unsigned char c = (unsigned char)*reader->at;
    if (c == '\\') {
      if (!read_escape(reader, out))
        return NULL;
    } else if (c < 0x20) {
      fail(reader, reader->at, "a control character (0x%02x) in a text: it is written \\u%04x%s", c, c,
           c == '\n' ? ", or the text lacks its end" : "");
      return NULL;
    } else {
      g_string_append_c(out, *reader->at++);
    }
  }
  if (reader->at == reader->end) {
    fail(reader, quote, "this text has no end");
    return NULL;
  }
  take(reader, '"');
  return g_strdup(out->str);
}

/* Numbers and words. */

static gsize count_digits(const char *at) {
  gsize n = 0;

  while (g_ascii_isdigit(at[n]))
    n++;
  return n;
}

/*
 * Whether TEXT is a number as RFC 8259, section 6, has it. -0 is not WHOLE: no integer keeps its sign.
 */
static bool is_number(const char *text, bool *whole) {
  bool minus = *text == '-';
  text += minus;
  gsize digits = count_digits(text);

  if (digits == 0 || (digits > 1 && *text == '0'))
    return false;
  *whole = !text[digits] && !(minus && *text == '0');
  text += digits;
  if (*text == '.') {
    digits = count_digits(++text);
    if (digits == 0)
      return false;
    text += digits;
  }
  if (*text == 'e' || *text == 'E') {
    text++;
    text += *text == '+' || *text == '-';
    digits = count_digits(text);
    if (digits == 0)
      return false;
    text += digits;
  }
  return !*text;
}

static JsonNode *read_number(Reader *reader) {
  const char *at = reader->at;
  gsize size = 0;
  bool whole;

  while (at + size < reader->end && (g_ascii_isalnum(at[size]) || (at[size] && strchr("+-.", at[size]))))
    size++;
  g_autofree char *text = g_strndup(at, size), *token = token_at(reader, at);
  if (!is_number(text, &whole)) {
    fail(reader, at, "'%s%s' is no number of JSON", token, size > TOKEN_MAX ? "..." : "");
    return NULL;
  }
  errno = 0;
  gint64 integer = whole ? g_ascii_strtoll(text, NULL, 10) : 0;
  bool fits = errno == 0;
  double number = whole ? 0 : g_ascii_strtod(text, NULL);
  if (!fits || isinf(number)) {
    fail(reader, at, "%s%s is out of range%s", token, size > TOKEN_MAX ? "..." : "",
         whole ? ": whole numbers go from -9223372036854775808 to 9223372036854775807" : "");
    return NULL;
  }
  reader->at += size;
  skip_space(reader);
  return whole ? json_node_init_int(json_node_alloc(), integer) : json_node_init_double(json_node_alloc(), number);
}

static JsonNode *read_word(Reader *reader) {
  static const char *const words[] = {"true", "false", "null"};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    gsize size = strlen(words[i]);
    if ((gsize)(reader->end - reader->at) < size || memcmp(reader->at, words[i], size) != 0 ||
        (reader->at + size < reader->end && (g_ascii_isalnum(reader->at[size]) || reader->at[size] == '_')))
      continue;
    reader->at += size;
    skip_space(reader);
    return i == 2 ? json_node_init_null(json_node_alloc()) : json_node_init_boolean(json_node_alloc(), i == 0);
  }
  fail_unexpected(reader, "a value");
  return NULL;
}

/* Arrays and objects. */

static bool enter(Reader *reader) {
  if (++reader->depth > reader->limits->depth_max)
    return fail(reader, reader->at, "nested too deeply for a %s: %u levels are possible", reader->limits->what, reader->limits->depth_max);
  return true;
}

static void note_line(Reader *reader, JsonNode *node, unsigned line) {
  g_hash_table_insert(reader->lines, node, GUINT_TO_POINTER(line));
}

static bool read_element(Reader *reader, void *container) {
  JsonArray *array = container;
  gsize before = reader->path->len;
  unsigned line = reader->line;

  g_string_append_printf(reader->path, "[%u]", json_array_get_length(array));
  JsonNode *node = read_value(reader);
  if (!node)
    return false;
  g_string_truncate(reader->path, before);
  note_line(reader, node, line);
  json_array_add_element(array, node);
  return true;
}

static bool read_member(Reader *reader, void *container) {
  JsonObject *object = container;
  gsize before = reader->path->len;
  const char *at = reader->at;
  unsigned line = reader->line;

  if (!next_is(reader, '"'))
    return fail_unexpected(reader, "a key in double quotes");
  g_autofree char *key = read_string(reader);
  if (!key)
    return false;
  g_string_append(reader->path, before ? "." : "");
  append_shown(reader->path, key, strlen(key));
  JsonNode *earlier = json_object_get_member(object, key);
  if (earlier)
    return fail(reader, at, "given twice, first in line %u", GPOINTER_TO_UINT(g_hash_table_lookup(reader->lines, earlier)));
  if (!take(reader, ':'))
    return fail_unexpected(reader, "a colon");
  JsonNode *node = read_value(reader);
  if (!node)
    return false;
  g_string_truncate(reader->path, before);
  note_line(reader, node, line);
  json_object_set_member(object, key, node);
  return true;
}

/* What stands between the brackets: READ for each, and commas. */
static bool read_list(Reader *reader, char last, void *container, bool (*read)(Reader *reader, void *container)) {
  const char *wanted = last == ']' ? "a comma or ]" : "a comma or }";

  if (!enter(reader))
    return false;
  reader->at++;
  skip_space(reader);
  if (!take(reader, last)) {
    do {
      if (!read(reader, container))
        return false;
    } while (take(reader, ','));
    if (!take(reader, last))
      return fail_unexpected(reader, wanted);
  }
  reader->depth--;
  return true;
}

static JsonNode *read_array(Reader *reader) {
  g_autoptr(JsonArray) array = json_array_new();

  return read_list(reader, ']', array, read_element) ? json_node_init_array(json_node_alloc(), array) : NULL;
}

static JsonNode *read_object(Reader *reader) {
  g_autoptr(JsonObject) object = json_object_new();

  return read_list(reader, '}', object, read_member) ? json_node_init_object(json_node_alloc(), object) : NULL;
}

static JsonNode *read_text(Reader *reader) {
  g_autofree char *text = read_string(reader);

  return text ? json_node_init_string(json_node_alloc(), text) : NULL;
}

static bool weigh(Reader *reader, char first) {
  reader->weight += first == '{' || first == '[' ? CONTAINER_WEIGHT : 1;
  return reader->weight <= reader->limits->size_max / BYTES_A_VALUE ||
         fail(reader, reader->at, "more values than a %s can have", reader->limits->what);
}

static JsonNode *read_value(Reader *reader) {
  char c = reader->at < reader->end ? *reader->at : 0;

  if (!weigh(reader, c))
    return NULL;
  if (c == '{')
    return read_object(reader);
  if (c == '[')
    return read_array(reader);
  if (c == '"')
    return read_text(reader);
  return c && (g_ascii_isdigit(c) || strchr("-+.", c)) ? read_number(reader) : read_word(reader);
}

/* Documents. */

static JsonNode *read_document(Reader *reader) {
  const char *invalid;

  if (!g_utf8_validate_len(reader->start, (gsize)(reader->end - reader->start), &invalid)) {
    for (const char *c = reader->start; (c = memchr(c, '\n', (size_t)(invalid - c))); c++)
      reader->line++;
    fail(reader, invalid, *invalid ? "this is not UTF-8" : "a NUL is not part of JSON");
    return NULL;
  }
  if (reader->end - reader->start >= 3 && memcmp(reader->start, "\xef\xbb\xbf", 3) == 0) {
    fail(reader, reader->start, "a byte order mark is not part of JSON");
    return NULL;
  }
  skip_space(reader);
  if (reader->at == reader->end) {
    g_set_error(reader->error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_EMPTY, "there is nothing in it");
    return NULL;
  }
  unsigned line = reader->line;
  g_autoptr(JsonNode) root = read_value(reader);
  if (!root)
    return NULL;
  if (reader->at < reader->end) {
    g_autofree char *token = token_at(reader, reader->at);
    fail(reader, reader->at, "the document ends here, and '%s' follows", token);
    return NULL;
  }
  note_line(reader, root, line);
  return g_steal_pointer(&root);
}

JsonDocument *json_document_parse(const char *text, size_t size, const JsonLimits *limits, GError **error) {
  g_autoptr(JsonDocument) document = g_new0(JsonDocument, 1);
  g_autoptr(GString) path = g_string_new(NULL);

  document->lines = g_hash_table_new(NULL, NULL);
  Reader reader = {
      .line = 1,
      .start = text,
      .at = text,
      .end = text + size,
      .limits = limits,
      .lines = document->lines,
      .path = path,
      .error = error,
  };
  document->root = read_document(&reader);
  return document->root ? g_steal_pointer(&document) : NULL;
}

JsonDocument *json_document_read(const char *path, const JsonLimits *limits, GError **error) {
  g_autoptr(GError) why = NULL;
  gsize size;
  g_autofree char *text = whole_file_read(path, limits->size_max, limits->what, &size, &why);

  if (text)
    return json_document_parse(text, size, limits, error);
  g_set_error_literal(error, JSON_DOCUMENT_ERROR, JSON_DOCUMENT_ERROR_FILE, why->message);
  return NULL;
}

void json_document_free(JsonDocument *document) {
  if (!document)
    return;
  g_clear_pointer(&document->root, json_node_unref);
  g_hash_table_unref(document->lines);
  g_free(document);
}

JsonNode *json_document_root(const JsonDocument *document) {
  return document->root;
}

unsigned json_document_line(const JsonDocument *document, JsonNode *node) {
  return GPOINTER_TO_UINT(g_hash_table_lookup(document->lines, node));
}
