/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `eret exec` takes for granted where its user says nothing: the kernel's modules, its command line, and the
 * busybox of guests that have no root of their own. No lock: nothing shared.
 */
#pragma once

#include "vmm/base/mapped-file.h"
#include "vmm/config/config.h"

/* NAMED is the user's; NULL: the one that came with eret, or that Debian's busybox-static installs. */
MappedFile *busybox_open(const char *named, GError **error);
/* The tree of modules that belongs to the file KERNEL; NULL: none is known. Free with g_free. */
char *default_modules(const char *kernel);
/* Whether depmod(8) has been at work in DIRECTORY. */
bool is_module_tree(const char *directory);
/*
 * Completes the kernel's command line in CONFIG; QUIET: nobody reads its console, or it is not to say much. False, and
 * *WHY, when it is too long then.
 */
bool add_default_arguments(Config *config, bool quiet, char **why);
