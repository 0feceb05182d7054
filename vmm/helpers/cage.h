/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done in a helper's process before its program (HelperSetUp): what the program cannot do for itself.
 * Linux: user_namespaces(7), mount_namespaces(7), mount_setattr(2), getrlimit(2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  bool root;             /* it is to find itself root, in a user namespace of its own in which nobody else is */
  uint32_t uid, gid;     /* of this process */
  const char *whole_at;  /* the whole of this machine's root is there, too, with all that is mounted below; NULL: nowhere */
  const char *read_only; /* in this directory, and in all that is mounted below, it can write nothing; NULL: where it may */
} Cage;

/* Enters CAGE, and raises the limit of open files to what it may be. False: standard error says why not. */
bool cage_enter(const void *cage);
