/* SPDX-License-Identifier: Apache-2.0 */
/* A Doctor's life, and what its parts ask of the facts. */
#include <string.h>

#include "devices/printable.h"
#include "vmm/config/board.h"
#include "vmm/doctor/verdict.h"

#define MAX_CPUS 512 /* of --cpus */

static void free_finding(gpointer data) {
  Finding *finding = data;
  g_free(finding->text);
  if (finding->numbers)
    g_array_unref(finding->numbers);
  g_free(finding);
}

static void free_advice(gpointer data) {
  Advice *advice = data;
  g_free(advice->text);
  g_free(advice);
}

Doctor *doctor_new(const HostFacts *host, const KvmFacts *kvm) {
  Doctor *doctor = g_new0(Doctor, 1);

  doctor->host = host;
  doctor->kvm = kvm;
  doctor->findings = g_ptr_array_new_with_free_func(free_finding);
  doctor->advice = g_ptr_array_new_with_free_func(free_advice);
  doctor_judge(doctor);
  doctor_find(doctor);
  doctor_advise(doctor);
  return doctor;
}

void doctor_free(Doctor *doctor) {
  if (!doctor)
    return;
  g_free(doctor->reason);
  g_free(doctor->cure);
  g_ptr_array_unref(doctor->findings);
  g_ptr_array_unref(doctor->advice);
  g_free(doctor);
}

static char *text_of(const Finding *row) {
  if (row->text)
    return printable_line(row->text, -1);
  if (row->kind == VALUE_BOOL)
    return g_strdup(row->number != 0 ? "yes" : "no");
  if (row->kind == VALUE_NUMBER)
    return g_strdup_printf("%.15g", row->number);
  if (row->kind == VALUE_SIZE)
    return row->number < (double)HOST_UNLIMITED ? doctor_size((uint64_t)row->number) : g_strdup("unlimited");
  return NULL;
}

void doctor_add(Doctor *doctor, const char *group, bool known, const Finding *rows, unsigned n) {
  for (const Finding *row = rows; row < rows + n; row++) {
    bool unlimited = row->kind == VALUE_SIZE && row->number >= (double)HOST_UNLIMITED; /* JSON: null is no limit */
    Finding *finding = g_memdup2(row, sizeof *row);
    finding->group = group;
    finding->text = known ? text_of(row) : NULL;
    if (!known || unlimited)
      finding->kind = VALUE_UNKNOWN;
    if (row->numbers)
      g_array_ref(row->numbers);
    if (row->kind == VALUE_BOOL && row->number == 0)
      finding->meaning = row->otherwise;
    g_ptr_array_add(doctor->findings, finding);
  }
}

char *doctor_size(uint64_t bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  unsigned unit = 0;
  double value = (double)bytes;

  for (; value >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
    value /= 1024;
  return g_strdup_printf("%.*f %s", value == (double)(uint64_t)value ? 0 : 1, value, units[unit]);
}

bool doctor_kvm_answers(const Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  return kvm->built && !kvm->open_error && kvm->api_known && !kvm->vm_error;
}

unsigned doctor_gic(const Doctor *doctor) {
  const KvmFacts *kvm = doctor->kvm;
  return kvm->gic_v3 && kvm->its ? 3 : kvm->gic_v2 ? 2 : 0;
}

unsigned doctor_max_cpus(const Doctor *doctor) {
  unsigned cpus = MIN(doctor->kvm->max_cpus, MAX_CPUS);
  return doctor_gic(doctor) == 2 ? MIN(cpus, LAYOUT_GICV2_MAX_CPUS) : cpus;
}

/* Asks the board itself, so that this cannot drift from it. */
uint64_t doctor_max_memory(const Doctor *doctor) {
  static const char *const arguments[] = {"--dry-run"};
  const uint64_t gib = UINT64_C(1) << 30;
  uint64_t least = 0, most = 4096; /* GiB; --memory's limit */
  bool help;
  g_autoptr(Config) config = config_parse(1, (char **)arguments, &help, NULL);

  while (config && least < most) {
    uint64_t half = (least + most + 1) / 2;
    config->memory = half * gib;
    g_autoptr(Board) board = board_new(config, doctor_gic(doctor) == 2 ? GIC_V2 : GIC_V3, NULL);
    if (board && board->ipa_bits <= doctor->kvm->ipa_bits)
      least = half;
    else
      most = half - 1;
  }
  return least * gib;
}

/* From the kernel's own word for it, else from the timer that the host uses itself. */
char *doctor_kvm_mode(const Doctor *doctor) {
  enum { HYP_PHYSICAL_TIMER = 26, HYP_VIRTUAL_TIMER = 28, PHYSICAL_TIMER = 30 }; /* INTIDs, as BSA has them */
  const HostFacts *host = doctor->host;

  for (unsigned i = 0; i < host->kvm_log->len; i++) {
    const char *line = g_ptr_array_index(host->kvm_log, i);
    const char *end = strstr(line, " mode initialized successfully");
    const char *start = end ? strstr(line, "]: ") : NULL;
    if (!start)
      continue;
    g_autofree char *mode = g_strndup(start + 3, (gsize)(end - start - 3));
    if (g_str_has_prefix(mode, "Protected "))
      return g_strconcat("protected ", mode + strlen("Protected "), NULL);
    return g_strdup(g_str_has_prefix(mode, "Hyp ") ? mode + strlen("Hyp ") : mode);
  }
  if (!doctor_kvm_answers(doctor) && !host->kvm_registered)
    return NULL;
  if (doctor->kvm->el2)
    return g_strdup("VHE+NV2");
  if (host->timer_intid == HYP_PHYSICAL_TIMER || host->timer_intid == HYP_VIRTUAL_TIMER)
    return g_strdup("VHE");
  if (host->timer_intid == PHYSICAL_TIMER)
    return g_strdup(g_strcmp0(host->kvm_mode, "protected") == 0 ? "protected nVHE" : "nVHE");
  return NULL;
}
