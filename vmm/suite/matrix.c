/* SPDX-License-Identifier: Apache-2.0 */
/* A cell is a number: each axis takes its choice from it by its place, like the digits of a clock. */
#include "vmm/suite/matrix.h"

#include <string.h>

#include "vmm/suite/suite-keys.h"

#define CELLS_MAX 100000

typedef struct {
  const SuiteKey *key;
  const char *key_name, *name; /* as in MatrixChoice */
  GPtrArray *values, *labels;  /* of char *, as many */
} Axis;

static void free_axis(gpointer data) {
  Axis *axis = data;
  g_ptr_array_unref(axis->values);
  g_ptr_array_unref(axis->labels);
  g_free(axis);
}

static void free_cell(gpointer data) {
  MatrixCell *cell = data;
  g_free(cell->name);
  g_array_unref(cell->choices);
  g_free(cell);
}

void matrix_free(Matrix *matrix) {
  if (!matrix)
    return;
  g_ptr_array_unref(matrix->cells);
  g_ptr_array_unref(matrix->axes);
  g_free(matrix);
}

/* Labels. */

static char *clean_label(const char *text) {
  char *label = g_strdup(*text ? text : "none");

  for (char *next = label; *next; next++)
    if (!g_ascii_isalnum(*next) && !strchr("._+:@-", *next))
      *next = '_';
  return label;
}

static void free_parts(gpointer data) {
  g_strfreev(data);
}

/* Each of VALUES in its parts, of type GStrv; NULL: they are no paths with the same number of parts. */
static GPtrArray *split_paths(const GPtrArray *values) {
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(free_parts);

  for (unsigned i = 0; i < values->len; i++) {
    GStrv parts = g_strsplit(g_ptr_array_index(values, i), "/", -1);
    g_ptr_array_add(all, parts);
    if (!parts[0] || !parts[1] || g_strv_length(parts) != g_strv_length(g_ptr_array_index(all, 0)))
      return NULL;
  }
  return values->len > 1 ? g_steal_pointer(&all) : NULL;
}

/* Whether PATHS have other things in PART than the first of them. */
static bool differs(const GPtrArray *paths, unsigned part) {
  for (unsigned i = 1; i < paths->len; i++)
    if (strcmp(((GStrv)g_ptr_array_index(paths, i))[part], ((GStrv)g_ptr_array_index(paths, 0))[part]) != 0)
      return true;
  return false;
}

/* Of PATHS only the parts in which they differ: "6.12" of "../kernels/6.12/Image", for each. */
static GPtrArray *distinct_parts(const GPtrArray *paths) {
  GPtrArray *labels = g_ptr_array_new_with_free_func(g_free);
  unsigned n = g_strv_length(g_ptr_array_index(paths, 0));
  g_autofree bool *wanted = g_new(bool, n);

  for (unsigned part = 0; part < n; part++)
    wanted[part] = differs(paths, part);
  for (unsigned i = 0; i < paths->len; i++) {
    GString *label = g_string_new(NULL);
    for (unsigned part = 0; part < n; part++)
      if (wanted[part])
        g_string_append_printf(label, "%s%s", label->len ? "-" : "", ((GStrv)g_ptr_array_index(paths, i))[part]);
    g_ptr_array_add(labels, g_string_free(label, FALSE));
  }
  return labels;
}

static void make_labels(Axis *axis) {
  g_autoptr(GPtrArray) paths = split_paths(axis->values);
  g_autoptr(GPtrArray) parts = paths ? distinct_parts(paths) : NULL;

  for (unsigned i = 0; i < axis->values->len; i++) {
    const char *own = parts ? g_ptr_array_index(parts, i) : "";
    const char *value = g_ptr_array_index(axis->values, i);
    const char *base = strrchr(value, '/');
    g_ptr_array_add(axis->labels, clean_label(*own ? own : base && base[1] ? base + 1 : value));
  }
}

static bool has_twins(const GPtrArray *labels) {
  g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

  for (unsigned i = 0; i < labels->len; i++)
    if (!g_hash_table_add(seen, g_ptr_array_index(labels, i)))
      return true;
  return false;
}

/* The axes. */

static void take_labels(Axis *axis, const SuiteFile *file, const SuiteSection *section, SuiteMistakes *mistakes) {
  g_autofree char *name = g_strconcat("label.", axis->key_name, NULL);
  const SuiteKey *key = suite_section_find(section, name);

  if (!key) {
    make_labels(axis);
    if (has_twins(axis->labels))
      suite_mistake(mistakes, file->path, axis->key->line, "%s: these have no names that tell them apart; give them some with %s",
                    axis->key->name, name);
    return;
  }
  g_autoptr(GPtrArray) labels = suite_split(key->value);
  if (labels->len != axis->values->len)
    suite_mistake(mistakes, file->path, key->line, "%s: there are %u names for %u values", name, labels->len, axis->values->len);
  for (unsigned i = 0; i < axis->values->len; i++)
    g_ptr_array_add(axis->labels, clean_label(i < labels->len ? g_ptr_array_index(labels, i) : ""));
  if (labels->len == axis->values->len && has_twins(axis->labels))
    suite_mistake(mistakes, file->path, key->line, "%s: two of the names are the same", name);
}

static void add_axis(Matrix *matrix, const SuiteFile *file, const SuiteSection *section, const SuiteKey *key, SuiteMistakes *mistakes) {
  const SuiteKeyRule *rule = suite_key_rule(key->name);
  const char *name = suite_key_of(key->name, "matrix.");
  const char *variable = suite_key_of(name, SUITE_VARIABLE);

  if (!rule)
    return; /* told elsewhere */
  if (!suite_key_is_single(rule)) {
    suite_mistake(mistakes, file->path, key->line, "%s: a list cannot be crossed", key->name);
    return;
  }
  if (suite_section_find(section, name))
    suite_mistake(mistakes, file->path, key->line, "%s: there is also %s; which is meant?", key->name, name);
  Axis *axis = g_new0(Axis, 1);
  axis->key = key;
  axis->key_name = name;
  axis->name = variable ? variable : name;
  axis->values = suite_split_raw(key->value);
  axis->labels = g_ptr_array_new_with_free_func(g_free);
  take_labels(axis, file, section, mistakes);
  g_ptr_array_add(matrix->axes, axis);
  if (axis->values->len == 0)
    suite_mistake(mistakes, file->path, key->line, "%s: there is nothing in this list", key->name);
}

/* `exclude`: combinations of labels, "kernel=6.1,console=virtio". */

static const char *label_of(const MatrixCell *cell, const char *name) {
  for (unsigned i = 0; i < cell->choices->len; i++) {
    const MatrixChoice *choice = &g_array_index(cell->choices, MatrixChoice, i);
    if (strcmp(choice->name, name) == 0)
      return choice->label;
  }
  return NULL;
}

typedef struct {
  GStrv names, labels; /* as many */
} Combination;

/* "kernel=6.1,console=virtio"; something that is none of it leaves out nothing. */
static void combination_init(Combination *combination, const char *text) {
  g_autoptr(GStrvBuilder) names = g_strv_builder_new(), labels = g_strv_builder_new();
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);

  for (unsigned i = 0; parts[i]; i++) {
    char *equals = strchr(parts[i], '=');
    if (equals)
      *equals = 0;
    g_strv_builder_add(names, g_strstrip(parts[i]));
    g_strv_builder_add(labels, equals ? g_strstrip(equals + 1) : "");
  }
  *combination = (Combination){g_strv_builder_end(names), g_strv_builder_end(labels)};
}

static void combination_clear(Combination *combination) {
  g_strfreev(combination->names);
  g_strfreev(combination->labels);
}

static bool matches(const MatrixCell *cell, const Combination *combination) {
  for (unsigned i = 0; combination->names[i]; i++)
    if (g_strcmp0(label_of(cell, combination->names[i]), combination->labels[i]) != 0)
      return false;
  return true;
}

/* Takes away the cells that are COMBINATION. False: there is none. */
static bool drop_cells(Matrix *matrix, const Combination *combination) {
  GPtrArray *kept = g_ptr_array_new_with_free_func(free_cell);
  unsigned before = matrix->cells->len;

  g_ptr_array_set_free_func(matrix->cells, NULL);
  for (unsigned i = 0; i < before; i++) {
    MatrixCell *cell = g_ptr_array_index(matrix->cells, i);
    if (matches(cell, combination))
      free_cell(cell);
    else
      g_ptr_array_add(kept, cell);
  }
  g_ptr_array_unref(matrix->cells);
  matrix->cells = kept;
  return kept->len < before;
}

static void exclude(Matrix *matrix, const SuiteFile *file, const SuiteSection *section, SuiteMistakes *mistakes) {
  const SuiteKey *key = suite_section_find(section, "exclude");
  g_autoptr(GPtrArray) combinations = key ? suite_split(key->value) : NULL;
  bool had_cells = matrix->cells->len > 0;

  for (unsigned i = 0; combinations && i < combinations->len; i++) {
    const char *text = g_ptr_array_index(combinations, i);
    Combination combination;
    combination_init(&combination, text);
    if (!drop_cells(matrix, &combination))
      suite_mistake(mistakes, file->path, key->line, "exclude: no case of the matrix is %s", text);
    combination_clear(&combination);
  }
  if (had_cells && matrix->cells->len == 0)
    suite_mistake(mistakes, file->path, key->line, "exclude: it leaves no case of [%s]", section->name);
}

static MatrixCell *make_cell(const Matrix *matrix, unsigned number) {
  MatrixCell *cell = g_new0(MatrixCell, 1);
  GString *name = g_string_new(NULL);
  unsigned n = 1;

  cell->choices = g_array_new(FALSE, FALSE, sizeof(MatrixChoice));
  for (unsigned i = 0; i < matrix->axes->len; i++)
    n *= ((const Axis *)g_ptr_array_index(matrix->axes, i))->values->len;
  for (unsigned i = 0; i < matrix->axes->len; i++) {
    const Axis *axis = g_ptr_array_index(matrix->axes, i);
    n /= axis->values->len;
    unsigned index = number / n % axis->values->len;
    const MatrixChoice choice = {axis->key, axis->key_name, axis->name, g_ptr_array_index(axis->values, index),
                                 g_ptr_array_index(axis->labels, index)};
    g_array_append_val(cell->choices, choice);
    g_string_append_printf(name, "%s%s=%s", name->len ? "," : "[", choice.name, choice.label);
  }
  if (name->len)
    g_string_append_c(name, ']');
  cell->name = g_string_free(name, FALSE);
  return cell;
}

Matrix *matrix_new(const SuiteFile *file, const SuiteSection *section, SuiteMistakes *mistakes) {
  Matrix *matrix = g_new0(Matrix, 1);
  uint64_t n = 1;

  matrix->axes = g_ptr_array_new_with_free_func(free_axis);
  matrix->cells = g_ptr_array_new_with_free_func(free_cell);
  for (unsigned i = 0; i < section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(section->keys, i);
    if (suite_key_of(key->name, "matrix."))
      add_axis(matrix, file, section, key, mistakes);
  }
  for (unsigned i = 0; i < matrix->axes->len; i++)
    n = MIN(n * ((const Axis *)g_ptr_array_index(matrix->axes, i))->values->len, CELLS_MAX + 1);
  if (n > CELLS_MAX) {
    suite_mistake(mistakes, file->path, section->line, "[%s] makes more than %u cases", section->name, CELLS_MAX);
    return matrix;
  }
  for (unsigned i = 0; i < n; i++)
    g_ptr_array_add(matrix->cells, make_cell(matrix, i));
  exclude(matrix, file, section, mistakes);
  return matrix;
}
