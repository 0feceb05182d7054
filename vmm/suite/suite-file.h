/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A suite's file: sections with keys, and where they stand. The syntax is GLib's key file (GKeyFile), which neither
 * tells lines nor minds what is there twice; both are found here. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  char *name;
  char *value; /* with its escapes */
  unsigned line;
} SuiteKey;

typedef struct {
  char *name;
  unsigned line;
  GPtrArray *keys;     /* of SuiteKey, in their order */
  GHashTable *by_name; /* of them */
} SuiteSection;

/* Mistakes, as lines "FILE:LINE: ..."; each is there once. */
typedef struct {
  GString *text;
  GHashTable *seen;
} SuiteMistakes;

typedef struct {
  char *path;
  GPtrArray *sections; /* of SuiteSection, in their order */
  GHashTable *by_name; /* of them */
  SuiteMistakes *mistakes;
} SuiteFile;

void suite_mistake(SuiteMistakes *mistakes, const char *file, unsigned line, const char *format, ...) G_GNUC_PRINTF(4, 5);
#define suite_file_mistake(file, line, ...) suite_mistake((file)->mistakes, (file)->path, line, __VA_ARGS__)

/* Whether PATH is a regular file that begins as suites do: with a section, behind comments. */
bool suite_file_is_one(const char *path);
/* NULL: it cannot be read. Other mistakes leave a file with what could be read. */
SuiteFile *suite_file_read(const char *path, SuiteMistakes *mistakes);
void suite_file_free(SuiteFile *file); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SuiteFile, suite_file_free)
/* Without keys. OWNS_KEYS: frees those that are added. */
SuiteSection *suite_section_new(const char *name, unsigned line, bool owns_keys);
void suite_section_free(gpointer section);
/* Behind those that are there; there must be none of its name. */
void suite_section_add(SuiteSection *section, SuiteKey *key);
const SuiteKey *suite_section_find(const SuiteSection *section, const char *name);

/* VALUE without its escapes (\s \n \t \r \\ \;). */
char *suite_unescape(const char *value);
/* The items of a list, between ";", without the spaces around them and their escapes. Of char *. */
GPtrArray *suite_split(const char *value);
/* The same with their escapes. */
GPtrArray *suite_split_raw(const char *value);
