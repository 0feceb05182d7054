/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dispatcher: function ID to service, for every door. Arm SMC Calling Convention (DEN 0028): function identifiers,
 * arguments and results, and the answer to an unknown function.
 *
 * The services are sorted by function ID and do not change once the guest runs, so a look-up takes no lock. A service
 * locks what is its own.
 */
#include "vmm/hypercall/hypercall.h"

#include <string.h>

#include "devices/exit-path.h"
#include "vmm/hypercall/services.h"

struct Hypercalls {
  GPtrArray *services; /* of HypercallService, sorted by `first`, without overlaps */
  EretServices eret;
};

/* As KVM answers it: x1 to x3 are zero. */
static HypercallOutcome call_unknown(const HypercallService *service, Hypercall *call) {
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
  Hypercalls *hypercalls = g_new(Hypercalls, 1);

  *hypercalls = (Hypercalls){.services = g_ptr_array_new_with_free_func(g_free), .eret = {sink, opaque, ERET_EXIT_CODE_NONE}};
  bool added = eret_services_add(&hypercalls->eret, hypercalls);
  g_assert(added); /* a const table: only a mistake in it can overlap */
  return hypercalls;
}

void hypercalls_free(Hypercalls *hypercalls) {
  if (!hypercalls)
    return;
  g_ptr_array_unref(hypercalls->services);
  g_free(hypercalls);
}

static const HypercallService *service_at(const Hypercalls *hypercalls, unsigned index) {
  return g_ptr_array_index(hypercalls->services, index);
}

/* The first service that ends at or above FUNCTION: the only one that can contain it. Their number if there is none. */
ON_EXIT_PATH static unsigned lower_bound(const Hypercalls *hypercalls, uint32_t function) {
  unsigned low = 0, high = hypercalls->services->len;

  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (service_at(hypercalls, middle)->last < function)
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
  if (place < hypercalls->services->len && service_at(hypercalls, place)->first <= service->last)
    return false;
  g_ptr_array_insert(hypercalls->services, (int)place, g_memdup2(service, sizeof *service));
  return true;
}

ON_EXIT_PATH const HypercallService *hypercalls_find(const Hypercalls *hypercalls, uint32_t function, HypercallDoor door) {
  unsigned place = lower_bound(hypercalls, function);

  if (place == hypercalls->services->len)
    return &unknown_service;
  const HypercallService *service = service_at(hypercalls, place);
  return service->first <= function && (service->doors & door) ? service : &unknown_service;
}

HypercallOutcome hypercalls_call_registers(Hypercalls *hypercalls, HypercallDoor door, unsigned vcpu, uint32_t function,
                                           uint64_t x[HYPERCALL_N_REGISTERS]) {
  const HypercallService *service = hypercalls_find(hypercalls, function, door);
  Hypercall call = {.function = function, .door = door, .vcpu = vcpu};

  memcpy(&call.x[1], &x[1], service->n_args * sizeof *x);
  HypercallOutcome outcome = service->handle(service, &call);
  if (hypercall_returns(outcome))
    memcpy(x, call.x, service->n_results * sizeof *x);
  return outcome;
}

int hypercalls_exit_code(const Hypercalls *hypercalls) {
  return __atomic_load_n(&hypercalls->eret.exit_code, __ATOMIC_SEQ_CST);
}
