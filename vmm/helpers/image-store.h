/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container images, unpacked once and kept: in the user's cache, $XDG_CACHE_HOME/eret/images. There, each is a
 * directory by the digest of its configuration, which has the digests of its layers in it, and of who unpacked it:
 *
 *   sha256-0123...-1000/rootfs    the image's root
 *   sha256-0123...-1000/name      what it was called when it was unpacked
 *   sha256-0123...-1000.new/      what is not complete yet: of somebody who is at it, or was ended
 *   sha256-0123...-1000.lock      held by who is at it
 *
 * What has its name is whole. Who throws one away removes its directory. Main thread.
 */
#pragma once

#include "vmm/helpers/image-config.h"
#include "vmm/helpers/image-tools.h"

typedef struct {
  char *root; /* the directory */
  ImageConfig *config;
} Image;

/* Looks at the image, and unpacks it unless it is there. Nothing that is in it is read here, or followed. */
Image *image_store_take(const ImageTools *tools, GError **error);
void image_free(Image *image); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Image, image_free)
