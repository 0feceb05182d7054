/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/seed/sha512-crypt.h"

#include <crypt.h>
#include <string.h>

static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

char *sha512_crypt(const char *password, const char *salt) {
  g_autofree struct crypt_data *data = g_new0(struct crypt_data, 1);
  g_autofree char *setting = g_strdup_printf("$6$%.*s", SHA512_CRYPT_SALT_MAX, salt);
  char *hash = g_strdup(crypt_r(password, setting, data));

  memset(data, 0, sizeof *data);
  return hash;
}

char *sha512_crypt_salt(const char *text) {
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  char *salt = g_strndup(sum, SHA512_CRYPT_SALT_MAX);

  for (unsigned i = 0; salt[i]; i++) /* two of the sum's digits make one */
    salt[i] = digits[((unsigned)g_ascii_xdigit_value(sum[2 * i]) << 4 | (unsigned)g_ascii_xdigit_value(sum[2 * i + 1])) & 63];
  return salt;
}
