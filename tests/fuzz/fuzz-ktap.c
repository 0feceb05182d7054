/* SPDX-License-Identifier: Apache-2.0 */
/* Results in what a guest writes: vmm/suite/ktap.c. */
#include "tests/fuzz/fuzz.h"

#include "vmm/suite/judge.h"
#include "vmm/suite/ktap.h"

static void judge(const uint8_t *data, size_t size) {
  CaseResult *result = case_result_new("suite", "case");
  g_autoptr(GBytes) out = g_bytes_new(data, size);

  judge_subtests(result, out);
  case_result_free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autofree uint8_t *text = fuzz_copy(data, size);
  bool complete;
  g_autoptr(GPtrArray) results = ktap_parse((const char *)text, size, &complete);

  for (guint i = 0; i < results->len; i++) {
    const SubResult *sub = g_ptr_array_index(results, i);
    g_assert_nonnull(sub->name);
    g_assert_nonnull(result_kind_name(sub->kind));
  }
  judge(data, size);
  return 0;
}
