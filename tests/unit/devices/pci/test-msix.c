/* SPDX-License-Identifier: Apache-2.0 */
/* MSI-X: table, pending bits, masks, routes: devices/pci/msix.c. */
#include "devices/pci/msix.h"
#include "tests/unit/devices/pci/fake-pci.h"

#define SLOT      3
#define N_VECTORS 5
#define TABLE     0x8000
#define PBA       0x9000

/* Message Control. */
enum { ENABLE = 0x8000, FUNCTION_MASK = 0x4000 };
/* Of a table entry. */
enum { ADDRESS_LOW = 0, ADDRESS_HIGH = 4, DATA = 8, CONTROL = 12 };

static uint64_t no_bar_read(PciFunction *function, unsigned bar, uint64_t offset, unsigned size) {
  return 0;
}

static void no_bar_write(PciFunction *function, unsigned bar, uint64_t offset, unsigned size, uint64_t value) {
}

static void plugged(PciFunction *function) {
  function->msix = msix_new(function, N_VECTORS, 2, TABLE, PBA);
}

static void reset(PciFunction *function) {
}

static void function_free(PciFunction *function) {
  msix_free(function->msix);
  pci_function_clear(function);
  g_free(function);
}

static const PciFunctionOps function_ops = {
    .bar_read = no_bar_read, .bar_write = no_bar_write, .plugged = plugged, .reset = reset, .free = function_free};

typedef struct {
  FakePci pci;
  PciFunction *function;
  MsiX *msix;
  unsigned capability;
} Fixture;

static void set_up(Fixture *f, gconstpointer data) {
  fake_pci_init(&f->pci, true, true);
  f->function = g_new0(PciFunction, 1);
  pci_function_init(f->function, &function_ops, "test", 1, 2, 3, 4, 5, 6, 1);
  g_assert_true(pci_host_add(f->pci.host, SLOT, f->function));
  f->msix = f->function->msix;
  f->capability = cfg_find_capability(&f->pci, SLOT, 0x11, 0);
  g_assert_cmpuint(f->capability, !=, 0);
}

static void tear_down(Fixture *f, gconstpointer data) {
  fake_pci_clear(&f->pci);
}

static void control(Fixture *f, uint32_t value) {
  cfg_write(&f->pci, SLOT, f->capability + 2, 2, value);
}

static void program(Fixture *f, unsigned vector, uint64_t address, uint32_t data, uint32_t vector_control) {
  msix_table_write(f->msix, 16 * vector + ADDRESS_LOW, 4, (uint32_t)address);
  msix_table_write(f->msix, 16 * vector + ADDRESS_HIGH, 4, address >> 32);
  msix_table_write(f->msix, 16 * vector + DATA, 4, data);
  msix_table_write(f->msix, 16 * vector + CONTROL, 4, vector_control);
}

static uint64_t pending(Fixture *f) {
  return msix_pba_read(f->msix, 0, 8);
}

static int sent(Fixture *f, unsigned route) {
  return f->pci.msi.routes[route].n_signalled;
}

static void test_capability(Fixture *f, gconstpointer data) {
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 2, 2), ==, N_VECTORS - 1);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 4, 4), ==, TABLE | 2);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 8, 4), ==, PBA | 2);
  cfg_write(&f->pci, SLOT, f->capability, 4, UINT32_MAX);
  cfg_write(&f->pci, SLOT, f->capability + 4, 4, UINT32_MAX);
  cfg_write(&f->pci, SLOT, f->capability + 8, 4, UINT32_MAX);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 2, 2), ==, ENABLE | FUNCTION_MASK | (N_VECTORS - 1));
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 4, 4), ==, TABLE | 2);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 8, 4), ==, PBA | 2);
  g_assert_true(msix_enabled(f->msix));
  cfg_write(&f->pci, SLOT, f->capability + 3, 1, 0); /* its byte alone */
  g_assert_false(msix_enabled(f->msix));
}

static void test_table(Fixture *f, gconstpointer data) {
  for (unsigned i = 0; i < N_VECTORS; i++) { /* masked from power-on */
    g_assert_cmphex(msix_table_read(f->msix, 16 * i, 8), ==, 0);
    g_assert_cmphex(msix_table_read(f->msix, 16 * i + 8, 8), ==, UINT64_C(1) << 32);
  }
  program(f, 1, UINT64_C(0x1122334455667788), 0x99aabbcc, 0);
  g_assert_cmphex(msix_table_read(f->msix, 16, 8), ==, UINT64_C(0x1122334455667788));
  g_assert_cmphex(msix_table_read(f->msix, 24, 4), ==, 0x99aabbcc);
  g_assert_cmphex(msix_table_read(f->msix, 28, 4), ==, 0);
  msix_table_write(f->msix, 16, 4, 0xffffffff); /* the address is of a 32-bit word */
  g_assert_cmphex(msix_table_read(f->msix, 16, 4), ==, 0xfffffffc);
  msix_table_write(f->msix, 28, 4, 0xffffffff); /* reserved bits */
  g_assert_cmphex(msix_table_read(f->msix, 28, 4), ==, 1);
  msix_table_write(f->msix, 32, 8, UINT64_C(0x0102030405060708));
  msix_table_write(f->msix, 40, 8, UINT64_C(0xfffffffe0a0b0c0d));
  g_assert_cmphex(msix_table_read(f->msix, 32, 4), ==, 0x05060708);
  g_assert_cmphex(msix_table_read(f->msix, 36, 4), ==, 0x01020304);
  g_assert_cmphex(msix_table_read(f->msix, 40, 8), ==, 0x0a0b0c0d);
}

static void test_table_wrong_accesses(Fixture *f, gconstpointer data) {
  static const uint64_t offsets[] = {16 * N_VECTORS, 16 * N_VECTORS + 8, 0x1000, UINT64_MAX - 7, 2, 6};

  for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
    msix_table_write(f->msix, offsets[i], 4, UINT32_MAX);
    msix_table_write(f->msix, offsets[i], 8, UINT64_MAX);
    g_assert_cmphex(msix_table_read(f->msix, offsets[i], 4), ==, 0);
    g_assert_cmphex(msix_table_read(f->msix, offsets[i], 8), ==, 0);
  }
  for (unsigned size = 1; size <= 2; size++) {
    msix_table_write(f->msix, 0, size, UINT64_MAX);
    g_assert_cmphex(msix_table_read(f->msix, 12, size), ==, 0);
  }
  msix_table_write(f->msix, 4, 8, UINT64_MAX); /* across: not aligned */
  g_assert_cmphex(msix_table_read(f->msix, 0, 8), ==, 0);
  g_assert_cmphex(msix_pba_read(f->msix, 32, 4), ==, 0);
  g_assert_cmphex(msix_pba_read(f->msix, UINT64_MAX - 7, 8), ==, 0);
}

static void test_signal(Fixture *f, gconstpointer data) {
  program(f, 2, 0x08090040, 7, 0);
  msix_signal(f->msix, 2); /* not enabled: nothing, not even pending */
  g_assert_cmpuint(f->pci.msi.n, ==, 0);
  g_assert_cmphex(pending(f), ==, 0);
  control(f, ENABLE);
  g_assert_cmpuint(f->pci.msi.n, ==, 1); /* the one vector that can fire */
  g_assert_cmpuint(f->pci.msi.routes[0].device_id, ==, SLOT << 3);
  g_assert_cmphex(f->pci.msi.routes[0].address, ==, 0x08090040);
  g_assert_cmphex(f->pci.msi.routes[0].data, ==, 7);
  g_assert_cmpint(sent(f, 0), ==, 0);
  msix_signal(f->msix, 2);
  msix_signal(f->msix, 2);
  g_assert_cmpint(sent(f, 0), ==, 2);
  g_assert_cmphex(pending(f), ==, 0);
  control(f, 0);
  msix_signal(f->msix, 2);
  g_assert_cmpint(sent(f, 0), ==, 2);
  msix_signal(f->msix, N_VECTORS);
  msix_signal(f->msix, 0xffff);
  msix_signal(f->msix, UINT32_MAX);
}

static void test_vector_mask(Fixture *f, gconstpointer data) {
  control(f, ENABLE);
  program(f, 0, 0x1000, 10, 1);
  msix_signal(f->msix, 0);
  msix_signal(f->msix, 0);
  msix_signal(f->msix, 4);
  g_assert_cmpuint(f->pci.msi.n, ==, 0);
  g_assert_cmphex(pending(f), ==, 0x11);
  g_assert_cmphex(msix_pba_read(f->msix, 0, 4), ==, 0x11);
  msix_table_write(f->msix, CONTROL, 4, 0);
  g_assert_cmpint(sent(f, 0), ==, 1); /* once, however often it was signalled */
  g_assert_cmphex(pending(f), ==, 0x10);
  msix_table_write(f->msix, CONTROL, 4, 1);
  msix_signal(f->msix, 0);
  g_assert_cmpint(sent(f, 0), ==, 1);
  msix_table_write(f->msix, DATA, 8, 11); /* message and mask in one access */
  g_assert_cmpint(sent(f, 0), ==, 2);
  g_assert_cmphex(f->pci.msi.routes[0].data, ==, 11);
  g_assert_cmpuint(f->pci.msi.n, ==, 1); /* still the same route */
}

static void test_function_mask(Fixture *f, gconstpointer data) {
  program(f, 0, 0x1000, 1, 0);
  program(f, 1, 0x1000, 2, 0);
  program(f, 2, 0x1000, 3, 1);
  control(f, ENABLE | FUNCTION_MASK);
  for (unsigned i = 0; i < 3; i++)
    msix_signal(f->msix, i);
  g_assert_cmpuint(f->pci.msi.n, ==, 0);
  g_assert_cmphex(pending(f), ==, 7);
  control(f, ENABLE);
  g_assert_cmpuint(f->pci.msi.n, ==, 2);
  g_assert_cmpint(sent(f, 0), ==, 1);
  g_assert_cmpint(sent(f, 1), ==, 1);
  g_assert_cmphex(pending(f), ==, 4);
  control(f, 0);
  g_assert_cmphex(pending(f), ==, 0);
  control(f, ENABLE);
  msix_table_write(f->msix, 2 * 16 + CONTROL, 4, 0);
  g_assert_cmpint(sent(f, 2), ==, 0);
}

static void test_message_changes(Fixture *f, gconstpointer data) {
  control(f, ENABLE);
  program(f, 0, 0x1000, 1, 0);
  int sets = f->pci.msi.routes[0].n_set;
  cfg_write(&f->pci, SLOT, CFG_INTERRUPT_LINE, 1, 9); /* another register: nothing to do */
  g_assert_cmpint(f->pci.msi.routes[0].n_set, ==, sets);
  program(f, 0, UINT64_C(0x2000000010), 2, 0);
  g_assert_cmphex(f->pci.msi.routes[0].address, ==, UINT64_C(0x2000000010));
  g_assert_cmphex(f->pci.msi.routes[0].data, ==, 2);
  /* While masked nothing reaches the controller. */
  program(f, 0, 0x3000, 3, 1);
  msix_table_write(f->msix, DATA, 4, 4);
  g_assert_cmphex(f->pci.msi.routes[0].data, !=, 4);
  msix_table_write(f->msix, CONTROL, 4, 0);
  g_assert_cmphex(f->pci.msi.routes[0].data, ==, 4);
}

static void test_no_route(Fixture *f, gconstpointer data) {
  f->pci.msi.limit = 1;
  control(f, ENABLE);
  program(f, 0, 0x1000, 1, 0);
  program(f, 1, 0x1000, 2, 0); /* there is none left */
  msix_signal(f->msix, 1);
  msix_signal(f->msix, 0);
  g_assert_cmpint(sent(f, 0), ==, 1);
  g_assert_cmpuint(f->pci.msi.n, ==, 1);
}

static void test_reset(Fixture *f, gconstpointer data) {
  control(f, ENABLE);
  program(f, 0, 0x1000, 1, 0);
  msix_signal(f->msix, 1);
  g_assert_cmphex(pending(f), ==, 2);
  device_reset(f->pci.host);
  g_assert_false(msix_enabled(f->msix));
  g_assert_cmphex(pending(f), ==, 0);
  g_assert_cmphex(msix_table_read(f->msix, 0, 8), ==, 0);
  g_assert_cmphex(msix_table_read(f->msix, 12, 4), ==, 1);
  g_assert_cmphex(cfg_read(&f->pci, SLOT, f->capability + 2, 2), ==, N_VECTORS - 1);
  control(f, ENABLE);
  program(f, 0, 0x5000, 5, 0);
  g_assert_cmpuint(f->pci.msi.n, ==, 1); /* the route is used again */
  g_assert_cmphex(f->pci.msi.routes[0].address, ==, 0x5000);
}

static void test_intx_off(Fixture *f, gconstpointer data) {
  FakeLine *wire = &f->pci.lines[SLOT];

  pci_function_set_intx(f->function, true);
  g_assert_cmpint(wire->level, ==, 1);
  control(f, ENABLE); /* a function with MSI-X on uses no wire */
  g_assert_cmpint(wire->level, ==, 0);
  control(f, 0);
  g_assert_cmpint(wire->level, ==, 1);
}

/* Event descriptors of others: the host takes their signals while the vector can fire, and only then. */
static void test_attach(Fixture *f, gconstpointer data) {
  enum { FIRST = 100, SECOND, OTHER };
  const MsiRoute *route = &f->pci.msi.routes[0], *other = &f->pci.msi.routes[1];

  msix_attach(f->msix, 0, FIRST); /* before there is anything to attach to */
  g_assert_cmpuint(f->pci.msi.n, ==, 0);
  control(f, ENABLE);
  program(f, 0, 0x1000, 1, 0);
  g_assert_cmpuint(route->n_attached, ==, 1);
  g_assert_cmpint(route->attached[0], ==, FIRST);
  msix_attach(f->msix, 0, SECOND); /* two queues may share a vector */
  g_assert_cmpuint(route->n_attached, ==, 2);
  program(f, 1, 0x1000, 2, 0);
  msix_attach(f->msix, 1, OTHER);
  g_assert_cmpuint(other->n_attached, ==, 1);

  msix_table_write(f->msix, CONTROL, 4, 1); /* masked: signals stay for their reader, who makes them pending */
  g_assert_cmpuint(route->n_attached, ==, 0);
  g_assert_cmpuint(other->n_attached, ==, 1);
  msix_signal(f->msix, 0);
  g_assert_cmphex(pending(f), ==, 1);
  msix_table_write(f->msix, CONTROL, 4, 0);
  g_assert_cmpuint(route->n_attached, ==, 2);
  g_assert_cmpint(sent(f, 0), ==, 1);

  control(f, ENABLE | FUNCTION_MASK);
  g_assert_cmpuint(route->n_attached + other->n_attached, ==, 0);
  control(f, ENABLE);
  g_assert_cmpuint(route->n_attached + other->n_attached, ==, 3);
  control(f, 0);
  g_assert_cmpuint(route->n_attached + other->n_attached, ==, 0);
  control(f, ENABLE);
  program(f, 0, 0x2000, 9, 0); /* another message: the route leads there, and they with it */
  g_assert_cmphex(route->data, ==, 9);
  g_assert_cmpuint(route->n_attached, ==, 2);

  msix_detach(f->msix, FIRST);
  msix_detach(f->msix, FIRST); /* not there any more */
  g_assert_cmpuint(route->n_attached, ==, 1);
  g_assert_cmpint(route->attached[0], ==, SECOND);
  msix_table_write(f->msix, CONTROL, 4, 1);
  msix_detach(f->msix, SECOND);
  msix_table_write(f->msix, CONTROL, 4, 0);
  g_assert_cmpuint(route->n_attached, ==, 0);

  device_reset(f->pci.host);
  msix_reset(f->msix);
  g_assert_cmpuint(other->n_attached, ==, 0);
  msix_detach(f->msix, OTHER);
}

/* What the host does not take stays for the reader, and is asked for again with the next chance. */
static void test_attach_refused(Fixture *f, gconstpointer data) {
  MsiRoute *route = &f->pci.msi.routes[0];

  control(f, ENABLE);
  program(f, 0, 0x1000, 1, 0);
  route->refuse = true;
  msix_attach(f->msix, 0, 100);
  g_assert_cmpuint(route->n_attached, ==, 0);
  msix_signal(f->msix, 0);
  g_assert_cmpint(sent(f, 0), ==, 1);
  route->refuse = false;
  msix_table_write(f->msix, CONTROL, 4, 0);
  g_assert_cmpuint(route->n_attached, ==, 1);
  msix_detach(f->msix, 100);

  f->pci.msi.limit = 1; /* a vector without a route */
  program(f, 1, 0x1000, 2, 0);
  msix_attach(f->msix, 1, 101);
  msix_detach(f->msix, 101);
  g_assert_cmpuint(f->pci.msi.n, ==, 1);
}

static void *signal_often(void *data) {
  for (unsigned i = 0; i < 20000; i++)
    msix_signal(data, 0);
  return NULL;
}

/*
 * One thread signals while a vCPU masks and unmasks: at the end a message is out for what was pending, and none is
 * pending unmasked.
 */
static void test_threads(Fixture *f, gconstpointer data) {
  control(f, ENABLE);
  program(f, 0, 0x1000, 1, 0);
  GThread *thread = g_thread_new("signal", signal_often, f->msix);
  for (unsigned i = 0; i < 5000; i++) {
    msix_table_write(f->msix, CONTROL, 4, i & 1);
    control(f, i & 2 ? ENABLE | FUNCTION_MASK : ENABLE);
  }
  g_thread_join(thread);
  msix_table_write(f->msix, CONTROL, 4, 1);
  control(f, ENABLE);
  msix_signal(f->msix, 0);
  g_assert_cmphex(pending(f), ==, 1);
  int before = sent(f, 0);
  msix_table_write(f->msix, CONTROL, 4, 0);
  g_assert_cmpint(sent(f, 0), ==, before + 1);
  g_assert_cmphex(pending(f), ==, 0);
}

#define ADD(path, function) g_test_add("/msix/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("capability", test_capability);
  ADD("table", test_table);
  ADD("table-wrong-accesses", test_table_wrong_accesses);
  ADD("signal", test_signal);
  ADD("vector-mask", test_vector_mask);
  ADD("function-mask", test_function_mask);
  ADD("message-changes", test_message_changes);
  ADD("no-route", test_no_route);
  ADD("reset", test_reset);
  ADD("intx-off", test_intx_off);
  ADD("attach", test_attach);
  ADD("attach-refused", test_attach_refused);
  ADD("threads", test_threads);
  return g_test_run();
}
