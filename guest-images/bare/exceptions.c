/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guided tour of the exceptions a program at EL1 meets, printed as it happens: which instruction goes where, what the
 * CPU writes down about it, and how ERET leads back. Arm ARM, D1.3 "Exceptions"; the numbers are in
 * runtime/exception.h.
 *
 * The levels: EL0 programs, EL1 this guest (where an operating system would be), EL2 the hypervisor, EL3 firmware. An
 * exception goes to the same level or a higher one, ERET to the same or a lower one.
 */
#include "cpus.h"
#include "exception.h"
#include "guest.h"
#include "mmu.h"
#include "user.h"

const char *const guest_name = "exceptions";

/* The exception that was taken last, and how many there were. */
static ExceptionFrame last;
static unsigned last_vector, n_taken;

/* Where to go on after an exception that goes on nowhere by itself; 0: at the next instruction. */
static uint64_t resume_at;

/*
 * ELR_EL1 is where ERET goes on. For SVC it is already the next instruction, as the call is done; for everything that
 * went wrong it is the instruction itself, so that a handler could repair the cause and have it tried again. The tour
 * repairs nothing and steps over.
 */
static bool note_exception(ExceptionFrame *frame, unsigned vector) {
  last = *frame;
  last_vector = vector;
  n_taken++;
  if (user_left(frame))
    return true;
  if (resume_at) {
    frame->elr = resume_at;
    resume_at = 0;
  } else if (ESR_EC(frame->esr) != EC_SVC) {
    frame->elr += INSTRUCTION_SIZE;
  }
  return true;
}

static const char *class_name(unsigned ec) {
  static const struct {
    ExceptionClass ec;
    const char *name;
  } names[] = {
      {EC_UNKNOWN, "unknown reason: undefined instruction"},
      {EC_SVC, "SVC"},
      {EC_HVC, "HVC"},
      {EC_SMC, "SMC"},
      {EC_SYSREG, "trapped system register"},
      {EC_INSTRUCTION_ABORT_EL0, "instruction abort from a lower level"},
      {EC_INSTRUCTION_ABORT, "instruction abort"},
      {EC_DATA_ABORT_EL0, "data abort from a lower level"},
      {EC_DATA_ABORT, "data abort"},
      {EC_BRK, "BRK"},
  };
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].ec == ec)
      return names[i].name;
  return "?";
}

static void tell_exception(void) {
  static const char *const origins[] = {"EL1 on the stack of EL0", "EL1", "EL0", "EL0 in AArch32"};

  print("    taken to EL1, vector 0x%03x (synchronous, from %s)\n", VECTOR_OFFSET(last_vector), origins[VECTOR_ORIGIN(last_vector)]);
  print("    ESR_EL1  %08lx  class 0x%02x, %s; ISS 0x%x\n", last.esr, ESR_EC(last.esr), class_name(ESR_EC(last.esr)), ESR_ISS(last.esr));
  print("    ELR_EL1  %lx  where ERET would go; SPSR_EL1  %lx  came from EL%u\n", last.elr, last.spsr, SPSR_MODE(last.spsr) >> 2);
}

/* One stop of the tour: exactly one exception was taken, of class EC, from where it should be. */
static void expect(const char *what, unsigned before, unsigned ec, VectorOrigin origin) {
  if (n_taken == before)
    guest_fail("%s: no exception came to EL1", what);
  tell_exception();
  if (n_taken != before + 1)
    guest_fail("%s: %u exceptions came to EL1", what, n_taken - before);
  if (ESR_EC(last.esr) != ec || VECTOR_KIND(last_vector) != VECTOR_SYNCHRONOUS || VECTOR_ORIGIN(last_vector) != origin)
    guest_fail("%s: not the exception that belongs here", what);
}

/* --- at EL1 ------------------------------------------------------------------------------------------------------- */

static void tour_where_we_are(void) {
  print("\nWe are at EL%lu (CurrentEL). The machine was entered at EL%u.\n", read_sysreg(CurrentEL) >> 2, machine.entry_el);
  if (machine.entry_el == 2)
    print("The runtime went down from EL2 by ERET, as nothing else can, and left a stub there that refuses every HVC.\n");
}

static void tour_svc(void) {
  unsigned before = n_taken;

  print("\nSVC #7, from EL1. The system call; but we are the system, so it stays at EL1 and is taken by our own vector table.\n");
  asm volatile("svc #7" : : : "memory");
  expect("SVC", before, EC_SVC, VECTOR_EL1);
  print("    ELR is the instruction behind the SVC: the call is made, ERET goes on after it. ISS is the number of the SVC.\n");
  if (ESR_ISS(last.esr) != 7)
    guest_fail("SVC: the ISS is not its number");
}

/* A call that everybody who answers at all answers: PSCI_VERSION. */
static void tour_call(const char *name, enum eret_door_kind kind, const char *to) {
  struct eret_door door = {kind, NULL};
  uint64_t x[ERET_N_REGISTERS] = {0};
  unsigned before = n_taken;
  uint64_t elr = read_sysreg(elr_el1), spsr = read_sysreg(spsr_el1), esr = read_sysreg(esr_el1);

  print("\n%s #0 with PSCI_VERSION (0x%x) in w0, from EL1. The call to %s.\n", name, PSCI_VERSION, to);
  int64_t answer = eret_call(door, PSCI_VERSION, x, 0, 1);
  if (n_taken != before) {
    expect(name, before, EC_UNKNOWN, VECTOR_EL1);
    print("    There is nobody above to take it here, so it is an undefined instruction.\n");
    return;
  }
  if (read_sysreg(elr_el1) != elr || read_sysreg(spsr_el1) != spsr || read_sysreg(esr_el1) != esr)
    guest_fail("%s: it came back with other exception registers", name);
  print("    No exception came to EL1: none of our vectors ran, none of our ELR, SPSR, ESR changed. It went up and came back by ERET.\n");
  if (answer < 0)
    print("    x0 is %ld: whoever is there does not answer PSCI by this instruction.\n", answer);
  else
    print("    x0 is 0x%lx: PSCI %lu.%lu answered.\n", answer, answer >> 16, answer & 0xffff);
}

static void tour_undefined(void) {
  unsigned before = n_taken;

  print("\nUDF #0, an instruction that is undefined for good.\n");
  asm volatile("udf #0" : : : "memory");
  expect("UDF", before, EC_UNKNOWN, VECTOR_EL1);
  print("    ELR is the instruction itself: a handler may emulate it, or let ERET try it again. We step over it: ELR += 4.\n");
}

static void tour_brk(void) {
  unsigned before = n_taken;

  print("\nBRK #42, the breakpoint that debuggers write into programs.\n");
  asm volatile("brk #42" : : : "memory");
  expect("BRK", before, EC_BRK, VECTOR_EL1);
  print("    ISS is its number, 0x%x. ELR is the BRK, where a debugger would put back what was there.\n", ESR_ISS(last.esr));
  if (ESR_ISS(last.esr) != 42)
    guest_fail("BRK: the ISS is not its number");
}

/* Below USER_WINDOW, above all RAM that is mapped, or else no guest of ours could have it. */
static uint64_t find_unmapped(void) {
  uint64_t address = USER_WINDOW - 4096;
  if (mmu_is_mapped(address))
    guest_fail("no unmapped address is left");
  return address;
}

static void tour_data_abort(void) {
  unsigned before = n_taken;
  uint64_t address = find_unmapped();

  print("\nLDR from 0x%lx, which our translation table does not map.\n", address);
  mmio_read32(address);
  expect("LDR", before, EC_DATA_ABORT, VECTOR_EL1);
  print("    FAR_EL1  %lx  the address. Fault status 0x%02x: translation fault, level %u. An operating system would now find\n", last.far,
        ESR_DFSC(last.esr), ESR_DFSC(last.esr) & 3);
  print("    a page, map it, and ERET to the LDR. (Without a mapping of the *hypervisor's* it would be EL2's abort: see stage2.)\n");
  if (last.far != address || (ESR_DFSC(last.esr) & 0x3c) != 0x04)
    guest_fail("LDR: not a translation fault at 0x%lx", address);
}

static void tour_instruction_abort(void) {
  unsigned before = n_taken;
  uint64_t address = find_unmapped();

  print("\nBLR to 0x%lx. The jump itself works; what cannot be done is to fetch an instruction there.\n", address);
  /* ELR is of no use to come back: where the jump was from, only x30 knows. */
  asm volatile("adr x9, 1f\n\t"
               "str x9, %1\n\t"
               "blr %0\n\t"
               "1:"
               :
               : "r"(address), "m"(resume_at)
               : "x9", "x30", "memory");
  expect("BLR", before, EC_INSTRUCTION_ABORT, VECTOR_EL1);
  print("    ELR and FAR are both the address jumped to.\n");
  if (last.elr != address)
    guest_fail("BLR: ELR is not where it went");
}

/* --- ERET --------------------------------------------------------------------------------------------------------- */

static void tour_eret_to_el1(void) {
  uint64_t arrived;

  print(
      "\nERET, from EL1 to EL1. It needs no exception before it: it takes PC from ELR_EL1 and PSTATE from SPSR_EL1, whoever wrote them.\n");
  asm volatile("mov %0, #1\n\t"
               "adr x9, 1f\n\t"
               "msr elr_el1, x9\n\t"
               "msr spsr_el1, %1\n\t"
               "eret\n\t"
               "mov %0, #0\n\t" /* never runs */
               "1:"
               : "=&r"(arrived)
               : "r"((uint64_t)(SPSR_EL1H | SPSR_MASK_ALL))
               : "x9", "memory");
  print("    The instruction behind the ERET was %s.\n", arrived ? "skipped: we went where ELR said" : "run");
  if (!arrived)
    guest_fail("ERET did not jump");
}

/* Programs for EL0: each does one thing, then leaves. x0 is theirs. */
void user_svc(void);
void user_hvc(void);
void user_privileged(void);
void user_load(void);
asm("user_svc:\n"
    "  svc #0x1e\n"
    "user_hvc:\n"
    "  hvc #0\n"
    "  svc #0x1e\n"
    "user_privileged:\n"
    "  mrs x0, sctlr_el1\n"
    "  svc #0x1e\n"
    "user_load:\n"
    "  adr x0, user_load\n"
    "  mov x1, #0x800000000\n" /* USER_WINDOW */
    "  sub x0, x0, x1\n"       /* the same memory, at EL1's address */
    "  ldr w0, [x0]\n"
    "  svc #0x1e\n");

/* The first exception of a program at EL0 that takes two: one that is the point, and the SVC to leave. */
static ExceptionFrame first;
static unsigned first_vector;

static bool note_first(ExceptionFrame *frame, unsigned vector) {
  if (ESR_EC(frame->esr) != EC_SVC) {
    first = *frame;
    first_vector = vector;
  }
  return note_exception(frame, vector);
}

static void tour_el0(void) {
  unsigned before = n_taken;

  print("\nERET to EL0: SPSR_EL1.M says 0, ELR_EL1 is a program; its memory is the same as ours, at addresses that EL0 may use.\n");
  print("The program's only instruction is SVC #0x%x.\n", USER_LEAVE);
  user_run(user_svc, 0);
  expect("SVC from EL0", before, EC_SVC, VECTOR_EL0);
  print("    This is a system call: from EL0 it comes to EL1, through another entry of the table than from EL1 itself.\n");
}

static void tour_user_fault(const char *what, void (*program)(void), unsigned ec, unsigned or_ec, const char *moral) {
  unsigned before = n_taken;

  print("\n%s\n", what);
  user_run(program, 0);
  if (n_taken != before + 2)
    guest_fail("%s: %u exceptions instead of 2", what, n_taken - before);
  last = first;
  last_vector = first_vector;
  tell_exception();
  print("    %s\n", moral);
  if ((ESR_EC(first.esr) != ec && ESR_EC(first.esr) != or_ec) || VECTOR_ORIGIN(first_vector) != VECTOR_EL0)
    guest_fail("%s: not the exception that belongs here", what);
}

void guest_main(void) {
  exception_set_sync_handler(note_first);
  print("Exceptions, a guided tour.\n");
  tour_where_we_are();
  tour_svc();
  tour_call("HVC", ERET_DOOR_HVC, "EL2, the hypervisor");
  tour_call("SMC", ERET_DOOR_SMC, "EL3, the firmware; a hypervisor has it come to EL2 instead (HCR_EL2.TSC)");
  tour_undefined();
  tour_brk();
  tour_data_abort();
  tour_instruction_abort();
  tour_eret_to_el1();
  tour_el0();
  tour_user_fault("HVC from EL0.", user_hvc, EC_UNKNOWN, EC_UNKNOWN,
                  "A program cannot call the hypervisor: HVC is undefined at EL0, and that is EL1's affair.");
  tour_user_fault("MRS x0, SCTLR_EL1 from EL0.", user_privileged, EC_UNKNOWN, EC_SYSREG,
                  "EL1's registers are EL1's: to EL0 the instruction does not exist.");
  tour_user_fault("LDR from EL0, of EL1's memory.", user_load, EC_DATA_ABORT_EL0, EC_DATA_ABORT_EL0,
                  "Mapped, but not for EL0: a permission fault. Nothing was read, the program may be ended or forgiven.");
  print("\nBack at EL%lu, after %u exceptions.\n", read_sysreg(CurrentEL) >> 2, n_taken);
}
