/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device an access goes to. Whatever ranges are added, those that the bus takes do not overlap, nor wrap round.
 * Of such, once they are sorted (by GLib, which is believed), each address finds the one that has it, and no access of
 * any size reaches beyond it.
 *
 * bounds: 3 devices at any addresses, of any size; any access
 * cbmc: --unwind 5
 * fault: devices/bus.c s#range.first <= other->last#range.first < other->last#
 * fault: devices/bus.c s#slot->size - 1, &range.last#slot->size, \&range.last#
 * fault: devices/bus.c s#low = middle + 1#low = middle#
 * fault: devices/bus.c s#address > range->last#address >= range->last#
 * fault: devices/bus.c s#high = middle;#high = middle - 1;#
 * fault: devices/bus.c s# .. size - 1 > range->last - address##
 * fault: devices/bus.c s#address <= range->last;#address <= range->last + 1;#
 */
#include "devices/bus.c"
#include "tests/prove/glib-stubs.h"

#define DEVICES 3

static BusRange ranges[DEVICES];
static Device devices[DEVICES];
static GArray array;
static Bus the_bus;

GArray *g_array_append_vals(GArray *to, gconstpointer data, guint n) {
  prove(n == 1 && to->len < DEVICES);
  ranges[to->len++] = *(const BusRange *)data;
  return to;
}

void g_set_error(GError **error, GQuark domain, gint code, const gchar *format, ...) {
}

GQuark g_quark_from_static_string(const gchar *string) {
  return 1;
}

static bool is_alone(const BusRange *range, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (ranges[i].first <= range->last && range->first <= ranges[i].last)
      return false;
  return range->first <= range->last;
}

/* A bus of N ranges; SORTED, as once it is sealed. */
static Bus *any_bus(unsigned n, bool sorted) {
  assume(n <= DEVICES);
  array = (GArray){.data = (char *)ranges, .len = n};
  the_bus = (Bus){.ranges = &array, .sealed = sorted};
  for (unsigned i = 0; i < n; i++) {
    ranges[i].first = any_u64();
    ranges[i].last = any_u64();
    ranges[i].device = &devices[i];
    if (sorted)
      assume(ranges[i].first <= ranges[i].last && (i == 0 || ranges[i - 1].last < ranges[i].first));
    else
      assume(is_alone(&ranges[i], i));
  }
  return &the_bus;
}

static void prove_adding(void) {
  unsigned n = any_unsigned();
  assume(n < DEVICES);
  Bus *bus = any_bus(n, false);
  DeviceSlot slot = {.base = any_u64(), .size = any_u64()};
  bool added = bus_add(bus, &slot, &devices[n], NULL);
  uint64_t last = slot.base + (slot.size - 1);

  prove(array.len == n + added);
  prove(added == (slot.size > 0 && is_alone(&(BusRange){.first = slot.base, .last = last}, n)));
  prove(!added || (ranges[n].first == slot.base && ranges[n].last == last && ranges[n].device == &devices[n]));
}

static void prove_looking_up(void) {
  Bus *bus = any_bus(any_unsigned(), true);
  uint64_t address = any_u64(), offset = 0;
  const Device *device = bus_find(bus, address, &offset);
  unsigned i = any_unsigned(); /* any range */

  assume(i < array.len);
  bool here = address >= ranges[i].first && address <= ranges[i].last;
  prove(here == (device == &devices[i]));
  prove(!here || offset == address - ranges[i].first);
}

static void prove_accepting(void) {
  static DeviceOps ops;
  Bus *bus = any_bus(any_unsigned(), true);
  uint64_t address = any_u64(), offset = 0;
  unsigned size = any_unsigned(), recent = any_unsigned(), i = any_unsigned();

  assume(recent <= array.len && i < array.len);
  bus->recent = recent < array.len ? &ranges[recent] : NULL;
  bus->n_logged = any_unsigned();
  assume(bus->n_logged == 0 || bus->n_logged == LOG_PAGES_MAX);
  ops.access_sizes = any_unsigned() & ACCESS_ANY;
  ops.read_sizes = any_unsigned() & ACCESS_ANY;
  ops.unaligned = any_bool();
  for (unsigned k = 0; k < DEVICES; k++)
    devices[k].ops = &ops;
  const Device *device = accept(bus, address, size, any_bool(), &offset);
  if (device != &devices[i])
    return;
  prove(size == 1 || size == 2 || size == 4 || size == 8);
  prove(address == ranges[i].first + offset && offset <= ranges[i].last - ranges[i].first);
  prove(size - 1 <= ranges[i].last - ranges[i].first - offset);
  prove(ops.unaligned || offset % size == 0);
}
