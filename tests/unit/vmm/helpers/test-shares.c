/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A directory's virtiofsd, from its first start on: vmm/helpers/shares.c. In its place is this program, started by a
 * script of that name: it answers as virtiofsd does, or fails as it does.
 */
#define _GNU_SOURCE /* accept4 */
#include "vmm/helpers/shares.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost/user-message.h"
#include "vmm/helpers/helper-process.h"

#define RUST_HELP "--shared-dir --fd --readonly --inode-file-handles --uid-map --translate-uid metadata"
#define C_HELP    "-o source=PATH --fd=FDNUM"

/* This program as virtiofsd: answers one question, and waits for the other end to leave. */
static int serve(int argc, char **argv) {
  g_autofree char *all = g_strjoinv(" ", argv);
  const VhostUserChannel channel = {.fd = accept4(HELPER_FD, NULL, NULL, SOCK_CLOEXEC), .peer = "test"};
  gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
  VhostUserMessage message;
  char byte;

  if (g_getenv("ERET_TEST_FAIL") && strstr(all, g_getenv("ERET_TEST_FAIL"))) {
    g_printerr("it cannot: %s\n", g_getenv("ERET_TEST_FAIL"));
    return 1;
  }
  if (!vhost_user_receive(&channel, &message, end, NULL) || message.request != VHOST_USER_GET_FEATURES)
    return 2;
  message =
      (VhostUserMessage){.request = VHOST_USER_GET_FEATURES, .flags = VHOST_USER_VERSION | VHOST_USER_REPLY, .size = sizeof message.number};
  vhost_user_send(&channel, &message, NULL, 0, end, NULL);
  g_printerr("%s\n", all);
  return recv(channel.fd, &byte, 1, 0) == 0 ? 0 : 3;
}

typedef struct {
  char *directory, *shared, *program;
  Shares *shares;
  ShareConfig config;
  GString *log;
} Fixture;

static Fixture *the;

static GLogWriterOutput keep(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer data) {
  for (gsize i = 0; i < n_fields && the && level & G_LOG_LEVEL_MESSAGE; i++)
    if (strcmp(fields[i].key, "MESSAGE") == 0)
      g_string_append_printf(the->log, "%s\n", (const char *)fields[i].value);
  return G_LOG_WRITER_HANDLED;
}

static void set_up(Fixture *f, gconstpointer help) {
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL), *path = NULL;
  g_autofree char *script =
      g_strdup_printf("#!/bin/sh\n[ \"$1\" != --help ] || { echo '%s'; exit; }\nexec %s --serve \"$@\"\n", (const char *)help, self);

  the = f;
  f->log = g_string_new(NULL);
  f->directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  f->shared = g_build_filename(f->directory, "shared", NULL);
  f->program = g_build_filename(f->directory, "virtiofsd", NULL);
  g_assert_cmpint(g_mkdir(f->shared, 0755), ==, 0);
  g_assert_true(g_file_set_contents_full(f->program, script, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
  path = g_strconcat(f->directory, ":/usr/bin:/bin", NULL);
  g_setenv("PATH", path, TRUE);
  f->shares = virtiofsd_shares_new(NULL, NULL);
  g_assert_nonnull(f->shares);
  f->config = (ShareConfig){.path = f->shared, .tag = (char *)"src"};
}

static void tear_down(Fixture *f, gconstpointer help) {
  the = NULL;
  g_unsetenv("ERET_TEST_FAIL");
  virtiofsd_shares_free(f->shares);
  g_unlink(f->program);
  g_rmdir(f->shared);
  g_assert_cmpint(g_rmdir(f->directory), ==, 0);
  g_string_free(f->log, TRUE);
  g_free(f->directory);
  g_free(f->shared);
  g_free(f->program);
}

static Helper *start(Fixture *f, GError **error) {
  return f->shares->start(f->shares, "virtio-fs0", &f->config, error);
}

static void wait_for_log(Fixture *f, const char *text) {
  gint64 end = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;

  while (!strstr(f->log->str, text)) {
    g_assert_cmpint(g_get_monotonic_time(), <, end);
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(1000);
  }
}

/* It is there when it is handed out; it ends with its connection, which is said where nobody wanted it. */
static void test_starts(Fixture *f, gconstpointer help) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Helper) helper = start(f, &error);

  g_assert_no_error(error);
  g_assert_cmpstr(helper->name, ==, "virtiofsd");
  int fd = helper->ops->take(helper);
  g_assert_cmpint(fd, >=, 0);
  g_assert_cmpint(helper->ops->take(helper), ==, -1);
  wait_for_log(f, "--sandbox=namespace");
  close(fd);
  wait_for_log(f, "virtiofsd ended with exit status 0");
  g_assert_nonnull(strstr(f->log->str, "its files cannot be reached until the guest resets its file system device, or reboots"));
}

/* Given up for another: nothing is said of its end, and the next is there. */
static void test_next(Fixture *f, gconstpointer help) {
  g_autoptr(Helper) helper = start(f, NULL);

  close(helper->ops->take(helper));
  helper->ops->renew(helper);
  wait_for_log(f, "virtio-fs0: virtiofsd was started again");
  g_assert_null(strstr(f->log->str, "ended"));
  int fd = helper->ops->take(helper);
  g_assert_cmpint(fd, >=, 0);
  close(fd);
}

/* Without namespaces of its own: root can do without, and says so. */
static void test_chroot(Fixture *f, gconstpointer help) {
  g_autoptr(GError) error = NULL;

  g_setenv("ERET_TEST_FAIL", "--sandbox=namespace", TRUE);
  g_autoptr(Helper) helper = start(f, &error);
  if (geteuid() != 0) {
    g_assert_nonnull(
        strstr(error->message, "virtio-fs0: virtiofsd ended with exit status 1; its last words: it cannot: --sandbox=namespace"));
    return;
  }
  g_assert_no_error(error);
  g_assert_nonnull(strstr(f->log->str, "virtio-fs0: virtiofsd cannot have namespaces of its own here (virtiofsd ended with exit status 1; "
                                       "its last words: it cannot: --sandbox=namespace): its root is /"));
}

static void test_fails(Fixture *f, gconstpointer help) {
  g_autoptr(GError) error = NULL;

  g_setenv("ERET_TEST_FAIL", "--fd=3", TRUE);
  g_assert_null(start(f, &error));
  g_assert_true(g_str_has_prefix(error->message, "virtio-fs0: virtiofsd ended with exit status 1; its last words: it cannot: --fd=3"));
  g_assert_cmpint(strstr(error->message, "without root it needs a user namespace") != NULL, ==, geteuid() != 0);
}

static void test_wrong(Fixture *f, gconstpointer help) {
  g_autoptr(GPtrArray) map = g_ptr_array_new();
  g_autoptr(GError) error = NULL;

  g_ptr_array_add(map, (char *)"0:1");
  f->config.uid_map = map;
  g_assert_null(start(f, &error));
  g_assert_true(g_str_has_prefix(error->message, "virtio-fs0: '0:1' is neither auto, same"));
  g_clear_error(&error);
  f->config.uid_map = NULL;
  g_rmdir(f->shared);
  g_assert_null(start(f, &error));
  g_assert_nonnull(strstr(error->message, "' is no directory any more"));
}

/* The old one cannot see to it itself: it has the directory by a mount that cannot be written. */
static void test_read_only_by_mount(Fixture *f, gconstpointer help) {
  g_autoptr(GError) error = NULL;

  f->config.read_only = true;
  g_autoptr(Helper) helper = start(f, &error);
  if (error && strstr(error->message, "it cannot have")) { /* not every place allows it */
    g_test_skip(error->message);
    return;
  }
  g_assert_no_error(error);
  wait_for_log(f, "-o source=");
  g_assert_null(strstr(f->log->str, "--readonly"));
}

static void test_missing(void) {
  g_autoptr(GError) error = NULL;

  g_setenv("PATH", "/no/such", TRUE);
  Shares *shares = virtiofsd_shares_new(NULL, &error);
  if (shares) {
    virtiofsd_shares_free(shares);
    g_test_skip("this machine has one where Debian installs it");
    return;
  }
  g_assert_cmpstr(
      error->message, ==,
      "shared directories are served by virtiofsd, which is not installed; install it (Debian: apt install virtiofsd; Debian 12 "
      "has an older one in qemu-system-common)");
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--serve") == 0)
    return serve(argc, argv);
  g_test_init(&argc, &argv, NULL);
  g_log_set_writer_func(keep, NULL, NULL);
#define ADD(name, help, function) g_test_add("/shares/" name, Fixture, help, set_up, function, tear_down)
  ADD("starts", RUST_HELP, test_starts);
  ADD("next", RUST_HELP, test_next);
  ADD("chroot", RUST_HELP, test_chroot);
  ADD("fails", RUST_HELP, test_fails);
  ADD("wrong", RUST_HELP, test_wrong);
  ADD("read-only-by-mount", C_HELP, test_read_only_by_mount);
  g_test_add_func("/shares/missing", test_missing);
  return g_test_run();
}
