/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU template: what the fields of the ID registers are to be, by their names; a JSON object
 *
 *   {"name": "TEXT", "registers": {"ID_AA64PFR0_EL1": {"SVE": 0, ...}, ...}}
 *
 * Fields that it does not have stay as they are. Pure data: vmm/machine/kvm/cpu.c brings it into a vCPU.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/arm/id-fields.h"

#define CPU_TEMPLATE_ABSENT (-1)

typedef struct CpuTemplate {
  char *name;            /* never NULL */
  int fields[ID_FIELDS]; /* parallel to id_fields; or CPU_TEMPLATE_ABSENT */
} CpuTemplate;

typedef enum { CPU_ERROR_TEMPLATE, CPU_ERROR_HOST } CpuError;
#define CPU_ERROR (cpu_error_quark())
GQuark cpu_error_quark(void);

/* Without any field. */
CpuTemplate *cpu_template_new(const char *name);
void cpu_template_free(CpuTemplate *template); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CpuTemplate, cpu_template_free)

/* Reads a file. The error has every mistake in it, a line each, with PATH in front. */
CpuTemplate *cpu_template_load(const char *path, GError **error);
/* The same from TEXT, called PATH in errors. */
CpuTemplate *cpu_template_parse(const char *path, const char *text, size_t size, GError **error);
/* As JSON, ending in a newline; free with g_free. */
char *cpu_template_print(const CpuTemplate *template);

/* What REG, NAME is to be; CPU_TEMPLATE_ABSENT: as it is. The field must be one of the table. */
int cpu_template_get(const CpuTemplate *template, const char *reg, const char *name);

/* The fields in which A and B differ, a line each ("-" where one lacks it); empty if there is none. */
char *cpu_template_diff(const CpuTemplate *a, const CpuTemplate *b);
/* The most that both offer: the smaller of the values of each field. What one of them lacks, the result lacks. */
CpuTemplate *cpu_template_common(const CpuTemplate *a, const CpuTemplate *b);

/* What a vCPU says of a field's register before the template is applied. */
typedef struct {
  bool known;        /* the vCPU has the register */
  uint64_t value;    /* of it */
  uint64_t writable; /* the bits that KVM lets be written */
} CpuRegister;

/*
 * Whether the template can be applied to REGISTERS (parallel to id_fields): only fields that are written and do not
 * grow. Returns NULL, or why not, a line for each refused field. CAN_WRITE: KVM lets ID registers be written at all.
 */
char *cpu_template_refused(const CpuTemplate *template, const CpuRegister registers[ID_FIELDS], bool can_write);
