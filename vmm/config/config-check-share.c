/* SPDX-License-Identifier: Apache-2.0 */
/* Shared directories: each, and that no two share a tag or place. What the host's virtiofsd can is asked of it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/boot/command-line.h"
#include "vmm/config/config-check.h"
#include "vmm/helpers/id-map.h"

static void check_directory(OptionDraft *draft, const char *where, const char *path) {
  g_autofree char *inside = g_build_filename(path, ".", NULL); /* of what is no directory it is ENOTDIR */
  bool tilde = g_str_has_prefix(path, "~/");

  if (faccessat(AT_FDCWD, inside, R_OK | X_OK, AT_EACCESS) == 0)
    return;
  int reason = errno;
  option_mistake(draft, where, "cannot share '%s': %s%s", path, g_strerror(reason),
                 tilde && reason == ENOENT ? " (the shell left the ~ as it is)" : "");
}

/* It goes into command lines, and stands between other words there. */
static bool is_tag(const char *tag) {
  for (const char *at = tag; *at; at++)
    if (!g_ascii_isalnum(*at) && !strchr("._-", *at))
      return false;
  return g_ascii_isalnum(*tag);
}

/* The number of the share, from 1, by what no other has: its tag, or its place in the guest. */
typedef struct {
  GHashTable *tags, *places;
} Known;

static void check_tag(OptionDraft *draft, const char *where, const ShareConfig *share, unsigned index, GHashTable *known) {
  unsigned other = GPOINTER_TO_UINT(g_hash_table_lookup(known, share->tag));

  if (!is_tag(share->tag))
    option_mistake(draft, where, "tag: '%s': letters, digits, '.', '_' and '-' make a tag, of which the first is a letter or digit",
                   share->tag);
  else if (other)
    option_mistake(draft, where, "tag: '%s' is that of directory number %u, too", share->tag, other);
  else
    g_hash_table_insert(known, share->tag, GUINT_TO_POINTER(index + 1));
}

/* PATH as the guest's kernel reads it, for which two slashes at the beginning are one. Free with g_free. */
static char *canonical_place(const char *path) {
  return g_canonicalize_filename(path + strspn(path, "/") - 1, "/");
}

/* The kernel has file systems of its own at these, in any guest. */
static bool is_taken(const char *place) {
  static const char *const taken[] = {"/", "/proc", "/sys", "/dev"};

  for (unsigned i = 0; i < G_N_ELEMENTS(taken); i++)
    if (strcmp(place, taken[i]) == 0)
      return true;
  return false;
}

static bool has_controls(const char *text) {
  while (*text && !g_ascii_iscntrl(*text))
    text++;
  return *text;
}

/* What one mounts over the other hides it. */
static bool check_alone(OptionDraft *draft, const char *where, const char *at, unsigned index, GHashTable *known) {
  char *place = canonical_place(at);
  unsigned other = GPOINTER_TO_UINT(g_hash_table_lookup(known, place));

  if (is_taken(place))
    option_mistake(draft, where, "at: '%s' is the guest's own: name another place", at);
  else if (other)
    option_mistake(draft, where, "at: '%s' is where directory number %u is mounted, too: name another place", at, other);
  bool good = !is_taken(place) && !other;
  g_hash_table_insert(known, place, GUINT_TO_POINTER(other ? other : index + 1));
  return good;
}

/* Systemd's words have colons between them, and the command line blanks. */
static void check_told(OptionDraft *draft, const char *where, const Config *config, const char *at) {
  if (strpbrk(at, ": \""))
    option_mistake(draft, where,
                   "at: '%s': a guest is told by its kernel's command line, where it can have neither blanks, colons nor quotes", at);
  else if (!config->kernel && !draft->incomplete && !option_has_failed(draft, "kernel", -1))
    option_mistake(draft, where,
                   "at: a guest is told by its kernel's command line, and there is none without --kernel: mount it there yourself");
}

static void check_place(OptionDraft *draft, const char *where, const Config *config, unsigned index, GHashTable *known) {
  const char *at = ((const ShareConfig *)config->shares->pdata[index])->at;

  if (at[0] != '/')
    option_mistake(draft, where, "at: '%s' must be an absolute path in the guest", at);
  else if (has_controls(at))
    option_mistake(draft, where, "at: '%s' has control characters: name another place", at);
  else if (check_alone(draft, where, at, index, known) && !config->own_init)
    check_told(draft, where, config, at);
}

static void check_map(OptionDraft *draft, const char *where, const char *key, const GPtrArray *texts) {
  g_autofree char *why = NULL;
  g_autoptr(IdMap) map = id_map_parse(texts, &why);

  if (!map)
    option_mistake(draft, where, "%s: %s", key, why);
}

static void check_share(OptionDraft *draft, const Config *config, unsigned index, const Known *known) {
  ShareConfig *share = config->shares->pdata[index];
  const char *where = option_where(draft, "share", (int)index);

  if (!share->tag)
    share->tag = g_strdup_printf("share%u", index);
  if (share->path)
    check_directory(draft, where, share->path);
  check_tag(draft, where, share, index, known->tags);
  if (share->at)
    check_place(draft, where, config, index, known->places);
  check_map(draft, where, "uid-map", share->uid_map);
  check_map(draft, where, "gid-map", share->gid_map);
}

void config_check_shares(OptionDraft *draft, const Config *config) {
  g_autoptr(GHashTable) tags = g_hash_table_new(g_str_hash, g_str_equal);
  g_autoptr(GHashTable) places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  const Known known = {tags, places};

  for (unsigned i = 0; i < config->shares->len; i++)
    check_share(draft, config, i, &known);
}

/* systemd-fstab-generator(8), from systemd 254 on. */
void config_tell_mounts(Config *config) {
  for (unsigned i = 0; i < config->shares->len && !config->own_init; i++) {
    const ShareConfig *share = config->shares->pdata[i];
    g_autofree char *words =
        share->at ? g_strdup_printf("systemd.mount-extra=%s:%s:virtiofs%s", share->tag, share->at, share->read_only ? ":ro" : "") : NULL;
    if (words)
      command_line_put(&config->append, words);
  }
}
