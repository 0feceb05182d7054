/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PSCI in userspace: Arm Power State Coordination Interface (DEN 0022), 1.1 or what KVM has on this host, up to 1.3;
 * its chapter 5 has the functions and their errors.
 *
 * A guest is not to see who answers, so every answer is the one that KVM gives (Linux: arch/arm64/kvm/psci.c), also
 * where DEN 0022 has more to say: a CPU is on from the moment of its CPU_ON, and never ON_PENDING; nobody looks at
 * entry points, power states, and other CPUs before a suspend; x1 to x3 are zero after every call.
 * guest-images/bare/psci-answers.c compares. There is no Trusted OS, so any CPU may go off, the last one included, and
 * nothing migrates. Every reset is a full one. Whatever power state CPU_SUSPEND asks for, the CPU stands by and keeps
 * its registers.
 *
 * One lock over the states of all CPUs; each CPU's thread waits on its own condition. The rest is const after psci_new.
 */
#include "vmm/hypercall/psci.h"

#include <string.h>

/* SMCCC_VERSION (DEN 0028, 7.2), which PSCI_FEATURES has to know of: KVM answers it. */
#define SMCCC_VERSION 0x80000000u

/* reset_type of SYSTEM_RESET2. */
#define RESET_TYPE_SYSTEM_WARM 0u
#define RESET_TYPE_VENDOR      (1u << 31)

/* hibernate_type of SYSTEM_OFF2, and what PSCI_FEATURES says of it. DEN 0022 F.b takes 0 for it as well. */
#define HIBERNATE_OFF 1u

#define MINOR(version) ((version)&0xffff)

typedef struct {
  uint64_t mpidr;
  bool on;
  uint64_t entry, context; /* since CPU_ON */
  GCond turned_on;
} Cpu;

struct Psci {
  unsigned n_cpus;
  uint32_t version;
  GMutex lock;
  bool stopped;
  Cpu *cpus;
};

/* The affinity fields that count at each level of AFFINITY_INFO: Aff3 in 39:32, Aff2 to Aff0 in 23:0. */
static const uint64_t affinity_masks[] = {0xff00ffffff, 0xff00ffff00, 0xff00ff0000, 0xff00000000};

Psci *psci_new(unsigned n_cpus, uint64_t (*mpidr)(unsigned cpu)) {
  Psci *psci = g_new0(Psci, 1);

  psci->n_cpus = n_cpus;
  g_mutex_init(&psci->lock);
  psci->cpus = g_new0(Cpu, n_cpus);
  for (unsigned i = 0; i < n_cpus; i++) {
    psci->cpus[i].mpidr = mpidr(i) & affinity_masks[0];
    g_cond_init(&psci->cpus[i].turned_on);
  }
  psci->version = PSCI_1_1;
  psci->cpus[0].on = true;
  return psci;
}

void psci_set_version(Psci *psci, uint32_t version) {
  psci->version = version;
}

void psci_free(Psci *psci) {
  if (!psci)
    return;
  for (unsigned i = 0; i < psci->n_cpus; i++)
    g_cond_clear(&psci->cpus[i].turned_on);
  g_free(psci->cpus);
  g_mutex_clear(&psci->lock);
  g_free(psci);
}

bool psci_wait(Psci *psci, unsigned cpu, uint64_t *entry, uint64_t *context) {
  Cpu *self = &psci->cpus[cpu];
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);

  while (!psci->stopped && !self->on)
    g_cond_wait(&self->turned_on, &psci->lock);
  if (psci->stopped)
    return false;
  *entry = self->entry;
  *context = self->context;
  return true;
}

void psci_stop(Psci *psci) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);

  psci->stopped = true;
  for (unsigned i = 0; i < psci->n_cpus; i++)
    g_cond_signal(&psci->cpus[i].turned_on);
}

static HypercallOutcome answer(Hypercall *call, int64_t result) {
  memset(call->x, 0, PSCI_N_RESULTS * sizeof *call->x);
  call->x[0] = (uint64_t)result;
  return HYPERCALL_RETURN;
}

/*
 * Argument N as wide as the call's convention makes it. Arguments that are uint32_t in both are cast where they are
 * used.
 */
static uint64_t argument(const Hypercall *call, unsigned n) {
  return call->function & HYPERCALL_FUNCTION_64BIT ? call->x[n] : (uint32_t)call->x[n];
}

/* The CPU whose affinity fields are MPIDR; NULL for none, and for an MPIDR with other bits set. */
static Cpu *find_cpu(const Psci *psci, uint64_t mpidr) {
  for (unsigned i = 0; i < psci->n_cpus; i++)
    if (psci->cpus[i].mpidr == mpidr)
      return &psci->cpus[i];
  return NULL;
}

static HypercallOutcome psci_version(const HypercallService *service, Hypercall *call) {
  return answer(call, ((const Psci *)service->opaque)->version);
}

static HypercallOutcome psci_cpu_suspend(const HypercallService *service, Hypercall *call) {
  answer(call, PSCI_SUCCESS);
  return HYPERCALL_STAND_BY;
}

static HypercallOutcome psci_cpu_off(const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;

  if (call->vcpu >= psci->n_cpus)
    return answer(call, PSCI_INTERNAL_FAILURE);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  psci->cpus[call->vcpu].on = false;
  return HYPERCALL_OFF;
}

static HypercallOutcome psci_cpu_on(const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;
  Cpu *target = find_cpu(psci, argument(call, 1));

  if (!target)
    return answer(call, PSCI_INVALID_PARAMETERS);

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  if (target->on)
    return answer(call, PSCI_ALREADY_ON);
  target->on = true;
  target->entry = argument(call, 2);
  target->context = argument(call, 3);
  g_cond_signal(&target->turned_on);
  return answer(call, PSCI_SUCCESS);
}

/* A node is on as soon as one CPU in it is (DEN 0022, AFFINITY_INFO). */
static HypercallOutcome psci_affinity_info(const HypercallService *service, Hypercall *call) {
  Psci *psci = service->opaque;
  uint64_t affinity = argument(call, 1);
  uint64_t level = argument(call, 2);
  bool exists = false, on = false;

  if (level >= G_N_ELEMENTS(affinity_masks) || (affinity & ~affinity_masks[0]))
    return answer(call, PSCI_INVALID_PARAMETERS);
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&psci->lock);
  for (unsigned i = 0; i < psci->n_cpus; i++) {
    const Cpu *cpu = &psci->cpus[i];
    if ((cpu->mpidr ^ affinity) & affinity_masks[level])
      continue;
    exists = true;
    on |= cpu->on;
  }
  if (!exists)
    return answer(call, PSCI_INVALID_PARAMETERS);
  return answer(call, on ? PSCI_AFFINITY_ON : PSCI_AFFINITY_OFF);
}

static HypercallOutcome psci_not_supported(const HypercallService *service, Hypercall *call) {
  return answer(call, PSCI_NOT_SUPPORTED);
}

static HypercallOutcome psci_migrate_info_type(const HypercallService *service, Hypercall *call) {
  return answer(call, PSCI_TRUSTED_OS_NONE);
}

static HypercallOutcome psci_system_off(const HypercallService *service, Hypercall *call) {
  return HYPERCALL_POWER_OFF;
}

static HypercallOutcome psci_system_reset(const HypercallService *service, Hypercall *call) {
  return HYPERCALL_RESET;
}

static HypercallOutcome psci_system_reset2(const HypercallService *service, Hypercall *call) {
  uint32_t type = (uint32_t)call->x[1];

  /* A vendor's reset is one more name for a reset; an architectural type other than the warm reset is reserved. */
  if (type != RESET_TYPE_SYSTEM_WARM && !(type & RESET_TYPE_VENDOR))
    return answer(call, PSCI_INVALID_PARAMETERS);
  return HYPERCALL_RESET;
}

static HypercallOutcome psci_system_off2(const HypercallService *service, Hypercall *call) {
  uint32_t type = (uint32_t)call->x[1];

  if (MINOR(((const Psci *)service->opaque)->version) < 3)
    return answer(call, PSCI_NOT_SUPPORTED);
  if ((type != 0 && type != HIBERNATE_OFF) || argument(call, 2) != 0)
    return answer(call, PSCI_INVALID_PARAMETERS);
  return HYPERCALL_POWER_OFF;
}

static HypercallOutcome psci_system_suspend(const HypercallService *service, Hypercall *call) {
  return HYPERCALL_SUSPEND;
}

static HypercallOutcome psci_features(const HypercallService *service, Hypercall *call);

static const struct {
  const char *name;
  PsciFunction function;
  bool also_64bit;
  unsigned n_args;
  HypercallOutcome (*handle)(const HypercallService *service, Hypercall *call);
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
    {"psci_system_off2", PSCI_FUNCTION_SYSTEM_OFF2, true, 2, psci_system_off2},
};

/* What PSCI_FEATURES says of a function that is listed above. */
static int64_t feature(const Psci *psci, unsigned index) {
  if (functions[index].handle == psci_system_off2)
    return MINOR(psci->version) < 3 ? PSCI_NOT_SUPPORTED : HIBERNATE_OFF;
  return functions[index].handle == psci_not_supported ? PSCI_NOT_SUPPORTED : PSCI_SUCCESS;
}

/*
 * 0 for what is implemented; as flags of CPU_SUSPEND 0 says: original format of power_state, platform-coordinated only.
 */
static HypercallOutcome psci_features(const HypercallService *service, Hypercall *call) {
  uint32_t asked = (uint32_t)call->x[1];

  if (asked == SMCCC_VERSION)
    return answer(call, PSCI_SUCCESS);
  for (unsigned i = 0; i < G_N_ELEMENTS(functions); i++) {
    uint32_t function = functions[i].function;
    if (asked == function || (functions[i].also_64bit && asked == (function | HYPERCALL_FUNCTION_64BIT)))
      return answer(call, feature(service->opaque, i));
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
      .n_results = PSCI_N_RESULTS,
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
