/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs of `eret exec`, built in memory (cpio "newc"): our init, busybox, the user's files, kernel modules.
 * Deterministic: the same input gives the same bytes. What is ours belongs to root and has the time 0. No lock: one
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/base/mapped-file.h"

typedef enum { INITRAMFS_ERROR_FILE, INITRAMFS_ERROR_MODULE, INITRAMFS_ERROR_TAKEN } InitramfsError;
#define INITRAMFS_ERROR (initramfs_error_quark())
GQuark initramfs_error_quark(void);

typedef struct Initramfs Initramfs;

Initramfs *initramfs_new(void);
void initramfs_free(Initramfs *initramfs); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Initramfs, initramfs_free)

/*
 * What eret needs comes before the system, and that before the user's files. These take the place of a file of the
 * system's and of nothing else.
 */
typedef enum {
  INITRAMFS_OWN,
  INITRAMFS_SYSTEM, /* of a root file system: owners are kept, but what is the caller's own is root's; sockets are left out */
  INITRAMFS_FILES,  /* of the user: belong to root; pipes, sockets and devices are an error */
} InitramfsKind;

/*
 * PATH is absolute in the guest; directories that are missing above it are made (mode 0755). A path added twice: of
 * directories the first one stays, else the later one wins.
 */
void initramfs_add_directory(Initramfs *initramfs, const char *path, unsigned mode);
void initramfs_add_bytes(Initramfs *initramfs, const char *path, unsigned mode, InitramfsKind kind, GBytes *bytes);
void initramfs_add_mapped(Initramfs *initramfs, const char *path, unsigned mode, InitramfsKind kind, MappedFile *file);

/*
 * SOURCE, of the host, with its mode and time: a file, or a directory with all that is in it. A link at SOURCE itself
 * is followed, those below it stay links. What cannot be read is an error that names it; so is, for the user's files,
 * what is there already (INITRAMFS_ERROR_TAKEN): directories are merged, and nothing else is.
 */
bool initramfs_add_tree(Initramfs *initramfs, const char *source, const char *path, InitramfsKind kind, GError **error);

/*
 * The archive. A file that was truncated since it was added is an error. *FILES (may be NULL): the bytes of the files'
 * contents, in pages of the smallest size.
 */
GBytes *initramfs_build(const Initramfs *initramfs, uint64_t *files, GError **error);
