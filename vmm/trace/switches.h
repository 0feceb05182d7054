/* SPDX-License-Identifier: Apache-2.0 */
/*
 * World switches, from the records of a recording: one TraceSwitch is one time that a vCPU left the guest, from the
 * exit to the entry that ended it. Everything that reads a recording (summary, explanation, Chrome's format, the page)
 * works on this list.
 *
 *     ERET (entry)   guest runs at EL1/EL0   exit to EL2   KVM   [KVM_RUN returns   eret   KVM_RUN]   KVM   ERET (next entry)
 *     entered ............................... left ............. user_from ....... user_to ............... returned
 */
#pragma once

#include "vmm/trace/recording.h"

/*
 * Why the guest was left. With KVM's events: the exception. With eret's events alone: SWITCH_UNKNOWN, and what is known
 * is what eret did.
 */
typedef enum {
  SWITCH_TRAP, /* a synchronous exception to EL2: ec says which */
  SWITCH_IRQ,  /* a physical interrupt of the host */
  SWITCH_SERROR,
  SWITCH_ILLEGAL, /* illegal exception return */
  SWITCH_UNKNOWN,
} SwitchCause;

/* What the instruction that trapped wanted; SWITCH_TRAP, and SWITCH_UNKNOWN as far as eret's own event tells. */
typedef enum {
  SWITCH_DOES_OTHER,
  SWITCH_DOES_HYPERCALL, /* HVC64, SMC64 */
  SWITCH_DOES_MMIO,      /* a data abort that an access to a device register is */
  SWITCH_DOES_FAULT,     /* an abort that the host answers by mapping memory (stage 2) */
  SWITCH_DOES_SYSREG,    /* MSR, MRS and system instructions */
  SWITCH_DOES_WAIT,      /* WFI, WFE */
} SwitchAction;

typedef struct {
  unsigned vcpu;
  uint64_t number;             /* of this vCPU, from 0 */
  uint64_t entered;            /* the entry before: the guest ran from here ... (SWITCH_UNKNOWN: KVM_RUN was called here); 0: not known */
  uint64_t left;               /* ... to here */
  uint64_t user_from, user_to; /* when userspace had the vCPU; both 0: it did not. user_to 0 alone: the recording ends there */
  uint64_t returned;           /* the guest runs again (SWITCH_UNKNOWN: KVM_RUN is called again); 0: it never did, or a loss hides it */
  uint64_t user_ns;            /* what userspace took: less than user_to - user_from where KVM_RUN was called more than once */
  uint64_t waited;             /* ns that the vCPU was put to sleep meanwhile, by WFI or CPU_OFF: neither KVM's work nor userspace's */
  uint64_t pc;                 /* of the exit; 0 with SWITCH_UNKNOWN */
  SwitchCause cause;
  SwitchAction action;
  uint8_t ec; /* ESR_EL2.EC, SWITCH_TRAP */
  bool has_esr;
  bool write;     /* MMIO, system register */
  bool smc;       /* hypercall */
  bool has_value; /* `value` is known */
  bool wfe;
  uint64_t esr;             /* where KVM's events have it: aborts, system registers */
  uint64_t ipa;             /* MMIO, fault */
  uint64_t far;             /* the guest's virtual address, abort */
  uint64_t value;           /* MMIO: read or written; hypercall: x0 returned by eret */
  bool has_function;        /* `function` is known: KVM has no event for SMC, eret none for what KVM answers */
  uint64_t function;        /* hypercall: x0 of the call */
  unsigned size;            /* MMIO: bytes */
  unsigned immediate;       /* HVC */
  uint32_t sysreg;          /* SYSREG; 0: not known */
  uint32_t exit_reason;     /* KVM_EXIT_..., when userspace had it */
  int run_error;            /* KVM_RUN failed with it (EINTR: a signal); 0 */
  const char *device, *reg; /* MMIO answered by eret, "" where not known; owned by the recording */
  const char *service;      /* hypercall answered by eret, "" */
  const char *sysreg_name;  /* KVM's own, "" */
} TraceSwitch;

typedef struct {
  const Recording *recording;
  GArray *switches;      /* of TraceSwitch, by `left`; of all vCPUs */
  unsigned n_vcpus;      /* highest index seen, plus one */
  bool has_kernel;       /* KVM's events are there */
  uint64_t begins, ends; /* ns: of the first and the last record */
  bool knows_memory;     /* the machine's map is in the recording */
  uint64_t unpaired; /* times that KVM_RUN returned without a switch: it ended before the guest was entered, or the exit is not recorded */
} TraceSwitches;

/* RECORDING must outlive it. Never NULL; hostile records give a smaller list, not a crash. */
TraceSwitches *trace_switches_new(const Recording *recording);
void trace_switches_free(TraceSwitches *switches); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TraceSwitches, trace_switches_free)

/* ns that it cost the guest: left to returned; 0 when it never returned. */
uint64_t trace_switch_cost(const TraceSwitch *one);
/* Of the cost, what the kernel took: EL2 and host, without userspace and without waiting. */
uint64_t trace_switch_kernel_ns(const TraceSwitch *one);
/* The address of the instruction: an HVC's exit has the one behind it, all others their own. 0 with SWITCH_UNKNOWN. */
uint64_t trace_switch_pc(const TraceSwitch *one);
/* MMIO: who answers at this address: the device that eret named, else the region of the machine's map, else "". */
const char *trace_switch_device(const TraceSwitches *switches, const TraceSwitch *one);
/*
 * A fault at an address where the machine's map has no memory, which no device answers: a fetch, or a walk of the
 * guest's tables. KVM maps nothing there, and injects an abort.
 */
bool trace_switch_is_nowhere(const TraceSwitches *switches, const TraceSwitch *one);
/* System register: its name by the Arm ARM, else KVM's, else "S3_0_C12_C11_5"; free with g_free. NULL: not known. */
char *trace_switch_sysreg(const TraceSwitch *one);
/* Hypercall: eret's service, else the function's name by SMCCC; free with g_free. NULL: not known. */
char *trace_switch_function(const TraceSwitch *one);
/*
 * The class it is counted under, short and stable: "HVC64", "SMC64", "DABT_LOW uart@9000000 UARTDR write", "DABT_LOW
 * memory", "IABT_LOW memory", "IABT_LOW no memory", "SYS64 ICC_SGI1R_EL1 write", "WFI", "WFE", "IRQ", "SError", "EC
 * 0x07 FP_ASIMD" ...; with eret's events alone "MMIO ...", "hypercall ...", "signal". Free with g_free.
 */
char *trace_switch_class(const TraceSwitches *switches, const TraceSwitch *one);
