/* SPDX-License-Identifier: Apache-2.0 */
/* The dispatcher: vmm/hypercall/hypercall.c. */
#include <glib.h>
#include <string.h>

#include "vmm/hypercall/psci.h"

#define RANDOM_CALLS 100000
#define UNTOUCHED    UINT64_C(0xdeadbeefdeadbeef)

static void ignore_write(void *opaque, const char *text, size_t size) {
  g_assert_cmpuint(size, >=, 1);
  g_assert_cmpuint(size, <=, 128);
}

static void ignore_mark(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns) {
  g_assert_cmpuint(size, <=, 112);
}

static void ignore_ready(void *opaque, int64_t monotonic_ns) {
}

static const HypercallSink sink = {ignore_write, ignore_mark, ignore_ready};

/* x0 = function, x1 = the sum of all arguments, as far as there are results. */
static HypercallOutcome sum(const HypercallService *service, Hypercall *call) {
  uint64_t total = 0;
  for (unsigned i = 1; i < HYPERCALL_N_REGISTERS; i++)
    total += call->x[i];
  call->x[0] = call->function;
  call->x[1] = total;
  if (service->opaque)
    *(unsigned *)service->opaque += 1;
  return HYPERCALL_RETURN;
}

static HypercallService service_of(const char *name, uint32_t first, uint32_t last) {
  return (HypercallService){
      .name = name, .first = first, .last = last, .doors = HYPERCALL_BY_ANY, .n_args = 2, .n_results = 2, .handle = sum};
}

static void test_find(void) {
  static const struct {
    uint32_t first, last;
  } ranges[] = {{0xc2000010, 0xc200001f}, {0, 0}, {0xfffffff0, 0xffffffff}, {0xc2000020, 0xc2000020}, {0xc2000000, 0xc2000005}};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++) {
    HypercallService service = service_of("sum", ranges[i].first, ranges[i].last);
    g_assert_true(hypercalls_add(hypercalls, &service));
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++) {
    g_assert_cmphex(hypercalls_find(hypercalls, ranges[i].first, HYPERCALL_BY_HVC)->first, ==, ranges[i].first);
    g_assert_cmphex(hypercalls_find(hypercalls, ranges[i].last, HYPERCALL_BY_SMC)->first, ==, ranges[i].first);
  }
  static const uint32_t unknown[] = {1, 0x80000000, 0xc2000006, 0xc200000f, 0xc2000021, 0xffffffef, ERET_FUNCTION_LAST};
  for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++)
    g_assert_cmpstr(hypercalls_find(hypercalls, unknown[i], HYPERCALL_BY_HVC)->name, ==, "unknown");
}

static void test_overlap(void) {
  static const struct {
    uint32_t first, last;
  } refused[] = {{0x10, 0x10}, {0x1f, 0x30}, {0x00, 0x10}, {0x00, 0xff}, {0x14, 0x15}, {ERET_FUNCTION_FIRST, ERET_FUNCTION_LAST}};
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  HypercallService service = service_of("sum", 0x10, 0x1f);

  g_assert_true(hypercalls_add(hypercalls, &service));
  for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
    HypercallService other = service_of("other", refused[i].first, refused[i].last);
    g_assert_false(hypercalls_add(hypercalls, &other));
  }
  for (uint32_t function = 0; function <= 0xff; function++) {
    bool there = function >= 0x10 && function <= 0x1f;
    g_assert_cmpstr(hypercalls_find(hypercalls, function, HYPERCALL_BY_HVC)->name, ==, there ? "sum" : "unknown");
  }
}

static void test_doors(void) {
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  HypercallService service = service_of("hvc-only", 0x10, 0x10);

  service.doors = HYPERCALL_BY_HVC;
  g_assert_true(hypercalls_add(hypercalls, &service));
  g_assert_cmpstr(hypercalls_find(hypercalls, 0x10, HYPERCALL_BY_HVC)->name, ==, "hvc-only");
  g_assert_cmpstr(hypercalls_find(hypercalls, 0x10, HYPERCALL_BY_SMC)->name, ==, "unknown");
  g_assert_cmpstr(hypercalls_find(hypercalls, 0x10, HYPERCALL_BY_DOORBELL)->name, ==, "unknown");
}

static void test_only_declared_registers(void) {
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  HypercallService service = service_of("sum", 0x10, 0x10);
  uint64_t x[HYPERCALL_N_REGISTERS];

  g_assert_true(hypercalls_add(hypercalls, &service));
  for (unsigned i = 0; i < HYPERCALL_N_REGISTERS; i++)
    x[i] = 100 + i;
  g_assert_cmpint(hypercalls_call_registers(hypercalls, HYPERCALL_BY_HVC, 0, 0x10, x), ==, HYPERCALL_RETURN);
  g_assert_cmpuint(x[0], ==, 0x10);
  g_assert_cmpuint(x[1], ==, 101 + 102); /* x3 .. x17 did not come through */
  for (unsigned i = 2; i < HYPERCALL_N_REGISTERS; i++)
    g_assert_cmpuint(x[i], ==, 100 + i);
}

static void test_unknown(void) {
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  uint64_t x[HYPERCALL_N_REGISTERS];

  for (unsigned i = 0; i < HYPERCALL_N_REGISTERS; i++)
    x[i] = UNTOUCHED;
  g_assert_cmpint(hypercalls_call_registers(hypercalls, HYPERCALL_BY_SMC, 3, 0x12345678, x), ==, HYPERCALL_RETURN);
  g_assert_cmpint((int64_t)x[0], ==, HYPERCALL_NOT_SUPPORTED);
  g_assert_true(x[1] == 0 && x[2] == 0 && x[3] == 0); /* as KVM does */
  for (unsigned i = 4; i < HYPERCALL_N_REGISTERS; i++)
    g_assert_cmphex(x[i], ==, UNTOUCHED);
}

/* Each call comes to the service whose range it is in, once, in whatever order the services were added. */
static void test_counts(void) {
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  HypercallService one = service_of("sum", 0x10, 0x1f), two = service_of("sum", 0x30, 0x30);
  unsigned calls_of_one = 0, calls_of_two = 0;
  uint64_t x[HYPERCALL_N_REGISTERS] = {0};

  one.opaque = &calls_of_one;
  two.opaque = &calls_of_two;
  g_assert_true(hypercalls_add(hypercalls, &two));
  g_assert_true(hypercalls_add(hypercalls, &one));
  for (unsigned i = 0; i < 5; i++)
    hypercalls_call_registers(hypercalls, HYPERCALL_BY_HVC, 0, 0x10 + i, x);
  hypercalls_call_registers(hypercalls, HYPERCALL_BY_HVC, 0, 0x30, x);
  g_assert_cmpuint(x[0], ==, 0x30);
  hypercalls_call_registers(hypercalls, HYPERCALL_BY_HVC, 0, ERET_FUNCTION_NOP, x);
  g_assert_cmpuint(x[0], ==, 0);
  g_assert_cmpuint(calls_of_one, ==, 5);
  g_assert_cmpuint(calls_of_two, ==, 1);

  const HypercallService *first = hypercalls_find(hypercalls, 0x10, HYPERCALL_BY_HVC);
  g_assert_cmpstr(first->name, ==, "sum");
  g_assert_cmphex(first->last, ==, 0x1f);
  g_assert_cmphex(hypercalls_find(hypercalls, 0x30, HYPERCALL_BY_HVC)->first, ==, 0x30);
}

/* The number of answers "not supported". */
static gpointer call_often(gpointer data) {
  uint64_t x[HYPERCALL_N_REGISTERS] = {0};
  size_t unknown = 0;
  for (unsigned i = 0; i < 10000; i++) {
    hypercalls_call_registers(data, HYPERCALL_BY_HVC, 0, i % 2 ? ERET_FUNCTION_NOP : 0, x);
    g_assert_cmpint((int64_t)x[0], ==, i % 2 ? HYPERCALL_SUCCESS : HYPERCALL_NOT_SUPPORTED);
    unknown += (int64_t)x[0] == HYPERCALL_NOT_SUPPORTED;
  }
  return GSIZE_TO_POINTER(unknown);
}

static void test_calls_of_threads(void) {
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  GThread *threads[4];
  size_t unknown = 0;

  for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("caller", call_often, hypercalls);
  for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
    unknown += GPOINTER_TO_SIZE(g_thread_join(threads[i]));
  g_assert_cmpuint(unknown, ==, 20000);
}

static uint64_t mpidr(unsigned cpu) {
  return cpu;
}

static uint64_t random_64(GRand *rand) {
  return (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
}

/* Half of them near what exists. */
static uint32_t random_function(GRand *rand) {
  static const uint32_t bases[] = {ERET_FUNCTION_FIRST, PSCI_FUNCTION_VERSION, PSCI_FUNCTION_VERSION | HYPERCALL_FUNCTION_64BIT,
                                   0xc2000000};
  uint32_t any = g_rand_int(rand);
  return any & 1 ? g_rand_int(rand) : bases[any >> 1 & 3] + (any >> 3 & 31);
}

static void test_random_calls(void) {
  static const HypercallDoor doors[] = {HYPERCALL_BY_HVC, HYPERCALL_BY_SMC, HYPERCALL_BY_DOORBELL};
  g_autoptr(GRand) rand = g_rand_new_with_seed(20230214);
  g_autoptr(Hypercalls) hypercalls = hypercalls_new(&sink, NULL);
  g_autoptr(Psci) psci = psci_new(4, mpidr);
  unsigned answered = 0, sums = 0;
  HypercallService service = service_of("sum", 0xc2000000, 0xc200000f);
  service.opaque = &answered;

  g_assert_true(psci_add(psci, hypercalls));
  g_assert_true(hypercalls_add(hypercalls, &service));
  for (unsigned n = 0; n < RANDOM_CALLS; n++) {
    uint64_t x[HYPERCALL_N_REGISTERS], before[HYPERCALL_N_REGISTERS];
    uint32_t function = random_function(rand);
    HypercallDoor door = doors[g_rand_int_range(rand, 0, 3)];
    const HypercallService *found = hypercalls_find(hypercalls, function, door);
    for (unsigned i = 0; i < HYPERCALL_N_REGISTERS; i++)
      before[i] = x[i] = g_rand_boolean(rand) ? random_64(rand) : g_rand_int(rand) & 0xff;
    HypercallOutcome outcome = hypercalls_call_registers(hypercalls, door, (unsigned)g_rand_int_range(rand, 0, 4), function, x);
    g_assert_true(found->first <= function && function <= found->last);
    sums += g_str_equal(found->name, "sum");
    if (g_str_equal(found->name, "unknown"))
      g_assert_true(outcome == HYPERCALL_RETURN && x[0] == (uint64_t)HYPERCALL_NOT_SUPPORTED);
    unsigned written = hypercall_returns(outcome) ? found->n_results : 0;
    g_assert_cmpmem(x + written, (HYPERCALL_N_REGISTERS - written) * sizeof *x, before + written,
                    (HYPERCALL_N_REGISTERS - written) * sizeof *x);
  }
  g_assert_cmpuint(sums, ==, answered);
  g_assert_cmpuint(answered, >, 1000);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/hypercall/find", test_find);
  g_test_add_func("/hypercall/overlap", test_overlap);
  g_test_add_func("/hypercall/doors", test_doors);
  g_test_add_func("/hypercall/only-declared-registers", test_only_declared_registers);
  g_test_add_func("/hypercall/unknown", test_unknown);
  g_test_add_func("/hypercall/counts", test_counts);
  g_test_add_func("/hypercall/calls-of-threads", test_calls_of_threads);
  g_test_add_func("/hypercall/random-calls", test_random_calls);
  return g_test_run();
}
