/* SPDX-License-Identifier: Apache-2.0 */
/* What the init of a guest is told of its root, and what lies beside it: vmm/exec/root-parts.c, parts.c. */
#define _GNU_SOURCE /* memmem */
#include "vmm/exec/root-parts.h"

#include <string.h>

#include "tests/unit/vmm/exec/fake-virtiofsd.h"
#include "vmm/exec/parts.h"

/* Of a literal with NULs in it. */
#define HAS(bytes, text) has(bytes, text, sizeof(text) - 1)

static bool has(GBytes *bytes, const char *text, size_t size) {
  gsize length;
  const void *data = g_bytes_get_data(bytes, &length);

  return memmem(data, length, text, size) != NULL;
}

static Config *configure(const char *line) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  g_autoptr(GError) error = NULL;
  bool help;
  Config *config = config_parse((int)g_strv_length(words), words, &help, &error);

  g_assert_no_error(error);
  return config;
}

static GBytes *make(const Config *config) {
  g_autoptr(GError) error = NULL;
  uint64_t files;
  GBytes *initrd = root_make_initramfs(config, NULL, &files, &error);

  g_assert_no_error(error);
  return initrd;
}

/* Beside a kernel with a tree of modules: those that the root takes. */
static void test_boot(void) {
  char *virtiofsd = fake_virtiofsd_begin(), *directory = directory_new();
  g_autofree char *shared = g_strdup_printf("--kernel %s/vmlinuz --rootfs %s", directory, directory),
                  *written = g_strconcat(shared, ",rw", NULL), *copied = g_strconcat(shared, ",copy", NULL),
                  *image = g_strdup_printf("--kernel %s/vmlinuz --disk LICENSE,ro --rootfs %s/image", directory, directory);
  g_autofree char *ext4 = g_strnfill(0x438, 'x'), *text = g_strconcat(ext4, "\x53\xef and so on", NULL);

  directory_write(directory, "vmlinuz", "kernel");
  directory_write(directory, "image", text);
  directory_write(directory, "modules.dep", "a/overlay.ko:\na/virtiofs.ko: a/fuse.ko\na/fuse.ko:\na/ext4.ko:\n");
  directory_write(directory, "a/overlay.ko", "\177ELF overlay");
  directory_write(directory, "a/virtiofs.ko", "\177ELF virtiofs");
  directory_write(directory, "a/fuse.ko", "\177ELF fuse");
  directory_write(directory, "a/ext4.ko", "\177ELF ext4");
  g_autoptr(Config) config = configure(shared), config_written = configure(written), config_copied = configure(copied),
                    config_image = configure(image);
  g_autoptr(GBytes) below = make(config), through = make(config_written), packed = make(config_copied), disk = make(config_image);

  g_assert_true(HAS(below, "version=1\0boot=1\0driver=26 virtiofs\0root=rootfs\0root-type=virtiofs\0"));
  g_assert_false(HAS(below, "root-mode="));
  g_assert_true(HAS(below, "eret/modules/001-virtiofs.ko") && HAS(below, "eret/modules/000-fuse.ko") && HAS(below, "002-overlay.ko"));
  g_assert_false(HAS(below, "newroot/a"));
  g_assert_true(HAS(through, "root=rootfs\0root-type=virtiofs\0root-mode=rw\0"));
  g_assert_false(HAS(through, "overlay.ko"));
  g_assert_true(HAS(packed, "boot=1\0root=/newroot\0"));
  g_assert_false(HAS(packed, "root-type="));
  g_assert_true(HAS(packed, "newroot/a/fuse.ko"));
  g_assert_true(HAS(disk, "driver=2 virtio_blk\0root=/dev/vdb\0root-type=ext4\0"));
  directory_free(directory);
  g_free(directory);
  fake_virtiofsd_end(virtiofsd);
}

static ExecOptions *options_of(const char *line) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  g_autoptr(GError) error = NULL;
  bool help;
  ExecOptions *options = exec_options_parse((int)g_strv_length(words), words, &help, &error);

  g_assert_no_error(error);
  return options;
}

/* Of a command's guest: the same, with what is mounted for it. */
static void test_command(void) {
  char *virtiofsd = fake_virtiofsd_begin();
  g_autoptr(ExecOptions) options =
      options_of("--kernel LICENSE --rootfs vmm --share docs,ro,at=/a,tag=x --share docs --share docs,at=/b -- true");
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) initrd = exec_make_initramfs(options, NULL, &error);

  g_assert_no_error(error);
  g_assert_true(HAS(initrd, "driver=26 virtiofs\0share=ro x /a\0share=rw share2 /b\0root=rootfs\0root-type=virtiofs\0"));
  g_assert_false(HAS(initrd, "boot=1") || HAS(initrd, "newroot/"));
  fake_virtiofsd_end(virtiofsd);
}

static void test_not_an_image(void) {
  g_autoptr(Config) config = configure("--kernel LICENSE --rootfs README.md");
  g_autoptr(GError) error = NULL;

  g_assert_null(root_make_initramfs(config, NULL, NULL, &error));
  g_assert_true(g_str_has_prefix(error->message, "--rootfs: 'README.md' is neither a directory nor an image of ext4, squashfs"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/root-parts/boot", test_boot);
  g_test_add_func("/root-parts/command", test_command);
  g_test_add_func("/root-parts/not-an-image", test_not_an_image);
  return g_test_run();
}
