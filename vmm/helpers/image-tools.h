/* SPDX-License-Identifier: Apache-2.0 */
/*
 * skopeo(1) and umoci(1), which read what is in container images: Debian 12 has 1.9.3 and 0.4.7, Debian 13 1.18.0 and
 * 0.4.7. Each starts, does one thing, and ends. No lock: main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/helpers/image-name.h"

/* Called about every second while one works: WHAT it does, of IMAGE. Then once with NULL: nothing is waited for. */
typedef void ImageWaiting(const char *image, const char *what, unsigned seconds);

typedef struct {
  const ImageName *name;
  ImageWaiting *waiting; /* NULL: nobody looks */
} ImageTools;

#define IMAGE_SKOPEO "skopeo"
#define IMAGE_UMOCI  "umoci"

/*
 * What one of them says, as people read it. skopeo: time="..." level=fatal msg="...", with quotes inside as in Go;
 * umoci: a mark and blanks in front. Free with g_free.
 */
char *image_tools_plain_line(const char *line);
/* Whether both are there; the error says what to install. */
bool image_tools_are_there(GError **error);
/* "1.9.3", of PROGRAM, by what it says itself; NULL: it is not there. Free with g_free. */
char *image_tools_version(const char *program);

/* The image's configuration, as it is, for machines like the guest. Free with g_free. */
char *image_tools_inspect(const ImageTools *tools, gsize *size, GError **error);
/* The same of the one in the OCI layout LAYOUT. */
char *image_tools_inspect_layout(const ImageTools *tools, const char *layout, gsize *size, GError **error);
/* And its manifest. */
char *image_tools_inspect_manifest(const ImageTools *tools, const char *layout, gsize *size, GError **error);
/* Copies the image into LAYOUT, which it makes. */
bool image_tools_copy(const ImageTools *tools, const char *layout, GError **error);
/* Makes the directory ROOT of the image in LAYOUT. */
bool image_tools_unpack(const ImageTools *tools, const char *layout, const char *root, GError **error);
