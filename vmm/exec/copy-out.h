/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks what a guest sends for --copy-out: a cpio "newc" stream (newc.h) whose N-th path is "N", or "N/..." where it
 * is a directory. The guest is hostile: nothing outside of the destinations is ever written, and bytes, files and
 * complaints are bounded. What fails is remembered, and the rest is delivered all the same. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define COPY_OUT_FAILURES_MAX 100 /* that are told one by one */

typedef struct {
  uint64_t bytes;   /* of the stream: what the files have in them, and about 120 bytes for each */
  unsigned entries; /* files, directories and links: each takes an inode of the host's */
} CopyOutLimits;

typedef enum { COPY_OUT_ERROR_SPOOL } CopyOutError;
#define COPY_OUT_ERROR (copy_out_error_quark())
GQuark copy_out_error_quark(void);

typedef struct CopyOut CopyOut;

/*
 * DESTINATIONS: the host's path for each, ended by NULL. What comes waits in a temporary file within the limits, in
 * $TMPDIR or /tmp; it has no name, and ends with this process.
 */
CopyOut *copy_out_new(const char *const *destinations, const CopyOutLimits *limits, GError **error);
void copy_out_free(CopyOut *copy); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CopyOut, copy_out_free)

/* The directories that it will use by their paths at the end: absolute, ended by NULL, its own. */
const char *const *copy_out_paths(const CopyOut *copy);
/* Bytes as they come. What is beyond the limit, or cannot be written, is a failure, and not kept. */
void copy_out_feed(CopyOut *copy, const void *bytes, size_t size);
/* The guest says that something will not come. TEXT is its own. */
void copy_out_fail(CopyOut *copy, const char *text);
/*
 * Nothing more will come: puts everything in its place, over what was there. Links that lead out of what is copied,
 * devices and other special files are left out, each with a warning. COMPLETE: the guest has said that this is all.
 */
void copy_out_finish(CopyOut *copy, bool complete);
/*
 * What has failed, each once, a line that a terminal can show; of char *, COPY_OUT_FAILURES_MAX and a line that counts
 * the others.
 */
const GPtrArray *copy_out_failures(const CopyOut *copy);
