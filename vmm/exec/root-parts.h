/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's root, of the kinds that a Config has, for the initramfs whose init is eret's: what it is told, which
 * modules it needs, and what lies in the initramfs itself. No lock: one thread.
 */
#pragma once

#include "vmm/config/config.h"
#include "vmm/exec/initramfs.h"
#include "vmm/exec/program.h"

/*
 * *TYPE is the file system that the guest's kernel mounts ("ext4", "virtiofs"); NULL: none, the root lies in the
 * initramfs. False: the image has none that is known.
 */
bool root_parts_find_type(const Config *config, const char **type, GError **error);
/* What Linux calls the modules for the machine's bus and its root, of TYPE. */
void root_parts_add_modules(GPtrArray *names, const Config *config, const char *type);
void root_parts_add_records(GByteArray *spec, const Config *config, const char *type);
/* A directory that is packed. */
bool root_parts_add_tree(Initramfs *initramfs, const Config *config, GError **error);
/*
 * The modules NAMES of the tree DIRECTORY (NULL: none is known), for init to load. What is in neither list of the
 * kernel's is none of the host's business: the guest says what it lacks.
 */
bool root_parts_put_modules(Initramfs *initramfs, const char *directory, const GPtrArray *names, GError **error);

/*
 * The initramfs of a guest that has nothing but its root, whose own first process then takes over; or PROGRAM runs in
 * it, on the console, where that is not NULL. FILES as in initramfs_build.
 */
GBytes *root_make_initramfs(const Config *config, const Program *program, uint64_t *files, GError **error);
