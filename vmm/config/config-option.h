/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the files behind config.h share the work: the option table's types, and the draft of a Config that flags and JSON
 * fill.
 *
 * config.c          the table, the flags
 * config-option.c   a value as text, checked by the option's kind, into its field
 * config-json.c     the description file, into the same fields
 * config-check.c    what concerns more than one value, and the files named
 * config-nearest.c  what somebody probably meant
 * config-size.c     512M
 * config-help.c     the table, printed
 */
#pragma once

#include <glib.h>

#include "vmm/config/config.h"

typedef enum {
  OPTION_HELP,    /* the three without a field: flags only */
  OPTION_CONFIG,  /* flags only */
  OPTION_BOOLEAN, /* bool; --NAME and --no-NAME, JSON true and false */
  OPTION_STRING,  /* char *, at most MAX bytes where MAX is not 0 */
  OPTION_PATH,    /* char *; in a JSON file relative to its directory */
  OPTION_NUMBER,  /* unsigned, MIN to MAX */
  OPTION_SIZE,    /* uint64_t, MIN to MAX, a multiple of STEP */
  OPTION_CHOICE,  /* an enum, or int */
  OPTION_LIST,    /* GPtrArray * of records; repeatable, JSON: an array */
} OptionKind;

typedef struct ConfigOption ConfigOption;

typedef struct {
  const char *name; /* NULL ends the list */
  int value;
} OptionChoice;

/*
 * One element of an OPTION_LIST: a record with options of its own. As text: NAME=VALUE parts separated by commas; a
 * comma is doubled.
 */
typedef struct {
  const ConfigOption *options; /* ended by a NULL name */
  bool first_unnamed;          /* options[0] comes first, without its name, and must be there */
  size_t size;                 /* of the record; the list frees it */
} OptionElement;

struct ConfigOption {
  const char *name; /* without dashes: flag and JSON key */
  OptionKind kind;
  size_t offset;        /* of the field, in Config or in the element's record */
  const char *group;    /* help: a heading before this option */
  const char *argument; /* help: FILE; NULL for booleans and choices */
  const char *help;
  bool on_by_default; /* boolean: help shows --no-NAME */
  bool may_be_empty;  /* string */
  bool written;       /* path: the machine writes this file; else it reads it */
  /*
   * String, path, choice: what it is without a value (JSON: true); a value then follows behind = only. NULL: it needs
   * one. A choice can then be undone as a boolean can, which makes it the first of its choices.
   */
  const char *alone;
  uint64_t min, max, step;
  const OptionChoice *choices;
  const OptionElement *element;
  const char *not_in_suite; /* why a case of eret test cannot have it, and what there is instead; NULL: it can */
};

extern const ConfigOption config_options[]; /* ended by a NULL name */

/* A Config being made. */
typedef struct {
  Config *config;
  GPtrArray *mistakes;     /* of char *: one line each */
  GHashTable *origins;     /* "disk[1]" -> where it was given: "--disk", "vm.json:3: disk[1]" */
  GHashTable *listed;      /* names of the lists that the current source has begun; a source's list replaces the one before */
  GPtrArray *descriptions; /* of const char *: the files of --config */
  bool incomplete;         /* a source could not be read: what is missing may be in there */
} ConfigDraft;

/* Records a mistake: WHERE, a colon, the text. WHERE may be NULL. */
void config_mistake(ConfigDraft *draft, const char *where, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* A new source of values starts: a description file, or the flags. */
void config_begin_source(ConfigDraft *draft);
/* Where NAME ("kernel", "disk") was given; INDEX -1 but for elements of lists. Never NULL. */
const char *config_where(const ConfigDraft *draft, const char *name, int index);
bool config_is_given(const ConfigDraft *draft, const char *name);
void config_set_where(ConfigDraft *draft, const char *name, int index, const char *where);

/* Whether --no-NAME and JSON's false are something to say. */
bool option_can_be_negated(const ConfigOption *option);
const ConfigOption *option_find(const ConfigOption *options, const char *name);
/*
 * Sets the field of OPTION in RECORD from TEXT; a mistake is recorded and leaves the field alone. BASE: directory for
 * relative paths, or NULL. Not for lists, nor for booleans but "on" and "off".
 */
bool option_set(ConfigDraft *draft, void *record, const ConfigOption *option, const char *where, const char *base, const char *text);
/* Of an option that can be negated. */
void option_set_boolean(void *record, const ConfigOption *option, bool value);
/* The first call of a source empties the list: what a source says replaces what the one before said. */
void option_begin_list(ConfigDraft *draft, const ConfigOption *option);
/* Appends an empty element to the list and returns it; WHERE is kept for its later checks. */
void *option_add_element(ConfigDraft *draft, const ConfigOption *option, const char *where);
/* Appends what TEXT says. */
void option_add_text(ConfigDraft *draft, const ConfigOption *option, const char *where, const char *base, const char *text);
/* "a, b, c", of the options' names. */
char *option_known_names(const ConfigOption *options);
/* The same, of the values that OPTION takes. */
char *option_choice_names(const ConfigOption *option);

/* Adds what the description file PATH says. */
void config_json_load(ConfigDraft *draft, const char *path);
/* Checks the whole. */
void config_check(ConfigDraft *draft);

/* "; did you mean PREFIXname?", or "". BOOLEANS_NEGATED: "no-rng" is a name too. */
char *nearest_option(const ConfigOption *options, const char *wanted, const char *prefix, const ConfigOption **found);

/* Why eret has no option NAME that other monitors have; NULL: they have none either. */
const char *absent_option(const char *name);

/* "512M": the largest unit that divides it. */
char *config_format_size(uint64_t size);
