/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret trace --summary`: what a recording says, on a page. Tables are aligned for people; the block of counts has one
 * "name number" a line for programs, and counts records, not switches, so that it can be held against the kernel's own
 * counts.
 *
 * No locks: pure function of the recording.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arm/esr.h"
#include "vmm/arm/exit-reason.h"
#include "vmm/base/human.h"
#include "vmm/trace/report.h"

#define PLACES_MAX    10
#define FUNCTIONS_MAX 10
#define MARKS_MAX     100 /* a guest may make as many as it likes */
#define N_CLASSES     64  /* ESR_ELx.EC */
#define N_REASONS     64  /* of KVM_EXIT_..., with room */

static const TraceSwitch *get_switch(const TraceSwitches *switches, guint i) {
  return &g_array_index(switches->switches, TraceSwitch, i);
}

/* A group of switches that are counted together. */
typedef struct {
  char *name;
  const TraceSwitch *example;
  uint64_t count, total;
  GArray *costs; /* of uint64_t; those that never returned have none. NULL: only counted */
} Group;

static void group_free(void *opaque) {
  Group *group = opaque;
  g_free(group->name);
  if (group->costs)
    g_array_unref(group->costs);
  g_free(group);
}

/* The group of KEY, which lives as long as the table; ONE is the example of a new one. */
static Group *group_of(GPtrArray *groups, GHashTable *by_key, gconstpointer key, const TraceSwitch *one) {
  Group *group = g_hash_table_lookup(by_key, key);

  if (group)
    return group;
  group = g_new0(Group, 1);
  group->example = one;
  g_ptr_array_add(groups, group);
  g_hash_table_insert(by_key, (gpointer)key, group);
  return group;
}

static int compare_u64(const void *a, const void *b) {
  uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
  return left < right ? -1 : left > right;
}

/* By total time, then by count, then by name, so that the order is the same each time. */
static int compare_groups(const void *a, const void *b) {
  const Group *left = *(const Group *const *)a, *right = *(const Group *const *)b;
  if (left->total != right->total)
    return left->total > right->total ? -1 : 1;
  if (left->count != right->count)
    return left->count > right->count ? -1 : 1;
  return g_strcmp0(left->name, right->name);
}

static void append_fact(GString *out, const char *label, const char *value) {
  if (!value)
    return;
  human_append_printf(out, "%-14s%s", label, value);
  g_string_append_c(out, '\n');
}

static void append_machine(GString *out, const Recording *recording) {
  static const struct {
    const char *key, *label;
  } parts[] = {{"cpus", "vCPUs"}, {"memory", "memory"}, {"gic", "GIC"}, {"page-size", "page size"}};
  g_autoptr(GString) text = g_string_new(NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
    const char *value = recording_fact(recording, parts[i].key);
    if (value)
      g_string_append_printf(text, "%s%s: %s", text->len ? ", " : "", parts[i].label, value);
  }
  append_fact(out, "machine", text->len ? text->str : NULL);
}

static void append_losses(GString *out, const Recording *recording) {
  static const char *const sources[] = {
      [TRACE_SOURCE_KERNEL] = "in KVM's buffers", [TRACE_SOURCE_ERET] = "in eret's buffer", [TRACE_SOURCE_FILE] = "at the file's limit"};
  const uint64_t *lost = recording->lost;
  uint64_t all = 0;

  g_string_append_printf(out, "%-14s", "lost");
  for (unsigned i = 0; i < TRACE_N_SOURCES; i++) {
    if (lost[i])
      g_string_append_printf(out, "%s%s records %s", all ? ", " : "", human_count(lost[i]).text, sources[i]);
    all |= lost[i];
  }
  g_string_append(out, all ? "\n" : "nothing\n");
  if (recording->truncated)
    append_fact(out, "cut off", "the file ends without its end mark: the recorder was killed, or the disk was full");
}

static void append_header(GString *out, const TraceSwitches *switches) {
  const Recording *recording = switches->recording;
  const char *events = recording_fact(recording, "kvm-events");

  append_fact(out, "eret", recording_fact(recording, "eret"));
  append_fact(out, "command", recording_fact(recording, "command"));
  append_machine(out, recording);
  append_fact(out, "host kernel", recording_fact(recording, "kernel"));
  append_fact(out, "guest kernel", recording_fact(recording, "guest-kernel"));
  append_fact(out, "sandbox", recording_fact(recording, "sandbox"));
  g_string_append_printf(out, "%-14s%s, ", "recorded", human_time(switches->ends - switches->begins).text);
  g_string_append_printf(out, "%s records, ", human_count(recording->records->len).text);
  g_string_append_printf(out, "%s switches, %u vCPU%s\n", human_count(switches->switches->len).text, switches->n_vcpus,
                         switches->n_vcpus == 1 ? "" : "s");
  append_losses(out, recording);
  if (!switches->has_kernel) {
    human_append_printf(out, "%-14snot recorded (%s): a switch here is a return of KVM_RUN, and its time is userspace's alone",
                        "KVM's events", events && strcmp(events, "yes") != 0 ? events : "there are none in the file");
    g_string_append_c(out, '\n');
  }
}

/* The groups of all switches by class. */
static GPtrArray *group_by_class(const TraceSwitches *switches) {
  GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);
  g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);

  for (guint i = 0; i < switches->switches->len; i++) {
    const TraceSwitch *one = get_switch(switches, i);
    g_autofree char *name = trace_switch_class(switches, one);
    Group *group = group_of(groups, by_name, name, one);
    uint64_t cost = trace_switch_cost(one);
    if (!group->name) {
      group->name = g_steal_pointer(&name); /* the key */
      group->costs = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    }
    group->count++;
    group->total += cost;
    if (one->returned)
      g_array_append_val(group->costs, cost);
  }
  g_ptr_array_sort(groups, compare_groups);
  return groups;
}

/* The smallest cost that PERCENT of 100 do not exceed. */
static HumanText percentile(const GArray *sorted, unsigned percent) {
  HumanText none = {"-"};
  guint rank = (guint)(((uint64_t)sorted->len * percent + 99) / 100);
  return sorted->len ? human_time(g_array_index(sorted, uint64_t, MAX(rank, 1) - 1)) : none;
}

static void append_classes(GString *out, const TraceSwitches *switches) {
  g_autoptr(GPtrArray) groups = group_by_class(switches);
  uint64_t all = 0;

  for (guint i = 0; i < groups->len; i++)
    all += ((Group *)g_ptr_array_index(groups, i))->total;
  g_string_append(out, "\nWorld switches, by the time they took\n");
  g_string_append_printf(out, "%12s %10s %10s %10s %10s %8s  %s\n", "count", "total", "mean", "median", "99 %", "share", "class");
  for (guint i = 0; i < groups->len; i++) {
    const Group *group = g_ptr_array_index(groups, i);
    guint n = group->costs->len;
    if (n)
      qsort(group->costs->data, n, sizeof(uint64_t), compare_u64);
    human_append_printf(out, "%12s %10s %10s %10s %10s %8s  %s", human_count(group->count).text, human_time(group->total).text,
                        n ? human_time(group->total / n).text : "-", percentile(group->costs, 50).text, percentile(group->costs, 99).text,
                        human_share(group->total, all).text, group->name);
    g_string_append_c(out, '\n');
  }
}

typedef struct {
  uint64_t guest, kernel, waiting, user;
  bool seen;
} Shares;

static void add_shares(Shares *shares, const TraceSwitch *one) {
  shares->seen = true;
  shares->guest += one->entered ? one->left - one->entered : 0;
  shares->kernel += trace_switch_kernel_ns(one);
  shares->waiting += one->returned ? one->waited : 0;
  shares->user += one->user_ns;
}

static void append_share_line(GString *out, const char *name, const Shares *shares, bool has_kernel) {
  uint64_t all = shares->guest + shares->kernel + shares->waiting + shares->user;

  g_string_append_printf(out, "%-9s %10s", name, human_share(shares->guest, all).text);
  if (has_kernel)
    g_string_append_printf(out, " %12s %10s", human_share(shares->kernel, all).text, human_share(shares->waiting, all).text);
  g_string_append_printf(out, " %10s   of %s\n", human_share(shares->user, all).text, human_time(all).text);
}

static void append_shares(GString *out, const TraceSwitches *switches) {
  g_autofree Shares *vcpus = g_new0(Shares, switches->n_vcpus + 1);
  Shares all = {0};

  for (guint i = 0; i < switches->switches->len; i++) {
    const TraceSwitch *one = get_switch(switches, i);
    add_shares(&vcpus[one->vcpu], one);
    add_shares(&all, one);
  }
  g_string_append(out, "\nWhere the vCPUs' time went\n");
  g_string_append_printf(out, "%-9s %10s", "", switches->has_kernel ? "guest" : "guest+KVM");
  if (switches->has_kernel)
    g_string_append_printf(out, " %12s %10s", "EL2 and host", "waiting");
  g_string_append_printf(out, " %10s\n", "userspace");
  for (unsigned i = 0; i < switches->n_vcpus; i++) {
    g_autofree char *name = g_strdup_printf("vcpu%u", i);
    if (vcpus[i].seen)
      append_share_line(out, name, &vcpus[i], switches->has_kernel);
  }
  append_share_line(out, "all", &all, switches->has_kernel);
}

typedef struct {
  uint64_t entries, exits, userspace_exits, interrupted;
  uint64_t causes[3]; /* ARM_EXCEPTION codes but 2, a trap: IRQ, SError, any other */
  uint64_t classes[N_CLASSES + 1], reasons[N_REASONS + 1];
} Counts;

static void count_record(Counts *counts, const TraceRecord *record) {
  switch (record->kind) {
  case TRACE_KVM_ENTRY:
    counts->entries++;
    break;
  case TRACE_KVM_EXIT:
    counts->exits++;
    if (record->b == 2)
      counts->classes[MIN(record->c, N_CLASSES)]++;
    else
      counts->causes[MIN(record->b, 2)]++;
    break;
  case TRACE_KVM_USERSPACE_EXIT:
    counts->userspace_exits++;
    counts->reasons[MIN(record->a, N_REASONS)]++;
    counts->interrupted += record->b == EINTR;
    break;
  default:
    break;
  }
}

static void append_count(GString *out, const char *event, const char *what, uint64_t count) {
  if (count)
    g_string_append_printf(out, "%s:%s %" G_GUINT64_FORMAT "\n", event, what, count);
}

static void append_counts(GString *out, const TraceSwitches *switches) {
  static const char *const causes[] = {"IRQ", "SError", "other"};
  const GArray *records = switches->recording->records;
  Counts counts = {0};

  for (guint i = 0; i < records->len; i++)
    count_record(&counts, &g_array_index(records, TraceRecord, i));
  g_string_append(out, "\nKVM's events, counted\n");
  g_string_append_printf(out, "kvm_entry %" G_GUINT64_FORMAT "\nkvm_exit %" G_GUINT64_FORMAT "\n", counts.entries, counts.exits);
  for (unsigned i = 0; i < G_N_ELEMENTS(causes); i++)
    append_count(out, "kvm_exit", causes[i], counts.causes[i]);
  for (unsigned i = 0; i <= N_CLASSES; i++) {
    g_autofree char *name = g_strdup_printf("0x%02x:%s", i, esr_class_name(i));
    append_count(out, "kvm_exit", name, counts.classes[i]);
  }
  g_string_append_printf(out, "kvm_userspace_exit %" G_GUINT64_FORMAT "\n", counts.userspace_exits);
  for (unsigned i = 0; i <= N_REASONS; i++) {
    g_autofree char *number = g_strdup_printf("%u", i);
    append_count(out, "kvm_userspace_exit", exit_reason_name(i) ? exit_reason_name(i) : number, counts.reasons[i]);
  }
  if (counts.interrupted)
    g_string_append_printf(out, "(%s of kvm_userspace_exit by a signal, whatever the reason says)\n", human_count(counts.interrupted).text);
  if (switches->unpaired)
    g_string_append_printf(
        out, "(%s of kvm_userspace_exit are no world switch: the guest was not entered before, or its exit is not recorded)\n",
        human_count(switches->unpaired).text);
}

/* Which guest code trapped. An interrupt of the host hits where it will: that is no trap of the guest's. */
static void append_places(GString *out, const TraceSwitches *switches, const Symbols *symbols) {
  g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func(group_free);
  g_autoptr(GHashTable) by_pc = g_hash_table_new(g_int64_hash, g_int64_equal);

  for (guint i = 0; i < switches->switches->len; i++) {
    const TraceSwitch *one = get_switch(switches, i);
    if (one->cause != SWITCH_TRAP)
      continue;
    Group *group = group_of(groups, by_pc, &one->pc, one);
    group->count++;
    group->total = group->count; /* the order is that of counts; the first met comes first among equals */
  }
  if (groups->len == 0)
    return;
  g_ptr_array_sort(groups, compare_groups);
  g_string_append_printf(out, "\nGuest code that trapped most (of %s places)\n", human_count(groups->len).text);
  for (guint i = 0; i < MIN(groups->len, PLACES_MAX); i++) {
    const Group *group = g_ptr_array_index(groups, i);
    uint64_t pc = trace_switch_pc(group->example);
    g_autofree char *symbol = symbols_describe(symbols, pc), *name = trace_switch_class(switches, group->example);
    human_append_printf(out, "%12s  0x%016" G_GINT64_MODIFIER "x  %s%s%s", human_count(group->count).text, pc, name, symbol ? "  " : "",
                        symbol ? symbol : "");
    g_string_append_c(out, '\n');
  }
}

/*
 * Switches are the same call when W0 is the same: the upper half of X0 is no part of a function's number (SMCCC, DEN
 * 0028, 2.5).
 */
static guint hash_function(gconstpointer one) {
  return (uint32_t)((const TraceSwitch *)one)->function;
}

static gboolean same_function(gconstpointer a, gconstpointer b) {
  return hash_function(a) == hash_function(b);
}

/* Hypercalls by function, as far as the function is known. */
static void append_hypercalls(GString *out, const TraceSwitches *switches) {
  g_autoptr(GPtrArray) groups = g_ptr_array_new_with_free_func(group_free);
  g_autoptr(GHashTable) by_function = g_hash_table_new(hash_function, same_function);

  for (guint i = 0; i < switches->switches->len; i++) {
    const TraceSwitch *one = get_switch(switches, i);
    if (one->action != SWITCH_DOES_HYPERCALL || !one->has_function)
      continue;
    Group *group = group_of(groups, by_function, one, one);
    group->count++;
    group->total += trace_switch_cost(one);
  }
  if (groups->len == 0)
    return;
  g_ptr_array_sort(groups, compare_groups);
  g_string_append_printf(out, "\nHypercalls that took most time (of %s functions)\n", human_count(groups->len).text);
  for (guint i = 0; i < MIN(groups->len, FUNCTIONS_MAX); i++) {
    const Group *group = g_ptr_array_index(groups, i);
    g_autofree char *name = trace_switch_function(group->example);
    human_append_printf(out, "%12s %10s  0x%08x  %s", human_count(group->count).text, human_time(group->total).text,
                        (uint32_t)group->example->function, name);
    g_string_append_c(out, '\n');
  }
}

static void append_phases(GString *out, const TraceSwitches *switches) {
  const GArray *records = switches->recording->records;
  guint n = 0;

  for (guint i = 0; i < records->len; i++) {
    const TraceRecord *record = &g_array_index(records, TraceRecord, i);
    if ((record->kind != TRACE_ERET_PHASE && record->kind != TRACE_ERET_MARK) || n++ >= MARKS_MAX)
      continue;
    g_string_append(out, n > 1 ? "" : "\nPhases of eret, and marks of the guest, from the first record on\n");
    g_string_append_printf(out, "%12s  ", human_time(record->time - switches->begins).text);
    if (record->kind == TRACE_ERET_MARK)
      g_string_append_printf(out, "mark %" G_GUINT64_FORMAT " ", record->a);
    human_append_text(out, recording_get_text(switches->recording, record->name));
    g_string_append_c(out, '\n');
  }
  if (n > MARKS_MAX)
    g_string_append_printf(out, "%12s  and %s more\n", "", human_count(n - MARKS_MAX).text);
}

void trace_summary(GString *out, const TraceSwitches *switches, const Symbols *symbols) {
  append_header(out, switches);
  trace_fault_loops(out, switches, symbols);
  append_phases(out, switches);
  append_classes(out, switches);
  append_shares(out, switches);
  append_hypercalls(out, switches);
  trace_devices(out, switches);
  append_places(out, switches, symbols);
  append_counts(out, switches);
}
