/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program of somebody else's that does one thing and ends (skopeo, umoci). It is waited for, however long that takes:
 * a signal that ends eret meanwhile ends it, too. What it prints is kept up to a limit, and of what it says on standard
 * error the last line, for the message of its failure.
 *
 * No lock: main thread.
 */
#pragma once

#include "vmm/helpers/helper-process.h"
#include <glib.h>

typedef struct {
  const char *name;                 /* "skopeo" */
  const char *const *argv;          /* found by PATH; ended by NULL */
  gsize output_max;                 /* of its standard output; 0: that is for nobody */
  char *(*plain)(const char *line); /* the last line as people read it; NULL: as it is. Free with g_free */
  HelperSetUp set_up;
  char **environment;            /* NULL: ours */
  void (*waiting)(void *opaque); /* about every second; NULL: nobody asks */
  void *opaque;
} HelperRun;

/* What it printed, *SIZE bytes and a NUL; NULL: it failed. SIZE may be NULL. Free with g_free. */
char *helper_run(const HelperRun *run, gsize *size, GError **error);
