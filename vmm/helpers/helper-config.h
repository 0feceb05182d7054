/* SPDX-License-Identifier: Apache-2.0 */
/* What a program is started with that works for a machine, and how its process is prepared. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct Broker Broker;

/* It has ended by itself: "ended with exit status 1", with what it said last. WELL: that status was 0. */
typedef void HelperEnded(void *opaque, const char *how, bool well);

/* The descriptor of a helper's that is its socket. */
#define HELPER_FD 3
/* And the file that it is given, where it is. */
#define HELPER_FILE 4

/*
 * In a helper's process, before the program: async-signal-safe. False: it cannot be, which was said on standard error.
 * NULL: nothing is to be done.
 */
typedef struct {
  bool (*prepare)(const void *opaque);
  const void *opaque;
} HelperSetUp;

typedef struct {
  const char *name;                   /* "passt" */
  const char *const *argv;            /* argv[0] is its path; ended by NULL */
  bool (*is_noise)(const char *line); /* what it says that nobody needs to read; NULL: nothing. Such lines are for debugging */
  size_t (*skip)(const char *line);   /* how many bytes at the beginning of others nobody needs to read; NULL: none */
  HelperEnded *ended;                 /* NULL: nobody asks */
  bool tells_ready;                   /* its standard output is for one word, when it is ready: see helper_process_wait */
  bool listens;                       /* its socket is one that listens, and the other end waits there; else of a pair */
  HelperSetUp set_up;
  int file;       /* a file for it, that stays the caller's; 0: none */
  Broker *broker; /* who will start it again, and outlives it (broker.h); NULL: nobody but this process does */
  void *opaque;
} HelperConfig;

typedef enum { HELPER_ERROR_START } HelperError;
#define HELPER_ERROR (helper_error_quark())
GQuark helper_error_quark(void);

/* A GSpawnChildSetupFunc of a HelperSetUp: what all helpers need, too. */
void helper_set_up(gpointer data);
