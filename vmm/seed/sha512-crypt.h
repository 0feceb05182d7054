/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A password as /etc/shadow has it, by SHA-512: crypt(5)'s sha512crypt, in its usual 5000 rounds. No lock: nothing is
 * shared.
 */
#pragma once

#include <glib.h>

#define SHA512_CRYPT_SALT_MAX     16
#define SHA512_CRYPT_PASSWORD_MAX 256 /* bytes; the work grows with its square */

/* "$6$SALT$..."; of SALT the first SHA512_CRYPT_SALT_MAX characters count, of [./0-9A-Za-z]. Free with g_free. */
char *sha512_crypt(const char *password, const char *salt);
/* SHA512_CRYPT_SALT_MAX such characters, which depend on TEXT alone. Free with g_free. */
char *sha512_crypt_salt(const char *text);
