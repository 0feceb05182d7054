/* SPDX-License-Identifier: Apache-2.0 */
/* Files of firmware and variables: devices/backend/flash-file.c; and that nobody who is killed leaves half a change. */
#define _GNU_SOURCE
#include "devices/backend/flash-file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/directory.h"

#define BLOCK  FLASH_FILE_BLOCK
#define BLOCKS 2
#define SIZE   (BLOCKS * BLOCK)
#define LIMIT  (UINT64_C(64) << 20)
#define KILLS  1000

typedef struct {
  char *directory, *path;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  f->directory = directory_new();
  f->path = g_build_filename(f->directory, "vars.fd", NULL);
}

static void tear_down(Fixture *f, gconstpointer data) {
  directory_free(f->directory);
  g_free(f->directory);
  g_free(f->path);
}

static void make(const Fixture *f) {
  g_autoptr(GError) error = NULL;

  flash_file_create(f->path, NULL, BLOCKS, &error);
  g_assert_no_error(error);
}

static FlashFile *open_it(const Fixture *f) {
  g_autoptr(GError) error = NULL;
  FlashFile *file = flash_file_open(f->path, LIMIT, &error);

  g_assert_no_error(error);
  return file;
}

/* It is not taken, for a reason like PATTERN, neither by a look nor by opening it. */
static void refused(const Fixture *f, bool by_a_look, FlashFileError code, const char *pattern) {
  g_autoptr(GError) error = NULL, look = NULL;

  g_assert_null(flash_file_open(f->path, LIMIT, &error));
  g_assert_error(error, FLASH_FILE_ERROR, (int)code);
  g_assert_true(g_pattern_match_simple(pattern, error->message));
  g_assert_true(flash_file_check(f->path, LIMIT, &look) == !by_a_look);
  if (by_a_look)
    g_assert_cmpstr(look->message, ==, error->message);
}

static void test_create(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree uint8_t *bytes = g_malloc0(SIZE);

  make(f);
  g_autoptr(FlashFile) file = open_it(f);
  g_assert_cmpuint(flash_file_size(file), ==, SIZE);
  g_assert_true(flash_file_read(file, bytes, &error));
  for (unsigned i = 0; i < SIZE; i++)
    g_assert_cmphex(bytes[i], ==, 0xff);
  g_assert_false(flash_file_create(f->path, NULL, 1, &error)); /* one that is there stays */
  g_assert_true(g_pattern_match_simple("cannot make the file of variables '*': File exists", error->message));
  g_assert_true(flash_file_check(f->path, LIMIT, NULL));
  g_autoptr(GDir) left = g_dir_open(f->directory, 0, NULL);
  g_assert_cmpstr(g_dir_read_name(left), ==, "vars.fd");
  g_assert_null(g_dir_read_name(left)); /* and nothing beside it */
}

static void test_template(Fixture *f, gconstpointer data) {
  g_autofree char *code = g_build_filename(f->directory, "X_CODE.ms.fd", NULL);
  g_autofree char *plain = g_build_filename(f->directory, "X_VARS.fd", NULL);
  g_autofree char *special = g_build_filename(f->directory, "X_VARS.ms.fd", NULL);
  g_autofree uint8_t *bytes = g_malloc0(SIZE);
  g_autoptr(GError) error = NULL;
  struct stat status;

  g_assert_null(flash_file_template(code));
  g_assert_null(flash_file_template("u-boot.bin"));
  directory_write(f->directory, "X_VARS.fd", "plain");
  g_autofree char *found = flash_file_template(code);
  g_assert_cmpstr(found, ==, plain);
  directory_write(f->directory, "X_VARS.ms.fd", "special");
  g_autofree char *better = flash_file_template(code);
  g_assert_cmpstr(better, ==, special);
  g_assert_false(flash_file_check_template(special, LIMIT, &error));
  g_assert_error(error, FLASH_FILE_ERROR, FLASH_FILE_ERROR_SIZE);
  g_clear_error(&error);

  g_assert_cmpint(truncate(special, SIZE), ==, 0);
  g_assert_true(flash_file_check_template(special, LIMIT, NULL));
  g_assert_true(flash_file_create(f->path, special, 0, &error));
  g_assert_cmpint(stat(f->path, &status), ==, 0);
  g_assert_cmpint(status.st_blocks * 512, <, BLOCK); /* holes stay holes */
  g_autoptr(FlashFile) file = open_it(f);
  g_assert_true(flash_file_read(file, bytes, NULL));
  g_assert_cmpstr((const char *)bytes, ==, "special");
  unlink(f->path);
  g_assert_false(flash_file_create(f->path, "/nonexistent", 0, &error));
  g_assert_cmpstr(error->message, ==, "cannot open the template of variables '/nonexistent': No such file or directory");
  g_assert_cmpint(access(f->path, F_OK), ==, -1);
}

static void test_refused(Fixture *f, gconstpointer data) {
  refused(f, true, FLASH_FILE_ERROR_OPEN, "cannot open the file of variables '*': No such file or directory");
  make(f);
  {
    g_autoptr(FlashFile) first = open_it(f);
    refused(f, false, FLASH_FILE_ERROR_BUSY, "*is in use by another machine*");
  }
  static const uint64_t sizes[] = {0, 1, BLOCK - 1, BLOCK + 4096, LIMIT + BLOCK};
  for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
    g_assert_cmpint(truncate(f->path, (off_t)sizes[i]), ==, 0);
    refused(f, true, FLASH_FILE_ERROR_SIZE, "the file of variables '*' has * bytes: it must be a multiple of 256 KiB, up to 64 MiB");
  }
  unlink(f->path);
  g_assert_cmpint(mkfifo(f->path, 0600), ==, 0);
  refused(f, true, FLASH_FILE_ERROR_OPEN, "the file of variables '*' is not a regular file");
  unlink(f->path);
  g_assert_cmpint(mkdir(f->path, 0700), ==, 0);
  g_assert_null(flash_file_open(f->path, LIMIT, NULL));
  g_assert_false(flash_file_check(f->path, LIMIT, NULL));
}

static void test_read_only(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  make(f);
  g_assert_cmpint(chmod(f->path, 0444), ==, 0);
  if (faccessat(AT_FDCWD, f->path, W_OK, AT_EACCESS) == 0) {
    g_test_skip("root may write what is read-only");
    return;
  }
  g_assert_false(flash_file_check(f->path, LIMIT, &error));
  g_assert_true(g_pattern_match_simple("cannot write the file of variables '*': Permission denied; *", error->message));
}

static void test_image(Fixture *f, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  uint8_t bytes[3] = {0};

  directory_write(f->directory, "vars.fd", "abc");
  g_autoptr(FlashFile) image = flash_file_open_image(f->path, 3, &error);
  g_assert_no_error(error);
  g_assert_true(flash_file_read(image, bytes, NULL));
  g_assert_cmpmem(bytes, 3, "abc", 3);
  g_assert_null(flash_file_open_image(f->path, 2, &error));
  g_assert_true(g_pattern_match_simple("firmware '*' has 3 bytes: the flash has room for 1 to 2", error->message));
  g_assert_cmpint(truncate(f->path, 1), ==, 0);
  g_clear_error(&error);
  g_assert_false(flash_file_read(image, bytes, &error)); /* what was measured is not there any more */
  g_assert_true(g_pattern_match_simple("cannot read '*': it has become shorter", error->message));
}

/* A change that is known by its number: of a word, of a buffer, perhaps across pages, or of a block. */
typedef struct {
  uint64_t offset;
  unsigned size; /* 0: erased */
  uint8_t bytes[FLASH_FILE_PROGRAM_MAX];
} Change;

static void make_change(unsigned number, Change *change) {
  g_autoptr(GRand) random = g_rand_new_with_seed(number);
  int kind = g_rand_int_range(random, 0, 4);

  *change = (Change){0};
  if (kind == 0) {
    change->offset = (uint64_t)g_rand_int_range(random, 0, BLOCKS) * BLOCK;
    return;
  }
  change->size = kind == 1 ? 4 : (unsigned)g_rand_int_range(random, 1, FLASH_FILE_PROGRAM_MAX / 4 + 1) * 4;
  change->offset = (uint64_t)g_rand_int_range(random, 0, (SIZE - FLASH_FILE_PROGRAM_MAX) / 4) * 4;
  for (unsigned i = 0; i < change->size; i++)
    change->bytes[i] = (uint8_t)g_rand_int(random);
}

static bool carry_out(FlashFile *file, const Change *change) {
  return change->size ? flash_file_program(file, change->offset, change->bytes, change->size) : flash_file_erase(file, change->offset);
}

static void apply(uint8_t *model, const Change *change) {
  memcpy(model + change->offset, change->bytes, change->size);
  if (change->size == 0)
    memset(model + change->offset, 0xff, BLOCK);
}

/* In a process that is to be killed: changes from number *DONE on, which counts those that are done. */
static void go_on(const char *path, unsigned *done, unsigned last) {
  FlashFile *file = flash_file_open(path, LIMIT, NULL);

  while (file && *done < last) {
    Change change;
    make_change(*done, &change);
    if (!carry_out(file, &change))
      break;
    __atomic_fetch_add(done, 1, __ATOMIC_SEQ_CST);
  }
  _exit(file ? 0 : 1);
}

/* The file is MODEL with the changes that are done; or with one more, which is then counted, too. */
static void compare(const Fixture *f, uint8_t *model, unsigned *compared, unsigned *done) {
  g_autofree uint8_t *bytes = g_malloc0(SIZE);
  g_autoptr(FlashFile) file = open_it(f);
  Change change;

  g_assert_cmpuint(flash_file_size(file), ==, SIZE);
  g_assert_true(flash_file_read(file, bytes, NULL));
  for (; *compared < *done; (*compared)++) {
    make_change(*compared, &change);
    apply(model, &change);
  }
  if (memcmp(model, bytes, SIZE) == 0)
    return;
  make_change(*compared, &change);
  apply(model, &change);
  *compared = ++*done;
  g_assert_true(memcmp(model, bytes, SIZE) == 0);
}

static unsigned *share_count(void) {
  unsigned *done = mmap(NULL, sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

  g_assert_true(done != MAP_FAILED);
  return done;
}

static uint8_t *model_new(void) {
  uint8_t *model = g_malloc(SIZE);

  memset(model, 0xff, SIZE);
  return model;
}

static void test_changes(Fixture *f, gconstpointer data) {
  g_autofree uint8_t *model = model_new();
  unsigned done = 0, compared = 0;

  make(f);
  for (unsigned i = 0; i < 60; i++) {
    g_autoptr(FlashFile) file = open_it(f);
    Change change;
    make_change(done++, &change);
    g_assert_true(carry_out(file, &change));
    g_clear_pointer(&file, flash_file_free);
    compare(f, model, &compared, &done);
    g_assert_cmpuint(done, ==, i + 1);
  }
}

/* Killed between any two system calls of an erasure, and of a program across two pages. */
static void test_killed_at_each_call(Fixture *f, gconstpointer data) {
  g_autofree uint8_t *model = model_new();
  unsigned *done = share_count(), compared = 0, torn = 0;

  make(f);
  for (unsigned calls = 1, before = 0; before < 12; calls++) {
    before = *done;
    pid_t child = fork();
    if (child == 0) {
      ptrace(PTRACE_TRACEME, 0, NULL, NULL);
      raise(SIGSTOP);
      go_on(f->path, done, before + 1);
    }
    int status = 0;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    for (unsigned i = 0; i < calls && WIFSTOPPED(status); i++) {
      g_assert_cmpint(ptrace(PTRACE_SYSCALL, child, NULL, NULL), ==, 0);
      g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    }
    if (WIFSTOPPED(status)) {
      kill(child, SIGKILL);
      g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    } else {
      g_assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
      calls = 0; /* it came to its end: the next change from its start */
    }
    struct stat size;
    g_assert_cmpint(stat(f->path, &size), ==, 0);
    torn += size.st_size != SIZE;
    compare(f, model, &compared, done);
    if (*done > before)
      calls = 0;
  }
  g_assert_cmpuint(torn, >, 0); /* the test has seen what it is for */
  munmap(done, sizeof *done);
}

static void test_killed_at_random(Fixture *f, gconstpointer data) {
  g_autofree uint8_t *model = model_new();
  unsigned *done = share_count(), compared = 0;

  make(f);
  for (unsigned i = 0; i < KILLS; i++) {
    unsigned before = *done;
    pid_t child = fork();
    if (child == 0)
      go_on(f->path, done, UINT_MAX);
    g_assert_cmpint(child, >, 0);
    for (unsigned waited = 0; i % 2 && __atomic_load_n(done, __ATOMIC_SEQ_CST) == before && waited < 100000; waited++)
      g_usleep(10); /* every other one is killed only when it has done something */
    g_usleep((gulong)g_test_rand_int_range(0, 1000));
    g_assert_cmpint(kill(child, SIGKILL), ==, 0);
    g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
    compare(f, model, &compared, done);
  }
  g_test_message("%u changes", *done);
  g_assert_cmpuint(*done, >, KILLS / 4);
  munmap(done, sizeof *done);
}

/* What lies behind the end is a record, or the file is torn. */
static void test_torn(Fixture *f, gconstpointer data) {
  unsigned *done = share_count();
  g_autofree char *record = NULL;
  gsize size = 0;

  make(f);
  *done = 0;
  for (Change change; make_change(*done, &change), change.size != 0;)
    ++*done; /* an erasure */
  for (unsigned calls = 1; size <= SIZE; calls++) {
    pid_t child = fork();
    if (child == 0) {
      ptrace(PTRACE_TRACEME, 0, NULL, NULL);
      raise(SIGSTOP);
      go_on(f->path, done, *done + 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    for (unsigned i = 0; i < calls && WIFSTOPPED(status); i++) {
      ptrace(PTRACE_SYSCALL, child, NULL, NULL);
      waitpid(child, &status, 0);
    }
    g_assert_true(WIFSTOPPED(status));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    g_free(record);
    g_assert_true(g_file_get_contents(f->path, &record, &size, NULL));
  }
  g_assert_true(flash_file_check(f->path, LIMIT, NULL)); /* it can be mended */
  for (unsigned i = 0; i < 3; i++) {
    static const unsigned places[] = {0, 20, 1000}; /* its mark, where it is for, what it says */
    record[SIZE + places[i]] ^= 1;
    g_assert_true(g_file_set_contents(f->path, record, (gssize)size, NULL));
    refused(f, true, FLASH_FILE_ERROR_TORN, "the file of variables '*' is torn: *truncate -s 524288 *");
    record[SIZE + places[i]] ^= 1;
  }
  g_assert_true(g_file_set_contents(f->path, record, (gssize)size, NULL));
  g_clear_pointer(&record, g_free);
  FlashFile *mended = open_it(f);
  flash_file_free(mended);
  g_assert_true(g_file_get_contents(f->path, &record, &size, NULL));
  g_assert_cmpuint(size, ==, SIZE);
  munmap(done, sizeof *done);
}

#define ADD(name, function) g_test_add("/flash-file/" name, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("create", test_create);
  ADD("template", test_template);
  ADD("refused", test_refused);
  ADD("read-only", test_read_only);
  ADD("image", test_image);
  ADD("changes", test_changes);
  ADD("killed-at-each-call", test_killed_at_each_call);
  ADD("killed-at-random", test_killed_at_random);
  ADD("torn", test_torn);
  return g_test_run();
}
