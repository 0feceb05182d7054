/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shared directory with the host's virtiofsd, a real one, and a driver's rings and FUSE requests written by hand.
 * Skipped where there is no virtiofsd, or where it cannot run.
 */
#define _GNU_SOURCE /* XATTR */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fuse.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "devices/share.h"
#include "devices/virtio/fs.h"
#include "tests/unit/devices/virtio/fake-driver.h"
#include "vmm/helpers/shares.h"
#include "vmm/helpers/virtiofsd.h"

#define LIVE    (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)
#define REQUEST (RAM_BASE + 0x80000)
#define ANSWER  (RAM_BASE + 0x90000)
#define ROOM    0x8000

typedef struct {
  FakeGuest guest;
  char *directory;
  Shares *shares;
  ShareConfig config;
  VirtioDevice *device;
  FakeQueue driver[2];
  uint64_t unique;
  unsigned n_started; /* again; by the log */
  GString *log;
} Fixture;

static void queue_interrupt(void *transport, unsigned queue) {
}

static void config_interrupt(void *transport) {
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = queue_interrupt, .config_interrupt = config_interrupt};

static Fixture *the;

static GLogWriterOutput keep(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data) {
  for (gsize i = 0; i < n_fields && level & G_LOG_LEVEL_MESSAGE; i++)
    if (strcmp(fields[i].key, "MESSAGE") == 0) {
      g_string_append_printf(the->log, "%s\n", (const char *)fields[i].value);
      the->n_started += strstr(fields[i].value, "was started again") != NULL;
    }
  return level & G_LOG_LEVEL_MESSAGE ? g_log_writer_default(level, fields, n_fields, NULL) : G_LOG_WRITER_HANDLED;
}

static char *in_directory(const Fixture *f, const char *name) {
  return g_build_filename(f->directory, name, NULL);
}

static void set_up(Fixture *f, gconstpointer data) {
  the = f;
  f->log = g_string_new(NULL);
  fake_guest_init_shared(&f->guest);
  for (unsigned i = 0; i < 2; i++)
    f->driver[i] = fake_queue(&f->guest, i, 16);
  f->directory = g_dir_make_tmp("share, \\ XXXXXX", NULL); /* what separates options, and quotes them */
  g_autofree char *file = in_directory(f, "hello");
  g_assert_true(g_file_set_contents(file, "from the host", -1, NULL));
  f->shares = virtiofsd_shares_new(NULL, NULL);
  f->config = (ShareConfig){.path = f->directory, .tag = (char *)"src"};
}

static void tear_down(Fixture *f, gconstpointer data) {
  const char *const argv[] = {"rm", "-rf", f->directory, NULL};

  virtio_device_free(f->device);
  virtiofsd_shares_free(f->shares);
  g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
  fake_guest_clear(&f->guest);
  g_string_free(f->log, TRUE);
  g_free(f->directory);
}

/* False: not here, which is said. */
static bool plug(Fixture *f) {
  const DeviceParts parts = {.name = "virtio-fs0", .asked = &f->config, .memory = &f->guest.memory, .shares = f->shares};
  g_autoptr(GError) error = NULL;

  if (!f->shares) {
    g_test_skip("there is no virtiofsd");
    return false;
  }
  f->device = virtio_fs_kind.make_virtio(&parts, &error);
  if (!f->device) {
    g_test_skip(error->message);
    return false;
  }
  virtio_device_connect(f->device, &transport_ops, f);
  return true;
}

/* The driver. */

static void go_live(Fixture *f) {
  virtio_set_status(f->device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
  virtio_set_driver_features(f->device, 1, 1);
  virtio_set_status(f->device, LIVE & ~VIRTIO_STATUS_DRIVER_OK);
  for (unsigned i = 0; i < 2; i++)
    fake_tell_queue(f->device, i, &f->driver[i]);
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

typedef struct {
  uint32_t opcode, uid;
  uint64_t node;
  const void *arguments; /* behind the header */
  size_t size;
  const void *more; /* behind these */
  size_t more_size;
} Request;

/* Bytes of the answer, which lie behind its header at ANSWER; or -errno. */
static int ask(Fixture *f, const Request *request) {
  uint8_t *at = fake_at(&f->guest, REQUEST);
  struct fuse_in_header in = {
      .len = (uint32_t)(sizeof in + request->size + request->more_size),
      .opcode = request->opcode,
      .unique = ++f->unique,
      .nodeid = request->node,
      .uid = request->uid,
      .gid = request->uid,
  };
  const struct fuse_out_header *out = fake_at(&f->guest, ANSWER);
  uint16_t before = fake_used_idx(&f->driver[1]);

  memcpy(at, &in, sizeof in);
  if (request->size)
    memcpy(at + sizeof in, request->arguments, request->size);
  if (request->more_size)
    memcpy(at + sizeof in + request->size, request->more, request->more_size);
  memset(fake_at(&f->guest, ANSWER), 0, ROOM);
  fake_descriptor(&f->driver[1], 0, REQUEST, in.len, NEXT, 1);
  fake_descriptor(&f->driver[1], 1, ANSWER, ROOM, WRITE, 0);
  fake_offer(&f->driver[1], 0);
  virtio_ring_doorbell(f->device, 1);
  WAIT_FOR(fake_used_idx(&f->driver[1]) == (uint16_t)(before + 1));
  g_assert_cmpuint(out->unique, ==, f->unique);
  return out->error ? out->error : (int)(out->len - sizeof *out);
}

static const void *answer(const Fixture *f) {
  return (const uint8_t *)fake_at(&f->guest, ANSWER) + sizeof(struct fuse_out_header);
}

static void begin(Fixture *f) {
  const struct fuse_init_in init = {
      .major = FUSE_KERNEL_VERSION, .minor = 31, .flags = FUSE_BIG_WRITES | FUSE_DO_READDIRPLUS | FUSE_SUBMOUNTS};

  g_assert_cmpint(ask(f, &(Request){.opcode = FUSE_INIT, .arguments = &init, .size = sizeof init}), >, 0);
  g_assert_cmpuint(((const struct fuse_init_out *)answer(f))->major, ==, FUSE_KERNEL_VERSION);
}

static int look_up(Fixture *f, const char *name, struct fuse_entry_out *entry) {
  int got = ask(f, &(Request){.opcode = FUSE_LOOKUP, .node = FUSE_ROOT_ID, .arguments = name, .size = strlen(name) + 1});

  memcpy(entry, answer(f), sizeof *entry);
  return got;
}

static char *read_file(Fixture *f, const char *name) {
  const struct fuse_open_in open = {.flags = O_RDONLY};
  struct fuse_read_in read = {.size = 4096};
  struct fuse_entry_out entry;

  g_assert_cmpint(look_up(f, name, &entry), >, 0);
  g_assert_cmpint(ask(f, &(Request){.opcode = FUSE_OPEN, .node = entry.nodeid, .arguments = &open, .size = sizeof open}), >, 0);
  read.fh = ((const struct fuse_open_out *)answer(f))->fh;
  int got = ask(f, &(Request){.opcode = FUSE_READ, .node = entry.nodeid, .arguments = &read, .size = sizeof read});
  g_assert_cmpint(got, >=, 0);
  return g_strndup(answer(f), (gsize)got);
}

/* As the guest's user UID; the file's node, or -errno. */
static int64_t create_file(Fixture *f, const char *name, uint32_t uid, const char *text) {
  const struct fuse_create_in create = {.flags = O_CREAT | O_RDWR, .mode = S_IFREG | 0644};
  struct fuse_write_in write = {.size = (uint32_t)strlen(text)};
  Request request = {.opcode = FUSE_CREATE, .uid = uid, .node = FUSE_ROOT_ID, .arguments = &create, .size = sizeof create};
  struct fuse_entry_out entry;

  request.more = name;
  request.more_size = strlen(name) + 1;
  int got = ask(f, &request);
  if (got < 0)
    return got;
  memcpy(&entry, answer(f), sizeof entry);
  write.fh = ((const struct fuse_open_out *)((const uint8_t *)answer(f) + sizeof entry))->fh;
  request = (Request){.opcode = FUSE_WRITE, .uid = uid, .node = entry.nodeid, .arguments = &write, .size = sizeof write};
  request.more = text;
  request.more_size = strlen(text);
  g_assert_cmpint(ask(f, &request), >, 0);
  return (int64_t)entry.nodeid;
}

static struct stat on_host(const Fixture *f, const char *name) {
  g_autofree char *path = in_directory(f, name);
  struct stat status;

  g_assert_cmpint(lstat(path, &status), ==, 0);
  return status;
}

static uint32_t owner_in_guest(Fixture *f, const char *name) {
  struct fuse_entry_out entry;

  g_assert_cmpint(look_up(f, name, &entry), >, 0);
  return entry.attr.uid;
}

/* Cases. */

static void test_files(Fixture *f, gconstpointer data) {
  char config[40] = "";

  if (!plug(f))
    return;
  virtio_config_read(f->device, 0, config, sizeof config);
  g_assert_cmpmem(config, sizeof config, "src\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0", 40);
  go_live(f);
  begin(f);
  g_autofree char *text = read_file(f, "hello");
  g_assert_cmpstr(text, ==, "from the host");
  g_assert_cmpint(create_file(f, "new", 0, "from the guest"), >, 0);
  g_autofree char *path = in_directory(f, "new"), *written = NULL;
  g_assert_true(g_file_get_contents(path, &written, NULL, NULL));
  g_assert_cmpstr(written, ==, "from the guest");
  g_assert_cmpuint(on_host(f, "new").st_uid, ==, geteuid());
  g_assert_cmpuint(owner_in_guest(f, "new"), ==, 0);
  g_assert_cmpuint(owner_in_guest(f, "hello"), ==, 0);
  /* There is no way out. */
  struct fuse_entry_out entry;
  g_assert_cmpint(look_up(f, "..", &entry), !=, 0);
  g_assert_null(strstr(f->log->str, "virtiofsd: ")); /* it has nothing to complain of */
}

static void test_read_only(Fixture *f, gconstpointer data) {
  g_autofree char *path = in_directory(f, "new");

  f->config.read_only = true;
  if (!plug(f))
    return;
  go_live(f);
  begin(f);
  g_autofree char *text = read_file(f, "hello");
  g_assert_cmpstr(text, ==, "from the host");
  g_assert_cmpint((int)create_file(f, "new", 0, "x"), ==, -EROFS);
  g_assert_cmpint(access(path, F_OK), ==, -1);
}

/* All of this machine's root, with what is mounted in it. */
static void test_whole(Fixture *f, gconstpointer data) {
  g_autofree char *path = g_strconcat(f->directory + 1, "/hello", NULL);
  g_auto(GStrv) names = g_strsplit(path, "/", -1);
  struct fuse_entry_out entry = {.nodeid = FUSE_ROOT_ID};

  f->config.path = (char *)"/";
  f->config.read_only = f->config.one_file_system = f->config.is_root = true;
  if (!plug(f))
    return;
  go_live(f);
  begin(f);
  for (unsigned i = 0; names[i]; i++) {
    Request look = {.opcode = FUSE_LOOKUP, .node = entry.nodeid, .arguments = names[i], .size = strlen(names[i]) + 1};
    g_assert_cmpint(ask(f, &look), >, 0);
    memcpy(&entry, answer(f), sizeof entry);
  }
  g_assert_cmpuint(entry.attr.size, ==, strlen("from the host"));
  g_assert_cmpuint(entry.attr.uid, ==, 0);
  g_assert_cmpint(look_up(f, "proc", &entry), >, 0); /* another's, where this is another than root */
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(NULL);
  g_assert_cmpuint(entry.attr.uid, ==, geteuid() && virtiofsd->legacy ? 65534 : 0);
  Request look = {.opcode = FUSE_LOOKUP, .node = entry.nodeid, .arguments = "version", .size = sizeof "version"};
  g_assert_cmpint(ask(f, &look), >, 0);
  g_assert_cmpint((int)create_file(f, "new", 0, "x"), ==, -EROFS);
  g_assert_null(strstr(f->log->str, "cannot have namespaces"));
}

static void wait_for_next(Fixture *f, unsigned n) {
  gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

  while (f->n_started < n && g_get_monotonic_time() < end)
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(1000);
  g_assert_cmpuint(f->n_started, ==, n);
}

static void reset(Fixture *f) {
  virtio_set_status(f->device, 0);
  for (unsigned i = 0; i < 2; i++) {
    memset(fake_at(&f->guest, f->driver[i].descriptors), 0, 0x10000);
    f->driver[i].avail_idx = 0;
  }
}

/* A driver that comes after another has a daemon that knows nothing. */
static void test_next_driver(Fixture *f, gconstpointer data) {
  if (!plug(f))
    return;
  reset(f); /* nothing was there to be forgotten */
  go_live(f);
  begin(f);
  for (unsigned i = 0; i < 3; i++) {
    struct fuse_entry_out entry;
    g_assert_cmpint(look_up(f, "hello", &entry), >, 0);
    reset(f);
    wait_for_next(f, i + 1);
    reset(f);
    go_live(f);
    begin(f);
    g_autofree char *text = read_file(f, "hello");
    g_assert_cmpstr(text, ==, "from the host");
  }
  g_assert_null(strstr(f->log->str, "ended"));
}

static void kill_children(void) {
  g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int)getpid()), *text = NULL;

  g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_auto(GStrv) children = g_strsplit(g_strchomp(text), " ", -1);
  g_assert_cmpuint(g_strv_length(children), >, 0);
  for (unsigned i = 0; children[i]; i++)
    g_assert_cmpint(kill((pid_t)g_ascii_strtoull(children[i], NULL, 10), SIGKILL), ==, 0);
}

/* It dies: the device is lost until it is reset. */
static void test_killed(Fixture *f, gconstpointer data) {
  if (!plug(f))
    return;
  go_live(f);
  begin(f);
  kill_children();
  WAIT_FOR(virtio_get_status(f->device) & VIRTIO_STATUS_NEEDS_RESET);
  reset(f);
  wait_for_next(f, 1);
  go_live(f);
  begin(f);
  g_autofree char *text = read_file(f, "hello");
  g_assert_cmpstr(text, ==, "from the host");
  g_assert_nonnull(strstr(f->log->str, "virtiofsd ended by signal 9"));
}

static GPtrArray *texts_of(const char *text) {
  GPtrArray *texts = g_ptr_array_new_with_free_func(g_free);

  g_ptr_array_add(texts, g_strdup(text));
  return texts;
}

/* Where nothing is said: root's are the same, another user's are his subordinate ones, or all are he. */
static void test_users(Fixture *f, gconstpointer data) {
  IdRange users, groups;
  const struct passwd *user = getpwuid(geteuid());

  if (!plug(f))
    return;
  g_autoptr(Virtiofsd) virtiofsd = virtiofsd_find(NULL);
  id_map_find_subordinates(user ? user->pw_name : NULL, geteuid(), &users, &groups);
  uid_t want = geteuid() == 0 ? 7 : users.count ? users.host + 6 : geteuid();
  g_assert_cmpint(chmod(f->directory, 0777), ==, 0);
  go_live(f);
  begin(f);
  int64_t made = create_file(f, "seven", 7, "x");
  if (geteuid() != 0 && virtiofsd->legacy) {
    g_assert_cmpint(made, <, 0); /* there is nobody but its root */
    return;
  }
  g_assert_cmpint(made, >, 0);
  g_assert_cmpuint(on_host(f, "seven").st_uid, ==, want);
  g_assert_cmpuint(owner_in_guest(f, "seven"), ==, want == geteuid() ? 0 : 7);
}

/* All of the guest's users are one; his files are root's there. */
static void test_squash(Fixture *f, gconstpointer data) {
  g_autoptr(GPtrArray) map = texts_of("squash");

  f->config.uid_map = map;
  if (geteuid() == 0)
    g_assert_cmpint(chown(f->directory, 1234, 1234), ==, 0);
  if (!plug(f))
    return;
  go_live(f);
  begin(f);
  uid_t uid = on_host(f, ".").st_uid;
  g_assert_cmpint(create_file(f, "root", 0, "x"), >, 0);
  int64_t node = create_file(f, "user", 1000, "x");
  g_assert_cmpint(node, >, 0);
  const struct fuse_setattr_in change = {.valid = FATTR_UID | FATTR_GID, .uid = 33, .gid = 33};
  g_assert_cmpint(ask(f, &(Request){.opcode = FUSE_SETATTR, .node = (uint64_t)node, .arguments = &change, .size = sizeof change}), >, 0);
  g_assert_cmpuint(on_host(f, "root").st_uid, ==, uid);
  g_assert_cmpuint(on_host(f, "user").st_uid, ==, uid);
  g_assert_cmpuint(owner_in_guest(f, "user"), ==, 0);
}

/* One of the guest's is another here, and the rest can make nothing. */
static void test_ranges(Fixture *f, gconstpointer data) {
  g_autofree char *range = g_strdup_printf("7:%u:1", geteuid() ? geteuid() : 1234);
  g_autoptr(GPtrArray) map = texts_of(range);

  f->config.uid_map = map;
  if (geteuid() == 0)
    g_assert_cmpint(chmod(f->directory, 0777), ==, 0);
  if (!plug(f))
    return;
  go_live(f);
  begin(f);
  g_assert_cmpint(create_file(f, "seven", 7, "x"), >, 0);
  g_assert_cmpuint(on_host(f, "seven").st_uid, ==, geteuid() ? geteuid() : 1234);
  g_assert_cmpuint(owner_in_guest(f, "seven"), ==, 7);
  g_assert_cmpint((int)create_file(f, "eight", 8, "x"), <, 0);
  g_assert_cmpint((int)create_file(f, "zero", 0, "x"), <, 0);
}

static int set_attribute(Fixture *f) {
  static const char text[] = "user.mark\0yes";
  const struct fuse_setxattr_in set = {.size = 3};
  struct fuse_entry_out entry;

  g_assert_cmpint(look_up(f, "hello", &entry), >, 0);
  return ask(f, &(Request){.opcode = FUSE_SETXATTR,
                           .node = entry.nodeid,
                           .arguments = &set,
                           .size = FUSE_COMPAT_SETXATTR_IN_SIZE,
                           .more = text,
                           .more_size = sizeof text - 1});
}

static void test_attributes(Fixture *f, gconstpointer data) {
  g_autofree char *path = in_directory(f, "hello");
  char value[8] = "";

  f->config.xattr = GPOINTER_TO_INT(data);
  if (!plug(f))
    return;
  go_live(f);
  begin(f);
  int got = set_attribute(f);
  bool set = getxattr(path, "user.mark", value, sizeof value - 1) == 3;
  if (f->config.xattr && got == -EOPNOTSUPP) {
    g_test_skip("the file system here has no attributes");
    return;
  }
  g_assert_cmpint(got, ==, f->config.xattr ? 0 : -ENOSYS);
  g_assert_cmpint(set, ==, f->config.xattr);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_writer_func(keep, NULL, NULL);
#define ADD(name, data, function) g_test_add("/share/" name, Fixture, data, set_up, function, tear_down)
  ADD("files", NULL, test_files);
  ADD("read-only", NULL, test_read_only);
  ADD("whole", NULL, test_whole);
  ADD("next-driver", NULL, test_next_driver);
  ADD("killed", NULL, test_killed);
  ADD("users", NULL, test_users);
  ADD("squash", NULL, test_squash);
  ADD("ranges", NULL, test_ranges);
  ADD("attributes", GINT_TO_POINTER(true), test_attributes);
  ADD("no-attributes", NULL, test_attributes);
  return g_test_run();
}
