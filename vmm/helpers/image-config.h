/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container image says of itself: for which machines it is, what is to run in it, and how (OCI Image Format
 * Specification 1.0, config.md; Docker's images say the same in the same words). Somebody else has written it. No lock:
 * pure functions.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  char **entrypoint, **command, **env; /* never NULL; ENV: "K=V" */
  char *cwd;                           /* an absolute path; NULL: it says nothing */
  char *user;                          /* "USER[:GROUP]", each a name or a number; NULL: it says nothing */
  char *layers;                        /* the digests of what it consists of, unpacked, with blanks between */
} ImageConfig;

/* As much of it is read; others have the same limit. */
#define IMAGE_CONFIG_MAX (4u << 20)

/* NULL: it is none, or of an image that does not run in an ARM64 guest: the error. */
ImageConfig *image_config_parse(const char *json, gsize size, GError **error);
/* Whether its manifest (image-spec, manifest.md) has as many layers as CONFIG says; or the error. */
bool image_manifest_has_layers(const char *json, gsize size, const ImageConfig *config, GError **error);
void image_config_free(ImageConfig *config); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageConfig, image_config_free)

typedef enum { IMAGE_ERROR_CONFIG, IMAGE_ERROR_STORE } ImageError;
#define IMAGE_ERROR (image_error_quark())
GQuark image_error_quark(void);
