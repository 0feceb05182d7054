/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret trace --chrome`: the Trace Event Format that Perfetto and chrome://tracing read: {"traceEvents": [...]}, times
 * in microseconds with nanoseconds as fraction, counted from the first record. A "process" for the vCPUs with a
 * "thread" each, one for the machine's phases and marks, and one for each device, because requests of a device overlap
 * and asynchronous events are grouped by process.
 *
 * Written by hand rather than as a tree of json-glib's: a recording has millions of events. All texts may be a guest's.
 * No locks: pure function.
 */
#include <errno.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/trace/report.h"

#define X64 "0x%" G_GINT64_MODIFIER "x"
#define U64 "%" G_GUINT64_FORMAT

enum { PID_VCPUS = 1, PID_MACHINE, PID_FIRST_DEVICE = 100 };

typedef struct {
  GString *out;
  const TraceSwitches *switches;
  const Symbols *symbols;
  GHashTable *devices; /* name -> its pid */
  uint64_t requests;   /* so far: their ids */
  bool any;            /* an event is written: the next one needs a comma */
  bool any_argument;
} Chrome;

static void append_string(GString *out, const char *text) {
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  g_autoptr(GString) string = g_string_sized_new(strlen(valid));

  for (const char *c = valid; *c; c++) {
    if (*c == '"' || *c == '\\')
      g_string_append_printf(string, "\\%c", *c);
    else if ((unsigned char)*c < 0x20)
      g_string_append_printf(string, "\\u%04x", (unsigned)*c);
    else
      g_string_append_c(string, *c);
  }
  g_autofree char *safe = printable_json(string->str);
  g_string_append_printf(out, "\"%s\"", safe);
}

static void append_us(GString *out, uint64_t ns) {
  g_string_append_printf(out, U64 ".%03u", ns / 1000, (unsigned)(ns % 1000));
}

/* An event up to its arguments; end_event closes it. */
static void begin_event(Chrome *chrome, const char *phase, unsigned pid, unsigned tid, const char *name) {
  g_string_append_printf(chrome->out, "%s{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u,\"name\":", chrome->any ? ",\n" : "\n", phase, pid, tid);
  append_string(chrome->out, name);
  chrome->any = true;
  chrome->any_argument = false;
}

static void at_time(Chrome *chrome, uint64_t time) {
  g_string_append(chrome->out, ",\"ts\":");
  append_us(chrome->out, time - MIN(time, chrome->switches->begins));
}

static void begin_argument(Chrome *chrome, const char *key) {
  g_string_append_printf(chrome->out, "%s\"%s\":", chrome->any_argument ? "," : ",\"args\":{", key);
  chrome->any_argument = true;
}

static void argument_text(Chrome *chrome, const char *key, const char *text) {
  if (!text || !*text)
    return;
  begin_argument(chrome, key);
  append_string(chrome->out, text);
}

/* Hexadecimal as a text: JavaScript's numbers have 53 bits. */
static void argument_hex(Chrome *chrome, const char *key, uint64_t value) {
  begin_argument(chrome, key);
  g_string_append_printf(chrome->out, "\"" X64 "\"", value);
}

static void argument_count(Chrome *chrome, const char *key, uint64_t value) {
  begin_argument(chrome, key);
  g_string_append_printf(chrome->out, U64, value);
}

static void end_event(Chrome *chrome) {
  g_string_append(chrome->out, chrome->any_argument ? "}}" : "}");
}

static void append_name(Chrome *chrome, const char *what, unsigned pid, unsigned tid, const char *name) {
  begin_event(chrome, "M", pid, tid, what);
  argument_text(chrome, "name", name);
  end_event(chrome);
}

/* [FROM, TO) on a vCPU's track. Left open for arguments. */
static void begin_slice(Chrome *chrome, const TraceSwitch *one, const char *name, uint64_t from, uint64_t to) {
  begin_event(chrome, "X", PID_VCPUS, one->vcpu + 1, name);
  at_time(chrome, from);
  g_string_append(chrome->out, ",\"dur\":");
  append_us(chrome->out, to > from ? to - from : 0);
}

static void append_slice(Chrome *chrome, const TraceSwitch *one, const char *name, uint64_t from, uint64_t to) {
  begin_slice(chrome, one, name, from, to);
  end_event(chrome);
}

static void append_trap_arguments(Chrome *chrome, const TraceSwitch *one) {
  uint64_t pc = trace_switch_pc(one);
  g_autofree char *symbol = symbols_describe(chrome->symbols, pc);

  if (one->cause == SWITCH_UNKNOWN)
    return;
  argument_hex(chrome, "pc", pc);
  argument_text(chrome, "symbol", symbol);
  if (one->cause == SWITCH_TRAP)
    argument_hex(chrome, "ec", one->ec);
  if (one->has_esr)
    argument_hex(chrome, "esr", one->esr);
}

static void append_action_arguments(Chrome *chrome, const TraceSwitch *one) {
  g_autofree char *sysreg = one->action == SWITCH_DOES_SYSREG ? trace_switch_sysreg(one) : NULL;

  argument_text(chrome, "register", sysreg ? sysreg : one->reg);
  argument_text(chrome, "device", trace_switch_device(chrome->switches, one));
  if (one->action == SWITCH_DOES_MMIO || one->action == SWITCH_DOES_SYSREG)
    argument_text(chrome, "access", one->write ? "write" : "read");
  if (one->action == SWITCH_DOES_MMIO || one->action == SWITCH_DOES_FAULT)
    argument_hex(chrome, "ipa", one->ipa);
  if (one->action == SWITCH_DOES_MMIO)
    argument_count(chrome, "bytes", one->size);
  if (one->far)
    argument_hex(chrome, "far", one->far);
  if (one->action == SWITCH_DOES_HYPERCALL && one->has_function) {
    g_autofree char *name = trace_switch_function(one);
    argument_hex(chrome, "x0", one->function);
    argument_text(chrome, "function", name);
  }
  if (one->has_value)
    argument_hex(chrome, one->action == SWITCH_DOES_HYPERCALL ? "result" : "value", one->value);
}

static void append_arguments(Chrome *chrome, const TraceSwitch *one) {
  argument_count(chrome, "number", one->number);
  append_trap_arguments(chrome, one);
  append_action_arguments(chrome, one);
  if (one->user_from && !one->run_error) {
    g_autofree char *reason = exit_reason_describe(one->exit_reason);
    argument_text(chrome, "reason", reason);
  }
  if (one->run_error)
    argument_text(chrome, "error", one->run_error == EINTR ? "signal" : g_strerror(one->run_error));
}

/* The guest before it, the switch, and inside it who had the vCPU. */
static void append_switch(Chrome *chrome, const TraceSwitch *one) {
  g_autofree char *name = trace_switch_class(chrome->switches, one);
  bool kernel = chrome->switches->has_kernel;

  if (one->entered)
    append_slice(chrome, one, kernel ? "guest" : "guest+KVM", one->entered, one->left);
  if (!one->returned) {
    begin_event(chrome, "i", PID_VCPUS, one->vcpu + 1, name);
    at_time(chrome, one->left);
    g_string_append(chrome->out, ",\"s\":\"t\"");
    append_arguments(chrome, one);
    end_event(chrome);
    return;
  }
  begin_slice(chrome, one, name, one->left, one->returned);
  append_arguments(chrome, one);
  end_event(chrome);
  if (!one->user_from) {
    append_slice(chrome, one, one->waited ? "waiting" : "kernel", one->left, one->returned);
    return;
  }
  if (one->user_from > one->left)
    append_slice(chrome, one, "kernel", one->left, one->user_from);
  append_slice(chrome, one, "userspace", one->user_from, one->user_to);
  if (one->returned > one->user_to && kernel)
    append_slice(chrome, one, "kernel", one->user_to, one->returned);
}

static unsigned device_pid(Chrome *chrome, const char *name) {
  unsigned known = GPOINTER_TO_UINT(g_hash_table_lookup(chrome->devices, name));
  unsigned pid = PID_FIRST_DEVICE + g_hash_table_size(chrome->devices);

  if (known)
    return known;
  g_hash_table_insert(chrome->devices, (gpointer)name, GUINT_TO_POINTER(pid));
  append_name(chrome, "process_name", pid, 1, *name ? name : "device");
  append_name(chrome, "thread_name", pid, 1, "events");
  return pid;
}

/* A request from its beginning to its end: a pair of asynchronous events, because a device has many at a time. */
static void append_request(Chrome *chrome, const TraceRecord *record, unsigned pid) {
  const char *what = recording_get_text(chrome->switches->recording, record->detail);
  uint64_t from = record->time - MIN(record->time, record->a);

  chrome->requests++;
  for (unsigned end = 0; end < 2; end++) {
    begin_event(chrome, end ? "e" : "b", pid, 1, *what ? what : "request");
    at_time(chrome, end ? record->time : from);
    g_string_append_printf(chrome->out, ",\"cat\":\"request\",\"id\":" U64, chrome->requests);
    if (!end) {
      argument_count(chrome, "bytes", record->b);
      argument_count(chrome, "status", record->c);
    }
    end_event(chrome);
  }
}

/* A moment on the track of PID and TID: left open for arguments. */
static void begin_instant(Chrome *chrome, const TraceRecord *record, unsigned pid, unsigned tid, const char *name) {
  begin_event(chrome, "i", pid, tid, name);
  at_time(chrome, record->time);
  /* The machine's are lines through all tracks. */
  g_string_append(chrome->out, pid == PID_MACHINE ? ",\"s\":\"g\"" : ",\"s\":\"t\"");
}

/* With one argument; KEY may be NULL. */
static void append_instant(Chrome *chrome, const TraceRecord *record, unsigned pid, unsigned tid, const char *name, const char *key,
                           uint64_t value) {
  begin_instant(chrome, record, pid, tid, name);
  if (key)
    argument_count(chrome, key, value);
  end_event(chrome);
}

static void append_vcpu_interrupt(Chrome *chrome, const TraceRecord *record) {
  bool timer = record->kind == TRACE_KVM_TIMER_IRQ;
  g_autofree char *name = g_strdup_printf("%s INTID " U64 " %s", timer ? "timer" : "interrupt", record->a, record->b ? "up" : "down");

  if (record->c < chrome->switches->n_vcpus)
    append_instant(chrome, record, PID_VCPUS, (unsigned)record->c + 1, name, "intid", record->a);
}

static void append_doorbell(Chrome *chrome, const TraceRecord *record, unsigned pid) {
  begin_instant(chrome, record, pid, 1, "doorbell");
  argument_count(chrome, "queue", record->a);
  argument_count(chrome, "rings", record->b);
  end_event(chrome);
}

static void append_record(Chrome *chrome, const TraceRecord *record) {
  const char *name = recording_get_text(chrome->switches->recording, record->name);

  switch (record->kind) {
  case TRACE_KVM_IRQ_PENDING:
  case TRACE_KVM_TIMER_IRQ:
    append_vcpu_interrupt(chrome, record);
    break;
  case TRACE_ERET_REQUEST:
    append_request(chrome, record, device_pid(chrome, name));
    break;
  case TRACE_ERET_DOORBELL:
    append_doorbell(chrome, record, device_pid(chrome, name));
    break;
  case TRACE_ERET_INTERRUPT:
    append_instant(chrome, record, device_pid(chrome, name), 1, "interrupt", record->a ? "spi" : "vector",
                   record->a ? record->a : record->b);
    break;
  case TRACE_ERET_EVENT:
    append_instant(chrome, record, device_pid(chrome, name), 1, recording_get_text(chrome->switches->recording, record->detail), "queue",
                   record->a);
    break;
  case TRACE_ERET_PHASE:
    append_instant(chrome, record, PID_MACHINE, 1, name, NULL, 0);
    break;
  case TRACE_ERET_MARK:
    append_instant(chrome, record, PID_MACHINE, 2, *name ? name : "mark", "number", record->a);
    break;
  case TRACE_LOST:
    append_instant(chrome, record, PID_MACHINE, 3, "records lost", "records", record->a);
    break;
  default:
    break;
  }
}

static void append_tracks(Chrome *chrome) {
  const TraceSwitches *switches = chrome->switches;
  g_autofree bool *seen = g_new0(bool, switches->n_vcpus + 1);

  append_name(chrome, "process_name", PID_VCPUS, 0, "vCPUs");
  append_name(chrome, "process_name", PID_MACHINE, 0, "machine");
  append_name(chrome, "thread_name", PID_MACHINE, 1, "phases");
  append_name(chrome, "thread_name", PID_MACHINE, 2, "marks");
  append_name(chrome, "thread_name", PID_MACHINE, 3, "losses");
  for (guint i = 0; i < switches->switches->len; i++)
    seen[g_array_index(switches->switches, TraceSwitch, i).vcpu] = true;
  for (unsigned i = 0; i < switches->n_vcpus; i++) {
    g_autofree char *name = g_strdup_printf("vcpu%u", i);
    if (seen[i])
      append_name(chrome, "thread_name", PID_VCPUS, i + 1, name);
  }
}

static void append_facts(GString *out, const Recording *recording) {
  GHashTableIter iter;
  gpointer key, value;
  bool any = false;

  g_string_append(out, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{");
  g_hash_table_iter_init(&iter, recording->facts);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    g_string_append(out, any ? "," : "");
    append_string(out, key);
    g_string_append_c(out, ':');
    append_string(out, value);
    any = true;
  }
  g_string_append(out, "}}\n");
}

void trace_chrome(GString *out, const TraceSwitches *switches, const Symbols *symbols) {
  g_autoptr(GHashTable) devices = g_hash_table_new(g_str_hash, g_str_equal);
  Chrome chrome = {.out = out, .switches = switches, .symbols = symbols, .devices = devices};
  const GArray *records = switches->recording->records;

  g_string_append(out, "{\"traceEvents\":[");
  append_tracks(&chrome);
  for (guint i = 0; i < switches->switches->len; i++)
    append_switch(&chrome, &g_array_index(switches->switches, TraceSwitch, i));
  for (guint i = 0; i < records->len; i++)
    append_record(&chrome, &g_array_index(records, TraceRecord, i));
  append_facts(out, switches->recording);
}
