/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two kinds of shortcut; see the header.
 *
 * Deferred writes: the ring is one for the VM, and lies in memory that every vCPU's descriptor maps. Nothing tells that
 * there is something in it, so whoever comes out of KVM_RUN looks, before it does anything else: that keeps all
 * accesses in order. A zone that is deferred briefly is looked after by a timer on the main loop while it is in use,
 * and taken away when it no longer is, so that an idle machine has no timer.
 *
 * Locks: `catching_up` is held while deferred writes are carried out, and by nobody who holds a device's lock; `lock`
 * guards the tables, innermost.
 */
#include "vmm/machine/kvm/shortcuts.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/exit-path.h"
#include "vmm/arm/kvm-abi.h"

#define FIRST_SLOT      8  /* of memory; guest RAM has the ones below */
#define TICK_MS         10 /* how long a write may wait that is deferred briefly */
#define TICKS_UNTIL_END 3  /* without a write */

typedef struct {
  uint64_t address;
  size_t size;
  const void *bytes;
  uint32_t slot;
} Mapping;

typedef struct {
  uint64_t address;
  unsigned size;
  DeferFor how_long;
  unsigned idle; /* ticks */
} Zone;

struct KvmShortcuts {
  Shortcuts base;
  GMutex lock, catching_up;
  Bus *bus;
  int vm_fd;                            /* -1: not connected */
  struct kvm_coalesced_mmio_ring *ring; /* NULL: not connected, or none; atomic */
  unsigned ring_size;
  GArray *mappings, *zones; /* in force, or to be as soon as there is a VM */
  GSource *timer;           /* NULL: no zone is deferred briefly */
  GThread *catcher;         /* who carries out deferred writes now; atomic */
  uint64_t deferred_writes; /* atomic */
};

/* Memory. */

static bool set_slot(const KvmShortcuts *shortcuts, const Mapping *mapping, bool present) {
  struct kvm_userspace_memory_region region = {
      .slot = mapping->slot,
      .flags = present ? KVM_MEM_READONLY : 0,
      .guest_phys_addr = mapping->address,
      .memory_size = present ? mapping->size : 0, /* 0 deletes */
      .userspace_addr = (uintptr_t)mapping->bytes,
  };

  return shortcuts->vm_fd < 0 || ioctl(shortcuts->vm_fd, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

static bool is_taken(const GArray *mappings, uint32_t slot) {
  for (unsigned i = 0; i < mappings->len; i++)
    if (g_array_index(mappings, Mapping, i).slot == slot)
      return true;
  return false;
}

static uint32_t free_slot(const GArray *mappings) {
  uint32_t slot = FIRST_SLOT;

  while (is_taken(mappings, slot))
    slot++;
  return slot;
}

static bool map(Shortcuts *base, uint64_t address, size_t size, const void *bytes) {
  KvmShortcuts *shortcuts = (KvmShortcuts *)base;

  if ((address | size | (uintptr_t)bytes) % base->page_size)
    return false;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->lock);
  Mapping mapping = {address, size, bytes, free_slot(shortcuts->mappings)};
  bool done = set_slot(shortcuts, &mapping, true); /* KVM refuses one that overlaps */
  if (done)
    g_array_append_val(shortcuts->mappings, mapping);
  return done;
}

static void unmap(Shortcuts *base, uint64_t address) {
  KvmShortcuts *shortcuts = (KvmShortcuts *)base;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->lock);
  for (unsigned i = 0; i < shortcuts->mappings->len; i++) {
    const Mapping *mapping = &g_array_index(shortcuts->mappings, Mapping, i);
    if (mapping->address != address)
      continue;
    set_slot(shortcuts, mapping, false);
    g_array_remove_index_fast(shortcuts->mappings, i);
    break;
  }
}

/* Deferred writes. */

static void set_zone(const KvmShortcuts *shortcuts, const Zone *zone, bool present) {
  struct kvm_coalesced_mmio_zone request = {.addr = zone->address, .size = zone->size};

  if (shortcuts->ring)
    ioctl(shortcuts->vm_fd, present ? KVM_REGISTER_COALESCED_MMIO : KVM_UNREGISTER_COALESCED_MMIO,
          &request); /* without it they come at once */
}

static Zone *find_zone(const KvmShortcuts *shortcuts, uint64_t address) {
  for (unsigned i = 0; i < shortcuts->zones->len; i++)
    if (g_array_index(shortcuts->zones, Zone, i).address == address)
      return &g_array_index(shortcuts->zones, Zone, i);
  return NULL;
}

static void remove_zone(KvmShortcuts *shortcuts, Zone *zone) {
  set_zone(shortcuts, zone, false);
  g_array_remove_index_fast(shortcuts->zones, (unsigned)(zone - (Zone *)shortcuts->zones->data));
}

/* Whether any zone still needs the timer. */
static bool age_zones(KvmShortcuts *shortcuts) {
  bool any = false;

  /* From the last: what takes the place of one that is removed has had its turn. */
  for (unsigned left = shortcuts->zones->len; left > 0; left--) {
    Zone *zone = &g_array_index(shortcuts->zones, Zone, left - 1);
    if (zone->how_long != DEFER_BRIEFLY)
      continue;
    if (++zone->idle >= TICKS_UNTIL_END)
      remove_zone(shortcuts, zone);
    else
      any = true;
  }
  return any;
}

static gboolean tick(gpointer data) {
  KvmShortcuts *shortcuts = data;

  kvm_shortcuts_catch_up(shortcuts);
  g_mutex_lock(&shortcuts->lock);
  bool any = age_zones(shortcuts);
  if (!any)
    g_clear_pointer(&shortcuts->timer, g_source_unref);
  g_mutex_unlock(&shortcuts->lock);
  /* What was written while a zone still was one: if the guest has nothing more to say, nobody else comes by. */
  kvm_shortcuts_catch_up(shortcuts);
  return any;
}

static void start_timer(KvmShortcuts *shortcuts) {
  if (shortcuts->timer)
    return;
  shortcuts->timer = g_timeout_source_new(TICK_MS);
  g_source_set_callback(shortcuts->timer, tick, shortcuts, NULL);
  g_source_attach(shortcuts->timer, NULL);
}

static void defer(Shortcuts *base, uint64_t address, unsigned size, DeferFor how_long) {
  KvmShortcuts *shortcuts = (KvmShortcuts *)base;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->lock);
  Zone *zone = find_zone(shortcuts, address);
  if (zone) {
    zone->idle = 0;
  } else {
    Zone new_zone = {address, size, how_long, 0};
    g_array_append_val(shortcuts->zones, new_zone);
    set_zone(shortcuts, &new_zone, true);
  }
  if (how_long == DEFER_BRIEFLY)
    start_timer(shortcuts);
}

static void undefer(Shortcuts *base, uint64_t address) {
  KvmShortcuts *shortcuts = (KvmShortcuts *)base;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->lock);
  Zone *zone = find_zone(shortcuts, address);
  if (zone)
    remove_zone(shortcuts, zone);
}

static bool is_catching_up(Shortcuts *base) {
  return __atomic_load_n(&((KvmShortcuts *)base)->catcher, __ATOMIC_SEQ_CST) == g_thread_self();
}

static bool is_behind(const struct kvm_coalesced_mmio_ring *ring) {
  return __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE) != __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
}

/* Out of line: mostly there is nothing to do. */
static G_GNUC_NO_INLINE void carry_out(KvmShortcuts *shortcuts) {
  struct kvm_coalesced_mmio_ring *ring = shortcuts->ring;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->catching_up);
  __atomic_store_n(&shortcuts->catcher, g_thread_self(), __ATOMIC_SEQ_CST);
  /* What comes meanwhile is for its writer's own exit: order needs no more, and vCPUs cannot keep a thread here. */
  for (uint32_t last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE); ring->first != last;) {
    const struct kvm_coalesced_mmio *entry = &ring->coalesced_mmio[ring->first];
    uint64_t value = 0;
    memcpy(&value, entry->data, MIN(entry->len, sizeof value));
    bus_write(shortcuts->bus, entry->phys_addr, entry->len, value);
    __atomic_fetch_add(&shortcuts->deferred_writes, 1, __ATOMIC_RELAXED);
    /* Only now: another vCPU that comes out must not go on before this one has taken effect. */
    __atomic_store_n(&ring->first, (ring->first + 1) % shortcuts->ring_size, __ATOMIC_RELEASE);
  }
  __atomic_store_n(&shortcuts->catcher, NULL, __ATOMIC_SEQ_CST);
}

ON_EXIT_PATH void kvm_shortcuts_catch_up(KvmShortcuts *shortcuts) {
  if (shortcuts && __atomic_load_n(&shortcuts->ring, __ATOMIC_SEQ_CST) && is_behind(shortcuts->ring))
    carry_out(shortcuts);
}

uint64_t kvm_shortcuts_deferred_writes(const KvmShortcuts *shortcuts) {
  return shortcuts ? __atomic_load_n(&shortcuts->deferred_writes, __ATOMIC_RELAXED) : 0;
}

/* Life. */

KvmShortcuts *kvm_shortcuts_new(void) {
  KvmShortcuts *shortcuts = g_new0(KvmShortcuts, 1);

  shortcuts->base = (Shortcuts){(size_t)sysconf(_SC_PAGESIZE), map, unmap, defer, undefer, is_catching_up};
  shortcuts->vm_fd = -1;
  shortcuts->mappings = g_array_new(FALSE, FALSE, sizeof(Mapping));
  shortcuts->zones = g_array_new(FALSE, FALSE, sizeof(Zone));
  g_mutex_init(&shortcuts->lock);
  g_mutex_init(&shortcuts->catching_up);
  return shortcuts;
}

static void stop_timer(KvmShortcuts *shortcuts) {
  if (shortcuts->timer)
    g_source_destroy(shortcuts->timer);
  g_clear_pointer(&shortcuts->timer, g_source_unref);
}

void kvm_shortcuts_free(KvmShortcuts *shortcuts) {
  if (!shortcuts)
    return;
  stop_timer(shortcuts);
  g_array_unref(shortcuts->mappings);
  g_array_unref(shortcuts->zones);
  g_mutex_clear(&shortcuts->lock);
  g_mutex_clear(&shortcuts->catching_up);
  g_free(shortcuts);
}

Shortcuts *kvm_shortcuts_base(KvmShortcuts *shortcuts) {
  return &shortcuts->base;
}

void kvm_shortcuts_set_bus(KvmShortcuts *shortcuts, Bus *bus) {
  shortcuts->bus = bus;
}

/* KVM_CAP_COALESCED_MMIO is the page of the shared memory where the ring is. */
static void find_ring(KvmShortcuts *shortcuts, int vm_fd, void *shared, size_t size) {
  size_t page = shortcuts->base.page_size;
  int number = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO);

  shortcuts->ring_size = (unsigned)((page - sizeof *shortcuts->ring) / sizeof shortcuts->ring->coalesced_mmio[0]);
  if (number > 0 && ((size_t)number + 1) * page <= size)
    __atomic_store_n(&shortcuts->ring, (struct kvm_coalesced_mmio_ring *)((uint8_t *)shared + (size_t)number * page), __ATOMIC_SEQ_CST);
}

void kvm_shortcuts_connect(KvmShortcuts *shortcuts, int vm_fd, void *shared, size_t size) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->lock);
  shortcuts->vm_fd = vm_fd;
  find_ring(shortcuts, vm_fd, shared, size);
  for (unsigned i = 0; i < shortcuts->mappings->len; i++)
    set_slot(shortcuts, &g_array_index(shortcuts->mappings, Mapping, i), true); /* what does not succeed is read by exits */
  for (unsigned i = 0; i < shortcuts->zones->len; i++)
    set_zone(shortcuts, &g_array_index(shortcuts->zones, Zone, i), true);
}

void kvm_shortcuts_disconnect(KvmShortcuts *shortcuts) {
  kvm_shortcuts_catch_up(shortcuts);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&shortcuts->lock);
  __atomic_store_n(&shortcuts->ring, NULL, __ATOMIC_SEQ_CST);
  shortcuts->vm_fd = -1;
}
