/* SPDX-License-Identifier: Apache-2.0 */
/* The options of eret exec: vmm/exec/options.c. */
#include "vmm/exec/options.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/unit/vmm/exec/fake-virtiofsd.h"

static ExecOptions *parse(const char *line, GError **error) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  bool help;

  return exec_options_parse((int)g_strv_length(words), words, &help, error);
}

static ExecOptions *parse_well(const char *line) {
  g_autoptr(GError) error = NULL;
  ExecOptions *options = parse(line, &error);

  g_assert_no_error(error);
  g_assert_nonnull(options);
  return options;
}

static void assert_mistakes(const char *line, const char *expected) {
  g_autoptr(GError) error = NULL;
  g_autoptr(ExecOptions) options = parse(line, &error);

  g_assert_null(options);
  g_assert_cmpstr(error->message, ==, expected);
}

static void test_command(void) {
  g_autoptr(ExecOptions) options = parse_well("--kernel LICENSE --cpus 2 --timeout 5 -- cat --timeout=7 -- x");

  g_assert_cmpuint(options->config->cpus, ==, 2);
  g_assert_cmpuint(options->timeout, ==, 5);
  g_assert_cmpuint(options->boot_timeout, ==, 120);
  g_autofree char *command = g_strjoinv("|", (char **)options->program.command->pdata);
  g_assert_cmpstr(command, ==, "cat|--timeout=7|--|x");
  g_assert_true(options->config->ports);
  g_assert_false(options->config->reboot);
}

static void assert_copy(GPtrArray *copies, unsigned index, const char *source, const char *destination) {
  const ExecCopy *copy = g_ptr_array_index(copies, index);
  g_assert_cmpstr(copy->source, ==, source);
  g_assert_cmpstr(copy->destination, ==, destination);
}

static void test_copies(void) {
  g_autoptr(ExecOptions) options =
      parse_well("--kernel LICENSE --copy-in LICENSE --copy-in=vmm:/src --copy-in LICENSE:/doc/ --copy-out /a/b "
                 "--copy-out /a/b:c --copy-out /a/b:c/ -- true");

  assert_copy(options->copy_in, 0, "LICENSE", "/LICENSE");
  assert_copy(options->copy_in, 1, "vmm", "/src");
  assert_copy(options->copy_in, 2, "LICENSE", "/doc/LICENSE");
  assert_copy(options->copy_out, 0, "/a/b", "./b");
  assert_copy(options->copy_out, 1, "/a/b", "c");
  assert_copy(options->copy_out, 2, "/a/b", "c/b");
}

/* Nothing that goes into the run is overwritten with what comes out of it. */
static void test_named_files(void) {
  g_autofree char *directory = directory_new();
  static const struct {
    const char *words, *wanted; /* "@" stands for the directory */
  } cases[] = {
      {"--kernel @/k --result @/k", "--result: '@/k' is also the file of --kernel, which would be overwritten: name another file"},
      {"--kernel @/k --copy-in @/in --console-log @/in",
       "--console-log: '@/in' is also the file of --copy-in, which would be overwritten: name another file"},
      {"--kernel @/k --rootfs @/in --stats=@/in",
       "--stats: '@/in' is also the file of --rootfs @/in, which would be overwritten: name another file"},
      {"--kernel @/k --console-log @/new --result @/new", "--result: '@/new' is also the file of --console-log: name another file"},
      {"--kernel @/k --stats=@/new --result @/new", "--result: '@/new' is also the file of --stats: name another file"},
  };

  directory_write(directory, "k", "x");
  directory_write(directory, "in", "");
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(GStrv) words = g_strsplit(cases[i].words, "@", -1), wanted = g_strsplit(cases[i].wanted, "@", -1);
    g_autofree char *line = g_strjoinv(directory, words), *line_and_command = g_strconcat(line, " -- true", NULL);
    g_autofree char *message = g_strjoinv(directory, wanted);
    assert_mistakes(line_and_command, message);
  }
  g_autofree char *good = g_strdup_printf("--kernel %s/k --copy-in %s --console-log %s/in --result /dev/null --stats=/dev/null -- true",
                                          directory, directory, directory);
  g_autoptr(ExecOptions) options = parse_well(good); /* a file in a directory that is copied is no name of it */
  directory_free(directory);
}

static void test_copy_out_limit(void) {
  g_autoptr(ExecOptions) given = parse_well("--kernel LICENSE --copy-out-limit 5M -- true");
  g_autoptr(ExecOptions) unsaid = parse_well("--kernel LICENSE -- true");

  g_assert_cmpuint(given->copy_out_limit, ==, 5 << 20);
  g_assert_cmpuint(unsaid->copy_out_limit, ==, 1 << 30);
  assert_mistakes("--kernel LICENSE --copy-out-limit much -- true", "--copy-out-limit: 'much' does not start with a digit");
  assert_mistakes("--kernel LICENSE --copy-out-limit 0 -- true",
                  "--copy-out-limit: '0' is too little, 4K to 1024T is possible; without a unit it counts bytes: 0M?");
  assert_mistakes("--kernel LICENSE --copy-out-limit 1025T -- true", "--copy-out-limit: '1025T' is too much, 4K to 1024T is possible");
}

/* Where nothing can be written, known before the run. */
static void test_copy_out_place(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *closed = g_build_filename(directory, "closed", NULL);

  assert_mistakes("--kernel LICENSE --copy-out /a:LICENSE/b/c --copy-out /a:/proc/version/x -- true",
                  "--copy-out: 'LICENSE' is not a directory\n--copy-out: '/proc/version' is not a directory");
  directory_write(directory, "file", "");
  g_autofree char *good = g_strdup_printf(
      "--kernel LICENSE --copy-out /a:%s/file --copy-out /a:%s/not/yet/there --copy-out /a:/dev/null -- true", directory, directory);
  g_autoptr(ExecOptions) options = parse_well(good);
  if (geteuid() == 0) {
    g_test_skip("root may write everywhere");
  } else {
    directory_write(directory, "closed/x", "");
    g_assert_cmpint(g_chmod(closed, 0500), ==, 0);
    g_autofree char *line = g_strdup_printf("--kernel LICENSE --copy-out /a:%s/b/c --copy-out /a:%s -- true", closed, closed);
    g_autofree char *expected = g_strdup_printf("--copy-out: '%s' cannot be written: Permission denied\n"
                                                "--copy-out: '%s' cannot be written: Permission denied",
                                                closed, closed);
    assert_mistakes(line, expected);
    g_assert_cmpint(g_chmod(closed, 0700), ==, 0);
  }
  directory_free(directory);
}

static void test_environment(void) {
  g_setenv("ERET_TEST_VARIABLE", "here", TRUE);
  g_autoptr(ExecOptions) options = parse_well("--kernel LICENSE --env A=b=c --env ERET_TEST_VARIABLE --env E= -- true");

  g_assert_cmpstr(g_ptr_array_index(options->program.env, 0), ==, "A=b=c");
  g_assert_cmpstr(g_ptr_array_index(options->program.env, 1), ==, "ERET_TEST_VARIABLE=here");
  g_assert_cmpstr(g_ptr_array_index(options->program.env, 2), ==, "E=");
}

static void test_command_line(void) {
  static const struct {
    const char *options, *append;
  } cases[] = {
      {"", "panic=-1 quiet"},
      {"--append root=x", "panic=-1 quiet root=x"},
      {"--append panic=5", "quiet panic=5"},
      {"--verbose", "panic=-1"},
      {"--console-log x", "panic=-1"},
      {"--console-log x --quiet", "panic=-1 quiet"},
      {"--append loglevel=7", "panic=-1 loglevel=7"},
      {"--append quiet", "panic=-1 quiet"},
      {"--append debug_guardpage_minorder=1", "panic=-1 quiet debug_guardpage_minorder=1"},
      {"--append debug", "panic=-1 debug"},
      {"--console virtio", "panic=-1 quiet console=hvc0"},
      {"--console virtio --append console=ttyAMA0", "panic=-1 quiet console=ttyAMA0"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *line = g_strdup_printf("--kernel LICENSE %s%s-- true", cases[i].options, *cases[i].options ? " " : "");
    g_autoptr(ExecOptions) options = parse_well(line);
    g_assert_cmpstr(options->config->append, ==, cases[i].append);
  }
}

static void test_rootfs_image(void) {
  g_autoptr(ExecOptions) image = parse_well("--kernel LICENSE --disk Makefile --rootfs README.md -- true");
  g_assert_cmpint(image->config->root, ==, ROOT_IMAGE);
  g_assert_cmpuint(image->config->disks->len, ==, 2);
  const DiskConfig *disk = g_ptr_array_index(image->config->disks, 1);
  g_assert_cmpstr(disk->path, ==, "README.md");
  g_assert_true(disk->image.read_only);
  g_autofree char *directory_name = directory_new();
  g_autofree char *line = g_strdup_printf("--config %s/vm.json --rootfs README.md -- true", directory_name);
  directory_write(directory_name, "disk.img", "as many bytes as a disk has, or not");
  directory_write(directory_name, "vm.json", "{\"kernel\": \"vm.json\", \"disk\": [\"disk.img\"]}");
  g_autoptr(ExecOptions) described = parse_well(line);
  g_assert_cmpuint(described->config->disks->len, ==, 2);
  g_assert_cmpstr(((const DiskConfig *)described->config->disks->pdata[1])->path, ==, "README.md");
  directory_free(directory_name);
  assert_mistakes("--kernel LICENSE --rootfs LICENSE/x --copy-in LICENSE/y -- true",
                  "--rootfs LICENSE/x: cannot open 'LICENSE/x': Not a directory\n"
                  "--copy-in: cannot open 'LICENSE/y': Not a directory");
  assert_mistakes("--kernel LICENSE --rootfs /dev/null -- true", "--rootfs /dev/null: '/dev/null' is not a regular file or block device");
  assert_mistakes("--kernel LICENSE --rootfs README.md,rw -- true",
                  "--rootfs README.md,rw: rw: of an image nothing is changed; give one that is written by --disk, and root=/dev/vda by "
                  "--append");
  assert_mistakes(
      "--kernel LICENSE --disk README.md --rootfs README.md --cpus 0 -- true",
      "--cpus: '0' is not a whole number from 1 to 512\n"
      "--rootfs README.md: 'README.md' is the same disk as 'README.md' (number 1) and not read-only in both: add ro or cow to both");
}

/* A directory is shared, read-only and as one file system, unless it is to be copied or written. */
static void test_rootfs_directory(void) {
  char *virtiofsd = fake_virtiofsd_begin();
  g_autoptr(ExecOptions) shared = parse_well("--kernel LICENSE --share vmm --rootfs docs --rootfs vmm -- true"),
                         written = parse_well("--kernel LICENSE --rootfs vmm,rw -- true"),
                         copied = parse_well("--kernel LICENSE --rootfs vmm,copy -- true"),
                         cached = parse_well("--kernel LICENSE --rootfs vmm,cache=always -- true");
  const ShareConfig *root = shared->config->shares->pdata[1];

  g_assert_cmpint(shared->config->root, ==, ROOT_SHARED);
  g_assert_cmpuint(shared->config->shares->len, ==, 2);
  g_assert_cmpstr(root->path, ==, "vmm");
  g_assert_cmpstr(root->tag, ==, "rootfs");
  g_assert_true(root->read_only && root->one_file_system && root->xattr && !root->at);
  g_assert_cmpstr(shared->config->append, ==, "panic=-1 quiet"); /* init is told */
  root = written->config->shares->pdata[0];
  g_assert_true(!root->read_only && !root->one_file_system);
  g_assert_cmpint(copied->config->root, ==, ROOT_PACKED);
  g_assert_cmpuint(copied->config->shares->len + copied->config->disks->len, ==, 0);
  g_assert_cmpint(root->cache, ==, SHARE_CACHE_AUTO);
  root = cached->config->shares->pdata[0];
  g_assert_cmpint(root->cache, ==, SHARE_CACHE_ALWAYS);
  assert_mistakes("--kernel LICENSE --rootfs vmm,copy,cache=never -- true",
                  "--rootfs vmm,copy,cache=never: cache: nothing of a copy is the host's any more: leave out one of the two");
  assert_mistakes("--kernel LICENSE --rootfs README.md,cache=always -- true",
                  "--rootfs README.md,cache=always: cache: that is for directories, which the host may change: leave it out");
  assert_mistakes("--kernel LICENSE --rootfs vmm,rw,copy -- true",
                  "--rootfs vmm,rw,copy: copy: what is written to a copy is gone with the guest: leave out rw");
  assert_mistakes("--kernel LICENSE --rootfs vmm,rw --copy-in LICENSE -- true",
                  "--copy-in: with --rootfs DIR,rw it would be written into DIR: put it there, or give it by --share DIR,at=/PLACE");
  assert_mistakes("--kernel LICENSE --rootfs vmm --share docs,tag=rootfs -- true",
                  "--rootfs vmm: tag: 'rootfs' is that of directory number 1, too");
  assert_mistakes("--kernel LICENSE --rootfs vmm --initrd LICENSE",
                  "--rootfs vmm: with an initrd of one's own it can be a directory with rw, by virtiofsd: leave out --initrd");
  g_autoptr(ExecOptions) own = parse_well("--kernel LICENSE --rootfs vmm,rw --initrd LICENSE");
  g_assert_nonnull(strstr(own->config->append, "root=rootfs rootfstype=virtiofs rw"));
  g_assert_false(config_makes_initrd(own->config));
  fake_virtiofsd_end(virtiofsd);
}

/* This machine's own root needs an ARM64 machine, and a place to be in. */
static void test_host(void) {
  char *virtiofsd = fake_virtiofsd_begin();
  struct utsname host;
  g_autoptr(GError) error = NULL;
  g_autoptr(ExecOptions) options = parse("--kernel LICENSE --host -- true", &error);
  g_autofree char *here = g_get_current_dir();

  uname(&host);
  if (strcmp(host.machine, "aarch64") == 0) {
    g_assert_no_error(error);
    g_assert_cmpint(options->config->root, ==, ROOT_SHARED);
    g_assert_cmpstr(((const ShareConfig *)options->config->shares->pdata[0])->path, ==, "/");
    g_assert_cmpstr(options->program.cwd, ==, here);
  } else {
    g_autofree char *want =
        g_strdup_printf("--host: the programs of this machine (%s) do not run in the guest, which is an ARM64 one", host.machine);
    g_assert_cmpstr(error->message, ==, want);
  }
  g_clear_error(&error);
  g_assert_null(parse("--kernel LICENSE --host --rootfs vmm -- true", &error));
  g_assert_nonnull(strstr(error->message, "--host: the root is this machine's, and none of --rootfs: leave one of them out"));
  fake_virtiofsd_end(virtiofsd);
}

static void test_modules(void) {
  g_autofree char *tree = directory_new();
  directory_write(tree, "vmlinuz", "a kernel");
  directory_write(tree, "modules.dep", "kernel/a.ko:\n");
  directory_write(tree, "modules.builtin", "kernel/b-c.ko\n");
  g_autofree char *line = g_strdup_printf("--kernel %s/vmlinuz --module a --module b_c -- true", tree);
  g_autoptr(ExecOptions) options = parse_well(line);

  g_assert_cmpstr(options->modules, ==, tree);
  g_assert_cmpuint(options->module->len, ==, 2);
  g_autofree char *unknown = g_strdup_printf("--kernel %s/vmlinuz --module a --module d -- true", tree);
  g_autofree char *told = g_strdup_printf("--module d: '%s' has no such module, and the kernel has not built it in", tree);
  assert_mistakes(unknown, told);
  directory_free(tree);

  g_autofree char *beside = directory_new();
  directory_write(beside, "Image", "a kernel");
  directory_write(beside, "lib/modules/6.12/modules.dep", "");
  g_autofree char *second = g_strdup_printf("--kernel %s/Image -- true", beside);
  g_autofree char *expected = g_build_filename(beside, "lib/modules/6.12", NULL);
  g_autoptr(ExecOptions) one = parse_well(second);
  g_assert_cmpstr(one->modules, ==, expected);
  directory_write(beside, "lib/modules/6.13/modules.dep", "");
  g_autoptr(ExecOptions) two = parse_well(second);
  g_assert_null(two->modules); /* which of them? */
  directory_free(beside);
}

static void test_boot_only(void) {
  g_autoptr(ExecOptions) options = parse_well("--kernel LICENSE --initrd README.md");

  g_assert_true(options->boot_only);
  g_assert_false(options->config->ports);
  assert_mistakes("--kernel LICENSE --initrd README.md -- true",
                  "--initrd: a guest of the user's own runs no command; --copy-in and --rootfs put files into eret's");
  assert_mistakes("--kernel LICENSE --initrd README.md --cwd /",
                  "--initrd: nothing can be copied, set, loaded or mounted in a guest of the user's own");
  assert_mistakes("--kernel LICENSE --initrd README.md --modules /nonexistent --module x",
                  "--initrd: nothing can be copied, set, loaded or mounted in a guest of the user's own\n"
                  "--modules: '/nonexistent' has no modules.dep; it is a directory such as /lib/modules/VERSION, after depmod");
}

static void test_mistakes(void) {
  assert_mistakes("--kernel LICENSE", "no command given: it follows behind --, as in eret exec --kernel Image -- uname -a");
  assert_mistakes("--kernel LICENSE true",
                  "unexpected argument 'true': the command follows behind --, as in eret exec --kernel Image -- uname -a");
  assert_mistakes("--kernel LICENSE a.img", "unexpected argument 'a.img'; did you mean --disk a.img?");
  assert_mistakes("--kernel LICENSE --initrd=", "--initrd: must not be empty");
  assert_mistakes("--kernel= -- true", "--kernel: must not be empty");
  assert_mistakes("--kernel LICENSE --detach -- true",
                  "--detach: the command's streams are those of eret exec, so it stays; 'eret run' has --detach");
  assert_mistakes("--kernel LICENSE --ssh=/nonexistent -- true", "--ssh: the guest of eret exec has no sshd; 'eret run' has --ssh\n"
                                                                 "--ssh: cannot read '/nonexistent': No such file or directory");
  assert_mistakes("--kernel LICENSE --timeout soon --cwd here --env =x --copy-in /nonexistent --copy-out x --rootfs /nonexistent -- true",
                  "--timeout: 'soon' is not a whole number of seconds from 0 to 604800\n"
                  "--env =x: wants NAME=VALUE\n"
                  "--rootfs /nonexistent: cannot open '/nonexistent': No such file or directory\n"
                  "--copy-in: cannot open '/nonexistent': No such file or directory\n"
                  "--copy-out: 'x' in the guest must be an absolute path\n"
                  "--cwd: 'here' must be an absolute path in the guest");
  assert_mistakes("--kernel LICENSE --copy-out /a/x --copy-out /b/x --copy-out /c:./vmm/../x -- true",
                  "--copy-out: '/a/x' and '/b/x' would both be './x'; '/b/x:PATH' names another\n"
                  "--copy-out: '/a/x' and '/c' would both be './vmm/../x'; '/c:PATH' names another");
  g_autoptr(ExecOptions) apart =
      parse_well("--kernel LICENSE --copy-out /a/x:/dev/null --copy-out /b/x:/dev/null --copy-out /b/x:y/ -- true");
  g_assert_cmpuint(apart->copy_out->len, ==, 3);
  assert_mistakes("--kernel LICENSE --verbose=1 --cwd -- true", "--verbose: takes no value\n--cwd: needs a value");
  assert_mistakes("--kernel LICENSE --modules vmm -- true",
                  "--modules: 'vmm' has no modules.dep; it is a directory such as /lib/modules/VERSION, after depmod");
  assert_mistakes("--kernel LICENSE --module nbd -- true",
                  "--module nbd: the modules of 'LICENSE' are neither beside it nor in /lib/modules; --modules names their directory");
  assert_mistakes("--kernel LICENSE --copy-in README.md:/proc/x --copy-in README.md:/dev --copy-in README.md:/a/../run/ -- true",
                  "--copy-in: '/proc/x' would be hidden: the guest's kernel has a file system of its own there\n"
                  "--copy-in: '/dev' would be hidden: the guest's kernel has a file system of its own there\n"
                  "--copy-in: '/a/../run/README.md' would be hidden: the guest's kernel has a file system of its own there");
  g_autoptr(ExecOptions) beside = parse_well("--kernel LICENSE --copy-in README.md:/devices --copy-in README.md:/tmp/x -- true");
  g_assert_cmpuint(beside->copy_in->len, ==, 2);
}

/* The head of a program of 64-bit ARM, with one program header of TYPE at AT. */
static void write_program(const char *path, unsigned type, uint64_t at) {
  char program[128] = "\177ELF\2\1";

  program[18] = (char)183;
  memcpy(program + 32, &at, sizeof at);
  program[54] = 56;
  program[56] = 1;
  program[64] = (char)type;
  g_assert_true(g_file_set_contents(path, program, sizeof program, NULL));
}

static void test_busybox(void) {
  g_autofree char *directory = directory_new();
  g_autofree char *path = g_build_filename(directory, "busybox", NULL);
  g_autofree char *line = g_strdup_printf("--kernel LICENSE --busybox %s -- true", path);
  g_autofree char *dynamic = g_strdup_printf("--busybox: '%s' is not linked statically: it would not start in the guest", path);

  write_program(path, 1, 64);
  g_autoptr(ExecOptions) good = parse_well(line);
  g_assert_cmpstr(good->busybox, ==, path);
  write_program(path, 3, 64);
  assert_mistakes(line, dynamic);
  write_program(path, 1, 100);
  assert_mistakes(line, dynamic);
  write_program(path, 1, G_MAXUINT64);
  assert_mistakes(line, dynamic);
  assert_mistakes("--kernel LICENSE --busybox README.md -- true", "--busybox: 'README.md' is not a program for ARM64");
  assert_mistakes("--kernel LICENSE --busybox /nonexistent -- true", "--busybox: '/nonexistent' cannot be read: No such file or directory");
  directory_free(directory);
}

/* Firmware alone runs no command. */
static void test_no_kernel(void) {
  assert_mistakes("-- true", "no kernel given: add --kernel FILE");
  assert_mistakes("--dry-run -- true", "no kernel given: add --kernel FILE");
  assert_mistakes("--firmware LICENSE -- true", "no kernel given: add --kernel FILE, which the firmware starts");
  assert_mistakes("--initrd LICENSE", "--initrd: an initrd needs a kernel: add --kernel FILE");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/exec-options/command", test_command);
  g_test_add_func("/exec-options/copies", test_copies);
  g_test_add_func("/exec-options/named-files", test_named_files);
  g_test_add_func("/exec-options/copy-out-limit", test_copy_out_limit);
  g_test_add_func("/exec-options/copy-out-place", test_copy_out_place);
  g_test_add_func("/exec-options/environment", test_environment);
  g_test_add_func("/exec-options/command-line", test_command_line);
  g_test_add_func("/exec-options/rootfs-image", test_rootfs_image);
  g_test_add_func("/exec-options/rootfs-directory", test_rootfs_directory);
  g_test_add_func("/exec-options/host", test_host);
  g_test_add_func("/exec-options/modules", test_modules);
  g_test_add_func("/exec-options/busybox", test_busybox);
  g_test_add_func("/exec-options/boot-only", test_boot_only);
  g_test_add_func("/exec-options/no-kernel", test_no_kernel);
  g_test_add_func("/exec-options/mistakes", test_mistakes);
  return g_test_run();
}
