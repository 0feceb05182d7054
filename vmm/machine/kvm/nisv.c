/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access outside RAM whose syndrome does not say what it does (ESR_EL2.ISV is 0): the instruction is fetched,
 * decoded and carried out here. Linux: Documentation/virt/kvm/api.rst, KVM_EXIT_ARM_NISV.
 *
 * The guest's own protection must hold as well: its programs at EL0 may have a device mapped, and are no friends of its
 * kernel. So no piece is carried out that the guest's tables do not grant to the level that the vCPU is at, and none in
 * RAM. All that KVM says of the access is the address and whether it was a write (HPFAR_EL2, ESR_EL2.WnR); the
 * instruction is fetched again, when another vCPU may have written there. What does not do what was reported, or would
 * have been refused by the MMU, is given back to the CPU, which looks itself and takes the exception that belongs to
 * it. A CPU that comes back with the same again and again has looked at one piece of the access only.
 *
 * What cannot be carried out is answered as a bus would answer it: with an external abort. That goes for what lies in
 * RAM in part, too, for which the architecture promises nothing (Arm ARM, B2: accesses that cross a boundary of memory
 * types). On the vCPU's thread.
 */
#include "vmm/machine/kvm/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/ioctl.h>

#include "vmm/arm/execute.h"
#include "vmm/arm/translate.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/kvm/regs.h"

#define SVE_MAX_WORDS   (2048 / 64) /* of a Z register */
#define PSTATE_AARCH32  (1u << 4)
#define PSTATE_SP       (1u << 0) /* SPSel: the exception level's own stack pointer */
#define PSTATE_EL       (3u << PSTATE_EL_SHIFT)
#define PSTATE_EL_SHIFT 2
#define EL2             2u
#define HCR_TGE         (UINT64_C(1) << 27)
#define HCR_VM          (UINT64_C(1) << 0)
#define PSTATE_BTYPE    (3u << 10)
#define PSTATE_PAN      (1u << 22)
#define PSTATE_UAO      (1u << 23)
#define SCTLR_DZE       (UINT64_C(1) << 14)
#define SCTLR_E0E       (UINT64_C(1) << 24)
#define SCTLR_EE        (UINT64_C(1) << 25)
#define FPEN_SHIFT      20                  /* CPACR_EL1, and CPTR_EL2 with FEAT_VHE */
#define CPTR_TFP        (UINT64_C(1) << 10) /* CPTR_EL2 without */
#define FPEN_EL1        1u                  /* not at EL0 */
#define FPEN_ALL        3u
#define ESR_WNR         (1u << 6)
#define RETRIES         64 /* in a row: a guest whose CPUs race may need some */

/* One of them. */
typedef struct {
  Vcpu *vcpu;
  uint64_t pstate, pc;
  A64Stage1 stage1;
  bool at_el2, tge;
  bool big_endian_tables;
  bool failed; /* a register could not be read or written */
  bool seen;   /* the first access has been told to who watches */
} Access;

static uint64_t get(Access *access, uint64_t id) {
  uint64_t value = 0;

  access->failed |= !reg_get(access->vcpu->fd, id, &value);
  return value;
}

/* Of a register that not every CPU has. */
static uint64_t get_if_there(const Access *access, uint64_t id) {
  uint64_t value = 0;

  return reg_get(access->vcpu->fd, id, &value) ? value : 0;
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

  if (!guest_memory_read(access->vcpu->shared->memory, physical, value, sizeof *value))
    return false;
  if (access->big_endian_tables)
    *value = GUINT64_SWAP_LE_BE(*value);
  return true;
}

static unsigned level_of(const Access *access) {
  return (unsigned)(access->pstate & PSTATE_EL) >> PSTATE_EL_SHIFT;
}

/* C3.2.5: as EL0 from EL1, and from a hypervisor that is its programs' kernel; PSTATE.UAO makes them plain ones. */
static bool is_privileged(const Access *access, bool unprivileged) {
  unsigned el = level_of(access);

  if (el == 0)
    return false;
  return !unprivileged || access->pstate & PSTATE_UAO || (el == EL2 && !access->tge);
}

static bool translate(void *opaque, uint64_t virtual, unsigned rights, bool unprivileged, uint64_t *physical) {
  const Access *access = opaque;
  const A64Request request = {rights, is_privileged(access, unprivileged), access->pstate & PSTATE_PAN};

  return a64_translate(&access->stage1, virtual, &request, read_descriptor, opaque, physical);
}

static bool is_ram(void *opaque, uint64_t physical) {
  return guest_memory_slice(((Access *)opaque)->vcpu->shared->memory, physical, 1) != NULL;
}

/* An exit is one line in counts and recordings, whatever it moves. */
static void tell(Access *access, uint64_t physical, unsigned size, bool is_write, uint64_t value) {
  const Vcpu *vcpu = access->vcpu;

  if (!vcpu->watch || access->seen)
    return;
  access->seen = true;
  const char *reg, *device = bus_name(vcpu->shared->bus, physical, &reg);
  vcpu_watch_mmio(vcpu->watch, device, reg, physical, size, is_write, value);
}

static uint64_t read_physical(void *opaque, uint64_t physical, unsigned size) {
  Access *access = opaque;
  uint64_t value = bus_read(access->vcpu->shared->bus, physical, size);
  tell(access, physical, size, false, value);
  return value;
}

static void write_physical(void *opaque, uint64_t physical, unsigned size, uint64_t value) {
  Access *access = opaque;

  bus_write(access->vcpu->shared->bus, physical, size, value);
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
 * with the layout that FEAT_VHE gives it. Without that (--nested=e2h0) EL2 has a regime of its own, and programs right
 * above it have none.
 */
static void find_regime(Access *access, uint64_t hcr) {
  unsigned el = level_of(access);

  access->tge = hcr & HCR_TGE;
  access->at_el2 = el == EL2 || (el == 0 && access->tge);
}

static void read_stage1(Access *access) {
  bool el2 = access->at_el2, e2h0 = el2 && access->vcpu->shared->features->el2_e2h0;
  A64Stage1 *stage1 = &access->stage1;

  *stage1 = (A64Stage1){
      .alone = e2h0,
      .sctlr = get(access, el2 ? REG_SCTLR_EL2 : REG_SCTLR_EL1),
      .tcr = get(access, el2 ? REG_TCR_EL2 : REG_TCR_EL1),
      .ttbr = {get(access, el2 ? REG_TTBR0_EL2 : REG_TTBR0_EL1), e2h0 ? 0 : get(access, el2 ? REG_TTBR1_EL2 : REG_TTBR1_EL1)},
      .tcr2 = get_if_there(access, REG_TCR2(el2)),
  };
  if (e2h0)
    stage1->tcr = a64_tcr_of_el2(stage1->tcr);
  if (e2h0 && level_of(access) == 0)
    stage1->sctlr &= ~A64_SCTLR_M;
  if (stage1->tcr2 & A64_TCR2_PIE) {
    stage1->pir[0] = get_if_there(access, REG_PIRE0(el2));
    stage1->pir[1] = get_if_there(access, REG_PIR(el2));
  }
  if (stage1->tcr2 & (A64_TCR2_POE | A64_TCR2_E0POE)) {
    stage1->por[0] = get_if_there(access, REG_POR_EL0);
    stage1->por[1] = get_if_there(access, REG_POR(el2));
  }
}

static void begin(Access *access, A64Machine *machine) {
  static const A64Ops ops = {get_x, set_x, get_v, set_v, translate, is_ram, read_physical, write_physical};

  read_stage1(access);
  uint64_t sctlr = access->stage1.sctlr;
  access->big_endian_tables = sctlr & SCTLR_EE;
  *machine = (A64Machine){
      .ops = &ops,
      .opaque = access,
      .pc = access->pc,
      .big_endian = sctlr & (access->pstate & PSTATE_EL ? SCTLR_EE : SCTLR_E0E),
      .zero_block = zero_block(),
      .monitor = &access->vcpu->monitor,
      .reported = access->vcpu->run->arm_nisv.fault_ipa,
      .reported_write = access->vcpu->run->arm_nisv.esr_iss & ESR_WNR,
  };
}

static bool opens_simd(Access *access, uint64_t id) {
  uint64_t value = get(access, id);
  unsigned fpen = (unsigned)(value >> FPEN_SHIFT & 3);

  if (id == REG_CPTR_EL2 && access->vcpu->shared->features->el2_e2h0)
    return !(value & CPTR_TFP);
  return fpen == FPEN_ALL || (fpen == FPEN_EL1 && level_of(access) != 0);
}

/* SIMD registers may hold what another program has left there: a kernel that trusts in the trap saves them late. */
static bool may_use_simd(Access *access) {
  return (access->at_el2 || opens_simd(access, REG_CPACR_EL1)) &&
         (!access->vcpu->shared->features->el2 || opens_simd(access, REG_CPTR_EL2));
}

/* Whether the CPU would trap the instruction whatever its address is. */
static bool is_trapped(Access *access, const A64Access *what) {
  if (what->vector && !may_use_simd(access))
    return true;
  return what->kind == A64_ZERO && level_of(access) == 0 && !(access->stage1.sctlr & SCTLR_DZE);
}

static bool fetch(Access *access, uint32_t *instruction) {
  uint64_t physical;

  return translate(access, access->pc, A64_EXECUTE, false, &physical) &&
         guest_memory_read(access->vcpu->shared->memory, physical, instruction, sizeof *instruction);
}

/* Why an access is not carried out. */
typedef enum { NOT_A64, NOT_FETCHED, NOT_DECODED, NOT_GRANTED, NOT_IT, IN_RAM, NESTED, CARRIED_OUT } Fate;

static const struct {
  const char *text; /* behind "the instruction at ... that accessed ..., which is not memory, " */
  bool fetched;
  bool again; /* the CPU may see another thing, when it looks again */
} fates[] = {
    [NOT_A64] = {"is not one of AArch64", false, false},
    [NOT_FETCHED] = {"cannot be read", false, true},
    [NOT_DECODED] = {"does so in a way that eret does not know", true, false},
    [NOT_GRANTED] = {"does so to another page as well, which the guest's own tables do not allow", true, true},
    [NOT_IT] = {"is one that does something else", true, true},
    [IN_RAM] = {"accesses memory as well", true, false},
    [NESTED] = {"is one of a guest of the guest", false, false},
};

/* The first one a vCPU is worth a line; a guest could write as many as it likes. */
static Verdict refuse(Access *access, Fate fate, uint32_t instruction) {
  struct kvm_vcpu_events events = {.exception.ext_dabt_pending = 1};
  Vcpu *vcpu = access->vcpu;

  g_autofree char *word = fates[fate].fetched ? g_strdup_printf(" 0x%08x", instruction) : g_strdup("");

  if (!vcpu->abort_told)
    g_message("vCPU %u: the instruction%s at 0x%" PRIx64 " that accessed 0x%" PRIx64 ", which is not memory, %s; it got an external abort",
              vcpu->index, word, access->pc, (uint64_t)vcpu->run->arm_nisv.fault_ipa, fates[fate].text);
  vcpu->abort_told = true;
  if (ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events) == 0)
    return VERDICT_CONTINUE;
  return exit_fail(vcpu, "cannot give the guest an external abort (KVM_SET_VCPU_EVENTS): %s", g_strerror(errno));
}

/* Whether the vCPU is to run the instruction again. */
static bool give_back(Access *access) {
  Vcpu *vcpu = access->vcpu;
  uint64_t address = vcpu->run->arm_nisv.fault_ipa;

  if (vcpu->retry.pc != access->pc || vcpu->retry.address != address)
    vcpu->retry.times = 0;
  vcpu->retry.pc = access->pc;
  vcpu->retry.address = address;
  if (vcpu->retry.times == RETRIES)
    return false;
  vcpu->retry.times++;
  return true;
}

static Fate carry_out(Access *access, uint32_t *instruction) {
  static const Fate outcomes[] = {[A64_DONE] = CARRIED_OUT, [A64_NOT_GRANTED] = NOT_GRANTED, [A64_NOT_IT] = NOT_IT, [A64_IN_RAM] = IN_RAM};
  A64Access what;
  A64Machine machine;

  access->pstate = get(access, REG_PSTATE);
  access->pc = get(access, REG_PC);
  if (access->pstate & PSTATE_AARCH32)
    return NOT_A64;
  uint64_t hcr = access->vcpu->shared->features->el2 ? get(access, REG_HCR_EL2) : 0;
  find_regime(access, hcr);
  if (hcr & HCR_VM && !access->at_el2) /* below its own stage 2, which is its hypervisor's to walk */
    return NESTED;
  begin(access, &machine);
  if (!fetch(access, instruction))
    return NOT_FETCHED;
  if (!a64_decode(*instruction, &what))
    return NOT_DECODED;
  return is_trapped(access, &what) ? NOT_IT : outcomes[a64_execute(&machine, &what)];
}

Verdict exit_nisv(Vcpu *vcpu) {
  Access access = {.vcpu = vcpu};
  uint32_t instruction = 0;
  Fate fate = carry_out(&access, &instruction);

  if (!access.failed && fate != CARRIED_OUT)
    return fates[fate].again && give_back(&access) ? VERDICT_CONTINUE : refuse(&access, fate, instruction);
  vcpu->retry.times = 0;
  set(&access, REG_PC, access.pc + sizeof instruction);
  if (access.pstate & PSTATE_BTYPE)
    set(&access, REG_PSTATE, access.pstate & ~(uint64_t)PSTATE_BTYPE);
  if (access.failed)
    return exit_fail(vcpu, "cannot read or write the registers of instruction 0x%08x: %s", instruction, g_strerror(errno));
  return VERDICT_CONTINUE;
}
