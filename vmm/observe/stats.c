/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics as a structure: making, adding up. No lock: it is a copy of what others count. */
#include "vmm/observe/stats.h"

#include <string.h>

void stats_vcpu_clear(gpointer data) {
  StatsVcpu *vcpu = data;
  g_clear_pointer(&vcpu->sites, g_array_unref);
  g_clear_pointer(&vcpu->kvm, g_array_unref);
}

Stats *stats_new(void) {
  Stats *stats = g_new0(Stats, 1);

  stats->vcpus = g_array_new(FALSE, TRUE, sizeof(StatsVcpu));
  g_array_set_clear_func(stats->vcpus, stats_vcpu_clear);
  stats->kvm = g_array_new(FALSE, TRUE, sizeof(StatsCounter));
  stats->boots = 1;
  return stats;
}

void stats_free(Stats *stats) {
  if (!stats)
    return;
  g_array_unref(stats->vcpus);
  g_array_unref(stats->kvm);
  g_clear_pointer(&stats->devices, g_array_unref);
  g_clear_pointer(&stats->timeline, g_array_unref);
  g_free(stats);
}

void stats_counter_add(GArray *counters, const char *name, uint64_t more) {
  for (unsigned i = 0; i < counters->len; i++) {
    StatsCounter *counter = &g_array_index(counters, StatsCounter, i);
    if (strcmp(counter->name, name) == 0) {
      counter->value += more;
      return;
    }
  }
  StatsCounter fresh = {.value = more};
  g_strlcpy(fresh.name, name, sizeof fresh.name);
  g_array_append_val(counters, fresh);
}

static void add_site(GArray *sites, const ExitSite *more) {
  for (unsigned i = 0; i < sites->len; i++) {
    ExitSite *site = &g_array_index(sites, ExitSite, i);
    if (site->cause == more->cause && site->write == more->write && g_strcmp0(site->device, more->device) == 0 &&
        g_strcmp0(site->reg, more->reg) == 0) {
      site->count += more->count;
      site->ns += more->ns;
      return;
    }
  }
  g_array_append_val(sites, *more);
}

StatsVcpu stats_total(const Stats *stats) {
  StatsVcpu total = {
      .sites = g_array_new(FALSE, TRUE, sizeof(ExitSite)),
      .kvm = g_array_new(FALSE, TRUE, sizeof(StatsCounter)),
  };

  for (unsigned i = 0; i < stats->vcpus->len; i++) {
    const StatsVcpu *vcpu = &g_array_index(stats->vcpus, StatsVcpu, i);
    total.run_ns += vcpu->run_ns;
    total.user_ns += vcpu->user_ns;
    for (unsigned n = 0; n < vcpu->sites->len; n++)
      add_site(total.sites, &g_array_index(vcpu->sites, ExitSite, n));
    for (unsigned n = 0; n < vcpu->kvm->len; n++)
      stats_counter_add(total.kvm, g_array_index(vcpu->kvm, StatsCounter, n).name, g_array_index(vcpu->kvm, StatsCounter, n).value);
  }
  g_array_sort(total.sites, exit_site_compare);
  return total;
}

static StatsDevice *find_device(GArray *devices, const char *name) {
  for (unsigned i = 0; i < devices->len; i++)
    if (strcmp(g_array_index(devices, StatsDevice, i).name, name) == 0)
      return &g_array_index(devices, StatsDevice, i);
  StatsDevice fresh = {.name = name};
  g_array_append_val(devices, fresh);
  return &g_array_index(devices, StatsDevice, devices->len - 1);
}

static int compare_devices(gconstpointer a, gconstpointer b) {
  const StatsDevice *left = a, *right = b;
  return left->ns != right->ns ? (left->ns > right->ns ? -1 : 1) : strcmp(left->name, right->name);
}

GArray *stats_devices(const Stats *stats, const StatsVcpu *total) {
  GArray *devices = g_array_new(FALSE, TRUE, sizeof(StatsDevice));

  for (unsigned i = 0; i < total->sites->len; i++) {
    const ExitSite *site = &g_array_index(total->sites, ExitSite, i);
    if (site->cause != EXIT_BY_MMIO || !site->device)
      continue;
    StatsDevice *device = find_device(devices, site->device);
    device->exits += site->count;
    device->ns += site->ns;
  }
  for (unsigned i = 0; stats->devices && i < stats->devices->len; i++) {
    const DeviceCount *work = &g_array_index(stats->devices, DeviceCount, i);
    find_device(devices, work->device)->work = work;
  }
  g_array_sort(devices, compare_devices);
  return devices;
}
