/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cloud-init in a guest is told, as its NoCloud source reads it from a volume (cloud-init, reference/datasources/
 * nocloud): the files of that volume. What eret writes is JSON, which is YAML, too. The user's own files come as they
 * are. Pure. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The user's own files. */
typedef enum { SEED_USER_DATA, SEED_META_DATA, SEED_VENDOR_DATA, SEED_NETWORK_CONFIG, SEED_PARTS } SeedPart;

#define SEED_FILE_MAX (1 << 20) /* bytes of each of them */

typedef struct {
  char *hostname;          /* as cloud_seed_hostname has it; NULL: the guest has its own */
  GPtrArray *keys;         /* of char *: lines of public keys */
  char *password;          /* of the image's user; NULL: none */
  bool asks_password;      /* it is to be asked for */
  GBytes *own[SEED_PARTS]; /* NULL: none is given */
} CloudSeed;

CloudSeed *cloud_seed_new(void);
void cloud_seed_free(CloudSeed *seed); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CloudSeed, cloud_seed_free)

/* "user-data", the name of the file, and of the part of --cloud-init. */
const char *cloud_seed_part_name(SeedPart part);
/* A host's name (RFC 1123) like TEXT, in which any bytes may be; NULL: nothing is left of it. Free with g_free. */
char *cloud_seed_hostname(const char *text);
/* Why cloud-init would pass over USER-DATA (or vendor-data) without a word; NULL: it would not. Static. */
const char *cloud_seed_explain_user_data(GBytes *data);
/* Whether META says which instance it is, without which cloud-init does not take it. */
bool cloud_seed_has_instance(GBytes *meta);
/* Takes TEXT's first line for the password; or says why it cannot be one (static). */
const char *cloud_seed_take_password(CloudSeed *seed, const char *text, gsize size);
/* Why what is asked for has no place beside the user's own files; NULL: it has. Static. */
const char *cloud_seed_explain_conflict(const CloudSeed *seed);

typedef struct {
  const char *name;
  GBytes *bytes;
} SeedFile;

/*
 * The files, of SeedFile. The instance is another one if anything in them is, so that cloud-init does again what it
 * does once for each; its ID tells nobody the password. Free with g_ptr_array_unref.
 */
GPtrArray *cloud_seed_files(const CloudSeed *seed);
