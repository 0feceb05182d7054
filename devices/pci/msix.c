/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X; see msix.h for the specification and the lock. The table is kept as the guest sees it, an array of 32-bit
 * words; a route to the MSI controller is made when a vector is first able to fire and follows the entry from then on.
 */
#include "devices/pci/msix.h"

#define MSIX_CAPABILITY_ID   0x11
#define MSIX_CAPABILITY_SIZE 12

/* Capability: 7.7.2. */
#define MESSAGE_CONTROL               2
#define TABLE_OFFSET_BIR              4
#define PBA_OFFSET_BIR                8
#define MESSAGE_CONTROL_FUNCTION_MASK 0x4000
#define MESSAGE_CONTROL_ENABLE        0x8000

/* Words of a table entry: 7.7.2.5 to 7.7.2.8, and the bits of each that the guest may change. */
enum { ENTRY_ADDRESS_LOW, ENTRY_ADDRESS_HIGH, ENTRY_DATA, ENTRY_CONTROL, ENTRY_WORDS };
static const uint32_t entry_writable[ENTRY_WORDS] = {~UINT32_C(3), UINT32_MAX, UINT32_MAX, 1};
#define ENTRY_CONTROL_MASK 1

#define PBA_WORD_BITS 32

typedef struct {
  MsiRoute *route; /* NULL: not needed yet, or not to be had */
  bool no_route;
} Vector;

/* An event descriptor that is to send the message of a vector. */
typedef struct {
  int fd;
  unsigned vector;
  bool attached; /* the host does it */
} Call;

struct MsiX {
  PciFunction *function;
  MsiController *controller;
  unsigned capability, n_vectors;
  GMutex lock;
  /* Guest-visible. */
  uint32_t table[MSIX_MAX_VECTORS * ENTRY_WORDS];
  uint32_t pending[MSIX_MAX_VECTORS / PBA_WORD_BITS];
  int enabled; /* atomic */
  bool function_mask;
  /* The host's. */
  Vector vectors[MSIX_MAX_VECTORS];
  GArray *calls; /* of Call */
};

MsiX *msix_new(PciFunction *function, unsigned n_vectors, unsigned bar, uint32_t table_offset, uint32_t pba_offset) {
  MsiX *msix = g_new0(MsiX, 1);

  g_assert(n_vectors > 0 && n_vectors <= MSIX_MAX_VECTORS);
  g_mutex_init(&msix->lock);
  msix->calls = g_array_new(FALSE, FALSE, sizeof(Call));
  msix->function = function;
  msix->controller = pci_function_msi(function);
  msix->n_vectors = n_vectors;
  msix->capability = pci_function_add_capability(function, MSIX_CAPABILITY_ID, MSIX_CAPABILITY_SIZE);
  pci_config_set(function, msix->capability + MESSAGE_CONTROL, 2, n_vectors - 1);
  pci_config_allow(function, msix->capability + MESSAGE_CONTROL, 2, MESSAGE_CONTROL_ENABLE | MESSAGE_CONTROL_FUNCTION_MASK);
  pci_config_set(function, msix->capability + TABLE_OFFSET_BIR, 4, table_offset | bar);
  pci_config_set(function, msix->capability + PBA_OFFSET_BIR, 4, pba_offset | bar);
  msix_reset(msix);
  return msix;
}

void msix_free(MsiX *msix) {
  if (!msix)
    return;
  for (unsigned i = 0; i < msix->n_vectors; i++)
    msix->controller->ops->route_free(msix->vectors[i].route);
  g_array_unref(msix->calls);
  g_mutex_clear(&msix->lock);
  g_free(msix);
}

/* All below with the lock. */

static bool can_fire(const MsiX *msix, unsigned vector) {
  return msix->enabled && !msix->function_mask && !(msix->table[vector * ENTRY_WORDS + ENTRY_CONTROL] & ENTRY_CONTROL_MASK);
}

static bool is_pending(const MsiX *msix, unsigned vector) {
  return msix->pending[vector / PBA_WORD_BITS] >> vector % PBA_WORD_BITS & 1;
}

static void set_pending(MsiX *msix, unsigned vector, bool pending) {
  uint32_t bit = UINT32_C(1) << vector % PBA_WORD_BITS;
  uint32_t *word = &msix->pending[vector / PBA_WORD_BITS];

  *word = pending ? *word | bit : *word & ~bit;
}

/* Makes the vector's route, or points it where the entry says now. */
static void update_route(MsiX *msix, unsigned vector) {
  const uint32_t *entry = &msix->table[vector * ENTRY_WORDS];
  Vector *state = &msix->vectors[vector];

  if (!state->route && !state->no_route) {
    state->route = msix->controller->ops->route_new(msix->controller, pci_function_id(msix->function));
    state->no_route = !state->route;
    if (state->no_route)
      g_message("%s: no route left for its interrupt vector %u", msix->function->name, vector);
  }
  if (state->route)
    msix->controller->ops->route_set(state->route, (uint64_t)entry[ENTRY_ADDRESS_HIGH] << 32 | entry[ENTRY_ADDRESS_LOW], entry[ENTRY_DATA]);
}

static void send(MsiX *msix, unsigned vector) {
  if (msix->vectors[vector].route)
    msix->controller->ops->route_signal(msix->vectors[vector].route);
}

/* Has the host signal for the descriptor, or no more, as the vector now is. */
static void update_call(MsiX *msix, Call *call) {
  const MsiControllerOps *ops = msix->controller->ops;
  MsiRoute *route = msix->vectors[call->vector].route;
  bool attach = route && ops->route_attach && can_fire(msix, call->vector);

  if (attach == call->attached)
    return;
  if (attach)
    call->attached = ops->route_attach(route, call->fd);
  else
    ops->route_detach(route, call->fd);
  call->attached = attach && call->attached;
}

static void update_calls(MsiX *msix, unsigned vector) {
  for (unsigned i = 0; i < msix->calls->len; i++)
    if (g_array_index(msix->calls, Call, i).vector == vector)
      update_call(msix, &g_array_index(msix->calls, Call, i));
}

/* After anything that may have masked or unmasked the vector, or changed its message. */
static void refresh(MsiX *msix, unsigned vector) {
  if (can_fire(msix, vector))
    update_route(msix, vector);
  update_calls(msix, vector);
  if (!can_fire(msix, vector) || !is_pending(msix, vector))
    return;
  set_pending(msix, vector, false);
  send(msix, vector);
}

/* The entry points. */

void msix_reset(MsiX *msix) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  for (unsigned i = 0; i < msix->n_vectors * ENTRY_WORDS; i++)
    msix->table[i] = i % ENTRY_WORDS == ENTRY_CONTROL ? ENTRY_CONTROL_MASK : 0;
  for (unsigned i = 0; i < G_N_ELEMENTS(msix->pending); i++)
    msix->pending[i] = 0;
  __atomic_store_n(&msix->enabled, 0, __ATOMIC_SEQ_CST);
  msix->function_mask = false;
  for (unsigned i = 0; i < msix->n_vectors; i++)
    refresh(msix, i);
}

static bool aligned_inside(uint64_t offset, unsigned size, uint64_t limit) {
  return (size == 4 || size == 8) && offset % size == 0 && offset < limit && size <= limit - offset;
}

static uint64_t read_words(const uint32_t *words, uint64_t offset, unsigned size) {
  uint64_t value = words[offset / 4];

  return size == 8 ? value | (uint64_t)words[offset / 4 + 1] << 32 : value;
}

uint64_t msix_table_read(MsiX *msix, uint64_t offset, unsigned size) {
  if (!aligned_inside(offset, size, (uint64_t)msix->n_vectors * MSIX_ENTRY_SIZE))
    return 0;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  return read_words(msix->table, offset, size);
}

void msix_table_write(MsiX *msix, uint64_t offset, unsigned size, uint64_t value) {
  if (!aligned_inside(offset, size, (uint64_t)msix->n_vectors * MSIX_ENTRY_SIZE))
    return;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  for (unsigned i = 0; i < size / 4; i++) {
    unsigned word = (unsigned)(offset / 4) + i;
    msix->table[word] = (uint32_t)(value >> (32 * i)) & entry_writable[word % ENTRY_WORDS];
  }
  refresh(msix, (unsigned)(offset / MSIX_ENTRY_SIZE));
}

uint64_t msix_pba_read(MsiX *msix, uint64_t offset, unsigned size) {
  if (!aligned_inside(offset, size, sizeof msix->pending))
    return 0;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  return read_words(msix->pending, offset, size);
}

void msix_control_written(MsiX *msix) {
  uint32_t control = pci_config_get(msix->function, msix->capability + MESSAGE_CONTROL, 2);
  bool enabled = control & MESSAGE_CONTROL_ENABLE, function_mask = control & MESSAGE_CONTROL_FUNCTION_MASK;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  if (enabled != msix->enabled || function_mask != msix->function_mask) {
    __atomic_store_n(&msix->enabled, enabled, __ATOMIC_SEQ_CST);
    msix->function_mask = function_mask;
    /* What was pending for a driver that has switched off is not for the one that comes after it. */
    for (unsigned i = 0; i < G_N_ELEMENTS(msix->pending) && !enabled; i++)
      msix->pending[i] = 0;
    for (unsigned i = 0; i < msix->n_vectors; i++)
      refresh(msix, i);
  }
}

bool msix_enabled(const MsiX *msix) {
  return __atomic_load_n(&msix->enabled, __ATOMIC_SEQ_CST);
}

void msix_signal(MsiX *msix, unsigned vector) {
  if (vector >= msix->n_vectors)
    return;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  if (can_fire(msix, vector))
    send(msix, vector);
  else if (msix->enabled)
    set_pending(msix, vector, true);
}

void msix_attach(MsiX *msix, unsigned vector, int fd) {
  Call call = {.fd = fd, .vector = vector};

  g_assert(vector < msix->n_vectors);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  update_call(msix, &call);
  g_array_append_val(msix->calls, call);
}

void msix_detach(MsiX *msix, int fd) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&msix->lock);
  for (unsigned i = 0; i < msix->calls->len; i++) {
    const Call *call = &g_array_index(msix->calls, Call, i);
    if (call->fd != fd)
      continue;
    if (call->attached)
      msix->controller->ops->route_detach(msix->vectors[call->vector].route, fd);
    g_array_remove_index_fast(msix->calls, i);
    break;
  }
}
