/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cmd/one-machine.h"

#include "vmm/base/mistakes.h"
#include "vmm/cmd/complain.h"

char *one_machine_explain_stray(const char *operand, const char **meant) {
  return g_strdup(": one machine at a time");
}

const char *one_machine_of(OptionDraft *draft, int *status) {
  if (!draft->help && draft->operands->len == 0 && !draft->operand_lost)
    mistake(draft->mistakes, "which machine? eret %s NAME; 'eret ps' lists them", draft->set->command);
  return answer_options(draft, status) ? NULL : g_ptr_array_index(draft->operands, 0);
}
