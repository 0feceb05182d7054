/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eret's own services: version, debug text, boot marks, ready, exit, host time, and a call that does nothing.
 * docs/hypercalls.md, "eret's own functions", specifies them. Registers are all they touch: no guest memory. No lock:
 * the table and the sink are const, the exit code is atomic.
 */
#include "vmm/hypercall/services.h"

#include <time.h>

#define ERET_NAME UINT64_C(0x74657265) /* "eret", low address in low bits */

#define WRITE_FIRST_REGISTER 2
#define WRITE_MAX            (8 * (HYPERCALL_N_REGISTERS - WRITE_FIRST_REGISTER)) /* x2 .. x17 */
#define MARK_FIRST_REGISTER  3
#define MARK_LAST_REGISTER   16
#define MARK_NAME_MAX        (8 * (MARK_LAST_REGISTER - MARK_FIRST_REGISTER + 1)) /* x3 .. x16 */
#define EXIT_CODE_MAX        255                                                  /* a process's exit status: wait(2) */

static int64_t host_time(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Bytes in registers lie as STR would store them on a little-endian CPU, whatever this host's order is. */
static void bytes_from_registers(const uint64_t *x, char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++)
    bytes[i] = (char)(x[i / 8] >> 8 * (i % 8));
}

static HypercallOutcome answer(Hypercall *call, int64_t result) {
  call->x[0] = (uint64_t)result;
  return HYPERCALL_RETURN;
}

static HypercallOutcome eret_write(const HypercallService *service, Hypercall *call) {
  const EretServices *services = service->opaque;
  uint64_t size = call->x[1];
  char text[WRITE_MAX];

  if (size == 0 || size > WRITE_MAX)
    return answer(call, HYPERCALL_INVALID_PARAMETER);
  bytes_from_registers(&call->x[WRITE_FIRST_REGISTER], text, size);
  services->sink->write(services->opaque, text, size);
  return answer(call, HYPERCALL_SUCCESS);
}

static HypercallOutcome eret_mark(const HypercallService *service, Hypercall *call) {
  const EretServices *services = service->opaque;
  int64_t now = host_time(CLOCK_MONOTONIC); /* first: the mark is the moment of the call */
  uint64_t size = call->x[2];
  char name[MARK_NAME_MAX];

  if (size > MARK_NAME_MAX)
    return answer(call, HYPERCALL_INVALID_PARAMETER);
  bytes_from_registers(&call->x[MARK_FIRST_REGISTER], name, size);
  services->sink->mark(services->opaque, call->x[1], name, size, now);
  return answer(call, HYPERCALL_SUCCESS);
}

static HypercallOutcome eret_ready(const HypercallService *service, Hypercall *call) {
  const EretServices *services = service->opaque;

  services->sink->ready(services->opaque, host_time(CLOCK_MONOTONIC));
  return answer(call, HYPERCALL_SUCCESS);
}

static HypercallOutcome eret_exit(const HypercallService *service, Hypercall *call) {
  EretServices *services = service->opaque;

  if (call->x[1] > EXIT_CODE_MAX)
    return answer(call, HYPERCALL_INVALID_PARAMETER);
  /* The first one counts: a second vCPU may come here before the machine has stopped. */
  int none = ERET_EXIT_CODE_NONE;
  __atomic_compare_exchange_n(&services->exit_code, &none, (int)call->x[1], false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return HYPERCALL_EXIT;
}

static HypercallOutcome eret_time(const HypercallService *service, Hypercall *call) {
  call->x[1] = (uint64_t)host_time(CLOCK_MONOTONIC);
  call->x[2] = (uint64_t)host_time(CLOCK_REALTIME);
  return answer(call, HYPERCALL_SUCCESS);
}

static HypercallOutcome eret_nop(const HypercallService *service, Hypercall *call) {
  return answer(call, HYPERCALL_SUCCESS);
}

static HypercallOutcome eret_version(const HypercallService *service, Hypercall *call);

/* The order is that of the functions: bit n of what eret_version returns in x2 stands for row n. */
static const HypercallService table[] = {
    {"eret_version", ERET_FUNCTION_VERSION, ERET_FUNCTION_VERSION, HYPERCALL_BY_ANY, 0, 4, eret_version, NULL},
    {"eret_write", ERET_FUNCTION_WRITE, ERET_FUNCTION_WRITE, HYPERCALL_BY_ANY, HYPERCALL_N_REGISTERS - 1, 1, eret_write, NULL},
    {"eret_mark", ERET_FUNCTION_MARK, ERET_FUNCTION_MARK, HYPERCALL_BY_ANY, MARK_LAST_REGISTER, 1, eret_mark, NULL},
    {"eret_ready", ERET_FUNCTION_READY, ERET_FUNCTION_READY, HYPERCALL_BY_ANY, 0, 1, eret_ready, NULL},
    {"eret_exit", ERET_FUNCTION_EXIT, ERET_FUNCTION_EXIT, HYPERCALL_BY_ANY, 1, 1, eret_exit, NULL},
    {"eret_time", ERET_FUNCTION_TIME, ERET_FUNCTION_TIME, HYPERCALL_BY_ANY, 0, 3, eret_time, NULL},
    {"eret_nop", ERET_FUNCTION_NOP, ERET_FUNCTION_NOP, HYPERCALL_BY_ANY, 0, 1, eret_nop, NULL},
};

static HypercallOutcome eret_version(const HypercallService *service, Hypercall *call) {
  call->x[1] = ERET_HYPERCALL_VERSION;
  call->x[2] = (UINT64_C(1) << G_N_ELEMENTS(table)) - 1;
  call->x[3] = ERET_NAME;
  return answer(call, HYPERCALL_SUCCESS);
}

bool eret_services_add(EretServices *services, Hypercalls *hypercalls) {
  for (unsigned i = 0; i < G_N_ELEMENTS(table); i++) {
    HypercallService service = table[i];
    service.opaque = services;
    if (!hypercalls_add(hypercalls, &service))
      return false;
  }
  return true;
}
