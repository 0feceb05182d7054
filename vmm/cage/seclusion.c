/* SPDX-License-Identifier: Apache-2.0 */
/* In an order in which each still may what it needs: mounts before capabilities go, and Landlock sees the new root. */
#include "vmm/cage/seclusion.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/cage/landlock.h"
#include "vmm/cage/namespaces.h"
#include "vmm/cage/privileges.h"
#include "vmm/cage/root.h"

static const char *const names[SECLUSION_LAYERS] = {"namespaces", "an empty root", "Landlock", "no privileges"};

const char *seclusion_layer_name(SeclusionLayer layer) {
  return names[layer];
}

static int errno_unless(bool done) {
  return done ? 0 : errno ? errno : EPERM;
}

/* One of the places is the whole. */
static bool has_root(const SeclusionWish *wish) {
  for (unsigned i = 0; wish->paths && wish->paths[i]; i++)
    if (strcmp(wish->paths[i], "/") == 0)
      return true;
  return false;
}

static int give_root_away(const SeclusionWish *wish, Places *places) {
  return has_root(wish) ? EBUSY : errno_unless(root_give_away(places));
}

void seclusion_enter(const SeclusionWish *wish, Seclusion *seclusion) {
  int *missing = seclusion->missing, found;
  g_autofree Places *places = g_new(Places, 1);

  privileges_close_inherited();
  found = errno_unless(places_find(places, wish->paths));
  missing[SECLUSION_NAMESPACES] = errno_unless(namespaces_enter(wish->network));
  missing[SECLUSION_ROOT] = found ? found : missing[SECLUSION_NAMESPACES] ? missing[SECLUSION_NAMESPACES] : give_root_away(wish, places);
  /* Without, Landlock is for root alone; with an error it is told of below. */
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  missing[SECLUSION_LANDLOCK] = found ? found : errno_unless(landlock_enter(places));
  bool reaches_little = !missing[SECLUSION_ROOT] || !missing[SECLUSION_LANDLOCK];
  missing[SECLUSION_PRIVILEGES] = errno_unless(privileges_give_up(geteuid() == 0 && reaches_little));
  places_clear(places);
}

char *seclusion_describe(const Seclusion *seclusion, bool missing) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < SECLUSION_LAYERS; i++) {
    if (!seclusion->missing[i] == missing)
      continue;
    g_string_append_printf(text, "%s%s", text->len ? ", " : "", names[i]);
    if (missing)
      g_string_append_printf(text, " (%s)", g_strerror(seclusion->missing[i]));
  }
  return g_string_free(text, FALSE);
}

void seclusion_probe(Seclusion *seclusion) {
  int *missing = seclusion->missing;

  *seclusion = (Seclusion){0};
  missing[SECLUSION_NAMESPACES] = errno_unless(namespaces_are_to_be_had());
  missing[SECLUSION_ROOT] = missing[SECLUSION_NAMESPACES];
  missing[SECLUSION_LANDLOCK] = errno_unless(landlock_version() > 0);
}
