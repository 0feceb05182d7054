/* SPDX-License-Identifier: Apache-2.0 */
/* Disk images: devices/backend/disk-image*.c, on both engines. */
#define _GNU_SOURCE
#include "tests/unit/devices/backend/disk-fixture.h"
#include "tests/unit/exchanger.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Counts what the threads engine and disk_image_free call; io_uring has the kernel do it. */
static int n_fdatasync; /* atomic */
int fdatasync(int fd) {
  __atomic_fetch_add(&n_fdatasync, 1, __ATOMIC_SEQ_CST);
  return (int)syscall(SYS_fdatasync, fd);
}

static Fixture *fixture_new(const void *engine, char *path, bool read_only) {
  return fixture_open(&(DiskImageOptions){.read_only = read_only, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)}, path);
}

static DiskImage *open_image(const char *path, bool read_only, GError **error) {
  return disk_image_open(path, &(DiskImageOptions){.read_only = read_only}, error);
}

/* A new loop device on PATH, or NULL with the test skipped. */
static char *make_loop_device(const char *path) {
  struct loop_info64 info = {.lo_flags = LO_FLAGS_AUTOCLEAR};
  int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, loop, fd;
  g_autofree char *device = NULL;
  bool made;

  number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
  if (control >= 0)
    close(control);
  if (number < 0) {
    g_test_skip("no loop devices here, or no right to use them");
    return NULL;
  }
  device = g_strdup_printf("/dev/loop%d", number);
  loop = open(device, O_RDWR | O_CLOEXEC);
  fd = open(path, O_RDWR | O_CLOEXEC);
  made = loop >= 0 && ioctl(loop, LOOP_SET_FD, fd) == 0 && ioctl(loop, LOOP_SET_STATUS64, &info) == 0;
  close(fd);
  if (!made) {
    g_test_skip("cannot set up a loop device");
    if (loop >= 0)
      close(loop);
    return NULL;
  }
  /* It clears itself when the last descriptor goes: the caller keeps this one until the image has its own. */
  return g_strdup_printf("%s %d", device, loop);
}

/* Opening. */

static void assert_refused(const char *path, bool read_only, DiskImageError code, const char *contains) {
  g_autoptr(GError) error = NULL;

  g_assert_null(open_image(path, read_only, &error));
  g_assert_error(error, DISK_IMAGE_ERROR, (int)code);
  g_test_message("%s", error->message);
  g_assert_nonnull(strstr(error->message, contains));
  g_assert_nonnull(strstr(error->message, path));
}

/* In /proc/kmsg there is nothing to read until the kernel says more. */
static void test_open_waits(void) {
  int fd = open("/proc/kmsg", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char text[4096];

  if (fd < 0) {
    g_test_skip("/proc/kmsg is for root");
    return;
  }
  while (read(fd, text, sizeof text) > 0)
    ;
  close(fd);
  alarm(WAIT_US / G_USEC_PER_SEC);
  assert_refused("/proc/kmsg", true, DISK_IMAGE_ERROR_TYPE, "has no size");
  alarm(0);
}

static void test_open_errors(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);

  assert_refused(path, false, DISK_IMAGE_ERROR_OPEN, "No such file");
  assert_refused(directory, false, DISK_IMAGE_ERROR_TYPE, "a directory");
  assert_refused("/dev/null", false, DISK_IMAGE_ERROR_TYPE, "a character device");
  assert_refused("/proc/cpuinfo", true, DISK_IMAGE_ERROR_TYPE, "has no size");
  g_assert_cmpint(mkfifo(path, 0600), ==, 0);
  assert_refused(path, true, DISK_IMAGE_ERROR_TYPE, "a pipe"); /* and does not wait for a writer */
  g_unlink(path);
  make_file(path, 0);
  assert_refused(path, false, DISK_IMAGE_ERROR_TYPE, "empty");
  if (getuid() != 0) {
    make_file(path, 512);
    g_chmod(path, 0400);
    assert_refused(path, false, DISK_IMAGE_ERROR_OPEN, "',ro'");
  }
  g_unlink(path);
  g_rmdir(directory);
  disk_image_free(NULL);
}

/*
 * What is opened is what is looked at, whatever the name stood for a moment before: never a pipe, and no wait for its
 * writer.
 */
static void test_open_exchanged(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL), *pipe_path = g_build_filename(directory, "pipe", NULL);
  unsigned opened = 0, refused = 0;
  Exchanger exchanger;

  make_file(path, SIZE);
  g_assert_cmpint(mkfifo(pipe_path, 0600), ==, 0);
  alarm(60); /* ends a test that waits */
  if (exchanger_start(&exchanger, path, pipe_path)) {
    for (unsigned i = 0; i < 20000 && (i < 2000 || !opened || !refused); i++) {
      g_autoptr(GError) error = NULL;
      DiskImage *image = open_image(path, true, &error);
      opened += image != NULL;
      refused += !image;
      if (image)
        g_assert_cmpuint(disk_image_size(image), ==, SIZE);
      else
        g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE);
      disk_image_free(image);
    }
    exchanger_stop(&exchanger);
    g_assert_true(opened && refused);
  } else {
    g_test_skip("this file system does not exchange names");
  }
  alarm(0);
  g_unlink(path);
  g_unlink(pipe_path);
  g_rmdir(directory);
}

static void test_open(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);
  g_autoptr(GError) error = NULL;
  DiskImage *image;

  make_file(path, 512);
  image = open_image(path, false, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(disk_image_size(image), ==, 512);
  g_assert_false(disk_image_read_only(image));
  __atomic_store_n(&n_fdatasync, 0, __ATOMIC_SEQ_CST);
  disk_image_free(image);
  g_assert_cmpint(__atomic_load_n(&n_fdatasync, __ATOMIC_SEQ_CST), ==, 1);

  make_file(path, SIZE);
  g_chmod(path, 0400);
  image = open_image(path, true, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(disk_image_size(image), ==, SIZE);
  g_assert_true(disk_image_read_only(image));
  disk_image_free(image);
  g_unlink(path);
  g_rmdir(directory);
}

static void test_locks(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);
  g_autoptr(GError) error = NULL;
  DiskImage *first, *second;

  make_file(path, 512);
  first = open_image(path, false, &error);
  g_assert_no_error(error);
  assert_refused(path, false, DISK_IMAGE_ERROR_BUSY, "in use");
  assert_refused(path, true, DISK_IMAGE_ERROR_BUSY, "in use");
  disk_image_free(first);

  first = open_image(path, true, &error);
  g_assert_no_error(error);
  second = open_image(path, true, &error);
  g_assert_no_error(error);
  assert_refused(path, false, DISK_IMAGE_ERROR_BUSY, "in use");
  disk_image_free(first);
  assert_refused(path, false, DISK_IMAGE_ERROR_BUSY, "in use");
  disk_image_free(second);
  first = open_image(path, false, &error);
  g_assert_no_error(error);
  disk_image_free(first);
  g_unlink(path);
  g_rmdir(directory);
}

/*
 * Others: a process that opens PATH, locks each of BYTES (ended by -1) with a lock of TYPE, and lasts until it is
 * killed.
 */
static GPid start_other(const char *path, const int *bytes, int type) {
  int ready[2];
  char byte;

  g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
  pid_t pid = fork();
  if (pid == 0) {
    int fd = open(path, O_RDWR | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "other\033[1m");
    for (; *bytes >= 0; bytes++) {
      struct flock lock = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = *bytes, .l_len = *bytes ? 1 : 0};
      if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
        _exit(1);
    }
    if (write(ready[1], "", 1) == 1)
      pause();
    _exit(1);
  }
  close(ready[1]);
  g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
  close(ready[0]);
  return pid;
}

static void stop_other(GPid pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/*
 * The bytes that QEMU 10.0 locks for a raw image's user, seen by strace, and whether we can read beside it. Beside none
 * of them we can write. And what others lock that know only whole files.
 */
static void test_locks_of_others(void) {
  static const struct {
    const char *who;
    int bytes[6];
    int type;
    bool readers;
  } cases[] = {
      {"a guest's disk", {100, 101, 103, 201, 203, -1}, F_RDLCK, false},
      {"a guest's disk, read-only", {100, 201, -1}, F_RDLCK, true},
      {"the same, of a size that is not to change", {100, 201, 203, -1}, F_RDLCK, true},
      {"a tool that writes", {100, 101, -1}, F_RDLCK, false},
      {"somebody who wants nobody to read", {200, -1}, F_RDLCK, false},
      {"all of the file, by one who writes", {0, -1}, F_WRLCK, false},
  };
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);

  make_file(path, 512);
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    GPid pid = start_other(path, cases[i].bytes, cases[i].type);
    g_autofree char *who = g_strdup_printf("is in use by process %d (other?[1m)", pid);

    assert_refused(path, false, DISK_IMAGE_ERROR_BUSY, who);
    if (cases[i].readers) {
      g_autoptr(GError) error = NULL;
      g_autoptr(DiskImage) image = open_image(path, true, &error);
      g_assert_no_error(error);
    } else {
      assert_refused(path, true, DISK_IMAGE_ERROR_BUSY, who);
    }
    g_autoptr(DiskImage) unlocked = disk_image_open(path, &(DiskImageOptions){.lock = DISK_LOCK_OFF}, NULL);
    g_assert_nonnull(unlocked);
    stop_other(pid);
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* What others see of ours: as QEMU looks for them, an exclusive lock that would not be to be had. */
static void test_locks_seen(void) {
  static const struct {
    bool read_only;
    int bytes[6];
  } cases[] = {{false, {100, 101, 103, 201, 203, -1}}, {true, {100, 201, 203, -1, -1, -1}}};
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);

  make_file(path, 512);
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(DiskImage) image = open_image(path, cases[i].read_only, NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    const int *wanted = cases[i].bytes;

    for (int byte = 0; byte < 300; byte++) {
      struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

      g_assert_cmpint(fcntl(fd, F_OFD_GETLK, &lock), ==, 0);
      g_assert_cmpint(lock.l_type, ==, byte == *wanted ? F_RDLCK : F_UNLCK);
      wanted += byte == *wanted;
    }
    close(fd);
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* A file of SIZE bytes that begins, at OFFSET, with MARK. */
static void make_marked(const char *path, off_t size, off_t offset, const char *mark, size_t mark_size) {
  make_file(path, size);
  int fd = open(path, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint(pwrite(fd, mark, mark_size, offset), ==, mark_size);
  close(fd);
}

/*
 * What another format has in its head is no disk's; the answer names format and cure. A file that only resembles one is
 * a disk.
 */
static void test_formats(void) {
  static const struct {
    const char *format, *mark;
    size_t size;
    off_t offset;
  } cases[] = {
      {"qcow2", "QFI\xfb\0\0\0\3", 8, 0},
      {"qcow2", "QFI\xfb\0\0\0\2", 8, 0},
      {"qcow", "QFI\xfb\0\0\0\1", 8, 0},
      {"qed", "QED\0", 4, 0},
      {"vmdk", "KDMV\1\0\0\0", 8, 0},
      {"vmdk", "COWD\1\0\0\0", 8, 0},
      {"vmdk", "# Disk DescriptorFile", 21, 0},
      {"vhdx", "vhdxfile", 8, 0},
      {"vhd", "conectix", 8, 0},
      {"vdi", "\x7f\x10\xda\xbe", 4, 0x40},
      {"parallels", "WithoutFreeSpace", 16, 0},
      {"parallels", "WithouFreSpacExt", 16, 0},
      {NULL, "QFI\xfa", 4, 0},
      {NULL, "conectix", 8, 1536 - 512},
      {NULL, "\x7f\x10\xda\xbe", 4, 0},
      {NULL, "LUKS\xba\xbe\0\2", 8, 0},
  };
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *what = g_strdup_printf(" is a %s image: ',format=%s'", cases[i].format, cases[i].format);

    make_marked(path, 1536, cases[i].offset, cases[i].mark, cases[i].size);
    for (unsigned read_only = 0; cases[i].format && read_only < 2; read_only++) {
      assert_refused(path, read_only, DISK_IMAGE_ERROR_FORMAT, what);
      assert_refused(path, read_only, DISK_IMAGE_ERROR_FORMAT, "',format=raw'");
    }
    const DiskImageOptions options = {.format = cases[i].format ? DISK_IMAGE_FORMAT_RAW : DISK_IMAGE_FORMAT_AUTO};
    g_autoptr(DiskImage) image = disk_image_open(path, &options, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(disk_image_size(image), ==, 1536);
  }
  /*
   * Such files are seldom a whole number of sectors; what to do about that is not what helps. And one may end within
   * its mark.
   */
  make_marked(path, 197, 0, "QFI\xfb\0\0\0\3", 8);
  assert_refused(path, false, DISK_IMAGE_ERROR_FORMAT, "is a qcow2 image: ',format=qcow2'");
  make_marked(path, 3, 0, "QFI", 3);
  g_autoptr(DiskImage) image = open_image(path, true, NULL);
  g_assert_cmpuint(disk_image_size(image), ==, 512);
  g_unlink(path);
  g_rmdir(directory);
}

typedef struct {
  Fixture *fixture;
  int batches, in_kicks;
} Batches;

static void read_batches(void *opaque) {
  Batches *batches = opaque;

  batches->batches = batches->fixture->batches;
  batches->in_kicks = batches->fixture->in_kicks;
}

/* One request alone is a batch, unless it was over before the kick that submitted it. */
static void test_batch_end(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);
  Batches batches = {.fixture = fixture};
  uint8_t bytes[512] = {0};

  for (int i = 1; fixture && i <= 5; i++) {
    g_assert_cmpint(i % 2 ? run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, sizeof bytes)
                          : run_range(fixture, DISK_IMAGE_WRITE_ZEROES, 0, 512, false),
                    ==, 0);
    io_thread_call(fixture->thread, read_batches, &batches);
    g_assert_cmpint(batches.batches + batches.in_kicks, ==, i);
  }
  if (fixture)
    fixture_free(fixture);
}

/* This thread can make no other any more. */
static void forbid_threads(void *opaque) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {G_N_ELEMENTS(code), code};

  g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

/* The host has no thread left for us: slow, but nothing is lost. */
static void test_no_workers(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);
  uint8_t bytes[512] = {7};

  if (!fixture)
    return;
  io_thread_call(fixture->thread, forbid_threads, NULL);
  for (unsigned i = 0; i < 3; i++) {
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, i * 512, bytes, sizeof bytes), ==, 0);
    g_assert_cmpint(run_range(fixture, DISK_IMAGE_WRITE_ZEROES, 8192, 512, false), ==, 0);
    assert_on_disk(fixture, i * 512, bytes, sizeof bytes);
  }
  fixture_free(fixture);
}

/* io_uring_setup fails with ERRNO from now on. */
static void forbid_io_uring(int with) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)with),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {G_N_ELEMENTS(code), code};

  g_assert_cmpint(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), ==, 0);
  g_assert_cmpint(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), ==, 0);
}

static void test_falls_back_to_threads(const void *with) {
  if (g_test_subprocess()) {
    Fixture *fixture;
    g_autoptr(GError) error = NULL;
    uint8_t bytes[512] = {1, 2, 3};

    forbid_io_uring(GPOINTER_TO_INT(with));
    fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_AUTO), NULL, false);
    g_assert_cmpstr(disk_channel_engine(fixture->channel), ==, "threads");
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 512, bytes, sizeof bytes), ==, 0);
    assert_on_disk(fixture, 512, bytes, sizeof bytes);
    fixture_free(fixture);

    g_autofree char *directory = make_directory();
    g_autofree char *path = g_build_filename(directory, "disk", NULL);
    make_file(path, 512);
    g_autoptr(DiskImage) image = disk_image_open(path, &(DiskImageOptions){.engine = DISK_IMAGE_ENGINE_IO_URING}, &error);
    g_assert_no_error(error);
    g_assert_null(disk_channel_new(image, &error));
    g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_ENGINE);
    g_assert_nonnull(strstr(error->message, g_strerror(GPOINTER_TO_INT(with))));
    g_unlink(path);
    g_rmdir(directory);
    return;
  }
  g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed();
}

/* Requests. */

static void test_read_write(const void *engine) {
  static const size_t sizes[] = {512, 4096, 65536, SIZE};
  Fixture *fixture = fixture_new(engine, NULL, false);

  for (unsigned i = 0; fixture && i < G_N_ELEMENTS(sizes); i++) {
    g_autofree uint8_t *written = random_bytes(sizes[i]);
    g_autofree uint8_t *read_back = g_malloc(sizes[i]);

    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SIZE - sizes[i], written, sizes[i]), ==, 0);
    assert_on_disk(fixture, SIZE - sizes[i], written, sizes[i]);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, SIZE - sizes[i], read_back, sizes[i]), ==, 0);
    g_assert_cmpmem(read_back, sizes[i], written, sizes[i]);
    g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
  }
  if (fixture)
    fixture_free(fixture);
}

/* Vectors of odd pieces, longer than one system call takes. */
/* One in memory: a copy, of whole sectors, that nobody can change. */
static void test_content(const void *engine) {
  enum { CONTENT = 1000, WHOLE = 1024 };
  Fixture *fixture = fixture_new(engine, NULL, true);
  g_autofree uint8_t *content = random_bytes(CONTENT), *read_back = g_malloc(WHOLE);
  static const uint8_t zeros[WHOLE - CONTENT];
  g_autoptr(GBytes) bytes = g_bytes_new(content, CONTENT);
  g_autoptr(GError) error = NULL;

  if (!fixture)
    return;
  io_thread_call(fixture->thread, do_stop, fixture);
  disk_channel_free(fixture->channel);
  disk_image_free(fixture->image);
  fixture->image = disk_image_of("what is told", bytes, &error);
  g_assert_no_error(error);
  fixture->channel = disk_channel_new(fixture->image, &error);
  g_assert_no_error(error);
  io_thread_call(fixture->thread, do_start, fixture);
  g_assert_cmpuint(disk_image_size(fixture->image), ==, WHOLE);
  g_assert_true(disk_image_read_only(fixture->image));
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, read_back, WHOLE), ==, 0);
  g_assert_cmpmem(read_back, CONTENT, content, CONTENT);
  g_assert_cmpmem(read_back + CONTENT, sizeof zeros, zeros, sizeof zeros);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, read_back, DISK_SECTOR_SIZE), <, 0); /* whoever lets it come so far */
  fixture_free(fixture);
  g_autoptr(DiskImage) planned = disk_image_of("what is told", NULL, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(disk_image_size(planned), >, 0);
}

static void test_vectors(const void *engine) {
  enum { N = 3000 };
  Fixture *fixture = fixture_new(engine, NULL, false);
  g_autofree struct iovec *iov = g_new(struct iovec, N);
  g_autofree uint8_t *bytes = random_bytes(SIZE), *read_back = g_malloc0(SIZE);

  if (!fixture)
    return;
  for (unsigned pass = 0; pass < 2; pass++) {
    Request request = {.io = {.operation = pass ? DISK_IMAGE_READ : DISK_IMAGE_WRITE, .offset = 1024, .iov = iov, .n_iov = N}};
    size_t at = 0;

    for (unsigned i = 0; i < N; i++) {
      iov[i] = (struct iovec){(pass ? read_back : bytes) + at, i == 1500 ? 0 : i % 1300};
      at += iov[i].iov_len;
    }
    request.io.size = at;
    g_assert_cmpuint(at, <=, SIZE - 1024);
    g_assert_cmpint(run_request(fixture, &request), ==, 0);
    if (pass)
      g_assert_cmpmem(read_back, at, bytes, at);
    else
      assert_on_disk(fixture, 1024, bytes, at);
  }
  fixture_free(fixture);
}

static void test_empty_requests(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);

  if (!fixture)
    return;
  for (int operation = DISK_IMAGE_READ; operation <= DISK_IMAGE_WRITE_ZEROES; operation++)
    g_assert_cmpint(run_range(fixture, (DiskImageOperation)operation, 512, 0, true), ==, 0);
  fixture_free(fixture);
}

/* Files that end within a block: nothing of them is lost, and what is beyond reads as zeros until it is written. */

static Fixture *fixture_new_odd(const void *engine, const uint8_t *bytes, size_t size, int block_size, bool read_only) {
  const DiskImageOptions options = {.read_only = read_only, .block_size = block_size, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int fd = g_mkstemp(path);

  g_assert_cmpint(write(fd, bytes, size), ==, (ssize_t)size);
  close(fd);
  if (!read_only)
    g_test_expect_message("eret", G_LOG_LEVEL_MESSAGE, "disk image * bytes, and the guest's disk *");
  Fixture *fixture = fixture_open(&options, path);
  g_test_assert_expected_messages();
  return fixture;
}

static off_t size_of(const Fixture *fixture) {
  struct stat status;

  g_assert_cmpint(stat(fixture->path, &status), ==, 0);
  return status.st_size;
}

static void test_odd_size(const void *engine) {
  static const struct {
    size_t size;
    int block_size;
    uint64_t rounded;
  } cases[] = {{1, 0, 512}, {511, 0, 512}, {1000, 0, 1024}, {100001, 0, 100352}, {1000, 4096, 4096}, {4096 * 3 + 512, 4096, 4096 * 4}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    size_t size = cases[i].size, rounded = cases[i].rounded;
    g_autofree uint8_t *bytes = random_bytes(size), *expected = g_malloc0(rounded), *there = g_malloc(rounded);
    g_autofree uint8_t *sector = random_bytes(512);

    memcpy(expected, bytes, size);
    for (unsigned read_only = 0; read_only < 2; read_only++) {
      Fixture *fixture = fixture_new_odd(engine, bytes, size, cases[i].block_size, read_only);
      if (!fixture)
        return;
      g_assert_cmpuint(disk_image_size(fixture->image), ==, rounded);
      memset(there, 0xff, rounded);
      g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, there, rounded), ==, 0);
      g_assert_cmpmem(there, rounded, expected, rounded);
      memset(there, 0xff, 512);
      g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, rounded - 512, there, 512), ==, 0);
      g_assert_cmpmem(there, 512, expected + rounded - 512, 512);
      g_assert_cmpint(size_of(fixture), ==, (off_t)size); /* to look at it changes nothing */
      fixture_free(fixture);
    }
    Fixture *fixture = fixture_new_odd(engine, bytes, size, cases[i].block_size, false);
    g_assert_cmpint(run_range(fixture, DISK_IMAGE_WRITE_ZEROES, rounded - 512, 512, false), ==, 0);
    memset(expected + rounded - 512, 0, 512);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, there, rounded), ==, 0);
    g_assert_cmpmem(there, rounded, expected, rounded);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, rounded - 512, sector, 512), ==, 0);
    memcpy(expected + rounded - 512, sector, 512);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, there, rounded), ==, 0);
    g_assert_cmpmem(there, rounded, expected, rounded);
    assert_on_disk(fixture, 0, expected, rounded);
    g_assert_cmpint(size_of(fixture), ==, (off_t)rounded);
    fixture_free(fixture);
  }
}

/* One that becomes shorter than it was has lost something. */
static void test_odd_size_shrunken(const void *engine) {
  g_autofree uint8_t *bytes = random_bytes(1000);
  Fixture *fixture = fixture_new_odd(engine, bytes, 1000, 0, false);

  if (!fixture)
    return;
  g_assert_cmpint(truncate(fixture->path, 600), ==, 0);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 512, bytes, 512), ==, -EIO);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, bytes, 512), ==, 0);
  fixture_free(fixture);
}

/* One that grows has no such end any more; a device must be larger first. */
static void test_grow(const void *engine) {
  g_autofree uint8_t *bytes = random_bytes(1000), *expected = g_malloc0(4096), *there = g_malloc(4096);
  Fixture *fixture = fixture_new_odd(engine, bytes, 1000, 0, false);
  g_autoptr(GError) error = NULL;

  if (!fixture)
    return;
  memcpy(expected, bytes, 1000);
  g_assert_true(disk_image_grow(fixture->image, 4096, &error));
  g_assert_cmpuint(disk_image_size(fixture->image), ==, 4096);
  g_assert_cmpint(size_of(fixture), ==, 4096);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, there, 4096), ==, 0);
  g_assert_cmpmem(there, 4096, expected, 4096);
  g_assert_cmpint(truncate(fixture->path, 2048), ==, 0);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, there, 4096), ==, -EIO);
  fixture_free(fixture);
}

static void test_grow_block_device(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "backing", NULL);
  g_autoptr(GError) error = NULL;

  make_file(path, SIZE);
  g_autofree char *made = make_loop_device(path);
  if (made) {
    g_auto(GStrv) parts = g_strsplit(made, " ", 2);
    int loop = atoi(parts[1]);
    g_autoptr(DiskImage) image = open_image(parts[0], false, &error);
    g_assert_no_error(error);
    g_assert_false(disk_image_grow(image, 2 * SIZE, &error));
    g_assert_nonnull(strstr(error->message, "has 4194304 bytes: it is to be made larger first"));
    g_assert_cmpuint(disk_image_size(image), ==, SIZE);
    g_clear_error(&error);
    g_assert_cmpint(truncate(path, 2 * SIZE), ==, 0);
    g_assert_cmpint(ioctl(loop, LOOP_SET_CAPACITY), ==, 0);
    g_assert_true(disk_image_grow(image, 0, &error));
    g_assert_cmpuint(disk_image_size(image), ==, 2 * SIZE);
    g_assert_true(disk_image_grow(image, 2 * SIZE, &error));
    close(loop);
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* Past the page cache. NULL, the test skipped, where the file system cannot. */
static Fixture *fixture_new_direct(const void *engine) {
  const DiskImageOptions options = {.direct = true, .engine = (DiskImageEngine)GPOINTER_TO_INT(engine)};
  char *path = g_build_filename(g_get_tmp_dir(), "eret-test-XXXXXX", NULL);
  int fd = g_mkstemp(path);
  bool can = fcntl(fd, F_SETFL, O_DIRECT) == 0;

  g_assert_cmpint(ftruncate(fd, SIZE), ==, 0);
  close(fd);
  if (can)
    return fixture_open(&options, path);
  g_test_skip("the file system has no direct I/O");
  g_unlink(path);
  g_free(path);
  return NULL;
}

/* Buffers that begin and end anywhere, as well as those that the file wants. */
static void test_direct(const void *engine) {
  Fixture *fixture = fixture_new_direct(engine);
  g_autofree uint8_t *model = g_malloc0(SIZE), *memory = g_malloc(SIZE + 8192);
  uint8_t *aligned = memory + (4096 - (uintptr_t)memory % 4096);

  if (!fixture)
    return;
  for (unsigned i = 0; i < 200; i++) {
    unsigned sectors = 1 + (unsigned)g_test_rand_int_range(0, i % 10 ? 30 : 2000),
             shift = i % 3 ? (unsigned)g_test_rand_int_range(0, 512) : 0;
    uint64_t offset = (uint64_t)g_test_rand_int_range(0, (int)(SIZE / 512 - sectors)) * 512;
    bool is_write = g_test_rand_int_range(0, 2);
    struct iovec iov[4];
    unsigned n = 0;
    size_t size = sectors * 512, at = 0;

    for (size_t left = size; left; n++) {
      size_t part = n == 3 ? left : (size_t)g_test_rand_int_range(0, (int)left + 1);
      part -= i % 2 ? 0 : n < 3 ? part % 512 : 0;
      iov[n] = (struct iovec){aligned + shift + at, part};
      at += part;
      left -= part;
    }
    if (is_write)
      for (size_t j = 0; j < size; j++)
        model[offset + j] = aligned[shift + j] = (uint8_t)(i + j * 7);
    else
      memset(aligned + shift, 0xff, size);
    Request request = {
        .io = {.operation = is_write ? DISK_IMAGE_WRITE : DISK_IMAGE_READ, .offset = offset, .size = size, .iov = iov, .n_iov = n}};
    g_assert_cmpint(run_request(fixture, &request), ==, 0);
    if (!is_write)
      g_assert_cmpmem(aligned + shift, size, model + offset, size);
  }
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_WRITE_ZEROES, 512 * 5, 512 * 99, false), ==, 0);
  memset(model + 512 * 5, 0, 512 * 99);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
  assert_on_disk(fixture, 0, model, SIZE);
  fixture_free(fixture);
}

/* What is not there is an error here, too, however it is read. */
static void test_direct_shrunken(const void *engine) {
  Fixture *fixture = fixture_new_direct(engine);
  g_autofree uint8_t *bytes = g_malloc(16384);

  if (!fixture)
    return;
  g_assert_cmpint(truncate(fixture->path, 8192), ==, 0);
  for (unsigned shift = 0; shift < 2; shift++) {
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 8192, bytes + shift, 4096), ==, -EIO);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 4096, bytes + shift, 8192), ==, -EIO);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 4096, bytes + shift, 4096), ==, 0);
  }
  fixture_free(fixture);
}

static void assert_no_direct(const char *path, int block_size, const char *text) {
  const DiskImageOptions options = {.read_only = true, .direct = true, .block_size = block_size};
  g_autoptr(GError) error = NULL;
  g_autoptr(DiskImage) image = disk_image_open(path, &options, &error);

  g_assert_null(image);
  g_assert_error(error, DISK_IMAGE_ERROR, DISK_IMAGE_ERROR_TYPE);
  g_assert_nonnull(strstr(error->message, text));
}

/* Where it cannot be had, that is said. */
static void test_no_direct(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "disk", NULL);
  int fd;

  make_file(path, 1000);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  bool can = fcntl(fd, F_SETFL, O_DIRECT) == 0;
  close(fd);
  if (can)
    assert_no_direct(path, 0, "an end within a block: leave out ',direct', or have truncate(1)");
  make_file(path, SIZE);
  g_autofree char *made = make_loop_device(path);
  if (made) {
    g_auto(GStrv) parts = g_strsplit(made, " ", 2);
    if (ioctl(atoi(parts[1]), LOOP_SET_BLOCK_SIZE, 4096L) == 0) {
      assert_no_direct(parts[0], 512, "smaller ones: leave out ',direct', or make it one with ',block-size=4096'");
      g_autoptr(DiskImage) image = disk_image_open(parts[0], &(DiskImageOptions){.direct = true}, NULL);
      g_assert_nonnull(image);
    }
    close(atoi(parts[1]));
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* More than any ring holds; with STOP, all of them are done when it returns, and what their callbacks added as well. */
static void run_many(const void *engine, bool stop) {
  enum { N = 1000, PIECE = 4096 };
  Fixture *fixture = fixture_new(engine, NULL, false);
  g_autofree uint8_t *bytes = random_bytes((size_t)N * PIECE);
  g_autofree struct iovec *iov = g_new(struct iovec, N);
  g_autofree Request *requests = g_new0(Request, N);
  Many many = {.fixture = fixture, .requests = requests, .n = N, .stop = stop};

  if (!fixture)
    return;
  for (unsigned i = 0; i < N; i++) {
    iov[i] = (struct iovec){bytes + (size_t)i * PIECE, PIECE};
    requests[i].io =
        (DiskImageRequest){.operation = DISK_IMAGE_WRITE, .offset = (uint64_t)i * PIECE, .size = PIECE, .iov = &iov[i], .n_iov = 1};
    requests[i].then_flush = i % 50 == 0;
    if (i % 100 == 99)
      requests[i].io = (DiskImageRequest){.operation = DISK_IMAGE_WRITE_ZEROES, .offset = (uint64_t)i * PIECE, .size = PIECE};
    if (i % 100 == 99)
      memset(bytes + (size_t)i * PIECE, 0, PIECE);
  }
  io_thread_call(fixture->thread, submit_many, &many);
  for (unsigned i = 0; i < N; i++) {
    wait_for(&requests[i]);
    g_assert_cmpint(requests[i].result, ==, 0);
  }
  assert_on_disk(fixture, 0, bytes, (size_t)N * PIECE);
  io_thread_call(fixture->thread, do_stop, fixture);
  g_assert_cmpint(fixture->batches + fixture->in_kicks, >, 0);
  g_assert_cmpint(fixture->batches, <=, N + N / 50);
  io_thread_call(fixture->thread, do_start, fixture);
  fixture_free(fixture);
}

static void test_many(const void *engine) {
  run_many(engine, false);
}

static void test_stop_waits(const void *engine) {
  run_many(engine, true);
}

static void test_flush_syncs(void) {
  Fixture *fixture = fixture_new(GINT_TO_POINTER(DISK_IMAGE_ENGINE_THREADS), NULL, false);

  __atomic_store_n(&n_fdatasync, 0, __ATOMIC_SEQ_CST);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
  g_assert_cmpint(__atomic_load_n(&n_fdatasync, __ATOMIC_SEQ_CST), ==, 1);
  fixture_free(fixture);
}

/* Discard and zeroing: neighbours stay, the range reads as zeros, and where the file system can it is given back. */
static void check_ranges(Fixture *fixture, bool can_punch) {
  g_autofree uint8_t *bytes = g_malloc(SIZE);
  struct stat before, after;

  for (unsigned pass = 0; pass < 3; pass++) {
    DiskImageOperation operation = pass == 0 ? DISK_IMAGE_DISCARD : DISK_IMAGE_WRITE_ZEROES;

    memset(bytes, 0xa5, SIZE);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, SIZE), ==, 0);
    g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
    g_assert_cmpint(stat(fixture->path, &before), ==, 0);
    g_assert_cmpint(run_range(fixture, operation, 512 * 3, SIZE / 2, pass == 1), ==, 0);
    g_assert_cmpint(stat(fixture->path, &after), ==, 0);
    memset(bytes + 512 * 3, 0, SIZE / 2);
    assert_on_disk(fixture, 0, bytes, SIZE);
    if (can_punch && pass < 2)
      g_assert_cmpint(after.st_blocks, <=, before.st_blocks - (blkcnt_t)(SIZE / 4 / 512));
    if (pass == 2 && S_ISREG(after.st_mode))
      g_assert_cmpint(after.st_blocks, >=, before.st_blocks - 16);
    if (S_ISREG(after.st_mode))
      g_assert_cmpint(after.st_size, ==, SIZE);
  }
}

static bool can_punch_holes(const char *path) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  bool can = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;

  close(fd);
  return can;
}

static void test_ranges(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);

  if (!fixture)
    return;
  check_ranges(fixture, can_punch_holes(fixture->path));
  fixture_free(fixture);
}

/* tmpfs punches holes but has no ZERO_RANGE, so zeros are written one by one. */
static void test_ranges_with_fallback(const void *engine) {
  char *path = g_strdup_printf("/dev/shm/eret-test-%d", getpid());
  Fixture *fixture;

  if (access("/dev/shm", W_OK) < 0) {
    g_test_skip("no tmpfs at /dev/shm");
    g_free(path);
    return;
  }
  make_file(path, SIZE);
  fixture = fixture_new(engine, path, false);
  if (!fixture)
    return;
  check_ranges(fixture, can_punch_holes(path));
  fixture_free(fixture);
}

static void test_block_device(const void *engine) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "backing", NULL);
  g_autofree char *made = NULL;

  make_file(path, SIZE);
  made = make_loop_device(path);
  if (made) {
    g_auto(GStrv) parts = g_strsplit(made, " ", 2);
    Fixture *fixture = fixture_new(engine, g_strdup(parts[0]), false);

    close(atoi(parts[1]));
    if (fixture) {
      g_assert_cmpuint(disk_image_size(fixture->image), ==, SIZE);
      check_ranges(fixture, false);
      g_free(fixture->path);
      fixture->path = g_strdup("/nonexistent"); /* what fixture_free must not unlink */
      fixture_free(fixture);
    }
  }
  g_unlink(path);
  g_rmdir(directory);
}

static void assert_topology(const char *path, int block_size, const DiskTopology *wanted) {
  g_autoptr(GError) error = NULL;
  g_autoptr(DiskImage) image = disk_image_open(path, &(DiskImageOptions){.block_size = block_size}, &error);

  g_assert_no_error(error);
  const DiskTopology *topology = disk_image_topology(image);
  g_assert_cmpuint(topology->logical, ==, wanted->logical);
  g_assert_cmpuint(topology->physical, ==, wanted->physical);
  g_assert_cmpuint(topology->alignment, ==, wanted->alignment);
  g_assert_cmpuint(topology->least, ==, wanted->least);
  g_assert_cmpuint(topology->best, ==, wanted->best);
  g_assert_cmpuint(topology->discard, >=, wanted->discard);
  g_assert_cmpuint(topology->discard % wanted->logical, ==, 0);
}

/* A block device's blocks are the guest's, too; a file's are what its partition table may count in. */
static void test_topology(void) {
  static const DiskTopology small = {512, 4096, 0, 4096, 0, 4096}, large = {4096, 4096, 0, 4096, 0, 4096};
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "backing", NULL);

  make_file(path, SIZE);
  assert_topology(path, 0, &small);
  assert_topology(path, 512, &small);
  assert_topology(path, 4096, &large);
  g_autofree char *made = make_loop_device(path);
  if (made) {
    g_auto(GStrv) parts = g_strsplit(made, " ", 2);
    static const DiskTopology loop = {512, 512, 0, 512, 0, 512};
    assert_topology(parts[0], 0, &loop);
    assert_topology(parts[0], 4096, &large);
    if (ioctl(atoi(parts[1]), LOOP_SET_BLOCK_SIZE, 4096L) == 0)
      assert_topology(parts[0], 0, &large);
    close(atoi(parts[1]));
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* What the host uses itself is not written; but it may be read, or who asks for it knows what it does. */
static void test_claimed_block_device(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "backing", NULL);

  make_file(path, SIZE);
  g_autofree char *made = make_loop_device(path);
  if (made) {
    g_auto(GStrv) parts = g_strsplit(made, " ", 2);
    int claim = open(parts[0], O_RDONLY | O_EXCL | O_CLOEXEC);
    g_assert_cmpint(claim, >=, 0);
    assert_refused(parts[0], false, DISK_IMAGE_ERROR_BUSY, "in use by the host");
    for (unsigned i = 0; i < 3; i++) {
      const DiskImageOptions options = {.read_only = i == 0, .cow = i == 1, .lock = i == 2 ? DISK_LOCK_OFF : DISK_LOCK_ON};
      g_autoptr(GError) error = NULL;
      g_autoptr(DiskImage) image = disk_image_open(parts[0], &options, &error);
      g_assert_no_error(error);
    }
    close(claim);
    g_autoptr(DiskImage) image = open_image(parts[0], false, NULL);
    g_assert_nonnull(image);
    g_autofree char *who = g_strdup_printf("in use by process %d (", getpid());
    assert_refused(parts[0], false, DISK_IMAGE_ERROR_BUSY, who);
    assert_refused(parts[0], true, DISK_IMAGE_ERROR_BUSY, who);
    g_assert_cmpint(open(parts[0], O_RDONLY | O_EXCL | O_CLOEXEC), <, 0); /* nobody mounts it meanwhile */
    close(atoi(parts[1]));
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* A drive without a medium: truncate(1) would not help. */
static void test_empty_block_device(void) {
  g_autofree char *directory = make_directory();
  g_autofree char *path = g_build_filename(directory, "backing", NULL);

  make_file(path, 0);
  g_autofree char *made = make_loop_device(path);
  if (made) {
    g_auto(GStrv) parts = g_strsplit(made, " ", 2);
    assert_refused(parts[0], false, DISK_IMAGE_ERROR_TYPE, "is a block device of 0 bytes: there is no medium in it");
    close(atoi(parts[1]));
  }
  g_unlink(path);
  g_rmdir(directory);
}

/* Errors. */

static void test_shrunken_file(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);
  uint8_t bytes[4096];

  if (!fixture)
    return;
  g_assert_cmpint(truncate(fixture->path, 2048), ==, 0);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 4096, bytes, sizeof bytes), ==, -EIO);
  /* Half of it is there, and half of it is no success. */
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, bytes, sizeof bytes), ==, -EIO);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, bytes, 2048), ==, 0);
  fixture_free(fixture);
}

static void test_read_only(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, true);
  uint8_t bytes[512] = {0};

  if (!fixture)
    return;
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, bytes, sizeof bytes), ==, 0);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, sizeof bytes), ==, -EBADF);
  g_assert_cmpint(run_range(fixture, DISK_IMAGE_FLUSH, 0, 0, false), ==, 0);
  fixture_free(fixture);
}

/*
 * A write across the file size limit of the process: the kernel first makes it short, then an error, and with it comes
 * a signal that would end the process if the thread did not block it.
 */
static void test_file_size_limit(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);
  g_autofree uint8_t *bytes = random_bytes(SIZE);
  struct rlimit before, limit;

  if (!fixture)
    return;
  g_assert_cmpint(getrlimit(RLIMIT_FSIZE, &before), ==, 0);
  limit = (struct rlimit){SIZE / 2, before.rlim_max};
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, SIZE), ==, -EFBIG);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SIZE / 2, bytes, 512), ==, -EFBIG);
  g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &before), ==, 0);
  /* What did fit is there, and the engine goes on. */
  assert_on_disk(fixture, 0, bytes, SIZE / 2);
  g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, SIZE), ==, 0);
  assert_on_disk(fixture, 0, bytes, SIZE);
  fixture_free(fixture);
}

/* A sparse image on a file system with room for a part of it. */
static void test_full_disk(const void *engine) {
  g_autofree char *mount_point = make_directory();
  g_autofree uint8_t *bytes = random_bytes(SIZE), *read_back = g_malloc(SIZE);
  Fixture *fixture;
  int result;

  if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount("eret-test", mount_point, "tmpfs", 0, "size=1m") < 0) {
    g_test_skip("no right to mount a small tmpfs");
    g_rmdir(mount_point);
    return;
  }
  char *path = g_build_filename(mount_point, "disk", NULL);
  make_file(path, SIZE);
  fixture = fixture_new(engine, path, false);
  if (fixture) {
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, 0, bytes, SIZE), ==, -ENOSPC);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SIZE / 2, bytes, 65536), ==, -ENOSPC);
    /* Giving back and reading go on, and then there is room again. */
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_READ, 0, read_back, SIZE), ==, 0);
    g_assert_cmpmem(read_back, SIZE / 8, bytes, SIZE / 8);
    result = run_range(fixture, DISK_IMAGE_DISCARD, 0, SIZE, false);
    g_assert_cmpint(result, ==, 0);
    g_assert_cmpint(run_transfer(fixture, DISK_IMAGE_WRITE, SIZE / 2, bytes, 65536), ==, 0);
    fixture_free(fixture);
  }
  g_assert_cmpint(umount(mount_point), ==, 0);
  g_rmdir(mount_point);
}

/* Random requests one after another against a copy in memory. */
static void test_random(const void *engine) {
  Fixture *fixture = fixture_new(engine, NULL, false);
  g_autofree uint8_t *model = g_malloc0(SIZE), *bytes = g_malloc(65536);
  bool can_punch;

  if (!fixture)
    return;
  can_punch = can_punch_holes(fixture->path);
  for (unsigned i = 0; i < 400; i++) {
    size_t size = (size_t)g_test_rand_int_range(1, 129) * 512;
    uint64_t offset = (uint64_t)g_test_rand_int_range(0, (int)((SIZE - size) / 512 + 1)) * 512;
    DiskImageOperation operation = (DiskImageOperation)g_test_rand_int_range(DISK_IMAGE_READ, DISK_IMAGE_WRITE_ZEROES + 1);

    if (operation == DISK_IMAGE_DISCARD && !can_punch)
      continue; /* it does nothing then */
    if (operation == DISK_IMAGE_READ) {
      g_assert_cmpint(run_transfer(fixture, operation, offset, bytes, size), ==, 0);
      g_assert_cmpmem(bytes, size, model + offset, size);
    } else if (operation == DISK_IMAGE_WRITE) {
      memset(bytes, g_test_rand_int_range(0, 256), size);
      g_assert_cmpint(run_transfer(fixture, operation, offset, bytes, size), ==, 0);
      memcpy(model + offset, bytes, size);
    } else {
      g_assert_cmpint(run_range(fixture, operation, offset, size, i % 2), ==, 0);
      if (operation != DISK_IMAGE_FLUSH)
        memset(model + offset, 0, size);
    }
  }
  assert_on_disk(fixture, 0, model, SIZE);
  fixture_free(fixture);
}

static void add(const char *name, void (*test)(const void *engine)) {
  add_for_engines("/disk-image", name, test);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/disk-image/open", test_open);
  g_test_add_func("/disk-image/open-errors", test_open_errors);
  g_test_add_func("/disk-image/open-waits", test_open_waits);
  g_test_add_func("/disk-image/empty-block-device", test_empty_block_device);
  g_test_add_func("/disk-image/open-exchanged", test_open_exchanged);
  g_test_add_func("/disk-image/formats", test_formats);
  g_test_add_func("/disk-image/locks", test_locks);
  g_test_add_func("/disk-image/locks/of-others", test_locks_of_others);
  g_test_add_func("/disk-image/locks/seen", test_locks_seen);
  g_test_add_func("/disk-image/grow-block-device", test_grow_block_device);
  g_test_add_func("/disk-image/no-direct", test_no_direct);
  g_test_add_func("/disk-image/topology", test_topology);
  g_test_add_func("/disk-image/claimed-block-device", test_claimed_block_device);
  g_test_add_func("/disk-image/flush-syncs", test_flush_syncs);
  g_test_add_data_func("/disk-image/falls-back/ENOSYS", GINT_TO_POINTER(ENOSYS), test_falls_back_to_threads);
  g_test_add_data_func("/disk-image/falls-back/EPERM", GINT_TO_POINTER(EPERM), test_falls_back_to_threads);
  g_test_add_data_func("/disk-image/falls-back/ENOMEM", GINT_TO_POINTER(ENOMEM), test_falls_back_to_threads);
  add("read-write", test_read_write);
  add("content", test_content);
  add("vectors", test_vectors);
  add("odd-size", test_odd_size);
  add("odd-size/shrunken", test_odd_size_shrunken);
  add("odd-size/grow", test_grow);
  add("direct", test_direct);
  add("direct/shrunken", test_direct_shrunken);
  add("empty-requests", test_empty_requests);
  add("many", test_many);
  add("stop-waits", test_stop_waits);
  add("batch-end", test_batch_end);
  add("no-workers", test_no_workers);
  add("ranges", test_ranges);
  add("ranges-with-fallback", test_ranges_with_fallback);
  add("block-device", test_block_device);
  add("shrunken-file", test_shrunken_file);
  add("read-only", test_read_only);
  add("file-size-limit", test_file_size_limit);
  add("full-disk", test_full_disk);
  add("random", test_random);
  return g_test_run();
}
