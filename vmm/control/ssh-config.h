/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How ssh(1), scp(1), sftp(1) and rsync(1) reach a machine: a configuration for `-F` (ssh_config(5)), in the machine's
 * runtime directory. It is all that they are told: nothing of the user's own configuration, or of the host's, is for
 * guests. No lock: pure functions.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SSH_CONFIG_FILE "ssh_config" /* in the runtime directory */
#define SSH_PORT        22           /* of the guest's vsock: systemd-ssh-generator(8) */

typedef struct {
  const char *name;      /* the machine's */
  const char *directory; /* its runtime directory */
  const char *program;   /* eret itself, absolute */
  const char *identity;  /* SshKey; NULL: the keys that ssh finds by itself */
} SshConfig;

/* The file. NULL: a path has characters that cannot be written there. Free with g_free. */
char *ssh_config_print(const SshConfig *config, GError **error);
/* "web.eret": what the machine NAME is called there. Free with g_free. */
char *ssh_config_host(const char *name);
/*
 * The value of ProxyCommand that has PROGRAM connect to NAME; WAIT: for how many seconds, -1: as long as it does by
 * itself. Free with g_free.
 */
char *ssh_config_proxy(const char *program, const char *name, int wait);
