/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a command runs as: "USER[:GROUP]", each a name or a number, by the root's own /etc/passwd and /etc/group
 * (passwd(5), group(5)), as container runtimes do it. Whoever made the root has written them: lines of any length and
 * any number of them are read, and what is not of their form counts for nothing. Nothing here is of init.h's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#define USER_HOME_MAX   4096
#define USER_GROUPS_MAX 1024 /* beside his own; Linux has 65536, and who is in more than these is told */
#define USER_WHY_MAX    256

typedef struct {
  uid_t uid;
  gid_t gid;
  gid_t groups[USER_GROUPS_MAX];
  size_t n_groups;
  char home[USER_HOME_MAX]; /* "/" of one without an entry */
} User;

/*
 * PASSWD and GROUP: the files, or NULL where there is none. A number needs no entry; with a GROUP there are no others.
 * False, and WHY: there is no such user or group.
 */
bool user_find(const char *text, FILE *passwd, FILE *group, User *user, char why[USER_WHY_MAX]);
