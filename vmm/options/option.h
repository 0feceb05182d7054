/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options: one engine for every command's. A command has tables, constant, in which a line is all that an option is:
 * its flag, its key in a description file, its field, the values it takes, its help. What reads, checks, explains and
 * completes options goes by them; a command has no parser of its own.
 *
 * parse.c     flags, and what is no flag; the files that options name, held against each other
 * value.c     a value as text, checked by the option's kind, into its field
 * paths.c     the paths in a value, for those that do not start where the program was started
 * json.c      the description file, into the same fields
 * nearest.c   names, and what somebody probably meant
 * help.c      the tables, printed
 *
 * Every mistake is found, not only the first: they are collected and come back as one error. No lock: pure data, one
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/base/named-files.h"

/* The order counts: what comes before OPTION_BOOLEAN is for the command line only. */
typedef enum {
  OPTION_HELP,    /* no field */
  OPTION_FLAG,    /* bool; --NAME alone */
  OPTION_SOURCE,  /* no field: a description file, for the table that this is in */
  OPTION_BOOLEAN, /* bool; --NAME and --no-NAME, JSON true and false */
  OPTION_STRING,  /* char *, at most MAX bytes where MAX is not 0 */
  OPTION_PATH,    /* char *; in a JSON file relative to its directory */
  OPTION_NUMBER,  /* unsigned, MIN to MAX */
  OPTION_SIZE,    /* uint64_t, MIN to MAX, a multiple of STEP where that is not 0 */
  OPTION_CHOICE,  /* an enum, or int */
  OPTION_LIST,    /* GPtrArray * of records; repeatable, JSON: an array */
  OPTION_TEXTS,   /* GPtrArray * of char *, ended by NULL beyond its length; repeatable, JSON: an array. PATHS: of files */
  OPTION_PARSED,  /* what PARSE makes of it; flag only */
} OptionKind;

typedef struct Option Option;

typedef struct {
  const char *name; /* NULL ends the list */
  int value;
} OptionChoice;

/*
 * One element of an OPTION_LIST: a record with options of its own. As text: NAME=VALUE parts separated by commas; a
 * comma is doubled.
 */
typedef struct {
  const Option *options; /* ended by a NULL name */
  bool first_unnamed;    /* options[0] comes first, without its name, and must be there, or one that may be INSTEAD */
  size_t size;           /* of the record; the list frees it */
} OptionElement;

/* What PATH is to be, which stands at OFFSET in a value. Free with g_free. */
typedef char *OptionPlace(void *opaque, const char *path, size_t offset);
/* TEXT with the paths in it as PLACE makes them; NULL: it cannot be written with these. Free with g_free. */
typedef char *OptionPlaced(const char *text, OptionPlace *place, void *opaque);

/* Sets FIELD and returns NULL; or why not, to be said behind the option. Free with g_free. */
typedef char *OptionParse(void *field, const char *text);

struct Option {
  const char *name; /* without dashes: flag and JSON key */
  OptionKind kind;
  unsigned offset;      /* of the field, in the table's or the element's record */
  unsigned forms;       /* of the command, as bits, that have it; 0: all */
  char letter;          /* the flag's short form; 0: none */
  bool on_by_default;   /* boolean: help shows --no-NAME */
  bool may_be_empty;    /* string */
  bool written;         /* path: this file is written; else it is read */
  bool repeatable;      /* parsed: each value is one more; mistakes say which */
  bool paths;           /* texts: each is as a path */
  bool instead;         /* of an element: it may come first, with its name, in place of the one without */
  const char *group;    /* help: a heading before this option */
  const char *argument; /* help: FILE; NULL for flags, booleans and choices */
  const char *help;
  /*
   * String, path, choice: what it is without a value (JSON: true); a value then follows behind = only. NULL: it needs
   * one. A choice can then be undone as a boolean can, which makes it the first of its choices.
   */
  const char *alone;
  const char *word; /* path: this value is a word, and no file's name; of such a file it is ./WORD. NULL: none is */
  uint64_t min, max, step;
  const char *unit; /* number: "seconds"; NULL: it counts */
  const OptionChoice *choices;
  const OptionElement *element;
  bool last_counts; /* list: of several, the last one counts, so that it is one value: option_keep_last */
  OptionParse *parse;
  OptionPlaced *placed;     /* string, parsed: paths are parts of it; NULL: none are */
  bool number_too;          /* string: a number in JSON is the text of it */
  const char *examples;     /* completion: values, separated by spaces, or OPTION_EXAMPLE_FILES */
  const char *not_in_suite; /* why a case of eret test cannot have it, and what there is instead; NULL: it can */
};

/* A line of a table: the parts that nearly every option has, in this order; then what else it is, as in .min = 1. */
#define OPTION(name_, kind_, record, field, argument_, help_, ...)                                                                         \
  { .name = name_, .kind = OPTION_##kind_, .offset = offsetof(record, field), .argument = argument_, .help = help_, __VA_ARGS__ }
#define OPTION_HELP_ROW                                                                                                                    \
  { .name = "help", .letter = 'h', .kind = OPTION_HELP, .help = "This text.", .not_in_suite = "nothing would run" }

#define OPTION_EXAMPLE_FILES "FILE"

#define OPTION_TABLES_MAX 2

/* The options of a command, or of one of its forms. */
typedef struct {
  const char *command; /* "test merge" */
  const char *usage;   /* help: before the options */
  const char *closing; /* help: behind them; NULL: nothing */
  /* Each ended by a NULL name, all by NULL; the command's own first, then what others have too. Each has a record. */
  const Option *tables[OPTION_TABLES_MAX + 1];
  unsigned form;          /* the one of the command that this is; 0: there is only one */
  const char *other_form; /* what is wrong with an option of another */
  unsigned operands_max;  /* how many arguments that are no options it takes */
  /*
   * Of the first table, a list: the first argument that is no option and for which TAKES_OPERAND is true is a value of
   * it, as if it stood behind its flag. NULL: none is.
   */
  const char *operand;
  bool (*takes_operand)(const char *argument);
  bool rest_follows;    /* behind the first of them, all is somebody else's: operands, too */
  bool command_follows; /* behind --, of any length; its words are no operands */
  /* Said behind one too many; *MEANT: the option that it is perhaps for. Free with g_free; NULL: nothing. */
  char *(*explain_stray)(const char *operand, const char **meant);
  const char *(*explain_absent)(const char *name); /* why there is no such option, where others have one; NULL: they have none */
} OptionSet;

/*
 * Makes the lists of RECORD, of zeros otherwise; frees all that its options hold, but for what is parsed: texts, lists
 * and their elements.
 */
void option_record_init(const Option *options, void *record);
void option_record_clear(const Option *options, void *record);

/* What is being read. */
typedef struct {
  const OptionSet *set;
  void *const *records;    /* one for each of the set's tables */
  GPtrArray *operands;     /* of const char *, in ARGV */
  GPtrArray *command;      /* the same: what stands behind --, where a command follows */
  bool help;               /* it is asked for: nothing else was looked at */
  GString *mistakes;       /* vmm/base/mistakes.h */
  GHashTable *origins;     /* "disk[1]" -> where it was given: "--disk", "vm.json:3: disk[1]" */
  GHashTable *listed;      /* names of the lists that the current source has begun; a source's list replaces the one before */
  GPtrArray *descriptions; /* of const char *: the files that were read as such */
  GHashTable *failed;      /* as in ORIGINS: what was said and could not be understood */
  /*
   * One is too many, or stands behind an option that there is not, or whose value it cannot be: what is missing may be
   * that.
   */
  bool operand_lost;
  bool incomplete; /* a source could not be read: what is missing may be in there */
} OptionDraft;

/*
 * Reads ARGV into RECORDS, which the caller has filled with what is so by default, and which outlive the draft: first
 * the description files, in their order, then the flags, which win.
 */
OptionDraft *option_read(const OptionSet *set, void *const *records, int argc, char **argv);
void option_draft_free(OptionDraft *draft); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OptionDraft, option_draft_free)
/* False: there are mistakes, which are the error's message, a line each. */
bool option_is_good(const OptionDraft *draft, GError **error);

typedef enum { OPTION_ERROR_INVALID } OptionError;
#define OPTION_ERROR (option_error_quark())
GQuark option_error_quark(void);

/*
 * Calls FOUND for each option in ARGV, table by table, with its value, whatever that is: VALUE is in ARGV[ARGUMENT];
 * NULL: it has none. Returns what is wrong with how they are written, a line each; "" is nothing. Free with g_free.
 */
typedef void OptionFound(void *opaque, const Option *option, int argument, const char *value);
char *option_each(const OptionSet *set, int argc, char **argv, OptionFound *found, void *opaque);

/* Records a mistake: WHERE, a colon, the text. WHERE may be NULL. */
void option_mistake(OptionDraft *draft, const char *where, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Where NAME ("kernel", "disk") was given; INDEX -1 but for elements of lists. Never NULL. */
const char *option_where(const OptionDraft *draft, const char *name, int index);
bool option_is_given(const OptionDraft *draft, const char *name);
void option_set_where(OptionDraft *draft, const char *name, int index, const char *where);
/*
 * Whether something was said of NAME, as in option_where, that is among the mistakes: then it is no second one that it
 * is missing.
 */
bool option_has_failed(const OptionDraft *draft, const char *name, int index);
void option_set_failed(OptionDraft *draft, const char *name, int index);
/* The files that the options name are told to NAMED: first those that are read. */
void option_name_files(OptionDraft *draft, NamedFiles *named);

/* Ended by a NULL name, as all OPTIONS. NULL: there is none. */
const Option *option_find(const Option *options, const char *name);
/* The flag NAME of SET, which may begin with no-, and the number of its TABLE (may be NULL). */
const Option *option_find_flag(const OptionSet *set, const char *name, bool *negated, unsigned *table);
/* Whether a value follows; it may be one that can be left out. */
bool option_takes_value(const Option *option);
/* Whether --no-NAME and JSON's false are something to say. */
bool option_can_be_negated(const Option *option);
/* Whether the command in SET's form has it. */
bool option_is_of(const Option *option, const OptionSet *set);

/* The help of a command, in 80 columns. Free with g_free. */
char *option_help(const OptionSet *set);
/* As it stands in the help: "--gic auto|2|3". Free with g_free. */
char *option_head(const Option *option);

/* The parts. */

/* A new source of values starts: a description file, or the flags. */
void option_begin_source(OptionDraft *draft);
/*
 * Sets the field of OPTION in RECORD from TEXT and returns NULL; or why not, and leaves the field alone. BASE is the
 * directory of relative paths, or NULL. Not for lists, nor for booleans but "on" and "off". Free with g_free.
 */
char *option_parse(void *record, const Option *option, const char *base, const char *text);
/* The same; why not is recorded as a mistake. */
bool option_set(OptionDraft *draft, void *record, const Option *option, const char *where, const char *base, const char *text);
/* TEXT, a value of OPTION, with the paths in it as PLACE makes them; as OptionPlaced. */
char *option_place(const Option *option, const char *text, OptionPlace *place, void *opaque);
/* Whether PART, the first of an element whose first has no name, is one that may be instead, by its name. */
bool option_is_instead(const OptionElement *kind, const char *part);
/* Of an element's text, its first part, with a doubled comma for what it is. Free with g_free. */
char *option_first_part(const char *text);
/* TEXT as part of an element's text. Free with g_free. */
char *option_double_commas(const char *text);
/* Of an option that can be negated. */
void option_set_boolean(void *record, const Option *option, bool value);
/* The first call of a source empties the list: what a source says replaces what the one before said. */
void option_begin_list(OptionDraft *draft, void *record, const Option *option);
/* What follows is added to the list, whichever source it is from. */
void option_keep_list(OptionDraft *draft, const Option *option);
/* Of LIST, of ELEMENT, the last one stays, where there are any: as of an option that is no list. */
void option_keep_last(GPtrArray *list, const OptionElement *element);
/* Appends an empty element to the list and returns it; WHERE is kept for its later checks. */
void *option_add_element(OptionDraft *draft, void *record, const Option *option, const char *where);
/*
 * The element that was added last is complete; it has failed if there are more mistakes by now than there were in
 * draft->mistakes when that had the length BEFORE.
 */
void option_end_element(OptionDraft *draft, void *record, const Option *option, gsize before);
/*
 * ELEMENT, which is of the same kind as those of the list, becomes its first; of the others it is known as before where
 * they were given.
 */
void option_put_first(OptionDraft *draft, void *record, const Option *option, const char *where, void *element);
/* Appends what TEXT says. */
void option_add_text(OptionDraft *draft, void *record, const Option *option, const char *where, const char *base, const char *text);
/* Adds what the description file PATH says about OPTIONS to RECORD. */
void option_json_load(OptionDraft *draft, const Option *options, void *record, const char *path);
/* "a, b, c", of the options' names. */
char *option_known_names(const Option *options);
/* The same, of the values that OPTION takes. */
char *option_choice_names(const Option *option, const char *separator);
/*
 * "; did you mean PREFIXname?" of the one of NAMES that is close to WANTED, which *NAME is then (may be NULL); or "".
 * Ends NAMES with NULL.
 */
char *option_meant(GPtrArray *names, const char *wanted, const char *prefix, const char **name);
/*
 * The same of the flags of SET, all or those of OPTIONS (NULL: all), where the opposites of booleans are names too; or,
 * without a SET, of the parts of an element. FOUND may be NULL.
 */
char *option_nearest(const OptionSet *set, const Option *options, const char *wanted, const char *prefix, const Option **found);

/*
 * "512M", "4G", "1048576"; suffixes K M G T (binary), optional iB/B; "1.5G" is an error, since 1536M says the same
 * without a question about rounding. False with a reason in *WHY (static).
 */
bool size_parse(const char *text, uint64_t *size, const char **why);
/* "512M": the largest unit that divides it. Free with g_free. */
char *size_format(uint64_t size);
