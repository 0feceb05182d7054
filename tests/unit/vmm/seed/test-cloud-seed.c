/* SPDX-License-Identifier: Apache-2.0 */
/* What cloud-init is told: names, places, what makes another instance, and a volume that mtools read again. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "vmm/seed/cloud-seed.h"
#include "vmm/seed/seed-volume.h"
#include "vmm/seed/sha512-crypt.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUAgZfnUOKYdTvbwdwH+aJn/D7FZ0QCAmX8ctIyK5f8"

static GBytes *bytes_of(const char *text) {
  return g_bytes_new(text, strlen(text));
}

/* Free with g_free; NULL: there is no such file. */
static char *text_of(const GPtrArray *files, const char *name) {
  for (unsigned i = 0; i < files->len; i++) {
    const SeedFile *file = files->pdata[i];
    gsize size;
    const char *data = g_bytes_get_data(file->bytes, &size);
    if (strcmp(file->name, name) == 0)
      return g_strndup(data ? data : "", size);
  }
  return NULL;
}

static JsonObject *object_of(JsonParser *parser, const char *text) {
  const char *header = "#cloud-config\n";
  g_autoptr(GError) error = NULL;

  g_assert_nonnull(text);
  json_parser_load_from_data(parser, text + (g_str_has_prefix(text, header) ? strlen(header) : 0), -1, &error);
  g_assert_no_error(error);
  return json_node_get_object(json_parser_get_root(parser));
}

static char *instance_of(const CloudSeed *seed) {
  g_autoptr(GPtrArray) files = cloud_seed_files(seed);
  g_autoptr(JsonParser) parser = json_parser_new();
  g_autofree char *meta = text_of(files, "meta-data");

  return g_strdup(json_object_get_string_member(object_of(parser, meta), "instance-id"));
}

static void test_hostname(void) {
  static const struct {
    const char *text, *wanted;
  } cases[] = {
      {"web", "web"},
      {"Web_1.lan", "web-1-lan"},
      {"debian-13-genericcloud-arm64", "debian-13-genericcloud-arm64"},
      {"--a--b--", "a-b"},
      {"", NULL},
      {"...", NULL},
      {"\xc3\xa4\n\xff", NULL},
      {"a\n\"b\\", "a-b"},
      {"0123456789012345678901234567890123456789012345678901234567890123456789",
       "012345678901234567890123456789012345678901234567890123456789012"},
      {"01234567890123456789012345678901234567890123456789012345678901-3",
       "01234567890123456789012345678901234567890123456789012345678901"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *name = cloud_seed_hostname(cases[i].text);
    g_assert_cmpstr(name, ==, cases[i].wanted);
  }
}

static void test_user_data(void) {
  static const char *const good[] = {"#cloud-config\n",
                                     "#!/bin/sh\n",
                                     "#include\nx",
                                     "#cloud-boothook\n",
                                     "#part-handler\n",
                                     "## template: jinja\n#cloud-config\n",
                                     "Content-Type: multipart/mixed\n",
                                     "MIME-Version: 1.0\n",
                                     "\x1f\x8b\x08",
                                     "#cloud-config-archive\n"};
  static const char *const bad[] = {"",    "#", "# cloud-config\n", "\n#cloud-config\n", "\xef\xbb\xbf#cloud-config\n", "{}", "users: []\n",
                                    "\x1f"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GBytes) bytes = bytes_of(good[i]);
    g_assert_null(cloud_seed_explain_user_data(bytes));
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GBytes) bytes = bytes_of(bad[i]);
    g_assert_nonnull(cloud_seed_explain_user_data(bytes));
  }
}

static void test_has_instance(void) {
  static const char *const good[] = {"instance-id: x\n", "a: b\ninstance-id: x", "{\"a\": 1, \"instance-id\": \"x\"}", "{instance-id: x}",
                                     "\xff\ninstance-id : x"};
  static const char *const bad[] = {"", "instance_id: x\n", "# instance-id: x\n", "a: instance-id\n", "my-instance-id: x\n"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GBytes) bytes = bytes_of(good[i]);
    g_assert_true(cloud_seed_has_instance(bytes));
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GBytes) bytes = bytes_of(bad[i]);
    g_assert_false(cloud_seed_has_instance(bytes));
  }
}

static void test_password(void) {
  static const struct {
    const char *text, *wanted;
  } cases[] = {
      {"secret\n", "secret"},
      {"secret", "secret"},
      {"secret\r\nmore\n", "secret"},
      {" a b \n", " a b "},
      {"p\xc3\xa4ss", "p\xc3\xa4ss"},
      {"", NULL},
      {"\nsecret", NULL},
      {"\r\n", NULL},
      {"a\tb\n", NULL},
      {"a\x1b[m", NULL},
  };
  g_autofree char *longest = g_strnfill(SHA512_CRYPT_PASSWORD_MAX, 'x'), *too_long = g_strconcat(longest, "x", NULL);
  g_autoptr(CloudSeed) seed = cloud_seed_new();

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_clear_pointer(&seed->password, g_free);
    const char *why = cloud_seed_take_password(seed, cases[i].text, strlen(cases[i].text));
    g_assert_cmpstr(seed->password, ==, cases[i].wanted);
    g_assert_true(!why == (cases[i].wanted != NULL));
  }
  g_assert_null(cloud_seed_take_password(seed, longest, strlen(longest)));
  g_assert_nonnull(cloud_seed_take_password(seed, too_long, strlen(too_long)));
  g_assert_nonnull(cloud_seed_take_password(seed, "a\0b", 3));
  g_assert_cmpstr(seed->password, ==, longest);
}

/* Two files at least, as cloud-init wants them. */
static void test_smallest(void) {
  g_autoptr(CloudSeed) seed = cloud_seed_new();
  g_autoptr(GPtrArray) files = cloud_seed_files(seed);
  g_autofree char *user = text_of(files, "user-data"), *meta = text_of(files, "meta-data");
  g_autoptr(JsonParser) parser = json_parser_new();

  g_assert_cmpuint(files->len, ==, 2);
  g_assert_cmpuint(json_object_get_size(object_of(parser, user)), ==, 0);
  g_assert_true(g_str_has_prefix(user, "#cloud-config\n"));
  g_assert_cmpuint(json_object_get_size(object_of(parser, meta)), ==, 1);
}

static void test_keys_and_password(void) {
  g_autoptr(CloudSeed) seed = cloud_seed_new();
  g_autoptr(JsonParser) parser = json_parser_new();

  seed->hostname = g_strdup("web");
  seed->password = g_strdup("\"#: {secret}");
  g_ptr_array_add(seed->keys, g_strdup(KEY));
  g_ptr_array_add(seed->keys, g_strdup(KEY "AA"));
  g_autoptr(GPtrArray) files = cloud_seed_files(seed);
  g_autofree char *user = text_of(files, "user-data"), *meta = text_of(files, "meta-data"), *vendor = text_of(files, "vendor-data");
  JsonObject *object = object_of(parser, meta);
  JsonArray *keys = json_object_get_array_member(object, "public-keys");
  g_assert_cmpstr(json_object_get_string_member(object, "local-hostname"), ==, "web");
  g_assert_cmpuint(json_array_get_length(keys), ==, 2);
  g_assert_cmpstr(json_array_get_string_element(keys, 0), ==, KEY);
  g_assert_cmpstr(json_array_get_string_element(keys, 1), ==, KEY "AA");
  g_assert_null(vendor);
  g_assert_null(strstr(user, "secret"));
  object = object_of(parser, user);
  g_autofree char *salt = sha512_crypt_salt("web"), *hash = sha512_crypt(seed->password, salt);
  g_assert_cmpstr(json_object_get_string_member(object, "password"), ==, hash);
  g_assert_false(json_object_get_boolean_member(json_object_get_object_member(object, "chpasswd"), "expire"));
  g_assert_false(json_object_has_member(object, "ssh_authorized_keys"));
}

/* What is the user's comes as it is, and what is asked for besides has another place. */
static void test_own_files(void) {
  g_autoptr(CloudSeed) seed = cloud_seed_new();
  g_autoptr(JsonParser) parser = json_parser_new();

  seed->password = g_strdup("secret");
  g_ptr_array_add(seed->keys, g_strdup(KEY));
  seed->own[SEED_USER_DATA] = bytes_of("#!/bin/sh\n\xff\n");
  seed->own[SEED_META_DATA] = bytes_of("instance-id: mine\n");
  seed->own[SEED_NETWORK_CONFIG] = bytes_of("version: 2\n");
  g_assert_null(cloud_seed_explain_conflict(seed));
  g_autoptr(GPtrArray) files = cloud_seed_files(seed);
  g_autofree char *user = text_of(files, "user-data"), *meta = text_of(files, "meta-data"), *vendor = text_of(files, "vendor-data"),
                  *network = text_of(files, "network-config");
  g_assert_cmpuint(files->len, ==, 4);
  g_assert_cmpstr(user, ==, "#!/bin/sh\n\xff\n");
  g_assert_cmpstr(meta, ==, "instance-id: mine\n");
  g_assert_cmpstr(network, ==, "version: 2\n");
  JsonObject *object = object_of(parser, vendor);
  g_assert_true(json_object_has_member(object, "password"));
  g_assert_cmpstr(json_array_get_string_element(json_object_get_array_member(object, "ssh_authorized_keys"), 0), ==, KEY);
  seed->own[SEED_VENDOR_DATA] = bytes_of("#cloud-config\n");
  g_assert_nonnull(cloud_seed_explain_conflict(seed));
  g_clear_pointer(&seed->password, g_free);
  g_assert_nonnull(cloud_seed_explain_conflict(seed));
  g_clear_pointer(&seed->own[SEED_META_DATA], g_bytes_unref); /* the key has a place */
  g_assert_null(cloud_seed_explain_conflict(seed));
  seed->asks_password = true;
  g_assert_nonnull(cloud_seed_explain_conflict(seed));
}

/* It is the same for the same, and another for anything else. */
static void test_instance(void) {
  g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr(CloudSeed) seed = cloud_seed_new();
  g_autofree char *first = instance_of(seed), *again = instance_of(seed);

  g_assert_cmpstr(first, ==, again);
  g_assert_true(g_str_has_prefix(first, "eret-"));
  g_hash_table_add(known, g_steal_pointer(&first));
  seed->hostname = g_strdup("a");
  g_assert_true(g_hash_table_add(known, instance_of(seed)));
  g_ptr_array_add(seed->keys, g_strdup(KEY));
  g_assert_true(g_hash_table_add(known, instance_of(seed)));
  seed->password = g_strdup("a");
  g_assert_true(g_hash_table_add(known, instance_of(seed)));
  g_free(seed->password);
  seed->password = g_strdup("b");
  g_assert_true(g_hash_table_add(known, instance_of(seed)));
  seed->own[SEED_USER_DATA] = bytes_of("#cloud-config\n");
  g_assert_true(g_hash_table_add(known, instance_of(seed)));
  seed->own[SEED_NETWORK_CONFIG] = bytes_of("");
  g_assert_true(g_hash_table_add(known, instance_of(seed)));
  g_assert_false(g_hash_table_add(known, instance_of(seed)));
}

/* The volume. */

static char *run(const char *image, const char *const *words, const char *last) {
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  g_autoptr(GError) error = NULL;
  char *out = NULL;
  int status;

  g_ptr_array_add(argv, (char *)words[0]);
  g_ptr_array_add(argv, (char *)"-i");
  g_ptr_array_add(argv, (char *)image);
  for (unsigned i = 1; words[i]; i++)
    g_ptr_array_add(argv, (char *)words[i]);
  g_ptr_array_add(argv, (char *)last);
  g_ptr_array_add(argv, NULL);
  g_assert_true(g_spawn_sync(NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, NULL, &status, &error));
  g_assert_no_error(error);
  g_assert_true(g_spawn_check_wait_status(status, NULL));
  return out;
}

static GBytes *make(SeedFile *const *list, unsigned n) {
  g_autoptr(GPtrArray) files = g_ptr_array_new();
  g_autoptr(GError) error = NULL;

  for (unsigned i = 0; i < n; i++)
    g_ptr_array_add(files, list[i]);
  GBytes *volume = seed_volume_make(files, &error);
  g_assert_no_error(error);
  return volume;
}

/* SIZE bytes in a file each; all of them come back. */
static void check_volume(gsize size) {
  static const char *const list[] = {"mdir", "-b", NULL}, *const label[] = {"mlabel", "-s", NULL};
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL), *image = g_build_filename(directory, "image", NULL),
                  *copied = g_build_filename(directory, "copied", NULL), *data = g_malloc(size + 1);
  for (gsize i = 0; i < size; i++)
    data[i] = (char)(i * 7 + i / 251);
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  SeedFile user = {"user-data", bytes}, meta = {"meta-data", bytes}, vendor = {"vendor-data", bytes}, network = {"network-config", bytes};
  SeedFile *const files[] = {&user, &meta, &vendor, &network};
  g_autoptr(GBytes) volume = make(files, G_N_ELEMENTS(files));
  gsize volume_size, copied_size;
  const char *volume_data = g_bytes_get_data(volume, &volume_size);

  g_assert_cmpuint(volume_size, <, 4 * size + size / 16 + 64 * 1024);
  g_assert_cmpuint(volume_size % 512, ==, 0);
  for (unsigned i = 446; i < 510; i++) /* no partition */
    g_assert_cmpint(volume_data[i], ==, 0);
  g_assert_true(g_file_set_contents(image, volume_data, (gssize)volume_size, NULL));
  g_autofree char *names = run(image, list, "::"), *labelled = run(image, label, "::");
  g_assert_cmpstr(names, ==, "::/user-data\n::/meta-data\n::/vendor-data\n::/network-config\n");
  g_assert_nonnull(strstr(labelled, SEED_VOLUME_LABEL));
  for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *source = g_strconcat("::", files[i]->name, NULL);
    const char *const copy[] = {"mcopy", "-n", source, NULL};
    g_free(run(image, copy, copied));
    g_autofree char *back = NULL;
    g_assert_true(g_file_get_contents(copied, &back, &copied_size, NULL));
    g_assert_cmpmem(back, copied_size, data, size);
  }
  g_assert_cmpint(g_remove(image), ==, 0);
  g_assert_cmpint(g_remove(copied), ==, 0);
  g_assert_cmpint(g_remove(directory), ==, 0);
}

static void test_volume(void) {
  static const gsize sizes[] = {0, 1, 511, 512, 513, 20000, 400 * 1024, 520 * 1024, SEED_FILE_MAX};

  if (!seed_volume_can_make(NULL)) {
    g_test_skip("no mtools here");
    return;
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++)
    check_volume(sizes[i]);
}

/* A user's configuration of mtools is not asked. */
static void test_mtoolsrc(void) {
  g_autoptr(GBytes) bytes = bytes_of("x");
  SeedFile meta = {"meta-data", bytes};
  SeedFile *const files[] = {&meta};

  if (!seed_volume_can_make(NULL)) {
    g_test_skip("no mtools here");
    return;
  }
  g_setenv("MTOOLSRC", "/nonexistent/x", TRUE);
  g_autoptr(GBytes) volume = make(files, 1);
  g_assert_nonnull(volume);
  g_unsetenv("MTOOLSRC");
}

static void test_no_mtools(void) {
  g_autofree char *path = g_strdup(g_getenv("PATH"));
  g_autoptr(GError) error = NULL, same = NULL;
  g_autoptr(GPtrArray) files = g_ptr_array_new();

  g_setenv("PATH", "/nonexistent", TRUE);
  g_assert_false(seed_volume_can_make(&error));
  g_assert_error(error, SEED_ERROR, SEED_ERROR_TOOLS);
  g_assert_nonnull(strstr(error->message, "apt install mtools"));
  g_assert_null(seed_volume_make(files, &same));
  g_assert_error(same, SEED_ERROR, SEED_ERROR_TOOLS);
  g_setenv("PATH", path, TRUE);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/cloud-seed/hostname", test_hostname);
  g_test_add_func("/cloud-seed/user-data", test_user_data);
  g_test_add_func("/cloud-seed/has-instance", test_has_instance);
  g_test_add_func("/cloud-seed/password", test_password);
  g_test_add_func("/cloud-seed/smallest", test_smallest);
  g_test_add_func("/cloud-seed/keys-and-password", test_keys_and_password);
  g_test_add_func("/cloud-seed/own-files", test_own_files);
  g_test_add_func("/cloud-seed/instance", test_instance);
  g_test_add_func("/seed-volume/files", test_volume);
  g_test_add_func("/seed-volume/mtoolsrc", test_mtoolsrc);
  g_test_add_func("/seed-volume/no-mtools", test_no_mtools);
  return g_test_run();
}
