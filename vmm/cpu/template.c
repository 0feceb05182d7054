/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates of ID register fields: comparing them, and holding them against what a vCPU has. template-json.c reads and
 * writes them. Pure functions; no locks.
 */
#include "vmm/cpu/template.h"

#include <string.h>

#include "vmm/base/mistakes.h"

G_DEFINE_QUARK(eret_cpu_error, cpu_error)

CpuTemplate *cpu_template_new(const char *name) {
  CpuTemplate *template = g_new0(CpuTemplate, 1);
  template->name = g_strdup(name);
  memset(template->fields, CPU_TEMPLATE_ABSENT, sizeof template->fields);
  return template;
}

void cpu_template_free(CpuTemplate *template) {
  if (!template)
    return;
  g_free(template->name);
  g_free(template);
}

int cpu_template_get(const CpuTemplate *template, const char *reg, const char *name) {
  int field = id_field_find(reg, name);
  g_assert(field >= 0);
  return template->fields[field];
}

static void append_value(GString *text, int value) {
  if (value == CPU_TEMPLATE_ABSENT)
    g_string_append(text, "   -");
  else
    g_string_append_printf(text, "  %2d", value);
}

char *cpu_template_diff(const CpuTemplate *a, const CpuTemplate *b) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < ID_FIELDS; i++) {
    if (a->fields[i] == b->fields[i])
      continue;
    g_autofree char *name = g_strdup_printf("%s.%s", id_fields[i].reg, id_fields[i].name);
    g_string_append_printf(text, "%-32s", name);
    append_value(text, a->fields[i]);
    append_value(text, b->fields[i]);
    g_string_append_c(text, '\n');
  }
  return g_string_free(text, FALSE);
}

CpuTemplate *cpu_template_common(const CpuTemplate *a, const CpuTemplate *b) {
  g_autofree char *name = g_strdup_printf("common to %s and %s", a->name, b->name);
  CpuTemplate *common = cpu_template_new(name);

  for (unsigned i = 0; i < ID_FIELDS; i++)
    if (a->fields[i] >= 0 && b->fields[i] >= 0)
      common->fields[i] = id_field_common(&id_fields[i], (unsigned)a->fields[i], (unsigned)b->fields[i]);
  return common;
}

static const char *order_of(const IdField *field) {
  switch (field->kind) {
  case ID_SIGNED:
    return "; 15 counts as -1 in this field";
  case ID_INVERTED:
    return "; in this field a smaller number is the stronger promise";
  case ID_STAGE2:
    return "; this field can only become 1";
  case ID_UNSIGNED:
  case ID_PMU_VERSION:
    break;
  }
  return "";
}

/* NULL: it can be done. */
static char *refuse(const IdField *field, unsigned wanted, const CpuRegister *reg, bool can_write) {
  unsigned present = id_field_get(field, reg->value);

  if (!reg->known)
    return wanted ? g_strdup("KVM on this host has no such register") : NULL;
  if (present == wanted)
    return NULL;
  if (!id_field_at_most(field, wanted, present))
    return g_strdup_printf("this host has %u, a template can only lower that%s", present, order_of(field));
  if (!can_write)
    return g_strdup_printf("this host has %u, and its kernel lets no ID register be changed (Linux 6.7 and later do)", present);
  if (id_field_get(field, reg->writable) != ID_FIELD_MAX)
    return g_strdup_printf("this host has %u, and its KVM does not let this field be changed", present);
  return NULL;
}

char *cpu_template_refused(const CpuTemplate *template, const CpuRegister registers[ID_FIELDS], bool can_write) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < ID_FIELDS; i++) {
    int wanted = template->fields[i];
    g_autofree char *why = wanted < 0 ? NULL : refuse(&id_fields[i], (unsigned)wanted, &registers[i], can_write);
    if (why)
      mistake(text, "CPU template '%s': %s.%s cannot be %d: %s", template->name, id_fields[i].reg, id_fields[i].name, wanted, why);
  }
  return g_string_free(text, text->len == 0);
}
