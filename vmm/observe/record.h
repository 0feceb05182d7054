/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event of a recording: what KVM's tracepoints and eret itself say about a machine, in one form and on one clock
 * (CLOCK_MONOTONIC). The numbers are those of the file format (docs/recording.md): a kind is never renumbered, a new
 * one goes to the end of its group.
 */
#pragma once

#include <stdint.h>

#define TRACE_NO_VCPU UINT16_MAX

/* A text of the recording, by its number in the table of strings; 0: none. */
typedef uint32_t TraceString;

/*
 * What the fields of a kind hold; those not named are 0.
 *
 * KVM's tracepoints (Linux: arch/arm64/kvm/trace_arm.h, trace_handle_exit.h, vgic/trace.h; include/trace/events/kvm.h).
 * `vcpu`: whose thread it was on.
 *
 *   KVM_ENTRY            a pc
 *   KVM_EXIT             a pc, b ARM_EXCEPTION code (0 IRQ, 1 SError, 2 trap, 3 illegal), c ESR_EL2.EC
 *   KVM_USERSPACE_EXIT   a exit reason, b error number (EINTR: a signal), or 0
 *   KVM_HVC              a pc, b x0, c immediate
 *   KVM_GUEST_FAULT      a pc, b ESR_EL2, c FAR_EL2, d IPA
 *   KVM_ACCESS_FAULT     a IPA
 *   KVM_MMIO             a IPA, b value, c bytes, d TraceMmio
 *   KVM_SYS_ACCESS       a pc, b SYSREG (vmm/arm/sysreg.h), c 1 for a write; name: KVM's own for the register
 *   KVM_HANDLE_SYS_REG   a ESR_EL2
 *   KVM_WFX              a pc, b 1 for WFE
 *   KVM_IRQ_PENDING      a INTID, b level, c the vCPU it is for
 *   KVM_TIMER_IRQ        a INTID, b level, c the vCPU it is for
 *   KVM_IRQ_LINE         a number, b level, c vCPU index, d KVM_ARM_IRQ_TYPE
 *   KVM_WAKEUP           a ns blocked, b 1 where it slept
 *
 * eret's own.
 *
 *   ERET_RETURN          KVM_RUN returned at `time`. a exit reason (TRACE_RETURN_FAILED: error number), b ns that userspace had the vCPU until the next KVM_RUN,
 *                        and what it did: MMIO: c IPA, d value, name: device, detail: register; hypercall: c function, d x0 returned, name: service
 *   ERET_DOORBELL        a queue, b rings; name: device
 *   ERET_INTERRUPT       a SPI number, or b vector of a message; name: device
 *   ERET_REQUEST         it ended at `time`. a ns it took, b bytes, c status (0: done), d queue; name: device, detail: "read", "write", "flush", "receive" ...
 *   ERET_PHASE           name: of the boot: "vm-created", "kernel-loaded" ...
 *   ERET_MARK            a number; name: the guest's text
 *   ERET_EVENT           a queue; name: device, detail: what happened, as "dropped: bad header"
 *   ERET_TRAFFIC         since the recording began, by queues that are served elsewhere; the last one of a device counts. a packets received by the guest,
 *                        b their bytes, c packets sent, d their bytes; name: device, detail: who serves them. Where nobody counts, flags is TRACE_TRAFFIC_UNKNOWN
 *
 * The recording about itself.
 *
 *   LOST                 a records lost, b TraceSource; `time` is when it was noticed, or, where the kernel says so, that of the first event behind the gap
 */
typedef enum {
  TRACE_KVM_ENTRY = 1,
  TRACE_KVM_EXIT,
  TRACE_KVM_USERSPACE_EXIT,
  TRACE_KVM_HVC,
  TRACE_KVM_GUEST_FAULT,
  TRACE_KVM_ACCESS_FAULT,
  TRACE_KVM_MMIO,
  TRACE_KVM_SYS_ACCESS,
  TRACE_KVM_HANDLE_SYS_REG,
  TRACE_KVM_WFX,
  TRACE_KVM_IRQ_PENDING,
  TRACE_KVM_TIMER_IRQ,
  TRACE_KVM_IRQ_LINE,
  TRACE_KVM_WAKEUP,
  TRACE_ERET_RETURN = 64,
  TRACE_ERET_DOORBELL,
  TRACE_ERET_INTERRUPT,
  TRACE_ERET_REQUEST,
  TRACE_ERET_PHASE,
  TRACE_ERET_MARK,
  TRACE_ERET_EVENT,
  TRACE_ERET_TRAFFIC,
  TRACE_LOST = 128,
} TraceKind;

/* ERET_RETURN: `flags`. */
#define TRACE_RETURN_WRITE   1u                /* MMIO: a write */
#define TRACE_RETURN_SMC     2u                /* hypercall: by SMC */
#define TRACE_RETURN_SIZE(f) ((f) >> 8 & 0xff) /* MMIO: bytes */
#define TRACE_RETURN_FAILED  4u                /* KVM_RUN failed: a is the error number, not the reason (EINTR: a signal) */

/* ERET_TRAFFIC: `flags`. */
#define TRACE_TRAFFIC_UNKNOWN 1u

typedef enum { TRACE_MMIO_READ, TRACE_MMIO_WRITE, TRACE_MMIO_READ_UNSATISFIED } TraceMmio;
/* Where a loss happened: KVM's buffer, ours, the file's limit. */
typedef enum { TRACE_SOURCE_KERNEL, TRACE_SOURCE_ERET, TRACE_SOURCE_FILE, TRACE_N_SOURCES } TraceSource;

/* Host order in memory, little-endian in the file; no padding. */
typedef struct {
  uint64_t time; /* ns, CLOCK_MONOTONIC */
  uint16_t kind; /* TraceKind */
  uint16_t vcpu; /* index, or TRACE_NO_VCPU */
  uint32_t flags;
  TraceString name, detail;
  uint64_t a, b, c, d;
} TraceRecord;
_Static_assert(sizeof(TraceRecord) == 56, "the file's records have 56 bytes");
