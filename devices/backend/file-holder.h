/* SPDX-License-Identifier: Apache-2.0 */
/* Who has a file, as far as we may know: the kernel does not say whose a lock of an open file description is. */
#pragma once

#include <glib.h>
#include <sys/stat.h>

/*
 * "process 1234 (name)": one that has a lock on the regular file or block device of STATUS. NULL: there is none, or it
 * is another user's. Looks at all processes. Free with g_free.
 */
char *file_holder(const struct stat *status);
