/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where something of --copy-out goes. Two kinds of names meet here: the user's path, which may have links in it, and
 * the guest's names below it, which are taken apart and followed step by step, never through a link: whatever the guest
 * calls its files, and whatever links it has sent before, they end up below the destination. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum {
  DESTINATION_UNUSED,    /* nothing came for it */
  DESTINATION_DIRECTORY, /* it is a directory, and `fd` that directory */
  DESTINATION_FILE,      /* it is the file `name` in the directory `fd` */
  DESTINATION_IN_PLACE,  /* it is neither, a device or a pipe, and `fd` that */
  DESTINATION_FAILED,    /* and it has been said why */
} DestinationKind;

typedef struct {
  char *path; /* the user's */
  DestinationKind kind;
  int fd; /* or -1 */
  char *name;
  int kept_fd;        /* of a device or a pipe that was there at the beginning, or -1 */
  bool kept_is_place; /* it is not open to write: nobody reads it yet (O_PATH) */
} Destination;

/*
 * Whether something could be written to the user's path, as far as that can be told without doing it; the error names
 * what is in the way.
 */
bool destination_check(const char *path, GError **error);

/*
 * Before the process may give its root directory away (vmm/cage/seclusion.h): what can only be opened now is. Adds to
 * PATHS, which frees them with g_free, the directories that destination_open will want by their paths.
 */
void destination_prepare(Destination *destination, GPtrArray *paths);

void destination_clear(Destination *destination);

/*
 * Makes the user's path as far as it is missing, and opens it, for a directory or for a file. All of a run's are opened
 * before the first thing of the guest's is written, so that none leads through it. A file that is there is to be
 * replaced, a link to it followed, a device or a pipe written to.
 */
bool destination_open(Destination *destination, bool directory, GError **error);

/*
 * The directory that the last of PARTS (NULL-ended, at least one) belongs in, below a DESTINATION_DIRECTORY; close it.
 * Missing ones are made as long as *MAY_MAKE, which counts down, allows. -1 and an error that names the step that
 * failed.
 */
int destination_parent(const Destination *destination, char **parts, unsigned *may_make, GError **error);
/* One step down, made if it is missing; NAME has no slash. As openat, with errno. */
int destination_step(int parent, const char *name, unsigned *may_make);
/* Whether a link at PARTS that leads to TARGET stays below the destination, whatever other such links there are. */
bool destination_link_stays_inside(char **parts, const char *target);
/* The host's path of PARTS, for people. Free with g_free. */
char *destination_path_of(const Destination *destination, char **parts);
/* "the reason" of an errno of these functions. */
const char *destination_reason(int number);
