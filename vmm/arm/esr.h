/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of exception syndromes, for error messages and traces. Arm ARM (DDI 0487), D24.2: ESR_ELx. */
#pragma once

#include <stdint.h>

/* ESR_ELx.EC, bits 31:26. */
#define ESR_EC(esr) ((unsigned)((esr) >> 26 & 0x3f))

/* Classes that are met by name elsewhere. */
#define ESR_EC_CP15_32  0x03
#define ESR_EC_CP15_64  0x04
#define ESR_EC_CP14_MR  0x05
#define ESR_EC_CP14_64  0x0c
#define ESR_EC_DABT_LOW 0x24

/*
 * What KVM puts into registers of which nobody has said what they hold after a reset: "reset to unknown" (Linux:
 * arch/arm64/kvm/sys_regs.h, reset_unknown).
 */
#define ESR_NEVER_WRITTEN UINT64_C(0x1de7ec7edbadc0de)

/* The exception class's name ("DABT_LOW") or what it means in words; never NULL. EC above 63 is unknown. */
const char *esr_class_name(unsigned ec);
const char *esr_class_text(unsigned ec);
/* The fault status of an abort (ISS bits 5:0): "translation fault, level 3". */
const char *esr_fault_text(unsigned fault_status);
/*
 * The syndrome alone: "write of 4 bytes, register w3, translation fault, level 3", "MSR ICC_SGI1R_EL1, x2", "#0"; ""
 * where the class has none. Free with g_free.
 */
char *esr_iss_describe(uint64_t esr);
/* One line for people: class and syndrome; free with g_free. */
char *esr_describe(uint64_t esr);
