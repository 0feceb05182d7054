/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher: function ID to service, for every door. Arm SMC Calling Convention (DEN 0028): function identifiers,
 * arguments and results, and the answer to an unknown function.
 *
 * The services are sorted by function ID and do not change once the guest runs, so a look-up takes no lock. Counters
 * are atomic. A service locks what is its own.
 */
#include "vmm/hypercall/hypercall.h"

#include <string.h>

#include "devices/exit-path.h"
#include "vmm/hypercall/services.h"

typedef struct {
  HypercallService service; /* first: what hypercalls_find hands out is the entry */
  uint64_t calls;           /* atomic */
} Entry;

struct Hypercalls {
  GPtrArray *entries; /* of Entry, sorted by `first`, without overlaps */
  Entry unknown;
  EretServices *eret;
};

/* As KVM answers it: x1 to x3 are zero. */
static HypercallOutcome call_unknown(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  call->x[0] = (uint64_t)HYPERCALL_NOT_SUPPORTED;
  return HYPERCALL_RETURN;
}

static const HypercallService unknown_service = {
    .name = "unknown",
    .last = UINT32_MAX,
    .doors = HYPERCALL_BY_ANY,
    .n_results = 4,
    .handle = call_unknown,
};

Hypercalls *hypercalls_new(const HypercallSink *sink, void *opaque) {
  Hypercalls *hypercalls = g_new0(Hypercalls, 1);

  hypercalls->entries = g_ptr_array_new_with_free_func(g_free);
  hypercalls->unknown.service = unknown_service;
  hypercalls->eret = eret_services_new(sink, opaque);
  bool added = eret_services_add(hypercalls->eret, hypercalls);
  g_assert(added); /* a const table: only a mistake in it can overlap */
  return hypercalls;
}

void hypercalls_free(Hypercalls *hypercalls) {
  if (!hypercalls)
    return;
  g_ptr_array_unref(hypercalls->entries);
  eret_services_free(hypercalls->eret);
  g_free(hypercalls);
}

static Entry *entry_at(const Hypercalls *hypercalls, unsigned index) {
  return g_ptr_array_index(hypercalls->entries, index);
}

/* The first entry that ends at or above FUNCTION: the only one that can contain it. n entries if there is none. */
ON_EXIT_PATH static unsigned lower_bound(const Hypercalls *hypercalls, uint32_t function) {
  unsigned low = 0, high = hypercalls->entries->len;

  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (entry_at(hypercalls, middle)->service.last < function)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool hypercalls_add(Hypercalls *hypercalls, const HypercallService *service) {
  g_return_val_if_fail(service->first <= service->last && service->handle, false);
  g_return_val_if_fail(service->n_args < HYPERCALL_N_REGISTERS && service->n_results <= HYPERCALL_N_REGISTERS, false);

  unsigned place = lower_bound(hypercalls, service->first);
  if (place < hypercalls->entries->len && entry_at(hypercalls, place)->service.first <= service->last)
    return false;
  Entry *entry = g_new0(Entry, 1);
  entry->service = *service;
  g_ptr_array_insert(hypercalls->entries, (int)place, entry);
  return true;
}

ON_EXIT_PATH const HypercallService *hypercalls_find(const Hypercalls *hypercalls, uint32_t function, HypercallDoor door) {
  unsigned place = lower_bound(hypercalls, function);

  if (place == hypercalls->entries->len)
    return &hypercalls->unknown.service;
  const HypercallService *service = &entry_at(hypercalls, place)->service;
  return service->first <= function && (service->doors & door) ? service : &hypercalls->unknown.service;
}

ON_EXIT_PATH HypercallOutcome hypercalls_call(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  Entry *entry = (Entry *)service;

  __atomic_fetch_add(&entry->calls, 1, __ATOMIC_RELAXED);
  return service->handle(hypercalls, service, call);
}

HypercallOutcome hypercalls_call_registers(Hypercalls *hypercalls, HypercallDoor door, unsigned vcpu, uint32_t function,
                                           uint64_t x[HYPERCALL_N_REGISTERS]) {
  const HypercallService *service = hypercalls_find(hypercalls, function, door);
  Hypercall call = {.function = function, .door = door, .vcpu = vcpu};

  memcpy(&call.x[1], &x[1], service->n_args * sizeof *x);
  HypercallOutcome outcome = hypercalls_call(hypercalls, service, &call);
  if (hypercall_returns(outcome))
    memcpy(x, call.x, service->n_results * sizeof *x);
  return outcome;
}

int hypercalls_exit_code(const Hypercalls *hypercalls) {
  return eret_services_exit_code(hypercalls->eret);
}

static uint64_t calls_of(const Entry *entry) {
  return __atomic_load_n(&entry->calls, __ATOMIC_RELAXED);
}

uint64_t hypercalls_unknown(const Hypercalls *hypercalls) {
  return calls_of(&hypercalls->unknown);
}

unsigned hypercalls_n_services(const Hypercalls *hypercalls) {
  return hypercalls->entries->len;
}

HypercallCount hypercalls_count_at(const Hypercalls *hypercalls, unsigned index) {
  const Entry *entry = entry_at(hypercalls, index);

  return (HypercallCount){entry->service.name, entry->service.first, entry->service.last, calls_of(entry)};
}

uint64_t hypercalls_count(const Hypercalls *hypercalls, const char *name) {
  uint64_t calls = 0;

  for (unsigned i = 0; i < hypercalls->entries->len; i++) {
    const Entry *entry = entry_at(hypercalls, i);
    if (g_str_equal(entry->service.name, name))
      calls += calls_of(entry);
  }
  return calls;
}
