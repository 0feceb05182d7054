/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine in its cage still reaches of the file system: directories, and devices, that are open when it goes in
 * (by their descriptors), and directories that it will use by their paths.
 */
#pragma once

#include <stdbool.h>

#define PLACES_MAX 256

typedef struct {
  int fd;           /* the descriptor; of a path, one for the moment (O_PATH) */
  int flags;        /* open(2), to open it again */
  const char *path; /* NULL: it is used by its descriptor, or by /proc/self/fd/FD */
  bool is_directory;
  int tree; /* root.c: its mount, before it has a place; -1 */
} Place;

typedef struct {
  Place places[PLACES_MAX];
  unsigned n;
} Places;

/*
 * All open directories, all descriptors that are for opening again (O_PATH), and PATHS (absolute; ended by NULL; may be
 * NULL), which stay the caller's. False with errno (E2BIG: there are too many).
 */
bool places_find(Places *places, const char *const *paths);
/* Those that were opened for the moment. */
void places_clear(Places *places);
