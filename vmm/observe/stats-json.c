/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics for programs: one JSON object (docs/statistics.md). Names and numbers as they are counted, times in
 * nanoseconds.
 */
#include <json-glib/json-glib.h>

#include "vmm/base/json-writer.h"
#include "vmm/observe/stats.h"

static void begin_array(JsonBuilder *builder, const char *name) {
  json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
}

static void add_counters(JsonBuilder *builder, const GArray *counters) {
  json_builder_set_member_name(builder, "kvm");
  json_builder_begin_object(builder);
  for (unsigned i = 0; i < counters->len; i++)
    json_add_number(builder, g_array_index(counters, StatsCounter, i).name, g_array_index(counters, StatsCounter, i).value);
  json_builder_end_object(builder);
}

/* What names the thing depends on the cause: "device", "service", "event". */
static void add_site(JsonBuilder *builder, const ExitSite *site) {
  static const char *const what[EXIT_N_CAUSES] = {"device", "service", "event", "event", "event"};

  json_builder_begin_object(builder);
  json_add_text(builder, "cause", exit_cause_name(site->cause));
  if (site->device)
    json_add_text(builder, what[site->cause], site->device);
  if (site->cause == EXIT_BY_MMIO) {
    json_add_text(builder, "register", site->reg);
    json_add_text(builder, "access", site->write ? "write" : "read");
  }
  json_add_number(builder, "count", site->count);
  json_add_number(builder, "ns", site->ns);
  json_builder_end_object(builder);
}

static void add_vcpu_members(JsonBuilder *builder, const StatsVcpu *vcpu) {
  uint64_t exits = 0;

  for (unsigned i = 0; i < vcpu->sites->len; i++)
    exits += g_array_index(vcpu->sites, ExitSite, i).count;
  json_add_number(builder, "exits", exits);
  json_add_number(builder, "run_ns", vcpu->run_ns);
  json_add_number(builder, "user_ns", vcpu->user_ns);
  begin_array(builder, "sites");
  for (unsigned i = 0; i < vcpu->sites->len; i++)
    add_site(builder, &g_array_index(vcpu->sites, ExitSite, i));
  json_builder_end_array(builder);
  add_counters(builder, vcpu->kvm);
}

static void add_vcpus(JsonBuilder *builder, const Stats *stats, const StatsVcpu *total) {
  begin_array(builder, "vcpus");
  for (unsigned i = 0; i < stats->vcpus->len; i++) {
    const StatsVcpu *vcpu = &g_array_index(stats->vcpus, StatsVcpu, i);
    json_builder_begin_object(builder);
    json_add_number(builder, "index", vcpu->index);
    add_vcpu_members(builder, vcpu);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
  json_builder_set_member_name(builder, "total");
  json_builder_begin_object(builder);
  add_vcpu_members(builder, total);
  json_builder_end_object(builder);
}

static void add_requests(JsonBuilder *builder, const DeviceCount *work) {
  begin_array(builder, "requests");
  for (unsigned n = 0; work && n < work->n_requests; n++) {
    const RequestCount *request = &work->requests[n];
    json_builder_begin_object(builder);
    json_add_text(builder, "kind", request->kind);
    json_add_number(builder, "count", request->count);
    json_add_number(builder, "failed", request->failed);
    json_add_number(builder, "bytes", request->bytes);
    json_add_number(builder, "ns", request->ns);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

/* Each of several; what is not known of one that is served elsewhere is not there. */
static void add_queues(JsonBuilder *builder, const DeviceCount *work) {
  begin_array(builder, "queues");
  for (unsigned i = 0; work && i < work->n_queues && (work->n_queues > 1 || work->served_by); i++) {
    const QueueCount *queue = &work->queues[i];
    json_builder_begin_object(builder);
    json_add_number(builder, "index", i);
    if (queue->elsewhere) {
      json_add_text(builder, "served_by", work->served_by);
    } else {
      json_add_number(builder, "doorbells", queue->doorbells);
      json_add_number(builder, "requests", queue->requests);
      json_add_number(builder, "failed", queue->failed);
      json_add_number(builder, "bytes", queue->bytes);
    }
    json_add_number(builder, "interrupts", queue->interrupts);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void add_traffic(JsonBuilder *builder, const DeviceCount *work) {
  const DeviceTraffic *traffic = &work->traffic;
  const struct {
    const char *name;
    uint64_t number;
  } members[] = {
      {"received", traffic->received}, {"received_bytes", traffic->received_bytes}, {"received_drops", traffic->received_drops},
      {"sent", traffic->sent},         {"sent_bytes", traffic->sent_bytes},         {"sent_drops", traffic->sent_drops},
  };

  json_builder_set_member_name(builder, "host_counts");
  json_builder_begin_object(builder);
  for (unsigned i = 0; i < G_N_ELEMENTS(members); i++)
    json_add_number(builder, members[i].name, members[i].number);
  json_builder_end_object(builder);
}

static void add_events(JsonBuilder *builder, const DeviceCount *work) {
  begin_array(builder, "events");
  for (unsigned i = 0; work && i < work->n_events; i++) {
    json_builder_begin_object(builder);
    json_add_text(builder, "event", work->events[i].what);
    json_add_number(builder, "count", work->events[i].count);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void add_devices(JsonBuilder *builder, const Stats *stats, const StatsVcpu *total) {
  g_autoptr(GArray) devices = stats_devices(stats, total);

  begin_array(builder, "devices");
  for (unsigned i = 0; i < devices->len; i++) {
    const StatsDevice *device = &g_array_index(devices, StatsDevice, i);
    json_builder_begin_object(builder);
    json_add_text(builder, "name", device->name);
    json_add_number(builder, "exits", device->exits);
    json_add_number(builder, "ns", device->ns);
    json_add_number(builder, "doorbells", device->work ? device->work->doorbells : 0);
    json_add_number(builder, "interrupts", device->work ? device->work->interrupts : 0);
    add_requests(builder, device->work);
    add_queues(builder, device->work);
    add_events(builder, device->work);
    if (device->work && device->work->has_traffic)
      add_traffic(builder, device->work);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

static void add_timeline(JsonBuilder *builder, const GArray *entries) {
  begin_array(builder, "timeline");
  for (unsigned i = 0; entries && i < entries->len; i++) {
    const TimelineEntry *entry = &g_array_index(entries, TimelineEntry, i);
    json_builder_begin_object(builder);
    json_add_text(builder, "phase", phase_name(entry->phase));
    if (entry->phase == PHASE_MARK) {
      json_add_number(builder, "number", entry->number);
      json_add_text(builder, "text", entry->text);
    }
    json_add_number(builder, "ns", entry->ns - g_array_index(entries, TimelineEntry, 0).ns);
    json_builder_end_object(builder);
  }
  json_builder_end_array(builder);
}

char *stats_json(const Stats *stats) {
  g_autoptr(JsonBuilder) builder = json_builder_new();
  StatsVcpu total = stats_total(stats);

  json_builder_begin_object(builder);
  json_add_text(builder, "eret", ERET_VERSION);
  json_add_number(builder, "boots", stats->boots);
  add_vcpus(builder, stats, &total);
  json_builder_set_member_name(builder, "vm");
  json_builder_begin_object(builder);
  add_counters(builder, stats->kvm);
  json_builder_end_object(builder);
  add_devices(builder, stats, &total);
  json_add_number(builder, "late_writes", stats->deferred_writes);
  json_add_number(builder, "unclaimed_accesses", stats->unclaimed);
  json_add_number(builder, "refused_accesses", stats->refused);
  add_timeline(builder, stats->timeline);
  json_builder_end_object(builder);
  stats_vcpu_clear(&total);

  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  return json_print(root);
}
