/* SPDX-License-Identifier: Apache-2.0 */
/* A password, from who is at the terminal or from standard input. Main thread. */
#pragma once

#include <stdbool.h>

#include "vmm/seed/cloud-seed.h"

/*
 * Asks for it twice, at a terminal that does not show it; where standard input is none, it is its first line, and what
 * follows is left for the guest. False: there is none, or the two differ, or Ctrl-C was pressed.
 */
bool ask_password(CloudSeed *seed, GError **error);
