/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys are meta-data, as clouds have them: cloud-init adds these to those that user-data names. A password, and keys
 * where the meta-data is the user's, are configuration: user-data, or where that is the user's, vendor-data, over which
 * it wins (cloud-init, explanation/vendordata).
 */
#include "vmm/seed/cloud-seed.h"

#include <string.h>

#include "vmm/base/json-writer.h"
#include "vmm/seed/sha512-crypt.h"

#define LABEL_MAX       63 /* RFC 1123 2.1, RFC 1035 2.3.4 */
#define INSTANCE_DIGITS 16
#define HEADER          "#cloud-config\n"

static const char *const names[SEED_PARTS] = {
    [SEED_USER_DATA] = "user-data",
    [SEED_META_DATA] = "meta-data",
    [SEED_VENDOR_DATA] = "vendor-data",
    [SEED_NETWORK_CONFIG] = "network-config",
};

CloudSeed *cloud_seed_new(void) {
  CloudSeed *seed = g_new0(CloudSeed, 1);

  seed->keys = g_ptr_array_new_with_free_func(g_free);
  return seed;
}

void cloud_seed_free(CloudSeed *seed) {
  if (!seed)
    return;
  for (unsigned i = 0; i < SEED_PARTS; i++)
    g_clear_pointer(&seed->own[i], g_bytes_unref);
  g_ptr_array_unref(seed->keys);
  g_free(seed->hostname);
  g_free(seed->password);
  g_free(seed);
}

const char *cloud_seed_part_name(SeedPart part) {
  return names[part];
}

char *cloud_seed_hostname(const char *text) {
  g_autoptr(GString) name = g_string_new(NULL);

  for (const char *c = text; *c && name->len < LABEL_MAX; c++)
    if (g_ascii_isalnum(*c))
      g_string_append_c(name, g_ascii_tolower(*c));
    else if (name->len && name->str[name->len - 1] != '-')
      g_string_append_c(name, '-');
  while (name->len && name->str[name->len - 1] == '-')
    g_string_truncate(name, name->len - 1);
  return name->len ? g_strdup(name->str) : NULL;
}

/* What data can begin with (cloud-init, explanation/format; cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP). */
static const char *const beginnings[] = {
    "#cloud-config", "#!", "#include", "#cloud-boothook", "#part-handler", "## template: jinja", "\x1f\x8b", /* gzip */
};

/* And the lines of a message with parts (RFC 2045), which begin with either. */
static const char *const fields[] = {"content-type:", "mime-version:"};

const char *cloud_seed_explain_user_data(GBytes *data) {
  gsize size;
  const char *text = g_bytes_get_data(data, &size);

  for (unsigned i = 0; i < G_N_ELEMENTS(beginnings); i++)
    if (size >= strlen(beginnings[i]) && memcmp(text, beginnings[i], strlen(beginnings[i])) == 0)
      return NULL;
  for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
    if (size >= strlen(fields[i]) && g_ascii_strncasecmp(text, fields[i], strlen(fields[i])) == 0)
      return NULL;
  if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
    return "it begins with a byte order mark, and so not with #cloud-config, #! or another of the lines that cloud-init knows";
  return size ? "it begins with neither #cloud-config nor #! nor anything else that cloud-init knows, which would pass over it"
              : "it is empty";
}

bool cloud_seed_has_instance(GBytes *meta) {
  gsize size;
  const char *data = g_bytes_get_data(meta, &size);
  g_autofree char *text = g_strndup(data ? data : "", size);

  return g_regex_match_simple("(^|[{,])\\s*[\"']?instance-id[\"']?\\s*:", text, G_REGEX_MULTILINE | G_REGEX_RAW, 0);
}

const char *cloud_seed_take_password(CloudSeed *seed, const char *text, gsize size) {
  const char *end = memchr(text, '\n', size);
  gsize length = end ? (gsize)(end - text) : size;

  if (length && text[length - 1] == '\r')
    length--;
  if (length == 0)
    return "there is no password in its first line";
  if (length > SHA512_CRYPT_PASSWORD_MAX)
    return "its first line is too long for a password: at most 256 bytes are possible";
  for (gsize i = 0; i < length; i++)
    if (g_ascii_iscntrl(text[i]))
      return "its first line has control characters, which nobody can type in";
  g_free(seed->password);
  seed->password = g_strndup(text, length);
  return NULL;
}

static bool has_password(const CloudSeed *seed) {
  return seed->password || seed->asks_password;
}

static bool has_configuration(const CloudSeed *seed) {
  return has_password(seed) || (seed->own[SEED_META_DATA] && seed->keys->len);
}

const char *cloud_seed_explain_conflict(const CloudSeed *seed) {
  if (!has_configuration(seed) || !seed->own[SEED_USER_DATA] || !seed->own[SEED_VENDOR_DATA])
    return NULL;
  return has_password(seed) ? "the password would be user-data or vendor-data, and both are files of yours: say it in one of these"
                            : "the key would be meta-data, user-data or vendor-data, and all are files of yours: say it in one of these";
}

static void add_lines(JsonBuilder *builder, const char *name, const GPtrArray *lines) {
  json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
  for (unsigned i = 0; i < lines->len; i++)
    json_builder_add_string_value(builder, lines->pdata[i]);
  json_builder_end_array(builder);
}

/* The object that BUILDER has begun. */
static char *print(JsonBuilder *builder) {
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);

  return json_print(root);
}

/*
 * The salt is no secret, and the same for the same guest: then so is all the rest, and the instance too.
 */
static char *print_configuration(const CloudSeed *seed) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  if (seed->password) {
    g_autofree char *salt = sha512_crypt_salt(seed->hostname ? seed->hostname : "");
    g_autofree char *hash = sha512_crypt(seed->password, salt);
    json_add_text(builder, "password", hash);
    json_builder_set_member_name(builder, "chpasswd");
    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "expire");
    json_builder_add_boolean_value(builder, FALSE);
    json_builder_end_object(builder);
  }
  if (seed->own[SEED_META_DATA] && seed->keys->len)
    add_lines(builder, "ssh_authorized_keys", seed->keys);
  g_autofree char *text = print(builder);
  return g_strconcat(HEADER, text, NULL);
}

static char *print_meta(const CloudSeed *seed, const char *instance) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, "instance-id", instance);
  json_add_text(builder, "local-hostname", seed->hostname);
  if (seed->keys->len)
    add_lines(builder, "public-keys", seed->keys);
  return print(builder);
}

static void free_file(gpointer data) {
  SeedFile *file = data;

  g_bytes_unref(file->bytes);
  g_free(file);
}

static void add_file(GPtrArray *files, SeedPart part, GBytes *bytes) {
  SeedFile *file = g_new(SeedFile, 1);

  *file = (SeedFile){names[part], bytes};
  g_ptr_array_add(files, file);
}

static void add_text_file(GPtrArray *files, SeedPart part, char *text) {
  add_file(files, part, g_bytes_new_take(text, strlen(text)));
}

/* Each with its name and length, so that nothing can pass from one to the other. */
static char *name_instance(const CloudSeed *seed, const GPtrArray *files) {
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  g_autofree char *meta = print_meta(seed, NULL);

  g_checksum_update(sum, (const guchar *)meta, (gssize)strlen(meta) + 1);
  for (unsigned i = 0; i < files->len; i++) {
    const SeedFile *file = files->pdata[i];
    gsize size;
    const void *data = g_bytes_get_data(file->bytes, &size);
    g_autofree char *head = g_strdup_printf("%s %" G_GSIZE_FORMAT "\n", file->name, size);
    g_checksum_update(sum, (const guchar *)head, (gssize)strlen(head));
    g_checksum_update(sum, data, (gssize)size);
  }
  return g_strdup_printf("eret-%.*s", INSTANCE_DIGITS, g_checksum_get_string(sum));
}

GPtrArray *cloud_seed_files(const CloudSeed *seed) {
  GPtrArray *files = g_ptr_array_new_with_free_func(free_file);
  SeedPart place = seed->own[SEED_USER_DATA] ? SEED_VENDOR_DATA : SEED_USER_DATA;

  for (SeedPart part = 0; part < SEED_PARTS; part++) {
    if (seed->own[part])
      add_file(files, part, g_bytes_ref(seed->own[part]));
    else if (part == place && (part == SEED_USER_DATA || has_configuration(seed))) /* user-data has to be there */
      add_text_file(files, part, print_configuration(seed));
  }
  if (!seed->own[SEED_META_DATA]) {
    g_autofree char *instance = name_instance(seed, files);
    add_text_file(files, SEED_META_DATA, print_meta(seed, instance));
  }
  return files;
}
