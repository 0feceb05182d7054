/* SPDX-License-Identifier: Apache-2.0 */
/* One table, in the order of eret-suite(5). */
#include "vmm/suite/suite-keys.h"

#include <string.h>

const SuiteKeyRule suite_key_rules[] = {
    {"description", KEY_COMMENT, NULL, 0},
    /* The machine. */
    {"kernel", KEY_FILE_OPTION, NULL, 0},
    {"modules", KEY_FILE_OPTION, NULL, 0},
    {"module", KEY_LIST, "module", 0},
    {"initrd", KEY_FILE_OPTION, NULL, 0},
    {"rootfs", KEY_FILE_OPTION, NULL, 0},
    {"busybox", KEY_FILE_OPTION, NULL, 0},
    {"append", KEY_OPTION, NULL, 0},
    {"cpus", KEY_OPTION, NULL, 0},
    {"cpu", KEY_OPTION, NULL, 0},
    {"cpu-template", KEY_FILE_OPTION, NULL, 0},
    {"memory", KEY_OPTION, NULL, 0},
    {"disks", KEY_DISKS, "disk", 0},
    {"console", KEY_OPTION, NULL, 0},
    {"transport", KEY_OPTION, NULL, 0},
    {"gic", KEY_OPTION, NULL, 0},
    {"psci", KEY_OPTION, NULL, 0},
    {"rng", KEY_FLAG, NULL, 0},
    {"nested", KEY_FLAG_VALUE, NULL, 0},
    {"options", KEY_WORDS, NULL, 0},
    /* What runs in it. */
    {"command", KEY_COMMAND, NULL, 0},
    {"stdin", KEY_STDIN, NULL, 0},
    {"stdin-file", KEY_STDIN_FILE, NULL, 0},
    {"copy-in", KEY_COPY_IN, NULL, 0},
    {"copy-out", KEY_LIST, "copy-out", 0},
    {"copy-out-limit", KEY_OPTION, NULL, 0},
    {"env", KEY_LIST, "env", 0},
    {"cwd", KEY_OPTION, NULL, 0},
    {"timeout", KEY_OPTION, NULL, 0},
    {"boot-timeout", KEY_OPTION, NULL, 0},
    {"output-limit", KEY_OUTPUT_LIMIT, NULL, 0},
    /* What is expected of it. */
    {"outcome", KEY_OUTCOME, NULL, 0},
    {"exit-status", KEY_STATUS, NULL, 0},
    {"expect", KEY_REGEXES, NULL, offsetof(SuiteCase, expect)},
    {"reject", KEY_REGEXES, NULL, offsetof(SuiteCase, reject)},
    {"expect-console", KEY_REGEXES, NULL, offsetof(SuiteCase, expect_console)},
    {"reject-console", KEY_REGEXES, NULL, offsetof(SuiteCase, reject_console)},
    {"fail-on-oops", KEY_FLAG, NULL, 0},
    {"ktap", KEY_BOOLEAN, NULL, offsetof(SuiteCase, ktap)},
    {"requires", KEY_FILES, NULL, offsetof(SuiteCase, requires)},
    {"tags", KEY_TAGS, NULL, offsetof(SuiteCase, tags)},
    {"exclude", KEY_EXCLUDE, NULL, 0},
    {NULL, KEY_COMMENT, NULL, 0},
};

const char *suite_key_of(const char *name, const char *prefix) {
  return g_str_has_prefix(name, prefix) ? name + strlen(prefix) : NULL;
}

const SuiteKeyRule *suite_key_rule(const char *name) {
  static const SuiteKeyRule variable = {SUITE_VARIABLE, KEY_VARIABLE, NULL, 0};
  const char *matrix = suite_key_of(name, "matrix."), *label = suite_key_of(name, "label.");
  const char *key = matrix ? matrix : label ? label : name;
  const char *own = suite_key_of(key, SUITE_VARIABLE);
  if (own && *own)
    return &variable;
  for (const SuiteKeyRule *rule = suite_key_rules; rule->name; rule++)
    if (g_strcmp0(rule->name, key) == 0)
      return rule;
  return NULL;
}

bool suite_key_is_single(const SuiteKeyRule *rule) {
  switch (rule->kind) {
  case KEY_VARIABLE:
  case KEY_OPTION:
  case KEY_FILE_OPTION:
  case KEY_FLAG:
  case KEY_FLAG_VALUE:
  case KEY_COMMAND:
  case KEY_STDIN:
  case KEY_STDIN_FILE:
  case KEY_STATUS:
  case KEY_OUTCOME:
  case KEY_OUTPUT_LIMIT:
    return true;
  default:
    return false;
  }
}
