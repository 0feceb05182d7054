/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of a guest to whoever answers them, eret, PSCI, or a server outside the process that answers anything:
 * vmm/hypercall/. Only the results that a service declares are written. The input is a list of calls; behind a call to
 * the server stands what that does.
 */
#include "tests/fuzz/fuzz.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/hypercall/peer.h"
#include "vmm/hypercall/policy.h"
#include "vmm/hypercall/psci.h"

#define CALLS       32
#define CPUS        4
#define PEER_FIRST  0xc3000000u
#define PEER_LAST   0xc30000ffu
#define PATIENCE    20 /* milliseconds: a server that does not answer */
#define ANSWER_HEAD 16 /* magic, version, sequence */
#define ANSWER_MAX  256

/* What the server does with the next request; it is set before that is made. */
typedef struct {
  bool right; /* begins as an answer has to */
  bool close; /* and the connection ends */
  uint8_t bytes[ANSWER_MAX];
  size_t size;
} Answer;

typedef struct {
  char *directory, *path;
  int listener;
  GThread *thread; /* serves one connection after the other */
  GMutex lock;     /* guards ANSWER */
  Answer answer;
} Server;

typedef struct {
  FuzzInput *input;
  Server server;
  Hypercalls *hypercalls;
  HypercallPeer *peer;
  Psci *psci;
} Fixture;

/* The server. */

static void send_answer(Server *server, int fd, const HypercallMessage *request) {
  g_mutex_lock(&server->lock);
  Answer answer = server->answer;
  g_mutex_unlock(&server->lock);
  if (answer.right && answer.size >= ANSWER_HEAD)
    memcpy(answer.bytes, request, ANSWER_HEAD);
  if (answer.size && send(fd, answer.bytes, answer.size, MSG_NOSIGNAL) < 0)
    return;
  if (answer.close)
    shutdown(fd, SHUT_RDWR);
}

/* Until the listener is shut down, and the last connection has ended. */
static gpointer serve(gpointer data) {
  Server *server = data;
  HypercallMessage request;

  for (int fd; (fd = accept(server->listener, NULL, NULL)) >= 0; close(fd))
    while (recv(fd, &request, sizeof request, MSG_WAITALL) == (ssize_t)sizeof request)
      send_answer(server, fd, &request);
  return NULL;
}

static void server_init(Server *server) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  server->directory = g_dir_make_tmp("eret-fuzz-XXXXXX", NULL);
  server->path = g_build_filename(server->directory, "socket", NULL);
  g_strlcpy(address.sun_path, server->path, sizeof address.sun_path);
  server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint(bind(server->listener, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(server->listener, 16), ==, 0);
  g_mutex_init(&server->lock);
  server->thread = g_thread_new("server", serve, server);
}

/* Nobody is connected to it any more. */
static void server_clear(Server *server) {
  shutdown(server->listener, SHUT_RDWR);
  g_thread_join(server->thread);
  close(server->listener);
  g_unlink(server->path);
  g_rmdir(server->directory);
  g_free(server->path);
  g_free(server->directory);
  g_mutex_clear(&server->lock);
}

static void choose_answer(Fixture *f) {
  unsigned what = fuzz_below(f->input, 256);
  Answer answer = {.right = what & 15, .close = what & 16};
  const uint8_t *bytes = fuzz_bytes(f->input, what & 32 ? fuzz_number(f->input, 1) : 32, &answer.size);

  if (answer.size)
    memcpy(answer.bytes, bytes, answer.size);
  if (!(what & 32))
    answer.size = sizeof(HypercallMessage);
  if (what < 250 && answer.size < sizeof(HypercallMessage)) /* or it is waited for */
    answer.close = true;
  g_mutex_lock(&f->server.lock);
  f->server.answer = answer;
  g_mutex_unlock(&f->server.lock);
}

/* Calls. */

static uint64_t mpidr(unsigned cpu) {
  return cpu % 2 | (uint64_t)(cpu / 2) << 8;
}

static void write_text(void *opaque, const char *text, size_t size) {
  g_assert_cmpuint(size, <=, 128);
  g_free(g_memdup2(text, size));
}

static void mark(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns) {
  g_assert_cmpuint(size, <=, 112);
  g_free(g_memdup2(name, size));
}

static void ready(void *opaque, int64_t monotonic_ns) {
}

static const HypercallSink sink = {write_text, mark, ready};

static uint32_t choose_function(Fixture *f) {
  static const uint32_t ranges[] = {PSCI_FUNCTION_VERSION, PSCI_FUNCTION_VERSION | HYPERCALL_FUNCTION_64BIT, ERET_FUNCTION_FIRST,
                                    PEER_FIRST};
  unsigned range = fuzz_below(f->input, G_N_ELEMENTS(ranges) + 1);

  return range < G_N_ELEMENTS(ranges) ? ranges[range] + (uint32_t)fuzz_number(f->input, 1) % 32 : (uint32_t)fuzz_number(f->input, 4);
}

static void choose_registers(Fixture *f, uint64_t x[HYPERCALL_N_REGISTERS]) {
  unsigned set = fuzz_below(f->input, HYPERCALL_N_REGISTERS);

  for (unsigned i = 0; i < HYPERCALL_N_REGISTERS; i++)
    x[i] = i == 0 || i > set ? ~(uint64_t)i : fuzz_number(f->input, i < 4 ? 2 : 1);
  if (fuzz_below(f->input, 4) == 3)
    x[1] = fuzz_number(f->input, 8);
}

/* A CPU that is on is not waited for. */
static void look_at_cpus(Fixture *f) {
  uint64_t entry, context, x[HYPERCALL_N_REGISTERS];

  for (unsigned cpu = 0; cpu < CPUS; cpu++) {
    x[1] = mpidr(cpu);
    x[2] = 0;
    hypercalls_call_registers(f->hypercalls, HYPERCALL_BY_HVC, 0, PSCI_FUNCTION_AFFINITY_INFO, x);
    g_assert_cmpuint(x[0], <=, PSCI_AFFINITY_OFF);
    if (x[0] == PSCI_AFFINITY_ON)
      g_assert_true(psci_wait(f->psci, cpu, &entry, &context));
  }
}

static void call(Fixture *f) {
  static const HypercallDoor doors[] = {HYPERCALL_BY_HVC, HYPERCALL_BY_SMC, HYPERCALL_BY_DOORBELL};
  HypercallDoor door = doors[fuzz_below(f->input, G_N_ELEMENTS(doors))];
  uint32_t function = choose_function(f);
  const HypercallService *service = hypercalls_find(f->hypercalls, function, door);
  unsigned vcpu = fuzz_below(f->input, door == HYPERCALL_BY_DOORBELL ? 16 : CPUS);
  uint64_t x[HYPERCALL_N_REGISTERS], before[HYPERCALL_N_REGISTERS];

  choose_registers(f, x);
  if (function >= PEER_FIRST && function <= PEER_LAST)
    choose_answer(f);
  memcpy(before, x, sizeof x);
  HypercallOutcome outcome = hypercalls_call_registers(f->hypercalls, door, vcpu, function, x);
  for (unsigned i = hypercall_returns(outcome) ? service->n_results : 0; i < HYPERCALL_N_REGISTERS; i++)
    g_assert_cmphex(x[i], ==, before[i]);
  if (outcome == HYPERCALL_EXIT)
    g_assert_cmpint(hypercalls_exit_code(f->hypercalls), >=, 0);
  look_at_cpus(f);
}

/* Who answers what, as a user has said it: what is planned is sorted, and nothing is planned twice. */
static void plan(Fixture *f) {
  g_autoptr(GArray) ranges = policy_new();
  g_autoptr(GError) error = NULL;

  for (unsigned i = fuzz_below(f->input, 4); i > 0; i--) {
    g_autofree char *line = fuzz_line(f->input);
    policy_parse(ranges, line, "line", NULL);
  }
  g_autoptr(GArray) planned = policy_plan(ranges, &error);
  g_assert_true(!planned == !!error);
  for (unsigned i = 1; planned && i < planned->len; i++)
    g_assert_cmphex(g_array_index(planned, SmcccRange, i - 1).last, <, g_array_index(planned, SmcccRange, i).first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  Fixture f = {.input = &input, .hypercalls = hypercalls_new(&sink, NULL), .psci = psci_new(CPUS, mpidr)};
  g_autoptr(GError) error = NULL;

  server_init(&f.server);
  f.peer = hypercall_peer_new(PEER_FIRST, PEER_LAST, f.server.path, PATIENCE, &error);
  g_assert_no_error(error);
  psci_set_version(f.psci, fuzz_number(&input, 1) & 1 ? PSCI_1_3 : PSCI_1_1);
  g_assert_true(psci_add(f.psci, f.hypercalls) && hypercall_peer_add(f.peer, f.hypercalls));
  plan(&f);
  for (unsigned i = 0; i < CALLS && input.left; i++)
    call(&f);
  hypercalls_free(f.hypercalls);
  psci_free(f.psci);
  hypercall_peer_free(f.peer);
  server_clear(&f.server);
  return 0;
}
