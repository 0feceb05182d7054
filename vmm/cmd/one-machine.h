/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands have in common that are about one machine with a name, which is their first operand. */
#pragma once

#include "vmm/options/option.h"

/* OptionSet's explain_stray, where the name is all that is no option. */
char *one_machine_explain_stray(const char *operand, const char **meant);
/*
 * The name. NULL: the command does not begin, as its help was asked for, or as there are mistakes, of which no name is
 * one; the one or the other is printed, and *STATUS is the command's. The name is not checked: whoever looks for the
 * machine does it.
 */
const char *one_machine_of(OptionDraft *draft, int *status);
