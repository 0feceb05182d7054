/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks what a guest sends for --copy-out: a cpio "newc" stream whose N-th path is "N", or "N/..." where it is a directory. The guest is hostile: nothing outside of the
 * destinations is ever written. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { COPY_OUT_ERROR_STREAM, COPY_OUT_ERROR_FILE, COPY_OUT_ERROR_LIMIT } CopyOutError;
#define COPY_OUT_ERROR (copy_out_error_quark())
GQuark copy_out_error_quark(void);

typedef struct CopyOut CopyOut;

/* DESTINATIONS: the host's path for each, ended by NULL. What comes waits in a temporary file of at most LIMIT bytes. */
CopyOut *copy_out_new(const char *const *destinations, uint64_t limit, GError **error);
void copy_out_free(CopyOut *copy); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CopyOut, copy_out_free)

/* Bytes as they come. */
bool copy_out_feed(CopyOut *copy, const void *bytes, size_t size, GError **error);
/*
 * All has come: puts everything in its place, over what was there. Links that lead out of what is copied, devices and other special files are left out, each with a warning.
 * False: the stream was not what it should be, or something could not be written; what came before that is there.
 */
bool copy_out_finish(CopyOut *copy, GError **error);
