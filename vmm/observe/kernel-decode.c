/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table: a kind of record, its tracepoint, and the tracepoint's fields that become a, b, c and d. Field names are
 * the kernel's (arch/arm64/kvm/trace_arm.h, trace_handle_exit.h, vgic/trace.h; include/trace/events/kvm.h) and may be
 * missing in some version: the value is then 0.
 *
 * No locks: used by the recorder's thread alone.
 */
#include "vmm/observe/kernel-decode.h"

#include <glib.h>

#define N_FIELDS 4

/* Linux: include/trace/events/kvm.h, KVM_TRACE_MMIO_*. */
enum { MMIO_READ_UNSATISFIED, MMIO_READ, MMIO_WRITE };

static void sign_errno(TraceRecord *record) {
  int64_t error = (int64_t)record->b;
  record->b = error < 0 ? (uint64_t)-error : record->b;
}

static void mmio_type(TraceRecord *record) {
  record->d = record->d == MMIO_WRITE ? TRACE_MMIO_WRITE : record->d == MMIO_READ ? TRACE_MMIO_READ : TRACE_MMIO_READ_UNSATISFIED;
}

static const struct {
  TraceKind kind;
  const char *name;
  const char *fields[N_FIELDS];
  void (*adjust)(TraceRecord *record);
} known[] = {
    {TRACE_KVM_ENTRY, "kvm_entry", {"vcpu_pc"}, NULL},
    {TRACE_KVM_EXIT, "kvm_exit", {"vcpu_pc", "ret", "esr_ec"}, NULL},
    {TRACE_KVM_USERSPACE_EXIT, "kvm_userspace_exit", {"reason", "errno"}, sign_errno},
    {TRACE_KVM_HVC, "kvm_hvc_arm64", {"vcpu_pc", "r0", "imm"}, NULL},
    {TRACE_KVM_GUEST_FAULT, "kvm_guest_fault", {"vcpu_pc", "hsr", "hxfar", "ipa"}, NULL},
    {TRACE_KVM_ACCESS_FAULT, "kvm_access_fault", {"ipa"}, NULL},
    {TRACE_KVM_MMIO, "kvm_mmio", {"gpa", "val", "len", "type"}, mmio_type},
    {TRACE_KVM_SYS_ACCESS, "kvm_sys_access", {"vcpu_pc", NULL, "is_write"}, NULL},
    {TRACE_KVM_HANDLE_SYS_REG, "kvm_handle_sys_reg", {"hsr"}, NULL},
    {TRACE_KVM_WFX, "kvm_wfx_arm64", {"vcpu_pc", "is_wfe"}, NULL},
    {TRACE_KVM_IRQ_PENDING, "vgic_update_irq_pending", {"irq", "level", "vcpu_id"}, NULL},
    {TRACE_KVM_TIMER_IRQ, "kvm_timer_update_irq", {"irq", "level", "vcpu_id"}, NULL},
    {TRACE_KVM_IRQ_LINE, "kvm_irq_line", {"irq_num", "level", "vcpu_idx", "type"}, NULL},
    {TRACE_KVM_WAKEUP, "kvm_vcpu_wakeup", {"ns", "waited"}, NULL},
};

const char *kernel_event_name(unsigned n) {
  return n < G_N_ELEMENTS(known) ? known[n].name : NULL;
}

/* The parts of a system register's encoding, most significant first. */
static const struct {
  const char *name;
  unsigned shift;
} sysreg_parts[] = {{"Op0", 14}, {"Op1", 11}, {"CRn", 7}, {"CRm", 3}, {"Op2", 0}};

typedef struct {
  int id;
  unsigned known; /* index */
  struct tep_format_field *fields[N_FIELDS];
  struct tep_format_field *sysreg[G_N_ELEMENTS(sysreg_parts)];
} Event;

struct KernelDecoder {
  Event events[G_N_ELEMENTS(known)];
  unsigned n;
};

KernelDecoder *kernel_decoder_new(struct tep_handle *tep) {
  KernelDecoder *decoder = g_new0(KernelDecoder, 1);

  for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
    struct tep_event *event = tep_find_event_by_name(tep, "kvm", known[i].name);
    if (!event)
      continue;
    Event *entry = &decoder->events[decoder->n++];
    entry->id = event->id;
    entry->known = i;
    for (unsigned n = 0; n < N_FIELDS; n++)
      entry->fields[n] = known[i].fields[n] ? tep_find_field(event, known[i].fields[n]) : NULL;
    for (unsigned n = 0; known[i].kind == TRACE_KVM_SYS_ACCESS && n < G_N_ELEMENTS(sysreg_parts); n++)
      entry->sysreg[n] = tep_find_field(event, sysreg_parts[n].name);
  }
  return decoder;
}

void kernel_decoder_free(KernelDecoder *decoder) {
  g_free(decoder);
}

/* A field that does not lie within the data reads as 0: what libtraceevent itself does not check. */
static uint64_t read_field(struct tep_format_field *field, const struct tep_record *raw) {
  unsigned long long value = 0;

  if (!field || field->offset < 0 || field->size <= 0 || field->offset + field->size > raw->size)
    return 0;
  if (tep_read_number_field(field, raw->data, &value) != 0)
    return 0;
  /* A signed field comes without its sign. */
  if ((field->flags & TEP_FIELD_IS_SIGNED) && field->size == sizeof(int32_t))
    return (uint64_t)(int64_t)(int32_t)value;
  return value;
}

bool kernel_decode(const KernelDecoder *decoder, int event_id, struct tep_record *raw, TraceRecord *record) {
  const Event *event = NULL;

  for (unsigned i = 0; i < decoder->n && !event; i++)
    if (decoder->events[i].id == event_id)
      event = &decoder->events[i];
  if (!event)
    return false;
  *record = (TraceRecord){
      .time = raw->ts,
      .kind = known[event->known].kind,
      .vcpu = TRACE_NO_VCPU,
      .a = read_field(event->fields[0], raw),
      .b = read_field(event->fields[1], raw),
      .c = read_field(event->fields[2], raw),
      .d = read_field(event->fields[3], raw),
  };
  for (unsigned n = 0; n < G_N_ELEMENTS(sysreg_parts); n++)
    if (event->sysreg[n])
      record->b |= read_field(event->sysreg[n], raw) << sysreg_parts[n].shift;
  if (known[event->known].adjust)
    known[event->known].adjust(record);
  return true;
}
