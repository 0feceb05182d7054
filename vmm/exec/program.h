/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs in a guest under eret's init, and how: said by the user, and by the container image that the guest's root
 * is of. No lock: pure data.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/helpers/image-config.h"

typedef struct {
  GPtrArray *command; /* of char *, NULL beyond its length */
  GPtrArray *env;     /* of char *: "K=V", the same */
  char *cwd;          /* in the guest, or NULL */
  char *user;         /* "USER[:GROUP]", or NULL: root, as init is */
  bool makes_cwd;     /* where it is not there */
} Program;

void program_init(Program *program);
void program_clear(Program *program);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Program, program_clear)

/*
 * Completes PROGRAM, which has what the user said, by what the image says, as `docker run` does: the command's words
 * stand for the image's command, and follow its entry point; ENTRYPOINT (NULL: none) is in place of both, and "" no
 * entry point. False: nothing is left to run.
 */
bool program_take_image(Program *program, const ImageConfig *image, const char *entrypoint, GError **error);
/* The records of it (docs/exec-protocol.md). TERMINAL: what TERM is where nobody says it. */
void program_add_records(GByteArray *spec, const Program *program, const char *terminal);
/* Whether TEXT is "USER[:GROUP]": what either is, the guest's root says. */
bool program_is_user(const char *text);
/* A record "KEY=VALUE" of the specification, ended by a NUL. */
void spec_add(GByteArray *spec, const char *key, const char *value);
