/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number is an ID whether there is an entry or not, and a name is none that looks like a number. Of several entries
 * the first counts.
 */
#include "user.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 65536 /* of a longer one the rest is not looked at */
#define LINES_MAX      1000000
#define FIELDS_MAX     7
#define ID_MAX         0x7fffffffu /* as container runtimes have it */

/* Called for each entry, with its fields, empty ones beyond those that it has. False ends it. */
typedef bool Entry(void *opaque, char *const fields[FIELDS_MAX]);

static void each_entry(FILE *file, Entry *entry, void *opaque) {
  static char line[LINE_MAX_BYTES];
  static char none[] = "";
  bool more = true, whole = true;

  for (unsigned n = 0; more && n < LINES_MAX && file && fgets(line, sizeof line, file); n++) {
    bool begins = whole;
    char *rest = line, *fields[FIELDS_MAX];
    whole = strchr(line, '\n') != NULL;
    if (!begins || line[0] == '#')
      continue;
    line[strcspn(line, "\n")] = 0;
    for (unsigned i = 0; i < FIELDS_MAX; i++)
      if (!(fields[i] = strsep(&rest, ":")))
        fields[i] = none;
    more = entry(opaque, fields);
  }
}

/* False: it is no number. One that is too large for an ID is more than ID_MAX. */
static bool parse_id(const char *text, uint32_t *id) {
  uint64_t number = 0;

  for (const char *at = text; *at; at++) {
    if (*at < '0' || *at > '9')
      return false;
    number = number > ID_MAX ? number : number * 10 + (uint64_t)(*at - '0');
  }
  *id = number > ID_MAX ? ID_MAX + 1 : (uint32_t)number;
  return *text != 0;
}

typedef struct {
  const char *wanted;
  bool is_number, found;
  uint32_t id;
  char name[256]; /* of the user that was found */
  User *user;
} Search;

static bool matches(const Search *search, const char *name, uint32_t id) {
  return search->is_number ? search->id == id : strcmp(search->wanted, name) == 0;
}

/* name:password:uid:gid:gecos:home:shell */
static bool look_at_user(void *opaque, char *const fields[FIELDS_MAX]) {
  Search *search = opaque;
  uint32_t uid, gid;

  if (!*fields[0] || !parse_id(fields[2], &uid) || !parse_id(fields[3], &gid) || uid > ID_MAX || gid > ID_MAX ||
      !matches(search, fields[0], uid))
    return true;
  search->found = true;
  search->user->uid = uid;
  search->user->gid = gid;
  snprintf(search->name, sizeof search->name, "%s", fields[0]);
  if (fields[5][0] == '/')
    snprintf(search->user->home, sizeof search->user->home, "%s", fields[5]);
  return false;
}

/* name:password:gid:member,member */
static bool look_at_group(void *opaque, char *const fields[FIELDS_MAX]) {
  Search *search = opaque;
  uint32_t gid;

  if (!*fields[0] || !parse_id(fields[2], &gid) || gid > ID_MAX || !matches(search, fields[0], gid))
    return true;
  search->found = true;
  search->user->gid = gid;
  return false;
}

static bool is_member(char *members, const char *name) {
  for (char *member; (member = strsep(&members, ","));)
    if (strcmp(member, name) == 0)
      return true;
  return false;
}

static bool look_at_membership(void *opaque, char *const fields[FIELDS_MAX]) {
  Search *search = opaque;
  User *user = search->user;
  uint32_t gid;

  if (parse_id(fields[2], &gid) && gid <= ID_MAX && is_member(fields[3], search->name))
    user->groups[user->n_groups++] = gid;
  return user->n_groups < USER_GROUPS_MAX;
}

static bool find_user(Search *search, FILE *passwd, char why[USER_WHY_MAX]) {
  User *user = search->user;

  search->is_number = parse_id(search->wanted, &search->id);
  each_entry(passwd, look_at_user, search);
  if (search->found)
    return true;
  user->uid = search->id;
  if (search->is_number && search->id <= ID_MAX)
    return true;
  snprintf(why, USER_WHY_MAX,
           search->is_number ? "user %.100s: it is too large a number" : "user %.100s: /etc/passwd has none of this name", search->wanted);
  return false;
}

static bool find_group(User *user, const char *wanted, FILE *group, char why[USER_WHY_MAX]) {
  Search search = {.wanted = wanted, .user = user};

  search.is_number = parse_id(wanted, &search.id);
  each_entry(group, look_at_group, &search);
  if (search.found)
    return true;
  user->gid = search.id;
  if (search.is_number && search.id <= ID_MAX)
    return true;
  snprintf(why, USER_WHY_MAX,
           search.is_number ? "group %.100s: it is too large a number" : "group %.100s: /etc/group has none of this name", wanted);
  return false;
}

bool user_find(const char *text, FILE *passwd, FILE *group, User *user, char why[USER_WHY_MAX]) {
  const char *colon = strchr(text, ':');
  char name[256];
  Search search = {.wanted = name, .user = user};

  memset(user, 0, sizeof *user);
  snprintf(user->home, sizeof user->home, "/");
  if ((size_t)snprintf(name, sizeof name, "%.*s", colon ? (int)(colon - text) : (int)strlen(text), text) >= sizeof name || !*name) {
    snprintf(why, USER_WHY_MAX, "user '%.100s': it is no name and no number", text);
    return false;
  }
  if (!find_user(&search, passwd, why))
    return false;
  if (colon && colon[1])
    return find_group(user, colon + 1, group, why);
  if (search.found)
    each_entry(group, look_at_membership, &search);
  return true;
}
