/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access outside RAM whose syndrome does not say what it does (ESR_EL2.ISV is 0): the instruction is fetched, decoded and carried out here. Linux: Documentation/virt/kvm/api.rst, KVM_EXIT_ARM_NISV.
 * What cannot be carried out is answered as a bus would answer it: with an external abort. On the vCPU's thread.
 */
#include "vmm/kvm/nisv.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "vmm/a64/execute.h"
#include "vmm/a64/translate.h"
#include "vmm/kvm/kvm.h"
#include "vmm/kvm/regs.h"

#define SVE_MAX_WORDS   (2048 / 64) /* of a Z register */
#define PSTATE_AARCH32  (1u << 4)
#define PSTATE_SP       (1u << 0) /* SPSel: the exception level's own stack pointer */
#define PSTATE_EL       (3u << PSTATE_EL_SHIFT)
#define PSTATE_EL_SHIFT 2
#define EL2             2u
#define HCR_TGE         (UINT64_C(1) << 27)
#define PSTATE_BTYPE    (3u << 10)
#define SCTLR_M         (UINT64_C(1) << 0)
#define SCTLR_E0E       (UINT64_C(1) << 24)
#define SCTLR_EE        (UINT64_C(1) << 25)

/* One of them. */
typedef struct {
  Vcpu *vcpu;
  uint64_t pstate, pc;
  A64Stage1 stage1;
  bool big_endian_tables;
  bool failed; /* a register could not be read or written */
  bool seen;   /* the first access has been told to who watches */
} Access;

static uint64_t get(Access *access, uint64_t id) {
  uint64_t value = 0;

  access->failed |= !reg_get(access->vcpu->fd, id, &value);
  return value;
}

static void set(Access *access, uint64_t id, uint64_t value) {
  access->failed |= !reg_set(access->vcpu->fd, id, value);
}

static uint64_t id_of(const Access *access, unsigned n) {
  static const uint64_t own[] = {REG_SP, REG_SP_EL1, REG_SP_EL2, REG_SP};

  if (n < 31)
    return REG_X(n);
  return access->pstate & PSTATE_SP ? own[(access->pstate & PSTATE_EL) >> PSTATE_EL_SHIFT] : REG_SP;
}

static uint64_t get_x(void *opaque, unsigned n) {
  return get(opaque, id_of(opaque, n));
}

static void set_x(void *opaque, unsigned n, uint64_t value) {
  set(opaque, id_of(opaque, n), value);
}

/* Where there is SVE, KVM has the V registers only as the low part of the Z registers. */
static bool transfer_vector(const Access *access, unsigned long request_number, unsigned n, A64Vector *value) {
  uint64_t z[SVE_MAX_WORDS] = {value->lanes[0], value->lanes[1]};
  struct kvm_one_reg request = {.id = REG_V(n), .addr = (uintptr_t)z};

  if (ioctl(access->vcpu->fd, request_number, &request) < 0) {
    request.id = KVM_REG_ARM64_SVE_ZREG(n, 0);
    if (ioctl(access->vcpu->fd, request_number, &request) < 0)
      return false;
  }
  *value = (A64Vector){{z[0], z[1]}};
  return true;
}

static A64Vector get_v(void *opaque, unsigned n) {
  Access *access = opaque;
  A64Vector value = {{0, 0}};

  access->failed |= !transfer_vector(access, KVM_GET_ONE_REG, n, &value);
  return value;
}

static void set_v(void *opaque, unsigned n, A64Vector value) {
  Access *access = opaque;

  access->failed |= !transfer_vector(access, KVM_SET_ONE_REG, n, &value);
}

static bool read_descriptor(void *opaque, uint64_t physical, uint64_t *value) {
  const Access *access = opaque;

  if (!guest_memory_read(access->vcpu->memory, physical, value, sizeof *value))
    return false;
  if (access->big_endian_tables)
    *value = GUINT64_SWAP_LE_BE(*value);
  return true;
}

static bool translate(void *opaque, uint64_t virtual, uint64_t *physical) {
  const Access *access = opaque;
  return a64_translate(&access->stage1, virtual, read_descriptor, opaque, physical);
}

/* An exit is one line in counts and recordings, whatever it moves. */
static void tell(Access *access, uint64_t physical, unsigned size, bool is_write, uint64_t value) {
  const Vcpu *vcpu = access->vcpu;

  if (!vcpu->watch || access->seen)
    return;
  access->seen = true;
  const char *reg, *device = bus_name(vcpu->bus, physical, &reg);
  vcpu_watch_mmio(vcpu->watch, device, reg, physical, size, is_write, value);
}

static uint64_t read_physical(void *opaque, uint64_t physical, unsigned size) {
  Access *access = opaque;
  uint64_t value = 0;

  if (guest_memory_read(access->vcpu->memory, physical, &value, size)) /* half of a pair, at an end of RAM */
    return value;
  value = bus_read(access->vcpu->bus, physical, size);
  tell(access, physical, size, false, value);
  return value;
}

static void write_physical(void *opaque, uint64_t physical, unsigned size, uint64_t value) {
  Access *access = opaque;

  if (guest_memory_write(access->vcpu->memory, physical, &value, size))
    return;
  bus_write(access->vcpu->bus, physical, size, value);
  tell(access, physical, size, true, value);
}

/* Bytes that DC ZVA zeros, for guests as for us. */
static unsigned zero_block(void) {
  uint64_t dczid;

  __asm__("mrs %0, dczid_el0" : "=r"(dczid));
  return 4u << (dczid & 15); /* BS: words, as a power of two */
}

/*
 * A guest with EL2 has two regimes of translation: that of its hypervisor, and of programs right above it, is EL2's,
 * with the layout that FEAT_VHE gives it. Without that (--nested=e2h0) EL2 has a regime of its own, and programs right above it have none.
 */
static bool is_at_el2(Access *access) {
  unsigned el = (unsigned)(access->pstate & PSTATE_EL) >> PSTATE_EL_SHIFT;

  return access->vcpu->features->el2 && (el == EL2 || (el == 0 && get(access, REG_HCR_EL2) & HCR_TGE));
}

static void find_stage1(Access *access, uint64_t sctlr, bool el2) {
  bool e2h0 = el2 && access->vcpu->features->el2_e2h0;

  access->stage1 = (A64Stage1){
      .enabled = sctlr & SCTLR_M,
      .tcr = get(access, el2 ? REG_TCR_EL2 : REG_TCR_EL1),
      .ttbr = {get(access, el2 ? REG_TTBR0_EL2 : REG_TTBR0_EL1), e2h0 ? 0 : get(access, el2 ? REG_TTBR1_EL2 : REG_TTBR1_EL1)},
  };
  if (!e2h0)
    return;
  access->stage1.tcr = a64_tcr_of_el2(access->stage1.tcr);
  access->stage1.enabled &= (access->pstate & PSTATE_EL) != 0;
}

static void begin(Access *access, A64Machine *machine) {
  static const A64Ops ops = {get_x, set_x, get_v, set_v, translate, read_physical, write_physical};

  access->pstate = get(access, REG_PSTATE);
  access->pc = get(access, REG_PC);
  bool el2 = is_at_el2(access);
  uint64_t sctlr = get(access, el2 ? REG_SCTLR_EL2 : REG_SCTLR_EL1);
  find_stage1(access, sctlr, el2);
  access->big_endian_tables = sctlr & SCTLR_EE;
  *machine = (A64Machine){
      .ops = &ops,
      .opaque = access,
      .pc = access->pc,
      .big_endian = sctlr & (access->pstate & PSTATE_EL ? SCTLR_EE : SCTLR_E0E),
      .zero_block = zero_block(),
      .monitor = &access->vcpu->monitor,
  };
}

static bool fetch(Access *access, uint32_t *instruction) {
  uint64_t physical;

  return !(access->pstate & PSTATE_AARCH32) && translate(access, access->pc, &physical) &&
         guest_memory_read(access->vcpu->memory, physical, instruction, sizeof *instruction);
}

/* The first one a vCPU is worth a line; a guest could write as many as it likes. */
static Verdict refuse(Access *access, bool fetched, uint32_t instruction) {
  struct kvm_vcpu_events events = {.exception.ext_dabt_pending = 1};
  Vcpu *vcpu = access->vcpu;
  uint64_t address = vcpu->run->arm_nisv.fault_ipa;

  if (vcpu->aborts++ == 0 && fetched)
    g_message("vCPU %u: instruction 0x%08x at 0x%" PRIx64 " accessed 0x%" PRIx64
              ", which is not memory, in a way that eret does not know; it got an external abort",
              vcpu->index, instruction, access->pc, address);
  else if (vcpu->aborts == 1)
    g_message("vCPU %u: the instruction at 0x%" PRIx64 " that accessed 0x%" PRIx64 " cannot be read; it got an external abort", vcpu->index,
              access->pc, address);
  if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) == 0)
    return VERDICT_CONTINUE;
  return exit_fail(vcpu, "cannot give the guest an external abort (KVM_SET_VCPU_EVENTS): %s", g_strerror(errno));
}

Verdict exit_nisv(Vcpu *vcpu) {
  Access access = {.vcpu = vcpu};
  A64Access what;
  A64Machine machine;
  uint32_t instruction = 0;

  begin(&access, &machine);
  bool fetched = !access.failed && fetch(&access, &instruction);
  if (!fetched || !a64_decode(instruction, &what) || !a64_execute(&machine, &what))
    return refuse(&access, fetched, instruction);
  set(&access, REG_PC, access.pc + sizeof instruction);
  if (access.pstate & PSTATE_BTYPE)
    set(&access, REG_PSTATE, access.pstate & ~(uint64_t)PSTATE_BTYPE);
  if (access.failed)
    return exit_fail(vcpu, "cannot read or write the registers of instruction 0x%08x: %s", instruction, g_strerror(errno));
  return VERDICT_CONTINUE;
}
