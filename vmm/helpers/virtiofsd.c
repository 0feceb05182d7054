/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ones by their help and manual of 7.2 and of 1.13. Each takes a socket that listens, serves one connection, and
 * ends with it. The one in Rust serves a user, too, in a user namespace that it makes; the one in C has to find itself
 * root, and so is put into one (cage.h).
 */
#include "vmm/helpers/virtiofsd.h"

#include <string.h>
#include <unistd.h>

#include "vmm/helpers/helper-process.h"

#define OVERFLOW_ID 65534u /* Linux: kernel.overflowuid and overflowgid, unless somebody has changed them */

void virtiofsd_free(Virtiofsd *virtiofsd) {
  if (!virtiofsd)
    return;
  g_free(virtiofsd->program);
  g_free(virtiofsd);
}

/* Finding it. */

static bool set_missing(GError **error, const char *why) {
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START,
              "shared directories are served by virtiofsd, %s; install it (Debian: apt install virtiofsd; Debian 12 has an older one in "
              "qemu-system-common)",
              why);
  return false;
}

/* Debian's, and others' places. */
static char *find_program(void) {
  static const char *const places[] = {"/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/lib/qemu/virtiofsd"};
  char *found = g_find_program_in_path("virtiofsd");

  for (unsigned i = 0; i < G_N_ELEMENTS(places) && !found; i++)
    if (access(places[i], X_OK) == 0)
      found = g_strdup(places[i]);
  return found;
}

static char *ask(const Virtiofsd *virtiofsd, const char *question, GError **error) {
  const char *const argv[] = {virtiofsd->program, question, NULL};
  g_autofree char *out = NULL, *errors = NULL;

  if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &errors, NULL, error))
    return NULL;
  return g_strconcat(out, errors, NULL);
}

Virtiofsd *virtiofsd_find(GError **error) {
  g_autoptr(Virtiofsd) virtiofsd = g_new0(Virtiofsd, 1);
  g_autoptr(GError) local = NULL;

  virtiofsd->program = find_program();
  if (!virtiofsd->program) {
    set_missing(error, "which is not installed");
    return NULL;
  }
  g_autofree char *help = ask(virtiofsd, "--help", &local);
  if (!help || !strstr(help, "--fd")) {
    set_missing(error, help ? "and the one that is installed does not take an open socket (--fd)" : local->message);
    return NULL;
  }
  virtiofsd->legacy = !strstr(help, "--shared-dir");
  virtiofsd->read_only = strstr(help, "--readonly");
  virtiofsd->file_handles = strstr(help, "--inode-file-handles");
  virtiofsd->translates = strstr(help, "--translate-uid");
  virtiofsd->uid_map = strstr(help, "--uid-map");
  virtiofsd->metadata = strstr(help, "metadata");
  virtiofsd->tells_submounts = strstr(help, "--no-announce-submounts");
  return g_steal_pointer(&virtiofsd);
}

/* "virtiofsd 1.13.2", "virtiofsd version 7.2.22 (Debian ...)": the first word that begins with a digit. */
char *virtiofsd_version(const Virtiofsd *virtiofsd) {
  g_autofree char *text = ask(virtiofsd, "--version", NULL);
  const char *number = text ? strpbrk(text, "0123456789") : NULL;

  return number ? g_strndup(number, strspn(number, "0123456789.")) : NULL;
}

/* Much of it is about its end, which is known. */
bool virtiofsd_is_noise(const char *line) {
  static const char *const parts[] = {
      "Couldn't set the process uid as root",
      "Couldn't set the process gid as root",
      "Unexpected poll revents 11",
      "fv_remove_watch: TODO",
      "Client disconnected",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++)
    if (strstr(line, parts[i]))
      return true;
  return false;
}

/* Whether it can. */

static bool refuse(GError **error, const char *what) {
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "the virtiofsd that is installed %s; Debian 13's can", what);
  return false;
}

static bool can_map(const Virtiofsd *virtiofsd, const IdMap *map, const VirtiofsdPlace *place) {
  if (place->alone)
    return map->kind == ID_MAP_AUTO || (map->kind == ID_MAP_SQUASH && virtiofsd->translates);
  switch (map->kind) {
  case ID_MAP_AUTO:
  case ID_MAP_SAME:
    return true;
  case ID_MAP_SQUASH:
    return virtiofsd->translates;
  case ID_MAP_RANGES:
    return place->uid == 0 ? virtiofsd->translates : virtiofsd->uid_map;
  }
  g_assert_not_reached();
}

bool virtiofsd_can(const Virtiofsd *virtiofsd, const ShareConfig *config, const VirtiofsdPlace *place, GError **error) {
  if (config->cache == SHARE_CACHE_METADATA && !virtiofsd->metadata)
    return refuse(error, "does not know cache=metadata");
  if (!can_map(virtiofsd, place->uid_map, place) || !can_map(virtiofsd, place->gid_map, place))
    return refuse(error, "cannot tell users apart as uid-map and gid-map say");
  return true;
}

/* Its arguments. */

static void add(GPtrArray *arguments, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(GPtrArray *arguments, const char *format, ...) {
  va_list values;

  va_start(values, format);
  g_ptr_array_add(arguments, g_strdup_vprintf(format, values));
  va_end(values);
}

/* Its options of -o are separated by commas. */
static char *escape(const char *text) {
  GString *escaped = g_string_new(NULL);

  for (; *text; text++)
    g_string_append_printf(escaped, "%s%c", *text == ',' || *text == '\\' ? "\\" : "", *text);
  return g_string_free(escaped, FALSE);
}

static void add_legacy(GPtrArray *arguments, const ShareConfig *config, const VirtiofsdPlace *place) {
  static const char *const caches[] = {
      [SHARE_CACHE_AUTO] = "auto", [SHARE_CACHE_ALWAYS] = "always", [SHARE_CACHE_METADATA] = "auto", [SHARE_CACHE_NEVER] = "none"};
  g_autofree char *source = escape(config->path);
  const char *const options[] = {place->chroot ? "sandbox=chroot" : "sandbox=namespace", config->xattr ? "xattr" : "no_xattr",
                                 config->one_file_system ? NULL : "announce_submounts", "log_level=warn"};

  add(arguments, "-o");
  add(arguments, "source=%s", source);
  add(arguments, "-o");
  add(arguments, "cache=%s", caches[config->cache]);
  for (unsigned i = 0; i < G_N_ELEMENTS(options); i++)
    if (options[i]) {
      add(arguments, "-o");
      add(arguments, "%s", options[i]);
    }
}

static void forbid_from_to(GPtrArray *arguments, const char *letter, uint64_t from, uint64_t to) {
  if (to > from)
    add(arguments, "--translate-%sid=forbid-guest:%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, letter, from, to - from);
}

/* Users in no range, of whom the daemon would make files as those of the same number, or as its own. */
static void forbid_others(GPtrArray *arguments, const char *letter, const GArray *ranges) {
  uint64_t next = 0;

  for (unsigned i = 0; i < ranges->len; i++) {
    const IdRange *range = &g_array_index(ranges, IdRange, i);
    forbid_from_to(arguments, letter, next, range->guest);
    next = (uint64_t)range->guest + range->count;
  }
  forbid_from_to(arguments, letter, next, UINT32_MAX);
}

/* Root may be anybody: who is who is the daemon's own to keep. */
static void add_translation(GPtrArray *arguments, const char *letter, const IdMap *map, uint32_t owner) {
  if (map->kind == ID_MAP_SQUASH) {
    add(arguments, "--translate-%sid=squash-guest:0:%u:%u", letter, owner, UINT32_MAX);
    add(arguments, "--translate-%sid=host:%u:0:1", letter, owner);
  }
  if (map->kind != ID_MAP_RANGES)
    return;
  for (unsigned i = 0; i < map->ranges->len; i++) {
    const IdRange *range = &g_array_index(map->ranges, IdRange, i);
    add(arguments, "--translate-%sid=map:%u:%u:%u", letter, range->guest, range->host, range->count);
  }
  forbid_others(arguments, letter, map->ranges);
}

/* Another user has a user namespace, in which he is root where nothing else is said. */
static void add_namespace(GPtrArray *arguments, const char *letter, const IdMap *map, uint32_t id, const IdRange *subordinates,
                          bool translates) {
  for (unsigned i = 0; i < map->ranges->len; i++) {
    const IdRange *range = &g_array_index(map->ranges, IdRange, i);
    add(arguments, "--%sid-map=:%u:%u:%u:", letter, range->guest, range->host, range->count);
  }
  if (map->kind == ID_MAP_RANGES && translates)
    forbid_others(arguments, letter, map->ranges);
  if (map->kind != ID_MAP_AUTO && map->kind != ID_MAP_SQUASH)
    return;
  add(arguments, "--%sid-map=:0:%u:1:", letter, id);
  if (map->kind == ID_MAP_AUTO && subordinates->count)
    add(arguments, "--%sid-map=:1:%u:%u:", letter, subordinates->host, subordinates->count);
  else if (translates)
    add(arguments, "--translate-%sid=squash-guest:0:0:%u", letter, UINT32_MAX);
}

/* Nobody but its root: all are that. */
static void add_one(GPtrArray *arguments) {
  add(arguments, "--translate-uid=squash-guest:0:0:%u", UINT32_MAX);
  add(arguments, "--translate-gid=squash-guest:0:0:%u", UINT32_MAX);
}

static void add_users(GPtrArray *arguments, const Virtiofsd *virtiofsd, const VirtiofsdPlace *place) {
  if (place->alone) {
    if (virtiofsd->translates)
      add_one(arguments);
  } else if (place->uid == 0) {
    add_translation(arguments, "u", place->uid_map, place->owner);
    add_translation(arguments, "g", place->gid_map, place->owner_group);
  } else if (virtiofsd->uid_map) {
    add_namespace(arguments, "u", place->uid_map, place->uid, &place->sub_uids, virtiofsd->translates);
    add_namespace(arguments, "g", place->gid_map, place->gid, &place->sub_gids, virtiofsd->translates);
  }
}

/* In a user namespace who is not there is OVERFLOW_ID; programs of a root expect that to be root. */
static void add_others(GPtrArray *arguments, const Virtiofsd *virtiofsd, const ShareConfig *config, const VirtiofsdPlace *place) {
  if (!config->is_root || place->uid == 0 || !virtiofsd->translates)
    return;
  add(arguments, "--translate-uid=host:%u:0:1", OVERFLOW_ID);
  add(arguments, "--translate-gid=host:%u:0:1", OVERFLOW_ID);
}

static void add_options(GPtrArray *arguments, const Virtiofsd *virtiofsd, const ShareConfig *config, const VirtiofsdPlace *place) {
  static const char *const caches[] = {
      [SHARE_CACHE_AUTO] = "auto", [SHARE_CACHE_ALWAYS] = "always", [SHARE_CACHE_METADATA] = "metadata", [SHARE_CACHE_NEVER] = "never"};

  add(arguments, "--shared-dir=%s", config->path);
  add(arguments, "--sandbox=%s", place->chroot ? "chroot" : "namespace");
  add(arguments, "--cache=%s", caches[config->cache]);
  add(arguments, "--log-level=warn");
  if (virtiofsd->file_handles && place->uid == 0)
    add(arguments, "--inode-file-handles=prefer");
  if (config->xattr)
    add(arguments, "--xattr");
  if (config->read_only && virtiofsd->read_only)
    add(arguments, "--readonly");
  if (virtiofsd->tells_submounts == config->one_file_system)
    add(arguments, config->one_file_system ? "--no-announce-submounts" : "--announce-submounts");
  add_users(arguments, virtiofsd, place);
  add_others(arguments, virtiofsd, config, place);
}

GPtrArray *virtiofsd_arguments(const Virtiofsd *virtiofsd, const ShareConfig *config, const VirtiofsdPlace *place) {
  GPtrArray *arguments = g_ptr_array_new_with_free_func(g_free);

  add(arguments, "%s", virtiofsd->program);
  add(arguments, "--fd=%d", HELPER_FD);
  add(arguments, "--rlimit-nofile=0"); /* it has the limit that it can have: cage.h */
  if (virtiofsd->legacy)
    add_legacy(arguments, config, place);
  else
    add_options(arguments, virtiofsd, config, place);
  g_ptr_array_add(arguments, NULL);
  return arguments;
}
