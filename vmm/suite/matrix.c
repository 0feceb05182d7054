/* SPDX-License-Identifier: Apache-2.0 */
/* A cell is a number: each axis takes its choice from it by its place, like the digits of a clock. */
#include "vmm/suite/matrix.h"

#include <string.h>

#include "vmm/suite/suite-keys.h"

#define CELLS_MAX 100000

typedef struct {
  const SuiteKey *key;
  const char *key_name;       /* as in MatrixChoice */
  const char *name;           /* of it in names of cases: "cpus"; "suite" of "var.suite" */
  GPtrArray *values, *labels; /* of char *, as many */
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

/* Each of VALUES in its parts, of type GStrv; NULL: they are no paths with the same number of parts. */
static GPtrArray *split_paths(const GPtrArray *values) {
  g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

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

static void take_labels(Axis *axis, const SuiteFile *file, const SuiteSection *section) {
  g_autofree char *name = g_strconcat("label.", axis->key_name, NULL);
  const SuiteKey *key = suite_section_find(section, name);

  if (!key) {
    make_labels(axis);
    if (has_twins(axis->labels))
      suite_file_mistake(file, axis->key->line, "%s: these have no names that tell them apart; give them some with %s", axis->key->name,
                         name);
    return;
  }
  g_autoptr(GPtrArray) labels = suite_split(key->value);
  if (labels->len != axis->values->len)
    suite_file_mistake(file, key->line, "%s: there are %u names for %u values", name, labels->len, axis->values->len);
  for (unsigned i = 0; i < axis->values->len; i++)
    g_ptr_array_add(axis->labels, clean_label(i < labels->len ? g_ptr_array_index(labels, i) : ""));
  if (labels->len == axis->values->len && has_twins(axis->labels))
    suite_file_mistake(file, key->line, "%s: two of the names are the same", name);
}

static void add_axis(Matrix *matrix, const SuiteFile *file, const SuiteSection *section, const SuiteKey *key) {
  const SuiteKeyRule *rule = suite_key_rule(key->name);
  const char *name = suite_key_of(key->name, "matrix.");
  const char *variable = suite_key_of(name, SUITE_VARIABLE);

  if (!rule)
    return; /* told elsewhere */
  if (suite_key_kind(rule) > KEY_LAST_SINGLE) {
    suite_file_mistake(file, key->line, "%s: a list cannot be crossed", key->name);
    return;
  }
  if (suite_section_find(section, name))
    suite_file_mistake(file, key->line, "%s: there is also %s; which is meant?", key->name, name);
  Axis *axis = g_new0(Axis, 1);
  axis->key = key;
  axis->key_name = name;
  axis->name = variable ? variable : name;
  axis->values = suite_split_raw(key->value);
  axis->labels = g_ptr_array_new_with_free_func(g_free);
  take_labels(axis, file, section);
  g_ptr_array_add(matrix->axes, axis);
  if (axis->values->len == 0)
    suite_file_mistake(file, key->line, "%s: there is nothing in this list", key->name);
}

/* The cells. */

/* Cell NUMBER; in *NAMES its choices by their names, "cpus=2". Free both. */
static MatrixCell *make_cell(const Matrix *matrix, unsigned number, GStrv *names) {
  MatrixCell *cell = g_new0(MatrixCell, 1);
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
  unsigned n = 1;

  cell->choices = g_array_new(FALSE, FALSE, sizeof(MatrixChoice));
  for (unsigned i = 0; i < matrix->axes->len; i++)
    n *= ((const Axis *)g_ptr_array_index(matrix->axes, i))->values->len;
  for (unsigned i = 0; i < matrix->axes->len; i++) {
    const Axis *axis = g_ptr_array_index(matrix->axes, i);
    n /= axis->values->len;
    unsigned index = number / n % axis->values->len;
    const MatrixChoice choice = {axis->key, axis->key_name, g_ptr_array_index(axis->values, index)};
    g_autofree char *name = g_strconcat(axis->name, "=", g_ptr_array_index(axis->labels, index), NULL);
    g_array_append_val(cell->choices, choice);
    g_strv_builder_add(builder, name);
  }
  *names = g_strv_builder_end(builder);
  g_autofree char *all = g_strjoinv(",", *names);
  cell->name = *all ? g_strconcat("[", all, "]", NULL) : g_strdup("");
  return cell;
}

/* A line of `exclude`: "kernel=6.1,console=virtio". */
typedef struct {
  const char *text;
  GStrv names;   /* as those of a cell's choices */
  bool possible; /* each of them is one of some cell */
  bool used;     /* it has left something out */
} Exclusion;

static void clear_exclusion(gpointer data) {
  g_strfreev(((Exclusion *)data)->names);
}

/* All that a cell can have: "cpus=2", "cpus=4", "gic=3". */
static GHashTable *all_names(const Matrix *matrix) {
  GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned i = 0; i < matrix->axes->len; i++) {
    const Axis *axis = g_ptr_array_index(matrix->axes, i);
    for (unsigned k = 0; k < axis->labels->len; k++)
      g_hash_table_add(names, g_strconcat(axis->name, "=", g_ptr_array_index(axis->labels, k), NULL));
  }
  return names;
}

static bool are_all_in(GStrv wanted, GHashTable *names) {
  while (*wanted && g_hash_table_contains(names, *wanted))
    wanted++;
  return !*wanted;
}

/* Something that is no combination leaves out nothing. ITEMS must outlive it. */
static GArray *read_exclusions(const Matrix *matrix, const GPtrArray *items) {
  g_autoptr(GHashTable) names = all_names(matrix);
  GArray *exclusions = g_array_new(FALSE, FALSE, sizeof(Exclusion));
  g_autoptr(GRegex) spaced = g_regex_new("\\s*([=,])\\s*", 0, 0, NULL);

  g_array_set_clear_func(exclusions, clear_exclusion);
  for (unsigned i = 0; items && i < items->len; i++) {
    const char *text = g_ptr_array_index(items, i);
    g_autofree char *tight = g_regex_replace(spaced, text, -1, 0, "\\1", 0, NULL);
    Exclusion exclusion = {.text = text, .names = g_strsplit(tight, ",", -1)};
    exclusion.possible = are_all_in(exclusion.names, names);
    g_array_append_val(exclusions, exclusion);
  }
  return exclusions;
}

static bool is_excluded(GArray *exclusions, GStrv names) {
  for (unsigned i = 0; i < exclusions->len; i++) {
    Exclusion *exclusion = &g_array_index(exclusions, Exclusion, i);
    char **wanted = exclusion->names;
    if (!exclusion->possible)
      continue;
    while (*wanted && g_strv_contains((const char *const *)names, *wanted))
      wanted++;
    if (*wanted)
      continue;
    exclusion->used = true;
    return true;
  }
  return false;
}

/* All N cells but those that `exclude` leaves out. */
static void add_cells(Matrix *matrix, unsigned n, const SuiteFile *file, const SuiteSection *section) {
  const SuiteKey *key = suite_section_find(section, "exclude");
  g_autoptr(GPtrArray) items = key ? suite_split(key->value) : NULL;
  g_autoptr(GArray) exclusions = read_exclusions(matrix, items);

  for (unsigned i = 0; i < n; i++) {
    g_auto(GStrv) names = NULL;
    MatrixCell *cell = make_cell(matrix, i, &names);
    if (is_excluded(exclusions, names))
      free_cell(cell);
    else
      g_ptr_array_add(matrix->cells, cell);
  }
  for (unsigned i = 0; key && i < exclusions->len; i++)
    if (!g_array_index(exclusions, Exclusion, i).used)
      suite_file_mistake(file, key->line, "exclude: no case of the matrix is %s", g_array_index(exclusions, Exclusion, i).text);
  if (key && n && matrix->cells->len == 0)
    suite_file_mistake(file, key->line, "exclude: it leaves no case of [%s]", section->name);
}

Matrix *matrix_new(const SuiteFile *file, const SuiteSection *section) {
  Matrix *matrix = g_new0(Matrix, 1);
  uint64_t n = 1;

  matrix->axes = g_ptr_array_new_with_free_func(free_axis);
  matrix->cells = g_ptr_array_new_with_free_func(free_cell);
  for (unsigned i = 0; i < section->keys->len; i++) {
    const SuiteKey *key = g_ptr_array_index(section->keys, i);
    if (suite_key_of(key->name, "matrix."))
      add_axis(matrix, file, section, key);
  }
  for (unsigned i = 0; i < matrix->axes->len; i++)
    n = MIN(n * ((const Axis *)g_ptr_array_index(matrix->axes, i))->values->len, CELLS_MAX + 1);
  if (n > CELLS_MAX) {
    suite_file_mistake(file, section->line, "[%s] makes more than %u cases", section->name, CELLS_MAX);
    return matrix;
  }
  add_cells(matrix, (unsigned)n, file, section);
  return matrix;
}
