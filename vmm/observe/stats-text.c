/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics for people: a few tables, widest first. What is zero everywhere is left out; numbers are grouped by
 * thousands so that they can be read aloud.
 */
#include "devices/units.h"
#include "vmm/base/human.h"
#include "vmm/observe/stats.h"

#define WIDTH 100

static void append_number(GString *out, int columns, uint64_t number) {
  g_string_append_printf(out, "%*s", columns, human_count(number).text);
}

static uint64_t count_cause(const GArray *sites, ExitCause cause) {
  uint64_t count = 0;

  for (unsigned i = 0; i < sites->len; i++)
    if (g_array_index(sites, ExitSite, i).cause == cause)
      count += g_array_index(sites, ExitSite, i).count;
  return count;
}

static uint64_t count_all(const GArray *sites) {
  uint64_t count = 0;

  for (ExitCause cause = 0; cause < EXIT_N_CAUSES; cause++)
    count += count_cause(sites, cause);
  return count;
}

static void append_vcpu(GString *out, const char *name, const StatsVcpu *vcpu) {
  g_string_append_printf(out, "%-8s", name);
  append_number(out, 12, count_all(vcpu->sites));
  for (ExitCause cause = 0; cause < EXIT_N_CAUSES; cause++)
    append_number(out, 14, count_cause(vcpu->sites, cause));
  g_string_append_printf(out, "%12.3f ms%12.3f ms\n", (double)vcpu->run_ns / NS_PER_MS, (double)vcpu->user_ns / NS_PER_MS);
}

static void append_vcpus(GString *out, const Stats *stats, const StatsVcpu *total) {
  g_string_append_printf(out, "%-8s%12s", "vCPU", "to eret");
  for (ExitCause cause = 0; cause < EXIT_N_CAUSES; cause++)
    g_string_append_printf(out, "%14s", exit_cause_name(cause));
  g_string_append_printf(out, "%15s%15s\n", "in KVM_RUN", "in eret");
  for (unsigned i = 0; i < stats->vcpus->len; i++) {
    const StatsVcpu *vcpu = &g_array_index(stats->vcpus, StatsVcpu, i);
    g_autofree char *name = g_strdup_printf("%u", vcpu->index);
    append_vcpu(out, name, vcpu);
  }
  if (stats->vcpus->len > 1)
    append_vcpu(out, "all", total);
}

static char *describe_site(const ExitSite *site) {
  if (site->cause != EXIT_BY_MMIO)
    return g_strdup(site->device ? site->device : "");
  if (!site->device)
    return g_strdup_printf("(nothing there) %s", site->write ? "write" : "read");
  return g_strdup_printf("%s %s%s%s", site->device, site->reg, *site->reg ? " " : "", site->write ? "write" : "read");
}

static void append_sites(GString *out, const GArray *sites) {
  if (sites->len == 0)
    return;
  g_string_append_printf(out, "\n%-14s%-48s%12s%15s%14s\n", "exit by", "", "count", "in eret", "each");
  for (unsigned i = 0; i < sites->len; i++) {
    const ExitSite *site = &g_array_index(sites, ExitSite, i);
    g_autofree char *what = describe_site(site);
    g_string_append_printf(out, "%-14s%-48s", exit_cause_name(site->cause), what);
    append_number(out, 12, site->count);
    g_string_append_printf(out, "%12.3f ms%11.1f us\n", (double)site->ns / NS_PER_MS,
                           (double)site->ns / NS_PER_US / (double)MAX(site->count, 1));
  }
}

/* A counter a line, a column for each vCPU, and their sum. */
static void append_kvm(GString *out, const Stats *stats, const StatsVcpu *total) {
  if (total->kvm->len == 0) {
    g_string_append(out, "\nKVM's own statistics: this kernel has none (KVM_GET_STATS_FD, Linux 5.14)\n");
    return;
  }
  g_string_append_printf(out, "\n%-34s", "KVM's own counts");
  for (unsigned i = 0; i < stats->vcpus->len; i++)
    g_string_append_printf(out, "%9s%3u", "vCPU", g_array_index(stats->vcpus, StatsVcpu, i).index);
  g_string_append_printf(out, "%s\n", stats->vcpus->len > 1 ? "           all" : "");
  for (unsigned n = 0; n < total->kvm->len; n++) {
    const StatsCounter *sum = &g_array_index(total->kvm, StatsCounter, n);
    if (sum->value == 0)
      continue;
    g_string_append_printf(out, "%-34s", sum->name);
    for (unsigned i = 0; i < stats->vcpus->len; i++) {
      const GArray *own = g_array_index(stats->vcpus, StatsVcpu, i).kvm;
      append_number(out, 12, n < own->len ? g_array_index(own, StatsCounter, n).value : 0);
    }
    if (stats->vcpus->len > 1)
      append_number(out, 14, sum->value);
    g_string_append_c(out, '\n');
  }
  for (unsigned n = 0; n < stats->kvm->len; n++) {
    const StatsCounter *counter = &g_array_index(stats->kvm, StatsCounter, n);
    if (counter->value == 0)
      continue;
    g_string_append_printf(out, "%-34s", counter->name);
    append_number(out, 12, counter->value);
    g_string_append(out, "  (VM)\n");
  }
}

static void append_requests(GString *out, const DeviceCount *device) {
  for (unsigned n = 0; n < device->n_requests; n++) {
    const RequestCount *request = &device->requests[n];
    g_string_append_printf(out, "%s%s %s", n ? ", " : "", human_count(request->count).text, request->kind);
    if (request->bytes)
      g_string_append_printf(out, " (%s)", human_size(request->bytes).text);
    if (request->failed)
      g_string_append_printf(out, " (%" G_GUINT64_FORMAT " failed)", request->failed);
    g_string_append_printf(out, " %.1f us each", (double)request->ns / NS_PER_US / (double)MAX(request->count, 1));
  }
}

/* A line for each of several queues; one says no more than its device. */
static void append_queues(GString *out, const DeviceCount *device) {
  for (unsigned i = 0; i < device->n_queues && (device->n_queues > 1 || device->served_by); i++) {
    const QueueCount *queue = &device->queues[i];
    g_string_append_printf(out, "  queue %-39u", i);
    append_number(out, 12, queue->doorbells);
    append_number(out, 12, queue->interrupts);
    if (queue->elsewhere)
      g_string_append_printf(out, "  served by %s, which does not tell", device->served_by);
    else if (queue->requests)
      g_string_append_printf(out, "  %s done (%s)", human_count(queue->requests - queue->failed).text, human_size(queue->bytes).text);
    if (queue->failed)
      g_string_append_printf(out, ", %s failed", human_count(queue->failed).text);
    g_string_append_c(out, '\n');
  }
}

static void append_traffic(GString *out, const DeviceCount *device) {
  const DeviceTraffic *traffic = &device->traffic;

  if (!device->has_traffic)
    return;
  g_string_append_printf(out, "  the host's kernel counts to the guest %s packets (%s), ", human_count(traffic->received).text,
                         human_size(traffic->received_bytes).text);
  g_string_append_printf(out, "%s dropped; from it %s (%s), ", human_count(traffic->received_drops).text, human_count(traffic->sent).text,
                         human_size(traffic->sent_bytes).text);
  g_string_append_printf(out, "%s dropped\n", human_count(traffic->sent_drops).text);
}

static void append_events(GString *out, const DeviceCount *device) {
  for (unsigned i = 0; i < device->n_events; i++)
    g_string_append_printf(out, "  %s: %s\n", device->events[i].what, human_count(device->events[i].count).text);
}

static void append_devices(GString *out, const Stats *stats, const StatsVcpu *total) {
  g_autoptr(GArray) devices = stats_devices(stats, total);

  if (devices->len)
    g_string_append_printf(out, "\n%-20s%12s%15s%12s%12s  %s\n", "device", "exits", "in eret", "doorbells", "interrupts", "requests");
  for (unsigned i = 0; i < devices->len; i++) {
    const StatsDevice *device = &g_array_index(devices, StatsDevice, i);
    g_string_append_printf(out, "%-20s", device->name);
    append_number(out, 12, device->exits);
    g_string_append_printf(out, "%12.3f ms", (double)device->ns / NS_PER_MS);
    if (device->work) {
      append_number(out, 12, device->work->doorbells);
      append_number(out, 12, device->work->interrupts);
      g_string_append(out, device->work->n_requests ? "  " : "");
      append_requests(out, device->work);
    }
    g_string_append_c(out, '\n');
    if (device->work) {
      append_queues(out, device->work);
      append_traffic(out, device->work);
      append_events(out, device->work);
    }
  }
  if (stats->deferred_writes)
    g_string_append_printf(out, "writes without an exit of their own: %" G_GUINT64_FORMAT "\n", stats->deferred_writes);
  if (stats->unclaimed || stats->refused)
    g_string_append_printf(out, "accesses where nothing is: %" G_GUINT64_FORMAT "; that a device does not allow: %" G_GUINT64_FORMAT "\n",
                           stats->unclaimed, stats->refused);
}

char *stats_text(const Stats *stats) {
  GString *out = g_string_new(NULL);
  StatsVcpu total = stats_total(stats);

  if (stats->boots > 1)
    g_string_append_printf(out, "over %u boots\n", stats->boots);
  append_vcpus(out, stats, &total);
  append_sites(out, total.sites);
  append_kvm(out, stats, &total);
  append_devices(out, stats, &total);
  if (stats->timeline) {
    g_string_append_c(out, '\n');
    timeline_print(stats->timeline, WIDTH, out);
  }
  stats_vcpu_clear(&total);
  return g_string_free(out, FALSE);
}
