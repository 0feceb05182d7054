/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of whoever logs in to a guest: its public half in a file as ssh-keygen(1) writes it, checked, and as
 * credentials that systemd in the guest takes from the kernel's command line. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
  char *line;     /* "ssh-ed25519 AAAA...", without a comment */
  char *identity; /* what ssh(1) is given: the file of the private half, or of the public one where an agent has the other */
} SshKey;

typedef enum {
  SSH_KEY_ERROR_FILE, /* there is none, or it cannot be read */
  SSH_KEY_ERROR_TEXT, /* what is in it is no public key */
  SSH_KEY_ERROR_MAKE, /* it cannot be made */
} SshKeyError;
#define SSH_KEY_ERROR (ssh_key_error_quark())
GQuark ssh_key_error_quark(void);

void ssh_key_free(SshKey *key); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SshKey, ssh_key_free)

/* The one in PATH, a public key; or, where PATH is a private one, in PATH.pub. */
SshKey *ssh_key_read(const char *path, GError **error);
/* What is in a file of SIZE bytes: its one key. NULL: *WHY says what is wrong with it (static). Free with g_free. */
char *ssh_key_parse(const char *text, gsize size, const char **why);

/*
 * eret's own, which all of the user's machines have: an Ed25519 key without a passphrase in $XDG_DATA_HOME/eret/ssh
 * (XDG Base Directory Specification). It stays the same from run to run, as guests keep on their disks whom they let
 * in. NULL, without an error: it has not been made yet.
 */
SshKey *ssh_key_find_own(GError **error);
/* The same; made, by ssh-keygen, where there is none. */
SshKey *ssh_key_make_own(GError **error);

/*
 * Words for the kernel's command line that have systemd (257: systemd(1), KERNEL COMMAND LINE;
 * systemd.system-credentials(7), systemd-ssh-generator(8)) let in who has the key whose line LINE is: as root by sshd
 * however it was started, and as anybody by the sshd that systemd-ssh-generator starts. Free with g_free.
 */
char *ssh_key_credentials(const char *line);
/* A line as long as that of every key that ssh_key_make_own makes. */
#define SSH_KEY_OWN_LINE "ssh-ed25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
