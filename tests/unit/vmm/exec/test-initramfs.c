/* SPDX-License-Identifier: Apache-2.0 */
/* The initramfs and its modules: vmm/exec/initramfs.c, modules.c. What was made is read back by libarchive. */
#define _GNU_SOURCE /* memmem */
#include "vmm/exec/initramfs.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "tests/unit/exchanger.h"
#include "vmm/exec/modules.h"

/* "dir/ 755; file 644 contents; link -> target; pipe | 600"; whatever is not of root and of TIME has that behind it. */
static char *list(GBytes *bytes, time_t time) {
  GString *text = g_string_new(NULL);
  struct archive *archive = archive_read_new();
  struct archive_entry *entry;
  gsize size;
  const void *data = g_bytes_get_data(bytes, &size);

  archive_read_support_format_cpio(archive);
  g_assert_cmpint(archive_read_open_memory(archive, data, size), ==, ARCHIVE_OK);
  while (archive_read_next_header(archive, &entry) == ARCHIVE_OK) {
    char contents[64] = "";
    unsigned type = archive_entry_filetype(entry);
    g_string_append_printf(text, "%s%s", text->len ? "; " : "", archive_entry_pathname(entry));
    if (type == AE_IFLNK)
      g_string_append_printf(text, " -> %s", archive_entry_symlink(entry));
    else
      g_string_append_printf(text, "%s %o", type == AE_IFDIR ? "/" : type == AE_IFIFO ? " |" : "", archive_entry_perm(entry));
    if (archive_read_data(archive, contents, sizeof contents - 1) > 0)
      g_string_append_printf(text, " %s", contents);
    if (archive_entry_uid(entry) || archive_entry_gid(entry))
      g_string_append_printf(text, " of %d:%d", (int)archive_entry_uid(entry), (int)archive_entry_gid(entry));
    if (archive_entry_mtime(entry) != time)
      g_string_append_printf(text, " at %" G_GINT64_FORMAT, (gint64)archive_entry_mtime(entry));
  }
  archive_read_free(archive);
  return g_string_free(text, FALSE);
}

static void assert_list_at(Initramfs *initramfs, time_t time, const char *expected) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) bytes = initramfs_build(initramfs, NULL, &error);

  g_assert_no_error(error);
  g_autofree char *text = list(bytes, time);
  g_assert_cmpstr(text, ==, expected);
}

static void assert_list(Initramfs *initramfs, const char *expected) {
  assert_list_at(initramfs, 0, expected);
}

static void add_text(Initramfs *initramfs, const char *path, const char *text) {
  g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
  initramfs_add_bytes(initramfs, path, 0644, INITRAMFS_SYSTEM, bytes);
}

/* A tree of one link, of the time 0. */
static void add_link(Initramfs *initramfs, const char *directory, const char *name, const char *target) {
  static const struct timespec never[2] = {{0}};
  g_autofree char *source = directory_new(), *link = g_build_filename(source, name, NULL);
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(symlink(target, link), ==, 0);
  g_assert_cmpint(g_chmod(source, 0755), ==, 0);
  g_assert_cmpint(utimensat(AT_FDCWD, link, never, AT_SYMLINK_NOFOLLOW), ==, 0);
  g_assert_cmpint(utimensat(AT_FDCWD, source, never, 0), ==, 0);
  g_assert_true(initramfs_add_tree(initramfs, source, directory, INITRAMFS_SYSTEM, &error));
  g_assert_no_error(error);
  directory_free(source);
}

static void test_parents(void) {
  g_autoptr(Initramfs) initramfs = initramfs_new();

  add_text(initramfs, "/a/b/c", "deep");
  add_text(initramfs, "a-b", "beside");
  add_link(initramfs, "/a", "z", "b/c");
  initramfs_add_directory(initramfs, "/tmp/", 01777);
  initramfs_add_directory(initramfs, "/", 0700);
  assert_list(initramfs, "a/ 755; a-b 644 beside; a/b/ 755; a/b/c 644 deep; a/z -> b/c; tmp/ 1777");
}

/* Linux would leave them out, and say nothing. */
static void test_too_long(void) {
  g_autofree char *longest = g_strnfill(NAME_MAX, 'n');
  g_autofree char *part = g_strconcat(longest, "/", NULL);
  GString *path = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  for (unsigned i = 0; i < 15; i++)
    g_string_append(path, part);
  g_string_append(path, longest);
  for (int more = 0; more < 2; more++) {
    g_autoptr(Initramfs) deep = initramfs_new();
    g_autoptr(Initramfs) wide = initramfs_new();
    add_text(deep, path->str, "x");
    add_text(wide, longest, "x");
    g_autoptr(GBytes) of_deep = initramfs_build(deep, NULL, &error);
    g_assert_cmpint(of_deep != NULL, ==, !more);
    g_assert_cmpint(error != NULL, ==, more);
    g_clear_error(&error);
    g_autoptr(GBytes) of_wide = initramfs_build(wide, NULL, &error);
    g_assert_cmpint(of_wide != NULL, ==, !more);
    if (more)
      g_assert_nonnull(strstr(error->message, "is too long a path for the guest: 4095 bytes are the most, and 255 a name"));
    g_clear_error(&error);
    g_string_append(path, "/n");
    g_free(longest);
    longest = g_strnfill(NAME_MAX + 1, 'n');
  }
  g_string_free(path, TRUE);
}

static void test_later_wins(void) {
  g_autoptr(Initramfs) initramfs = initramfs_new();

  add_text(initramfs, "/a/f", "old");
  add_text(initramfs, "//a/./f", "new");
  initramfs_add_directory(initramfs, "/a", 0700); /* so far it had only come with the file */
  initramfs_add_directory(initramfs, "/a", 0711); /* is there already */
  assert_list(initramfs, "a/ 700; a/f 644 new");
}

static void test_same_bytes(void) {
  g_autoptr(Initramfs) one = initramfs_new(), two = initramfs_new();

  add_text(one, "/x", "1");
  add_text(one, "/y", "2");
  add_text(two, "/y", "2");
  add_text(two, "/x", "1");
  g_autoptr(GBytes) first = initramfs_build(one, NULL, NULL);
  g_autoptr(GBytes) second = initramfs_build(two, NULL, NULL);
  g_assert_true(g_bytes_equal(first, second));
}

/* A directory with a bit of everything, all of it of the time 1000000. */
static char *small_tree(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *command = g_strdup_printf("cd %s && ln -s nowhere link && mkfifo -m 600 sub/fifo && chmod 755 sub/program && "
                                             "find . -exec touch -h -d @1000000 {} +",
                                             directory);

  directory_write(directory, "file", "text");
  directory_write(directory, "sub/program", "#!");
  directory_write(directory, "empty", "");
  g_assert_cmpint(system(command), ==, 0);
  return g_steal_pointer(&directory);
}

static void test_files(void) {
  g_autofree char *directory = small_tree();
  g_autofree char *fifo = g_build_filename(directory, "sub", "fifo", NULL);
  g_autofree char *link = g_build_filename(directory, "link", NULL);
  g_autofree char *file = g_build_filename(directory, "file", NULL);
  g_autoptr(Initramfs) initramfs = initramfs_new(), nothing = initramfs_new();
  g_autoptr(GError) error = NULL;

  g_assert_false(initramfs_add_tree(nothing, directory, "/x", INITRAMFS_FILES, &error));
  g_assert_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_FILE);
  g_assert_nonnull(strstr(error->message, fifo));
  g_assert_nonnull(strstr(error->message, "is a pipe"));
  g_clear_error(&error);
  g_assert_false(initramfs_add_tree(nothing, "/dev/null", "/x", INITRAMFS_FILES, &error));
  g_assert_nonnull(strstr(error->message, "'/dev/null' is a device"));
  g_clear_error(&error);
  g_assert_false(initramfs_add_tree(nothing, "/proc/self/status", "/x", INITRAMFS_FILES, &error));
  g_assert_nonnull(strstr(error->message, "'/proc/self/status' cannot be read: it has no size"));
  g_clear_error(&error);
  g_assert_false(initramfs_add_tree(nothing, link, "/x", INITRAMFS_FILES, &error));
  g_assert_nonnull(strstr(error->message, link));
  g_clear_error(&error);

  g_assert_cmpint(g_unlink(fifo), ==, 0);
  if (geteuid() == 0) /* a file of another's becomes root's all the same */
    g_assert_cmpint(chown(file, 7, 8), ==, 0);
  g_assert_true(initramfs_add_tree(initramfs, directory, "in", INITRAMFS_FILES, &error));
  g_assert_no_error(error);
  g_autoptr(GBytes) bytes = initramfs_build(initramfs, NULL, NULL);
  g_autofree char *text = list(bytes, 1000000);
  g_assert_true(g_str_has_prefix(text, "in/ 700; in/empty 644; in/file 644 text; in/link -> nowhere; in/sub/ 755 at "));
  g_assert_true(g_str_has_suffix(text, "; in/sub/program 755 #!"));
  directory_free(directory);
}

static void test_system(void) {
  g_autofree char *directory = small_tree();
  g_autofree char *file = g_build_filename(directory, "file", NULL);
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GError) error = NULL;
  bool root = geteuid() == 0;

  if (root)
    g_assert_cmpint(chown(file, 7, 8), ==, 0);
  g_assert_true(initramfs_add_tree(initramfs, directory, "/", INITRAMFS_SYSTEM, &error));
  g_assert_no_error(error);
  assert_list_at(initramfs, 1000000,
                 root ? "empty 644; file 644 text of 7:8; link -> nowhere; sub/ 755; sub/fifo | 600; sub/program 755 #!"
                      : "empty 644; file 644 text; link -> nowhere; sub/ 755; sub/fifo | 600; sub/program 755 #!");
  directory_free(directory);
}

static void assert_taken(Initramfs *initramfs, const char *source, const char *path, const char *wanted) {
  g_autoptr(GError) error = NULL;

  g_assert_false(initramfs_add_tree(initramfs, source, path, INITRAMFS_FILES, &error));
  g_assert_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_TAKEN);
  g_assert_cmpstr(error->message, ==, wanted);
}

/* What the user's files meet: merged, replaced, or told. */
static void test_taken(void) {
  g_autofree char *directory = directory_new(), *cwd = g_get_current_dir();
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GError) error = NULL;

  g_assert_cmpint(chdir(directory), ==, 0);
  directory_write(".", "system/etc/passwd", "of the system");
  directory_write(".", "one/etc/passwd", "of one");
  directory_write(".", "two/etc/group", "of two");
  directory_write(".", "three/etc/group/none", "of three");
  directory_write(".", "file", "text");
  g_assert_cmpint(symlink("file", "three/link"), ==, 0);
  g_assert_cmpint(system("chmod 711 system; chmod 701 system/etc; chmod 755 one; chmod 700 two two/etc; find . -exec touch -hd @0 {} +"),
                  ==, 0);
  initramfs_add_bytes(initramfs, "/own", 0644, INITRAMFS_OWN, NULL);
  g_assert_true(initramfs_add_tree(initramfs, "system", "/", INITRAMFS_SYSTEM, &error));
  g_assert_true(initramfs_add_tree(initramfs, "one", "/../.", INITRAMFS_FILES, &error));
  g_assert_true(initramfs_add_tree(initramfs, "two/etc/group", "/new/a/b", INITRAMFS_FILES, &error));
  g_assert_true(initramfs_add_tree(initramfs, "two", "/new", INITRAMFS_FILES, &error));
  g_assert_no_error(error);
  assert_list(initramfs, "etc/ 701; etc/passwd 644 of one; new/ 700; new/a/ 755; new/a/b 644 of two; new/etc/ 700; "
                         "new/etc/group 644 of two; own 644");

  assert_taken(initramfs, "file", "/own", "'file' cannot be put at '/own' in the guest: '/own' is there already, a file of eret's own");
  assert_taken(initramfs, "file", "/etc/passwd",
               "'file' cannot be put at '/etc/passwd' in the guest: '/etc/passwd' is there already, a file of 'one/etc/passwd'");
  assert_taken(
      initramfs, "three/", "/new",
      "'three/etc/group' cannot be put at '/new/etc/group' in the guest: '/new/etc/group' is there already, a file of 'two/etc/group'");
  assert_taken(initramfs, "file", "/new/a/b/c/d",
               "'file' cannot be put at '/new/a/b/c/d' in the guest: '/new/a/b' is there already, a file of 'two/etc/group'");
  assert_taken(initramfs, "file", "/etc",
               "'file' cannot be put at '/etc' in the guest: '/etc' is there already, a directory of 'system/etc'");
  assert_taken(initramfs, "file", "..", "'file' cannot be put at '/' in the guest: '/' is there already, a directory of eret's own");
  g_assert_cmpint(chdir(cwd), ==, 0);
  directory_free(directory);
}

/* Modules. */

static const char dep[] = "kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio_ring.ko.gz kernel/drivers/virtio/virtio.ko\n"
                          "kernel/drivers/virtio/virtio_ring.ko.gz: kernel/drivers/virtio/virtio.ko\n"
                          "kernel/drivers/virtio/virtio.ko:\n"
                          "kernel/net/nine-p.ko:\n";

static char *module_tree(void) {
  g_autofree char *directory = directory_new();

  directory_write(directory, "modules.dep", dep);
  directory_write(directory, "modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/drivers/char/virtio-console.ko\n");
  directory_write(directory, "kernel/drivers/block/virtio_blk.ko", "\177ELF blk");
  directory_write(directory, "kernel/drivers/virtio/virtio.ko", "\177ELF virtio");
  directory_write(directory, "kernel/net/nine-p.ko", "no module");
  g_autofree char *command = g_strdup_printf("cd %s/kernel/drivers/virtio && printf '\\177ELF ring' | gzip > virtio_ring.ko.gz", directory);
  g_assert_cmpint(system(command), ==, 0);
  return g_steal_pointer(&directory);
}

/* A file that becomes a link while it is copied is the file, or the link, or an error; never what the link leads to. */
static void test_exchanged(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-initramfs-XXXXXX", NULL), *other = g_dir_make_tmp("eret-initramfs-XXXXXX", NULL);
  g_autofree char *file = g_build_filename(directory, "file", NULL), *link = g_build_filename(other, "link", NULL);
  g_autofree char *secret = g_build_filename(other, "secret", NULL);
  unsigned files = 0, links = 0;
  Exchanger exchanger;

  g_assert_true(g_file_set_contents(file, "mine", -1, NULL) && g_file_set_contents(secret, "not-for-the-guest", -1, NULL));
  g_assert_cmpint(symlink(secret, link), ==, 0);
  if (exchanger_start(&exchanger, file, link)) {
    for (unsigned i = 0; i < 20000 && (i < 2000 || !files || !links); i++) {
      Initramfs *initramfs = initramfs_new();
      g_autoptr(GError) error = NULL;
      if (initramfs_add_tree(initramfs, directory, "in", INITRAMFS_FILES, &error)) {
        g_autoptr(GBytes) bytes = initramfs_build(initramfs, NULL, NULL);
        gsize size;
        const void *data = g_bytes_get_data(bytes, &size);
        g_assert_null(memmem(data, size, "not-for-the-guest", 17));
        files += memmem(data, size, "mine", 4) != NULL;
        links += memmem(data, size, "secret", 6) != NULL;
      }
      initramfs_free(initramfs);
    }
    exchanger_stop(&exchanger);
    g_assert_true(files && links);
  } else {
    g_test_skip("this file system does not exchange names");
  }
  g_unlink(file);
  g_unlink(link);
  g_unlink(secret);
  g_rmdir(directory);
  g_rmdir(other);
}

static void test_modules(void) {
  static const char *const names[] = {"virtio-blk", "ext4", "virtio_console", "virtio", "absent", NULL};
  g_autofree char *directory = module_tree();
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GError) error = NULL;

  g_assert_true(initramfs_add_modules(initramfs, directory, names, missing, &error));
  g_assert_no_error(error);
  assert_list(initramfs, "eret/ 755; eret/modules/ 755; eret/modules/000-virtio.ko 644 \177ELF virtio; "
                         "eret/modules/001-virtio_ring.ko 644 \177ELF ring; eret/modules/002-virtio_blk.ko 644 \177ELF blk");
  g_assert_cmpuint(missing->len, ==, 1);
  g_assert_cmpstr(g_ptr_array_index(missing, 0), ==, "absent");
  directory_free(directory);
}

static void test_bad_modules(void) {
  static const char *const names[] = {"nine_p", NULL}, *const none[] = {NULL};
  g_autofree char *directory = module_tree();
  g_autoptr(Initramfs) initramfs = initramfs_new();
  g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GError) error = NULL;

  g_assert_false(initramfs_add_modules(initramfs, directory, names, missing, &error));
  g_assert_error(error, INITRAMFS_ERROR, INITRAMFS_ERROR_MODULE);
  g_assert_nonnull(strstr(error->message, "nine-p.ko' is not a kernel module"));
  g_clear_error(&error);
  g_assert_false(initramfs_add_modules(initramfs, "/nonexistent", none, missing, &error));
  g_assert_nonnull(strstr(error->message, "modules.dep"));
  directory_free(directory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/initramfs/parents", test_parents);
  g_test_add_func("/initramfs/later-wins", test_later_wins);
  g_test_add_func("/initramfs/too-long", test_too_long);
  g_test_add_func("/initramfs/same-bytes", test_same_bytes);
  g_test_add_func("/initramfs/files", test_files);
  g_test_add_func("/initramfs/system", test_system);
  g_test_add_func("/initramfs/taken", test_taken);
  g_test_add_func("/initramfs/exchanged", test_exchanged);
  g_test_add_func("/initramfs/modules", test_modules);
  g_test_add_func("/initramfs/bad-modules", test_bad_modules);
  return g_test_run();
}
