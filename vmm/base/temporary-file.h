/* SPDX-License-Identifier: Apache-2.0 */
/* A file without a name, for what is too large or too long-lived for a pipe. */
#pragma once

#include <glib.h>

/*
 * Opens one, for reading and writing, in the user's directory for temporary files (TMPDIR). No child inherits it.
 * Returns the descriptor, or -1 with a G_FILE_ERROR.
 */
int temporary_file_open(GError **error);
