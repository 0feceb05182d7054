/* SPDX-License-Identifier: Apache-2.0 */
/* The steps are numbered as in the specification. */
#include "vmm/seed/sha512-crypt.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define DIGEST 64
#define ROUNDS 5000

static const char digits[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

typedef struct {
  GChecksum *sum;
} Digest;

static Digest begin(void) {
  return (Digest){g_checksum_new(G_CHECKSUM_SHA512)};
}

static void add(Digest *digest, const void *data, size_t size) {
  g_checksum_update(digest->sum, data, (gssize)size);
}

/* SIZE bytes, of which BLOCK has those of a digest, again and again. */
static void add_repeated(Digest *digest, const uint8_t *block, size_t size) {
  for (; size > DIGEST; size -= DIGEST)
    add(digest, block, DIGEST);
  add(digest, block, size);
}

static void end(Digest *digest, uint8_t *out) {
  gsize size = DIGEST;

  g_checksum_get_digest(digest->sum, out, &size);
  g_checksum_free(digest->sum);
}

/* Steps 4 to 12. */
static void mix(const char *password, size_t length, const char *salt, size_t salt_length, uint8_t *out) {
  uint8_t inner[DIGEST];
  Digest digest = begin();

  add(&digest, password, length);
  add(&digest, salt, salt_length);
  add(&digest, password, length);
  end(&digest, inner);
  digest = begin();
  add(&digest, password, length);
  add(&digest, salt, salt_length);
  add_repeated(&digest, inner, length);
  for (size_t bits = length; bits; bits >>= 1)
    add(&digest, bits & 1 ? (const void *)inner : password, bits & 1 ? DIGEST : length);
  end(&digest, out);
}

/* Steps 13 to 20: TEXT, N times, as a digest, of which come LENGTH bytes, again and again. Free with g_free. */
static uint8_t *spread(const char *text, size_t length, size_t n) {
  uint8_t block[DIGEST], *out = g_malloc(length + 1);
  Digest digest = begin();

  for (; n; n--)
    add(&digest, text, length);
  end(&digest, block);
  for (size_t i = 0; i < length; i++)
    out[i] = block[i % DIGEST];
  return out;
}

/* Step 21. */
static void stir(uint8_t *state, const uint8_t *password, size_t length, const uint8_t *salt, size_t salt_length) {
  for (unsigned i = 0; i < ROUNDS; i++) {
    Digest digest = begin();
    bool odd = i & 1;

    add(&digest, odd ? password : state, odd ? length : DIGEST);
    if (i % 3)
      add(&digest, salt, salt_length);
    if (i % 7)
      add(&digest, password, length);
    add(&digest, odd ? state : password, odd ? DIGEST : length);
    end(&digest, state);
  }
}

static void print_digits(GString *out, uint32_t word, unsigned n) {
  for (; n; n--, word >>= 6)
    g_string_append_c(out, digits[word & 63]);
}

/* Step 22 e: three bytes at a time, which turn around. */
static void print_state(GString *out, const uint8_t *state) {
  for (unsigned i = 0, a = 0, b = 21, c = 42; i < 21; i++) {
    unsigned first = a;

    print_digits(out, (uint32_t)state[a] << 16 | (uint32_t)state[b] << 8 | state[c], 4);
    a = b + 1;
    b = c + 1;
    c = first + 1;
  }
  print_digits(out, state[DIGEST - 1], 2);
}

char *sha512_crypt(const char *password, const char *salt) {
  size_t length = strlen(password), salt_length = MIN(strlen(salt), SHA512_CRYPT_SALT_MAX);
  uint8_t state[DIGEST];
  GString *out = g_string_new("$6$");

  mix(password, length, salt, salt_length, state);
  g_autofree uint8_t *p = spread(password, length, length), *s = spread(salt, salt_length, 16u + state[0]);
  stir(state, p, length, s, salt_length);
  g_string_append_len(out, salt, (gssize)salt_length);
  g_string_append_c(out, '$');
  print_state(out, state);
  return g_string_free(out, FALSE);
}

char *sha512_crypt_salt(const char *text) {
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
  char *salt = g_strndup(sum, SHA512_CRYPT_SALT_MAX);

  for (unsigned i = 0; salt[i]; i++) /* two of the sum's digits make one */
    salt[i] = digits[((unsigned)g_ascii_xdigit_value(sum[2 * i]) << 4 | (unsigned)g_ascii_xdigit_value(sum[2 * i + 1])) & 63];
  return salt;
}
