/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory's virtiofsd. The first is waited for until it answers, so that what is wrong is known before there is a
 * machine: with namespaces of its own, or, where there can be none, with the directory as its root and no more.
 *
 * Read-only is what the daemon sees to, or, of one that cannot, the mount that it has the directory by.
 *
 * No lock: main thread.
 */
#define _GNU_SOURCE /* prlimit */
#include "vmm/helpers/shares.h"

#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/helpers/cage.h"
#include "vmm/helpers/kept-helper.h"
#include "vmm/helpers/vhost-user-answer.h"
#include "vmm/helpers/virtiofsd.h"

#define FILES_ENOUGH 65536
#define WHOLE_AT     "/sys" /* a directory that every machine has, and that virtiofsd has no use for */

typedef struct {
  Shares base;
  Virtiofsd *virtiofsd;
  Broker *broker;
} VirtiofsdShares;

/* What each virtiofsd of a directory is started with. */
typedef struct {
  const Virtiofsd *virtiofsd;
  Broker *broker;
  char *name;
  ShareConfig config; /* its path is this one's, the rest the machine's */
  IdMap *uid_map, *gid_map;
  VirtiofsdPlace place;
  Cage cage;
} Start;

/* Starting it. */

static HelperProcess *start_once(Start *with, HelperEnded *ended, void *kept, int *fd, GError **error) {
  g_autoptr(GPtrArray) arguments = virtiofsd_arguments(with->virtiofsd, &with->config, &with->place);
  const HelperConfig config = {
      .name = "virtiofsd",
      .argv = (const char *const *)arguments->pdata,
      .is_noise = virtiofsd_is_noise,
      .ended = ended,
      .opaque = kept,
      .listens = true,
      .set_up = {cage_enter, &with->cage},
      .broker = with->broker,
  };

  return helper_process_start(&config, fd, error);
}

static HelperProcess *start_and_wait(Start *with, HelperEnded *ended, void *kept, int *fd, GError **error) {
  HelperProcess *process = start_once(with, ended, kept, fd, error);

  return process && !vhost_user_answers(process, "virtiofsd", *fd, error) ? helper_process_give_up(process, fd) : process;
}

/* Whoever is root where it runs may have another root directory. */
static bool may_chroot(const Start *with) {
  return with->place.uid == 0 || with->cage.root;
}

static HelperProcess *start_first(Start *with, HelperEnded *ended, void *kept, int *fd, GError **error) {
  g_autoptr(GError) local = NULL, worse = NULL;
  HelperProcess *process = start_and_wait(with, ended, kept, fd, &local);

  if (process)
    return process;
  with->place.chroot = may_chroot(with);
  process = with->place.chroot ? start_and_wait(with, ended, kept, fd, &worse) : NULL;
  if (process) {
    g_message("%s: virtiofsd cannot have namespaces of its own here (%s): its root is %s, and it is apart from nothing else", with->name,
              local->message, with->config.path);
    return process;
  }
  const char *need = with->place.uid ? "; without root it needs a user namespace of its own, which not every host allows" : "";
  g_set_error(error, local->domain, local->code, "%s%s", local->message, need);
  return NULL;
}

/* Of each file that the guest knows it has one open, unless it can find it again by its handle, as root can. */
static void look_at_limit(const Start *with, HelperProcess *process) {
  bool by_handles = with->virtiofsd->file_handles && with->place.uid == 0;
  struct rlimit limit;

  if (by_handles || prlimit(helper_process_pid(process), RLIMIT_NOFILE, NULL, &limit) < 0 || limit.rlim_cur >= FILES_ENOUGH)
    return;
  g_message("%s: virtiofsd may have %ju files open, and has one for each that the guest knows: a guest that sees more gets errors; "
            "raise the hard limit (ulimit -Hn)",
            with->name, (uintmax_t)limit.rlim_cur);
}

static HelperProcess *start(void *opaque, bool first, HelperEnded *ended, void *kept, int *fd, GError **error) {
  Start *with = opaque;
  HelperProcess *process = (first ? start_first : start_once)(with, ended, kept, fd, error);

  if (process && first)
    look_at_limit(with, process);
  return process;
}

/* What it is started with. */

static void free_start(void *opaque) {
  Start *with = opaque;

  id_map_free(with->uid_map);
  id_map_free(with->gid_map);
  g_free(with->config.path);
  g_free(with->name);
  g_free(with);
}

static bool parse_map(const GPtrArray *texts, IdMap **map, GError **error) {
  g_autofree char *why = NULL;

  *map = id_map_parse(texts, &why);
  if (!*map)
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s", why);
  return *map;
}

/* Groups are as users are, where nothing is said of them. */
static bool parse_maps(Start *with, GError **error) {
  const ShareConfig *config = &with->config;
  const GPtrArray *groups = config->gid_map && config->gid_map->len ? config->gid_map : config->uid_map;

  return parse_map(config->uid_map, &with->uid_map, error) && parse_map(groups, &with->gid_map, error);
}

static bool read_place(Start *with, GError **error) {
  VirtiofsdPlace *place = &with->place;
  struct stat status;

  if (stat(with->config.path, &status) < 0 || !S_ISDIR(status.st_mode)) {
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "'%s' is no directory any more", with->config.path);
    return false;
  }
  *place = (VirtiofsdPlace){.uid = geteuid(),
                            .gid = getegid(),
                            .owner = status.st_uid,
                            .owner_group = status.st_gid,
                            .uid_map = with->uid_map,
                            .gid_map = with->gid_map};
  const struct passwd *user = place->uid ? getpwuid(place->uid) : NULL;
  if (place->uid)
    id_map_find_subordinates(user ? user->pw_name : NULL, place->uid, &place->sub_uids, &place->sub_gids);
  return true;
}

/*
 * One that cannot see to read-only itself is put where it cannot write. The root of the mounts cannot become the root
 * of others (pivot_root(2)), so where all of it is shared it is had at another place. For either, another user than
 * root is alone, as the C one has him in any case.
 */
static void choose_cage(Start *with) {
  bool whole = strcmp(with->config.path, "/") == 0;
  bool by_mount = with->config.read_only && !with->virtiofsd->read_only;

  if (whole) {
    g_free(with->config.path);
    with->config.path = g_strdup(WHOLE_AT);
  }
  with->cage = (Cage){
      .root = with->place.uid && (whole || by_mount || with->virtiofsd->legacy),
      .uid = with->place.uid,
      .gid = with->place.gid,
      .whole_at = whole ? with->config.path : NULL,
      .read_only = by_mount ? with->config.path : NULL,
  };
  with->place.alone = with->cage.root;
}

static Helper *start_share(Shares *base, const char *name, const ShareConfig *asked, GError **error) {
  Start *with = g_new0(Start, 1);
  const KeptHelperConfig config = {
      .name = "virtiofsd",
      .device = name,
      .what = "file system device",
      .lack = "its files cannot be reached",
      .start = start,
      .free_opaque = free_start,
      .opaque = with,
  };

  const VirtiofsdShares *shares = (VirtiofsdShares *)base;
  *with = (Start){.virtiofsd = shares->virtiofsd, .broker = shares->broker, .name = g_strdup(name), .config = *asked};
  with->config.path = g_canonicalize_filename(asked->path, NULL);
  if (parse_maps(with, error) && read_place(with, error)) {
    choose_cage(with);
    if (virtiofsd_can(with->virtiofsd, &with->config, &with->place, error))
      return kept_helper_new(&config, error);
  }
  g_prefix_error(error, "%s: ", name);
  free_start(with);
  return NULL;
}

Shares *virtiofsd_shares_new(Broker *broker, GError **error) {
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(error);

  if (!virtiofsd)
    return NULL;
  VirtiofsdShares *shares = g_new0(VirtiofsdShares, 1);
  *shares = (VirtiofsdShares){.base = {start_share}, .virtiofsd = g_steal_pointer(&virtiofsd), .broker = broker};
  return &shares->base;
}

void virtiofsd_shares_free(Shares *shares) {
  if (!shares)
    return;
  virtiofsd_free(((VirtiofsdShares *)shares)->virtiofsd);
  g_free(shares);
}
