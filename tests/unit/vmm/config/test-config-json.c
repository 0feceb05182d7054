/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Description files: every key and both ways to write it, relative paths, which source wins, every mistake with its
 * line, broken JSON.
 */
#include <glib/gstdio.h>
#include <locale.h>
#include <string.h>

#include "vmm/config/config.h"

#define DISK_PARTS "ro, cow, direct, format, backing, nbd, block-size, discard, lock, queues, iops, bps, serial, bootindex"

/* Runs in a directory of its own: vm.json and dir/vm.json are written by the tests. */
static char *work_directory;

static Config *parse_file(const char *path, const char *json, gssize size, const char *const *flags, GError **error) {
  char *arguments[16] = {(char *)"--config", (char *)path};
  int count = 2;
  for (; flags && *flags; flags++)
    arguments[count++] = (char *)*flags;
  g_assert_true(g_file_set_contents(path, json, size, NULL));
  bool help;
  return config_parse(count, arguments, &help, error);
}

/* FLAGS: separated by spaces, or NULL. */
static Config *accept(const char *path, const char *json, const char *flags) {
  g_auto(GStrv) split = g_strsplit(flags ? flags : "", " ", -1);
  g_autoptr(GError) error = NULL;
  Config *config = parse_file(path, json, -1, flags ? (const char *const *)split : NULL, &error);
  g_assert_no_error(error);
  g_assert_nonnull(config);
  return config;
}

static void refuse(const char *json, const char *flags, const char *wanted) {
  g_auto(GStrv) split = g_strsplit(flags ? flags : "", " ", -1);
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = parse_file("vm.json", json, -1, flags ? (const char *const *)split : NULL, &error);
  g_assert_null(config);
  g_assert_error(error, OPTION_ERROR, OPTION_ERROR_INVALID);
  g_assert_cmpstr(error->message, ==, wanted);
}

static const DiskConfig *disk(const Config *config, guint index) {
  g_assert_cmpuint(index, <, config->disks->len);
  return config->disks->pdata[index];
}

static void test_cpu(void) {
  g_autoptr(Config) config = accept(
      "vm.json",
      "{ \"dry-run\": true, \"cpu\": { \"model\": \"host\", \"pmu\": \"off\", \"sve-vl\": \"256\" }, \"cpu-template\": \"t.json\" }", NULL);
  g_assert_cmpint(config_cpu(config)->pmu, ==, CPU_OFF);
  g_assert_cmpstr(config_cpu(config)->sve_lengths, ==, "256");
  g_assert_cmpint(cpu_template_get(config->cpu_fields, "ID_AA64ISAR0_EL1", "Atomic"), ==, 0);
  g_autoptr(Config) text = accept("vm.json", "{ \"dry-run\": true, \"cpu\": \"host,pmu=off\" }", "--cpu host,mte=on");
  g_assert_cmpint(config_cpu(text)->pmu, ==, CPU_AUTO);
  g_assert_cmpint(config_cpu(text)->mte, ==, CPU_ON);
}

static void test_every_key(void) {
  g_autoptr(Config) config =
      accept("vm.json",
             "{ \"kernel\": \"Image\", \"kernel-format\": \"raw\", \"initrd\": \"initrd\", \"append\": \"a=\\\"b\\\" c\",\n"
             "  \"cpus\": 3, \"memory\": \"1G\", \"console\": \"virtio\", \"transport\": \"mmio\", \"rng\": true,\n"
             "  \"gic\": 3, \"defaults\": false, \"reboot\": false, \"grace\": 20, \"dump-fdt\": \"x.dtb\",\n"
             "  \"dry-run\": true, \"disk\": [ \"a.img,ro\", { \"file\": \"b.img\", \"ro\": false, \"serial\": \"two\" } ] }",
             NULL);
  g_assert_cmpstr(config->kernel, ==, "Image");
  g_assert_cmpint(config->kernel_format, ==, KERNEL_FORMAT_RAW);
  g_assert_cmpstr(config->initrd, ==, "initrd");
  g_assert_cmpstr(config->append, ==, "console=hvc0 a=\"b\" c");
  g_assert_cmpuint(config->cpus, ==, 3);
  g_assert_cmpuint(config->memory, ==, 1 << 30);
  g_assert_cmpint(config->console, ==, CONSOLE_VIRTIO);
  g_assert_cmpint(config->transport, ==, TRANSPORT_MMIO);
  g_assert_cmpint(config->gic, ==, GIC_V3);
  g_assert_true(config->rng && !config->defaults && !config->reboot && config->dry_run);
  g_assert_cmpuint(config->grace, ==, 20);
  g_assert_cmpstr(config->dump_fdt, ==, "x.dtb");
  g_assert_cmpuint(config->disks->len, ==, 2);
  g_assert_cmpstr(disk(config, 0)->path, ==, "a.img");
  g_assert_true(disk(config, 0)->image.read_only);
  g_assert_cmpstr(disk(config, 1)->path, ==, "b.img");
  g_assert_false(disk(config, 1)->image.read_only);
  g_assert_cmpstr(disk(config, 1)->device.serial, ==, "two");
}

/* What can be written in two ways. */
static void test_equal_forms(void) {
  g_autoptr(Config) config =
      accept("vm.json",
             "{ \"cpus\": \"2\", \"memory\": 67108864, \"gic\": \"2\", \"no-reboot\": true, \"no-defaults\": false,\n"
             "  \"no-rng\": false, \"disk\": \"a.img\", \"dry-run\": true }",
             NULL);
  g_assert_cmpuint(config->cpus, ==, 2);
  g_assert_cmpuint(config->memory, ==, 64 << 20);
  g_assert_cmpint(config->gic, ==, GIC_V2);
  g_assert_true(!config->reboot && config->defaults && config->rng);
  g_assert_cmpstr(disk(config, 0)->path, ==, "a.img");
  g_autoptr(Config) object = accept("vm.json", "{ \"disk\": { \"file\": \"with,comma.img\" }, \"dry-run\": true }", NULL);
  g_assert_cmpstr(disk(object, 0)->path, ==, "with,comma.img"); /* a key's value needs no doubling */
  g_autoptr(Config) empty = accept("vm.json", "{}", "--dry-run");
  g_assert_cmpuint(empty->disks->len, ==, 0);
}

/* A part of an element that is repeatable is an array, or stands alone. */
static void test_texts(void) {
  g_autoptr(Config) config = accept("vm.json",
                                    "{ \"net\": [ { \"user\": true, \"forward\": [ \"1:2\", \"3:4/udp\" ], \"restrict\": true },\n"
                                    "  { \"user\": true, \"forward\": \"5:6\" }, \"user,forward=7:8,forward=9:10\",\n"
                                    "  { \"user\": true, \"forward\": [] } ], \"dry-run\": true }",
                                    NULL);
  static const char *const wanted[] = {"1:2 3:4/udp", "5:6", "7:8 9:10", ""};

  g_assert_cmpuint(config->nets->len, ==, G_N_ELEMENTS(wanted));
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++) {
    const NetConfig *net = config->nets->pdata[i];
    g_autofree char *forwards = g_strjoinv(" ", (char **)net->forwards->pdata);
    g_assert_true(net->user && net->restricted == (i == 0));
    g_assert_cmpstr(forwards, ==, wanted[i]);
  }
  refuse("{ \"net\": { \"user\": true, \"forward\": 22 } }", "--dry-run",
         "vm.json:1: net.forward: wants a string, or an array of strings, not a number");
  refuse("{ \"net\": [ { \"user\": true, \"forward\": [ \"1:2\",\n [] ] } ] }", "--dry-run",
         "vm.json:2: net[0].forward[1]: wants a string, or an array of strings, not an array");
  refuse("{ \"net\": { \"user\": true, \"forward\": [ \"\" ] } }", "--dry-run", "vm.json:1: net.forward[0]: must not be empty");
}

static void test_shares(void) {
  g_autoptr(Config) config = accept("dir/vm.json",
                                    "{ \"share\": [ { \"dir\": \".\", \"tag\": \"src\", \"ro\": true, \"uid-map\": [ \"0:1:2\" ] },\n"
                                    "  \"../dir,xattr\" ], \"dry-run\": true }",
                                    NULL);
  const ShareConfig *first = config->shares->pdata[0], *second = config->shares->pdata[1];

  g_assert_cmpstr(first->tag, ==, "src");
  g_assert_true(first->read_only && first->uid_map->len == 1 && g_str_has_suffix(first->path, "dir/."));
  g_assert_true(second->xattr && g_str_has_suffix(second->path, "dir/../dir"));
  refuse("{ \"share\": { \"dir\": \"/no/such\" } }", "--dry-run", "vm.json:1: share: cannot share '/no/such': No such file or directory");
}

/* Of a format, of a network, and what backs them. */
static void test_served_disks(void) {
  g_autoptr(Config) config =
      accept("dir/vm.json",
             "{ \"dry-run\": true, \"disk\": [ { \"file\": \"../a.img\", \"format\": \"qcow2\", \"backing\": [ \"../b.img\", "
             "\"/etc/passwd\" ] },\n"
             "{ \"nbd\": \"nbd://h/x\", \"cow\": true }, \"nbd=nbd://h/y,ro\", \"../b.img,format=vmdk,backing=../a.img\" ] }",
             NULL);

  g_assert_cmpint(disk(config, 0)->image.format, ==, DISK_IMAGE_FORMAT_QCOW2);
  g_assert_cmpuint(disk(config, 0)->backing->len, ==, 2);
  g_assert_cmpstr(disk(config, 0)->backing->pdata[0], ==, "dir/../b.img");
  g_assert_cmpstr(disk(config, 0)->backing->pdata[1], ==, "/etc/passwd");
  g_assert_cmpstr(disk(config, 1)->nbd, ==, "nbd://h/x");
  g_assert_null(disk(config, 1)->path);
  g_assert_cmpstr(disk(config, 2)->nbd, ==, "nbd://h/y");
  g_assert_true(disk(config, 2)->image.read_only);
  g_assert_cmpstr(disk(config, 3)->backing->pdata[0], ==, "dir/../a.img");
}

static void test_relative_paths(void) {
  g_autofree char *absolute = g_build_filename(work_directory, "a.img", NULL);
  g_autofree char *json = g_strdup_printf("{ \"kernel\": \"kernel\", \"dump-fdt\": \"x.dtb\", \"disk\": [ \"b.img\", \"%s\", {\"file\": "
                                          "\"../b.img\", \"serial\": \"s\"}], \"hypercall\": [ \"0xc6005000=unix:peer,timeout=3\", "
                                          "{ \"service\": \"0xc6005001=unix:/peer\" } ] }",
                                          absolute);
  g_autoptr(Config) config = accept("dir/vm.json", json, "--initrd initrd");
  g_assert_cmpstr(config->kernel, ==, "dir/kernel");
  g_assert_cmpstr(config->dump_fdt, ==, "dir/x.dtb");
  g_assert_cmpstr(config->initrd, ==, "initrd"); /* a flag's path is the shell's */
  g_assert_cmpstr(disk(config, 0)->path, ==, "dir/b.img");
  g_assert_cmpstr(disk(config, 1)->path, ==, absolute);
  g_assert_cmpstr(disk(config, 2)->path, ==, "dir/../b.img");
  g_assert_cmpstr(disk(config, 2)->device.serial, ==, "s");
  g_assert_cmpstr(((const HypercallConfig *)config->hypercalls->pdata[0])->service, ==, "0xc6005000=unix:dir/peer");
  g_assert_cmpstr(((const HypercallConfig *)config->hypercalls->pdata[1])->service, ==, "0xc6005001=unix:/peer");
}

static void test_stats(void) {
  g_autoptr(Config) alone = accept("dir/vm.json", "{ \"stats\": true, \"dry-run\": true }", NULL);
  g_assert_cmpstr(alone->stats, ==, CONFIG_STATS_STDERR);
  g_autoptr(Config) file = accept("dir/vm.json", "{ \"stats\": \"s.json\", \"record\": \"r.rec\", \"dry-run\": true }", NULL);
  g_assert_cmpstr(file->stats, ==, "dir/s.json");
  g_assert_cmpstr(file->record, ==, "dir/r.rec");
}

static void test_named_files(void) {
  refuse("{ \"kernel\": \"Image\",\n\"record\": \"Image\" }", NULL,
         "vm.json:2: record: 'Image' is also the file of vm.json:1: kernel, which would be overwritten: name another file");
  refuse("{ \"dry-run\": true }", "--dump-fdt vm.json",
         "--dump-fdt: 'vm.json' is also the file of --config, which would be overwritten: name another file");
}

static void test_precedence(void) {
  const char *json =
      "{ \"cpus\": 2, \"memory\": \"64M\", \"reboot\": false, \"rng\": true, \"disk\": [\"a.img\", \"b.img\"], \"dry-run\": true }";
  g_autoptr(Config) file = accept("vm.json", json, NULL);
  g_assert_cmpuint(file->cpus, ==, 2);
  g_assert_cmpuint(file->disks->len, ==, 2);
  g_autoptr(Config) flags = accept("vm.json", json, "--cpus 4 --reboot --no-rng --disk with,,comma.img");
  g_assert_cmpuint(flags->cpus, ==, 4);
  g_assert_cmpuint(flags->memory, ==, 64 << 20);
  g_assert_true(flags->reboot && !flags->rng && flags->dry_run);
  g_assert_cmpuint(flags->disks->len, ==, 1);
  g_assert_cmpstr(disk(flags, 0)->path, ==, "with,comma.img");
  /* Flags win wherever they stand. */
  char *arguments[] = {(char *)"--cpus=4", (char *)"--config", (char *)"vm.json"};
  bool help;
  g_autoptr(Config) before = config_parse(3, arguments, &help, NULL);
  g_assert_cmpuint(before->cpus, ==, 4);
}

static void test_two_files(void) {
  g_assert_true(g_file_set_contents("dir/vm.json", "{ \"cpus\": 3, \"disk\": [] }", -1, NULL));
  g_autoptr(Config) config =
      accept("vm.json", "{ \"cpus\": 2, \"memory\": \"64M\", \"disk\": [\"a.img\"], \"dry-run\": true }", "--config dir/vm.json");
  g_assert_cmpuint(config->cpus, ==, 3);
  g_assert_cmpuint(config->memory, ==, 64 << 20);
  g_assert_cmpuint(config->disks->len, ==, 0);
}

static void test_keys(void) {
  refuse("{\n\"cups\": 2 }", "--dry-run", "vm.json:2: cups: unknown key; did you mean cpus?");
  refuse("{\n\n\"Kernel\": 2 }", "--dry-run", "vm.json:3: Kernel: unknown key; did you mean kernel?");
  refuse("{ \"disks\": [] }", "--dry-run", "vm.json:1: disks: unknown key; did you mean disk?");
  refuse("{ \"no_reboot\": true }", "--dry-run", "vm.json:1: no_reboot: unknown key; did you mean no-reboot?");
  refuse("{ \"--cpus\": 2 }", "--dry-run", "vm.json:1: --cpus: unknown key; did you mean cpus?");
  refuse("{ \"frobnicate\": 2 }", "--dry-run", "vm.json:1: frobnicate: unknown key");
  refuse("{ \"no-cpus\": 2 }", "--dry-run", "vm.json:1: no-cpus: unknown key");
  refuse("{ \"config\": \"x\" }", "--dry-run", "vm.json:1: config: is for the command line only");
  refuse("{ \"help\": true }", "--dry-run", "vm.json:1: help: is for the command line only");
  refuse("{ \"cpus\": 2,\n\"cpus\": 3 }", "--dry-run", "vm.json:2:1: cpus: given twice, first in line 1");
  refuse("{ \"rng\": true,\n\"no-rng\": true }", "--dry-run", "vm.json:2: no-rng: given twice, first as rng in line 1");
  refuse("{ \"no-reboot\": true,\n\n\"reboot\": false }", "--dry-run", "vm.json:3: reboot: given twice, first as no-reboot in line 1");
  refuse("{ \"nested\": \"vhe\", \"no-nested\": false }", "--dry-run", "vm.json:1: no-nested: given twice, first as nested in line 1");
}

static void test_values(void) {
  static const struct {
    const char *json, *wanted;
  } cases[] = {
      {"{ \"cpus\": 0 }", "cpus: '0' is not a whole number from 1 to 512"},
      {"{ \"cpus\": -1 }", "cpus: '-1' is not a whole number from 1 to 512"},
      {"{ \"cpus\": 1e1 }", "cpus: wants a whole number or a string, not a number with a point or an exponent"},
      {"{ \"cpus\": 2.0 }", "cpus: wants a whole number or a string, not a number with a point or an exponent"},
      {"{ \"cpus\": 2.5 }", "cpus: wants a whole number or a string, not a fraction"},
      {"{ \"cpus\": true }", "cpus: wants a whole number or a string, not true"},
      {"{ \"cpus\": -0 }", "cpus: wants a whole number or a string, not -0"},
      {"{ \"grace\": -0 }", "grace: wants a whole number or a string, not -0"},
      {"{ \"grace\": -0.0 }", "grace: wants a whole number or a string, not -0"},
      {"{ \"grace\": \"-0\" }", "grace: '-0' is not a whole number from 0 to 86400"},
      {"{ \"stats\": false }", "stats: wants true or a string, not false"},
      {"{ \"stats\": 3 }", "stats: wants true or a string, not a number"},
      {"{ \"nested\": null }", "nested: wants true, false or one of off, vhe, e2h0, not null"},
      {"{ \"no-nested\": \"vhe\" }", "no-nested: wants true or false, not a string"},
      {"{ \"console\": true }", "console: wants one of pl011, virtio, not true"},
      {"{ \"cpu\": { \"model\": \"host\", \"sve\": true } }", "cpu.sve: wants one of auto, on, off, not true"},
      {"{ \"pin\": \"x\" }", "pin: 'x' is neither a CPU nor a range of them, such as 0-3; or say auto"},
      {"{ \"nested\": \"off\", \"cpu\": \"host,el2=on\" }", "nested: off contradicts --cpu host,el2=on"},
      {"{ \"nested\": true, \"cpu\": \"host,el2=off\" }", "nested: EL2 contradicts --cpu host,el2=off"},
      {"{ \"hypercall\": \"foo\" }", "hypercall: 'foo' is not RANGE=unix:PATH"},
      {"{ \"hypercall\": { \"timeout\": 3 } }", "hypercall: lacks the key \"service\""},
      {"{ \"smccc\": [ \"deny=trng\", { \"rule\": \"den=1\" } ] }",
       "smccc[1]: \"den=1\" does not say what to do: write deny=RANGE, forward=RANGE or kernel=RANGE"},
      {"{ \"smccc\": \"deny=0x80000000\" }", "smccc (0x80000000-0x80000000) touches 0x80000000-0x8000ffff, Arm Architecture Calls, "
                                             "which KVM always answers itself; leave them out"},
      {"{ \"cpus\": null }", "cpus: wants a whole number or a string, not null"},
      {"{ \"cpus\": [2] }", "cpus: wants a whole number or a string, not an array"},
      {"{ \"cpus\": {} }", "cpus: wants a whole number or a string, not an object"},
      {"{ \"memory\": 512 }", "memory: '512' is too little, 16M to 4T is possible; without a unit it counts bytes: 512M?"},
      {"{ \"memory\": \"1.5G\" }", "memory: '1.5G' has a fraction: write 1536M, not 1.5G"},
      {"{ \"gic\": 4 }", "gic: '4' is none of auto, 2, 3"},
      {"{ \"console\": \"virtoi\" }", "console: 'virtoi' is none of pl011, virtio; did you mean virtio?"},
      {"{ \"rng\": \"yes\" }", "rng: wants true or false, not a string"},
      {"{ \"rng\": 1 }", "rng: wants true or false, not a number"},
      {"{ \"no-reboot\": null }", "no-reboot: wants true or false, not null"},
      {"{ \"append\": 3 }", "append: wants a string, not a number"},
      {"{ \"kernel\": \"\" }", "kernel: must not be empty"},
      {"{ \"kernel\": [\"Image\"] }", "kernel: wants a string, not an array"},
      {"{ \"kernel\": \"missing\" }", "kernel: cannot open 'missing': No such file or directory"},
      {"{ \"initrd\": \"initrd\" }", "initrd: an initrd needs a kernel: add --kernel FILE"},
      {"{ \"cpus\": 9, \"gic\": 2 }", "cpus: 9 CPUs need GIC version 3: version 2 serves at most 8"},
      {"{ \"disk\": 7 }", "disk: wants a string or an object, not a number"},
      {"{ \"disk\": [ [] ] }", "disk[0]: wants a string or an object, not an array"},
      {"{ \"disk\": [ \"a.img\", \"b.img,rw\" ] }",
       "disk[1]: unknown part 'rw'; did you mean ro? (known: " DISK_PARTS "; a comma within a value is written ,,)"},
      {"{ \"disk\": [ { \"file\": \"a.img\", \"serail\": \"x\" } ] }",
       "disk[0].serail: unknown key; did you mean serial? (known: file, " DISK_PARTS ")"},
      {"{ \"disk\": [ { \"file\": \"a.img\", \"ro\": \"on\" } ] }", "disk[0].ro: wants true or false, not a string"},
      {"{ \"disk\": [ { \"file\": \"a.img\", \"serial\": 5 } ] }", "disk[0].serial: wants a string, not a number"},
      {"{ \"disk\": [ { \"file\": \"a.img\", \"serial\": \"012345678901234567890\" } ] }",
       "disk[0].serial: has 21 bytes, at most 20 are possible"},
      {"{ \"vsock\": { \"cid\": 2 } }", "vsock: '2' is no context ID of a guest: auto, or 3 to 4294967294"},
      {"{ \"vsock\": { \"cid\": 3.5 } }", "vsock.cid: wants a whole number or a string, not a fraction"},
      {"{ \"device\": { \"vhost-user\": \"s\", \"type\": -0 } }", "device.type: wants a whole number or a string, not -0"},
      {"{ \"pin\": [0] }", "pin: wants a whole number or a string, not an array"},
      {"{ \"net\": { \"tap\": 5 } }", "net.tap: wants a string, not a number"},
      {"{ \"net\": [ { \"user\": true }, { \"tpa\": \"a\" } ] }", "net[1].tpa: unknown key; did you mean tap? (known: tap, fd, unix, user, "
                                                                  "none, forward, restrict, queues, mac, mtu, vhost, bootindex)"},
      {"{ \"device\": { \"vhost-user\": true, \"type\": \"rng\" } }", "device.vhost-user: wants a string, not true"},
      {"{ \"disk\": [ { \"ro\": true } ] }", "disk[0]: lacks the key \"file\" or \"nbd\""},
      {"{ \"disk\": { \"ro\": true } }", "disk: lacks the key \"file\" or \"nbd\""},
      {"{ \"disk\": [ \"missing\" ] }", "disk[0]: cannot open 'missing': No such file or directory"},
      {"{ \"disk\": [ \"a.img\", { \"file\": \"a.img\", \"ro\": true } ] }",
       "disk[1]: 'a.img' is the same disk as 'a.img' (number 1) and not read-only in both: add ro or cow to both"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *wanted = g_strconcat("vm.json:1: ", cases[i].wanted, NULL);
    refuse(cases[i].json, "--dry-run", wanted);
  }
}

/* Who answers hypercalls: both sides of a contradiction are named. */
static void test_hypercalls(void) {
  refuse("{ \"smccc\": [ \"deny=trng\",\n\"forward=0x84000050\" ] }", "--dry-run",
         "vm.json:2: smccc[1] and vm.json:1: smccc[0] both claim 0x84000050-0x84000050; drop one of them");
  refuse("{ \"psci\": \"user\" }", "--dry-run --smccc deny=0x84000000",
         "--smccc deny=0x84000000 and vm.json:1: psci both claim 0x84000000-0x84000000; drop one of them");
  refuse("{ \"hypercall\": [ \"0xc6005000=unix:/a\",\n\"0xc6005000=unix:/b\" ] }", "--dry-run",
         "vm.json:2: hypercall[1] and vm.json:1: hypercall[0] both serve 0xc6005000-0xc6005000; drop one of them");
}

/* Each with the line it is in, flags and their combination included. */
static void test_many_mistakes(void) {
  refuse("{\n"
         "  \"cups\": 3,\n"
         "  \"disk\": [\n"
         "    \"a.img\",\n"
         "    { \"file\": \"b.img\",\n"
         "      \"serail\": \"x\" },\n"
         "    7\n"
         "  ],\n"
         "  \"memory\": 512,\n"
         "  \"rng\": \"yes\",\n"
         "  \"initrd\": \"missing\"\n"
         "}",
         "--gic 4 --cpus=0",
         "vm.json:2: cups: unknown key; did you mean cpus?\n"
         "vm.json:6: disk[1].serail: unknown key; did you mean serial? (known: file, " DISK_PARTS ")\n"
         "vm.json:7: disk[2]: wants a string or an object, not a number\n"
         "vm.json:9: memory: '512' is too little, 16M to 4T is possible; without a unit it counts bytes: 512M?\n"
         "vm.json:10: rng: wants true or false, not a string\n"
         "--gic: '4' is none of auto, 2, 3\n"
         "--cpus: '0' is not a whole number from 1 to 512\n"
         "vm.json:11: initrd: cannot open 'missing': No such file or directory\n"
         "vm.json:11: initrd: an initrd needs a kernel: add --kernel FILE");
}

static void assert_broken(const char *json, gssize size, const char *start) {
  g_autoptr(GError) error = NULL;
  static const char *const flags[] = {"--cpus=0", NULL};
  g_assert_null(parse_file("vm.json", json, size, flags, &error));
  g_assert_error(error, OPTION_ERROR, OPTION_ERROR_INVALID);
  g_assert_true(g_str_has_prefix(error->message, start));
  /* The flags' mistakes are told too, but not that there is no kernel: the file may have one. */
  g_assert_true(g_str_has_suffix(error->message, "\n--cpus: '0' is not a whole number from 1 to 512"));
}

static void test_broken(void) {
  assert_broken("{ \"cpus\": 2,\n \"x\" }", -1, "vm.json:2:");
  assert_broken("{ \"cpus\": 2, }", -1, "vm.json:1:");
  assert_broken("{ \"cpus\" 2 }", -1, "vm.json:1:");
  assert_broken("{ \"cpus\": two }", -1, "vm.json:1:");
  assert_broken("{ \"append\": \"unended }", -1, "vm.json:1:");
  assert_broken("{ \"cpus\": 99999999999999999999 }", -1, "vm.json:1:11: cpus: 99999999999999999999 is out of range");
  assert_broken("{ \"cpus\": 010 }", -1, "vm.json:1:11: cpus: '010' is no number of JSON");
  assert_broken("{ \"cpus\": 0x2 }", -1, "vm.json:1:11: cpus: '0x2' is no number of JSON");
  assert_broken("{} {}", -1, "vm.json:1:4: the document ends here");
  assert_broken("{ \"disk\": [{ \"file\": \"a\",\n\"file\": \"b\" }] }", -1, "vm.json:2:1: disk[0].file: given twice, first in line 1");
  assert_broken("{ \"append\": \"a\\u0000b\" }", -1, "vm.json:1:15: append: \\u0000: a text cannot hold a NUL");
  assert_broken("", -1, "vm.json: a JSON object is wanted");
  assert_broken("[1]", -1, "vm.json: a JSON object is wanted");
  assert_broken("7", -1, "vm.json: a JSON object is wanted");
  assert_broken("{\n// comment\n}", -1, "vm.json:2:1: comments and single quotes are not part of JSON");
  assert_broken("{\n'cpus': 2 }", -1, "vm.json:2:1: comments and single quotes");
  assert_broken("{ \"append\": \"\xff\" }", -1, "vm.json:");
  g_autofree char *deep = g_strnfill(500000, '[');
  assert_broken(deep, -1, "vm.json:1:17: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nested too deeply");
  g_autofree char *large = g_strnfill((1 << 20) + 1, ' ');
  assert_broken(large, -1, "--config: cannot read 'vm.json': larger than 1 MiB");
  /* Brackets, slashes and quotes in a string are text. */
  g_autoptr(Config) config = accept("vm.json", "{ \"append\": \"[[[[[[[[[[[[[[[[[[[[ // '\\\"{\" }", "--dry-run");
  g_assert_cmpstr(config->append, ==, "[[[[[[[[[[[[[[[[[[[[ // '\"{");
}

static void test_unreadable(void) {
  char *directory[] = {(char *)"--config", (char *)"dir", (char *)"--cpus=0"}, *endless[] = {(char *)"--config=/dev/zero"};
  g_autoptr(GError) error = NULL;
  bool help;
  g_assert_null(config_parse(3, directory, &help, &error));
  g_assert_cmpstr(error->message, ==, "--config: cannot read 'dir': Is a directory\n--cpus: '0' is not a whole number from 1 to 512");
  g_clear_error(&error);
  g_assert_null(config_parse(1, endless, &help, &error));
  g_assert_cmpstr(error->message, ==, "--config: cannot read '/dev/zero': larger than 1 MiB: this is no description");
}

/* A valid file with bytes changed, or cut: a configuration or an error, no crash. */
static void test_random(void) {
  static const char json[] =
      "{ \"kernel\": \"Image\", \"cpus\": 2, \"memory\": \"64M\",\n \"disk\": [ \"a.img\", { \"file\": \"b.img\", \"ro\": "
      "true, \"serial\": \"s\" } ], \"no-reboot\": true, \"gic\": 3 }";
  static const char bytes[] = "{}[]\",:0123truefalsn-\\/ \n\xff\0";
  g_autoptr(GRand) random = g_rand_new_with_seed(11);
  guint accepted = 0;
  for (guint round = 0; round < 1500; round++) {
    g_autofree char *damaged = g_memdup2(json, sizeof json);
    gsize size = g_rand_int_range(random, 0, 4) ? strlen(json) : (gsize)g_rand_int_range(random, 0, sizeof json);
    for (guint n = g_rand_int_range(random, 0, 3); n > 0; n--)
      damaged[g_rand_int_range(random, 0, sizeof json)] = bytes[g_rand_int_range(random, 0, sizeof bytes)];
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = parse_file("vm.json", damaged, size, NULL, &error);
    g_assert_true((config == NULL) == (error != NULL));
    accepted += config != NULL;
  }
  g_assert_cmpuint(accepted, >, 100);
  g_assert_cmpuint(accepted, <, 1400);
}

static const char *const files[] = {"Image", "initrd", "a.img", "b.img", "with,comma.img", "dir/kernel", "dir/b.img"};

/* A word, or true and false. */
static void test_nested(void) {
  static const struct {
    const char *value;
    NestedKind nested;
  } cases[] = {{"\"nested\": true", NESTED_VHE},      {"\"nested\": false", NESTED_OFF},   {"\"no-nested\": true", NESTED_OFF},
               {"\"nested\": \"e2h0\"", NESTED_E2H0}, {"\"nested\": \"vhe\"", NESTED_VHE}, {"\"nested\": \"off\"", NESTED_OFF}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *json = g_strdup_printf("{ \"dry-run\": true, %s }", cases[i].value);
    g_autoptr(Config) config = accept("vm.json", json, NULL);
    g_assert_cmpint(config->nested, ==, cases[i].nested);
  }
  g_autoptr(Config) flag_wins = accept("vm.json", "{ \"dry-run\": true, \"nested\": \"e2h0\" }", "--no-nested");
  g_assert_cmpint(flag_wins->nested, ==, NESTED_OFF);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_autofree char *source_directory = g_get_current_dir();
  work_directory = g_dir_make_tmp("eret-config-XXXXXX", NULL);
  g_assert_cmpint(g_chdir(work_directory), ==, 0);
  g_assert_cmpint(g_mkdir("dir", 0700), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    g_assert_true(g_file_set_contents(files[i], "contents", -1, NULL));
  g_test_add_func("/config-json/nested", test_nested);
  g_test_add_func("/config-json/every-key", test_every_key);
  g_test_add_func("/config-json/equal-forms", test_equal_forms);
  g_test_add_func("/config-json/texts", test_texts);
  g_test_add_func("/config-json/shares", test_shares);
  g_test_add_func("/config-json/served-disks", test_served_disks);
  g_test_add_func("/config-json/relative-paths", test_relative_paths);
  g_test_add_func("/config-json/stats", test_stats);
  g_test_add_func("/config-json/named-files", test_named_files);
  g_test_add_func("/config-json/precedence", test_precedence);
  g_test_add_func("/config-json/two-files", test_two_files);
  g_test_add_func("/config-json/keys", test_keys);
  g_test_add_func("/config-json/values", test_values);
  g_test_add_func("/config-json/hypercalls", test_hypercalls);
  g_test_add_func("/config-json/many-mistakes", test_many_mistakes);
  g_test_add_func("/config-json/broken", test_broken);
  g_assert_true(g_file_set_contents("t.json", "{\"registers\": {\"ID_AA64ISAR0_EL1\": {\"Atomic\": 0}}}", -1, NULL));
  g_test_add_func("/config-json/cpu", test_cpu);
  g_test_add_func("/config-json/unreadable", test_unreadable);
  g_test_add_func("/config-json/random", test_random);
  int result = g_test_run();
  for (guint i = 0; i < G_N_ELEMENTS(files); i++)
    g_remove(files[i]);
  g_remove("t.json");
  g_remove("vm.json");
  g_remove("dir/vm.json");
  g_rmdir("dir");
  g_assert_cmpint(g_chdir(source_directory), ==, 0);
  g_assert_cmpint(g_rmdir(work_directory), ==, 0);
  g_free(work_directory);
  return result;
}
