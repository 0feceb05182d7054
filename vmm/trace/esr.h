/* Decoding of exception syndromes, for error messages and traces. Arm ARM (DDI 0487), D24.2: ESR_ELx. */
#pragma once

#include <stdint.h>

/* ESR_ELx.EC, bits 31:26. */
#define ESR_EC(esr) ((unsigned)((esr) >> 26 & 0x3f))

/* The exception class's name ("DABT_LOW") or what it means in words; never NULL. EC above 63 is unknown. */
const char *esr_class_name(unsigned ec);
const char *esr_class_text(unsigned ec);
/* The fault status of an abort (ISS bits 5:0): "translation fault, level 3". */
const char *esr_fault_text(unsigned fault_status);
/* One line for people: class, and for aborts what they accessed; free with g_free. */
char *esr_describe(uint64_t esr);
