/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of firmware and of variables; see the header.
 *
 * Why a record of one page is written wholly or not at all: Linux copies into the page cache page by page, and looks
 * for a fatal signal between pages (mm/filemap.c, generic_perform_write). A page is 4096 bytes at least.
 */
#define _GNU_SOURCE /* F_OFD_SETLK, SEEK_DATA */
#include "devices/backend/flash-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"

#define PAGE       4096u
#define CHUNK      0x10000u
#define MAGIC_SIZE 16

static const char magic[MAGIC_SIZE] = "eret flash redo";

/* Little-endian, as all that eret runs on. */
typedef struct {
  char magic[MAGIC_SIZE];
  uint64_t offset;
  uint64_t size; /* bytes that follow, to be written there; 0: the block is erased */
  uint8_t bytes[FLASH_FILE_PROGRAM_MAX];
  uint8_t sum[20]; /* SHA-1 of what is before */
} Record;

G_STATIC_ASSERT(sizeof(Record) <= PAGE);
G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

struct FlashFile {
  char *path;
  int fd;
  uint64_t size;
  bool unfinished; /* a record lies behind the end */
};

G_DEFINE_QUARK(eret_flash_file_error, flash_file_error)

G_GNUC_PRINTF(3, 4) static bool fail(GError **error, FlashFileError code, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *text = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, FLASH_FILE_ERROR, (int)code, text);
  return false;
}

static bool read_all(int fd, void *to, size_t size, uint64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    done += (size_t)n;
  }
  return true;
}

static bool write_all(int fd, const void *from, size_t size, uint64_t offset) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pwrite(fd, (const uint8_t *)from + done, size - done, (off_t)(offset + done));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      errno = n < 0 ? errno : ENOSPC;
      return false;
    }
    done += (size_t)n;
  }
  return true;
}

static bool set_size(int fd, uint64_t size) {
  int result;

  do
    result = ftruncate(fd, (off_t)size);
  while (result < 0 && errno == EINTR);
  return result == 0;
}

/* Changes. */

static void sum_record(const Record *record, uint8_t sum[sizeof record->sum]) {
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
  gsize size = sizeof record->sum;

  g_checksum_update(checksum, (const guchar *)record, offsetof(Record, sum));
  g_checksum_get_digest(checksum, sum, &size);
}

static bool write_erased(int fd, uint64_t offset, uint64_t size) {
  g_autofree uint8_t *chunk = g_malloc(CHUNK);

  memset(chunk, 0xff, CHUNK);
  for (uint64_t at = 0; at < size; at += CHUNK)
    if (!write_all(fd, chunk, CHUNK, offset + at))
      return false;
  return true;
}

static bool carry_out(const FlashFile *file, const Record *record) {
  return record->size ? write_all(file->fd, record->bytes, record->size, record->offset)
                      : write_erased(file->fd, record->offset, FLASH_FILE_BLOCK);
}

/*
 * What RECORD says is done. Where it cannot be, the record stays until it can: by the next change, or by who opens the
 * file.
 */
static bool redo(FlashFile *file, const Record *record) {
  file->unfinished = !carry_out(file, record) || !set_size(file->fd, file->size);
  return !file->unfinished;
}

static bool is_sound(const FlashFile *file, const Record *record) {
  uint8_t sum[sizeof record->sum];

  sum_record(record, sum);
  return memcmp(record->magic, magic, sizeof magic) == 0 && memcmp(record->sum, sum, sizeof sum) == 0 && record->offset < file->size &&
         record->size <= sizeof record->bytes && record->size <= file->size - record->offset &&
         (record->size || record->offset % FLASH_FILE_BLOCK == 0);
}

/* Whether there is a record, and a sound one; it is read into RECORD. */
static bool find_record(const FlashFile *file, Record *record) {
  struct stat status;

  return fstat(file->fd, &status) == 0 && (uint64_t)status.st_size == file->size + sizeof *record &&
         read_all(file->fd, record, sizeof *record, file->size) && is_sound(file, record);
}

/* A hole, or what the file system shares with another file, is not to want room when it is too late to say no. */
static bool make_room(const FlashFile *file, uint64_t offset, uint64_t size) {
  return fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) == 0 || errno == EOPNOTSUPP;
}

static bool write_record(const FlashFile *file, Record *record) {
  memcpy(record->magic, magic, sizeof magic);
  sum_record(record, record->sum);
  if (write_all(file->fd, record, sizeof *record, file->size))
    return true;
  int reason = errno;
  set_size(file->fd, file->size); /* half a record is none; where it stays the next one is written over it */
  errno = reason;
  return false;
}

/* Once there is a record the change is made, whatever becomes of its place in the file. */
static bool change(FlashFile *file, Record *record, uint64_t size) {
  Record unfinished;

  if ((file->unfinished && find_record(file, &unfinished) && !redo(file, &unfinished)) || !make_room(file, record->offset, size) ||
      !write_record(file, record))
    return false;
  if (!redo(file, record))
    g_message("a change of the file of variables '%s' waits to be carried out: %s", file->path, g_strerror(errno));
  return true;
}

bool flash_file_program(FlashFile *file, uint64_t offset, const void *bytes, unsigned size) {
  Record record = {.offset = offset, .size = size};

  if (offset / PAGE == (offset + size - 1) / PAGE && !file->unfinished)
    return write_all(file->fd, bytes, size, offset);
  memcpy(record.bytes, bytes, size);
  return change(file, &record, size);
}

bool flash_file_erase(FlashFile *file, uint64_t offset) {
  Record record = {.offset = offset};

  return change(file, &record, FLASH_FILE_BLOCK);
}

void flash_file_sync(FlashFile *file) {
  while (fdatasync(file->fd) < 0 && errno == EINTR)
    ;
}

/* Opening. */

static bool open_file(FlashFile *file, const char *what, int flags, struct stat *status, GError **error) {
  *status = (struct stat){0};
  file->fd = descriptor_open(file->path, flags);
  if (file->fd < 0)
    return fail(error, FLASH_FILE_ERROR_OPEN, "cannot open %s '%s': %s", what, file->path, g_strerror(errno));
  if (fstat(file->fd, status) < 0)
    return fail(error, FLASH_FILE_ERROR_OPEN, "cannot read %s '%s': %s", what, file->path, g_strerror(errno));
  if (!S_ISREG(status->st_mode))
    return fail(error, FLASH_FILE_ERROR_OPEN, "%s '%s' is not a regular file", what, file->path);
  return true;
}

static FlashFile *file_new(const char *path) {
  FlashFile *file = g_new0(FlashFile, 1);

  file->path = g_strdup(path);
  file->fd = -1;
  return file;
}

FlashFile *flash_file_open_image(const char *path, uint64_t size_max, GError **error) {
  g_autoptr(FlashFile) file = file_new(path);
  struct stat status;

  if (!open_file(file, "firmware", O_RDONLY, &status, error))
    return NULL;
  file->size = (uint64_t)status.st_size;
  if (file->size >= 1 && file->size <= size_max)
    return g_steal_pointer(&file);
  fail(error, FLASH_FILE_ERROR_SIZE, "firmware '%s' has %" G_GUINT64_FORMAT " bytes: the flash has room for 1 to %" G_GUINT64_FORMAT, path,
       file->size, size_max);
  return NULL;
}

static bool is_size(uint64_t size, uint64_t size_max) {
  return size % FLASH_FILE_BLOCK == 0 && size >= FLASH_FILE_BLOCK && size <= size_max;
}

static bool fail_size(const char *what, const char *path, uint64_t size, uint64_t size_max, GError **error) {
  return fail(error, FLASH_FILE_ERROR_SIZE,
              "%s '%s' has %" G_GUINT64_FORMAT " bytes: it must be a multiple of %u KiB, up to %" G_GUINT64_FORMAT " MiB", what, path, size,
              FLASH_FILE_BLOCK / 1024, size_max >> 20);
}

/* The size of the flash, of a file that has STATUS, in file->size, and whether a record lies behind it. */
static bool measure(FlashFile *file, uint64_t size_max, const struct stat *status, bool *unfinished, GError **error) {
  uint64_t size = (uint64_t)status->st_size, rest = size % FLASH_FILE_BLOCK;
  Record record;

  file->size = size - rest;
  *unfinished = rest == sizeof record && find_record(file, &record);
  if (rest == sizeof record && !*unfinished)
    return fail(error, FLASH_FILE_ERROR_TORN,
                "the file of variables '%s' is torn: what lies behind its last block is not a change that was begun; cut it off with "
                "'truncate -s %" G_GUINT64_FORMAT " %s', or take another file",
                file->path, file->size, file->path);
  return ((rest == 0 || *unfinished) && is_size(file->size, size_max)) ||
         fail_size("the file of variables", file->path, size, size_max, error);
}

static bool lock_file(const FlashFile *file, GError **error) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET}; /* length 0: all of it */

  if (fcntl(file->fd, F_OFD_SETLK, &lock) == 0)
    return true;
  if (errno == EAGAIN || errno == EACCES)
    return fail(error, FLASH_FILE_ERROR_BUSY, "the file of variables '%s' is in use by another machine: each machine has one of its own",
                file->path);
  return fail(error, FLASH_FILE_ERROR_OPEN, "cannot lock the file of variables '%s': %s", file->path, g_strerror(errno));
}

FlashFile *flash_file_open(const char *path, uint64_t size_max, GError **error) {
  g_autoptr(FlashFile) file = file_new(path);
  struct stat status;
  bool unfinished;
  Record record;

  if (!open_file(file, "the file of variables", O_RDWR, &status, error) || !lock_file(file, error))
    return NULL;
  /* Who had it before may have changed it since. */
  if (fstat(file->fd, &status) < 0) {
    fail(error, FLASH_FILE_ERROR_OPEN, "cannot read the file of variables '%s': %s", path, g_strerror(errno));
    return NULL;
  }
  if (!measure(file, size_max, &status, &unfinished, error))
    return NULL;
  if (!unfinished || (find_record(file, &record) && redo(file, &record)))
    return g_steal_pointer(&file);
  fail(error, FLASH_FILE_ERROR_TORN, "the file of variables '%s' is torn: a change that was begun cannot be carried out: %s", path,
       g_strerror(errno));
  return NULL;
}

bool flash_file_check(const char *path, uint64_t size_max, GError **error) {
  g_autoptr(FlashFile) file = file_new(path);
  struct stat status;
  bool unfinished;

  if (!open_file(file, "the file of variables", O_RDONLY, &status, error) || !measure(file, size_max, &status, &unfinished, error))
    return false;
  if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0)
    return true;
  if (unfinished)
    return fail(error, FLASH_FILE_ERROR_TORN,
                "the file of variables '%s' is torn: a change was begun, and it cannot be carried out, as the file cannot be written: %s",
                path, g_strerror(errno));
  return fail(error, FLASH_FILE_ERROR_OPEN, "cannot write the file of variables '%s': %s; without vars= they last as long as the machine",
              path, g_strerror(errno));
}

void flash_file_free(FlashFile *file) {
  if (!file)
    return;
  if (file->fd >= 0)
    close(file->fd);
  g_free(file->path);
  g_free(file);
}

/* Making one. */

char *flash_file_template(const char *path) {
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *code = strstr(name, "_CODE.");
  const char *rest = code ? code + strlen("_CODE.") : NULL, *suffix = code ? strrchr(code, '.') + 1 : NULL;

  for (const char *end = rest; end; end = end == suffix ? NULL : suffix) {
    g_autofree char *vars = g_strdup_printf("%.*s_VARS.%s", (int)(code - path), path, end);
    if (g_file_test(vars, G_FILE_TEST_EXISTS))
      return g_steal_pointer(&vars);
  }
  return NULL;
}

bool flash_file_check_template(const char *template, uint64_t size_max, GError **error) {
  g_autoptr(FlashFile) file = file_new(template);
  struct stat status;

  if (!open_file(file, "the template of variables", O_RDONLY, &status, error))
    return false;
  return is_size((uint64_t)status.st_size, size_max) ||
         fail_size("the template of variables", template, (uint64_t)status.st_size, size_max, error);
}

static bool is_zero(const uint8_t *bytes, size_t size) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* What is a hole stays one. */
static bool copy(int from, int to, uint64_t size) {
  g_autofree uint8_t *chunk = g_malloc(CHUNK);

  for (uint64_t at = 0; at < size; at += CHUNK) {
    size_t n = MIN(CHUNK, size - at);
    if (!read_all(from, chunk, n, at) || (!is_zero(chunk, n) && !write_all(to, chunk, n, at)))
      return false;
  }
  return set_size(to, size);
}

static bool fill_new(int to, const char *template, unsigned blocks, GError **error) {
  int from = template ? descriptor_open(template, O_RDONLY) : -1;
  struct stat status;

  if (template && (from < 0 || fstat(from, &status) < 0)) {
    fail(error, FLASH_FILE_ERROR_OPEN, "cannot open the template of variables '%s': %s", template, g_strerror(errno));
    if (from >= 0)
      close(from);
    return false;
  }
  bool filled = template ? copy(from, to, (uint64_t)status.st_size) : write_erased(to, 0, (uint64_t)blocks * FLASH_FILE_BLOCK);
  int reason = errno;
  if (from >= 0)
    close(from);
  return filled || fail(error, FLASH_FILE_ERROR_OPEN, "cannot fill a file of variables%s%s: %s", template ? " from " : "",
                        template ? template : "", g_strerror(reason));
}

/* A link, and not a rename: a file that somebody else has made meanwhile stays. */
bool flash_file_create(const char *path, const char *template, unsigned blocks, GError **error) {
  g_autofree char *made = g_strdup_printf("%s.XXXXXX", path);
  int fd = g_mkstemp_full(made, O_RDWR | O_CLOEXEC, 0600);

  if (fd < 0)
    return fail(error, FLASH_FILE_ERROR_OPEN, "cannot make the file of variables '%s': %s", path, g_strerror(errno));
  bool done = fill_new(fd, template, blocks, error);
  if (done && link(made, path) < 0)
    done = fail(error, FLASH_FILE_ERROR_OPEN, "cannot make the file of variables '%s': %s", path, g_strerror(errno));
  close(fd);
  unlink(made);
  return done;
}

/* Reading. */

uint64_t flash_file_size(const FlashFile *file) {
  return file->size;
}

/* Where the next bytes are that may be other than zero, from AT on; the end of the file where there are none. */
static uint64_t next_data(const FlashFile *file, uint64_t at) {
  off_t found = lseek(file->fd, (off_t)at, SEEK_DATA);

  if (found < 0)
    return errno == ENXIO ? file->size : at;
  return (uint64_t)found - (uint64_t)found % PAGE;
}

bool flash_file_read(const FlashFile *file, uint8_t *bytes, GError **error) {
  g_autofree uint8_t *chunk = g_malloc(CHUNK);

  for (uint64_t at = next_data(file, 0); at < file->size; at = next_data(file, at)) {
    size_t n = MIN(CHUNK, file->size - at);
    errno = 0;
    if (!read_all(file->fd, chunk, n, at))
      return fail(error, FLASH_FILE_ERROR_OPEN, "cannot read '%s': %s", file->path, errno ? g_strerror(errno) : "it has become shorter");
    for (size_t page = 0; page < n; page += PAGE)
      if (!is_zero(chunk + page, MIN(PAGE, n - page)))
        memcpy(bytes + at + page, chunk + page, MIN(PAGE, n - page));
    at += n;
  }
  return true;
}
