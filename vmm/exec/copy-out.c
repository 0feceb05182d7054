/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream is kept in a file until it is complete, and then read twice: once to see what comes for which destination,
 * all of which are opened then, and once to put it there.
 */
#include "vmm/exec/copy-out.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"
#include "devices/printable.h"
#include "vmm/base/temporary-file.h"
#include "vmm/exec/destination.h"
#include "vmm/exec/newc.h"
#include "vmm/options/option.h"

G_DEFINE_QUARK(eret_copy_out_error, copy_out_error)

#define DEPTH_MAX       256
#define STEPS_PER_ENTRY 16               /* down into directories, on the average: a walk of the host's takes time */
#define LEFT_OUT_MAX    20               /* links and special files that are named */
#define LINE_SIZE_MAX   (PATH_MAX + 512) /* bytes of a complaint: a path, and why */

/*
 * Lines about things that went wrong, in an order and a number that a hostile guest has a say in: each is kept once, so
 * many of them, and the others are counted.
 */
typedef struct {
  GPtrArray *lines; /* of char *, printable */
  unsigned max;
  unsigned others; /* that came when there were MAX */
} Complaints;

struct CopyOut {
  GPtrArray *paths; /* of char *, ended by NULL */
  Destination *destinations;
  unsigned n_destinations;
  CopyOutLimits limits;
  int spool;
  uint64_t size;       /* of what is in it */
  bool cut;            /* there was more, and it has been said */
  bool told;           /* the guest itself has said that something is missing */
  unsigned may_make;   /* entries, and directories that none came for */
  Complaints failures; /* what was asked for and is not there */
  Complaints left_out; /* what is never taken over */
  char buffer[64 * 1024];
};

/* Complaints. */

/* False: it was there already, or there are MAX. What is not to be shown as it is comes escaped. */
static bool G_GNUC_PRINTF(2, 3) complaints_add(Complaints *complaints, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_autofree char *line = printable_line_escaped(text, (gssize)strnlen(text, LINE_SIZE_MAX));
  if (g_ptr_array_find_with_equal_func(complaints->lines, line, g_str_equal, NULL))
    return false;
  if (complaints->lines->len >= complaints->max) {
    complaints->others += complaints->others < G_MAXUINT;
    return false;
  }
  g_ptr_array_add(complaints->lines, g_steal_pointer(&line));
  return true;
}

/* The last line: how many there were beyond MAX, if any. */
static void complaints_close(Complaints *complaints) {
  if (complaints->others)
    g_ptr_array_add(complaints->lines, g_strdup_printf("and %u more", complaints->others));
  complaints->others = 0;
}

/* The spool. */

static int open_spool(GError **error) {
  g_autoptr(GError) cause = NULL;
  int fd = temporary_file_open(&cause);

  if (fd < 0)
    g_set_error(error, COPY_OUT_ERROR, COPY_OUT_ERROR_SPOOL, "--copy-out: %s; TMPDIR names another directory", cause->message);
  return fd;
}

CopyOut *copy_out_new(const char *const *destinations, const CopyOutLimits *limits, GError **error) {
  int spool = open_spool(error);

  if (spool < 0)
    return NULL;
  CopyOut *copy = g_new0(CopyOut, 1);
  copy->spool = spool;
  copy->limits = *limits;
  copy->n_destinations = g_strv_length((char **)destinations);
  copy->destinations = g_new0(Destination, copy->n_destinations);
  for (unsigned i = 0; i < copy->n_destinations; i++)
    copy->destinations[i] = (Destination){.path = g_strdup(destinations[i]), .fd = -1, .kept_fd = -1};
  copy->paths = g_ptr_array_new_with_free_func(g_free);
  for (unsigned i = 0; i < copy->n_destinations; i++)
    destination_prepare(&copy->destinations[i], copy->paths);
  g_ptr_array_add(copy->paths, NULL);
  copy->failures = (Complaints){.lines = g_ptr_array_new_with_free_func(g_free), .max = COPY_OUT_FAILURES_MAX};
  copy->left_out = (Complaints){.lines = g_ptr_array_new_with_free_func(g_free), .max = LEFT_OUT_MAX};
  return copy;
}

void copy_out_free(CopyOut *copy) {
  if (!copy)
    return;
  close(copy->spool);
  for (unsigned i = 0; i < copy->n_destinations; i++)
    destination_clear(&copy->destinations[i]);
  g_free(copy->destinations);
  g_ptr_array_unref(copy->paths);
  g_ptr_array_unref(copy->failures.lines);
  g_ptr_array_unref(copy->left_out.lines);
  g_free(copy);
}

const char *const *copy_out_paths(const CopyOut *copy) {
  return (const char *const *)copy->paths->pdata;
}

void copy_out_feed(CopyOut *copy, const void *bytes, size_t size) {
  size_t taken = (size_t)MIN(size, copy->limits.bytes - copy->size);

  if (copy->cut)
    return;
  copy->cut = taken < size;
  if (copy->cut) {
    g_autofree char *limit = size_format(copy->limits.bytes);
    complaints_add(&copy->failures, "the guest sent more than the %s that --copy-out-limit allows", limit);
  }
  if (descriptor_write(copy->spool, bytes, taken)) {
    copy->size += taken;
    return;
  }
  copy->cut = true;
  complaints_add(&copy->failures, "the temporary file in %s cannot be written: %s; TMPDIR names another directory", g_get_tmp_dir(),
                 g_strerror(errno));
}

void copy_out_fail(CopyOut *copy, const char *text) {
  copy->told = true;
  complaints_add(&copy->failures, "%s", text);
}

const GPtrArray *copy_out_failures(const CopyOut *copy) {
  return copy->failures.lines;
}

/* Names. */

/* The parts of "3/usr/bin": "usr", "bin"; *INDEX 3. NULL: not a name that our init would send. */
static char **split_name(const CopyOut *copy, const char *name, unsigned *index) {
  g_auto(GStrv) parts = g_strsplit(name, "/", -1);
  guint64 number;

  if (!copy->n_destinations || !g_ascii_string_to_unsigned(parts[0], 10, 0, copy->n_destinations - 1, &number, NULL) ||
      g_strv_length(parts) > DEPTH_MAX)
    return NULL;
  for (unsigned i = 1; parts[i]; i++)
    if (!*parts[i] || strcmp(parts[i], ".") == 0 || strcmp(parts[i], "..") == 0)
      return NULL;
  *index = (unsigned)number;
  return g_strdupv(parts + 1);
}

/* Entries. */

static void leave_out(CopyOut *copy, const char *path, const char *why) {
  if (complaints_add(&copy->left_out, "%s is left out: %s", path, why))
    g_warning("--copy-out: %s", (const char *)g_ptr_array_index(copy->left_out.lines, copy->left_out.lines->len - 1));
}

/* The whole entry; false with errno. */
static bool copy_contents(CopyOut *copy, int fd, const NewcEntry *entry) {
  for (uint64_t done = 0; done < entry->size;) {
    ssize_t got = pread(copy->spool, copy->buffer, MIN(sizeof copy->buffer, entry->size - done), (off_t)(entry->offset + done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got == 0)
      errno = EIO; /* somebody has cut our file */
    if (got <= 0 || !descriptor_write(fd, copy->buffer, (size_t)got))
      return false;
    done += (uint64_t)got;
  }
  return true;
}

/* No half of a file is left. */
static bool put_file(CopyOut *copy, const NewcEntry *entry, int parent, const char *name) {
  int fd = -1;

  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0777);
  if (fd < 0)
    return false;
  bool written = copy_contents(copy, fd, entry);
  int reason = errno;
  if (close(fd) == 0 && written)
    return true;
  reason = written ? errno : reason;
  unlinkat(parent, name, 0);
  errno = reason;
  return false;
}

static bool put_directory(int parent, const char *name) {
  unsigned itself = 1; /* it has been counted */
  int fd = destination_step(parent, name, &itself);

  if (fd >= 0)
    close(fd);
  return fd >= 0;
}

static bool put_link(CopyOut *copy, const NewcEntry *entry, int parent, char **parts, const char *path) {
  char target[PATH_MAX];
  bool whole = entry->size < sizeof target && pread(copy->spool, target, entry->size, (off_t)entry->offset) == (ssize_t)entry->size;

  target[whole ? entry->size : 0] = 0;
  if (strlen(target) != entry->size || !destination_link_stays_inside(parts, target)) {
    leave_out(copy, path, "this link leads elsewhere");
    return true;
  }
  const char *name = parts[g_strv_length(parts) - 1];
  return (unlinkat(parent, name, 0) == 0 || errno == ENOENT) && symlinkat(target, parent, name) == 0;
}

static bool put_below(CopyOut *copy, const NewcEntry *entry, int parent, char **parts, const char *path) {
  const char *name = parts[g_strv_length(parts) - 1];

  if (S_ISREG(entry->mode))
    return put_file(copy, entry, parent, name);
  if (S_ISDIR(entry->mode))
    return put_directory(parent, name);
  if (S_ISLNK(entry->mode))
    return put_link(copy, entry, parent, parts, path);
  leave_out(copy, path, "it is neither a file, a directory, nor a link");
  return true;
}

static void complain_of_mixture(CopyOut *copy, const Destination *destination) {
  complaints_add(&copy->failures, "%s: the guest sent it as a file and as something else", destination->path);
}

/* The path that was asked for. */
static void put_top(CopyOut *copy, const NewcEntry *entry, const Destination *destination) {
  if (S_ISDIR(entry->mode) && destination->kind == DESTINATION_DIRECTORY)
    return;
  if (!S_ISREG(entry->mode) || destination->kind == DESTINATION_DIRECTORY)
    complain_of_mixture(copy, destination);
  else if (destination->kind == DESTINATION_IN_PLACE ? !copy_contents(copy, destination->fd, entry)
                                                     : !put_file(copy, entry, destination->fd, destination->name))
    complaints_add(&copy->failures, "%s: %s", destination->path, g_strerror(errno));
}

static void put_in_directory(CopyOut *copy, const NewcEntry *entry, const Destination *destination, char **parts) {
  g_autoptr(GError) error = NULL;
  int parent = destination_parent(destination, parts, &copy->may_make, &error);
  g_autofree char *path = destination_path_of(destination, parts);
  if (parent < 0)
    complaints_add(&copy->failures, "%s", error->message);
  else if (!put_below(copy, entry, parent, parts, path))
    complaints_add(&copy->failures, "%s: %s", path, destination_reason(errno));
  if (parent >= 0)
    close(parent);
}

static void put_entry(CopyOut *copy, const NewcEntry *entry) {
  unsigned index = 0;
  g_auto(GStrv) parts = split_name(copy, entry->name, &index);

  if (!parts) {
    complaints_add(&copy->failures, "the guest sent '%s', which does not belong to what was asked for", entry->name);
    return;
  }
  const Destination *destination = &copy->destinations[index];
  if (destination->kind == DESTINATION_FAILED)
    return;
  if (!*parts)
    put_top(copy, entry, destination);
  else if (destination->kind != DESTINATION_DIRECTORY)
    complain_of_mixture(copy, destination);
  else
    put_in_directory(copy, entry, destination, parts);
}

/* The archive. */

static uint64_t count_slashes(const char *name) {
  uint64_t n = 0;

  for (; *name; name++)
    n += *name == '/';
  return n;
}

static NewcResult each_entry(CopyOut *copy, void (*function)(CopyOut *copy, const NewcEntry *entry), const char **why) {
  g_autofree NewcReader *reader = g_new0(NewcReader, 1);
  uint64_t steps = 0;
  NewcResult result;
  NewcEntry entry;

  reader->fd = copy->spool;
  reader->size = copy->size;
  copy->may_make = copy->limits.entries;
  while ((result = newc_read(reader, &entry, why)) == NEWC_ENTRY) {
    steps += count_slashes(entry.name);
    if (copy->may_make == 0 || steps > (uint64_t)copy->limits.entries * STEPS_PER_ENTRY) {
      *why = "there are too many files";
      return NEWC_BROKEN;
    }
    copy->may_make--;
    function(copy, &entry);
  }
  return result;
}

/*
 * What comes first decides what a destination is. Init follows a link that was asked for, so none can come from it
 * there.
 */
static void open_for_entry(CopyOut *copy, const NewcEntry *entry) {
  unsigned index = 0;
  g_auto(GStrv) parts = split_name(copy, entry->name, &index);
  Destination *destination = parts ? &copy->destinations[index] : NULL;
  g_autoptr(GError) error = NULL;

  if (!parts || destination->kind != DESTINATION_UNUSED)
    return;
  if (*parts || S_ISDIR(entry->mode) || S_ISREG(entry->mode)) {
    if (!destination_open(destination, *parts || S_ISDIR(entry->mode), &error))
      complaints_add(&copy->failures, "%s", error->message);
    return;
  }
  destination->kind = DESTINATION_FAILED;
  complaints_add(&copy->failures, "%s: the guest sent neither a file nor a directory", destination->path);
}

static void miss_what_did_not_come(CopyOut *copy) {
  for (unsigned i = 0; i < copy->n_destinations; i++)
    if (copy->destinations[i].kind == DESTINATION_UNUSED)
      complaints_add(&copy->failures, "%s: the guest did not send it", copy->destinations[i].path);
}

void copy_out_finish(CopyOut *copy, bool complete) {
  const char *why = "the guest did not say that it is all";

  each_entry(copy, open_for_entry, &why);
  bool whole = each_entry(copy, put_entry, &why) == NEWC_END && complete;
  if (copy->left_out.others)
    g_warning("--copy-out: and %u more are left out", copy->left_out.others);
  if (!copy->size && !complete)
    complaints_add(&copy->failures, "the guest did not send its files");
  else if (!whole && !copy->cut)
    complaints_add(&copy->failures, "the guest's files did not come whole: %s", why);
  else if (whole && !copy->told)
    miss_what_did_not_come(copy);
  complaints_close(&copy->failures);
}
