/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's init (guest-images/init/), which is in this program: init-image.S. */
#pragma once

#include <glib.h>

extern const char init_image[];
extern const gsize init_image_size;

static inline GBytes *init_image_bytes(void) {
  return g_bytes_new_static(init_image, init_image_size);
}
