/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disks: whether each can be had, and that no two destroy each other's content. What is left open is settled.
 */
#include "vmm/config/config-check.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define QUEUES_MAX_DEFAULT 4

/* Free with g_free. */
static char *disk_key(const struct stat *status) {
  return S_ISBLK(status->st_mode) ? g_strdup_printf("device %jx", (uintmax_t)status->st_rdev)
                                  : g_strdup_printf("file %jx:%jx", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino);
}

static bool writes_file(const DiskConfig *disk) {
  return !disk->image.read_only && !disk->image.cow;
}

/*
 * Two disks on one file that either of them writes would destroy what is on it. FIRST and WRITTEN have the first disk
 * on each file, and the first of those that are written.
 */
static void check_shared_disk(OptionDraft *draft, const Config *config, const struct stat *status, unsigned index, GHashTable *first,
                              GHashTable *written) {
  const DiskConfig *disk = config->disks->pdata[index];
  g_autofree char *key = disk_key(status);
  const unsigned *before = g_hash_table_lookup(writes_file(disk) ? first : written, key);

  if (before)
    option_mistake(draft, option_where(draft, "disk", (int)index),
                   "'%s' is the same disk as '%s' (number %u) and not read-only in both: add ro or cow to both", disk->path,
                   ((const DiskConfig *)config->disks->pdata[*before])->path, *before + 1);
  if (!g_hash_table_contains(first, key))
    g_hash_table_insert(first, g_strdup(key), g_memdup2(&index, sizeof index));
  if (writes_file(disk) && !g_hash_table_contains(written, key))
    g_hash_table_insert(written, g_strdup(key), g_memdup2(&index, sizeof index));
}

/*
 * A queue is a thread and a ring: more than CPUs that ask, or than what keeps a disk busy, are of no use. A machine
 * with one CPU pays for one.
 */
static void settle_disk(const Config *config, DiskConfig *disk) {
  if (!disk->device.queues)
    disk->device.queues = MIN(config->cpus, QUEUES_MAX_DEFAULT);
}

void config_check_disks(OptionDraft *draft, const Config *config) {
  g_autoptr(GHashTable) first = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr(GHashTable) written = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

  for (unsigned i = 0; i < config->disks->len; i++) {
    DiskConfig *disk = config->disks->pdata[i];
    const char *where = option_where(draft, "disk", (int)i);
    struct stat status;

    settle_disk(config, disk);
    config_check_served(draft, disk, where);
    if (disk->image.read_only && disk->image.cow)
      option_mistake(draft, where, "ro and cow contradict each other: nothing is written to a read-only disk");
    if (!disk->path || !config_check_file(draft, where, disk->path, true, &status)) /* without a path: on a network, or already reported */
      continue;
    if (writes_file(disk) && faccessat(AT_FDCWD, disk->path, W_OK, AT_EACCESS) < 0)
      option_mistake(draft, where, "cannot write '%s': %s; %s", disk->path, g_strerror(errno),
                     config->persist && i == 0 ? "without --persist it stays as it is, and what the guest writes is gone with it"
                                               : "a read-only disk has ro, one that leaves it as it is cow");
    check_shared_disk(draft, config, &status, i, first, written);
  }
}
