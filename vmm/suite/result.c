/* SPDX-License-Identifier: Apache-2.0 */
/* Results of cases, and the verdict over all attempts of one. No lock: one thread. */
#include "vmm/suite/result.h"

#include <string.h>

static const char *const kind_names[N_RESULTS] = {
    [RESULT_PASSED] = "passed",
    [RESULT_FAILED] = "failed",
    [RESULT_SKIPPED] = "skipped",
    [RESULT_ERROR] = "error",
};

CaseResult *case_result_new(const char *suite, const char *name) {
  CaseResult *result = g_new0(CaseResult, 1);

  result->suite = g_strdup(suite);
  result->name = g_strdup(name);
  result->attempt = 1;
  result->kind = RESULT_PASSED;
  result->vmm_seconds = result->kernel_seconds = result->init_seconds = result->command_seconds = -1;
  result->tags = g_ptr_array_new_with_free_func(g_free);
  result->sub = g_ptr_array_new_with_free_func(sub_result_free);
  return result;
}

void case_result_free(gpointer data) {
  CaseResult *result = data;

  if (!result)
    return;
  char *const texts[] = {result->suite,   result->name, result->message, result->outcome,    result->expected,
                         result->started, result->log,  result->details, result->fingerprint};
  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
    g_free(texts[i]);
  g_clear_pointer(&result->tags, g_ptr_array_unref);
  g_clear_pointer(&result->sub, g_ptr_array_unref);
  g_free(result);
}

void case_result_set(CaseResult *result, ResultKind kind, char *message) {
  result->kind = kind;
  g_free(result->message);
  result->message = message;
}

SubResult *sub_result_new(const char *name, ResultKind kind, const char *detail) {
  SubResult *sub = g_new0(SubResult, 1);

  *sub = (SubResult){.name = g_strdup(name), .kind = kind, .detail = g_strdup(detail)};
  return sub;
}

void sub_result_free(gpointer data) {
  SubResult *sub = data;

  if (!sub)
    return;
  g_free(sub->name);
  g_free(sub->detail);
  g_free(sub);
}

const char *result_kind_name(ResultKind kind) {
  return kind_names[kind];
}

bool result_kind_from_name(const char *name, ResultKind *kind) {
  for (unsigned i = 0; name && i < N_RESULTS; i++)
    if (strcmp(name, kind_names[i]) == 0) {
      *kind = (ResultKind)i;
      return true;
    }
  return false;
}

/* Groups. */

static void case_group_free(gpointer data) {
  CaseGroup *group = data;

  g_ptr_array_unref(group->attempts);
  g_free(group);
}

static bool is_failure(ResultKind kind) {
  return kind == RESULT_FAILED || kind == RESULT_ERROR;
}

static void add_attempt(CaseGroup *group, CaseResult *result) {
  g_ptr_array_add(group->attempts, result);
  group->count[result->kind]++;
  if (!group->shown || (is_failure(result->kind) && !is_failure(group->shown->kind)))
    group->shown = result;
}

/* A guest that failed says more than a host that kept another attempt from running. */
static GroupVerdict judge(const CaseGroup *group) {
  if (group->count[RESULT_FAILED] + group->count[RESULT_ERROR] == 0)
    return group->count[RESULT_PASSED] ? GROUP_PASSED : GROUP_SKIPPED;
  if (group->count[RESULT_PASSED])
    return GROUP_FLAKY;
  return group->count[RESULT_FAILED] ? GROUP_FAILED : GROUP_ERROR;
}

/* A file to be merged may have a '/' in either of them. */
char *case_result_key(const CaseResult *result) {
  return g_strdup_printf("%zu %s/%s", strlen(result->suite), result->suite, result->name);
}

GPtrArray *results_group(GPtrArray *results) {
  GPtrArray *groups = g_ptr_array_new_with_free_func(case_group_free);
  g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

  for (unsigned i = 0; i < results->len; i++) {
    CaseResult *result = g_ptr_array_index(results, i);
    g_autofree char *key = case_result_key(result);
    CaseGroup *group = g_hash_table_lookup(known, key);
    if (!group) {
      group = g_new0(CaseGroup, 1);
      group->attempts = g_ptr_array_new();
      g_ptr_array_add(groups, group);
      g_hash_table_insert(known, g_steal_pointer(&key), group);
    }
    add_attempt(group, result);
  }
  for (unsigned i = 0; i < groups->len; i++) {
    CaseGroup *group = g_ptr_array_index(groups, i);
    group->verdict = judge(group);
  }
  return groups;
}

unsigned case_group_ran(const CaseGroup *group) {
  return group->attempts->len - group->count[RESULT_SKIPPED];
}

bool results_failed(GPtrArray *results, bool allow_flaky) {
  g_autoptr(GPtrArray) groups = results_group(results);

  for (unsigned i = 0; i < groups->len; i++) {
    GroupVerdict verdict = ((const CaseGroup *)g_ptr_array_index(groups, i))->verdict;
    if (verdict == GROUP_FAILED || verdict == GROUP_ERROR || (verdict == GROUP_FLAKY && !allow_flaky))
      return true;
  }
  return false;
}

bool results_lack_kvm(GPtrArray *results) {
  bool no_kvm = false;

  for (unsigned i = 0; i < results->len; i++) {
    const CaseResult *result = g_ptr_array_index(results, i);
    if (result->kind != RESULT_SKIPPED)
      return false;
    no_kvm |= result->no_kvm;
  }
  return no_kvm;
}
