/* SPDX-License-Identifier: Apache-2.0 */
/* One table, in the order of eret-suite(5). */
#include "vmm/suite/suite-keys.h"

#include <string.h>

#include "vmm/exec/options.h"

const SuiteKeyRule suite_key_rules[] = {
    {"description", KEY_COMMENT, NULL, 0, false},
    /* The machine. */
    {"kernel", KEY_OPTION, NULL, 0, false},
    {"modules", KEY_OPTION, NULL, 0, false},
    {"module", KEY_OPTION, NULL, 0, false},
    {"initrd", KEY_OPTION, NULL, 0, false},
    {"rootfs", KEY_OPTION, NULL, 0, false},
    {"image", KEY_OPTION, NULL, 0, false},
    {"host", KEY_OPTION, NULL, 0, false},
    {"busybox", KEY_OPTION, NULL, 0, false},
    {"append", KEY_OPTION, NULL, 0, false},
    {"cpus", KEY_OPTION, NULL, 0, false},
    {"cpu", KEY_OPTION, NULL, 0, false},
    {"cpu-template", KEY_OPTION, NULL, 0, false},
    {"memory", KEY_OPTION, NULL, 0, false},
    {"disks", KEY_OPTION, "disk", 0, false},
    {"share", KEY_OPTION, NULL, 0, false},
    {"net", KEY_OPTION, NULL, 0, false},
    {"console", KEY_OPTION, NULL, 0, false},
    {"transport", KEY_OPTION, NULL, 0, false},
    {"gic", KEY_OPTION, NULL, 0, false},
    {"psci", KEY_OPTION, NULL, 0, false},
    {"rng", KEY_OPTION, NULL, 0, false},
    {"nested", KEY_OPTION, NULL, 0, false},
    {"options", KEY_WORDS, NULL, 0, false},
    /* What runs in it. */
    {"command", KEY_COMMAND, NULL, 0, false},
    {"entrypoint", KEY_OPTION, NULL, 0, false},
    {"stdin", KEY_STDIN, NULL, 0, true},
    {"stdin-file", KEY_STDIN_FILE, NULL, 0, true},
    {"copy-in", KEY_OPTION, NULL, 0, false},
    {"copy-out", KEY_OPTION, NULL, 0, false},
    {"copy-out-limit", KEY_OPTION, NULL, 0, false},
    {"env", KEY_OPTION, NULL, 0, false},
    {"cwd", KEY_OPTION, NULL, 0, false},
    {"user", KEY_OPTION, NULL, 0, false},
    {"timeout", KEY_OPTION, NULL, 0, false},
    {"boot-timeout", KEY_OPTION, NULL, 0, false},
    {"output-limit", KEY_OUTPUT_LIMIT, NULL, 0, false},
    /* What is expected of it. */
    {"outcome", KEY_OUTCOME, NULL, 0, false},
    {"exit-status", KEY_STATUS, NULL, 0, true},
    {"expect", KEY_REGEXES, NULL, offsetof(SuiteCase, expect), true},
    {"reject", KEY_REGEXES, NULL, offsetof(SuiteCase, reject), true},
    {"expect-console", KEY_REGEXES, NULL, offsetof(SuiteCase, expect_console), false},
    {"reject-console", KEY_REGEXES, NULL, offsetof(SuiteCase, reject_console), false},
    {"fail-on-oops", KEY_OPTION, NULL, 0, false},
    {"ktap", KEY_BOOLEAN, NULL, offsetof(SuiteCase, ktap), true},
    {"requires", KEY_FILES, NULL, offsetof(SuiteCase, requires), false},
    {"tags", KEY_TAGS, NULL, offsetof(SuiteCase, tags), false},
    {"exclude", KEY_EXCLUDE, NULL, 0, false},
    {NULL, KEY_COMMENT, NULL, 0, false},
};

const char *suite_key_of(const char *name, const char *prefix) {
  return g_str_has_prefix(name, prefix) ? name + strlen(prefix) : NULL;
}

const char *suite_key_base(const char *name) {
  const char *matrix = suite_key_of(name, "matrix."), *label = suite_key_of(name, "label.");

  return matrix ? matrix : label ? label : name;
}

const SuiteKeyRule *suite_key_rule(const char *name) {
  static const SuiteKeyRule variable = {SUITE_VARIABLE, KEY_VARIABLE, NULL, 0, false};
  const char *key = suite_key_base(name), *own = suite_key_of(key, SUITE_VARIABLE);

  if (own && *own)
    return &variable;
  for (const SuiteKeyRule *rule = suite_key_rules; rule->name; rule++)
    if (g_strcmp0(rule->name, key) == 0)
      return rule;
  return NULL;
}

static const char *option_name_of(const SuiteKeyRule *rule) {
  return rule->option ? rule->option : rule->name;
}

const Option *suite_key_option(const SuiteKeyRule *rule) {
  bool negated;

  return rule->kind == KEY_OPTION ? option_find_flag(&exec_option_set, option_name_of(rule), &negated, NULL) : NULL;
}

SuiteKeyKind suite_key_kind(const SuiteKeyRule *rule) {
  const Option *option = suite_key_option(rule);

  if (!option)
    return rule->kind;
  if (option->kind == OPTION_TEXTS || (option->kind == OPTION_LIST && !option->last_counts) || option->repeatable)
    return KEY_LIST;
  if (!option_takes_value(option))
    return KEY_FLAG;
  return option->alone ? KEY_FLAG_VALUE : KEY_OPTION;
}

const SuiteKeyRule *suite_key_rule_of_option(const char *option) {
  for (const SuiteKeyRule *rule = suite_key_rules; rule->name; rule++)
    if (rule->kind == KEY_OPTION && strcmp(option_name_of(rule), option) == 0)
      return rule;
  return NULL;
}
