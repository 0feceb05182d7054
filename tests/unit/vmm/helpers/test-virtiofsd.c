/* SPDX-License-Identifier: Apache-2.0 */
/* Which virtiofsd there is, and what each kind is started with: vmm/helpers/virtiofsd.c, id-map.c. */
#include "vmm/helpers/virtiofsd.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* As those of Debian 13 and of Debian 12 say it. */
#define RUST_HELP                                                                                                                          \
  "--shared-dir <SHARED_DIR> --fd <FD> --readonly --inode-file-handles=<X> --cache (auto, always, never, metadata) --uid-map <X> "         \
  "--translate-uid <X> --no-announce-submounts"
#define C_HELP "usage: virtiofsd [options] -o cache=<mode> one of auto, always, none -o source=PATH --fd=FDNUM"

static GPtrArray *texts_of(const char *text) {
  GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);
  g_auto(GStrv) words = g_strsplit(text, " ", -1);

  for (unsigned i = 0; words[i] && *words[i]; i++)
    g_ptr_array_add(texts, g_strdup(words[i]));
  return texts;
}

static IdMap *map_of(const char *text) {
  g_autoptr(GPtrArray) texts = texts_of(text);
  g_autofree char *why = NULL;
  IdMap *map = id_map_parse(texts, &why);

  g_assert_cmpstr(why, ==, NULL);
  return map;
}

/* Maps. */

static void test_maps(void) {
  static const struct {
    const char *text, *why; /* NULL: it is one */
    IdMapKind kind;
    IdRange ranges[2];
  } cases[] = {
      {"", NULL, ID_MAP_AUTO, {{0}}},
      {"auto", NULL, ID_MAP_AUTO, {{0}}},
      {"same", NULL, ID_MAP_SAME, {{0}}},
      {"squash", NULL, ID_MAP_SQUASH, {{0}}},
      {"0:1000:1", NULL, ID_MAP_RANGES, {{0, 1000, 1}}},
      {"5:7:10 0:1000:5", NULL, ID_MAP_RANGES, {{0, 1000, 5}, {5, 7, 10}}},
      {"0:0:4294967295", NULL, ID_MAP_RANGES, {{0, 0, 4294967295}}},
      {"0:1:4294967295", "'0:1:4294967295' is neither", 0, {{0}}},
      {"0:0:4294967296", "'0:0:4294967296' is neither", 0, {{0}}},
      {"4294967295:0:1", "'4294967295:0:1' is neither", 0, {{0}}},
      {"0:0:0", "'0:0:0' is neither", 0, {{0}}},
      {"0:0", "'0:0' is neither", 0, {{0}}},
      {"0:0:1:1", "'0:0:1:1' is neither", 0, {{0}}},
      {":0:1", "':0:1' is neither", 0, {{0}}},
      {"-1:0:1", "'-1:0:1' is neither", 0, {{0}}},
      {"root", "'root' is neither", 0, {{0}}},
      {"same squash", "'same' says it all", 0, {{0}}},
      {"0:0:1 same", "'same' says it all", 0, {{0}}},
      {"0:1000:10 9:2000:1", "'9:2000:1' has IDs of the guest", 0, {{0}}},
      {"0:1000:10 20:1009:1", "'20:1009:1' has IDs of the host", 0, {{0}}},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GPtrArray) texts = texts_of(cases[i].text);
    g_autofree char *why = NULL;
    g_autoptr(IdMap) map = id_map_parse(texts, &why);

    g_test_message("%s: %s", cases[i].text, why);
    g_assert_cmpint(map == NULL, ==, cases[i].why != NULL);
    g_assert_true(!cases[i].why || g_str_has_prefix(why, cases[i].why));
    if (!map)
      continue;
    g_assert_cmpint(map->kind, ==, cases[i].kind);
    g_assert_cmpmem(map->ranges->data, map->ranges->len * sizeof(IdRange), cases[i].ranges, map->ranges->len * sizeof(IdRange));
  }
}

static void test_subordinates(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL), *path = g_build_filename(directory, "subuid", NULL);

  g_assert_true(g_file_set_contents(
      path, "# nobody\nother:1:2\nshort:100000\nuser:x:y\nuser:100000:65536\nuser:1:1\n1000:7:8\nhuge:2:4294967295\n", -1, NULL));
  IdRange user = id_map_subordinates(path, "user", 1), number = id_map_subordinates(path, NULL, 1000),
          none = id_map_subordinates(path, "nobody", 5), huge = id_map_subordinates(path, "huge", 6),
          missing = id_map_subordinates("/no/such", "user", 1);
  g_assert_cmpuint(user.host, ==, 100000);
  g_assert_cmpuint(user.count, ==, 65536);
  g_assert_cmpuint(number.host, ==, 7);
  g_assert_cmpuint(number.count, ==, 8);
  g_assert_cmpuint(none.count + huge.count + missing.count, ==, 0);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

/* Finding it. */

static void with_program(const char *help, const char *version, void (*function)(void)) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL), *path = g_build_filename(directory, "virtiofsd", NULL);
  g_autofree char *script = g_strdup_printf("#!/bin/sh\n[ $1 = --help ] && echo '%s' || echo '%s'\n", help, version);
  g_autofree char *before = g_strdup(g_getenv("PATH"));

  g_assert_true(g_file_set_contents_full(path, script, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
  g_setenv("PATH", directory, TRUE);
  function();
  g_setenv("PATH", before, TRUE);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void find_rust(void) {
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(NULL);
  g_autofree char *version = virtiofsd_version(virtiofsd);

  g_assert_cmpstr(version, ==, "1.13.2");
  g_assert_false(virtiofsd->legacy);
  g_assert_true(virtiofsd->read_only && virtiofsd->file_handles && virtiofsd->translates && virtiofsd->uid_map && virtiofsd->metadata &&
                virtiofsd->tells_submounts);
}

static void find_c(void) {
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(NULL);
  g_autofree char *version = virtiofsd_version(virtiofsd);

  g_assert_cmpstr(version, ==, "7.2.22");
  g_assert_true(virtiofsd->legacy);
  g_assert_false(virtiofsd->read_only || virtiofsd->file_handles || virtiofsd->translates || virtiofsd->uid_map || virtiofsd->metadata);
}

static void find_other(void) {
  g_autoptr(GError) error = NULL;

  g_assert_null(virtiofsd_find(&error));
  g_assert_nonnull(strstr(error->message, "and the one that is installed does not take an open socket (--fd); install it (Debian: "));
}

static void test_find(void) {
  with_program(RUST_HELP, "virtiofsd 1.13.2", find_rust);
  with_program(C_HELP, "virtiofsd version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)", find_c);
  with_program("usage: something else", "1", find_other);
}

/* Arguments. */

static const Virtiofsd rust = {.program = (char *)"virtiofsd",
                               .read_only = true,
                               .file_handles = true,
                               .translates = true,
                               .uid_map = true,
                               .tells_submounts = true,
                               .metadata = true},
                       old = {.program = (char *)"virtiofsd", .legacy = true};

#define COMMON "virtiofsd --fd=3 --rlimit-nofile=0 "
#define ROOTS  COMMON "--shared-dir=/a,b --sandbox=namespace --cache=auto --log-level=warn --inode-file-handles=prefer"
#define USERS  COMMON "--shared-dir=/a,b --sandbox=namespace --cache=auto --log-level=warn"

static void check_arguments(const Virtiofsd *virtiofsd, const ShareConfig *config, VirtiofsdPlace place, const char *map,
                            const char *want) {
  g_autoptr(IdMap) users = map_of(map);

  place.uid_map = place.gid_map = users;
  g_autoptr(GPtrArray) arguments = virtiofsd_arguments(virtiofsd, config, &place);
  g_autofree char *got = g_strjoinv(" ", (char **)arguments->pdata);
  g_assert_cmpstr(got, ==, want);
}

static void test_arguments(void) {
  const ShareConfig plain = {.path = (char *)"/a,b"},
                    full = {
                        .path = (char *)"/a,b", .read_only = true, .xattr = true, .cache = SHARE_CACHE_METADATA, .one_file_system = true};
  const VirtiofsdPlace root = {.owner = 50, .owner_group = 60}, caged = {.chroot = true}, user = {.uid = 1000, .gid = 100},
                       many = {.uid = 1000, .gid = 100, .sub_uids = {0, 100000, 65536}, .sub_gids = {0, 200000, 65536}};

  check_arguments(&rust, &plain, root, "", ROOTS);
  check_arguments(&rust, &plain, root, "same", ROOTS);
  check_arguments(&rust, &full, caged, "",
                  COMMON
                  "--shared-dir=/a,b --sandbox=chroot --cache=metadata --log-level=warn --inode-file-handles=prefer --xattr --readonly "
                  "--no-announce-submounts");
  check_arguments(&rust, &plain, root, "squash",
                  ROOTS " --translate-uid=squash-guest:0:50:4294967295 --translate-uid=host:50:0:1 "
                        "--translate-gid=squash-guest:0:60:4294967295 --translate-gid=host:60:0:1");
  check_arguments(&rust, &plain, root, "0:1000:1 10:20:5",
                  ROOTS " --translate-uid=map:0:1000:1 --translate-uid=map:10:20:5 --translate-uid=forbid-guest:1:9 "
                        "--translate-uid=forbid-guest:15:4294967280 --translate-gid=map:0:1000:1 --translate-gid=map:10:20:5 "
                        "--translate-gid=forbid-guest:1:9 --translate-gid=forbid-guest:15:4294967280");
  check_arguments(&rust, &plain, user, "same", USERS);
  check_arguments(&rust, &plain, user, "",
                  USERS " --uid-map=:0:1000:1: --translate-uid=squash-guest:0:0:4294967295 --gid-map=:0:100:1: "
                        "--translate-gid=squash-guest:0:0:4294967295");
  check_arguments(&rust, &plain, many, "squash",
                  USERS " --uid-map=:0:1000:1: --translate-uid=squash-guest:0:0:4294967295 --gid-map=:0:100:1: "
                        "--translate-gid=squash-guest:0:0:4294967295");
  check_arguments(&rust, &plain, many, "",
                  USERS " --uid-map=:0:1000:1: --uid-map=:1:100000:65536: --gid-map=:0:100:1: "
                        "--gid-map=:1:200000:65536:");
  const VirtiofsdPlace alone = {.uid = 1000, .gid = 100, .alone = true, .sub_uids = {0, 100000, 65536}, .sub_gids = {0, 200000, 65536}};
  check_arguments(&rust, &plain, alone, "",
                  USERS " --translate-uid=squash-guest:0:0:4294967295 --translate-gid=squash-guest:0:0:4294967295");
  const ShareConfig of_root = {.path = (char *)"/a,b", .is_root = true};
  check_arguments(&rust, &of_root, root, "", ROOTS);
  check_arguments(&rust, &of_root, alone, "",
                  USERS " --translate-uid=squash-guest:0:0:4294967295 --translate-gid=squash-guest:0:0:4294967295 "
                        "--translate-uid=host:65534:0:1 --translate-gid=host:65534:0:1");
  check_arguments(&rust, &plain, many, "0:100000:10",
                  USERS " --uid-map=:0:100000:10: --translate-uid=forbid-guest:10:4294967285 --gid-map=:0:100000:10: "
                        "--translate-gid=forbid-guest:10:4294967285");
  /* Before there was a way to decline it, it had to be asked for. */
  const Virtiofsd older = {.program = (char *)"virtiofsd", .file_handles = true};
  check_arguments(&older, &plain, root, "", ROOTS " --announce-submounts");
  check_arguments(&old, &plain, root, "",
                  COMMON "-o source=/a\\,b -o cache=auto -o sandbox=namespace -o no_xattr -o announce_submounts -o log_level=warn");
  const ShareConfig odd = {.path = (char *)"/a\\b", .xattr = true, .cache = SHARE_CACHE_NEVER, .one_file_system = true};
  check_arguments(&old, &odd, caged, "", COMMON "-o source=/a\\\\b -o cache=none -o sandbox=chroot -o xattr -o log_level=warn");
}

/* What each can do for whom. */
static void test_can(void) {
  static const struct {
    const Virtiofsd *virtiofsd;
    uint32_t uid; /* but for 0 and 1000 he is alone there */
    const char *map;
    ShareCache cache;
    const char *why; /* NULL: it can */
  } cases[] = {
      {&rust, 0, "squash", SHARE_CACHE_METADATA, NULL},
      {&rust, 1000, "0:7:1", SHARE_CACHE_NEVER, NULL},
      {&rust, 1000, "same", SHARE_CACHE_NEVER, NULL},
      {&rust, 7, "", SHARE_CACHE_NEVER, NULL},
      {&rust, 7, "squash", SHARE_CACHE_NEVER, NULL},
      {&rust, 7, "same", SHARE_CACHE_NEVER, "cannot tell users apart"},
      {&rust, 7, "0:7:1", SHARE_CACHE_NEVER, "cannot tell users apart"},
      {&old, 0, "", SHARE_CACHE_NEVER, NULL},
      {&old, 7, "", SHARE_CACHE_AUTO, NULL},
      {&old, 0, "same", SHARE_CACHE_AUTO, NULL},
      {&old, 7, "same", SHARE_CACHE_AUTO, "cannot tell users apart"},
      {&old, 0, "squash", SHARE_CACHE_AUTO, "cannot tell users apart"},
      {&old, 0, "0:7:1", SHARE_CACHE_AUTO, "cannot tell users apart"},
      {&old, 0, "", SHARE_CACHE_METADATA, "does not know cache=metadata; Debian 13's can"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(IdMap) map = map_of(cases[i].map), groups = map_of("");
    const VirtiofsdPlace place = {.uid = cases[i].uid, .alone = cases[i].uid == 7, .uid_map = map, .gid_map = groups};
    const ShareConfig config = {.path = (char *)"/", .cache = cases[i].cache};
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(virtiofsd_can(cases[i].virtiofsd, &config, &place, &error), ==, !cases[i].why);
    g_assert_true(!cases[i].why || strstr(error->message, cases[i].why));
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/virtiofsd/maps", test_maps);
  g_test_add_func("/virtiofsd/subordinates", test_subordinates);
  g_test_add_func("/virtiofsd/find", test_find);
  g_test_add_func("/virtiofsd/arguments", test_arguments);
  g_test_add_func("/virtiofsd/can", test_can);
  return g_test_run();
}
