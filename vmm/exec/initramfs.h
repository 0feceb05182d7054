/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs of `eret exec`, built in memory (cpio "newc"): our init, busybox, the user's files, kernel modules.
 * Deterministic: the same input gives the same bytes. What is ours belongs to root and has the time 0. No lock: one
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/mapped-file.h"

typedef enum { INITRAMFS_ERROR_FILE, INITRAMFS_ERROR_MODULE } InitramfsError;
#define INITRAMFS_ERROR (initramfs_error_quark())
GQuark initramfs_error_quark(void);

typedef struct Initramfs Initramfs;

Initramfs *initramfs_new(void);
void initramfs_free(Initramfs *initramfs); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Initramfs, initramfs_free)

/*
 * PATH is absolute in the guest; directories that are missing above it are made (mode 0755). A path added twice: the
 * later one wins.
 */
void initramfs_add_directory(Initramfs *initramfs, const char *path, unsigned mode);
void initramfs_add_bytes(Initramfs *initramfs, const char *path, unsigned mode, GBytes *bytes);
void initramfs_add_mapped(Initramfs *initramfs, const char *path, unsigned mode, MappedFile *file);
void initramfs_add_link(Initramfs *initramfs, const char *path, const char *target);

typedef enum {
  INITRAMFS_FILES,  /* belong to root; pipes, sockets and devices are an error */
  INITRAMFS_SYSTEM, /* of a root file system: owners are kept, but what is the caller's own is root's; sockets are left out */
} InitramfsKind;
/*
 * SOURCE, of the host, with its mode and time: a file, or a directory with all that is in it. A link at SOURCE itself
 * is followed, those below it stay links. What cannot be read is an error that names it.
 */
bool initramfs_add_tree(Initramfs *initramfs, const char *source, const char *path, InitramfsKind kind, GError **error);

/* The archive. A file that was truncated since it was added is an error. */
GBytes *initramfs_build(const Initramfs *initramfs, GError **error);
