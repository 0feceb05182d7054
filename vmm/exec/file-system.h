/* SPDX-License-Identifier: Apache-2.0 */
/* Which file system is in an image, by its magic number. No lock: nothing shared. */
#pragma once

#include <glib.h>

/*
 * The name under which Linux mounts it ("ext4"). NULL, and an error that names the file: none that is known, or it
 * cannot be read.
 */
const char *file_system_type(const char *path, GError **error);
