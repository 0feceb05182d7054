/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A public key is a line of type, base64 and comment (sshd(8), AUTHORIZED_KEYS FILE FORMAT); the bytes begin with the
 * type once more (RFC 4253, 6.6). What the guest gets is composed anew from what was checked.
 */
#include "vmm/control/ssh-key.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/whole-file.h"

#define KEY_FILE_MAX (1 << 20)
#define PUBLIC       ".pub"
#define OWN_NAME     "id_ed25519"
#define OWN_MODE     0700

G_DEFINE_QUARK(eret_ssh_key_error, ssh_key_error)

/* How many strings a key is of, with its type: RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4; OpenSSH's PROTOCOL.u2f. */
typedef struct {
  const char *name;
  unsigned fields;
} KeyType;

static const KeyType types[] = {
    {"ssh-ed25519", 2}, {"ecdsa-sha2-nistp256", 3}, {"ecdsa-sha2-nistp384", 3},        {"ecdsa-sha2-nistp521", 3},
    {"ssh-rsa", 3},     {"ssh-ed448", 2},           {"sk-ssh-ed25519@openssh.com", 3}, {"sk-ecdsa-sha2-nistp256@openssh.com", 4},
};

void ssh_key_free(SshKey *key) {
  if (!key)
    return;
  g_free(key->line);
  g_free(key->identity);
  g_free(key);
}

static const KeyType *find_type(const char *word) {
  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    if (strcmp(types[i].name, word) == 0)
      return &types[i];
  return NULL;
}

/* How many of SIZE bytes are left behind a string, which begins with its length (RFC 4251, 5); -1: it ends beyond. */
static gssize skip_string(const guchar *bytes, gsize size) {
  if (size < 4)
    return -1;
  gsize length = (gsize)bytes[0] << 24 | (gsize)bytes[1] << 16 | (gsize)bytes[2] << 8 | bytes[3];
  return length <= size - 4 ? (gssize)(size - 4 - length) : -1;
}

/* What is wrong with BASE64, which is to be the bytes of a key of TYPE: strings, of which the first is the type. */
static const char *explain_bytes(const char *base64, const KeyType *type) {
  gsize size, length = strlen(type->name);
  g_autofree guchar *bytes = g_base64_decode(base64, &size);
  g_autofree char *again = g_base64_encode(bytes, size);
  gssize left = (gssize)size;

  if (strcmp(again, base64) != 0 || size < length + 4 || skip_string(bytes, size) != (gssize)(size - length - 4) ||
      memcmp(bytes + 4, type->name, length) != 0)
    return "behind its type, the key is broken";
  for (unsigned i = 0; i < type->fields && left >= 0; i++)
    left = skip_string(bytes + size - left, (gsize)left);
  if (left < 0)
    return "the key is cut off: its last bytes are not there";
  return left ? "behind its end, the key goes on: it is broken" : NULL;
}

static const char *check_words(char **words) {
  const KeyType *type = words[0] ? find_type(words[0]) : NULL;

  if (!type)
    return words[0] && words[1] ? "a public key begins with its type, such as ssh-ed25519 or ssh-rsa, and has no options before it"
                                : "it is no public key, such as ssh-keygen writes into a file whose name ends in .pub";
  return explain_bytes(words[1] ? words[1] : "", type);
}

static char *parse_line(char *line, const char **why) {
  g_auto(GStrv) words = NULL;

  for (const char *c = line; *c; c++)
    if (g_ascii_iscntrl(*c)) {
      *why = "it has control characters";
      return NULL;
    }
  words = g_strsplit(g_strstrip(line), " ", 3);
  *why = check_words(words);
  return *why ? NULL : g_strconcat(words[0], " ", words[1], NULL);
}

char *ssh_key_parse(const char *text, gsize size, const char **why) {
  g_autofree char *key = NULL;

  if (memchr(text, 0, size)) {
    *why = "it is no text";
    return NULL;
  }
  if (g_str_has_prefix(text, "-----BEGIN ")) {
    *why = "it is a private key, and the public one, which the guest is given, is not beside it; ssh-keygen -y makes it";
    return NULL;
  }
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (char **line = lines; *line; line++) {
    if (g_str_has_suffix(*line, "\r"))
      (*line)[strlen(*line) - 1] = 0;
    if (!**line || **line == '#')
      continue;
    if (key) {
      *why = "it has more than one key: a file with one is wanted";
      return NULL;
    }
    if (!(key = parse_line(*line, why)))
      return NULL;
  }
  if (!key)
    *why = "it is empty";
  return g_steal_pointer(&key);
}

/* The file with the public half: a private one is not even opened where the other is beside it. */
static char *find_public(const char *path) {
  g_autofree char *beside = g_strconcat(path, PUBLIC, NULL);

  return !g_str_has_suffix(path, PUBLIC) && access(beside, F_OK) == 0 ? g_steal_pointer(&beside) : g_strdup(path);
}

/* What ssh is to be given for the public key in PATH. */
static char *find_identity(const char *path) {
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *private_half = g_str_has_suffix(absolute, PUBLIC) ? g_strndup(absolute, strlen(absolute) - strlen(PUBLIC)) : NULL;

  return private_half && access(private_half, F_OK) == 0 ? g_steal_pointer(&private_half) : g_steal_pointer(&absolute);
}

SshKey *ssh_key_read(const char *path, GError **error) {
  g_autofree char *file = find_public(path);
  g_autoptr(GError) local = NULL;
  const char *why = NULL;
  gsize size;
  g_autofree char *text = whole_file_read(file, KEY_FILE_MAX, "public key", &size, &local);

  if (!text) {
    g_set_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_FILE, "cannot read '%s': %s", file, local->message);
    return NULL;
  }
  char *line = ssh_key_parse(text, size, &why);
  if (!line) {
    g_set_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_TEXT, "'%s' cannot be taken: %s", file, why);
    return NULL;
  }
  SshKey *key = g_new0(SshKey, 1);
  *key = (SshKey){.line = line, .identity = find_identity(file)};
  return key;
}

/* eret's own. */

static char *own_directory(void) {
  return g_build_filename(g_get_user_data_dir(), "eret", "ssh", NULL);
}

SshKey *ssh_key_find_own(GError **error) {
  g_autofree char *directory = own_directory();
  g_autofree char *path = g_build_filename(directory, OWN_NAME PUBLIC, NULL);

  return access(path, F_OK) == 0 ? ssh_key_read(path, error) : NULL;
}

static bool run_keygen(const char *path, GError **error) {
  g_autofree char *program = g_find_program_in_path("ssh-keygen"), *errors = NULL, *out = NULL;
  const char *const argv[] = {program, "-q", "-t", "ed25519", "-N", "", "-C", "eret", "-f", path, NULL};
  g_autoptr(GError) local = NULL;
  int status;

  if (!program) {
    g_set_error(
        error, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE,
        "ssh-keygen, which makes the key for guests, is not installed; install it (Debian: apt install openssh-client), or give the "
        "guest a key of yours: --ssh=KEY.pub");
    return false;
  }
  if (g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &errors, &status, &local) &&
      g_spawn_check_wait_status(status, &local))
    return true;
  if (errors && *g_strstrip(errors))
    g_set_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE, "ssh-keygen cannot make the key for guests: %s", errors);
  else
    g_set_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE, "ssh-keygen cannot make the key for guests: %s", local->message);
  return false;
}

static bool set_errno(GError **error, const char *path) {
  g_set_error(error, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE, "cannot make '%s', where the key for guests is kept: %s", path, g_strerror(errno));
  return false;
}

static void remove_fresh(const char *directory) {
  g_autofree char *private_half = g_build_filename(directory, OWN_NAME, NULL), *public_half = g_strconcat(private_half, PUBLIC, NULL);

  unlink(private_half);
  unlink(public_half);
  rmdir(directory);
}

/* Both halves at once, by the directory that they are in: of two that make one at a time, the first counts for both. */
static bool make_own(const char *directory, GError **error) {
  g_autofree char *parent = g_path_get_dirname(directory), *fresh = g_strconcat(directory, ".XXXXXX", NULL);

  if (g_mkdir_with_parents(parent, OWN_MODE) < 0)
    return set_errno(error, parent);
  if (!g_mkdtemp_full(fresh, OWN_MODE))
    return set_errno(error, fresh);
  g_autofree char *path = g_build_filename(fresh, OWN_NAME, NULL);
  bool made = run_keygen(path, error);
  if (made && rename(fresh, directory) == 0)
    return true;
  if (made && errno != EEXIST && errno != ENOTEMPTY)
    made = set_errno(error, directory);
  remove_fresh(fresh);
  return made;
}

SshKey *ssh_key_make_own(GError **error) {
  g_autofree char *directory = own_directory();
  g_autoptr(GError) local = NULL;
  SshKey *key = ssh_key_find_own(&local);

  if (!key && !local && make_own(directory, &local)) {
    key = ssh_key_find_own(&local);
    if (!key && !local)
      g_set_error(&local, SSH_KEY_ERROR, SSH_KEY_ERROR_MAKE, "'%s' is there, and has no key for guests in it: remove it", directory);
  }
  if (local)
    g_propagate_error(error, g_steal_pointer(&local));
  return key;
}

/*
 * The first becomes a file, to which somebody may add lines: it has the line's end, which a word of text cannot have.
 * The second is only read; as text it takes three quarters of the bytes.
 */
char *ssh_key_credentials(const char *line) {
  g_autofree char *whole = g_strconcat(line, "\n", NULL);
  g_autofree char *base64 = g_base64_encode((const guchar *)whole, strlen(whole));

  return g_strdup_printf("systemd.set_credential_binary=ssh.authorized_keys.root:%s "
                         "systemd.set_credential=\"ssh.ephemeral-authorized_keys-all:%s\"",
                         base64, line);
}
