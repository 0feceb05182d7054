/* SPDX-License-Identifier: Apache-2.0 */
/* Services outside the process: vmm/hypercall/peer.c, against a server thread that misbehaves in every way. */
#include "tests/unit/vmm/hypercall/misbehaving-server.h"

#define FIRST      0xc2000000u
#define LAST       0xc20000ffu
#define PATIENT_MS 5000 /* where an answer has to come on a machine under load */

static void no_write(void *opaque, const char *text, size_t size) {
}

static void no_mark(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns) {
}

static void no_ready(void *opaque, int64_t monotonic_ns) {
}

static const HypercallSink sink = {no_write, no_mark, no_ready};

/* Dispatcher with a peer for FIRST .. LAST. */
static Hypercalls *hypercalls_with(HypercallPeer *peer) {
  Hypercalls *hypercalls = hypercalls_new(&sink, NULL);
  g_assert_true(hypercall_peer_add(peer, hypercalls));
  return hypercalls;
}

static HypercallPeer *peer_for(const Server *server, unsigned timeout_ms) {
  g_autoptr(GError) error = NULL;
  HypercallPeer *peer = hypercall_peer_new(FIRST, LAST, server->path, timeout_ms, &error);
  g_assert_no_error(error);
  return peer;
}

/* One call of A + B; on an error the other registers must not have changed. Returns x0. */
static int64_t call(Hypercalls *hypercalls, uint64_t a, uint64_t b) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {FIRST + 3, a, b};

  for (unsigned i = 3; i < HYPERCALL_N_REGISTERS; i++)
    x[i] = 1000 + i;
  g_assert_cmpint(hypercalls_call_registers(hypercalls, HYPERCALL_BY_HVC, 2, FIRST + 3, x), ==, HYPERCALL_RETURN);
  g_assert_true(x[1] == a && x[2] == b);
  for (unsigned i = 3; i < HYPERCALL_N_REGISTERS - 1; i++)
    g_assert_cmpuint(x[i], ==, 1000 + i);
  g_assert_cmpuint(x[17], ==, (int64_t)x[0] < 0 ? 1017 : 1018);
  return (int64_t)x[0];
}

static void test_well(void) {
  Server server;
  server_start(&server, (const Behaviour[]){ANSWER}, 1);
  {
    g_autoptr(HypercallPeer) peer = peer_for(&server, PATIENT_MS);
    g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
    for (unsigned i = 0; i < 500; i++)
      g_assert_cmpint(call(hypercalls, i, 1), ==, i + 1);
    g_assert_cmpint(call(hypercalls, UINT64_C(1) << 62, 5), ==, (INT64_C(1) << 62) + 5);
    g_autofree char *name = g_strconcat("unix:", server.path, NULL);
    g_assert_cmpstr(hypercalls_find(hypercalls, FIRST + 3, HYPERCALL_BY_HVC)->name, ==, name);
    g_assert_cmpint(server.requests, ==, 501);
  }
  g_assert_cmpint(server.connections, ==, 1);
  server_clear(&server);
}

/* The message itself, byte by byte. */
static void test_message(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-peer-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "socket", NULL);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint8_t bytes[169];

  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(listener, 1), ==, 0);
  g_autoptr(HypercallPeer) peer = hypercall_peer_new(FIRST, LAST, path, 1, NULL);
  g_assert_nonnull(peer);
  g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
  g_assert_cmpint(call(hypercalls, UINT64_C(0x1122334455667788), 0), ==, HYPERCALL_TIMED_OUT);
  int fd = accept(listener, NULL, NULL);
  g_assert_cmpint(recv(fd, bytes, sizeof bytes, MSG_WAITALL), ==, 168); /* to the end of the connection */
  static const uint8_t head[] = {'e', 'r', 'e', 't', 1, 0, 0, 0,    1, 0, 0, 0, 0,    0,    0,    0,    3,    0,    0,    0xc2,
                                 2,   0,   0,   0,   3, 0, 0, 0xc2, 0, 0, 0, 0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11};
  g_assert_cmpmem(bytes, sizeof head, head, sizeof head);
  g_assert_cmpuint(bytes[160], ==, 1017 & 0xff);
  close(fd);
  close(listener);
  g_unlink(path);
  g_rmdir(directory);
}

/* Each misbehaviour once, its error, and then a call that succeeds with its own answer. */
static void test_misbehaviour(void) {
  static const struct {
    Behaviour behaviour;
    int64_t result;
  } cases[] = {
      {LATE, HYPERCALL_TIMED_OUT},      {SHORT_STALL, HYPERCALL_TIMED_OUT}, {SILENT, HYPERCALL_TIMED_OUT},
      {DRIP, HYPERCALL_TIMED_OUT},      {SHORT_CLOSE, HYPERCALL_NO_PEER},   {BAD_MAGIC, HYPERCALL_NO_PEER},
      {BAD_VERSION, HYPERCALL_NO_PEER}, {BAD_SEQUENCE, HYPERCALL_NO_PEER},  {OLD_ANSWER, HYPERCALL_NO_PEER},
      {DIE, HYPERCALL_NO_PEER},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    Server server;
    server_start(&server, (const Behaviour[]){ANSWER, cases[i].behaviour, ANSWER}, 3);
    {
      g_autoptr(HypercallPeer) peer = peer_for(&server, TIMEOUT_MS);
      g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
      g_assert_cmpint(call(hypercalls, 1, 2), ==, 3);
      int64_t begin = g_get_monotonic_time();
      g_assert_cmpint(call(hypercalls, 10, 20), ==, cases[i].result);
      if (cases[i].result == HYPERCALL_TIMED_OUT)
        g_assert_cmpint(g_get_monotonic_time() - begin, >=, TIMEOUT_MS * 1000);
      g_assert_cmpint(g_get_monotonic_time() - begin, <, 10 * TIMEOUT_MS * 1000);
      /* A server that serves one connection at a time may still be busy with the one before. */
      int64_t result;
      for (unsigned tries = 0; (result = call(hypercalls, 100, 200)) < 0 && tries < 20; tries++)
        g_assert_cmpint(result, ==, HYPERCALL_TIMED_OUT);
      g_assert_cmpint(result, ==, 300);
      g_assert_cmpint(call(hypercalls, 1000, 2000), ==, 3000);
    }
    g_assert_cmpint(server.connections, >=, 2);
    server_clear(&server);
  }
}

/*
 * What follows an answer unasked is noticed before the next call, which goes over a new connection; likewise a peer
 * that left in between.
 */
static void test_noticed_between_calls(void) {
  static const Behaviour behaviours[] = {TOO_LONG, ANSWER_AND_DIE};

  for (unsigned i = 0; i < G_N_ELEMENTS(behaviours); i++) {
    Server server;
    server_start(&server, (const Behaviour[]){behaviours[i], ANSWER}, 2);
    {
      g_autoptr(HypercallPeer) peer = peer_for(&server, PATIENT_MS);
      g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
      g_assert_cmpint(call(hypercalls, 1, 2), ==, 3);
      g_usleep(50000);
      g_assert_cmpint(call(hypercalls, 3, 4), ==, 7);
    }
    g_assert_cmpint(server.connections, ==, 2);
    g_assert_cmpint(server.requests, ==, 2);
    server_clear(&server);
  }
}

static void test_restart(void) {
  Server server;
  server_start(&server, (const Behaviour[]){ANSWER_AND_DIE, ANSWER}, 2);
  {
    g_autoptr(HypercallPeer) peer = peer_for(&server, PATIENT_MS);
    g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
    g_assert_cmpint(call(hypercalls, 1, 2), ==, 3);
    server_stop(&server);
    for (unsigned i = 0; i < 3; i++)
      g_assert_cmpint(call(hypercalls, 1, 2), ==, HYPERCALL_NO_PEER);
    server_listen(&server);
    g_assert_cmpint(call(hypercalls, 5, 6), ==, 11);
  }
  server_clear(&server);
}

typedef struct {
  Hypercalls *hypercalls;
  unsigned number;
} Caller;

static gpointer call_often(gpointer data) {
  const Caller *caller = data;
  for (unsigned i = 0; i < 300; i++)
    g_assert_cmpint(call(caller->hypercalls, caller->number * 100000, i), ==, caller->number * 100000 + i);
  return NULL;
}

/* Each vCPU gets the answer to its own question. */
static void test_threads(void) {
  Server server;
  server_start(&server, (const Behaviour[]){ANSWER}, 1);
  {
    g_autoptr(HypercallPeer) peer = peer_for(&server, PATIENT_MS);
    g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
    Caller callers[4];
    GThread *threads[4];
    for (unsigned i = 0; i < 4; i++) {
      callers[i] = (Caller){hypercalls, i};
      threads[i] = g_thread_new("caller", call_often, &callers[i]);
    }
    for (unsigned i = 0; i < 4; i++)
      g_thread_join(threads[i]);
  }
  g_assert_cmpint(server.requests, ==, 1200);
  server_clear(&server);
}

#define WAITING 4 /* vCPUs, of which one waits for the server, the others for their turn */

static gpointer call_once(gpointer data) {
  return GINT_TO_POINTER((int)call(data, 1, 2));
}

static void start_waiting(Hypercalls *hypercalls, GThread *threads[WAITING]) {
  for (unsigned i = 0; i < WAITING; i++)
    threads[i] = g_thread_new("caller", call_once, hypercalls);
}

/* Whoever pauses or stops a machine waits for its vCPUs: for one timeout, however many of them call. */
static void test_one_timeout(void) {
  Server server;
  server_start(&server, (const Behaviour[]){SILENT}, 1);
  {
    g_autoptr(HypercallPeer) peer = peer_for(&server, TIMEOUT_MS);
    g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
    GThread *threads[WAITING];
    int64_t begin = g_get_monotonic_time();
    start_waiting(hypercalls, threads);
    for (unsigned i = 0; i < WAITING; i++)
      g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(threads[i])), ==, HYPERCALL_TIMED_OUT);
    g_assert_cmpint(g_get_monotonic_time() - begin, >=, TIMEOUT_MS * 1000);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, (WAITING - 1) * TIMEOUT_MS * 1000);
  }
  server_clear(&server);
}

/* A machine that ends does not wait even for that; and after a reboot of the guest there are calls again. */
static void test_stop(void) {
  Server server;
  server_start(&server, (const Behaviour[]){SILENT, ANSWER}, 2);
  {
    g_autoptr(HypercallPeer) peer = peer_for(&server, HYPERCALL_PEER_TIMEOUT_MAX);
    g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
    GThread *threads[WAITING];
    start_waiting(hypercalls, threads);
    while (!__atomic_load_n(&server.requests, __ATOMIC_SEQ_CST))
      g_usleep(1000);
    int64_t begin = g_get_monotonic_time();
    hypercall_peer_stop(peer);
    for (unsigned i = 0; i < WAITING; i++)
      g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(threads[i])), ==, HYPERCALL_TIMED_OUT);
    g_assert_cmpint(call(hypercalls, 1, 2), ==, HYPERCALL_TIMED_OUT); /* nor does any other begin */
    g_assert_cmpint(g_get_monotonic_time() - begin, <, HYPERCALL_PEER_TIMEOUT_MAX * 1000 / 2);
    hypercall_peer_go_on(peer);
    g_assert_cmpint(call(hypercalls, 3, 4), ==, 7);
  }
  server_clear(&server);
}

/* Nobody accepts and the backlog is full: the call fails at once instead of waiting in connect. */
static void test_backlog(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-peer-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "socket", NULL);
  g_autoptr(GError) error = NULL;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy(address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint(bind(listener, (struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(listener, 0), ==, 0);
  g_autoptr(HypercallPeer) peer = hypercall_peer_new(FIRST, LAST, path, 20, NULL);
  g_assert_nonnull(peer);
  g_assert_null(hypercall_peer_new(FIRST, LAST, path, 20, &error));
  g_assert_error(error, HYPERCALL_PEER_ERROR, HYPERCALL_PEER_ERROR_CONNECT);
  g_assert_true(g_str_has_suffix(error->message, ": Resource temporarily unavailable")); /* it has started */
  g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
  g_assert_cmpint(call(hypercalls, 1, 2), ==, HYPERCALL_TIMED_OUT);
  g_assert_cmpint(call(hypercalls, 1, 2), ==, HYPERCALL_NO_PEER);
  close(listener);
  g_unlink(path);
  g_rmdir(directory);
}

static void test_errors(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-peer-XXXXXX", NULL);
  g_autofree char *nobody = g_build_filename(directory, "nobody", NULL);
  g_autofree char *long_path = g_strnfill(108, 'p');
  const struct {
    const char *path;
    unsigned timeout_ms;
    HypercallPeerError code;
    const char *text;
  } cases[] = {
      {nobody, 1000, HYPERCALL_PEER_ERROR_CONNECT, "No such file or directory; start the server first"},
      {long_path, 1000, HYPERCALL_PEER_ERROR_PATH, "1 to 107 bytes"},
      {"", 1000, HYPERCALL_PEER_ERROR_PATH, "1 to 107 bytes"},
      {nobody, 0, HYPERCALL_PEER_ERROR_TIMEOUT, "0 ms"},
      {nobody, 10001, HYPERCALL_PEER_ERROR_TIMEOUT, "10001 ms"},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_null(hypercall_peer_new(FIRST, LAST, cases[i].path, cases[i].timeout_ms, &error));
    g_assert_error(error, HYPERCALL_PEER_ERROR, (int)cases[i].code);
    g_assert_nonnull(strstr(error->message, cases[i].text));
    g_assert_nonnull(strstr(error->message, cases[i].path));
  }
  g_rmdir(directory);
}

static void test_overlap(void) {
  Server server;
  server_start(&server, (const Behaviour[]){ANSWER}, 1);
  {
    g_autoptr(HypercallPeer) peer = hypercall_peer_new(ERET_FUNCTION_LAST, ERET_FUNCTION_LAST + 1, server.path, PATIENT_MS, NULL);
    g_autoptr(HypercallPeer) own = hypercall_peer_new(ERET_FUNCTION_FIRST, ERET_FUNCTION_LAST, server.path, PATIENT_MS, NULL);
    g_autoptr(Hypercalls) hypercalls = hypercalls_with(peer);
    g_assert_false(hypercall_peer_add(peer, hypercalls));
    g_assert_false(hypercall_peer_add(own, hypercalls));
  }
  server_clear(&server);
}

static void quiet(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_log_set_handler("eret", G_LOG_LEVEL_MESSAGE, quiet, NULL);
  g_test_add_func("/peer/well", test_well);
  g_test_add_func("/peer/message", test_message);
  g_test_add_func("/peer/misbehaviour", test_misbehaviour);
  g_test_add_func("/peer/noticed-between-calls", test_noticed_between_calls);
  g_test_add_func("/peer/restart", test_restart);
  g_test_add_func("/peer/threads", test_threads);
  g_test_add_func("/peer/one-timeout", test_one_timeout);
  g_test_add_func("/peer/stop", test_stop);
  g_test_add_func("/peer/backlog", test_backlog);
  g_test_add_func("/peer/errors", test_errors);
  g_test_add_func("/peer/overlap", test_overlap);
  return g_test_run();
}
