/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* setresuid, setgroups */
#include "vmm/jail/identity.h"

#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cage/privileges.h"
#include "vmm/jail/fail.h"

/* The last one means "as it is" to the kernel. */
#define ID_MAX (UINT32_MAX - 1)

static bool is_number(const char *text) {
  return *text && strspn(text, "0123456789") == strlen(text);
}

static char *parse_number(const char *text, uint32_t *id) {
  guint64 value;

  if (!g_ascii_string_to_unsigned(text, 10, 0, ID_MAX, &value, NULL))
    return g_strdup_printf("an ID is at most %u", ID_MAX);
  *id = (uint32_t)value;
  return NULL;
}

char *jail_identity_user(const char *text, uid_t *uid) {
  if (is_number(text))
    return parse_number(text, uid);
  const struct passwd *user = getpwnam(text);
  if (!user)
    return g_strdup_printf("this host knows no user '%s'; a number needs none", text);
  *uid = user->pw_uid;
  return NULL;
}

char *jail_identity_group(const char *text, gid_t *gid) {
  if (is_number(text))
    return parse_number(text, gid);
  const struct group *group = getgrnam(text);
  if (!group)
    return g_strdup_printf("this host knows no group '%s'; a number needs none", text);
  *gid = group->gr_gid;
  return NULL;
}

bool jail_identity_take(uid_t uid, gid_t gid, GError **error) {
  privileges_bound();
  if (setgroups(0, NULL) < 0)
    return jail_fail_errno(error, "cannot leave the groups");
  if (setresgid(gid, gid, gid) < 0)
    return jail_fail_errno(error, "cannot become group %u", (unsigned)gid);
  if (setresuid(uid, uid, uid) < 0)
    return jail_fail_errno(error, "cannot become user %u", (unsigned)uid);
  return privileges_give_up(false) || jail_fail_errno(error, "cannot give up privileges"); /* root has some by name */
}
