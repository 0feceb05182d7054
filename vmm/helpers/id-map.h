/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the guest's users are on the host, in a directory that it shares; the same of groups. Pure, but for the files of
 * subordinate IDs.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Guest IDs from GUEST on are the host's from HOST on, COUNT of them. */
typedef struct {
  uint32_t guest, host, count;
} IdRange;

typedef enum {
  ID_MAP_AUTO,   /* as good as it can be: root has the same; another user is root there, and has his subordinate IDs */
  ID_MAP_SAME,   /* each is who has the same number */
  ID_MAP_SQUASH, /* all are one */
  ID_MAP_RANGES, /* as ranges say; who is in none can make nothing */
} IdMapKind;

typedef struct {
  IdMapKind kind;
  GArray *ranges; /* of IdRange, by guest IDs, none over another */
} IdMap;

/*
 * TEXTS are what is asked for: a word of "auto", "same" and "squash", or ranges GUEST:HOST:COUNT; none: auto. NULL:
 * *WHY says why not; free with g_free.
 */
IdMap *id_map_parse(const GPtrArray *texts, char **why);
void id_map_free(IdMap *map); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IdMap, id_map_free)

/*
 * The first range of the user NAME, of the number ID, in PATH ("/etc/subuid"): subuid(5). COUNT 0: there is none.
 * GUEST is 0.
 */
IdRange id_map_subordinates(const char *path, const char *name, uint32_t id);
/* Both of that user's, where there are programs that give them to him; COUNT 0: there are none. */
void id_map_find_subordinates(const char *name, uint32_t id, IdRange *users, IdRange *groups);
static inline bool id_map_has_subordinates(const char *name, uint32_t id) {
  IdRange users, groups;

  id_map_find_subordinates(name, id, &users, &groups);
  return users.count > 0;
}
