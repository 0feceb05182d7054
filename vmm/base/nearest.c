/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody probably meant by an unknown name: the known one at the smallest edit distance (optimal string
 * alignment: insertion, deletion, substitution, transposition of neighbours), one that it abbreviates, or one that
 * another machine monitor calls so.
 */
#include "vmm/base/nearest.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define NAME_MAX_LENGTH 32 /* longer ones are no misspelling of ours */

static const struct {
  const char *foreign, *ours;
} synonyms[] = {
    {"smp", "cpus"},   {"m", "memory"},         {"ram", "memory"},     {"cmdline", "append"}, {"params", "append"},
    {"drive", "disk"}, {"initramfs", "initrd"}, {"ramdisk", "initrd"}, {"dtb", "dump-fdt"},   {"readonly", "ro"},
};

/* Lower case, and _ as -: spelled so, it is the same name. */
static bool normalise(const char *text, char result[NAME_MAX_LENGTH + 1]) {
  size_t length = strlen(text);
  if (length > NAME_MAX_LENGTH)
    return false;
  for (size_t i = 0; i <= length; i++)
    result[i] = text[i] == '_' ? '-' : g_ascii_tolower(text[i]);
  return true;
}

static unsigned edit_distance(const char *a, const char *b) {
  unsigned rows[3][NAME_MAX_LENGTH + 1]; /* this row of the matrix and the two before */
  size_t a_length = strlen(a), b_length = strlen(b);
  for (size_t j = 0; j <= b_length; j++)
    rows[0][j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      row[j] = MIN(MIN(above[j] + 1, row[j - 1] + 1), above[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = MIN(row[j], two_above[j - 2] + 1);
    }
  }
  return rows[a_length % 3][b_length];
}

static const char *find_synonym(const char *wanted, const char *const *names) {
  for (unsigned i = 0; i < G_N_ELEMENTS(synonyms); i++) {
    if (!strcmp(synonyms[i].foreign, wanted) && g_strv_contains(names, synonyms[i].ours))
      return synonyms[i].ours;
  }
  return NULL;
}

const char *nearest_name(const char *wanted, const char *const *names) {
  char text[NAME_MAX_LENGTH + 1] = "", name[NAME_MAX_LENGTH + 1] = "";
  if (!*wanted || !normalise(wanted, text))
    return NULL;
  const char *synonym = find_synonym(text, names);
  if (synonym)
    return synonym;
  /* A third of the letters may be wrong; with more, everything short resembles everything. */
  unsigned best = MAX(1, strlen(text) / 3) + 1;
  const char *found = NULL, *abbreviated = NULL;
  for (; *names; names++) {
    if (!normalise(*names, name))
      continue;
    unsigned distance = edit_distance(text, name);
    /* Two single letters are always one step apart. */
    if (distance < best && distance < strlen(name)) {
      best = distance;
      found = *names;
    }
    if (!abbreviated && g_str_has_prefix(name, text))
      abbreviated = *names;
  }
  /* One letter wrong is a slip; an abbreviation is more likely than two. */
  return abbreviated && best > 1 ? abbreviated : found;
}
