/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a test, and what each becomes: an option of eret exec, or a part of the case. No lock: constants. */
#pragma once

#include <stdbool.h>

#include "vmm/suite/suite-case.h"

typedef enum {
  KEY_OPTION,      /* --NAME VALUE; in the table: whatever the option of that name is, of these five */
  KEY_FILE_OPTION, /* --NAME FILE */
  KEY_FLAG,        /* --NAME, if true */
  KEY_FLAG_VALUE,  /* the same, or --NAME=VALUE */
  KEY_LIST,        /* --NAME ITEM for each item */
  KEY_DISKS,       /* --disk FILE,... for each */
  KEY_COPY_IN,     /* --copy-in FILE:... for each */
  KEY_WORDS,       /* the items as they are */
  KEY_COMMAND,
  KEY_STDIN,
  KEY_STDIN_FILE,
  KEY_STATUS,
  KEY_OUTCOME,
  KEY_BOOLEAN,
  KEY_OUTPUT_LIMIT,
  KEY_REGEXES,
  KEY_FILES,
  KEY_TAGS,
  KEY_EXCLUDE,  /* the matrix's */
  KEY_VARIABLE, /* the user's own: only ${NAME} has it */
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
/* NULL: there is none. NAME may be of the matrix: "matrix.cpus", "label.cpus" are of "cpus". */
const SuiteKeyRule *suite_key_rule(const char *name);
/* The key that is an option of eret exec; NULL: none is. */
const SuiteKeyRule *suite_key_rule_of_option(const char *option);
/* "cpus" of "matrix.cpus" or, with PREFIX "label.", of "label.cpus"; NULL: it is none of these. */
const char *suite_key_of(const char *name, const char *prefix);
/* Whether a key takes one value, and can be crossed with others in a matrix. */
bool suite_key_is_single(const SuiteKeyRule *rule);
