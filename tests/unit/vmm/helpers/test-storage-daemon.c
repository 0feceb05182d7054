/* SPDX-License-Identifier: Apache-2.0 */
/* qemu-storage-daemon: which one is found, what it is started with, what its sentences mean, and its cage. */
#include "vmm/helpers/storage-daemon.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/vmm/helpers/fake-storage-daemon.h"
#include "vmm/helpers/storage-cage.h"

static void test_find(FakeStorage *fake, gconstpointer data) {
  static const struct {
    const char *said, *version, *message;
  } cases[] = {
      {"qemu-storage-daemon version 7.2.22 (Debian 1:7.2+dfsg-7)\n", "7.2.22", NULL},
      {"qemu-storage-daemon version 10.0.13\n", "10.0.13", NULL},
      {"qemu-storage-daemon version 5.2.0\n", NULL, "*, and the one that is installed is older than 6.0; *"},
      {"hello\n", NULL, "*, and the one that is installed does not say its version; *"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_true(g_file_set_contents("version", cases[i].said, -1, NULL));
    g_autoptr(StorageDaemon) daemon = storage_daemon_find(&error);
    g_assert_cmpstr(daemon ? daemon->version : NULL, ==, cases[i].version);
    g_assert_true(daemon || g_pattern_match_simple(cases[i].message, error->message));
  }
  g_autoptr(GError) error = NULL;
  g_setenv("PATH", "/nowhere", TRUE);
  g_assert_null(storage_daemon_find(&error));
  g_assert_cmpstr(
      error->message, ==,
      "disks of other formats than raw, and on a network, are served by qemu-storage-daemon, which is not installed; install it "
      "(Debian 13: apt install qemu-utils; Debian 12: apt install qemu-system-common)");
}

static void test_arguments(void) {
  const StorageDaemon daemon = {.program = (char *)"/qsd"};
  g_autoptr(StorageGraph) graph = storage_graph_new();

  storage_graph_add(graph, storage_file_new("a", "/a,b=c", DISK_IMAGE_FORMAT_QCOW2));
  for (unsigned i = 0; i < 2; i++) {
    graph->read_only = i;
    graph->queues = i ? 4 : 0;
    graph->block_size = i ? 4096 : 0;
    g_autoptr(GPtrArray) arguments = storage_daemon_arguments(&daemon, graph);
    const char *const *argv = (const char *const *)arguments->pdata;
    g_assert_cmpuint(arguments->len, ==, 6);
    g_assert_cmpstr(argv[0], ==, "/qsd");
    g_assert_cmpstr(argv[1], ==, "--blockdev");
    g_assert_true(g_str_has_prefix(argv[2], "{\n") && g_str_has_suffix(argv[2], "\n}") && strstr(argv[2], "\"filename\" : \"/a,b=c\""));
    g_assert_cmpstr(argv[3], ==, "--export");
    g_assert_cmpstr(argv[4], ==,
                    i ? "type=vhost-user-blk,id=disk,node-name=disk,writable=off,num-queues=4,logical-block-size=4096,addr."
                        "type=fd,addr.str=3"
                      : "type=vhost-user-blk,id=disk,node-name=disk,writable=on,num-queues=1,logical-block-size=512,addr."
                        "type=fd,addr.str=3");
    g_assert_null(argv[5]);
  }
}

static void test_limits(void) {
  const StorageDaemon daemon = {.program = (char *)"/qsd"};
  g_autoptr(StorageGraph) graph = storage_graph_new();

  storage_graph_add(graph, storage_file_new("a", "/a", DISK_IMAGE_FORMAT_QCOW2));
  graph->iops = 100;
  graph->bps = UINT64_C(1) << 40;
  g_autoptr(GPtrArray) arguments = storage_daemon_arguments(&daemon, graph);
  const char *const *argv = (const char *const *)arguments->pdata;
  g_assert_cmpuint(arguments->len, ==, 10);
  g_assert_cmpstr(argv[3], ==, "--object");
  g_assert_true(strstr(argv[4], "\"iops-total\" : 100,") && strstr(argv[4], "\"bps-total\" : 1099511627776\n"));
  g_assert_cmpstr(argv[5], ==, "--blockdev");
  g_assert_true(strstr(argv[6], "\"throttle-group\" : \"limits\",") && strstr(argv[6], "\"file\" : \"disk\""));
  g_assert_true(strstr(argv[8], ",node-name=limited,"));
}

static void test_lines(void) {
  static const struct {
    const char *line, *shown; /* NULL: noise */
  } cases[] = {
      {"qemu-storage-daemon: --blockdev {", NULL},
      {"  \"driver\" : \"qcow2\",", NULL},
      {"qemu-storage-daemon: vu_panic: Error while recvmsg: Connection reset by peer", NULL},
      {"qemu: module block-block-dmg-bz2 not found, do you want to install qemu-block-extra package?", NULL},
      {"}: Failed to get \"write\" lock", "Failed to get \"write\" lock"},
      {"qemu-storage-daemon: --export type=vhost-user-blk,addr.str=3: Failed to lock byte 100", "Failed to lock byte 100"},
      {"qemu-storage-daemon: --export x", "x"},
      {"qemu-storage-daemon: qcow2: Marking image as corrupt", "qcow2: Marking image as corrupt"},
      {"Is another process using the image [/a]?", "Is another process using the image [/a]?"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_assert_true(storage_daemon_is_noise(cases[i].line) == !cases[i].shown);
    if (cases[i].shown)
      g_assert_cmpstr(cases[i].line + storage_daemon_skip(cases[i].line), ==, cases[i].shown);
  }
}

static void test_meanings(void) {
  static const struct {
    const char *said, *error;
  } cases[] = {
      {"Failed to get \"write\" lock", "is in use by another process: a disk has one writer, or any number of readers (',ro')"},
      {"Failed to get shared \"write\" lock", "is in use by another process: a disk has one writer, or any number of readers (',ro')"},
      {"Is another process using the image [/a]?", "is in use by another process: a disk has one writer, or any number of readers (',ro')"},
      {"Parameter 'encrypt.key-secret' is required for cipher", "is encrypted: 'qemu-img convert' makes one that is not"},
      {"Unsupported qcow2 version 4", "is newer than qemu-storage-daemon 7.2.22: it takes a newer one"},
      {"Unsupported qcow2 feature(s): x", "is newer than qemu-storage-daemon 7.2.22: it takes a newer one"},
      {"qcow2: Image is corrupt; cannot be opened read/write",
       "is corrupt, and says so itself: 'qemu-img check -r all /a' repairs it, and with ',ro' it is read as it is"},
      {"Image is not in qcow2 format", "is no vhd image"},
      {"Image not in QED format", "is no vhd image"},
      {"invalid VPC image", "is no vhd image, or a damaged one"},
      {"File too small for a VHD header", "is no vhd image, or a damaged one"},
      {"Failed to connect to '/s': Connection refused", "cannot be reached: start the server first"},
      {"Requested export not available", "is none of its server's: 'qemu-nbd --list' shows those"},
      {"Could not open image: Permission denied", "may only be read: ',ro', or ',cow'"},
      {"100 % broken \033[0m", "cannot be opened"},
  };
  const StorageDaemon daemon = {.version = (char *)"7.2.22"};
  const StorageFile file = {.given = (char *)"a", .path = (char *)"/a", .format = DISK_IMAGE_FORMAT_VHD};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *wanted = g_strdup_printf("disk image a %s (%s)", cases[i].error, cases[i].said);
    storage_daemon_set_error(&daemon, &file, cases[i].said, &error);
    g_assert_cmpstr(error->message, ==, wanted);
  }
}

/* What comes of it in a process of its own. */
static int in_cage(const StorageCage *cage, int (*try)(void)) {
  pid_t child = fork();
  int status;

  if (child == 0)
    _exit(storage_cage_enter(cage) ? try() : 100);
  g_assert_cmpint(waitpid(child, &status, 0), ==, child);
  g_assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int make_socket(void) {
  return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int make_pair(void) {
  int pair[2];

  return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? 0 : errno;
}

static int count_limits(void) {
  struct rlimit cpu, memory;

  getrlimit(RLIMIT_CPU, &cpu);
  getrlimit(RLIMIT_AS, &memory);
  return (cpu.rlim_cur != RLIM_INFINITY) + (memory.rlim_cur != RLIM_INFINITY);
}

static void test_cage(void) {
  struct rlimit memory;

  g_assert_cmpint(in_cage(&(StorageCage){.network = false}, make_socket), ==, EACCES);
  g_assert_cmpint(in_cage(&(StorageCage){.network = false}, make_pair), ==, 0);
  g_assert_cmpint(in_cage(&(StorageCage){.network = true}, make_socket), ==, 0);
  getrlimit(RLIMIT_AS, &memory);
  if (memory.rlim_cur != RLIM_INFINITY)
    return;
  g_assert_cmpint(in_cage(&(StorageCage){.brief = false}, count_limits), ==, 0);
  g_assert_cmpint(in_cage(&(StorageCage){.brief = true}, count_limits), ==, 2);
}

int main(int argc, char **argv) {
  int status;

  if (fake_is_program(argc, argv, &status))
    return status;
  g_test_init(&argc, &argv, NULL);
  g_test_add("/storage-daemon/find", FakeStorage, NULL, fake_storage_set_up, test_find, fake_storage_tear_down);
  g_test_add_func("/storage-daemon/arguments", test_arguments);
  g_test_add_func("/storage-daemon/limits", test_limits);
  g_test_add_func("/storage-daemon/lines", test_lines);
  g_test_add_func("/storage-daemon/meanings", test_meanings);
  g_test_add_func("/storage-daemon/cage", test_cage);
  return g_test_run();
}
