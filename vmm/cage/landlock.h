/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: what a process may name of files, networks and processes outside. Linux:
 * Documentation/userspace-api/landlock.rst.
 */
#pragma once

#include <stdbool.h>

#include "vmm/cage/places.h"

/* Its version of the kernel's interface; 0 with errno: it has none, or it is turned off. */
unsigned landlock_version(void);
/*
 * This thread, and those that it makes, open nothing but what lies in PLACES from here on, and run nothing; make and
 * reach no TCP port; and, where the kernel knows of it, signal nobody outside. Needs no_new_privs. False with errno.
 */
bool landlock_enter(const Places *places);
