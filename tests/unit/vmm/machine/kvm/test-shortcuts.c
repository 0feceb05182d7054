/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Late writes: vmm/machine/kvm/shortcuts.c, on a KVM that the test plays. Native builds have no KVM, so its source is
 * included, and its ioctl is ours.
 */
#include <sys/ioctl.h>

int fake_ioctl(int fd, unsigned long request, ...);
#define ioctl fake_ioctl
#include "vmm/machine/kvm/shortcuts.c"
#undef ioctl

#include <stdarg.h>

#define ADDRESS 0x9000000
#define PAGE    4096

/* KVM: a ring, and one zone, into which the guest writes at a moment of the test's choice. */
typedef struct {
  struct kvm_coalesced_mmio_ring *ring;
  bool zone;
  bool write_at_end; /* while the zone is on its way out */
} FakeKvm;

static FakeKvm kvm;

static bool guest_writes(uint8_t value) {
  if (!kvm.zone)
    return false;
  struct kvm_coalesced_mmio *entry = &kvm.ring->coalesced_mmio[kvm.ring->last];
  *entry = (struct kvm_coalesced_mmio){.phys_addr = ADDRESS, .len = 1, .data = {value}};
  kvm.ring->last++;
  return true;
}

int fake_ioctl(int fd, unsigned long request, ...) {
  switch (request) {
  case KVM_CHECK_EXTENSION:
    return 1; /* the page of the ring */
  case KVM_REGISTER_COALESCED_MMIO:
    kvm.zone = true;
    return 0;
  case KVM_UNREGISTER_COALESCED_MMIO:
    if (kvm.write_at_end)
      g_assert_true(guest_writes('z'));
    kvm.write_at_end = kvm.zone = false;
    return 0;
  default:
    return -1;
  }
}

/* A device that remembers what was written to it. */
typedef struct {
  Device device;
  GString *written;
  Shortcuts *defers; /* and has the next write deferred, as often as it is written to, if not NULL */
  unsigned again;    /* this often another vCPU has written once more before a write is over */
} FakeDevice;

static uint64_t fake_read(Device *device, uint64_t offset, unsigned size) {
  return 0;
}

static void fake_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  FakeDevice *fake = (FakeDevice *)device;

  g_string_append_c(fake->written, (char)value);
  if (fake->defers)
    fake->defers->defer(fake->defers, ADDRESS, 1, DEFER_BRIEFLY);
  if (fake->again && fake->again--)
    g_assert_true(guest_writes('+'));
}

static void fake_nothing(Device *device) {
}

static void fake_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
}

static const DeviceOps fake_ops = {
    .access_sizes = ACCESS_ANY,
    .read = fake_read,
    .write = fake_write,
    .describe = fake_describe,
    .reset = fake_nothing,
    .free = fake_nothing,
};

typedef struct {
  KvmShortcuts *shortcuts;
  Bus *bus;
  FakeDevice device;
  void *shared;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  const DeviceSlot slot = {.base = ADDRESS, .size = PAGE};

  fixture->shared = g_malloc0(2 * (gsize)sysconf(_SC_PAGESIZE));
  kvm = (FakeKvm){.ring = (struct kvm_coalesced_mmio_ring *)((uint8_t *)fixture->shared + sysconf(_SC_PAGESIZE))};
  device_init(&fixture->device.device, &fake_ops, "fake", NULL);
  fixture->device.written = g_string_new(NULL);
  fixture->bus = bus_new();
  g_assert_true(bus_add(fixture->bus, &slot, &fixture->device.device, NULL));
  bus_seal(fixture->bus);
  fixture->shortcuts = kvm_shortcuts_new();
  kvm_shortcuts_set_bus(fixture->shortcuts, fixture->bus);
  kvm_shortcuts_connect(fixture->shortcuts, 0, fixture->shared, 2 * (gsize)sysconf(_SC_PAGESIZE));
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  kvm_shortcuts_disconnect(fixture->shortcuts);
  kvm_shortcuts_free(fixture->shortcuts);
  bus_free(fixture->bus);
  device_clear(&fixture->device.device);
  g_string_free(fixture->device.written, TRUE);
  g_free(fixture->shared);
}

/* As the main thread does, until nothing is to come. */
static void run_until_idle(const Fixture *fixture) {
  while (fixture->shortcuts->timer)
    g_main_context_iteration(NULL, TRUE);
}

static void defer_briefly(Fixture *fixture) {
  Shortcuts *base = kvm_shortcuts_base(fixture->shortcuts);
  base->defer(base, ADDRESS, 1, DEFER_BRIEFLY);
}

static void test_brief(Fixture *fixture, gconstpointer data) {
  defer_briefly(fixture);
  g_assert_true(guest_writes('a'));
  g_assert_true(guest_writes('b'));
  run_until_idle(fixture);
  g_assert_cmpstr(fixture->device.written->str, ==, "ab");
  g_assert_false(kvm.zone);
  g_assert_cmpuint(kvm_shortcuts_deferred_writes(fixture->shortcuts), ==, 2);
}

/*
 * A write that comes after the last look into the ring, and before the zone is gone, does not wait for an exit that may
 * never come.
 */
static void test_at_the_end(Fixture *fixture, gconstpointer data) {
  defer_briefly(fixture);
  kvm.write_at_end = true;
  run_until_idle(fixture);
  g_assert_false(kvm.zone);
  g_assert_cmpstr(fixture->device.written->str, ==, "z");
}

/* Nor where it makes the device ask for the zone again: then there is a timer again. */
static void test_again_at_the_end(Fixture *fixture, gconstpointer data) {
  fixture->device.defers = kvm_shortcuts_base(fixture->shortcuts);
  defer_briefly(fixture);
  kvm.write_at_end = true;
  while (kvm.write_at_end)
    g_main_context_iteration(NULL, TRUE);
  g_assert_cmpstr(fixture->device.written->str, ==, "z");
  g_assert_true(kvm.zone);
  g_assert_nonnull(fixture->shortcuts->timer);
  g_assert_true(guest_writes('y'));
  run_until_idle(fixture);
  g_assert_cmpstr(fixture->device.written->str, ==, "zy");
  g_assert_false(kvm.zone);
}

/* Other vCPUs cannot keep a thread busy with what they write meanwhile. */
static void test_others_go_on(Fixture *fixture, gconstpointer data) {
  defer_briefly(fixture);
  fixture->device.again = 5;
  g_assert_true(guest_writes('a'));
  g_assert_true(guest_writes('b'));
  kvm_shortcuts_catch_up(fixture->shortcuts);
  g_assert_cmpstr(fixture->device.written->str, ==, "ab");
  run_until_idle(fixture);
  g_assert_cmpstr(fixture->device.written->str, ==, "ab+++++");
}

int main(int argc, char *argv[]) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/shortcuts/brief", Fixture, NULL, set_up, test_brief, tear_down);
  g_test_add("/shortcuts/at-the-end", Fixture, NULL, set_up, test_at_the_end, tear_down);
  g_test_add("/shortcuts/again-at-the-end", Fixture, NULL, set_up, test_again_at_the_end, tear_down);
  g_test_add("/shortcuts/others-go-on", Fixture, NULL, set_up, test_others_go_on, tear_down);
  return g_test_run();
}
