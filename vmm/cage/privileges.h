/* SPDX-License-Identifier: Apache-2.0 */
/* What a process gives up of what it is. Linux: capabilities(7), prctl(2), getrlimit(2). */
#pragma once

#include <stdbool.h>

/* No program gives capabilities any more; for who becomes another user afterwards. Without CAP_SETPCAP: nothing. */
void privileges_bound(void);
/*
 * Programs give no more rights (no_new_privs), and there are no capabilities any more; FILES_OF_OTHERS: but those by
 * which root writes files of others, where it reaches few. Limits can be raised no more. False with errno.
 */
bool privileges_give_up(bool files_of_others);
/* Closes what this process was started with and is not one of its three: its own are close-on-exec. */
void privileges_close_inherited(void);
