/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every form of load and store, on a device. A trap to EL2 tells the hypervisor what a plain LDR or STR wanted
 * (ESR_EL2.ISV is 1). Of all others, pairs, write-back, SIMD, exclusives, atomics, it has to fetch the instruction and
 * carry it out itself. Here each form runs twice, with the same registers and the same bytes: on RAM, where the CPU
 * does it, and on eret's scratch page (`--scratch`), where eret does. All registers and all bytes must be the same.
 *
 * The page is looked at through a mapping as normal memory as well, for those forms that device memory does not allow.
 */
#include "fdt.h"
#include "guest.h"
#include "mmu.h"

const char *const guest_name = "accesses";

#define SCRATCH_COMPATIBLE "eret,scratch"
#define AREA_SIZE          192 /* bytes that are looked at */
#define AREA_BASE          64  /* where forms begin: a cache line */
#define N_GENERAL          10
#define N_VECTOR           8

/* What a form can need. */
enum { NORMAL = 1 << 0 /* memory, not a device */, LSE = 1 << 1, RCPC = 1 << 2, RCPC2 = 1 << 3 };

typedef struct {
  uint64_t general[N_GENERAL]; /* x1: address; x2 to x5: data; x6: status; x7: offset; x8: keeps SP */
  uint64_t padding[6];
  uint64_t vector[N_VECTOR][2];
} Registers;

typedef struct {
  const char *text;
  void (*code)(void);
  uint64_t needs;
} Form;

extern const Form forms[], forms_end[];
void run_form(void (*code)(void), Registers *registers);

/* run_form loads the registers, calls the form, stores the registers. */
asm(".arch armv8.4-a+simd\n"
    ".text\n"
    ".global run_form\n"
    "run_form:\n"
    "  stp x29, x30, [sp, #-48]!\n"
    "  stp x19, x20, [sp, #16]\n"
    "  mov x19, x1\n"
    "  mov x20, x0\n"
    "  ldp q0, q1, [x19, #128]\n"
    "  ldp q2, q3, [x19, #160]\n"
    "  ldp q4, q5, [x19, #192]\n"
    "  ldp q6, q7, [x19, #224]\n"
    "  ldp x0, x1, [x19]\n"
    "  ldp x2, x3, [x19, #16]\n"
    "  ldp x4, x5, [x19, #32]\n"
    "  ldp x6, x7, [x19, #48]\n"
    "  ldp x8, x9, [x19, #64]\n"
    "  blr x20\n"
    "  stp q0, q1, [x19, #128]\n"
    "  stp q2, q3, [x19, #160]\n"
    "  stp q4, q5, [x19, #192]\n"
    "  stp q6, q7, [x19, #224]\n"
    "  stp x0, x1, [x19]\n"
    "  stp x2, x3, [x19, #16]\n"
    "  stp x4, x5, [x19, #32]\n"
    "  stp x6, x7, [x19, #48]\n"
    "  stp x8, x9, [x19, #64]\n"
    "  ldp x19, x20, [sp, #16]\n"
    "  ldp x29, x30, [sp], #48\n"
    "  ret\n");

/* form NEEDS, "INSTRUCTIONS"; the needs are those above. */
asm(".set NORMAL, 1\n"
    ".set LSE, 2\n"
    ".set RCPC, 4\n"
    ".set RCPC2, 8\n"
    ".pushsection .rodata.forms, \"a\"\n"
    ".balign 8\n"
    ".global forms\n"
    "forms:\n"
    ".popsection\n"
    ".macro form needs, text\n"
    "  .pushsection .rodata.texts, \"a\"\n"
    "7: .asciz \"\\text\"\n"
    "  .popsection\n"
    "  .pushsection .rodata.forms, \"a\"\n"
    "  .xword 7b, 8f, \\needs\n"
    "  .popsection\n"
    "8: \\text\n"
    "  ret\n"
    ".endm\n");

/* Pairs. */
asm(".irp mode, \"[x1]\", \"[x1, #-16]\", \"[x1, #32]!\", \"[x1], #-32\"\n"
    "  .irp r, w, x, s, d, q\n"
    "  .ifc \\r, w\n form 0, \"ldp w2, w3, \\mode\"\n form 0, \"stp w2, w3, \\mode\"\n .endif\n"
    "  .ifc \\r, x\n form 0, \"ldp x2, x3, \\mode\"\n form 0, \"stp x2, x3, \\mode\"\n .endif\n"
    "  .ifc \\r, s\n form 0, \"ldp s2, s3, \\mode\"\n form 0, \"stp s2, s3, \\mode\"\n .endif\n"
    "  .ifc \\r, d\n form 0, \"ldp d2, d3, \\mode\"\n form 0, \"stp d2, d3, \\mode\"\n .endif\n"
    "  .ifc \\r, q\n form 0, \"ldp q2, q3, \\mode\"\n form 0, \"stp q2, q3, \\mode\"\n .endif\n"
    "  .endr\n"
    "  form 0, \"ldpsw x2, x3, \\mode\"\n"
    ".endr\n"
    ".irp r, w, x, s, d, q\n"
    "  form 0, \"ldnp \\r\\()2, \\r\\()3, [x1, #16]\"\n"
    "  form 0, \"stnp \\r\\()2, \\r\\()3, [x1, #16]\"\n"
    ".endr\n"
    "form 0, \"ldp xzr, x3, [x1]\"\n"
    "form 0, \"stp xzr, x3, [x1]\"\n"
    "form 0, \"mov x8, sp; mov sp, x1; ldp x2, x3, [sp], #16; mov x1, sp; mov sp, x8; mov x8, #0\"\n"
    "form 0, \"mov x8, sp; mov sp, x1; str x2, [sp, #-16]!; mov x1, sp; mov sp, x8; mov x8, #0\"\n");

/* One register, with write-back. */
asm(".irp mode, \"[x1, #8]!\", \"[x1], #-8\"\n"
    "  .irp insn, ldrb, strb, ldrh, strh, ldr, str, ldrsb, ldrsh\n"
    "    form 0, \"\\insn w2, \\mode\"\n"
    "  .endr\n"
    "  .irp insn, ldr, str, ldrsb, ldrsh, ldrsw\n"
    "    form 0, \"\\insn x2, \\mode\"\n"
    "  .endr\n"
    ".endr\n"
    "form 0, \"ldr xzr, [x1], #8\"\n"
    "form 0, \"str xzr, [x1, #8]!\"\n"
    /*
     * Some of those with a syndrome, for company. They are KVM's; of LDURSW and LDAPURSH, QEMU's CPU tells a wrong one.
     */
    "form 0, \"ldr x2, [x1, #8]\"\n"
    "form 0, \"ldrsh x2, [x1, #6]\"\n"
    "form 0, \"ldrsb w2, [x1, x7]\"\n"
    "form 0, \"ldar x2, [x1]\"\n"
    "form 0, \"stlrh w2, [x1]\"\n"
    "form 0, \"prfm pldl1keep, [x1]\"\n");

/* SIMD and floating-point registers. */
asm(".irp r, b, h, s, d, q\n"
    "  .irp insn, ldr, str\n"
    "    form 0, \"\\insn \\r\\()2, [x1]\"\n"
    "    form 0, \"\\insn \\r\\()2, [x1, #32]\"\n"
    "    form 0, \"\\insn \\r\\()2, [x1, #16]!\"\n"
    "    form 0, \"\\insn \\r\\()2, [x1], #-16\"\n"
    "    form 0, \"\\insn \\r\\()2, [x1, x7]\"\n"
    "    form 0, \"\\insn \\r\\()2, [x1, w9, sxtw]\"\n"
    "    form 0, \"\\insn \\r\\()2, [x1, w7, uxtw]\"\n"
    "  .endr\n"
    "  form 0, \"ldur \\r\\()2, [x1, #-16]\"\n"
    "  form 0, \"stur \\r\\()2, [x1, #-16]\"\n"
    ".endr\n"
    "form 0, \"mov x7, #2; ldr q2, [x1, x7, lsl #4]\"\n"
    "form 0, \"mov x7, #2; str d2, [x1, x7, lsl #3]\"\n");

/* SIMD structures. */
asm(".irp kind, ld, st\n"
    "  .irp t, 8b, 16b, 4h, 8h, 2s, 4s, 1d, 2d\n"
    "    form 0, \"\\kind\\()1 {v0.\\t}, [x1]\"\n"
    "    form 0, \"\\kind\\()1 {v0.\\t, v1.\\t}, [x1], x7\"\n"
    "    form 0, \"\\kind\\()1 {v0.\\t, v1.\\t, v2.\\t}, [x1]\"\n"
    "    form 0, \"\\kind\\()1 {v0.\\t, v1.\\t, v2.\\t, v3.\\t}, [x1]\"\n"
    "  .endr\n"
    "  .irp t, 8b, 16b, 4h, 8h, 2s, 4s, 2d\n"
    "    form 0, \"\\kind\\()2 {v0.\\t, v1.\\t}, [x1]\"\n"
    "    form 0, \"\\kind\\()3 {v0.\\t, v1.\\t, v2.\\t}, [x1], x7\"\n"
    "    form 0, \"\\kind\\()4 {v0.\\t, v1.\\t, v2.\\t, v3.\\t}, [x1]\"\n"
    "  .endr\n"
    "  form 0, \"\\kind\\()1 {v0.16b}, [x1], #16\"\n"
    "  form 0, \"\\kind\\()4 {v0.16b, v1.16b, v2.16b, v3.16b}, [x1], #64\"\n"
    "  .irp lane, \"b}[3]\", \"b}[13]\", \"h}[0]\", \"h}[6]\", \"s}[1]\", \"s}[3]\", \"d}[0]\", \"d}[1]\"\n"
    "    form 0, \"\\kind\\()1 {v0.\\lane, [x1]\"\n"
    "    form 0, \"\\kind\\()1 {v0.\\lane, [x1], x7\"\n"
    "  .endr\n"
    "  .irp t, b, h, s, d\n"
    "    form 0, \"\\kind\\()2 {v0.\\t, v1.\\t}[1], [x1]\"\n"
    "    form 0, \"\\kind\\()3 {v0.\\t, v1.\\t, v2.\\t}[1], [x1], x7\"\n"
    "    form 0, \"\\kind\\()4 {v0.\\t, v1.\\t, v2.\\t, v3.\\t}[0], [x1]\"\n"
    "  .endr\n"
    ".endr\n"
    ".irp t, 8b, 16b, 4h, 8h, 2s, 4s, 1d, 2d\n"
    "  form 0, \"ld1r {v0.\\t}, [x1]\"\n"
    "  form 0, \"ld2r {v0.\\t, v1.\\t}, [x1]\"\n"
    "  form 0, \"ld3r {v0.\\t, v1.\\t, v2.\\t}, [x1]\"\n"
    "  form 0, \"ld4r {v0.\\t, v1.\\t, v2.\\t, v3.\\t}, [x1], x7\"\n"
    ".endr\n"
    "form 0, \"ld3r {v0.4s, v1.4s, v2.4s}, [x1], #12\"\n");

/*
 * Exclusives. A load that was carried out for the CPU leaves its monitor open, so the store behind it fails, on many
 * CPUs without a look at memory: a loop of the two never ends on a device. Each is tried alone.
 */
asm(".irp s, b, h\n"
    "  form NORMAL, \"ldxr\\s w2, [x1]; clrex\"\n"
    "  form NORMAL, \"ldaxr\\s w2, [x1]; clrex\"\n"
    "  form NORMAL, \"clrex; stxr\\s w6, w3, [x1]\"\n"
    ".endr\n"
    ".irp r, w, x\n"
    "  form NORMAL, \"ldxr \\r\\()2, [x1]; clrex\"\n"
    "  form NORMAL, \"ldaxr \\r\\()2, [x1]; clrex\"\n"
    "  form NORMAL, \"ldxp \\r\\()2, \\r\\()3, [x1]; clrex\"\n"
    "  form NORMAL, \"ldaxp \\r\\()2, \\r\\()3, [x1]; clrex\"\n"
    "  form NORMAL, \"clrex; stlxr w6, \\r\\()3, [x1]\"\n"
    "  form NORMAL, \"clrex; stxp w6, \\r\\()3, \\r\\()2, [x1]\"\n"
    ".endr\n");

/* Atomics, compare and swap: that differs, and that is equal. */
asm(".irp op, ldadd, ldclr, ldeor, ldset, ldsmax, ldsmin, ldumax, ldumin, swp\n"
    "  form NORMAL|LSE, \"\\op\\()b w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"\\op\\()ah w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"\\op\\()l w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"\\op\\()al x2, x3, [x1]\"\n"
    ".endr\n"
    "form NORMAL|LSE, \"stadd x2, [x1]\"\n"
    "form NORMAL|LSE, \"swp xzr, x3, [x1]\"\n"
    ".irp o, \"\", a, l, al\n"
    "  form NORMAL|LSE, \"cas\\o\\()b w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"ldrb w2, [x1]; cas\\o\\()b w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"ldrh w2, [x1]; cas\\o\\()h w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"ldr w2, [x1]; cas\\o w2, w3, [x1]\"\n"
    "  form NORMAL|LSE, \"ldr x2, [x1]; cas\\o x2, x3, [x1]\"\n"
    "  form NORMAL|LSE, \"cas\\o x2, x3, [x1]\"\n"
    "  form NORMAL|LSE, \"casp\\o x2, x3, x4, x5, [x1]\"\n"
    "  form NORMAL|LSE, \"ldp x2, x3, [x1]; casp\\o x2, x3, x4, x5, [x1]\"\n"
    "  form NORMAL|LSE, \"ldp w2, w3, [x1]; casp\\o w2, w3, w4, w5, [x1]\"\n"
    ".endr\n"
    "form RCPC, \"ldapr x2, [x1]\"\n"
    "form RCPC, \"ldaprb w2, [x1]\"\n"
    "form RCPC2, \"ldapur x2, [x1, #-8]\"\n"
    "form RCPC2, \"stlur w2, [x1, #8]\"\n"
    "form NORMAL, \"dc zva, x1\"\n"
    ".pushsection .rodata.forms, \"a\"\n"
    ".global forms_end\n"
    "forms_end:\n"
    ".popsection\n");

/* ID_AA64ISAR0_EL1.Atomic, ID_AA64ISAR1_EL1.LRCPC */
static uint64_t find_features(void) {
  uint64_t atomic = read_sysreg(id_aa64isar0_el1) >> 20 & 15, lrcpc = read_sysreg(id_aa64isar1_el1) >> 20 & 15;
  return NORMAL | (atomic >= 2 ? LSE : 0) | (lrcpc >= 1 ? RCPC : 0) | (lrcpc >= 2 ? RCPC2 : 0);
}

static uint64_t pattern(unsigned i) {
  return 0x8796a5b4c3d2e1f0ull * (2 * i + 1) ^ 0x0123456789abcdefull;
}

static void prepare(Registers *registers, uint64_t area) {
  for (unsigned i = 0; i < AREA_SIZE / 8; i++)
    mmio_write64(area + i * 8, pattern(i));
  for (unsigned i = 0; i < N_GENERAL; i++)
    registers->general[i] = pattern(100 + i);
  for (unsigned i = 0; i < N_VECTOR * 2; i++)
    registers->vector[i / 2][i % 2] = pattern(200 + i);
  registers->general[1] = area + AREA_BASE;
  registers->general[7] = 16;
  registers->general[9] = 0xffffffe0; /* -32, as 32 bits */
  dsb();
}

/* What differs: NULL when nothing does. */
static const char *difference(const Registers *ram, uint64_t ram_area, const Registers *device, uint64_t device_area) {
  dsb();
  for (unsigned i = 0; i < AREA_SIZE / 8; i++)
    if (mmio_read64(ram_area + i * 8) != mmio_read64(device_area + i * 8))
      return "bytes";
  for (unsigned i = 0; i < N_GENERAL; i++)
    if (ram->general[i] - (i == 1 ? ram_area : 0) != device->general[i] - (i == 1 ? device_area : 0))
      return i == 1 ? "the address register" : "general registers";
  for (unsigned i = 0; i < N_VECTOR * 2; i++)
    if (ram->vector[i / 2][i % 2] != device->vector[i / 2][i % 2])
      return "SIMD registers";
  return NULL;
}

static uint64_t ram_area[AREA_SIZE / 8] __attribute__((aligned(64)));
static unsigned n_forms, n_different, n_left_out;

static void try_form(const Form *form, uint64_t device_area, const char *how) {
  static Registers ram, device;

  prepare(&ram, (uint64_t)ram_area);
  run_form(form->code, &ram);
  prepare(&device, device_area);
  run_form(form->code, &device);
  n_forms++;
  const char *what = difference(&ram, (uint64_t)ram_area, &device, device_area);
  if (!what)
    return;
  n_different++;
  check(false, "%s, as %s: %s differ", form->text, how, what);
}

void guest_main(void) {
  uint64_t device = 0, size = 0, features = find_features();

  fdt_reg(machine.fdt, fdt_find_compatible(machine.fdt, SCRATCH_COMPATIBLE), 0, &device, &size);
  if (!device)
    guest_skip("there is no scratch page; eret run --scratch");
  write_sysreg(cpacr_el1, read_sysreg(cpacr_el1) | 3ull << 20); /* FPEN: SIMD does not trap */
  isb();
  uint64_t memory = mmu_map_as_memory(device);
  for (const Form *form = forms; form < forms_end; form++) {
    if (form->needs & ~features) {
      n_left_out++;
      continue;
    }
    try_form(form, memory, "memory");
    if (!(form->needs & NORMAL))
      try_form(form, device, "device");
  }
  print("%u forms tried, %u that this CPU does not have\n", n_forms, n_left_out);
  check(n_forms > 500, "there are %u of them", n_forms);
  check(n_different == 0, "eret does what the CPU does");
}
