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

/* Of paths with the same number of parts only those in which they differ: "6.12" of "../kernels/6.12/Image". NULL: they are no such paths. */
static char *distinct_parts(const GPtrArray *values, unsigned index) {
  g_auto(GStrv) mine = g_strsplit(g_ptr_array_index(values, index), "/", -1);
  GString *label = g_string_new(NULL);

  for (unsigned part = 0; mine[part]; part++) {
    bool differs = false;
    for (unsigned i = 0; i < values->len; i++) {
      g_auto(GStrv) other = g_strsplit(g_ptr_array_index(values, i), "/", -1);
      if (g_strv_length(other) != g_strv_length(mine) || !mine[1]) {
        g_string_free(label, TRUE);
        return NULL;
      }
      differs |= strcmp(other[part], mine[part]) != 0;
    }
    if (differs)
      g_string_append_printf(label, "%s%s", label->len ? "-" : "", mine[part]);
  }
  return g_string_free(label, FALSE);
}

static void make_labels(Axis *axis) {
  for (unsigned i = 0; i < axis->values->len; i++) {
    g_autofree char *parts = axis->values->len > 1 ? distinct_parts(axis->values, i) : NULL;
    const char *value = g_ptr_array_index(axis->values, i);
    const char *base = strrchr(value, '/');
    g_ptr_array_add(axis->labels, clean_label(parts && *parts ? parts : base && base[1] ? base + 1 : value));
  }
}

static bool has_twins(const GPtrArray *labels) {
  for (unsigned i = 0; i < labels->len; i++)
    for (unsigned j = 0; j < i; j++)
      if (strcmp(g_ptr_array_index(labels, i), g_ptr_array_index(labels, j)) == 0)
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

static bool matches(const MatrixCell *cell, const char *combination) {
  g_auto(GStrv) parts = g_strsplit(combination, ",", -1);

  for (unsigned i = 0; parts[i]; i++) {
    char *equals = strchr(parts[i], '=');
    if (!equals)
      return false;
    *equals = 0;
    if (g_strcmp0(label_of(cell, g_strstrip(parts[i])), g_strstrip(equals + 1)) != 0)
      return false;
  }
  return true;
}

static void exclude(Matrix *matrix, const SuiteFile *file, const SuiteSection *section, SuiteMistakes *mistakes) {
  const SuiteKey *key = suite_section_find(section, "exclude");
  g_autoptr(GPtrArray) combinations = key ? suite_split(key->value) : NULL;

  for (unsigned i = 0; combinations && i < combinations->len; i++) {
    const char *combination = g_ptr_array_index(combinations, i);
    unsigned before = matrix->cells->len;
    for (unsigned cell = matrix->cells->len; cell-- > 0;)
      if (matches(g_ptr_array_index(matrix->cells, cell), combination))
        g_ptr_array_remove_index(matrix->cells, cell);
    if (matrix->cells->len == before)
      suite_mistake(mistakes, file->path, key->line, "exclude: no case of the matrix is %s", combination);
  }
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
