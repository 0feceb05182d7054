/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mtools find the volume, and what goes into it, by descriptors of theirs: memory that has no name. What is configured
 * for them by files of the system's or the user's is not asked.
 *
 * The size follows the content: FAT12 or FAT16, in clusters of one sector.
 */
#define _GNU_SOURCE /* memfd_create */
#include "vmm/seed/seed-volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/helpers/helper-run.h"
#include "vmm/seed/cloud-seed.h"

#define SECTOR        512
#define SECTORS_SPARE 96  /* boot sector, root directory, a margin */
#define FAT_SHARE     128 /* one sector more for so many: two tables, of two bytes at most for each sector */
#define TABLE_OFFSET  446 /* of partitions, in a first sector */
#define TABLE_SIZE    64
#define VOLUME_FD     3
#define VOLUME        "/proc/self/fd/3"

G_DEFINE_QUARK(eret_seed_error, seed_error)

static char *find_tool(const char *name, GError **error) {
  char *path = g_find_program_in_path(name);

  if (!path)
    g_set_error(error, SEED_ERROR, SEED_ERROR_TOOLS,
                "the volume with what cloud-init is told is made by mtools, of which %s is not installed; install it (Debian: apt install "
                "mtools)",
                name);
  return path;
}

bool seed_volume_can_make(GError **error) {
  g_autofree char *format = find_tool("mformat", error), *copy = format ? find_tool("mcopy", error) : NULL;

  return copy;
}

/* In the child, before the program: the descriptors that it knows. */
typedef struct {
  int volume, input;
} Streams;

static bool place(const void *opaque) {
  const Streams *streams = opaque;

  if (streams->volume == VOLUME_FD)
    fcntl(VOLUME_FD, F_SETFD, 0);
  else
    dup2(streams->volume, VOLUME_FD);
  if (streams->input >= 0)
    dup2(streams->input, STDIN_FILENO);
  return true;
}

/*
 * mtools.conf(5). The short names are ASCII: the C library knows that code page by itself, while that which mtools
 * would take is in a file that a small host has not.
 */
static char **make_environment(void) {
  char **environment = g_environ_setenv(g_get_environ(), "MTOOLSRC", "/dev/null", TRUE);

  environment = g_environ_setenv(environment, "MTOOLS_SKIP_CHECK", "1", TRUE);
  return g_environ_setenv(environment, "DEFAULT_CODEPAGE", "367", TRUE);
}

static bool run(const char *const *argv, Streams streams, GError **error) {
  g_auto(GStrv) environment = make_environment();
  const HelperRun config = {.name = argv[0], .argv = argv, .set_up = {place, &streams}, .environment = environment};
  g_autoptr(GError) local = NULL;
  g_autofree char *output = helper_run(&config, NULL, &local);

  if (!output)
    g_set_error(error, SEED_ERROR, SEED_ERROR_MAKE, "the volume with what cloud-init is told cannot be made: %s", local->message);
  return output;
}

static bool set_errno(GError **error) {
  g_set_error(error, SEED_ERROR, SEED_ERROR_MAKE, "there is no memory for what cloud-init is told: %s", g_strerror(errno));
  return false;
}

/* BYTES, to be read from the start. -1: the error. */
static int stream_of(GBytes *bytes, GError **error) {
  gsize size;
  const char *data = g_bytes_get_data(bytes, &size);
  int fd = memfd_create("eret-seed-file", MFD_CLOEXEC);

  for (gsize done = 0; fd >= 0 && done < size;) {
    ssize_t written = write(fd, data + done, size - done);
    if (written < 0 && errno != EINTR) {
      close(fd);
      fd = -1;
    }
    done += written > 0 ? (gsize)written : 0;
  }
  if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0)
    set_errno(error);
  return fd;
}

static bool copy(const char *tool, int volume, const SeedFile *file, GError **error) {
  g_autofree char *target = g_strconcat("::", file->name, NULL);
  const char *const argv[] = {tool, "-i", VOLUME, "-", target, NULL};
  int input = stream_of(file->bytes, error);

  if (input < 0)
    return false;
  bool done = run(argv, (Streams){volume, input}, error);
  close(input);
  return done;
}

static gsize count_sectors(const GPtrArray *files) {
  gsize sectors = SECTORS_SPARE;

  for (unsigned i = 0; i < files->len; i++)
    sectors += g_bytes_get_size(((const SeedFile *)files->pdata[i])->bytes) / SECTOR + 1;
  return sectors + sectors / FAT_SHARE;
}

/* mformat(1) writes one beside its volume, as if the disk had a partition that begins where it does. */
static bool clear_table(int volume, GError **error) {
  static const char nothing[TABLE_SIZE];

  return pwrite(volume, nothing, sizeof nothing, TABLE_OFFSET) == sizeof nothing || set_errno(error);
}

static bool fill(int volume, gsize sectors, const GPtrArray *files, GError **error) {
  g_autofree char *format_tool = find_tool("mformat", error), *copy_tool = format_tool ? find_tool("mcopy", error) : NULL;
  g_autofree char *size = g_strdup_printf("%" G_GSIZE_FORMAT, sectors);
  const char *const argv[] = {format_tool, "-i", VOLUME, "-v", SEED_VOLUME_LABEL, "-T", size, "-h", "1", "-s", "1", "-c", "1", "::", NULL};

  if (!copy_tool || !run(argv, (Streams){volume, -1}, error) || !clear_table(volume, error))
    return false;
  for (unsigned i = 0; i < files->len; i++)
    if (!copy(copy_tool, volume, files->pdata[i], error))
      return false;
  return true;
}

static GBytes *read_back(int volume, gsize size, GError **error) {
  g_autofree char *data = g_malloc(size);

  for (gsize done = 0; done < size;) {
    ssize_t got = pread(volume, data + done, size - done, (off_t)done);
    if (got == 0)
      errno = EIO;
    if (got == 0 || (got < 0 && errno != EINTR)) {
      set_errno(error);
      return NULL;
    }
    done += got > 0 ? (gsize)got : 0;
  }
  return g_bytes_new_take(g_steal_pointer(&data), size);
}

GBytes *seed_volume_make(const GPtrArray *files, GError **error) {
  gsize sectors = count_sectors(files);
  int volume = memfd_create("eret-seed", MFD_CLOEXEC);
  GBytes *bytes = NULL;

  if (volume < 0 || ftruncate(volume, (off_t)(sectors * SECTOR)) < 0)
    set_errno(error);
  else if (fill(volume, sectors, files, error))
    bytes = read_back(volume, sectors * SECTOR, error);
  if (volume >= 0)
    close(volume);
  return bytes;
}
