/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for disks holds for each engine. Tests only. */
#pragma once

#include "devices/backend/disk-image.h"

/* TEST once for each engine, which is its argument, as PREFIX/ENGINE/NAME. */
static inline void add_for_engines(const char *prefix, const char *name, void (*test)(const void *engine)) {
  static const struct {
    const char *name;
    DiskImageEngine engine;
  } engines[] = {{"io_uring", DISK_IMAGE_ENGINE_IO_URING}, {"threads", DISK_IMAGE_ENGINE_THREADS}};

  for (unsigned i = 0; i < G_N_ELEMENTS(engines); i++) {
    g_autofree char *path = g_strdup_printf("%s/%s/%s", prefix, engines[i].name, name);

    g_test_add_data_func(path, GINT_TO_POINTER(engines[i].engine), test);
  }
}
