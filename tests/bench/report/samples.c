/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a run has seen. */
#include "tests/bench/report/samples.h"

#include <math.h>

#define KEY_SEPARATOR "\t"

struct Samples {
  GHashTable *values;  /* "FIGURE\tSUBJECT" -> GArray of double */
  GHashTable *reasons; /* "FIGURE\tSUBJECT" -> text */
  GHashTable *info;    /* KEY -> text */
  GArray *details;     /* of Detail; strings are in `strings` */
  GStringChunk *strings;
};

static char *key_of(const char *figure, const char *subject) {
  return g_strconcat(figure, KEY_SEPARATOR, subject, NULL);
}

static bool parse_value(const char *text, double *value) {
  char *end;

  *value = g_ascii_strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*value);
}

static bool add_sample(Samples *samples, char **words) {
  double value;

  if (!parse_value(words[3], &value))
    return false;
  g_autofree char *key = key_of(words[1], words[2]);
  GArray *values = g_hash_table_lookup(samples->values, key);
  if (!values) {
    values = g_array_new(FALSE, FALSE, sizeof(double));
    g_hash_table_insert(samples->values, g_steal_pointer(&key), values);
  }
  g_array_append_val(values, value);
  return true;
}

static bool add_detail(Samples *samples, char **words) {
  Detail detail;

  if (!parse_value(words[4], &detail.value))
    return false;
  detail.figure = g_string_chunk_insert_const(samples->strings, words[1]);
  detail.subject = g_string_chunk_insert_const(samples->strings, words[2]);
  detail.name = g_string_chunk_insert_const(samples->strings, words[3]);
  g_array_append_val(samples->details, detail);
  return true;
}

static bool add_reason(Samples *samples, char **words) {
  g_hash_table_replace(samples->reasons, key_of(words[1], words[2]), g_strdup(words[3]));
  return true;
}

static bool add_info(Samples *samples, char **words) {
  g_hash_table_replace(samples->info, g_strdup(words[1]), g_strdup(words[2]));
  return true;
}

static const struct {
  const char *name;
  guint n_words;
  bool (*add)(Samples *samples, char **words);
} kinds[] = {
    {"sample", 4, add_sample},
    {"detail", 5, add_detail},
    {"none", 4, add_reason},
    {"info", 3, add_info},
};

static bool parse_line(Samples *samples, const char *line) {
  g_auto(GStrv) words = g_strsplit(line, "\t", 0);
  guint n = g_strv_length(words);

  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
    if (n > 0 && g_str_equal(words[0], kinds[i].name))
      return n == kinds[i].n_words && kinds[i].add(samples, words);
  return true;
}

Samples *samples_parse(const char *text, GError **error) {
  g_autoptr(Samples) samples = g_new0(Samples, 1);
  g_auto(GStrv) lines = g_strsplit(text, "\n", 0);

  samples->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
  samples->reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  samples->info = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  samples->details = g_array_new(FALSE, FALSE, sizeof(Detail));
  samples->strings = g_string_chunk_new(1024);
  for (guint i = 0; lines[i]; i++) {
    if (parse_line(samples, lines[i]))
      continue;
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "line %u cannot be understood: %s", i + 1, lines[i]);
    return NULL;
  }
  return g_steal_pointer(&samples);
}

void samples_free(Samples *samples) {
  if (!samples)
    return;
  g_hash_table_unref(samples->values);
  g_hash_table_unref(samples->reasons);
  g_hash_table_unref(samples->info);
  g_array_unref(samples->details);
  g_string_chunk_free(samples->strings);
  g_free(samples);
}

const GArray *samples_values(const Samples *samples, const char *figure, const char *subject) {
  g_autofree char *key = key_of(figure, subject);
  return g_hash_table_lookup(samples->values, key);
}

const char *samples_reason(const Samples *samples, const char *figure, const char *subject) {
  g_autofree char *key = key_of(figure, subject);
  return g_hash_table_lookup(samples->reasons, key);
}

const char *samples_info(const Samples *samples, const char *key) {
  return g_hash_table_lookup(samples->info, key);
}

GList *samples_info_keys(const Samples *samples) {
  return g_list_sort(g_hash_table_get_keys(samples->info), (GCompareFunc)g_strcmp0);
}

const GArray *samples_details(const Samples *samples) {
  return samples->details;
}
