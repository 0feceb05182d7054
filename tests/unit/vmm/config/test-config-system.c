/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret run IMAGE`: which word is the image, what format it has, what comes with it and what the user says instead; and
 * what cloud-init is told.
 */
#include <string.h>
#include <unistd.h>

#include "tests/unit/directory.h"
#include "vmm/config/config.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPUAgZfnUOKYdTvbwdwH+aJn/D7FZ0QCAmX8ctIyK5f8"

static const char with_firmware[] = "--dry-run --firmware code ";

/* WORDS are separated by spaces. */
static Config *read_words(const char *before, const char *words, GError **error) {
  g_autofree char *all = g_strconcat(before, words, NULL);
  g_auto(GStrv) argv = g_strsplit(all, " ", -1);
  bool help;

  return config_parse((int)g_strv_length(argv), argv, &help, error);
}

static Config *parse(const char *words) {
  g_autoptr(GError) error = NULL;
  Config *config = read_words(with_firmware, words, &error);

  g_assert_no_error(error);
  return config;
}

/* The message must be exactly WANTED. */
static void refuse(const char *words, const char *wanted) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = read_words(with_firmware, words, &error);

  g_assert_null(config);
  g_assert_cmpstr(error->message, ==, wanted);
}

static const DiskConfig *disk(const Config *config, unsigned index) {
  g_assert_cmpuint(index, <, config->disks->len);
  return config->disks->pdata[index];
}

static bool has_note(const Config *config, const char *pattern) {
  g_autofree char *notes = config_note(config);

  return notes && g_pattern_match_simple(pattern, notes);
}

static void write_bytes(const char *path, gsize size, gsize offset, const char *bytes, gsize n) {
  g_autofree char *data = g_malloc0(size);

  memcpy(data + offset, bytes, n);
  g_assert_true(g_file_set_contents(path, data, (gssize)size, NULL));
}

static void write_disk(const char *path) {
  write_bytes(path, 4096, 510, "\x55\xaa", 2);
}

static void write_files(void) {
  static const char *const raw[] = {"disk.img", "disk.raw", "disk", "lies.qcow2", "lies.vpc", "a,b.img", "x.qcow2.img"};
  static const char *const qcow2[] = {"disk.qcow2", "disk.QCOW2", "seems.img", "seems", "seems.vmdk", "dir.qcow2/seems"};

  for (unsigned i = 0; i < G_N_ELEMENTS(raw); i++)
    write_disk(raw[i]);
  g_assert_cmpint(g_mkdir("dir.qcow2", 0755), ==, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS(qcow2); i++)
    write_bytes(qcow2[i], 4096, 0, "QFI\xfb\0\0\0\3", 8);
  g_assert_cmpint(g_mkdir_with_parents("Images/initrd", 0755), ==, 0);
  write_bytes("Images/initrd/disk.qcow2", 4096, 0, "QFI\xfb\0\0\0\3", 8);
  write_bytes("disk.vhd", 4096, 0, "conectix", 8);
  write_bytes("code", 4096, 0, "x", 1);
  write_bytes("kernel", 4096, 0x38, "ARM\x64", 4);
  write_bytes("short", 1, 0, "x", 1);
  write_bytes("file-system", 4096, 1080, "\x53\xef", 2);
  g_assert_true(g_file_set_contents("id.pub", KEY " me\n", -1, NULL));
  g_assert_true(g_file_set_contents("password", "secret\n", -1, NULL));
  g_assert_true(g_file_set_contents("user", "#cloud-config\n", -1, NULL));
  g_assert_true(g_file_set_contents("odd", "hello\n", -1, NULL));
  g_assert_true(g_file_set_contents("meta", "instance-id: x\n", -1, NULL));
}

/* It is the first disk, and nothing of it is changed; --disk are those after it. */
static void test_operand(void) {
  static const char *const ways[] = {"disk.img --disk disk.raw,ro", "--disk disk.raw,ro disk.img", "--system disk.img --disk disk.raw,ro",
                                     "--disk disk.raw,ro --system x --system=disk.img"};

  for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
    g_autofree char *words = g_strconcat("--net none ", ways[i], NULL);
    g_autoptr(Config) config = parse(words);
    g_assert_cmpuint(config->disks->len, ==, 2);
    g_assert_cmpuint(config->system->len, ==, 0);
    g_assert_cmpstr(disk(config, 0)->path, ==, "disk.img");
    g_assert_true(disk(config, 0)->image.cow && !disk(config, 0)->image.read_only);
    g_assert_cmpstr(disk(config, 1)->path, ==, "disk.raw");
    g_assert_true(disk(config, 1)->image.read_only && !disk(config, 1)->image.cow);
  }
  g_autoptr(Config) below = parse("--net none Images/initrd/disk.qcow2"); /* directories say nothing */
  g_assert_cmpint(disk(below, 0)->image.format, ==, DISK_IMAGE_FORMAT_QCOW2);
  g_autoptr(Config) parts = parse("--net none a,,b.img,queues=3,serial=one");
  g_assert_cmpstr(disk(parts, 0)->path, ==, "a,b.img");
  g_assert_cmpuint(disk(parts, 0)->device.queues, ==, 3);
  g_assert_cmpstr(disk(parts, 0)->device.serial, ==, "one");
  /* What was said of the others stays theirs. */
  refuse(
      "--net none disk.img --disk missing --disk disk.raw,iops=0",
      "--disk disk.raw,iops=0: iops: '0' is not a whole number from 1 to 4294967295\n--disk missing: cannot open 'missing': No such file "
      "or directory");
  refuse("--net none disk.img,cow=x --disk disk.raw", "disk.img,cow=x: cow: 'x' is neither on nor off");
  refuse("--net none disk.img disk.raw", "unexpected argument 'disk.raw'; did you mean --disk disk.raw?");
  refuse("--net none disk.img a,b.img", "unexpected argument 'a,b.img'; did you mean --disk a,,b.img?");
  refuse("--net none disk.img no,where.qcow2", "unexpected argument 'no,where.qcow2'; did you mean --disk no,,where.qcow2,format=qcow2?");
  refuse("--net none disk.img disk.qcow2,ro", "unexpected argument 'disk.qcow2,ro'; did you mean --disk disk.qcow2,ro?");
  refuse("--net none disk.img a,,b.img", "unexpected argument 'a,,b.img'; did you mean --disk a,,b.img?");
  refuse("--net none disk.img kernel",
         "unexpected argument 'kernel': everything but a disk image is given by an option, such as --kernel FILE");
  refuse("--net none missing", "unexpected argument 'missing': everything but a disk image is given by an option, such as --kernel FILE");
  refuse("--net none missing.qcow2", "missing.qcow2: cannot open 'missing.qcow2': No such file or directory");
  refuse("--net none disk.img --disk disk.img",
         "--disk disk.img: 'disk.img' is the same disk as 'disk.img' (number 1) and not read-only in both: add ro or cow to both");
}

static void test_json(void) {
  g_assert_true(
      g_file_set_contents("vm.json",
                          "{\"system\": {\"file\": \"disk.img\", \"queues\": 2}, \"persist\": true, \"net\": \"none\", \"ssh-key\": "
                          "\"id.pub\", \"password\": \"password\", \"cloud-init\": {\"user-data\": \"user\"}, \"disk\": [\"disk.raw\"]}",
                          -1, NULL));
  g_autoptr(Config) config = parse("--config vm.json");
  g_assert_cmpuint(config->disks->len, ==, 3);
  g_assert_cmpstr(disk(config, 0)->path, ==, "disk.img");
  g_assert_false(disk(config, 0)->image.cow);
  g_assert_cmpstr(config->seed->password, ==, "secret");
  g_assert_nonnull(config->seed->own[SEED_USER_DATA]);
  g_assert_cmpuint(config->memory, ==, UINT64_C(1) << 30);
  g_autoptr(Config) other = parse("--config vm.json disk --no-persist");
  g_assert_cmpuint(other->disks->len, ==, 3);
  g_assert_cmpstr(disk(other, 0)->path, ==, "disk");
  g_assert_true(disk(other, 0)->image.cow);
}

/* Name and mark agree, or the user says it. */
static void test_formats(void) {
  static const struct {
    const char *word;
    DiskImageFormat format;
  } good[] = {
      {"disk.img", DISK_IMAGE_FORMAT_AUTO},
      {"disk.raw", DISK_IMAGE_FORMAT_AUTO},
      {"disk", DISK_IMAGE_FORMAT_AUTO},
      {"disk.qcow2", DISK_IMAGE_FORMAT_QCOW2},
      {"disk.QCOW2", DISK_IMAGE_FORMAT_QCOW2},
      {"disk.vhd", DISK_IMAGE_FORMAT_VHD},
      {"x.qcow2.img", DISK_IMAGE_FORMAT_AUTO},
      {"seems.img,format=raw", DISK_IMAGE_FORMAT_RAW},
      {"seems,format=qcow2", DISK_IMAGE_FORMAT_QCOW2},
      {"disk.qcow2,format=raw", DISK_IMAGE_FORMAT_RAW},
      {"lies.qcow2,format=raw", DISK_IMAGE_FORMAT_RAW},
      {"disk.qcow2,backing=disk.img", DISK_IMAGE_FORMAT_QCOW2},
  };
  static const char *const seeming[] = {"seems.img", "seems", "seems.vmdk", "dir.qcow2/seems"};
  static const char *const lying[] = {"lies.qcow2", "lies.vpc"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autofree char *words = g_strconcat("--net none ", good[i].word, NULL);
    g_autoptr(Config) config = parse(words);
    g_assert_cmpint(disk(config, 0)->image.format, ==, good[i].format);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(seeming); i++) {
    g_autofree char *words = g_strconcat("--net none ", seeming[i], NULL);
    g_autofree char *wanted =
        g_strdup_printf("%s: '%s' is a qcow2 image by its content, and not by its name, as one has that a guest wrote into a raw image: "
                        "',format=qcow2' gives the guest the disk that is in it, ',format=raw' the file's bytes as they are",
                        seeming[i], seeming[i]);
    refuse(words, wanted);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(lying); i++) {
    g_autofree char *words = g_strconcat("--net none ", lying[i], NULL);
    g_autofree char *wanted =
        g_strdup_printf("%s: '%s' is a %s image by its name, and not by its content: ',format=raw' gives the guest the file's bytes",
                        lying[i], lying[i], i ? "vhd" : "qcow2");
    refuse(words, wanted);
  }
}

/* What is no disk is told what it is for. */
static void test_other_files(void) {
  static const struct {
    const char *name;
    gsize offset;
    const char *mark;
    gsize size;
    const char *wanted;
  } cases[] = {
      {"d.xz", 0,
       "\xfd"
       "7zXZ\0",
       6, "*(xz): 'xz -dk d.xz' *"},
      {"d.gz", 0, "\x1f\x8b", 2, "*(gzip): 'gzip -dk d.gz' *"},
      {"d.zst", 0, "\x28\xb5\x2f\xfd", 4, "*(zstd): 'zstd -dk d.zst' *"},
      {"d.lz4", 0, "\x04\x22\x4d\x18", 4, "*(lz4): *"},
      {"d.bz2", 0, "BZh9", 4, "*(bzip2): *"},
      {"d.zip", 0, "PK\3\4", 4, "*'unzip d.zip' *"},
      {"d1", 0, "070701", 6, "*--initrd d1, *"},
      {"d2", 0x38, "ARM\x64", 4, "*is a kernel, *--kernel d2"},
      {"d3", 4, "zimg", 4, "*is a kernel, *--kernel d3"},
      {"d4", 0,
       "\x7f"
       "ELF",
       4, "*--kernel d4"},
      {"d5", 0, "hsqs", 4, "*--rootfs d5, *"},
      {"d.iso", 0x8001, "CD001", 5, "*(ISO 9660)*',format=raw'*"},
      {"d.tar", 257, "ustar", 5, "*is an archive: *--image docker-archive:d.tar, or --image oci-archive:d.tar"},
      {"d,6", 0, "hsqs", 4, "*--rootfs d,,6, *"},
      {"zeros", 0, "", 0, "*it has no partitions; ',format=raw' *"},
      {"a%sb", 0x38, "ARM\x64", 4, "*--kernel a%sb"},
      {"%s.xz", 0,
       "\xfd"
       "7zXZ\0",
       6, "*'xz -dk %s.xz' *"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *word = option_double_commas(cases[i].name);
    g_autofree char *words = g_strconcat("--net none ", word, NULL), *raw = g_strconcat(words, ",format=raw", NULL);
    write_bytes(cases[i].name, 65536, cases[i].offset, cases[i].mark, cases[i].size);
    g_autoptr(Config) none = read_words(with_firmware, words, &error);
    g_assert_null(none);
    g_test_message("%s", error->message);
    g_assert_true(g_pattern_match_simple(cases[i].wanted, error->message));
    g_assert_null(strchr(error->message, '\n'));
    g_autoptr(Config) believed = parse(raw);
    g_assert_cmpint(disk(believed, 0)->image.format, ==, DISK_IMAGE_FORMAT_RAW);
  }
  refuse("--net none short", "short: 'short' is no disk image that boots: it has no partitions; ',format=raw' takes it all the same");
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) none = read_words(with_firmware, "--net none dir.qcow2", &error);
  g_assert_cmpstr(
      error->message, ==,
      "dir.qcow2: 'dir.qcow2' is a directory, and no disk image: as a guest's root it is --rootfs dir.qcow2, with --kernel FILE");
  /* A kernel that is named needs no partitions. */
  g_autoptr(Config) with_kernel = parse("--net none --kernel kernel file-system");
  g_assert_cmpuint(with_kernel->disks->len, ==, 1);
}

/* What comes with it, unless the user says something else. */
static void test_defaults(void) {
  g_autoptr(Config) plain = parse("--net none disk.img"), large = parse("--net none disk.img --memory 512M");
  g_autoptr(Config) none = parse("--disk disk.img"), tap = parse("disk.img --net tap=tap9");
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) kernel = read_words("--dry-run ", "--net none --kernel kernel disk.img", &error);

  g_assert_cmpuint(plain->memory, ==, UINT64_C(1) << 30);
  g_assert_cmpuint(plain->nets->len, ==, 0);
  g_assert_cmpint(plain->tables, ==, TABLES_BOTH);
  g_assert_cmpuint(large->memory, ==, UINT64_C(512) << 20);
  g_assert_cmpuint(none->memory, ==, UINT64_C(512) << 20);
  g_assert_false(disk(none, 0)->image.cow);
  g_assert_cmpuint(tap->nets->len, ==, 1);
  g_assert_no_error(error);
  g_assert_cmpuint(kernel->firmware->len, ==, 0);
  g_assert_true(has_note(plain, "'disk.img' stays as it is,*--persist*"));
  g_assert_false(has_note(none, "*"));
}

/* With a passt that is there, and without. */
static void test_network(void) {
  g_autofree char *path = g_strdup(g_getenv("PATH")), *here = g_get_current_dir();

  g_setenv("PATH", here, TRUE);
  g_autoptr(Config) without = parse("disk.img,cow");
  g_assert_cmpuint(without->nets->len, ==, 0);
  g_assert_true(has_note(without, "the guest has no network: *apt install passt*--net none*"));
  g_assert_true(g_file_set_contents("passt", "#!/bin/sh\necho --fd\n", -1, NULL));
  g_assert_cmpint(g_chmod("passt", 0755), ==, 0);
  g_autoptr(Config) with = parse("disk.img,cow");
  g_assert_cmpuint(with->nets->len, ==, 1);
  const NetConfig *net = with->nets->pdata[0];
  g_assert_true(net->user && net->framed);
  g_assert_false(has_note(with, "*"));
  g_autoptr(Config) none = parse("disk.img,cow --net none");
  g_assert_cmpuint(none->nets->len, ==, 0);
  g_setenv("PATH", path, TRUE);
  refuse("disk.img --net none --net user", "--net none: there is another --net: leave out one of them");
  refuse("disk.img --net none,user",
         "--net none,user: a card has one place where it is connected: give one of user, tap=NAME, fd=N and unix=PATH");
}

/* `eret run -- IMAGE`: the image is there, and is not said to be missing. */
static void test_behind(void) {
  static const char *const words[] = {"-- disk.img", "-- missing.qcow2"};

  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = read_words("", words[i], &error);
    g_autofree char *wanted = g_strdup_printf("unexpected argument '%s': a disk image stands before --, and words for an --image behind it",
                                              words[i] + strlen("-- "));
    g_assert_null(config);
    g_assert_cmpstr(error->message, ==, wanted);
  }
}

static void test_persist(void) {
  g_autoptr(Config) config = parse("--net none disk.img --persist"), read_only = parse("--net none disk.img,ro");

  g_assert_false(disk(config, 0)->image.cow || disk(config, 0)->image.read_only);
  g_assert_true(disk(read_only, 0)->image.read_only && !disk(read_only, 0)->image.cow);
  g_assert_false(has_note(config, "*"));
  refuse("--net none disk.img,ro --persist", "--persist: ro of the image contradicts it: leave out one of them");
  refuse("--net none disk.img,cow --persist", "--persist: cow of the image contradicts it: leave out one of them");
  refuse("--disk disk.img --persist",
         "--persist: it is for the image that is named without a flag, or by --system; what is written to a --disk stays in any case");
  if (geteuid() == 0) /* who can write all */
    return;
  g_assert_cmpint(g_chmod("disk.img", 0400), ==, 0);
  refuse("--net none disk.img --persist", "disk.img: cannot write 'disk.img': Permission denied; without --persist it stays as it is, and "
                                          "what the guest writes is gone with it");
  g_assert_cmpint(g_chmod("disk.img", 0600), ==, 0);
}

static void test_seed(void) {
  g_autoptr(Config) config = parse("--net none disk.img --disk disk.raw --ssh-key id.pub --ssh-key id.pub --password password");
  g_autoptr(Config) named = parse("--net none disk.img --name web_1 --ssh-key id.pub");
  g_autoptr(Config) plain = parse("--disk disk.qcow2,format=qcow2 --cloud-init user-data=user,meta-data=meta"),
                    asked = parse("--password -");
  const DiskConfig *last = disk(config, 2);

  g_assert_true(last->content == &config->seed_content && last->image.read_only && !last->path);
  g_assert_null(config->seed_content.bytes); /* it is a plan */
  g_assert_cmpuint(config->seed->keys->len, ==, 2);
  g_assert_cmpstr(config->seed->keys->pdata[0], ==, KEY);
  g_assert_cmpstr(config->seed->password, ==, "secret");
  g_assert_cmpstr(config->seed->hostname, ==, "disk");
  g_assert_cmpstr(named->seed->hostname, ==, "web-1");
  g_assert_cmpstr(plain->seed->hostname, ==, "disk");
  g_assert_nonnull(plain->seed->own[SEED_META_DATA]);
  g_assert_cmpuint(plain->disks->len, ==, 2);
  g_assert_true(asked->seed->asks_password && !asked->seed->password);
  g_assert_null(asked->seed->hostname);
  g_autoptr(Config) odd = parse("--cloud-init user-data=odd");
  g_assert_true(has_note(odd, "--cloud-init: user-data: 'odd': it begins with neither *"));
  /* The guest's root is behind it. */
  g_autoptr(Config) rootfs = parse("--kernel kernel --rootfs file-system --ssh-key id.pub");
  g_assert_cmpint(rootfs->root, ==, ROOT_IMAGE);
  g_assert_cmpstr(disk(rootfs, 1)->path, ==, "file-system");
}

/* Each says what it says; of what two say, the later one counts. */
static void test_seed_parts(void) {
  static const char description[] = "{\"net\": [\"none\"], \"cloud-init\": [{\"user-data\": \"user\"}, {\"meta-data\": \"meta\"}]}";
  static const char *const words[] = {"--cloud-init user-data=user --cloud-init meta-data=meta",
                                      "--cloud-init user-data=missing,meta-data=missing --cloud-init user-data=user,meta-data=meta",
                                      "--cloud-init meta-data=missing,user-data=user --cloud-init meta-data=meta", "--config parts.json"};

  g_assert_true(g_file_set_contents("parts.json", description, -1, NULL));
  for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
    g_autoptr(Config) config = parse(words[i]);
    g_autoptr(GBytes) user = g_bytes_new_static("#cloud-config\n", 14);
    g_assert_nonnull(config->seed->own[SEED_META_DATA]);
    g_assert_true(config->seed->own[SEED_USER_DATA] && g_bytes_equal(config->seed->own[SEED_USER_DATA], user));
    g_assert_null(config->seed->own[SEED_VENDOR_DATA]);
  }
  refuse("--cloud-init user-data=missing --cloud-init meta-data=odd",
         "--cloud-init user-data=missing: user-data: cannot read 'missing': No such file or directory\n"
         "--cloud-init meta-data=odd: meta-data: 'odd' has no instance-id, without which cloud-init does not take it: instance-id: NAME");
}

static void test_seed_mistakes(void) {
  refuse("--ssh-key missing", "--ssh-key missing: cannot read 'missing': No such file or directory");
  refuse("--ssh-key odd --password missing --cloud-init meta-data=odd,user-data=missing",
         "--ssh-key odd: 'odd' cannot be taken: it is no public key, such as ssh-keygen writes into a file whose name ends in .pub\n"
         "--password: cannot read 'missing': No such file or directory\n"
         "--cloud-init meta-data=odd,user-data=missing: user-data: cannot read 'missing': No such file or directory\n"
         "--cloud-init meta-data=odd,user-data=missing: meta-data: 'odd' has no instance-id, without which cloud-init does not take it: "
         "instance-id: NAME");
  refuse("--password /dev/null", "--password: '/dev/null': there is no password in its first line");
  refuse("--cloud-init user-data=/dev/zero",
         "--cloud-init user-data=/dev/zero: user-data: cannot read '/dev/zero': larger than 1 MiB: this is no file of user-data");
  refuse("--cloud-init userdata=x",
         "--cloud-init userdata=x: unknown part 'userdata'; did you mean user-data? (known: user-data, meta-data, "
         "vendor-data, network-config; a comma within a value is written ,,)");
  refuse(
      "--password password --cloud-init user-data=user,vendor-data=user",
      "--cloud-init user-data=user,vendor-data=user: the password would be user-data or vendor-data, and both are files of yours: say it "
      "in one of these");
}

int main(int argc, char **argv) {
  g_autofree char *source = g_get_current_dir(), *directory = directory_new();

  g_test_init(&argc, &argv, NULL);
  g_assert_cmpint(g_chdir(directory), ==, 0);
  write_files();
  g_test_add_func("/config-system/operand", test_operand);
  g_test_add_func("/config-system/json", test_json);
  g_test_add_func("/config-system/formats", test_formats);
  g_test_add_func("/config-system/other-files", test_other_files);
  g_test_add_func("/config-system/defaults", test_defaults);
  g_test_add_func("/config-system/network", test_network);
  g_test_add_func("/config-system/behind", test_behind);
  g_test_add_func("/config-system/persist", test_persist);
  g_test_add_func("/config-system/seed", test_seed);
  g_test_add_func("/config-system/seed-parts", test_seed_parts);
  g_test_add_func("/config-system/seed-mistakes", test_seed_mistakes);
  int result = g_test_run();
  g_assert_cmpint(g_chdir(source), ==, 0);
  directory_free(directory);
  return result;
}
