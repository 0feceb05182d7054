/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vCPU and its thread: KVM_RUN, the exit's handler, KVM_RUN again. Linux: Documentation/virt/kvm/api.rst,
 * KVM_CREATE_VCPU, KVM_ARM_VCPU_INIT, KVM_RUN.
 *
 * To stop it, another thread sets `stop` and run->immediate_exit and then sends the kick signal: wherever the vCPU
 * thread is, either KVM_RUN is interrupted or the next one returns at once.
 */
#include "vmm/machine/kvm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/exit-path.h"
#include "vmm/cage/signals.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/kvm/cpu.h"
#include "vmm/machine/kvm/regs.h"

#define KICK_SIGNAL CAGE_SIGNAL_KICK

static void ignore_signal(int number) {
}

void vcpu_install_kick_signal(void) {
  struct sigaction action = {.sa_handler = ignore_signal}; /* no SA_RESTART: KVM_RUN must return */
  sigaction(KICK_SIGNAL, &action, NULL);
}

bool vcpu_create(Vcpu *vcpu, const VcpuShared *shared, unsigned index, int kvm_fd, GError **error) {
  *vcpu = (Vcpu){.shared = shared, .index = index, .fd = -1};

  int size = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < 0)
    return kvm_fail(error, "cannot size a vCPU's shared memory (KVM_GET_VCPU_MMAP_SIZE)");
  vcpu->fd = ioctl(shared->vm_fd, KVM_CREATE_VCPU, (unsigned long)index);
  if (vcpu->fd < 0)
    return kvm_fail(error, "cannot create vCPU %u (KVM_CREATE_VCPU)", index);
  vcpu->run_size = (size_t)size;
  vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
  if (vcpu->run == MAP_FAILED) {
    vcpu->run = NULL;
    kvm_fail(error, "cannot map a vCPU's shared memory");
    vcpu_destroy(vcpu);
    return false;
  }
  return true;
}

static bool set_mp_state(Vcpu *vcpu, uint32_t state, GError **error) {
  struct kvm_mp_state request = {.mp_state = state};

  return ioctl(vcpu->fd, KVM_SET_MP_STATE, &request) == 0 ||
         kvm_fail(error, "cannot turn a vCPU on or off, or have it wait (KVM_SET_MP_STATE)");
}

bool vcpu_init(Vcpu *vcpu, GError **error) {
  struct kvm_vcpu_init init;

  if (ioctl(vcpu->shared->vm_fd, KVM_ARM_PREFERRED_TARGET, &init) < 0)
    return kvm_fail(error, "KVM names no CPU it can give to guests here (KVM_ARM_PREFERRED_TARGET)");
  init.features[0] = 1u << KVM_ARM_VCPU_PSCI_0_2 | cpu_init_bits(vcpu->shared->features);
  if (vcpu->index > 0 && !vcpu->shared->psci) /* else the thread waits before it runs the vCPU at all */
    init.features[0] |= 1u << KVM_ARM_VCPU_POWER_OFF;
  return ioctl(vcpu->fd, KVM_ARM_VCPU_INIT, &init) == 0 || kvm_fail(error, "cannot initialise vCPU %u (KVM_ARM_VCPU_INIT)", vcpu->index);
}

bool vcpu_set_entry(Vcpu *vcpu, uint64_t entry, uint64_t fdt, GError **error) {
  /* x1 to x3 are zero by the protocol, and by KVM's reset. */
  return (reg_set(vcpu->fd, REG_PC, entry) && reg_set(vcpu->fd, REG_X(0), fdt)) ||
         kvm_fail(error, "cannot set the boot CPU's registers (KVM_SET_ONE_REG)");
}

/*
 * Somebody asked us to leave. Who is to be seen by the conditions of run_inside has set his own flag before, and is;
 * the others are served here.
 */
static Verdict run_interrupted(Vcpu *vcpu) {
  __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
  return __atomic_load_n(&vcpu->suspended.woken, __ATOMIC_SEQ_CST) ? exit_woken(vcpu) : VERDICT_CONTINUE;
}

/* From KVM_RUN to KVM_RUN, inside the gate. VERDICT_CONTINUE: the gate has been closed, or the vCPU is to stop. */
ON_EXIT_PATH static Verdict run_inside(Vcpu *vcpu) {
  const Gate *gate = vcpu->shared->gate;
  KvmShortcuts *shortcuts = vcpu->shared->shortcuts;
  Verdict verdict = VERDICT_CONTINUE;

  /* What asked us to leave, when it did, has been heard; what asks now is seen by the conditions. */
  __atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
  while (verdict == VERDICT_CONTINUE && !__atomic_load_n(&vcpu->stop, __ATOMIC_SEQ_CST) && !gate_is_closed(gate)) {
    if (vcpu->watch)
      vcpu_watch_enter(vcpu->watch);
    int error = ioctl(vcpu->fd, KVM_RUN, 0) == 0 ? 0 : errno;
    if (vcpu->watch)
      vcpu_watch_return(vcpu->watch, vcpu->run->exit_reason, error);
    kvm_shortcuts_catch_up(shortcuts);
    if (error == 0)
      verdict = exit_dispatch(vcpu);
    else
      verdict = error == EINTR || error == EAGAIN ? run_interrupted(vcpu) : exit_run_failed(vcpu, error);
  }
  return verdict;
}

/* Until something else than going on is called for. VERDICT_CONTINUE: asked to stop. */
ON_EXIT_PATH static Verdict run(Vcpu *vcpu) {
  Gate *gate = vcpu->shared->gate;
  Verdict verdict = VERDICT_CONTINUE;

  while (verdict == VERDICT_CONTINUE && !__atomic_load_n(&vcpu->stop, __ATOMIC_SEQ_CST) && gate_enter(gate, &vcpu->stop)) {
    verdict = run_inside(vcpu);
    gate_leave(gate);
  }
  if (vcpu->watch)
    vcpu_watch_end(vcpu->watch);
  return verdict;
}

/* Out of reset, where CPU_ON said. DEN 0022, 6.4: x0 is the context argument; KVM's reset state is the rest. */
static bool turn_on(Vcpu *vcpu, uint64_t entry, uint64_t context, GError **error) {
  return vcpu_init(vcpu, error) && vcpu_set_entry(vcpu, entry, context, error) && set_mp_state(vcpu, KVM_MP_STATE_RUNNABLE, error);
}

/*
 * Who makes it leave KVM_RUN meanwhile (a pause, the machine's end) changes nothing: the state stays until it is
 * changed here.
 */
bool vcpu_stand_by(Vcpu *vcpu, GError **error) {
  return set_mp_state(vcpu, KVM_MP_STATE_SUSPENDED, error);
}

bool vcpu_go_on(Vcpu *vcpu, GError **error) {
  return set_mp_state(vcpu, KVM_MP_STATE_RUNNABLE, error);
}

/* DEN 0022, 5.20 (SYSTEM_SUSPEND): x1 is the entry point, x2 the context argument. */
bool vcpu_suspend(Vcpu *vcpu, GError **error) {
  uint64_t function;

  if (!reg_get(vcpu->fd, REG_X(0), &function) || !reg_get(vcpu->fd, REG_X(1), &vcpu->suspended.entry) ||
      !reg_get(vcpu->fd, REG_X(2), &vcpu->suspended.context))
    return kvm_fail(error, "cannot read where a vCPU wants to wake up (KVM_GET_ONE_REG)");
  if (!(function & HYPERCALL_FUNCTION_64BIT)) {
    vcpu->suspended.entry = (uint32_t)vcpu->suspended.entry;
    vcpu->suspended.context = (uint32_t)vcpu->suspended.context;
  }
  __atomic_store_n(&vcpu->suspended.woken, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&vcpu->suspended.asleep, 1, __ATOMIC_SEQ_CST);
  return set_mp_state(vcpu, KVM_MP_STATE_SUSPENDED, error);
}

bool vcpu_wake_up(Vcpu *vcpu, GError **error) {
  __atomic_store_n(&vcpu->suspended.asleep, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&vcpu->suspended.woken, 0, __ATOMIC_SEQ_CST);
  return turn_on(vcpu, vcpu->suspended.entry, vcpu->suspended.context, error);
}

/*
 * With PSCI in userspace: an off vCPU's thread waits here, and not in KVM_RUN. False: the machine stops, or the vCPU
 * cannot be turned on.
 */
static bool wait_until_on(Vcpu *vcpu, Verdict *verdict) {
  g_autoptr(GError) error = NULL;
  uint64_t entry, context;

  if (!set_mp_state(vcpu, KVM_MP_STATE_STOPPED, &error) || !psci_wait(vcpu->shared->psci, vcpu->index, &entry, &context)) {
    *verdict = error ? exit_fail(vcpu, "%s", error->message) : VERDICT_CONTINUE;
    return false;
  }
  if (turn_on(vcpu, entry, context, &error))
    return true;
  *verdict = exit_fail(vcpu, "%s", error->message);
  return false;
}

static gpointer vcpu_thread(gpointer data) {
  Vcpu *vcpu = data;
  Verdict verdict = vcpu->shared->psci && vcpu->index > 0 ? VERDICT_CPU_OFF : VERDICT_CONTINUE;
  g_autoptr(GError) error = NULL;

  __atomic_store_n(&vcpu->handle, pthread_self(), __ATOMIC_SEQ_CST);
  if (vcpu->watch)
    vcpu_watch_begin(vcpu->watch);
  if (vcpu->index == 0)
    timeline_add(vcpu->shared->timeline, PHASE_FIRST_INSTRUCTION);
  if (vcpu->shared->pin && !pin_thread(vcpu->shared->pin, (int)vcpu->index, &error))
    verdict = exit_fail(vcpu, "%s", error->message);
  sandbox_enter(vcpu->shared->sandbox, CAGE_VCPU);
  if (verdict == VERDICT_CONTINUE)
    verdict = run(vcpu);
  while (verdict == VERDICT_CPU_OFF && wait_until_on(vcpu, &verdict))
    verdict = run(vcpu);
  if (verdict != VERDICT_CONTINUE)
    vcpu->shared->ended(vcpu, verdict, vcpu->shared->opaque);
  return NULL;
}

bool vcpu_start(Vcpu *vcpu, GError **error) {
  g_autofree char *name = g_strdup_printf("vcpu%u", vcpu->index);
  sigset_t all, before;

  /* Signals for the process are the main thread's; a vCPU thread takes the kick alone. */
  sigfillset(&all);
  sigdelset(&all, KICK_SIGNAL);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  vcpu->thread = g_thread_try_new(name, vcpu_thread, vcpu, error);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return vcpu->thread != NULL;
}

void vcpu_kick(Vcpu *vcpu) {
  if (!vcpu->thread)
    return;
  __atomic_store_n(&vcpu->stop, 1, __ATOMIC_SEQ_CST);
  gate_wake(vcpu->shared->gate);
  vcpu_interrupt(vcpu);
}

void vcpu_interrupt(Vcpu *vcpu) {
  if (!vcpu->thread)
    return;
  __atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
  pthread_t handle = __atomic_load_n(&vcpu->handle, __ATOMIC_SEQ_CST);
  if (handle) /* a thread that has not come this far has not entered KVM_RUN either */
    pthread_kill(handle, KICK_SIGNAL);
}

void vcpu_wake_from_suspend(Vcpu *vcpu) {
  if (!__atomic_load_n(&vcpu->suspended.asleep, __ATOMIC_SEQ_CST))
    return;
  __atomic_store_n(&vcpu->suspended.woken, 1, __ATOMIC_SEQ_CST);
  vcpu_interrupt(vcpu);
}

void vcpu_join(Vcpu *vcpu) {
  if (vcpu->thread)
    g_thread_join(g_steal_pointer(&vcpu->thread));
}

void vcpu_destroy(Vcpu *vcpu) {
  if (vcpu->run)
    munmap(vcpu->run, vcpu->run_size);
  if (vcpu->fd >= 0)
    close(vcpu->fd);
  g_free(vcpu->failure);
  *vcpu = (Vcpu){.fd = -1};
}
