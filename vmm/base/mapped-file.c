/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a mapping's file has lost is SIGBUS with BUS_ADRERR for whoever touches it (mmap(2)): a library in the middle of
 * its work, one of several threads that copy. The handler puts pages of zeros there, notes that the range is damaged,
 * and lets the access go on, so that no reader has to be prepared for being left half-way. mmap is no more than a
 * system call, so a handler may use it.
 *
 * `guard` is the one mutable object at file scope: a signal handler is given nothing else to find the ranges by. They
 * are never freed, but used again, so that the handler needs no lock to walk them; `lock` is of those who add and
 * remove.
 */
#include "vmm/base/mapped-file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/descriptor.h"

typedef struct Range Range;
struct Range {
  uintptr_t start, end; /* start 0: unused; atomic */
  int damaged;          /* atomic */
  Range *next;          /* never changes once the range is in the list */
};

struct MappedFile {
  char *path;
  int fd; /* -1: not kept */
  struct timespec modified;
  goffset size; /* bytes, as the file was opened */
  Range *range; /* NULL: it is empty */
  gatomicrefcount references;
};

static struct {
  GMutex lock;
  Range *ranges; /* atomic */
  bool installed;
  uintptr_t page_size;
  struct sigaction before;
} guard;

/*
 * The range that ADDRESS lies in, and its END. An entry may become another range's between two looks at it: start and
 * end belong together only if the start is still the same afterwards.
 */
static Range *range_of(uintptr_t address, uintptr_t *end) {
  for (Range *range = __atomic_load_n(&guard.ranges, __ATOMIC_ACQUIRE); range; range = range->next) {
    uintptr_t start = __atomic_load_n(&range->start, __ATOMIC_ACQUIRE);
    *end = __atomic_load_n(&range->end, __ATOMIC_ACQUIRE);
    if (start && address >= start && address < *end && __atomic_load_n(&range->start, __ATOMIC_ACQUIRE) == start)
      return range;
  }
  return NULL;
}

/* All that follows is zeroed too: the file is of no use any more, and one fault is enough. */
static bool substitute(uintptr_t address) {
  uintptr_t end, page = address & ~(guard.page_size - 1);
  Range *range = range_of(address, &end);

  if (!range)
    return false;
  __atomic_store_n(&range->damaged, 1, __ATOMIC_SEQ_CST);
  return mmap((void *)page, end - page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  int saved_errno = errno;

  if (info->si_code != BUS_ADRERR || !substitute((uintptr_t)info->si_addr)) {
    /* Somebody else's: a fault comes again by itself, what was sent is sent again. */
    sigaction(number, &guard.before, NULL);
    if (info->si_code <= 0)
      raise(number);
  }
  errno = saved_errno;
}

/* With the lock held. */
static void install(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

  if (guard.installed)
    return;
  guard.page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
  guard.installed = sigaction(SIGBUS, &action, &guard.before) == 0;
}

/* One that is unused, in the list. With the lock held. */
static Range *find_unused(void) {
  for (Range *range = guard.ranges; range; range = range->next)
    if (!range->start)
      return range;
  Range *fresh = g_new0(Range, 1);
  fresh->next = guard.ranges;
  __atomic_store_n(&guard.ranges, fresh, __ATOMIC_RELEASE);
  return fresh;
}

static Range *range_add(uintptr_t start, uintptr_t size) {
  g_mutex_lock(&guard.lock);
  install();
  Range *range = find_unused();
  range->damaged = 0;
  __atomic_store_n(&range->end, start + size, __ATOMIC_RELEASE);
  __atomic_store_n(&range->start, start, __ATOMIC_RELEASE);
  g_mutex_unlock(&guard.lock);
  return range;
}

static void range_remove(Range *range) {
  g_mutex_lock(&guard.lock);
  __atomic_store_n(&range->start, 0, __ATOMIC_RELEASE);
  g_mutex_unlock(&guard.lock);
}

static bool fail(GError **error, int reason) {
  g_set_error_literal(error, G_FILE_ERROR, (int)g_file_error_from_errno(reason), g_strerror(reason));
  return false;
}

static bool map(MappedFile *file, GError **error) {
  struct stat status;

  if (fstat(file->fd, &status) < 0)
    return fail(error, errno);
  if (!S_ISREG(status.st_mode)) {
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "not a regular file");
    return false;
  }
  file->size = status.st_size;
  file->modified = status.st_mtim;
  if (file->size == 0 && !descriptor_is_made_as_read(file->fd))
    return true;
  if (file->size == 0) {
    g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "it " DESCRIPTOR_MADE_AS_READ);
    return false;
  }
  void *start = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, file->fd, 0);
  if (start == MAP_FAILED)
    return fail(error, errno);
  file->range = range_add((uintptr_t)start, (uintptr_t)file->size);
  return true;
}

MappedFile *mapped_file_new_take_fd(int fd, const char *path, MappedFileUse use, GError **error) {
  g_autoptr(MappedFile) file = g_new0(MappedFile, 1);

  file->path = g_strdup(path);
  file->fd = fd;
  g_atomic_ref_count_init(&file->references);
  if (!map(file, error))
    return NULL;
  if (use == MAPPED_FILE_READ_ONCE) {
    close(file->fd);
    file->fd = -1;
  }
  return g_steal_pointer(&file);
}

MappedFile *mapped_file_open(const char *path, MappedFileUse use, GError **error) {
  /* O_NONBLOCK: a FIFO must lead to an error, not to waiting for its writer. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd >= 0)
    return mapped_file_new_take_fd(fd, path, use, error);
  fail(error, errno);
  return NULL;
}

MappedFile *mapped_file_ref(MappedFile *file) {
  g_atomic_ref_count_inc(&file->references);
  return file;
}

void mapped_file_free(MappedFile *file) {
  if (!file || !g_atomic_ref_count_dec(&file->references))
    return;
  if (file->range) {
    void *start = (void *)file->range->start;
    range_remove(file->range);
    munmap(start, (size_t)file->size);
  }
  if (file->fd >= 0)
    close(file->fd);
  g_free(file->path);
  g_free(file);
}

static void release(gpointer file) {
  mapped_file_free(file);
}

GBytes *mapped_file_bytes(MappedFile *file) {
  if (!file->range)
    return g_bytes_new_static("", 0);
  return g_bytes_new_with_free_func((const void *)file->range->start, (gsize)file->size, release, mapped_file_ref(file));
}

void mapped_file_let_go(MappedFile *file) {
  if (file->range)
    madvise((void *)file->range->start, (size_t)file->size, MADV_DONTNEED);
}

static bool set_damaged(const MappedFile *file, GError **error) {
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "%s was truncated, or could not be read, while it was in use", file->path);
  return false;
}

static bool is_unchanged(const MappedFile *file, GError **error) {
  struct stat status;

  if (fstat(file->fd, &status) < 0)
    return set_damaged(file, error);
  if (status.st_size == file->size && status.st_mtim.tv_sec == file->modified.tv_sec && status.st_mtim.tv_nsec == file->modified.tv_nsec)
    return true;
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO,
              "%s was changed in place while it was in use (it had %" G_GOFFSET_FORMAT " bytes, now %" G_GOFFSET_FORMAT
              "); a new file under its name ('mv NEW %s') would have done no harm",
              file->path, file->size, (goffset)status.st_size, file->path);
  return false;
}

bool mapped_file_check(const MappedFile *file, GError **error) {
  if (file->fd >= 0 && !is_unchanged(file, error))
    return false;
  if (file->range && __atomic_load_n(&file->range->damaged, __ATOMIC_SEQ_CST))
    return set_damaged(file, error);
  return true;
}

void mapped_file_blame(const MappedFile *file, GError **error) {
  g_autoptr(GError) reason = NULL;

  if (mapped_file_check(file, &reason))
    return;
  g_clear_error(error);
  g_propagate_error(error, g_steal_pointer(&reason));
}
