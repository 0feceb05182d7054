/* SPDX-License-Identifier: Apache-2.0 */
/* A card's passt, from one to the next: with shells in its place, which a directory of the test's has by its name. */
#include "vmm/helpers/user-network.h"

#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/net-stream.h"

/* Says what it can, and then, of $*, that it is ready. */
#define HEAD  "#!/bin/sh\n[ \"$1\" != --help ] || { echo ' --fd FD' >&2; exit; }\n"
#define READY "echo $$\n"

typedef struct {
  char *directory, *program;
  UserNetworks *networks;
} Fixture;

static void write_program(Fixture *fixture, const char *script) {
  g_autofree char *text = g_strconcat(HEAD, script, NULL), *fresh = g_strconcat(fixture->program, ".new", NULL);

  g_assert_true(g_file_set_contents_full(fresh, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
  g_assert_cmpint(g_rename(fresh, fixture->program), ==, 0);
}

static void set_up(Fixture *fixture, gconstpointer script) {
  g_autoptr(GError) error = NULL;

  fixture->directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  fixture->program = g_build_filename(fixture->directory, "passt", NULL);
  g_autofree char *path = g_strconcat(fixture->directory, ":/usr/bin:/bin", NULL);
  g_setenv("PATH", path, TRUE);
  write_program(fixture, script);
  fixture->networks = passt_networks_new(NULL, &error);
  g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer script) {
  passt_networks_free(fixture->networks);
  g_unlink(fixture->program);
  g_assert_cmpint(g_rmdir(fixture->directory), ==, 0);
  g_free(fixture->program);
  g_free(fixture->directory);
}

static UserNetwork *start(Fixture *fixture, const GPtrArray *forwards, GError **error) {
  const UserNetworkWish wish = {.card = "virtio-net0", .forwards = forwards};

  return fixture->networks->start(fixture->networks, &wish, error);
}

/* Until there is a connection, or for MS. */
static bool wait_for_connection(const UserNetwork *network, unsigned ms) {
  struct pollfd ready = {.fd = network->helper->event_fd, .events = POLLIN};
  gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;

  while (poll(&ready, 1, 0) == 0 && g_get_monotonic_time() < until)
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(1000);
  return poll(&ready, 1, 0) == 1;
}

static void run_for(unsigned ms) {
  gint64 until = g_get_monotonic_time() + (gint64)ms * 1000;

  while (g_get_monotonic_time() < until)
    if (!g_main_context_iteration(NULL, FALSE))
      g_usleep(1000);
}

/* What comes next: a frame's size, or 0 for the end. */
static ssize_t next_event(NetBackend *backend) {
  char got[NET_FRAME_MAX];
  struct iovec iov[] = {{0}, {got, sizeof got}};
  NetHeader header;
  ssize_t size;

  do {
    struct pollfd ready = {.fd = backend->ops->fd(backend, 0), .events = POLLIN};

    g_assert_cmpint(poll(&ready, 1, 30000), ==, 1);
    size = backend->ops->receive(backend, 0, &header, iov, 2);
  } while (size == 0 && backend->link);
  g_assert_true(size == 0 || memcmp(got, "abcdefghijklmn", 14) == 0);
  return size;
}

/* One frame comes of each, and then it ends. */
static void test_next(Fixture *fixture, gconstpointer script) {
  g_autoptr(GError) error = NULL;
  UserNetwork *network = start(fixture, NULL, &error);

  g_assert_no_error(error);
  g_assert_cmpstr(network->helper->name, ==, "passt");
  NetBackend *backend = net_stream_of(network, false);
  g_assert_true(backend->link);
  for (unsigned i = 0; i < 3; i++) {
    g_assert_cmpint(next_event(backend), ==, 14);
    g_assert_true(backend->link);
    g_assert_cmpint(next_event(backend), ==, 0);
    /* Nobody starts it unasked. Asked twice, also before its end was seen, there is one. */
    if (i)
      g_assert_false(wait_for_connection(network, 1500));
    backend->ops->reset(backend);
    backend->ops->reset(backend);
    g_assert_true(wait_for_connection(network, 30000));
  }
  net_backend_free(backend);
}

/* What it says when it cannot start is what the user hears. */
static void test_taken(Fixture *fixture, gconstpointer script) {
  g_autoptr(GError) error = NULL;

  g_assert_null(start(fixture, NULL, &error));
  g_assert_cmpstr(error->message, ==, "virtio-net0: passt ended with exit status 1; its last words: Failed to bind port 80");
}

/* One that cannot be started again is tried at the next reset only, and not all the time. */
static void test_broken(Fixture *fixture, gconstpointer script) {
  g_autoptr(GError) error = NULL;
  g_autofree char *log = g_build_filename(fixture->directory, "log", NULL), *text = NULL;
  UserNetwork *network = start(fixture, NULL, &error);

  g_assert_no_error(error);
  close(network->helper->ops->take(network->helper));
  g_autofree char *broken = g_strdup_printf("echo started >> %s\nexit 2\n", log);
  write_program(fixture, broken);
  for (unsigned i = 0; i < 20; i++) {
    network->helper->ops->renew(network->helper);
    run_for(100);
    int fd = network->helper->ops->take(network->helper);
    if (fd >= 0)
      close(fd);
  }
  user_network_free(network);
  g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
  g_assert_cmpuint(strlen(text), >=, strlen("started\n"));
  g_assert_cmpuint(strlen(text), <=, 4 * strlen("started\n"));
  g_unlink(log);
}

static void test_forwards(Fixture *fixture, gconstpointer script) {
  const char *texts[] = {"61234:22", "127.0.0.1:61235:53/udp", "61236:5353/udp", NULL}, *wrong[] = {"22"};
  GPtrArray good = {.pdata = (gpointer *)texts, .len = 3}, bad = {.pdata = (gpointer *)wrong, .len = 1};
  g_autoptr(GError) error = NULL;

  g_assert_null(start(fixture, &bad, &error));
  g_assert_nonnull(strstr(error->message, "'22' cannot be forwarded"));
  g_clear_error(&error);
  UserNetwork *network = start(fixture, &good, &error);
  if (!network) { /* somebody has one of these ports */
    g_test_skip(error->message);
    return;
  }
  g_assert_cmpuint(network->n_udp_ports, ==, 2);
  g_assert_cmpuint(network->udp_ports[0], ==, 53);
  g_assert_cmpuint(network->udp_ports[1], ==, 5353);
  char got[256] = "";
  int fd = network->helper->ops->take(network->helper);
  g_assert_cmpint(read(fd, got, sizeof got - 1), >, 0);
  g_assert_nonnull(strstr(got, "--tcp-ports 61234:22 --udp-ports 127.0.0.1/61235:53 --udp-ports 61236:5353"));
  close(fd);
  user_network_free(network);
}

static void test_missing(void) {
  g_autoptr(GError) error = NULL;

  g_setenv("PATH", "/no/such", TRUE);
  g_assert_null(passt_networks_new(NULL, &error));
  g_assert_cmpstr(error->message, ==,
                  "the network of --net user is made by passt, which is not installed; install it (Debian: apt install passt), or give the "
                  "guest a tap device");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_always_fatal(G_LOG_FATAL_MASK);
#define ADD(name, script, function) g_test_add("/user-network/" name, Fixture, script, set_up, function, tear_down)
  ADD("next", READY "printf '\\0\\0\\0\\016abcdefghijklmn' >&3\n", test_next);
  ADD("taken", "echo 'Failed to bind port 80' >&2\nexit 1\n", test_taken);
  ADD("broken", READY "read line <&3\n", test_broken);
  ADD("forwards", READY "echo \"$*\" >&3\nread line <&3\n", test_forwards);
  g_test_add_func("/user-network/missing", test_missing);
  return g_test_run();
}
