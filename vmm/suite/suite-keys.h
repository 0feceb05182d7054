/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a test, and what each becomes: an option of eret exec, or a part of the case. No lock: constants. */
#pragma once

#include <stdbool.h>

#include "vmm/options/option.h"
#include "vmm/suite/suite-case.h"

typedef enum {
  /* Those of one value, which can be crossed with others in a matrix. */
  KEY_OPTION,     /* --NAME VALUE; in the table: whatever the option of that name is, of these three, or a list of it */
  KEY_FLAG,       /* --NAME, if true */
  KEY_FLAG_VALUE, /* the same, or --NAME=VALUE */
  KEY_COMMAND,
  KEY_STDIN,
  KEY_STDIN_FILE,
  KEY_STATUS,
  KEY_OUTCOME,
  KEY_OUTPUT_LIMIT,
  KEY_VARIABLE, /* the user's own: only ${NAME} has it */
  KEY_LAST_SINGLE = KEY_VARIABLE,
  /* Lists. */
  KEY_LIST,  /* --NAME ITEM for each item */
  KEY_WORDS, /* the items as they are, but for the paths in them */
  KEY_FILES,
  KEY_TAGS,
  KEY_REGEXES,
  KEY_LAST_LIST = KEY_REGEXES,
  /* Others. */
  KEY_BOOLEAN,
  KEY_EXCLUDE, /* the matrix's */
  KEY_COMMENT
} SuiteKeyKind;

#define SUITE_VARIABLE "var." /* what the names of variables begin with */

typedef struct {
  const char *name;
  SuiteKeyKind kind;
  const char *option; /* its name, where that is not the key's */
  size_t offset;      /* of the field in SuiteCase */
  bool needs_command; /* it is about what the command reads, writes and ends with */
} SuiteKeyRule;

/* Ends with a rule without name. */
extern const SuiteKeyRule suite_key_rules[];
/* What the key is, its option looked up. */
SuiteKeyKind suite_key_kind(const SuiteKeyRule *rule);
/* The option of eret exec that it is; NULL: it is none. */
const Option *suite_key_option(const SuiteKeyRule *rule);
/* NULL: there is none. NAME may be of the matrix: "matrix.cpus", "label.cpus" are of "cpus". */
const SuiteKeyRule *suite_key_rule(const char *name);
/* The key that is an option of eret exec; NULL: none is. */
const SuiteKeyRule *suite_key_rule_of_option(const char *option);
/* "cpus" of "matrix.cpus" or, with PREFIX "label.", of "label.cpus"; NULL: it is none of these. */
const char *suite_key_of(const char *name, const char *prefix);
/* "cpus" of all of them, and of "cpus". */
const char *suite_key_base(const char *name);
