/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a command names which is to run in a jail, held against what is in there. */
#pragma once

#include "vmm/jail/mounts.h"
#include "vmm/options/option.h"

/*
 * ARGV: what follows the name of the command whose options SET are. A mistake for each file that is on this host and
 * not in the jail whose root on it is ROOT: the command would not find it, or something else.
 */
void jail_paths_check(const OptionSet *set, int argc, char **argv, const GPtrArray *mounts, const char *root, GString *mistakes);
