/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address map; see bus.h. After bus_seal the ranges are sorted and never change, so any number of vCPU threads look
 * up at once without a lock; the device's own lock is taken around its read or write. Counters are atomic; what has
 * been logged is guarded by `log_lock`.
 */
#include "devices/bus.h"
#include "devices/exit-path.h"

#define LOG_PAGE_SHIFT 12
#define LOG_PAGES_MAX  64 /* the guest chooses addresses: after this many pages it has made its point */

typedef struct {
  uint64_t first, last;
  Device *device;
  gint refused_logged; /* atomic */
} BusRange;

struct Bus {
  GArray *ranges; /* of BusRange, sorted by `first` once sealed */
  bool sealed;
  BusRange *recent;            /* atomic: where the last access went, which is where most go again; NULL: none yet */
  uint64_t unclaimed, refused; /* atomic */
  GMutex log_lock;
  unsigned n_logged;
  uint64_t logged[LOG_PAGES_MAX];
};

G_DEFINE_QUARK(eret_bus_error, bus_error)

Bus *bus_new(void) {
  Bus *bus = g_new0(Bus, 1);
  bus->ranges = g_array_new(FALSE, TRUE, sizeof(BusRange));
  g_mutex_init(&bus->log_lock);
  return bus;
}

void bus_free(Bus *bus) {
  if (!bus)
    return;
  g_array_unref(bus->ranges);
  g_mutex_clear(&bus->log_lock);
  g_free(bus);
}

bool bus_add(Bus *bus, const DeviceSlot *slot, Device *device, GError **error) {
  BusRange range = {.first = slot->base, .device = device};

  g_assert(!bus->sealed);
  if (slot->size == 0 || __builtin_add_overflow(slot->base, slot->size - 1, &range.last)) {
    g_set_error(error, BUS_ERROR, BUS_ERROR_RANGE, "%s cannot have %" G_GUINT64_FORMAT " bytes at 0x%" G_GINT64_MODIFIER "x", device->name,
                slot->size, slot->base);
    return false;
  }
  for (unsigned i = 0; i < bus->ranges->len; i++) {
    const BusRange *other = &g_array_index(bus->ranges, BusRange, i);
    if (range.first <= other->last && other->first <= range.last) {
      g_set_error(error, BUS_ERROR, BUS_ERROR_OVERLAP, "%s at 0x%" G_GINT64_MODIFIER "x overlaps %s at 0x%" G_GINT64_MODIFIER "x",
                  device->name, range.first, other->device->name, other->first);
      return false;
    }
  }
  g_array_append_val(bus->ranges, range);
  return true;
}

static int compare_ranges(gconstpointer a, gconstpointer b) {
  const BusRange *left = a, *right = b;
  return left->first < right->first ? -1 : left->first > right->first;
}

void bus_seal(Bus *bus) {
  g_array_sort(bus->ranges, compare_ranges);
  bus->sealed = true;
}

ON_EXIT_PATH static BusRange *find_range(const Bus *bus, uint64_t address) {
  unsigned low = 0, high = bus->ranges->len;

  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    BusRange *range = &g_array_index(bus->ranges, BusRange, middle);
    if (address < range->first)
      high = middle;
    else if (address > range->last)
      low = middle + 1;
    else
      return range;
  }
  return NULL;
}

Device *bus_find(const Bus *bus, uint64_t address, uint64_t *offset) {
  const BusRange *range = find_range(bus, address);

  if (!range)
    return NULL;
  *offset = address - range->first;
  return range->device;
}

const char *bus_name(const Bus *bus, uint64_t address, const char **reg) {
  uint64_t offset;
  const Device *device = bus_find(bus, address, &offset);

  *reg = "";
  if (!device)
    return NULL;
  const char *found = device->ops->register_name ? device->ops->register_name(device, offset) : NULL;
  const char *part = device->ops->part_name ? device->ops->part_name(device, offset) : NULL;
  if (found)
    *reg = found;
  return part ? part : device->name;
}

/* Whether this page has not been logged yet, and may be. */
static bool log_page_once(Bus *bus, uint64_t address) {
  uint64_t page = address >> LOG_PAGE_SHIFT;
  bool fresh;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&bus->log_lock);
  fresh = bus->n_logged < LOG_PAGES_MAX;
  for (unsigned i = 0; i < bus->n_logged && fresh; i++)
    fresh = bus->logged[i] != page;
  if (fresh)
    bus->logged[bus->n_logged++] = page;
  return fresh;
}

static bool contains(const BusRange *range, uint64_t address) {
  return address >= range->first && address <= range->last;
}

static inline BusRange *find_recent(Bus *bus, uint64_t address) {
  BusRange *range = __atomic_load_n(&bus->recent, __ATOMIC_SEQ_CST);

  if (range && contains(range, address))
    return range;
  range = find_range(bus, address);
  if (range)
    __atomic_store_n(&bus->recent, range, __ATOMIC_SEQ_CST);
  return range;
}

/* 1, 2, 4 or 8 bytes. */
static bool is_access_size(unsigned size) {
  return size <= 8 && (0x116u >> size & 1);
}

/* The device that takes this access, or NULL once it is counted as unclaimed or refused. */
ON_EXIT_PATH static Device *accept(Bus *bus, uint64_t address, unsigned size, bool is_read, uint64_t *offset) {
  const char *direction = is_read ? "read" : "write";
  BusRange *range = find_recent(bus, address);

  if (!range || !is_access_size(size) || size - 1 > range->last - address) {
    __atomic_fetch_add(&bus->unclaimed, 1, __ATOMIC_RELAXED);
    if (log_page_once(bus, address))
      g_message("guest %s of %u bytes at 0x%" G_GINT64_MODIFIER "x, where nothing is", direction, size, address);
    return NULL;
  }
  const DeviceOps *ops = range->device->ops;
  *offset = address - range->first;
  if (((ops->access_sizes | (is_read ? ops->read_sizes : 0)) & size) && (ops->unaligned || (*offset & (size - 1)) == 0))
    return range->device;
  __atomic_fetch_add(&bus->refused, 1, __ATOMIC_RELAXED);
  if (!__atomic_exchange_n(&range->refused_logged, 1, __ATOMIC_SEQ_CST))
    g_message("guest %s of %u bytes at 0x%" G_GINT64_MODIFIER "x: %s has no such access there", direction, size, address,
              range->device->name);
  return NULL;
}

ON_EXIT_PATH uint64_t bus_read(Bus *bus, uint64_t address, unsigned size) {
  uint64_t offset;
  Device *device = accept(bus, address, size, true, &offset);

  if (!device)
    return 0;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  return device->ops->read(device, offset, size);
}

ON_EXIT_PATH void bus_write(Bus *bus, uint64_t address, unsigned size, uint64_t value) {
  uint64_t offset;
  Device *device = accept(bus, address, size, false, &offset);

  if (!device)
    return;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  device->ops->write(device, offset, size, value);
}

uint64_t bus_unclaimed(const Bus *bus) {
  return __atomic_load_n(&bus->unclaimed, __ATOMIC_RELAXED);
}

uint64_t bus_refused(const Bus *bus) {
  return __atomic_load_n(&bus->refused, __ATOMIC_RELAXED);
}
