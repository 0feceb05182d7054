/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name of a container image, as skopeo(1) has them: TRANSPORT:WHERE. Of its transports those are taken that need
 * nothing but a file, a directory or a registry. No lock: pure data.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  char *text;     /* all of it, for people */
  char *argument; /* the same for skopeo; a path in it is an absolute one where it can be */
  char *path;     /* of the file or directory that it is in; NULL: a registry has it */
  bool directory; /* PATH is one */
} ImageName;

/* The transports, as messages and help have them. */
#define IMAGE_NAME_FORMS "oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:TAG], docker://REFERENCE"

/* NULL, and *WHY: it is none. */
ImageName *image_name_parse(const char *text, char **why);
void image_name_free(ImageName *name); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageName, image_name_free)
/* Where in TEXT the path is, and its *LENGTH; NULL: it has none. */
const char *image_name_find_path(const char *text, size_t *length);
