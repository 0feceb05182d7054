/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* setresuid, setgroups */
#include "vmm/jail/identity.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* Also of a root that is meant to be one: it is one by name. The kernel says where its numbers end. */
static bool drop_capabilities(GError **error) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[2] = {0};

  if (syscall(SYS_capset, &header, none) < 0)
    return jail_fail_errno(error, "cannot give up capabilities");
  return true;
}

static void drop_bounds(void) {
  for (unsigned long i = 0; prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0; i++)
    ;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

bool jail_identity_take(uid_t uid, gid_t gid, GError **error) {
  drop_bounds();
  if (setgroups(0, NULL) < 0)
    return jail_fail_errno(error, "cannot leave the groups");
  if (setresgid(gid, gid, gid) < 0)
    return jail_fail_errno(error, "cannot become group %u", (unsigned)gid);
  if (setresuid(uid, uid, uid) < 0)
    return jail_fail_errno(error, "cannot become user %u", (unsigned)uid);
  if (!drop_capabilities(error))
    return false;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return jail_fail_errno(error, "cannot do without new privileges");
  return true;
}
