/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that a guest is given: what is one and what is not, where it is found, what the guest's systemd is told. */
#include "vmm/control/ssh-key.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/directory.h"

static void append_string(GByteArray *bytes, const void *data, unsigned size) {
  const guint8 length[] = {0, 0, (guint8)(size >> 8), (guint8)size};

  g_byte_array_append(bytes, length, sizeof length);
  g_byte_array_append(bytes, data, size);
}

/* As ssh-keygen writes it: TYPE, and in base64 INNER, as a string, and FIELDS of SIZE bytes, without the last CUT. */
static char *key_cut(const char *type, const char *inner, unsigned fields, unsigned size, unsigned cut) {
  g_autoptr(GByteArray) bytes = g_byte_array_new();
  g_autofree guint8 *field = g_malloc(size + 1);

  for (unsigned i = 0; i < size; i++)
    field[i] = (guint8)(i * 37);
  append_string(bytes, inner, (unsigned)strlen(inner));
  for (unsigned i = 0; i < fields; i++)
    append_string(bytes, field, size);
  g_autofree char *base64 = g_base64_encode(bytes->data, bytes->len - cut);
  return g_strconcat(type, " ", base64, NULL);
}

static char *key_of(const char *type, const char *inner, unsigned fields, unsigned size, const char *rest) {
  g_autofree char *bare = key_cut(type, inner, fields, size, 0);

  return g_strconcat(bare, rest, NULL);
}

static char *ed25519(const char *rest) {
  return key_of("ssh-ed25519", "ssh-ed25519", 1, 32, rest);
}

static void assert_parsed(const char *text, const char *wanted) {
  const char *why = NULL;
  g_autofree char *line = ssh_key_parse(text, strlen(text), &why);

  g_assert_cmpstr(why, ==, NULL);
  g_assert_cmpstr(line, ==, wanted);
}

static void assert_refused(const char *text, gssize size, const char *wanted) {
  const char *why = NULL;
  g_autofree char *line = ssh_key_parse(text, size < 0 ? strlen(text) : (gsize)size, &why);

  g_assert_null(line);
  g_assert_cmpstr(why, ==, wanted);
}

/* How many fields each has behind its type. */
static const struct {
  const char *name;
  unsigned fields;
} types[] = {
    {"ssh-ed25519", 1},         {"ssh-rsa", 2},   {"ecdsa-sha2-nistp256", 2},        {"ecdsa-sha2-nistp384", 2},
    {"ecdsa-sha2-nistp521", 2}, {"ssh-ed448", 1}, {"sk-ssh-ed25519@openssh.com", 2}, {"sk-ecdsa-sha2-nistp256@openssh.com", 3},
};

/* The comment is not the guest's to know. */
static void test_good(void) {
  static const char *const rests[] = {
      "", "\n", " me@host\n", " in Latin-1: \344\n", " a comment of words \r\n", " \n\n\n# another comment\n"};

  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    for (unsigned j = 0; j < G_N_ELEMENTS(rests); j++) {
      g_autofree char *bare = key_of(types[i].name, types[i].name, types[i].fields, 300 + i, ""),
                      *text = g_strconcat("# mine\n\n", bare, rests[j], NULL);
      assert_parsed(text, bare);
    }
  g_autofree char *own = ed25519("");
  g_assert_cmpuint(strlen(own), ==, strlen(SSH_KEY_OWN_LINE));
}

static void test_bad(void) {
  const char *no_key = "it is no public key, such as ssh-keygen writes into a file whose name ends in .pub";
  const char *no_type = "a public key begins with its type, such as ssh-ed25519 or ssh-rsa, and has no options before it";
  const char *broken = "behind its type, the key is broken", *controls = "it has control characters", *many;
  g_autofree char *good = ed25519("\n"), *twice = g_strconcat(good, good, NULL), *options = g_strconcat("no-pty ", good, NULL);
  g_autofree char *other = key_of("ssh-rsa", "ssh-ed25519", 1, 32, ""), *dsa = key_of("ssh-dss", "ssh-dss", 4, 100, "");
  g_autofree char *escape = ed25519(" \033[2J"), *tab = g_strdelimit(ed25519(""), " ", '\t');
  g_autofree char *certificate = key_of("ssh-ed25519-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com", 1, 36, "");
  g_autofree char *cut = g_strndup(good, strlen(good) - 3);
  static const char zero[] = "ssh-rsa \0AAAA";

  many = "it has more than one key: a file with one is wanted";
  assert_refused("", 0, "it is empty");
  assert_refused("\n# nothing\n", -1, "it is empty");
  assert_refused("-----BEGIN OPENSSH PRIVATE KEY-----\n", -1,
                 "it is a private key, and the public one, which the guest is given, is not beside it; ssh-keygen -y makes it");
  assert_refused("nonsense", -1, no_key);
  assert_refused("ssh-rsa", -1, broken);
  assert_refused("ssh-rsa  ", -1, broken);
  assert_refused("ssh-rsa AAAA", -1, broken);
  assert_refused("ssh-rsa !!!!", -1, broken);
  assert_refused("ssh-rsa \303\244\303\244", -1, broken);
  assert_refused(zero, sizeof zero - 1, "it is no text");
  assert_refused(twice, -1, many);
  assert_refused(options, -1, no_type);
  assert_refused(other, -1, broken);
  assert_refused(dsa, -1, no_type);
  assert_refused(certificate, -1, no_type);
  assert_refused(escape, -1, controls);
  assert_refused(tab, -1, controls);
  assert_refused(cut, -1, broken);
}

/* Wherever it ends; and what is behind its end. */
static void test_not_whole(void) {
  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
    for (unsigned cut = 1; cut <= (4 + 50) * types[i].fields; cut++) {
      g_autofree char *text = key_cut(types[i].name, types[i].name, types[i].fields, 50, cut);
      assert_refused(text, -1, "the key is cut off: its last bytes are not there");
    }
    g_autofree char *more = key_of(types[i].name, types[i].name, types[i].fields + 1, 0, "");
    assert_refused(more, -1, "behind its end, the key goes on: it is broken");
  }
  assert_refused("ssh-rsa AAAAB3NzaC1yc2H/////AAAA", -1, "the key is cut off: its last bytes are not there");
}

typedef struct {
  char *directory, *public_half, *private_half;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->private_half = g_build_filename(fixture->directory, "key", NULL);
  fixture->public_half = g_build_filename(fixture->directory, "key.pub", NULL);
  g_autofree char *line = ed25519(" me\n");
  directory_write(fixture->directory, "key.pub", line);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->public_half);
  g_free(fixture->private_half);
}

static void assert_read(const char *path, const char *identity) {
  g_autoptr(GError) error = NULL;
  g_autofree char *line = ed25519("");
  g_autoptr(SshKey) key = ssh_key_read(path, &error);

  g_assert_no_error(error);
  g_assert_cmpstr(key->line, ==, line);
  g_assert_cmpstr(key->identity, ==, identity);
}

static void assert_unreadable(const char *path, SshKeyError code, const char *wanted) {
  g_autoptr(GError) error = NULL;

  g_assert_null(ssh_key_read(path, &error));
  g_assert_error(error, SSH_KEY_ERROR, (int)code);
  g_assert_nonnull(strstr(error->message, wanted));
}

/* By either half; the private one is what ssh is given, where it is there. */
static void test_files(Fixture *fixture, gconstpointer data) {
  assert_read(fixture->public_half, fixture->public_half);
  assert_read(fixture->private_half, fixture->public_half); /* which an agent may have */
  directory_write(fixture->directory, "key", "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n");
  assert_read(fixture->public_half, fixture->private_half);
  assert_read(fixture->private_half, fixture->private_half);
  directory_write(fixture->directory, "key.pub", "ssh-rsa AAAA\n");
  assert_unreadable(fixture->private_half, SSH_KEY_ERROR_TEXT, "key.pub' cannot be taken: behind its type, the key is broken");
  g_unlink(fixture->public_half);
  assert_unreadable(fixture->private_half, SSH_KEY_ERROR_TEXT, "key' cannot be taken: it is a private key, and the public one");
  assert_unreadable(fixture->directory, SSH_KEY_ERROR_FILE, "cannot read");
  g_autofree char *none = g_build_filename(fixture->directory, "none", NULL);
  assert_unreadable(none, SSH_KEY_ERROR_FILE, "none': No such file");
}

/* What systemd makes of it: systemd(1), systemd.set_credential, and that in base64. */
static void test_credentials(void) {
  g_autofree char *words = ssh_key_credentials("ssh-ed25519 AAAA");

  g_assert_cmpstr(words, ==,
                  "systemd.set_credential_binary=ssh.authorized_keys.root:c3NoLWVkMjU1MTkgQUFBQQo= "
                  "systemd.set_credential=\"ssh.ephemeral-authorized_keys-all:ssh-ed25519 AAAA\"");
}

/* A program of that name which does what DOES says, in the one directory where programs are looked for. */
static void fake_keygen(const Fixture *fixture, const char *does) {
  g_autofree char *text = g_strconcat("#!/bin/sh\n", does, "\n", NULL),
                  *path = g_build_filename(fixture->directory, "bin/ssh-keygen", NULL);
  g_autofree char *bin = g_path_get_dirname(path);

  directory_write(fixture->directory, "bin/ssh-keygen", text);
  g_assert_cmpint(g_chmod(path, 0755), ==, 0);
  g_setenv("PATH", bin, TRUE);
}

static void assert_not_made(const char *wanted) {
  g_autoptr(GError) error = NULL;
  g_autofree char *mine = g_build_filename(g_get_user_data_dir(), "eret", NULL);

  g_assert_null(ssh_key_make_own(&error));
  g_assert_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE);
  g_assert_nonnull(strstr(error->message, wanted));
  g_autoptr(GDir) dir = g_dir_open(mine, 0, NULL);
  g_assert_cmpstr(dir ? g_dir_read_name(dir) : NULL, ==, NULL);
}

static void test_own(Fixture *fixture, gconstpointer data) {
  g_autofree char *path = g_strdup(g_getenv("PATH")), *bin = g_build_filename(fixture->directory, "bin", NULL), *line = ed25519("");
  g_autofree char *does = g_strdup_printf("for file; do :; done\necho private > \"$file\"\necho '%s eret' > \"$file.pub\"", line);
  g_autoptr(GError) error = NULL;
  struct stat status;

  g_assert_null(ssh_key_find_own(&error));
  g_assert_no_error(error);
  g_setenv("PATH", bin, TRUE);
  assert_not_made("ssh-keygen, which makes the key for guests, is not installed");
  fake_keygen(fixture, "echo 'no entropy' >&2; exit 1");
  assert_not_made("ssh-keygen cannot make the key for guests: no entropy");
  fake_keygen(fixture, "exit 1");
  assert_not_made("ssh-keygen cannot make the key for guests: ");
  fake_keygen(fixture, does);
  g_autoptr(SshKey) made = ssh_key_make_own(&error);
  g_assert_no_error(error);
  g_assert_cmpstr(made->line, ==, line);
  g_autofree char *directory = g_path_get_dirname(made->identity), *name = g_path_get_basename(made->identity);
  g_assert_cmpstr(name, ==, "id_ed25519");
  g_assert_cmpint(stat(directory, &status), ==, 0);
  g_assert_cmpuint(status.st_mode & 07777, ==, 0700);
  /* It is made once. */
  fake_keygen(fixture, "exit 1");
  g_autoptr(SshKey) again = ssh_key_make_own(&error), found = ssh_key_find_own(&error);
  g_assert_no_error(error);
  g_assert_cmpstr(again->line, ==, line);
  g_assert_cmpstr(found->identity, ==, made->identity);
  /* Somebody has spoilt it. */
  g_autofree char *public_half = g_strconcat(made->identity, ".pub", NULL);
  g_assert_true(g_file_set_contents(public_half, "spoilt", -1, NULL));
  g_assert_null(ssh_key_make_own(&error));
  g_assert_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_TEXT);
  g_clear_error(&error);
  g_unlink(public_half);
  fake_keygen(fixture, does);
  g_assert_null(ssh_key_make_own(&error));
  g_assert_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE);
  g_assert_nonnull(strstr(error->message, "is there, and has no key for guests in it: remove it"));
  g_setenv("PATH", path, TRUE);
}

int main(int argc, char **argv) {
  g_autofree char *data = directory_new();

  g_setenv("XDG_DATA_HOME", data, TRUE); /* before GLib has looked */
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ssh-key/good", test_good);
  g_test_add_func("/ssh-key/bad", test_bad);
  g_test_add_func("/ssh-key/not-whole", test_not_whole);
  g_test_add("/ssh-key/files", Fixture, NULL, set_up, test_files, tear_down);
  g_test_add_func("/ssh-key/credentials", test_credentials);
  g_test_add("/ssh-key/own", Fixture, NULL, set_up, test_own, tear_down);
  int result = g_test_run();
  directory_free(data);
  return result;
}
