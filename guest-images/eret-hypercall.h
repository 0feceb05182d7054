/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Calling eret from inside a guest: one header, nothing to link, for bare metal, for a kernel module and for a program.
 * C99 and later with GNU inline assembly (gcc, clang). docs/hypercalls.md specifies the functions and the doorbell
 * page.
 *
 * Every function takes a door first:
 *
 *   struct eret_door door = {ERET_DOOR_HVC, NULL};        EL1: HVC traps to EL2
 *   struct eret_door door = {ERET_DOOR_SMC, NULL};        EL1: SMC does the same; EL1 or EL2 in a guest that has an EL2 of its own
 *   struct eret_door door = {ERET_DOOR_PAGE, frame};      whoever can reach the doorbell page; FRAME is one frame of 4 KiB, mapped as
 *                                                         device memory and used by one caller at a time
 *
 *   if (eret_version(door, &version, NULL) == 0)
 *     eret_write(door, "hello\n", 6);
 *
 * They return 0 or a negative ERET_ error. Where eret does not answer, that is ERET_NOT_SUPPORTED; but HVC and SMC are
 * undefined instructions where there is no EL2 (no EL3) at all, and in programs (EL0) always.
 */
#ifndef ERET_HYPERCALL_H
#define ERET_HYPERCALL_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/* x0 .. x17: SMC Calling Convention (Arm DEN 0028), 2.6 and 2.7. */
#define ERET_N_REGISTERS 18

/* Functions: Vendor Specific Hypervisor Service, 64-bit convention, fast calls. */
#define ERET_FN_VERSION 0xc6004500u
#define ERET_FN_WRITE   0xc6004501u
#define ERET_FN_MARK    0xc6004502u
#define ERET_FN_READY   0xc6004503u
#define ERET_FN_EXIT    0xc6004504u
#define ERET_FN_TIME    0xc6004505u
#define ERET_FN_NOP     0xc6004506u

/* Errors, in x0. */
#define ERET_SUCCESS           0
#define ERET_NOT_SUPPORTED     (-1) /* nobody answers this function by this door */
#define ERET_INVALID_PARAMETER (-3)
#define ERET_TIMED_OUT         (-4) /* a service outside eret did not answer in time */
#define ERET_NO_PEER           (-5) /* a service outside eret is gone */

#define ERET_WRITE_MAX 128         /* bytes in x2 .. x17 */
#define ERET_NAME_MAX  112         /* bytes in x3 .. x16 */
#define ERET_MAGIC     0x74657265u /* "eret": x3 of ERET_FN_VERSION, and the doorbell's MAGIC */

/* The doorbell page, offsets in a frame. */
#define ERET_PAGE_X(n)          (8 * (n))
#define ERET_PAGE_CALL          0x100 /* writing a function ID makes the call */
#define ERET_PAGE_CALLS         0x104
#define ERET_PAGE_MAGIC         0x110
#define ERET_PAGE_VERSION       0x114
#define ERET_PAGE_FUNCTION_BASE 0x118
#define ERET_PAGE_FRAME         0x11c
#define ERET_PAGE_FRAME_SIZE    0x1000
#define ERET_PAGE_FRAMES        16
#define ERET_PAGE_COMPATIBLE    "eret,hypercall-1.0" /* of its node in the device tree */

enum eret_door_kind { ERET_DOOR_HVC, ERET_DOOR_SMC, ERET_DOOR_PAGE };

struct eret_door {
  enum eret_door_kind kind;
  volatile void *page; /* ERET_DOOR_PAGE: the frame */
};

/*
 * --- the doorbell page ---
 *
 * Each access is one plain LDR or STR, which a compiler does not promise: it may join two accesses to an LDP, or step a
 * pointer in the same instruction. For those the CPU gives EL2 no syndrome of the access (ESR_EL2.ISV is 0: Arm ARM,
 * "ISS encoding for an exception from a Data Abort"), and few hypervisors carry them out. Hence the assembly; on other
 * processors, where the header is tested, plain C does.
 */
static inline uint32_t eret_page_read32(volatile void *page, unsigned offset) {
  volatile uint32_t *address = (volatile uint32_t *)((uintptr_t)page + offset);
#ifdef __aarch64__
  uint32_t value;
  __asm__ __volatile__("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
#else
  return *address;
#endif
}

static inline void eret_page_write32(volatile void *page, unsigned offset, uint32_t value) {
  volatile uint32_t *address = (volatile uint32_t *)((uintptr_t)page + offset);
#ifdef __aarch64__
  __asm__ __volatile__("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
#else
  *address = value;
#endif
}

/* In halves where the processor (a 32-bit program, say) has no single access for it: the page takes either. */
static inline uint64_t eret_page_read64(volatile void *page, unsigned offset) {
#ifdef __aarch64__
  uint64_t value;
  __asm__ __volatile__("ldr %0, [%1]" : "=r"(value) : "r"((uintptr_t)page + offset) : "memory");
  return value;
#else
  uint32_t low = eret_page_read32(page, offset);
  return low | (uint64_t)eret_page_read32(page, offset + 4) << 32;
#endif
}

static inline void eret_page_write64(volatile void *page, unsigned offset, uint64_t value) {
#ifdef __aarch64__
  __asm__ __volatile__("str %0, [%1]" : : "r"(value), "r"((uintptr_t)page + offset) : "memory");
#else
  eret_page_write32(page, offset, (uint32_t)value);
  eret_page_write32(page, offset + 4, (uint32_t)(value >> 32));
#endif
}

static inline int64_t eret_page_call(volatile void *page, uint32_t function, uint64_t *x, unsigned n_args, unsigned n_results) {
  unsigned i;

  for (i = 1; i <= n_args; i++)
    eret_page_write64(page, ERET_PAGE_X(i), x[i]);
  eret_page_write32(page, ERET_PAGE_CALL, function);
  x[0] = eret_page_read64(page, ERET_PAGE_X(0));
  for (i = 1; i < n_results; i++)
    x[i] = eret_page_read64(page, ERET_PAGE_X(i));
  return (int64_t)x[0];
}

/*
 * --- HVC and SMC ---
 *
 * Immediate 0: KVM refuses an SMC with any other (docs/hypercalls.md, "Calling"). x18 to x30 survive a call (DEN 0028,
 * 2.6).
 */
#ifdef __aarch64__

/*
 * All 18 registers are loaded, and stored afterwards: more operands than an asm statement can have, so X is reached by
 * pointer.
 */
#define ERET_CALL_INSTRUCTIONS(instruction)                                                                                                \
  "ldp x0, x1, [%0]\n\tldp x2, x3, [%0, #16]\n\tldp x4, x5, [%0, #32]\n\tldp x6, x7, [%0, #48]\n\t"                                        \
  "ldp x8, x9, [%0, #64]\n\tldp x10, x11, [%0, #80]\n\tldp x12, x13, [%0, #96]\n\tldp x14, x15, [%0, #112]\n\t"                            \
  "ldp x16, x17, [%0, #128]\n\t" instruction " #0\n\t"                                                                                     \
  "stp x0, x1, [%0]\n\tstp x2, x3, [%0, #16]\n\tstp x4, x5, [%0, #32]\n\tstp x6, x7, [%0, #48]\n\t"                                        \
  "stp x8, x9, [%0, #64]\n\tstp x10, x11, [%0, #80]\n\tstp x12, x13, [%0, #96]\n\tstp x14, x15, [%0, #112]\n\t"                            \
  "stp x16, x17, [%0, #128]"
#define ERET_CALL_CLOBBERS                                                                                                                 \
  "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory"

static inline int64_t eret_conduit_call(enum eret_door_kind kind, uint32_t function, uint64_t *x) {
  x[0] = function;
  if (kind == ERET_DOOR_HVC)
    __asm__ __volatile__(ERET_CALL_INSTRUCTIONS("hvc") : : "r"(x) : ERET_CALL_CLOBBERS);
  else
    __asm__ __volatile__(ERET_CALL_INSTRUCTIONS("smc") : : "r"(x) : ERET_CALL_CLOBBERS);
  return (int64_t)x[0];
}

/* The short way, for functions with at most one argument and three results: x4 to x17 are not touched by them. */
static inline int64_t eret_conduit_call_short(enum eret_door_kind kind, uint32_t function, uint64_t *x) {
  register uint64_t x0 __asm__("x0") = function;
  register uint64_t x1 __asm__("x1") = x[1];
  register uint64_t x2 __asm__("x2");
  register uint64_t x3 __asm__("x3");

  if (kind == ERET_DOOR_HVC)
    __asm__ __volatile__("hvc #0" : "+r"(x0), "+r"(x1), "=r"(x2), "=r"(x3) : : "memory");
  else
    __asm__ __volatile__("smc #0" : "+r"(x0), "+r"(x1), "=r"(x2), "=r"(x3) : : "memory");
  x[1] = x1;
  x[2] = x2;
  x[3] = x3;
  return (int64_t)x0;
}

#else /* no such instructions: the doorbell page remains */

static inline int64_t eret_conduit_call(enum eret_door_kind kind, uint32_t function, uint64_t *x) {
  (void)kind;
  (void)function;
  x[0] = (uint64_t)ERET_NOT_SUPPORTED;
  return ERET_NOT_SUPPORTED;
}

static inline int64_t eret_conduit_call_short(enum eret_door_kind kind, uint32_t function, uint64_t *x) {
  return eret_conduit_call(kind, function, x);
}

#endif

/* --- the calls --- */

/*
 * Any function: with the arguments x[1] .. x[N_ARGS], N_ARGS up to 17; afterwards x[0] .. x[N_RESULTS - 1] are the
 * results, N_RESULTS from 1 to 18. Returns x[0]. By HVC and SMC all registers travel, whatever N_ARGS and N_RESULTS
 * say: X is what was in x0 .. x17. Services other than eret's own can be called too (PSCI: by HVC and SMC alone).
 */
static inline int64_t eret_call(struct eret_door door, uint32_t function, uint64_t x[ERET_N_REGISTERS], unsigned n_args,
                                unsigned n_results) {
  if (n_args >= ERET_N_REGISTERS || n_results > ERET_N_REGISTERS)
    return ERET_INVALID_PARAMETER;
  if (door.kind == ERET_DOOR_PAGE)
    return eret_page_call(door.page, function, x, n_args, n_results);
  return eret_conduit_call(door.kind, function, x);
}

/* N_ARGS 0 or 1, N_RESULTS up to 4; X has four registers. */
static inline int64_t eret_call_short(struct eret_door door, uint32_t function, uint64_t x[4], unsigned n_args, unsigned n_results) {
  if (door.kind == ERET_DOOR_PAGE)
    return eret_page_call(door.page, function, x, n_args, n_results);
  return eret_conduit_call_short(door.kind, function, x);
}

/* SIZE bytes from BYTES to registers, the first one in the low bits of *X. */
static inline void eret_pack(uint64_t *x, const char *bytes, size_t size) {
  size_t i;

  for (i = 0; i < size; i++) {
    if (i % 8 == 0)
      x[i / 8] = 0;
    x[i / 8] |= (uint64_t)(unsigned char)bytes[i] << 8 * (i % 8);
  }
}

/*
 * Is eret there? *VERSION: major << 16 | minor; *FUNCTIONS: bit n for function ERET_FN_VERSION + n; both may be NULL,
 * and are 0 on failure. ERET_NOT_SUPPORTED also where somebody else answers.
 */
static inline int64_t eret_version(struct eret_door door, uint64_t *version, uint64_t *functions) {
  uint64_t x[4] = {0, 0, 0, 0};
  int64_t result = eret_call_short(door, ERET_FN_VERSION, x, 0, 4);

  if (result == ERET_SUCCESS && x[3] != ERET_MAGIC)
    result = ERET_NOT_SUPPORTED;
  if (version)
    *version = result == ERET_SUCCESS ? x[1] : 0;
  if (functions)
    *functions = result == ERET_SUCCESS ? x[2] : 0;
  return result;
}

/* Text, any bytes and any number of them: a call for every 128. */
static inline int64_t eret_write(struct eret_door door, const char *text, size_t size) {
  while (size > 0) {
    uint64_t x[ERET_N_REGISTERS] = {0};
    size_t now = size < ERET_WRITE_MAX ? size : ERET_WRITE_MAX;
    int64_t result;

    x[1] = now;
    eret_pack(x + 2, text, now);
    result = eret_call(door, ERET_FN_WRITE, x, 1 + (unsigned)(now + 7) / 8, 1);
    if (result != ERET_SUCCESS)
      return result;
    text += now;
    size -= now;
  }
  return ERET_SUCCESS;
}

/* Marks this moment with NUMBER and a name of SIZE bytes, up to 112; 0: no name. */
static inline int64_t eret_mark(struct eret_door door, uint64_t number, const char *name, size_t size) {
  uint64_t x[ERET_N_REGISTERS] = {0};

  if (size > ERET_NAME_MAX)
    return ERET_INVALID_PARAMETER;
  x[1] = number;
  x[2] = size;
  eret_pack(x + 3, name, size);
  return eret_call(door, ERET_FN_MARK, x, 2 + (unsigned)(size + 7) / 8, 1);
}

/* The guest is up. */
static inline int64_t eret_ready(struct eret_door door) {
  uint64_t x[4] = {0, 0, 0, 0};
  return eret_call_short(door, ERET_FN_READY, x, 0, 1);
}

/* Ends the machine with CODE, 0 to 255, as the exit status of `eret run`. Returns only with an error. */
static inline int64_t eret_exit(struct eret_door door, uint64_t code) {
  uint64_t x[4] = {0, 0, 0, 0};

  x[1] = code;
  return eret_call_short(door, ERET_FN_EXIT, x, 1, 1);
}

/* The host's CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds; both may be NULL, and are 0 on failure. */
static inline int64_t eret_time(struct eret_door door, uint64_t *monotonic, uint64_t *real) {
  uint64_t x[4] = {0, 0, 0, 0};
  int64_t result = eret_call_short(door, ERET_FN_TIME, x, 0, 3);

  if (monotonic)
    *monotonic = result == ERET_SUCCESS ? x[1] : 0;
  if (real)
    *real = result == ERET_SUCCESS ? x[2] : 0;
  return result;
}

/* Does nothing: to eret and back. */
static inline int64_t eret_nop(struct eret_door door) {
  uint64_t x[4] = {0, 0, 0, 0};
  return eret_call_short(door, ERET_FN_NOP, x, 0, 1);
}

#endif
