/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI in userspace: Arm Power State Coordination Interface (DEN 0022) 1.1; its chapter 5 has the functions, their errors and the states of a
 * CPU: OFF, ON_PENDING, ON. A CPU_ON makes the target ON_PENDING with its entry point; it is ON as soon as its own thread has taken
 * that from psci_wait.
 *
 * Choices that DEN 0022 leaves: CPU_SUSPEND checks its arguments and then returns SUCCESS at once, as if a wake-up event was pending; a
 * power-down state is carried out as standby, which the caller must expect anyway, and which is what KVM does. There is no Trusted OS, so
 * any CPU may go off, the last one included, and nothing migrates. Every reset is a full one.
 *
 * One lock over the states of all CPUs; each CPU's thread waits on its own condition. The rest is const after psci_new.
 */
#include "vmm/hypercall/psci.h"

#include <string.h>

/* SMCCC_VERSION (DEN 0028, 7.2), which PSCI_FEATURES has to know of: KVM answers it. */
#define SMCCC_VERSION 0x80000000u

/* power_state of CPU_SUSPEND in the original format. The state ID, 15:0, is the implementer's: here every one is the same. */
#define POWER_STATE_TYPE_POWERDOWN (1u << 16)
#define POWER_STATE_LEVEL_MASK     (3u << 24)
#define POWER_STATE_RESERVED       0xfcfe0000u

/* reset_type of SYSTEM_RESET2. */
#define RESET_TYPE_SYSTEM_WARM 0u
#define RESET_TYPE_VENDOR      (1u << 31)

#define INSTRUCTION_ALIGNMENT 4

typedef enum { CPU_OFF, CPU_ON_PENDING, CPU_ON } CpuState;

typedef struct {
  uint64_t mpidr;
  CpuState state;
  uint64_t entry, context; /* since CPU_ON */
  GCond turned_on;
} Cpu;

struct Psci {
  PsciConfig config;
  GMutex lock;
  bool stopped;
  Cpu *cpus;
};

/* The affinity fields that count at each level of AFFINITY_INFO: Aff3 in 39:32, Aff2 to Aff0 in 23:0. */
static const uint64_t affinity_masks[] = {0xff00ffffff, 0xff00ffff00, 0xff00ff0000, 0xff00000000};

Psci *psci_new(const PsciConfig *config) {
  Psci *psci = g_new0(Psci, 1);

  psci->config = *config;
  g_mutex_init(&psci->lock);
  psci->cpus = g_new0(Cpu, config->n_cpus);
  for (unsigned i = 0; i < config->n_cpus; i++) {
    psci->cpus[i].mpidr = config->mpidr(i) & affinity_masks[0];
    g_cond_init(&psci->cpus[i].turned_on);
  }
  psci->cpus[0].state = CPU_ON;
  return psci;
}

void psci_free(Psci *psci) {
  if (!psci)
    return;
  for (unsigned i = 0; i < psci->config.n_cpus; i++)
    g_cond_clear(&psci->cpus[i].turned_on);
  g_free(psci->cpus);
  g_mutex_clear(&psci->lock);
  g_free(psci);
}

bool psci_wait(Psci *psci, unsigned cpu, uint64_t *entry, uint64_t *context) {
  Cpu *self = &psci->cpus[cpu];
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);

  while (!psci->stopped && self->state == CPU_OFF)
    g_cond_wait(&self->turned_on, &psci->lock);
  if (psci->stopped)
    return false;
  self->state = CPU_ON;
  *entry = self->entry;
  *context = self->context;
  return true;
}

bool psci_is_on(Psci *psci, unsigned cpu) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  return psci->cpus[cpu].state == CPU_ON;
}

void psci_stop(Psci *psci) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);

  psci->stopped = true;
  for (unsigned i = 0; i < psci->config.n_cpus; i++)
    g_cond_signal(&psci->cpus[i].turned_on);
}

static HypercallOutcome answer(Hypercall *call, int64_t result) {
  call->x[0] = (uint64_t)result;
  return HYPERCALL_RETURN;
}

/* Argument N as wide as the call's convention makes it. Arguments that are uint32_t in both are cast where they are used. */
static uint64_t argument(const Hypercall *call, unsigned n) {
  return call->function & HYPERCALL_FUNCTION_64BIT ? call->x[n] : (uint32_t)call->x[n];
}

static bool executable(const Psci *psci, uint64_t entry) {
  return entry % INSTRUCTION_ALIGNMENT == 0 && psci->config.executable(psci->config.opaque, entry);
}

/* The CPU whose affinity fields are MPIDR; NULL for none, and for an MPIDR with other bits set. */
static Cpu *find_cpu(const Psci *psci, uint64_t mpidr) {
  for (unsigned i = 0; i < psci->config.n_cpus; i++)
    if (psci->cpus[i].mpidr == mpidr)
      return &psci->cpus[i];
  return NULL;
}

static HypercallOutcome psci_version(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  return answer(call, PSCI_1_1);
}

static HypercallOutcome psci_cpu_suspend(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  uint32_t power_state = (uint32_t)call->x[1];

  /* No level above the CPU has states of its own. */
  if (power_state & (POWER_STATE_RESERVED | POWER_STATE_LEVEL_MASK))
    return answer(call, PSCI_INVALID_PARAMETERS);
  if ((power_state & POWER_STATE_TYPE_POWERDOWN) && !executable(service->opaque, argument(call, 2)))
    return answer(call, PSCI_INVALID_ADDRESS);
  return answer(call, PSCI_SUCCESS);
}

static HypercallOutcome psci_cpu_off(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;

  if (call->vcpu >= psci->config.n_cpus)
    return answer(call, PSCI_INTERNAL_FAILURE);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  psci->cpus[call->vcpu].state = CPU_OFF;
  return HYPERCALL_OFF;
}

static HypercallOutcome psci_cpu_on(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;
  uint64_t entry = argument(call, 2);
  Cpu *target = find_cpu(psci, argument(call, 1));

  if (!target)
    return answer(call, PSCI_INVALID_PARAMETERS);
  if (!executable(psci, entry))
    return answer(call, PSCI_INVALID_ADDRESS);

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  if (target->state == CPU_ON)
    return answer(call, PSCI_ALREADY_ON);
  if (target->state == CPU_ON_PENDING)
    return answer(call, PSCI_ON_PENDING);
  target->state = CPU_ON_PENDING;
  target->entry = entry;
  target->context = argument(call, 3);
  g_cond_signal(&target->turned_on);
  return answer(call, PSCI_SUCCESS);
}

/* A node is on as soon as one CPU in it is, and off when all are (DEN 0022, AFFINITY_INFO). */
static HypercallOutcome psci_affinity_info(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;
  uint64_t affinity = argument(call, 1);
  uint32_t level = (uint32_t)call->x[2];
  bool exists = false, on = false, pending = false;

  if (level >= G_N_ELEMENTS(affinity_masks) || (affinity & ~affinity_masks[0]))
    return answer(call, PSCI_INVALID_PARAMETERS);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  for (unsigned i = 0; i < psci->config.n_cpus; i++) {
    const Cpu *cpu = &psci->cpus[i];
    if ((cpu->mpidr ^ affinity) & affinity_masks[level])
      continue;
    exists = true;
    on |= cpu->state == CPU_ON;
    pending |= cpu->state == CPU_ON_PENDING;
  }
  if (!exists)
    return answer(call, PSCI_INVALID_PARAMETERS);
  return answer(call, on ? PSCI_AFFINITY_ON : pending ? PSCI_AFFINITY_ON_PENDING : PSCI_AFFINITY_OFF);
}

static HypercallOutcome psci_not_supported(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  return answer(call, PSCI_NOT_SUPPORTED);
}

static HypercallOutcome psci_migrate_info_type(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  return answer(call, PSCI_TRUSTED_OS_NONE);
}

static HypercallOutcome psci_system_off(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  return HYPERCALL_POWER_OFF;
}

static HypercallOutcome psci_system_reset(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  return HYPERCALL_RESET;
}

static HypercallOutcome psci_system_reset2(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  uint32_t type = (uint32_t)call->x[1];

  /* A vendor's reset is one more name for a reset; an architectural type other than the warm reset is reserved. */
  if (type != RESET_TYPE_SYSTEM_WARM && !(type & RESET_TYPE_VENDOR))
    return answer(call, PSCI_INVALID_PARAMETERS);
  return HYPERCALL_RESET;
}

/* DEN 0022, 5.20: the caller has turned all other CPUs off. */
static HypercallOutcome psci_system_suspend(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;

  if (!executable(psci, argument(call, 1)))
    return answer(call, PSCI_INVALID_ADDRESS);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  for (unsigned i = 0; i < psci->config.n_cpus; i++)
    if (i != call->vcpu && psci->cpus[i].state != CPU_OFF)
      return answer(call, PSCI_DENIED);
  return HYPERCALL_SUSPEND;
}

static HypercallOutcome psci_features(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call);

static const struct {
  const char *name;
  PsciFunction function;
  bool also_64bit;
  unsigned n_args;
  HypercallOutcome (*handle)(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call);
} functions[] = {
    {"psci_version", PSCI_FUNCTION_VERSION, false, 0, psci_version},
    {"psci_cpu_suspend", PSCI_FUNCTION_CPU_SUSPEND, true, 3, psci_cpu_suspend},
    {"psci_cpu_off", PSCI_FUNCTION_CPU_OFF, false, 0, psci_cpu_off},
    {"psci_cpu_on", PSCI_FUNCTION_CPU_ON, true, 3, psci_cpu_on},
    {"psci_affinity_info", PSCI_FUNCTION_AFFINITY_INFO, true, 2, psci_affinity_info},
    {"psci_migrate", PSCI_FUNCTION_MIGRATE, true, 0, psci_not_supported},
    {"psci_migrate_info_type", PSCI_FUNCTION_MIGRATE_INFO_TYPE, false, 0, psci_migrate_info_type},
    {"psci_migrate_info_up_cpu", PSCI_FUNCTION_MIGRATE_INFO_UP_CPU, true, 0, psci_not_supported},
    {"psci_system_off", PSCI_FUNCTION_SYSTEM_OFF, false, 0, psci_system_off},
    {"psci_system_reset", PSCI_FUNCTION_SYSTEM_RESET, false, 0, psci_system_reset},
    {"psci_features", PSCI_FUNCTION_FEATURES, false, 1, psci_features},
    {"psci_system_suspend", PSCI_FUNCTION_SYSTEM_SUSPEND, true, 2, psci_system_suspend},
    {"psci_system_reset2", PSCI_FUNCTION_SYSTEM_RESET2, true, 2, psci_system_reset2},
};

/* 0 for what is implemented; as flags of CPU_SUSPEND 0 says: original format of power_state, platform-coordinated only. */
static HypercallOutcome psci_features(Hypercalls *hypercalls, const HypercallService *service, Hypercall *call) {
  uint32_t asked = (uint32_t)call->x[1];

  if (asked == SMCCC_VERSION)
    return answer(call, PSCI_SUCCESS);
  for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++) {
    uint32_t function = functions[i].function;
    if (asked == function || (functions[i].also_64bit && asked == (function | HYPERCALL_FUNCTION_64BIT)))
      return answer(call, functions[i].handle == psci_not_supported ? PSCI_NOT_SUPPORTED : PSCI_SUCCESS);
  }
  return answer(call, PSCI_NOT_SUPPORTED);
}

static bool add_function(Psci *psci, Hypercalls *hypercalls, unsigned index, uint32_t function) {
  HypercallService service = {
      .name = functions[index].name,
      .first = function,
      .last = function,
      .doors = HYPERCALL_BY_HVC | HYPERCALL_BY_SMC, /* a frame of the doorbell page is nobody's CPU */
      .n_args = functions[index].n_args,
      .n_results = 1,
      .handle = functions[index].handle,
      .opaque = psci,
  };
  return hypercalls_add(hypercalls, &service);
}

bool psci_add(Psci *psci, Hypercalls *hypercalls) {
  for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++) {
    uint32_t function = functions[i].function;
    if (!add_function(psci, hypercalls, i, function))
      return false;
    if (functions[i].also_64bit && !add_function(psci, hypercalls, i, function | HYPERCALL_FUNCTION_64BIT))
      return false;
  }
  return true;
}
