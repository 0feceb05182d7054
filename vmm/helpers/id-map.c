/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/helpers/id-map.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512

void id_map_free(IdMap *map) {
  if (!map)
    return;
  g_array_unref(map->ranges);
  g_free(map);
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint32_t *number) {
  guint64 value;

  if (!text || !g_ascii_string_to_unsigned(text, 10, min, max, &value, NULL))
    return false;
  *number = (uint32_t)value;
  return true;
}

/* UINT32_MAX is nobody: chown(2) takes it for "as it is". */
static bool parse_range(const char *text, IdRange *range) {
  g_auto(GStrv) parts = g_strsplit(text, ":", -1);

  return g_strv_length(parts) == 3 && parse_number(parts[0], 0, UINT32_MAX - 1, &range->guest) &&
         parse_number(parts[1], 0, UINT32_MAX - 1, &range->host) && parse_number(parts[2], 1, UINT32_MAX, &range->count) &&
         range->count <= UINT32_MAX - MAX(range->guest, range->host);
}

static gint compare(gconstpointer a, gconstpointer b) {
  const IdRange *first = a, *second = b;

  return first->guest < second->guest ? -1 : first->guest > second->guest;
}

static bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count) {
  return a < (uint64_t)b + b_count && b < (uint64_t)a + a_count;
}

static bool add_range(IdMap *map, const char *text, char **why) {
  IdRange range;

  if (!parse_range(text, &range)) {
    *why = g_strdup_printf("'%s' is neither auto, same, squash nor GUEST:HOST:COUNT, of numbers below 4294967295", text);
    return false;
  }
  for (unsigned i = 0; i < map->ranges->len; i++) {
    const IdRange *other = &g_array_index(map->ranges, IdRange, i);
    bool guests = overlap(range.guest, range.count, other->guest, other->count);
    if (!guests && !overlap(range.host, range.count, other->host, other->count))
      continue;
    *why = g_strdup_printf("'%s' has IDs of the %s that another range has, too", text, guests ? "guest" : "host");
    return false;
  }
  g_array_append_val(map->ranges, range);
  map->kind = ID_MAP_RANGES;
  return true;
}

/* False: it is none. */
static bool parse_word(const char *text, IdMapKind *kind) {
  static const char *const words[] = {[ID_MAP_AUTO] = "auto", [ID_MAP_SAME] = "same", [ID_MAP_SQUASH] = "squash"};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
    if (strcmp(text, words[i]) == 0) {
      *kind = (IdMapKind)i;
      return true;
    }
  return false;
}

IdMap *id_map_parse(const GPtrArray *texts, char **why) {
  g_autoptr(IdMap) map = g_new0(IdMap, 1);
  unsigned n = texts ? texts->len : 0;

  map->ranges = g_array_new(FALSE, FALSE, sizeof(IdRange));
  for (unsigned i = 0; i < n; i++) {
    const char *text = g_ptr_array_index(texts, i);
    if (parse_word(text, &map->kind) && n > 1) {
      *why = g_strdup_printf("'%s' says it all: nothing can be added to it", text);
      return NULL;
    }
    if (!parse_word(text, &map->kind) && !add_range(map, text, why))
      return NULL;
  }
  g_array_sort(map->ranges, compare);
  return g_steal_pointer(&map);
}

IdRange id_map_subordinates(const char *path, const char *name, uint32_t id) {
  g_autofree char *number = g_strdup_printf("%u", id);
  FILE *file = fopen(path, "re");
  char line[LINE_SIZE];
  IdRange found = {0};

  while (file && !found.count && fgets(line, sizeof line, file)) {
    g_auto(GStrv) parts = g_strsplit(g_strchomp(line), ":", -1);
    IdRange range = {0};
    if (g_strv_length(parts) == 3 && (g_strcmp0(parts[0], name) == 0 || strcmp(parts[0], number) == 0) &&
        parse_number(parts[1], 1, UINT32_MAX - 1, &range.host) && parse_number(parts[2], 1, UINT32_MAX - range.host, &range.count))
      found = range;
  }
  if (file)
    fclose(file);
  return found;
}

/* newuidmap(1) and newgidmap(1) are who may do so. */
void id_map_find_subordinates(const char *name, uint32_t id, IdRange *users, IdRange *groups) {
  g_autofree char *for_users = g_find_program_in_path("newuidmap"), *for_groups = g_find_program_in_path("newgidmap");

  *users = id_map_subordinates("/etc/subuid", name, id);
  *groups = id_map_subordinates("/etc/subgid", name, id);
  if (!for_users || !for_groups || !users->count || !groups->count)
    users->count = groups->count = 0;
}
